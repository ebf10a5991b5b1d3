// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Ledger
import Plumbing

extension CallbackRecord {
    /// Callbacks to one receiver, each with a body of so many bytes.
    static func several(
        _ count: Int,
        to host: String = "good",
        bytes: Int = 2,
        dueAt: Timestamp = .now + CallbackRecord.hold
    ) -> [CallbackRecord] {
        let body = [UInt8](repeating: UInt8(ascii: " "), count: bytes)
        return (0..<count).map { _ in
            CallbackRecord(
                id: MeshID(),
                task: MeshID(),
                app: "shop",
                url: "http://\(host).example/hook",
                isTrusted: false,
                headers: [],
                body: body,
                dueAt: dueAt,
                createdAt: .now
            )
        }
    }
}
