// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// Says how a gallery's file is damaged.
struct GalleryFileError: Error, CustomStringConvertible {
    let description: String

    init(_ reason: String) { description = "the gallery's file is damaged: \(reason)" }
}
