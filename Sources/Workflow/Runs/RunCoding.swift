// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Plumbing

extension Run {
    /// The run as a ledger stores it: 2 bytes, then 29 bytes a stage, big-endian.
    public var encoded: [UInt8] {
        var bytes: [UInt8] = [Self.version, state.code]
        bytes.reserveCapacity(2 + stages.count * Self.stageSize)
        for stage in stages {
            bytes.append(stage.status.code)
            for count in [stage.total, stage.succeeded, stage.failed] {
                bytes.append(bigEndian: UInt32(clamping: count))
            }
            bytes.append(bigEndian: UInt64(bitPattern: stage.startedAt?.microseconds ?? Self.noMoment))
            bytes.append(bigEndian: UInt64(bitPattern: stage.finishedAt?.microseconds ?? Self.noMoment))
        }
        return bytes
    }

    /// Reads a run back.
    ///
    /// - Throws: ``EnvelopeError`` when the bytes are not a run.
    public init(encoded bytes: [UInt8]) throws(EnvelopeError) {
        guard bytes.count >= 2, bytes[0] == Self.version, (bytes.count - 2) % Self.stageSize == 0,
            let state = State(code: bytes[1])
        else { throw EnvelopeError("these \(bytes.count) bytes are not a run") }
        self.init(stageCount: (bytes.count - 2) / Self.stageSize)
        self.state = state
        for index in stages.indices {
            let start = 2 + index * Self.stageSize
            guard let status = StageStatus(code: bytes[start]) else { throw EnvelopeError("unknown stage status") }
            stages[index].status = status
            stages[index].total = Int(bytes.bigEndian(at: start + 1, size: 4))
            stages[index].succeeded = Int(bytes.bigEndian(at: start + 5, size: 4))
            stages[index].failed = Int(bytes.bigEndian(at: start + 9, size: 4))
            stages[index].startedAt = Self.moment(bytes.bigEndian(at: start + 13, size: 8))
            stages[index].finishedAt = Self.moment(bytes.bigEndian(at: start + 21, size: 8))
        }
    }

    private static let version: UInt8 = 1
    private static let stageSize = 29
    private static let noMoment = Int64.min

    private static func moment(_ bits: UInt64) -> Timestamp? {
        let microseconds = Int64(bitPattern: bits)
        return microseconds == noMoment ? nil : Timestamp(microseconds: microseconds)
    }
}

extension Run.State {
    private static let codes: [Run.State] = [.running, .succeeded, .failed, .cancelled, .timedOut]

    fileprivate var code: UInt8 { UInt8(Self.codes.firstIndex(of: self) ?? 0) }

    fileprivate init?(code: UInt8) {
        guard Self.codes.indices.contains(Int(code)) else { return nil }
        self = Self.codes[Int(code)]
    }
}

extension Run.StageStatus {
    private static let codes: [Run.StageStatus] = [.pending, .running, .succeeded, .failed, .skipped, .cancelled]

    fileprivate var code: UInt8 { UInt8(Self.codes.firstIndex(of: self) ?? 0) }

    fileprivate init?(code: UInt8) {
        guard Self.codes.indices.contains(Int(code)) else { return nil }
        self = Self.codes[Int(code)]
    }
}

extension [UInt8] {
    fileprivate mutating func append(bigEndian value: some FixedWidthInteger & UnsignedInteger) {
        for shift in stride(from: value.bitWidth - 8, through: 0, by: -8) {
            append(UInt8(truncatingIfNeeded: value >> shift))
        }
    }

    fileprivate func bigEndian(at start: Int, size: Int) -> UInt64 {
        self[start..<(start + size)].reduce(0) { $0 << 8 | UInt64($1) }
    }
}
