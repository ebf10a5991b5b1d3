// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// A server that the mesh uses, by its name in `scripts/servers.sh`.
enum Server: String, Sendable, Hashable, CaseIterable {
    case rabbit
    case redis
    case postgres
    case s3
}
