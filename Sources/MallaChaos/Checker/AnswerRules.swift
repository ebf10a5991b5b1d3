// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import Workflow

/// What clients were told of a task is what the ledger says.
enum AnswerRules {
    static func check(_ evidence: Evidence, _ found: inout Findings) {
        for (key, calls) in evidence.clientCalls.sorted(by: { $0.key < $1.key }) where !key.isEmpty {
            let row = evidence.tasksByKey[key]?.first
            // The earliest moments at which a client knew that the task was accepted, and that it had ended.
            var (accepted, ended): (Double?, Double?)
            for call in calls {
                if call.kind == .submit, call.acceptedTask != nil { accepted = min(accepted ?? call.ended, call.ended) }
                guard call.kind == .poll || call.kind == .cancel else { continue }
                let when = "\(call.kind.rawValue) of \(evidence.time(call.began)) to \(evidence.time(call.ended))"
                if call.status == 404, let accepted, accepted < call.began {
                    found.add(.taskIsFound, key, "\(when): 404, but it was accepted \(evidence.time(accepted))")
                }
                guard call.isAnswered else { continue }
                guard let envelope = Envelope(call.answer) else {
                    found.add(
                        .saidIsTrue,
                        key,
                        "\(when) was answered with what is no envelope: \(call.answer.text.prefix(200))"
                    )
                    continue
                }
                if let row { checkName(envelope, of: row, when, &found) }
                if envelope.isOpen {
                    if let ended, ended < call.began {
                        found.add(
                            .endStays,
                            key,
                            "\(when): _\(envelope.code), but its end was told \(evidence.time(ended))"
                        )
                    }
                    continue
                }
                ended = min(ended ?? call.ended, call.ended)
                guard let row else { continue }
                compare(envelope, with: row, when, &found)
            }
        }
    }

    /// Compares an envelope that tells an end with the ledger's.
    static func compare(_ envelope: Envelope, with row: TaskRow, _ source: String, _ found: inout Findings) {
        let code = Envelope.code(of: row)
        if envelope.code != code {
            found.add(.saidIsTrue, row.key, "\(source): _\(envelope.code), but \(row.words) (_\(code ?? "none"))")
        }
        guard row.verdict == .succeeded, envelope.code == "000", let output = row.output else { return }
        let type = Envelope.dataType(of: row.method)
        if envelope.dataType != type {
            found.add(.sameData, row.key, "\(source): its data are \(envelope.dataType ?? "of no type"), not \(type)")
        }
        guard let data = envelope.data else {
            found.add(.sameData, row.key, "\(source) has no data; the ledger has \(output.text.prefix(300))")
            return
        }
        if data != (type == "HYBRID" ? Envelope.withoutURLs(output) : output) {
            let kept = output.text.prefix(300)
            found.add(.sameData, row.key, "\(source): \(data.text.prefix(300)); the ledger has \(kept)")
        }
        if !envelope.hasURLs {
            found.add(.sameData, row.key, "\(source): a medium without a URL: \(data.text.prefix(300))")
        }
    }

    /// An answer about a task names no other, and one that gives its data or says that it runs does name it.
    private static func checkName(_ envelope: Envelope, of row: TaskRow, _ source: String, _ found: inout Findings) {
        if let task = envelope.task, task != row.id {
            found.add(.namesItsTask, row.key, "\(source) names the task \(task), but \(row.words)")
        }
        if envelope.task == nil, ["000", "002"].contains(envelope.code) {
            found.add(.namesItsTask, row.key, "\(source) says _\(envelope.code) and names no task")
        }
    }
}
