// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import MediaStore
import Workflow

/// Fetches results that lie in the media store, so that the ledger holds them like any other.
struct ResultFetching: Sendable {
    let media: any MediaStore

    /// The results of these completions, in their order; all are fetched at the same time.
    func results(of batch: [LargeCompletion]) async -> [Result<[UInt8], MediaError>] {
        await withTaskGroup(of: (Int, Result<[UInt8], MediaError>).self) { group in
            for (index, entry) in batch.enumerated() {
                group.addTask { (index, await fetched(entry.stored)) }
            }
            var results = batch.map { _ in Result<[UInt8], MediaError>.failure(MediaError(.unavailable, "not read")) }
            for await (index, result) in group { results[index] = result }
            return results
        }
    }

    /// A function of its own: written into the closure above, Swift 6.3.1 loses the index when it optimises.
    private func fetched(_ stored: Completion.StoredResult) async -> Result<[UInt8], MediaError> {
        do throws(MediaError) { return .success(try await result(stored)) } catch { return .failure(error) }
    }

    private func result(_ stored: Completion.StoredResult) async throws(MediaError) -> [UInt8] {
        guard let reference = MediaReference(stored.reference) else {
            throw MediaError(.invalid, "'\(stored.reference.prefix(200))' is no reference to media")
        }
        guard stored.size <= Completion.maxResultSize else {
            throw MediaError(.tooLarge, "\(reference) is larger than \(Completion.maxResultSize) bytes")
        }
        let content = try await media.read(reference, offset: 0)
        guard content.attributes.size == stored.size else {
            throw MediaError(.invalid, "\(reference) has \(content.attributes.size) bytes instead of \(stored.size)")
        }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(stored.size)
        do {
            for try await chunk in content.bytes { bytes += chunk }
        } catch {
            throw MediaNaming.error(from: error)
        }
        guard bytes.count == stored.size else {
            throw MediaError(.unavailable, "\(reference) broke off after \(bytes.count) of \(stored.size) bytes")
        }
        return bytes
    }
}
