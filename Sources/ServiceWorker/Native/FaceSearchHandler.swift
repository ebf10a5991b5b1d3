// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import Plumbing
internal import Workflow

/// Finds the enrolled people who look most like a vector; see `services/face-search/service.yaml`.
struct FaceSearchHandler: NativeHandler {
    private static let defaultTop = 5

    let gallery: FaceGallery

    func run(_ input: JSON, context: NativeContext) async throws -> JSON {
        let vector = try UnitVector(input["vector"], field: "/vector")
        guard let model = input["model"]?.string, !model.isEmpty else {
            throw JobError(.invalidInput, "the vector's model is missing: a text is wanted", field: "/model")
        }
        let top = input["top_k"].map { $0.int ?? -1 } ?? Self.defaultTop
        guard (1...100).contains(top) else {
            throw JobError(.invalidInput, "'top_k' is a whole number from 1 to 100", field: "/top_k")
        }
        let snapshot = try await gallery.current()
        var matches: [GallerySection.Match] = []
        // Nobody enrolled with this model is an empty answer: vectors of different models are never compared.
        if let section = snapshot.sections[model] {
            try section.check(vector, model: model, field: "/vector")
            matches = try await section.search(vector, top: top)
        }
        let result: JSON = [
            "matches": .array(
                matches.map {
                    [
                        "name": .string($0.name), "id": .string($0.id.description),
                        "score": .number(JSONNumber((Double($0.score) * 1e6).rounded() / 1e6)),
                    ]
                }
            ),
            "gallery_version": .number(JSONNumber(snapshot.version)),
        ]
        return input["box"].map { result.adding("box", $0) } ?? result
    }
}
