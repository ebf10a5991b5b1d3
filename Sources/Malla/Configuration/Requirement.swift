// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Fairness

/// A variable that a role of a mesh of processes does not start without; `malla dev` brings its own.
struct Requirement: Sendable {
    let name: String
    /// What it is, for whoever has to set it.
    let purpose: String

    /// What each role needs, in the order in which it is asked for.
    static let roles: [(role: String, requirements: [Requirement])] = [
        ("app-api", ofAppAPI), ("service-api", ofServiceAPI), ("worker", ofWorker),
    ]

    static let ofAppAPI =
        [
            Requirement(name: "MARKETPLACE_TOKEN", purpose: "the token that clients send as x-marketplace-token"),
            Requirement(name: "MESH_TOKEN", purpose: "the token with which the App API calls the Service APIs"),
        ] + ofWorker

    static let ofServiceAPI =
        [Requirement(name: "MESH_TOKEN", purpose: "the token with which the App API hands over jobs")] + ofWorker

    static let ofWorker = [
        Requirement(name: "AWS_ACCESS_KEY", purpose: "the S3 server's credentials"),
        Requirement(name: "AWS_SECRET_KEY", purpose: "the S3 server's credentials"),
    ]

    /// Whether it is set, in the environment or in the file of tokens.
    func isMet(_ configuration: MeshConfiguration, _ tokens: TokensFile?) -> Bool {
        let inFile = TokensFile.List(rawValue: name).flatMap { tokens?.entries($0) }
        return !(inFile ?? configuration.list(name)).isEmpty
    }
}

extension MeshConfiguration {
    /// Checks every variable that is set, and that those are which a role needs.
    ///
    /// - Throws: ``ConfigurationError`` with one line for each that can't be used or is missing.
    func check(_ settings: [Setting] = Setting.all, needing requirements: [Requirement] = []) throws(ConfigurationError)
    {
        var problems = settings.compactMap { setting -> String? in
            guard let value = text(setting.name), let wanted = setting.fault(value) else { return nil }
            let shown = Setting.secrets.contains(setting.name) ? "" : "='\(value)'"
            return "\(setting.name)\(shown) can't be used: give \(wanted)"
        }
        var tokens: TokensFile?
        if let path = text("TOKENS_FILE"), Setting(name: "TOKENS_FILE", kind: .file).fault(path) == nil {
            do throws(ConfigurationError) { tokens = try tokensFile() } catch { problems.append(error.description) }
        }
        let missing = requirements.filter { !$0.isMet(self, tokens) }
        problems += missing.map { ConfigurationError(missing: $0.name, $0.purpose).description }
        guard problems.isEmpty else { throw ConfigurationError(problems.joined(separator: "\nmalla: ")) }
    }
}
