// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Workflow

/// The parameters that several calls about jobs share.
enum JobParameters {
    /// A job's id in the path.
    static let id = APIRoute.Parameter(
        name: "id",
        place: .path,
        schema: JobSchemas.uuid,
        text: "The id of a job.",
        isRequired: true
    )

    /// The filters of lists.
    static let filters: [APIRoute.Parameter] = [
        .init(name: "status", schema: JobSchemas.status, text: "In this state; may be given several times."),
        .init(name: "service", schema: JobSchemas.text(), text: "Of this service."),
        .init(name: "owner_service", schema: JobSchemas.text(), text: "Of this calling service."),
        .init(name: "owner_ref", schema: JobSchemas.text(1024), text: "With this reference of the caller's."),
        .init(name: "task_type", schema: JobSchemas.text(), text: "Of this task type."),
        .init(name: "model_profile", schema: JobSchemas.text(), text: "Of this model profile."),
        .init(name: "worker_id", schema: JobSchemas.text(), text: "Held, or last held, by this worker."),
        .init(name: "task_id", schema: JobSchemas.uuid, text: "Of this task."),
        .init(name: "created_from", schema: JobSchemas.moment, text: "Created at or after this moment."),
        .init(name: "created_to", schema: JobSchemas.moment, text: "Created before this moment."),
    ]
}
