// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import ArgumentParser
import Foundation
import Workflow

/// Finds and loads the definitions of apps and services.
struct DefinitionFolders: Sendable {
    let apps: [String]
    let services: [String]

    /// The folders of `APPS_DIR` and `SERVICES_DIR`, each one or several, separated by commas.
    init(configuration: MeshConfiguration) {
        let apps = configuration.list("APPS_DIR")
        let services = configuration.list("SERVICES_DIR")
        self.apps = apps.isEmpty ? [Self.shipped("apps")] : apps
        self.services = services.isEmpty ? [Self.shipped("services")] : services
    }

    /// Loads and checks everything.
    ///
    /// - Throws: ``ConfigurationError`` with one line per problem.
    func load() throws -> Definitions {
        do {
            return try DefinitionLoader.load(
                apps: apps,
                services: services,
                environment: ProcessInfo.processInfo.environment
            )
        } catch {
            throw ConfigurationError(error.description)
        }
    }

    /// A folder of this name in the working folder, else beside the binary's package.
    static func shipped(_ name: String) -> String {
        let manager = FileManager.default
        if manager.fileExists(atPath: name) { return name }
        // Not the first argument: found on the PATH, the binary is called by its name alone.
        let binary = Bundle.main.executablePath ?? CommandLine.arguments[0]
        var folder = URL(fileURLWithPath: binary).resolvingSymlinksInPath().deletingLastPathComponent()
        for _ in 0..<5 {
            let candidate = folder.appendingPathComponent(name).path
            if manager.fileExists(atPath: candidate) { return candidate }
            folder.deleteLastPathComponent()
        }
        return name
    }
}

extension Definitions {
    /// The services of these names; all when there are none.
    ///
    /// - Throws: `ValidationError` that lists the known ones.
    func selected(_ names: [String]) throws -> [String: ServiceDefinition] {
        guard !names.isEmpty else { return services }
        for name in names where services[name] == nil {
            let known = services.keys.sorted().joined(separator: ", ")
            throw ValidationError("--service: there is no service '\(name)'; there are: \(known)")
        }
        return services.filter { names.contains($0.key) }
    }
}
