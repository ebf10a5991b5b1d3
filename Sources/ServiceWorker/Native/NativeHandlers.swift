// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

public import Ledger
public import MediaStore
public import Workflow

/// The native handlers by the name that a `service.yaml` gives: `echo`, `face-search`, `face-gallery`, and others.
public struct NativeHandlers: Sendable {
    /// Makes a handler from the options of its service.
    ///
    /// - Throws: `JobError` with category `invalidInput` when the options are wrong.
    public typealias Make = @Sendable (_ options: JSON) throws(JobError) -> any NativeHandler

    private var makers: [String: Make]

    /// Makes the registry with Malla's own handlers; they share one gallery, kept in the ledger and the media store.
    public init(ledger: any Ledger, media: any MediaStore) {
        let gallery = FaceGallery(ledger: ledger, media: media)
        makers = [
            "echo": { options throws(JobError) in try EchoHandler(options: options) },
            "face-search": { _ throws(JobError) in FaceSearchHandler(gallery: gallery) },
            "face-gallery": { _ throws(JobError) in FaceGalleryHandler(gallery: gallery) },
        ]
    }

    /// The names that are known, sorted.
    public var names: [String] { makers.keys.sorted() }

    /// Adds a handler, or replaces the one of this name.
    public mutating func register(_ name: String, _ make: @escaping Make) { makers[name] = make }

    /// Makes the handler of that name.
    ///
    /// - Throws: `JobError` when there is none, or its options are wrong.
    public func make(_ name: String, options: JSON) throws(JobError) -> any NativeHandler {
        guard let make = makers[name] else {
            throw JobError(
                .invalidInput,
                "there is no native handler '\(name)'; there are \(names.joined(separator: ", "))"
            )
        }
        return try make(options)
    }
}
