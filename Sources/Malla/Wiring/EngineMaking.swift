// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Logging
import ServiceWorker
import Workflow

/// Makes the engines of a worker's services.
struct EngineMaking {
    let parts: any MeshParts
    let settings: ProcessEngineSettings
    let logger: Logger

    /// An engine by the name of each service; none for services whose workers are elsewhere.
    ///
    /// - Throws: ``ConfigurationError`` when a definition names a native handler that this binary does not have, or a
    ///   provider can't be used.
    func engines(of services: [ServiceDefinition]) throws -> [String: any Engine] {
        let handlers = NativeHandlers(ledger: parts.ledger, media: parts.media)
        var engines: [String: any Engine] = [:]
        for service in services {
            do throws(JobError) {
                engines[service.name] = try engine(of: service, handlers)
            } catch {
                throw ConfigurationError("service '\(service.name)': \(error.message)")
            }
        }
        return engines
    }

    private func engine(of service: ServiceDefinition, _ handlers: NativeHandlers) throws(JobError) -> (any Engine)? {
        switch service.engine {
        case .native(let name, let options):
            return NativeEngine(
                handler: try handlers.make(name, options: options),
                concurrency: service.concurrency,
                media: parts.media,
                ledger: parts.ledger
            )
        case .process:
            return ProcessEngine(service, media: parts.media, settings: settings, logger: logger)
        case .openai(let providers, let options):
            return try OpenAIEngine(
                service,
                providers: providers,
                options: options,
                environment: settings.environment,
                http: parts.trustedHTTP
            )
        case .http(let providers, let options):
            return try HTTPEngine(
                service,
                providers: providers,
                options: options,
                environment: settings.environment,
                http: parts.trustedHTTP
            )
        case .transcription(let providers, let options):
            return try TranscriptionEngine(
                service,
                providers: providers,
                options: options,
                environment: settings.environment,
                http: parts.trustedHTTP,
                guarded: parts.guardedHTTP,
                media: parts.media
            )
        case .remote:
            return nil
        }
    }
}
