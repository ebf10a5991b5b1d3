// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Configuration
import Fairness
import Foundation
import Logging
import Plumbing

/// Reads the settings of every role from the environment; `.env.example` lists them all.
///
/// A variable that is set to nothing counts as not set: a copied `.env` leaves many that way.
struct MeshConfiguration: Sendable {
    private let reader: ConfigReader

    init(environment: [String: String] = ProcessInfo.processInfo.environment) {
        let set = environment.filter { !$0.value.trimmingCharacters(in: .whitespaces).isEmpty }
        reader = ConfigReader(
            provider: EnvironmentVariablesProvider(
                environmentVariables: set,
                secretsSpecifier: .dynamic { name, _ in Setting.secrets.contains(name) }
            )
        )
    }

    /// The text of a variable, by its name in the environment, or nil.
    func text(_ name: String) -> String? {
        reader.string(forKey: ConfigKey(name.lowercased().split(separator: "_").map { String($0) }))
    }

    /// The text of a variable, or its default.
    func text(_ name: String, default fallback: String) -> String { text(name) ?? fallback }

    /// The comma-separated parts of a variable, without spaces around them.
    func list(_ name: String) -> [String] {
        (text(name) ?? "").split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }.filter { !$0.isEmpty }
    }

    /// The first token of a variable, or of `TOKENS_FILE` when that names it, as it is sent: without the name that it may
    /// bear.
    func token(_ name: String) throws(ConfigurationError) -> String? {
        let isScoped = name == TokensFile.List.marketplace.rawValue
        let inFile = try TokensFile.List(rawValue: name).flatMap { list throws(ConfigurationError) in
            try tokensFile()?.entries(list)
        }
        return (inFile ?? list(name)).first.map { NamedTokens.split($0, scoped: isScoped).token }
    }

    /// The tokens that may change while a role runs; nil without a file.
    func tokensFile(logger: Logger = Logger(label: "malla.tokens")) throws(ConfigurationError) -> TokensFile? {
        guard let path = text("TOKENS_FILE") else { return nil }
        do {
            return try TokensFile(path: path, logger: logger)
        } catch {
            throw ConfigurationError(error.description)
        }
    }

    /// A whole number.
    func int(_ name: String, default fallback: Int) throws(ConfigurationError) -> Int {
        guard let text = text(name) else { return fallback }
        guard let value = Int(text) else { throw ConfigurationError(name, text, "a whole number, such as \(fallback)") }
        return value
    }

    /// A port.
    func port(_ name: String, default fallback: Int) throws(ConfigurationError) -> Int {
        let value = try int(name, default: fallback)
        guard (0...65535).contains(value) else { throw ConfigurationError(name, "\(value)", "a port from 0 to 65535") }
        return value
    }

    /// `true` or `false`.
    func bool(_ name: String, default fallback: Bool) throws(ConfigurationError) -> Bool {
        guard let text = text(name)?.lowercased() else { return fallback }
        switch text {
        case "true", "1", "yes", "on": return true
        case "false", "0", "no", "off": return false
        default: throw ConfigurationError(name, text, "true or false")
        }
    }

    /// A duration.
    func duration(_ name: String, default fallback: Duration) throws(ConfigurationError) -> Duration {
        guard let text = text(name) else { return fallback }
        guard let value = Quantity.duration(text) else {
            throw ConfigurationError(name, text, "a duration such as 500ms, 30s, 15m, 1h or 7d")
        }
        return value
    }

    /// A size in bytes.
    func bytes(_ name: String, default fallback: Int) throws(ConfigurationError) -> Int {
        guard let text = text(name) else { return fallback }
        guard let value = Quantity.bytes(text) else {
            throw ConfigurationError(name, text, "a size such as 64KiB, 10MiB or 1GiB")
        }
        return value
    }
}

/// A setting that can't be used: which, and what would be right.
struct ConfigurationError: Error, CustomStringConvertible {
    let description: String

    init(_ name: String, _ value: String, _ wanted: String) {
        description = "\(name)='\(value)' can't be used: give \(wanted)"
    }

    init(missing name: String, _ purpose: String) {
        description = "\(name) is not set: \(purpose)"
    }

    init(_ description: String) {
        self.description = description
    }
}
