// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

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

    /// What is said when it is not set; nil when it is, in the environment or in `TOKENS_FILE`.
    func fault(in configuration: MeshConfiguration) throws(ConfigurationError) -> String? {
        guard configuration.text(name) == nil, try configuration.token(name) == nil else { return nil }
        return ConfigurationError(missing: name, purpose).description
    }
}

extension MeshConfiguration {
    /// Checks every variable that is set, and that those are which a role needs.
    ///
    /// - Throws: ``ConfigurationError`` with one line for each that can't be used or is missing.
    func check(needing requirements: [Requirement] = []) throws(ConfigurationError) {
        var problems = Setting.all.compactMap { setting -> String? in
            guard let value = text(setting.name), let wanted = setting.fault(value) else { return nil }
            let shown = Setting.secrets.contains(setting.name) ? "" : "='\(value)'"
            return "\(setting.name)\(shown) can't be used: give \(wanted)"
        }
        do throws(ConfigurationError) {
            for requirement in requirements {
                if let fault = try requirement.fault(in: self) { problems.append(fault) }
            }
        } catch {
            // The tokens' file can't be read; what it holds is not known.
            problems.append(error.description)
        }
        guard problems.isEmpty else { throw ConfigurationError(problems.joined(separator: "\nmalla: ")) }
    }
}
