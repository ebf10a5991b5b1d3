// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

public import MediaStore

/// Serves the signed URLs of a media store that has no server of its own (files).
///
/// The routes are `GET` and `PUT /media/{bucket}/{key…}?…`; the signature in the query is checked by the implementation.
public protocol SignedMedia: Sendable {
    /// Reads what a signed URL names; `refused` when the signature is wrong or has expired.
    ///
    /// - Parameter target: the path and query as they came: `/media/bucket/key?expires=…`.
    func read(target: String) async throws(MediaError) -> MediaContent

    /// Writes what a signed URL names; `refused` when the signature is wrong or has expired.
    func write(target: String, contentType: String, _ bytes: ByteStream) async throws(MediaError)
}
