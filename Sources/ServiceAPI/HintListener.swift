// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import ResultStore
import ServiceLifecycle

/// Passes on what other processes tell: jobs that ended, services that have jobs waiting, leases that were cancelled.
struct HintListener: Service {
    let desk: JobDesk
    let workers: RunPodWorkerRoutes

    /// Listens until a graceful shutdown.
    func run() async throws {
        await cancelWhenGracefulShutdown {
            for await hint in desk.parts.results.hints() {
                switch hint {
                case .ended(let jobs): desk.ends.ended(jobs)
                case .waiting(let service): desk.bell.ring(service, isOurs: false)
                case .cancelled(let leases): workers.cancelled(leases)
                }
            }
        }
    }
}
