// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Plumbing
import Workflow

/// Turns submissions into jobs: finds the service, opens envelopes, writes the labels.
struct RunPodClientJob: Sendable {
    let services: [String: ServiceDefinition]
    /// The moment by the ledger's clock.
    let now: Timestamp

    /// RunPod never runs a failed handler again by itself.
    static let maxAttempts = 1

    /// The job of a submission at an endpoint.
    ///
    /// - Throws: ``Problem``: 404 for an unknown endpoint, 422 for an envelope that is wrong.
    func make(_ submission: RunPodSubmission, at endpoint: String) throws(Problem) -> NewJob {
        var labels = JobLabels()
        labels.webhook = submission.webhook
        labels.timeToLive = submission.timeToLive
        labels.storage = submission.storage
        labels.priority = submission.isLowPriority ? RunPodSubmission.lowPriority : 0
        let choice = ModuleChoice(services: services)
        let service: ServiceDefinition
        let input: JSON
        if let envelope = try envelope(in: submission.input, at: endpoint, choice) {
            service = try choice.service(for: envelope, at: endpoint)
            input = envelope.form(for: service)
            labels.envelope = envelope.kind
            labels.ownerService = envelope.system
        } else {
            service = try ServiceChoice(services: services).service(named: endpoint)
            input = submission.input
        }
        // As if it had been asked for by type: whoever claims by type finds it.
        labels.taskType = service.takes.first?.taskType ?? service.name
        labels.modelProfile = service.takes.first?.modelProfile
        return NewJob(
            service: service,
            input: input,
            labels: labels,
            maxAttempts: Self.maxAttempts,
            timeout: submission.executionTimeout,
            deadline: now + submission.timeToLive
        )
    }

    private func envelope(
        in input: JSON,
        at endpoint: String,
        _ choice: ModuleChoice
    ) throws(Problem) -> InputEnvelope? {
        if let contract = try InputEnvelope(contractIn: input) { return contract }
        return choice.looksForGrace(at: endpoint) ? InputEnvelope(graceIn: input) : nil
    }
}
