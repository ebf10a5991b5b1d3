// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

public import Fairness
public import Ledger
public import MediaStore
public import Plumbing
public import Workflow

/// What the App API adds when runs advance: ids and limits of jobs, and the frozen callbacks of finished tasks.
public struct AppRunFinishing: RunFinishing {
    private let settings: AppSettings
    private let writer: EnvelopeWriter
    private let answers: AnswerData
    private let fairness: FairRanking
    private let assignments: AssignmentDesk?
    /// What the services take, by their names.
    private let inputs: [String: JSONSchema]

    /// Makes one.
    ///
    /// - Parameter assignments: gives jobs to workers that offer slots; without it all jobs wait for their tickets.
    public init(
        settings: AppSettings,
        catalog: AppCatalog,
        media: any MediaStore,
        fairness: FairRanking,
        assignments: AssignmentDesk? = nil
    ) {
        self.settings = settings
        self.fairness = fairness
        self.assignments = assignments
        writer = EnvelopeWriter(settings: settings, catalog: catalog)
        answers = AnswerData(media: media)
        inputs = catalog.services.compactMapValues(\.input)
    }

    /// A job of a stage; it takes its share of the service as a job of its user at its app, and is claimed already where
    /// a worker has a slot for it.
    public func job(from seed: JobSeed, stage: StageDefinition, index: Int, task: TaskRecord, at now: Timestamp) -> Job
    {
        let job = Job(
            id: MeshID(at: now),
            task: task.id,
            app: task.app,
            stage: index,
            item: seed.item,
            service: stage.service,
            maxAttempts: stage.maxAttempts,
            backoff: stage.backoff,
            timeout: stage.timeout,
            deadline: task.deadline,
            rank: fairness.rank(service: stage.service, user: "\(task.app)/\(task.user)"),
            createdAt: now,
            trace: task.trace
        )
        return assignments?.assign(job, inputSize: seed.input.count, at: now) ?? job
    }

    /// Sends jobs to their workers while they are being committed.
    public func announce(_ jobs: [JobRecord]) -> [JobRecord] { assignments?.announce(jobs) ?? [] }

    /// Stops jobs that were sent and never committed.
    public func revoke(_ announced: [JobRecord]) { assignments?.revoke(announced) }

    /// What is wrong with an input by the schema of the stage's service, beginning with the wrong field's path.
    public func problem(withInput input: JSON, of stage: StageDefinition) -> String? {
        guard let violation = inputs[stage.service]?.validate(input).first else { return nil }
        return violation.path.isEmpty ? violation.message : "\(violation.path): \(violation.message)"
    }

    /// The callback of a finished task, its body frozen and its URLs valid for days; none without a receiver.
    public func callbacks(
        for task: TaskRecord,
        definition: WorkflowDefinition?,
        at now: Timestamp
    ) -> [CallbackRecord] {
        guard let url = task.callbackURL ?? settings.callbackURL, var end = TaskEnd(task) else { return [] }
        var response: JSON = [:]
        if task.state == .succeeded {
            let members = answers.members(
                output: task.output,
                type: definition?.output.type,
                expiresIn: settings.callbackURLExpiry
            )
            if let members { response = .object(JSONObject(members)) } else { end = end.withUnreadableOutput }
        }
        return [
            CallbackRecord(
                id: MeshID(at: now),
                task: task.id,
                app: task.app,
                url: url,
                isTrusted: url == settings.callbackURL,
                headers: [
                    ("x-request-id", task.request), ("x-user-id", task.user), ("x-user-role", task.role),
                ],
                body: writer.callback(for: end, response: response, at: now).bytes,
                dueAt: now + CallbackRecord.hold,
                createdAt: now
            )
        ]
    }

    /// The webhook of a direct job: App APIs settle overdue direct jobs as well.
    public func callbacks(for ended: JobRecord, at now: Timestamp) -> [CallbackRecord] {
        DirectFinishing().callbacks(for: ended, at: now)
    }
}
