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

    /// An engine by the name of each service.
    ///
    /// - Throws: ``ConfigurationError`` when a definition names a native handler that this binary does not have.
    func engines(of services: [ServiceDefinition]) throws -> [String: any Engine] {
        let handlers = NativeHandlers(ledger: parts.ledger, media: parts.media)
        var engines: [String: any Engine] = [:]
        for service in services {
            switch service.engine {
            case .native(let name, let options):
                do {
                    let handler = try handlers.make(name, options: options)
                    engines[service.name] = NativeEngine(
                        handler: handler,
                        concurrency: service.concurrency,
                        media: parts.media,
                        ledger: parts.ledger
                    )
                } catch {
                    throw ConfigurationError("service '\(service.name)': \(error.message)")
                }
            case .process:
                engines[service.name] = ProcessEngine(
                    service,
                    media: parts.media,
                    settings: settings,
                    logger: logger
                )
            }
        }
        return engines
    }
}
