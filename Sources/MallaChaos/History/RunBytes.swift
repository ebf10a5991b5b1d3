// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import Workflow

/// A run as the ledger stores it, read with nothing of the mesh's own: 2 bytes, of which the first is the format's
/// number, 1, then 29 bytes a stage: its status, three counts of 4 bytes, and two times of 8; all big-endian.
enum RunBytes {
    private static let header = 2
    private static let stageSize = 29
    private static let statuses = ["pending", "running", "succeeded", "failed", "skipped", "cancelled"]

    /// The stages, each with `status`, `total`, `succeeded` and `failed`; nil when the bytes are not a run.
    static func stages(in bytes: [UInt8]) -> [JSON]? {
        guard bytes.count >= header, bytes[0] == 1, (bytes.count - header) % stageSize == 0 else { return nil }
        var stages: [JSON] = []
        for start in stride(from: header, to: bytes.count, by: stageSize) {
            guard statuses.indices.contains(Int(bytes[start])) else { return nil }
            func count(_ offset: Int) -> JSON {
                let digits = bytes[(start + offset)..<(start + offset + 4)]
                return .number(JSONNumber(digits.reduce(0) { $0 << 8 | Int($1) }))
            }
            stages.append([
                "status": .string(statuses[Int(bytes[start])]), "total": count(1), "succeeded": count(5),
                "failed": count(9),
            ])
        }
        return stages
    }
}
