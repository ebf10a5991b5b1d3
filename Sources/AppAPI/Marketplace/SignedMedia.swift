// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

public import MediaStore

/// Checks the signed URLs of a media store that has no server of its own (files); the App API then serves
/// `GET`, `HEAD` and `PUT /media/{bucket}/{key…}?…`.
public protocol SignedMedia: Sendable {
    /// The reference that a signed URL names; a `HEAD` is checked as a `GET`.
    ///
    /// - Parameters:
    ///   - path: the path as it came, percent-encoded.
    ///   - query: the query as it came.
    /// - Throws: ``MediaError``: `refused` when the signature is wrong or has expired.
    func verify(method: String, path: String, query: String) throws(MediaError) -> MediaReference
}
