// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// The names of the mesh's queues.
public enum QueueName {
    /// The tickets of a service.
    public static func tickets(service: String) -> String { "malla.tickets.\(service)" }

    /// The completions of an app's jobs, read by its App APIs.
    public static func completions(app: String) -> String { appCompletions + app }

    /// Whether a queue is one of an app's completions.
    public static func isOfApp(_ queue: String) -> Bool { queue.hasPrefix(appCompletions) }

    private static let appCompletions = "malla.completions.app."

    /// The completions of a service's direct jobs, read by its Service APIs.
    public static func completions(service: String) -> String { "malla.completions.service.\(service)" }

    /// The jobs that App APIs assign to one worker, named by its id.
    public static func assignments(worker: String) -> String { "malla.assignments.\(worker)" }

    /// The queue that a job's completion goes to.
    public static func completions(of job: Job) -> String {
        job.app.map { completions(app: $0) } ?? completions(service: job.service)
    }
}
