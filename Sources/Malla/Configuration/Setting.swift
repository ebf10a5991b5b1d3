// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Callbacks
import Foundation
import Plumbing

/// A variable whose value can be wrong, and what makes it right.
///
/// All are checked before a role connects to anything: an operator gets every mistake at once, with its name.
struct Setting: Sendable {
    /// What a value must be.
    enum Kind: Sendable {
        /// A port to listen on; 0 lets the system choose.
        case listeningPort
        /// A port of another server.
        case port
        case count(ClosedRange<Int>)
        case flag
        case duration(atLeast: Duration)
        /// Durations, comma-separated.
        case durations
        case size(ClosedRange<Int>)
        case choice([String])
        /// Absolute http or https URLs, comma-separated.
        case webURLs
        /// One absolute http or https URL.
        case webURL
        /// `name=URL`, comma-separated.
        case namedURLs
        /// A file that can be read.
        case file
        /// A program, by its path or by a name that is on the `PATH`.
        case program
        /// Secrets that sign callbacks, comma-separated.
        case webhookSecrets
        /// The address of a server with one of these schemes; it may hold a password, so it is never printed.
        case server([String])
    }

    let name: String
    let kind: Kind

    /// The variables that are checked.
    static let all: [Setting] = [
        Setting(name: "APP_API_PORT", kind: .listeningPort),
        Setting(name: "HTTP_PORT", kind: .listeningPort),
        Setting(name: "WORKER_HTTP_PORT", kind: .listeningPort),
        Setting(name: "POSTGRES_PORT", kind: .port),
        Setting(name: "DATABASE_URL", kind: .server(["postgresql", "postgres"])),
        Setting(name: "MIGRATE_ON_START", kind: .flag),
        Setting(name: "RETENTION_DAYS", kind: .count(0...36_500)),
        Setting(name: "S3_ENDPOINT", kind: .webURL),
        Setting(name: "S3_PUBLIC_ENDPOINT", kind: .webURL),
        Setting(name: "S3_PATH_STYLE", kind: .flag),
        Setting(name: "RABBITMQ_PORT", kind: .port),
        Setting(name: "RABBITMQ_TLS", kind: .flag),
        Setting(name: "RABBITMQ_CA_FILE", kind: .file),
        Setting(name: "RABBITMQ_QUEUE_TYPE", kind: .choice(["classic", "quorum"])),
        Setting(name: "AMQP_URL", kind: .server(["amqp", "amqps"])),
        Setting(name: "REDIS_PORT", kind: .port),
        Setting(name: "REDIS_DB_NAME", kind: .count(0...65_535)),
        Setting(name: "REDIS_URL", kind: .server(["redis"])),
        Setting(name: "RESULT_TTL", kind: .duration(atLeast: .seconds(1))),
        Setting(name: "WORKER_LEASE_TIMEOUT", kind: .duration(atLeast: .seconds(1))),
        Setting(name: "RUNPOD_LEASE", kind: .duration(atLeast: .seconds(5))),
        Setting(name: "MARKETPLACE_CALLBACK", kind: .webURL),
        Setting(name: "CALLBACK_TOKEN_ORIGINS", kind: .webURLs),
        Setting(name: "CALLBACK_RETRIES", kind: .durations),
        Setting(name: "CALLBACK_SECRET", kind: .webhookSecrets),
        Setting(name: "CALLBACK_TIMEOUT", kind: .duration(atLeast: .milliseconds(100))),
        Setting(name: "OVERLOAD_WAIT", kind: .duration(atLeast: .zero)),
        Setting(name: "CLIENT_TIMEOUT", kind: .duration(atLeast: .milliseconds(500))),
        Setting(name: "MAX_CONNECTIONS", kind: .count(1...1_000_000)),
        Setting(name: "MAX_BODY", kind: .size(1024...(1 << 30))),
        Setting(name: "SERVICE_API_URL", kind: .webURL),
        Setting(name: "SERVICE_API_URLS", kind: .namedURLs),
        Setting(name: "DRAIN_TIMEOUT", kind: .duration(atLeast: .zero)),
        Setting(name: "LIMITS_FILE", kind: .file),
        Setting(name: "TOKENS_FILE", kind: .file),
        Setting(name: "LLM_BASE_URL", kind: .webURL),
        Setting(name: "LLM_TIMEOUT", kind: .duration(atLeast: .seconds(1))),
        Setting(name: "WHISPERX_URL", kind: .webURL),
        Setting(name: "WHISPERX_TIMEOUT", kind: .duration(atLeast: .seconds(1))),
        Setting(name: "QWEN_AUDIO_BASE_URL", kind: .webURL),
        Setting(name: "VOXTRAL_BASE_URL", kind: .webURL),
        Setting(name: "AUDIO_LLM_TIMEOUT", kind: .duration(atLeast: .seconds(1))),
        Setting(name: "AUDIO_LLM_MAX_TOKENS", kind: .count(1...10_000_000)),
        Setting(name: "TRANSCRIPTION_COMPARE", kind: .flag),
        Setting(name: "LOG_FORMAT", kind: .choice(["json", "text"])),
    ]

    /// What only roles look at that start handlers.
    static let ofHandlers = [Setting(name: "MALLA_PYTHON", kind: .program)]

