// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import Workflow

/// Results come from the calls that the ledger's rows name, all of them and no others.
enum ResultRules {
    static func check(_ evidence: Evidence, _ found: inout Findings) {
        for job in evidence.jobs where job.state == "succeeded" { check(job, evidence, &found) }
        for task in evidence.tasks where task.verdict == .succeeded {
            guard let output = task.output else {
                found.add(.dataOfAnswers, task.key, "\(task.words) without an output that is JSON")
                continue
            }
            var answers: [JSON] = []
            collect(output, into: &answers)
            for answer in answers { check(answer, of: task, evidence, &found) }
        }
        for calls in evidence.callsByJob.values {
            for call in calls { checkInput(of: call, evidence, &found) }
        }
    }

    private static func check(_ job: JobRow, _ evidence: Evidence, _ found: inout Findings) {
        let key = evidence.key(of: job)
        guard let nonce = job.result?["nonce"]?.string else {
            // Large results lie elsewhere: then the attempt must have answered.
            let calls = evidence.callsByJob[job.id] ?? []
            if !calls.contains(where: { $0.attempt == job.attempt && $0.ended(.answered) }) {
                found.add(
                    .resultOfItsAttempt,
                    key,
                    "\(job.words), and that attempt never answered; \(evidence.words(callsOf: job))"
                )
            }
            return
        }
        guard let call = evidence.callByNonce[nonce] else {
            found.add(.resultOfItsAttempt, key, "\(job.words), and its result's nonce \(nonce) is no call's")
            return
        }
        if call.job != job.id || call.attempt != job.attempt || !call.ended(.answered) {
            let source = "\(evidence.words(call)) for job \(call.job)"
            found.add(.resultOfItsAttempt, key, "\(job.words), and its result is of \(source)")
        } else if let said = call.end?.answer.object, said.members.contains(where: { job.result?[$0.name] != $0.value })
        {
            let (kept, given) = (job.result?.text.prefix(300) ?? "", call.end?.answer.text.prefix(300) ?? "")
            found.add(.resultOfItsAttempt, key, "\(job.words): its result is \(kept), the handler answered \(given)")
        }
    }

    /// An answer of a handler as it stands in a task's data.
    private static func check(_ answer: JSON, of task: TaskRow, _ evidence: Evidence, _ found: inout Findings) {
        let nonce = answer["nonce"]?.string ?? ""
        guard let call = evidence.callByNonce[nonce] else {
            found.add(.dataOfAnswers, task.key, "its data hold the nonce \(nonce), which is no call's")
            return
        }
        let source = "its data hold the answer of \(evidence.words(call)) for job \(call.job)"
        guard call.ended(.answered) else {
            found.add(.dataOfAnswers, task.key, "\(source), which did not answer")
            return
        }
        guard let job = evidence.jobByID[call.job], job.task == task.id else {
            found.add(.dataOfAnswers, task.key, "\(source), which is not a job of task \(task.id)")
            return
        }
        if job.state != "succeeded" || job.attempt != call.attempt {
            found.add(.dataOfAnswers, task.key, "\(source), but \(job.words)")
        }
        let isItsOwn =
            answer["job"].map { $0.string == call.job } ?? true
            && answer["attempt"].map { $0.int == call.attempt } ?? true
            && answer["stage"].map { $0.string == call.stage } ?? true
            && answer["item"].map { $0.int == call.item } ?? true
        if !isItsOwn { found.add(.dataOfAnswers, task.key, "\(source), but say \(answer.text.prefix(300))") }
    }

    /// What a call was given: the nonces of earlier answers, which it tells as `from`.
    private static func checkInput(of call: HandlerCall, _ evidence: Evidence, _ found: inout Findings) {
        guard call.ended(.answered), let from = call.end?.answer["from"], from != .null else { return }
        var nonces: [String] = []
        collectNonces(from, into: &nonces)
        for nonce in nonces {
            let source = evidence.callByNonce[nonce]
            let job = source.flatMap { evidence.jobByID[$0.job] }
            let isRight =
                source?.key == call.key && source?.ended(.answered) == true && job?.state == "succeeded"
                && job?.attempt == source?.attempt
            guard !isRight else { continue }
            let given = source.map { evidence.words($0) } ?? "no known call"
            let row = job?.words ?? "its job is not in the ledger"
            found.add(.inputOfAnswers, call.key, "\(evidence.words(call)) was given \(nonce), \(given); \(row)")
        }
    }

    private static func collectNonces(_ json: JSON, into nonces: inout [String]) {
        if let nonce = json.string { nonces.append(nonce) }
        for element in json.array ?? [] { collectNonces(element, into: &nonces) }
    }

    /// All objects with a nonce; what lies inside one is its own matter.
    private static func collect(_ json: JSON, into answers: inout [JSON]) {
        switch json {
        case .object(let object):
            if object["nonce"]?.string != nil {
                answers.append(json)
            } else {
                for (_, value) in object.members { collect(value, into: &answers) }
            }
        case .array(let elements): for element in elements { collect(element, into: &answers) }
        case .null, .bool, .number, .string: return
        }
    }
}
