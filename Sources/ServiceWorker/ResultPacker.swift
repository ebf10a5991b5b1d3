// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import MediaStore
internal import Plumbing
internal import Workflow

/// Makes what a handler returned fit to travel: checked against the service's output, and stored as media when large.
struct ResultPacker: Sendable {
    /// A result as its completion carries it: in itself, or by the place where it lies.
    struct Packed: Sendable {
        var inline: [UInt8] = []
        var stored: Completion.StoredResult?
    }

    private let service: ServiceDefinition
    private let media: any MediaStore
    private let inlineLimit: Int

    init(service: ServiceDefinition, media: any MediaStore, inlineLimit: Int) {
        self.service = service
        self.media = media
        self.inlineLimit = inlineLimit
    }

    /// Returns the result as it travels when it travels in itself; nil when it is too large for that.
    ///
    /// - Throws: as ``packLarge(_:lease:while:)`` does.
    func packInline(_ result: [UInt8]) throws(JobError) -> Packed? {
        guard result.count <= min(inlineLimit, Completion.maxResultSize) else { return nil }
        try check(result)
        return Packed(inline: result)
    }

    /// Stores a large result and returns it as it travels.
    ///
    /// While the media store is away it waits: what a handler has worked for is not thrown away for that.
    ///
    /// - Parameter isWanted: whether the result is still wanted; else it does not wait any longer.
    /// - Returns: nil when it was not wanted any more before it could be stored.
    /// - Throws: `JobError` when it is too large, not JSON, does not fit the service's output, or is refused.
    func packLarge(
        _ result: [UInt8],
        lease: LeaseID,
        while isWanted: @Sendable () -> Bool
    ) async throws(JobError) -> Packed? {
        guard result.count <= Completion.maxResultSize else {
            throw JobError(
                .handler,
                "the result of '\(service.name)' has \(result.count) bytes; at most \(Completion.maxResultSize) may be "
                    + "returned: hand over media references instead",
                isFinal: true
            )
        }
        try check(result)
        guard let stored = try await store(result, lease: lease, while: isWanted) else { return nil }
        return Packed(stored: .init(reference: stored.reference.description, size: stored.size))
    }

    private func check(_ result: [UInt8]) throws(JobError) {
        // A native handler's result was made from JSON; only a schema is a reason to read it again.
        if case .native = service.engine, service.output == nil { return }
        let value: JSON
        do {
            value = try JSON(parsing: result, maxDepth: Completion.maxResultDepth)
        } catch {
            throw JobError(
                .handler,
                "the handler of '\(service.name)' returned what is not JSON: "
                    + "\(error.message) (byte \(error.offset))"
            )
        }
        guard let violation = service.output?.validate(value).first else { return }
        let place = violation.path.isEmpty ? "the result" : violation.path
        throw JobError(
            .handler,
            "the result of '\(service.name)' does not fit its definition: \(place): \(violation.message)",
            field: violation.path
        )
    }

    private func store(
        _ result: [UInt8],
        lease: LeaseID,
        while isWanted: @Sendable () -> Bool
    ) async throws(JobError) -> StoredMedia? {
        let backoff = Backoff(base: .milliseconds(100), cap: .seconds(2))
        var failures = 0
        while true {
            do {
                return try await media.store(
                    ByteStream(chunk: result),
                    key: Completion.mediaKey(of: lease),
                    contentType: "application/json",
                    origin: nil,
                    limit: result.count
                )
            } catch {
                guard error.isRetriable else {
                    throw JobError(.internal, "a result of \(result.count) bytes can't be stored: \(error)")
                }
            }
            failures += 1
            // Cancelled it sleeps no more, and is not wanted.
            guard isWanted(), (try? await Task.sleep(for: backoff.delay(afterFailures: failures))) != nil else {
                return nil
            }
        }
    }
}

extension AsyncThrowingStream where Element == [UInt8], Failure == any Error {
    /// Makes a stream of one chunk.
    init(chunk: [UInt8]) {
        self.init { continuation in
            continuation.yield(chunk)
            continuation.finish()
        }
    }
}
