// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import Plumbing
internal import Workflow

/// Enrols and forgets people; see `services/face-gallery/service.yaml`.
struct FaceGalleryHandler: NativeHandler {
    let gallery: FaceGallery

    func run(_ input: JSON, context: NativeContext) async throws -> JSON {
        guard let name = input["name"]?.string, !name.isEmpty else {
            throw JobError(.invalidInput, "the name is missing: a text is wanted", field: "/name")
        }
        let snapshot: GallerySnapshot
        switch input["op"]?.string {
        case "enrol": snapshot = try await enrol(name, faces: input["faces"]?.array ?? [], job: context.job.id)
        case "forget": snapshot = try await forget(name, job: context.job.id)
        default: throw JobError(.invalidInput, "'op' is 'enrol' or 'forget'", field: "/op")
        }
        return [
            "gallery_version": .number(JSONNumber(snapshot.version)), "size": .number(JSONNumber(snapshot.size)),
        ]
    }

    private func enrol(_ name: String, faces: [JSON], job: JobID) async throws -> GallerySnapshot {
        guard let face = faces.first, faces.count == 1 else {
            let found = faces.isEmpty ? "no face" : "\(faces.count) faces"
            throw JobError(
                .invalidInput,
                "the picture shows \(found); exactly one is wanted to enrol a person",
                field: "/faces"
            )
        }
        let vector = try UnitVector(face["vector"], field: "/faces/0/vector")
        guard let model = face["model"]?.string, !model.isEmpty else {
            throw JobError(.invalidInput, "the vector's model is missing: a text is wanted", field: "/faces/0/model")
        }
        return try await gallery.update(job: job) { snapshot throws(JobError) in
            var next = snapshot
            var section = snapshot.sections[model] ?? GallerySection(dimension: vector.dimension)
            try section.check(vector, model: model, field: "/faces/0/vector")
            section.append([(name: name, id: job, vector: vector)])
            next.sections[model] = section
            return next
        }
    }

    private func forget(_ name: String, job: JobID) async throws -> GallerySnapshot {
        try await gallery.update(job: job) { snapshot throws(JobError) in
            guard snapshot.sections.values.contains(where: { $0.people.contains(name) }) else { return nil }
            var next = snapshot
            next.sections = snapshot.sections.mapValues { $0.without(name: name) }.filter { $0.value.count > 0 }
            return next
        }
    }
}

extension GallerySection {
    /// Refuses a vector that can't be compared with these.
    func check(_ vector: UnitVector, model: String, field: String) throws(JobError) {
        guard vector.dimension == dimension else {
            throw JobError(
                .invalidInput,
                "the vector has \(vector.dimension) numbers, the gallery's of the model '\(model)' have \(dimension)",
                field: field
            )
        }
    }
}
