// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import HTTPTransfer
import Hummingbird
import Plumbing
import Workflow

/// Shows whether the providers that services name answer; never a secret.
struct ProviderRoutes: Sendable {
    private let answers: Freshness<[JSON]>

    /// How long a provider may take, and how old an answer may be.
    private static let limits = (answer: Duration.seconds(3), age: Duration.seconds(10))

    init(settings: ServiceSettings, http: any HTTPTransferring) {
        let providers = Self.providers(of: settings)
        answers = Freshness(age: Self.limits.age) {
            await withTaskGroup(of: (Int, JSON).self) { group in
                for (index, entry) in providers.enumerated() {
                    group.addTask { (index, await Self.ask(entry.provider, entry.services, http)) }
                }
                return await group.reduce(into: []) { $0.append($1) }.sorted { $0.0 < $1.0 }.map(\.1)
            }
        }
    }

    var routes: [APIRoute] {
        [
            APIRoute(
                method: .get,
                path: "/api/v1/providers/status",
                tag: "infrastructure",
                summary: "Says of each configured provider whether it answers, how fast, and which models it has.",
                answers: [.init(status: .ok, text: "One entry a provider.", schema: JobSchemas.providers)],
                handle: { _, _ in .json(["providers": .array(await answers.value)]) }
            )
        ]
    }

    /// The providers with the services that name them, in the order of the services' names.
    private static func providers(of settings: ServiceSettings) -> [(provider: Provider, services: [String])] {
        var found: [(provider: Provider, services: [String])] = []
        for service in settings.services.values.sorted(by: { $0.name < $1.name }) {
            for provider in service.engine.providers {
                let provider = provider.expanded(in: settings.environment)
                if let index = found.firstIndex(where: { $0.provider == provider }) {
                    found[index].services.append(service.name)
                } else {
                    found.append((provider, [service.name]))
                }
            }
        }
        return found
    }

    private static func ask(_ provider: Provider, _ services: [String], _ http: any HTTPTransferring) async -> JSON {
        var json: JSON = [
            "name": .string(provider.name), "kind": provider.kind.map { .string($0) } ?? .null,
            "services": .array(services.map { .string($0) }),
            "model": provider.model.map { .string($0) } ?? .null, "configured": .bool(provider.isConfigured),
            "reachable": false, "latency_ms": nil, "models": nil, "error": nil,
        ]
        guard provider.isConfigured else { return json }
        let began = ContinuousClock.now
        let headers = provider.key.map { [("authorization", "Bearer \($0)")] } ?? []
        do throws(TransferError) {
            let request = TransferRequest("GET", models(at: provider.url), headers: headers, timeout: limits.answer)
            let response = try await http.send(request)
            let latency = Int((ContinuousClock.now - began).wholeMilliseconds)
            json = json.adding("reachable", true).adding("latency_ms", .number(JSONNumber(latency)))
            if response.head.status == 401 || response.head.status == 403 {
                json = json.adding("error", .string("it refuses the key: HTTP \(response.head.status)"))
            } else if let models = names(in: response.body) {
                json = json.adding("models", .array(models))
            }
            return json
        } catch {
            return json.adding("error", .string(secretless(error.reason, provider)))
        }
    }

    /// Where an OpenAI-compatible server lists its models; any other answers there as well, if only with 404.
    private static func models(at url: String) -> String {
        var base = url
        while base.hasSuffix("/") { base.removeLast() }
        for end in ["/chat/completions", "/audio/transcriptions"] where base.hasSuffix(end) {
            base.removeLast(end.count)
        }
        return base + (base.hasSuffix("/v1") ? "/models" : "/v1/models")
    }

    private static func names(in body: [UInt8]) -> [JSON]? {
        guard let json = try? JSON(parsing: body), let list = json["data"]?.array else { return nil }
        return list.prefix(200).compactMap { $0["id"]?.string.map { .string($0) } }
    }

    /// A reason that names neither the key nor an address with a password in it.
    private static func secretless(_ reason: String, _ provider: Provider) -> String {
        let secrets = [provider.key, provider.url.contains("@") ? provider.url : nil].compactMap(\.self)
        return secrets.reduce(reason) { $1.isEmpty ? $0 : $0.split(separator: $1).joined(separator: "…") }
    }
}
