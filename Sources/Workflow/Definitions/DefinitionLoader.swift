// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

#if canImport(FoundationEssentials)
internal import FoundationEssentials
#else
internal import Foundation
#endif

/// Loads every `service.yaml` and `app.yaml` and checks them as a whole.
public enum DefinitionLoader {
    /// Loads the definitions of some folders, each of which has one folder per app or service.
    ///
    /// - Parameters:
    ///   - apps: folders with `<app>/app.yaml`; a folder without that file is skipped.
    ///   - services: folders with `<service>/service.yaml`; a folder without that file is skipped.
    ///   - environment: the variables for what services take; nil leaves `${NAME}` as it stands.
    /// - Throws: `DefinitionsError` with every problem, by file and line.
    public static func load(
        apps: [String],
        services: [String],
        environment: [String: String]? = nil
    ) throws(DefinitionsError) -> Definitions {
        let (definitions, problems) = check(apps: apps, services: services, environment: environment)
        guard problems.isEmpty else { throw DefinitionsError(problems: problems) }
        return definitions
    }

    /// Loads what is right and tells what is not.
    public static func check(
        apps: [String],
        services: [String],
        environment: [String: String]? = nil
    ) -> (definitions: Definitions, problems: [DefinitionProblem]) {
        var problems: [DefinitionProblem] = []
        var takers: [ServiceDefinition.Taken: String] = [:]
        var definitions = Definitions()
        var places: [String: String] = [:]
        for source in files(named: "service.yaml", in: services, &problems) {
            let outcome = ServiceReader.read(source.text, file: source.file, folder: source.folder)
            problems += outcome.problems
            guard var service = outcome.service else { continue }
            if let first = places[service.name] {
                problems.append(Self.twice("service", service.name, source.file, outcome.line, first))
                continue
            }
            if let environment { service.takes = service.takes.map { $0.expanded(in: environment) } }
            for taken in Set(service.takes.map(\.normal)) {
                if let first = takers.updateValue(service.name, forKey: taken) {
                    problems.append(
                        DefinitionProblem(
                            file: source.file,
                            line: outcome.takesLine,
                            message: "service '\(service.name)' takes \(taken), as service '\(first)' does; a task "
                                + "type with a model profile goes to one service"
                        )
                    )
                }
            }
            places[service.name] = "\(source.file):\(outcome.line)"
            definitions.services[service.name] = service
        }
        places = [:]
        for source in files(named: "app.yaml", in: apps, &problems) {
            let outcome = AppReader.read(source.text, file: source.file, services: definitions.services)
            problems += outcome.problems
            guard let app = outcome.app else { continue }
            if let first = places[app.name] {
                problems.append(Self.twice("app", app.name, source.file, outcome.line, first))
                continue
            }
            places[app.name] = "\(source.file):\(outcome.line)"
            definitions.apps[app.name] = app
        }
        problems.sort { ($0.file, $0.line) < ($1.file, $1.line) }
        return (definitions, problems)
    }

    /// Reads one app from its text, checked against these services.
    ///
    /// - Throws: `DefinitionsError` with every problem; `file` is what they name.
    public static func app(
        yaml text: String,
        file: String = "app.yaml",
        services: [ServiceDefinition]
    ) throws(DefinitionsError) -> AppDefinition {
        let byName = Dictionary(services.map { ($0.name, $0) }, uniquingKeysWith: { _, last in last })
        let outcome = AppReader.read(text, file: file, services: byName)
        guard let app = outcome.app, outcome.problems.isEmpty else {
            throw DefinitionsError(problems: outcome.problems.sorted { $0.line < $1.line })
        }
        return app
    }

    /// Reads one service from its text.
    ///
    /// - Throws: `DefinitionsError` with every problem; `file` is what they name.
    public static func service(
        yaml text: String,
        file: String = "service.yaml",
        folder: String = ""
    ) throws(DefinitionsError) -> ServiceDefinition {
        let outcome = ServiceReader.read(text, file: file, folder: folder)
        guard let service = outcome.service, outcome.problems.isEmpty else {
            throw DefinitionsError(problems: outcome.problems.sorted { $0.line < $1.line })
        }
        return service
    }

    private static func twice(
        _ kind: String,
        _ name: String,
        _ file: String,
        _ line: Int,
        _ first: String
    ) -> DefinitionProblem {
        DefinitionProblem(
            file: file,
            line: line,
            message: "the \(kind) '\(name)' is already defined at \(first); names are unique in a mesh"
        )
    }

    /// The definition files of some folders, sorted, with the absolute path of the folder that holds each.
    private static func files(
        named name: String,
        in folders: [String],
        _ problems: inout [DefinitionProblem]
    ) -> [(file: String, folder: String, text: String)] {
        var files: [(file: String, folder: String, text: String)] = []
        for folder in folders {
            let names: [String]
            do {
                names = try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
            } catch {
                problems.append(
                    DefinitionProblem(
                        file: folder,
                        line: 0,
                        message: "is no folder that can be read; name one that holds */\(name)"
                    )
                )
                continue
            }
            for entry in names {
                let inner = (folder.hasSuffix("/") ? folder : folder + "/") + entry
                let file = inner + "/" + name
                guard FileManager.default.fileExists(atPath: file) else { continue }
                guard let content = FileManager.default.contents(atPath: file),
                    let text = String(validating: content, as: UTF8.self)
                else {
                    problems.append(DefinitionProblem(file: file, line: 0, message: "can't be read, or is not UTF-8"))
                    continue
                }
                let base = FileManager.default.currentDirectoryPath
                files.append((file, inner.hasPrefix("/") ? inner : base + "/" + inner, text))
            }
        }
        return files
    }
}
