// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// The keys of log metadata, the same everywhere, dotted like OpenTelemetry's.
public enum LogKey {
    /// The task's id.
    public static let task = "malla.task.id"
    /// The job's id.
    public static let job = "malla.job.id"
    /// The lease's id.
    public static let lease = "malla.lease.id"
    /// The attempt's number, from 1.
    public static let attempt = "malla.attempt"
    /// The app's name.
    public static let app = "malla.app"
    /// The stage's name.
    public static let stage = "malla.stage"
    /// The service's name.
    public static let service = "malla.service"
    /// The worker's id.
    public static let worker = "malla.worker.id"
    /// The callback's id.
    public static let callback = "malla.callback.id"
    /// The user's id.
    public static let user = "malla.user.id"
    /// The caller's id of the request.
    public static let request = "malla.request.id"
    /// The W3C trace id.
    public static let trace = "trace.id"
    /// The error, in words.
    public static let error = "error"
    /// How many things a message is about.
    public static let count = "count"
    /// The queue's name.
    public static let queue = "messaging.destination.name"
    /// The server's address.
    public static let server = "server.address"
    /// How long something took or will take, with its unit.
    public static let duration = "duration"
    /// The process id of a handler.
    public static let process = "process.pid"
    /// A path in the file system.
    public static let file = "file.path"
}
