// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// What is kept beside the bytes of media, as JSON.
struct MediaSidecar: Codable {
    /// The key, for whoever looks into the folder: the file's name is its hash.
    var key: String
    var contentType: String
    /// The media that this was made from.
    var origin: String?
}
