// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import AppAPI
import Callbacks
import Fairness
import Foundation
import Glibc
import Plumbing
import ServiceAPI
import ServiceWorker
import Workflow

extension MeshConfiguration {
    /// The settings of the App API.
    ///
    /// - Parameters:
    ///   - secrets: tokens that stand in for those that the environment does not give.
    ///   - tokens: the file whose tokens go before all others.
    func appSettings(secrets: [String: String] = [:], tokens file: TokensFile?) throws -> AppSettings {
        var settings = AppSettings()
        settings.apiVersion = text("API_VERSION", default: settings.apiVersion)
        settings.apiName = text("API_NAME", default: settings.apiName)
        settings.tokens = tokens("MARKETPLACE_TOKEN", secrets)
        settings.tokensFile = file
        guard !settings.tokens.isEmpty || file?.entries(.marketplace) != nil else {
            throw ConfigurationError(missing: "MARKETPLACE_TOKEN", "the token that clients send as x-marketplace-token")
        }
        settings.callbackURL = text("MARKETPLACE_CALLBACK")
        settings.callbackSecrets = try callbackSecrets(secrets)
        settings.callbackTokenOrigins = list("CALLBACK_TOKEN_ORIGINS")
        let retries = list("CALLBACK_RETRIES").compactMap(Quantity.duration)
        settings.callbackRetries = retries.isEmpty ? nil : retries
        settings.callbackTimeout = try duration("CALLBACK_TIMEOUT", default: settings.callbackTimeout)
        settings.maxBody = try bytes("MAX_BODY", default: settings.maxBody)
        settings.resultTTL = try duration("RESULT_TTL", default: settings.resultTTL)
        settings.patience = try duration("OVERLOAD_WAIT", default: settings.patience)
        settings.retention = try retention()
        return settings
    }

    /// The settings of the Service API for these services.
    func serviceSettings(
        _ services: [String: ServiceDefinition],
        known: [String: ServiceDefinition],
        secrets: [String: String] = [:],
        tokens file: TokensFile?
    ) throws -> ServiceSettings {
        var settings = ServiceSettings(
            services: services,
            meshTokens: tokens("MESH_TOKEN", secrets),
            serviceTokens: tokens("AI_SERVICE_TOKEN", secrets),
            maxBody: try bytes("MAX_BODY", default: 10 << 20)
        )
        settings.tokensFile = file
        settings.known = known
        settings.leaseDuration = try duration("WORKER_LEASE_TIMEOUT", default: settings.leaseDuration)
        settings.runPodLease = try duration("RUNPOD_LEASE", default: settings.runPodLease)
        settings.resultTimeToLive = try duration("RESULT_TTL", default: settings.resultTimeToLive)
        settings.retention = try retention()
        settings.infrastructure = try infrastructure()
        settings.environment = ProcessInfo.processInfo.environment
        return settings
    }

    /// The limits and weights of users and tokens; nil without a file.
    func limits() throws(ConfigurationError) -> LimitsFile? {
        guard let path = text("LIMITS_FILE") else { return nil }
        do {
            return try LimitsFile(path: path)
        } catch {
            throw ConfigurationError(error.description)
        }
    }

    /// How the webhooks of direct jobs are sent: signed, without the token, which is the marketplace's.
    func webhookSettings(secrets: [String: String] = [:]) throws -> CallbackSettings {
        CallbackSettings(secrets: try callbackSecrets(secrets))
    }

    /// The sidecars of `/infra/status`.
    func infrastructure() throws(ConfigurationError) -> [(name: String, url: String)] {
        try list("INFRA_STATUS_URLS").map { entry throws(ConfigurationError) in
            let named = Self.named(entry)
            if Setting(name: "INFRA_STATUS_URLS", kind: .webURL).fault(named.url) != nil {
                throw ConfigurationError("INFRA_STATUS_URLS", entry, "URLs, each alone or as name=URL")
            }
            return named
        }
    }

    /// `name=URL`, or a URL whose host is its name then.
    private static func named(_ entry: String) -> (name: String, url: String) {
        let parts = entry.split(separator: "=", maxSplits: 1)
        if parts.count == 2, !parts[0].contains(":") { return (String(parts[0]), String(parts[1])) }
        return (URL(string: entry)?.host ?? entry, entry)
    }

    private func callbackSecrets(_ secrets: [String: String]) throws -> [WebhookSecret] {
        try tokens("CALLBACK_SECRET", secrets).map { secret in
            guard let parsed = WebhookSecret(secret) else {
                throw ConfigurationError("CALLBACK_SECRET can't be used: give whsec_ and base64 of at least 16 bytes")
            }
            return parsed
        }
    }

    /// The settings of a worker for these services.
    func workerSettings(_ services: [String: ServiceDefinition]) throws -> WorkerSettings {
        var settings = WorkerSettings(
            name: text("WORKER_ID", default: Self.hostName),
            services: services.values.sorted { $0.name < $1.name }
        )
        settings.drainTimeout = try duration("DRAIN_TIMEOUT", default: settings.drainTimeout)
        settings.resultTimeToLive = try duration("RESULT_TTL", default: settings.resultTimeToLive)
        return settings
    }

    /// The settings of the process engine on this machine.
    func engineSettings() -> ProcessEngineSettings {
        // Handlers run in their definitions' folders.
        let given = text("MALLA_PYTHON").map { $0.contains("/") ? absolute($0) : $0 }
        let python = given ?? text("VIRTUAL_ENV").map { "\($0)/bin/python3" } ?? Self.virtualPython()
        return ProcessEngineSettings(
            python: python,
            modules: absolute(DefinitionFolders.shipped("python")),
            environment: ProcessInfo.processInfo.environment,
            gpus: Self.gpus()
        )
    }

    private func retention() throws -> Duration? {
        let days = try int("RETENTION_DAYS", default: 30)
        return days > 0 ? .seconds(days * 86400) : nil
    }

    private func tokens(_ name: String, _ secrets: [String: String]) -> [String] {
        let given = list(name)
        return given.isEmpty ? secrets[name].map { [$0] } ?? [] : given
    }

    private func absolute(_ path: String) -> String {
        URL(fileURLWithPath: path).standardizedFileURL.path
    }

    /// The Python of the environment that `make` sets up beside the definitions, when it is there.
    private static func virtualPython() -> String? {
        let python = URL(fileURLWithPath: DefinitionFolders.shipped(".venv")).standardizedFileURL.path + "/bin/python3"
        return FileManager.default.isExecutableFile(atPath: python) ? python : nil
    }

    private static var hostName: String {
        var name = [CChar](repeating: 0, count: 256)
        guard gethostname(&name, name.count - 1) == 0 else { return "worker" }
        return String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// The numbers of this machine's NVIDIA GPUs, from their device files.
    private static func gpus() -> [Int] {
        let devices = (try? FileManager.default.contentsOfDirectory(atPath: "/dev")) ?? []
        return devices.compactMap { $0.hasPrefix("nvidia") ? Int($0.dropFirst(6)) : nil }.sorted()
    }
}
