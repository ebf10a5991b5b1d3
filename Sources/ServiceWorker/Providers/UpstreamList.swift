// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import Workflow

/// The upstreams of a service in the order in which they are tried.
struct UpstreamList: Sendable {
    /// One place of the order.
    enum Place: Sendable {
        case upstream(Upstream)
        /// A provider without an address, and the variables that would give it one.
        case unset(name: String, model: String?, variables: [String])
    }

    let places: [Place]
    private let service: String

    /// Reads the variables of providers.
    ///
    /// - Throws: `JobError` when an address or a time limit can't be used.
    init(
        _ providers: [Provider],
        service: String,
        environment: [String: String],
        timeout: Duration
    ) throws(JobError) {
        self.service = service
        var places: [Place] = []
        for provider in providers {
            let known = provider.expanded(in: environment)
            if known.isConfigured {
                places.append(.upstream(try Upstream(known, timeout: timeout)))
            } else {
                places.append(
                    .unset(name: known.name, model: known.model, variables: provider.addressVariables)
                )
            }
        }
        self.places = places
    }

    /// Those that can be called.
    var upstreams: [Upstream] {
        places.compactMap { place in
            guard case .upstream(let upstream) = place else { return nil }
            return upstream
        }
    }

    /// Why no job can run here; nil when at least one can be called.
    var fault: JobError? {
        guard upstreams.isEmpty else { return nil }
        let variables = places.flatMap { place -> [String] in
            guard case .unset(_, _, let variables) = place else { return [] }
            return variables
        }
        let cure = variables.isEmpty ? "give one a base_url" : "set " + variables.joined(separator: " or ")
        return JobError(
            .provider,
            "no provider of '\(service)' is configured: \(cure) where its worker runs",
            isFinal: true
        )
    }
}
