// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

public import Ledger
public import Workflow

extension WorkerRecord {
    /// How many jobs of a service it can run at once; a worker tells only the slots of all its services together, so for
    /// one of several it is what the definition says, at most.
    public func slots(of service: String, _ definition: ServiceDefinition?) -> Int {
        guard beat.services.count > 1, let definition else { return beat.slots }
        return min(beat.slots, definition.slots)
    }
}

extension ServiceDefinition {
    /// The slots that one worker has for this service.
    fileprivate var slots: Int {
        guard case .process = engine else { return concurrency }
        switch gpus {
        case .listed(let numbers): return concurrency * max(1, numbers.count)
        // How many GPUs a worker has is not known here.
        case .all, .none: return concurrency * processes
        }
    }
}
