// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import HTTPTypes
import Plumbing
import Workflow

/// What a result that comes over HTTP is held against, and what it cost.
extension JobDesk {
    func check(_ result: JSON, _ size: Int, of job: Job) throws(Problem) {
        guard size <= Completion.maxResultSize else {
            throw Problem(
                .contentTooLarge,
                "the result has \(size) bytes; at most \(Completion.maxResultSize): hand over media references instead",
                field: "/result"
            )
        }
        guard result.depth <= Completion.maxResultDepth else {
            throw Problem(
                .unprocessableContent,
                "the result nests deeper than \(Completion.maxResultDepth) lists and objects",
                field: "/result"
            )
        }
        guard let violation = choice.services[job.service]?.output?.validate(result).first else { return }
        throw Problem(
            .unprocessableContent,
            "the result does not fit service '\(job.service)': \(violation.message)",
            field: "/result\(violation.path)"
        )
    }

    /// What is known of a job's use: what its worker says, and the time it was held at the service's price.
    func spent(on job: Job, _ usage: JobUsage?) -> JobUsage {
        let told = usage ?? JobUsage()
        guard let service = choice.services[job.service], let startedAt = job.startedAt else { return told }
        return JobUsage(told: told, held: max(.zero, Timestamp.now - startedAt), by: service)
    }
}

extension JSON {
    /// How many lists and objects lie within each other; 0 for a plain value.
    var depth: Int {
        switch self {
        case .array(let elements): 1 + (elements.map(\.depth).max() ?? 0)
        case .object(let object): 1 + (object.members.map(\.value.depth).max() ?? 0)
        default: 0
        }
    }
}
