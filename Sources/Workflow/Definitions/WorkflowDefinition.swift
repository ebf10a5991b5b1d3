// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

public import Plumbing

/// One method of an app: its stages in an order in which each comes after all that it needs.
public struct WorkflowDefinition: Sendable {
    /// The app's name.
    public var app: String
    /// The method's name.
    public var method: String
    /// What it does, for a person.
    public var description: String
    /// What a payload must look like; nil takes anything.
    public var input: JSONSchema?
    /// How long a task may take in all.
    public var deadline: Duration
    /// The stages, topologically sorted; other places name a stage by its index here.
    public var stages: [StageDefinition]
    /// How the result is made.
    public var output: OutputDefinition
    /// The definition as JSON, complete: `WorkflowDefinition(stored:)` reads it back.
    public var stored: [UInt8]
    /// The SHA-256 of `stored`, in hexadecimal; a run keeps the definition of this hash.
    public var hash: String

    /// Makes a definition; the loader computes `stored` and `hash`.
    public init(
        app: String,
        method: String,
        description: String,
        input: JSONSchema?,
        deadline: Duration,
        stages: [StageDefinition],
        output: OutputDefinition,
        stored: [UInt8],
        hash: String
    ) {
        self.app = app
        self.method = method
        self.description = description
        self.input = input
        self.deadline = deadline
        self.stages = stages
        self.output = output
        self.stored = stored
        self.hash = hash
    }
}

/// One stage of a workflow.
public struct StageDefinition: Sendable {
    /// When a fan-out's stage counts as done.
    public enum Join: Sendable, Hashable {
        /// Every item must succeed; the first final failure fails the stage.
        case all
        /// One success is enough; the rest is cancelled.
        case any
        /// So many successes are enough once all items have ended; with fewer left possible, the stage fails.
        case atLeast(Int)
    }

    /// The list that a stage fans out over.
    public enum ForEach: Sendable, Hashable {
        /// The elements of a list.
        case list(Template)
        /// The numbers from 0 up to, not including, a number.
        case range(Template)
    }

    /// The stage's name, unique in its workflow.
    public var name: String
    /// The service that runs its jobs.
    public var service: String
    /// The input of its job, or of each item's job.
    public var input: Template
    /// What it fans out over, or nil for one job.
    public var forEach: ForEach?
    /// The branch: when it does not hold, the stage is skipped and its output is null.
    public var when: Condition?
    /// When a fan-out counts as done.
    public var join: Join
    /// The indices of the stages that must have ended before, from references and from `after`.
    public var dependencies: [Int]
    /// How many failures end one of its jobs.
    public var maxAttempts: Int
    /// The delays between failures.
    public var backoff: Backoff
    /// The time limit of one attempt.
    public var timeout: Duration

    /// Makes a stage.
    public init(
        name: String,
        service: String,
        input: Template,
        forEach: ForEach? = nil,
        when: Condition? = nil,
        join: Join = .all,
        dependencies: [Int] = [],
        maxAttempts: Int = 3,
        backoff: Backoff = Job.defaultBackoff,
        timeout: Duration = .seconds(600)
    ) {
        self.name = name
        self.service = service
        self.input = input
        self.forEach = forEach
        self.when = when
        self.join = join
        self.dependencies = dependencies
        self.maxAttempts = maxAttempts
        self.backoff = backoff
        self.timeout = timeout
    }
}

/// How a workflow's result is made: the marketplace's `dataType` and a template of its `data`.
public struct OutputDefinition: Sendable {
    /// The marketplace's data types.
    public enum DataType: String, Sendable {
        /// JSON.
        case metadata = "META_DATA"
        /// A media reference, handed out with a presigned URL.
        case s3Object = "S3_OBJECT"
        /// A list of `{dataType, data}`.
        case hybrid = "HYBRID"
    }

    /// The data type.
    public var type: DataType
    /// The template of the data.
    public var data: Template

    /// Makes an output.
    public init(type: DataType, data: Template) {
        self.type = type
        self.data = data
    }
}
