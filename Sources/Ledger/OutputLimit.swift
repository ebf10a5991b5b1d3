// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Plumbing
import Workflow

// What happens to a run whose stage returned more than a reference may load; see ``RunFinishing/maxOutputBytes``.

extension StageOutput {
    /// The bytes of the results.
    var byteCount: Int {
        entries.reduce(0) { sum, entry in
            guard case .success(let bytes) = entry.outcome else { return sum }
            return sum + bytes.count
        }
    }
}

extension JobError {
    /// Says that a stage's results are too large together.
    static func output(of stage: String, bytes: Int, limit: Int) -> JobError {
        JobError(
            .invalidInput,
            "the results of stage '\(stage)' come to \(size(bytes)) together; at most \(size(limit)) can be "
                + "referenced: hand over media references instead",
            isFinal: true
        )
    }

    private static func size(_ bytes: Int) -> String {
        let mebibyte = 1 << 20
        return bytes < mebibyte ? "\(bytes) bytes" : "\((bytes + mebibyte - 1) / mebibyte) MiB"
    }
}

extension Run {
    /// The run with these events counted, ended because its next step can't be made.
    func failed(after events: [RunEvent], at now: Timestamp) -> Run {
        var run = self
        for event in events {
            switch event {
            case .jobSucceeded(let stage, _) where run.stages.indices.contains(stage): run.stages[stage].succeeded += 1
            case .jobFailed(let stage, _, _) where run.stages.indices.contains(stage): run.stages[stage].failed += 1
            default: break
            }
        }
        run.state = .failed
        for index in run.stages.indices where run.stages[index].status == .running {
            let stage = run.stages[index]
            run.stages[index].status = stage.succeeded + stage.failed < stage.total ? .cancelled : .succeeded
            run.stages[index].finishedAt = now
        }
        return run
    }
}
