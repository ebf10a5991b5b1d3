// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Foundation
import MallaTestKit

/// What a mesh under test is made of on this machine.
enum InstalledServers {
    /// Whether the servers can be started here; without them the build fails where there must be servers.
    static let all =
        TestServers.isCI
        || ["/usr/lib/rabbitmq/lib", "/usr/lib/postgresql", "/usr/bin/redis-server"].allSatisfy {
            FileManager.default.fileExists(atPath: $0)
        }
}