    /// The variables whose values are never printed or logged.
    static let secrets: Set<String> = [
        "DATABASE_URL", "POSTGRES_PASSWORD", "AMQP_URL", "RABBITMQ_PASS", "REDIS_URL", "REDIS_PASSWORD",
        "AWS_ACCESS_KEY", "AWS_SECRET_KEY", "AWS_SESSION_TOKEN", "MARKETPLACE_TOKEN", "CALLBACK_SECRET",
        "AI_SERVICE_TOKEN", "MESH_TOKEN", "LLM_API_KEY", "QWEN_AUDIO_API_KEY", "VOXTRAL_API_KEY", "AUDIO_LLM_API_KEY",
        "WHISPERX_API_KEY", "MARKETPLACE_CALLBACK",
    ]

    /// What would be right, when this value is not; nil when it is.
    func fault(_ value: String) -> String? {
        switch kind {
        case .listeningPort: return Int(value).map { (0...65535).contains($0) } == true ? nil : "a port from 0 to 65535"
        case .port: return Int(value).map { (1...65535).contains($0) } == true ? nil : "a port from 1 to 65535"
        case .count(let range):
            let isGood = Int(value).map(range.contains) == true
            return isGood ? nil : "a whole number from \(range.lowerBound) to \(range.upperBound)"
        case .flag:
            let words = ["true", "1", "yes", "on", "false", "0", "no", "off"]
            return words.contains(value.lowercased()) ? nil : "true or false"
        case .duration(let least):
            let isGood = Quantity.duration(value).map { $0 >= least } == true
            let bound = least > .zero ? " of at least \(Quantity.text(least))" : ""
            return isGood ? nil : "a duration such as 500ms, 30s, 15m, 1h or 7d\(bound)"
        case .durations:
            let isGood = Self.parts(value).allSatisfy { Quantity.duration($0) != nil }
            return isGood ? nil : "durations such as 0s,5s,5m, separated by commas"
        case .size(let range):
            let isGood = Quantity.bytes(value).map(range.contains) == true
            return isGood ? nil : "a size from 1KiB to 1GiB, such as 64KiB or 10MiB"
        case .choice(let words): return words.contains(value) ? nil : words.joined(separator: " or ")
        case .webURL: return Self.isWebURL(value) ? nil : "an absolute URL such as http://host:8080"
        case .webURLs:
            let isGood = Self.parts(value).allSatisfy(Self.isWebURL)
            return isGood ? nil : "absolute URLs such as https://host, separated by commas"
        case .namedURLs:
            let isGood = Self.parts(value).allSatisfy { entry in
                let pair = entry.split(separator: "=", maxSplits: 1)
                return pair.count == 2 && Self.isWebURL(String(pair[1]))
            }
            return isGood ? nil : "name=URL pairs such as detect=http://host:8080, separated by commas"
        case .program: return Self.isProgram(value) ? nil : "a program that is here, by its path or its name"
        case .webhookSecrets:
            let isGood = Self.parts(value).allSatisfy { WebhookSecret($0) != nil }
            return isGood ? nil : "whsec_ and base64 of at least 16 bytes; several are separated by commas"
        case .file: return FileManager.default.isReadableFile(atPath: value) ? nil : "a file that can be read"
        case .server(let schemes): return Self.serverFault(value, schemes)
        }
    }

    private static func parts(_ value: String) -> [String] {
        value.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }.filter { !$0.isEmpty }
    }

    /// Whether a program can be run from here, by its path or by a name that is on the `PATH` or in the folder before it.
    static func isProgram(_ name: String, beside folder: String? = nil) -> Bool {
        let paths = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/local/bin:/usr/bin:/bin"
        let folders = (folder.map { [$0] } ?? []) + paths.split(separator: ":").map { String($0) }
        let places = name.contains("/") ? [name] : folders.map { "\($0)/\(name)" }
        return places.contains { path in
            var isFolder: ObjCBool = false
            return FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) && !isFolder.boolValue
                && FileManager.default.isExecutableFile(atPath: path)
        }
    }

    private static func isWebURL(_ value: String) -> Bool {
        guard let url = URLComponents(string: value), let scheme = url.scheme, let host = url.host else { return false }
        return ["http", "https"].contains(scheme.lowercased()) && !host.isEmpty
            && url.port.map { (1...65535).contains($0) } != false
    }

    /// Looks at the scheme and the ports alone: a password may hold what is no URL by the letter, and libpq takes it.
    private static func serverFault(_ value: String, _ schemes: [String]) -> String? {
        let form = "\(schemes[0])://user:password@host:port/\(schemes[0] == "redis" ? "0" : "name")"
        guard let scheme = schemes.first(where: { value.hasPrefix("\($0)://") }) else { return form }
        let authority = value.dropFirst(scheme.count + 3).prefix { $0 != "/" && $0 != "?" }
        let hosts = authority.split(separator: "@", omittingEmptySubsequences: false).last ?? ""
        for host in hosts.split(separator: ",") {
            let name = host.hasPrefix("[") ? host.drop { $0 != "]" } : host
            guard let colon = name.firstIndex(of: ":") else { continue }
            let port = name[name.index(after: colon)...]
            guard port.isEmpty || Int(port).map({ (1...65535).contains($0) }) == true else {
                return "\(form), the port from 1 to 65535"
            }
        }
        return nil
    }
}
