// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Ledger
import Plumbing
import Workflow

/// The stages of a run as `response.progress.stages` shows them.
enum StagesProgress {
    static func json(_ view: TaskView) -> JSON {
        .array(
            view.run.stages.enumerated().map { index, stage in
                let name = index < view.stageNames.count ? view.stageNames[index] : "\(index)"
                let end = stage.finishedAt ?? view.task.finishedAt ?? .now
                return [
                    "name": .string(name), "state": .string(stage.status.rawValue), "items": number(stage.total),
                    "done": number(stage.succeeded), "failed": number(stage.failed),
                    "started_at": moment(stage.startedAt), "finished_at": moment(stage.finishedAt),
                    "duration_ms": stage.startedAt.map { number(Int((end - $0).wholeMilliseconds)) } ?? .null,
                ]
            }
        )
    }

    static func number(_ value: Int) -> JSON { .number(JSONNumber(value)) }
    static func moment(_ moment: Timestamp?) -> JSON { moment.map { .string($0.rfc3339) } ?? .null }
}
