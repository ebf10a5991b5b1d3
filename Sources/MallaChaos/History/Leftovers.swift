// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// What is left when all of a run's tasks have ended and its faults are healed.
struct Leftovers: Sendable, Hashable {
    /// Messages in RabbitMQ, ready or held, by queue.
    var messages: [String: Int] = [:]
    /// Processes that belong to the mesh and to none of its living roles: pid and command.
    var orphans: [String] = []
    /// Roles that ended although nobody told them to.
    var crashes: [String] = []
    /// Connections, by server, beyond what the roles hold at rest.
    var connections: [String] = []
    /// Open files of roles beyond what they hold at rest.
    var descriptors: [String] = []
    /// Temporary files and folders of workers that are gone.
    var files: [String] = []
    /// Objects in S3 that are not whole: parts and temporary names.
    var objects: [String] = []
}
