// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import AppAPI
import ServiceAPI
import Workflow

/// Hands jobs over to the Service API of the same process.
struct DirectHandOver: JobHandOver {
    let admission: Admission

    func place(of service: String) -> String { "here" }

    func handOver(
        _ handOver: HandOver,
        to place: String
    ) async throws(HandOverFailure) -> HandOver.Answer {
        HandOver.Answer(refused: admission.take(handOver))
    }
}
