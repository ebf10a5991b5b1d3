// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// A service as its `service.yaml` describes it: what runs its jobs and within which limits.
public struct ServiceDefinition: Sendable {
    /// What runs the jobs.
    public enum Engine: Sendable, Hashable {
        /// Swift code in the worker, by its registered name, with its options.
        case native(handler: String, options: JSON)
        /// A program that the worker starts and keeps warm.
        case process(command: [String], environment: [String: String])
        /// Chat completions of upstreams that speak OpenAI's protocol, the first that succeeds.
        case openai(providers: [Provider], options: JSON)
        /// Upstreams that take the input as the body of a POST and answer with the result, the first that succeeds.
        case http(providers: [Provider], options: JSON)
        /// Upstreams that turn speech into text, in their order; see the job contract, "Built-in workers".
        case transcription(providers: [Provider], options: JSON)
        /// Nothing here: workers elsewhere claim the jobs over HTTP.
        case remote
    }

    /// What a job must be to come to this service when its caller names none.
    public struct Taken: Sendable, Hashable {
        /// The task type.
        public var taskType: String
        /// The model profile; nil takes any.
        public var modelProfile: String?

        /// Makes one.
        public init(taskType: String, modelProfile: String? = nil) {
            self.taskType = taskType
            self.modelProfile = modelProfile
        }
    }

    /// Which GPUs the service's processes spread over (`CUDA_VISIBLE_DEVICES`).
    public enum GPUs: Sendable, Hashable {
        /// None.
        case none
        /// Every GPU of the machine, one process each.
        case all
        /// These, one process each.
        case listed([Int])
    }

    /// The service's name, `[a-z0-9-]`, unique in the mesh.
    public var name: String
    /// What it does, for a person.
    public var description: String
    /// What runs its jobs.
    public var engine: Engine
    /// The jobs one process (or a native worker) runs at once.
    public var concurrency: Int
    /// The warm processes of one worker.
    public var processes: Int
    /// The GPUs its processes spread over.
    public var gpus: GPUs
    /// The most jobs handed to a process in one batch; 1 for none.
    public var batchMaxSize: Int
    /// How long a batch waits for more once it has one job.
    public var batchMaxWait: Duration
    /// The address space of one process in bytes, or nil for no limit.
    public var memoryLimit: Int?
    /// How long a process may take until it asks for its first job.
    public var startupTimeout: Duration
    /// The time limit of one attempt where the stage names none.
    public var timeout: Duration
    /// How many failures end a job where the stage says nothing.
    public var maxAttempts: Int
    /// The waiting jobs above which new ones are refused.
    public var backlog: Int
    /// What an input must look like; nil takes anything.
    public var input: JSONSchema?
    /// What a result must look like; nil takes anything.
    public var output: JSONSchema?
    /// The task types and model profiles whose jobs come here.
    public var takes: [Taken] = []
    /// The modules of S-CONTRACT and of GRACE's form that it serves, such as `asr`.
    public var modules: [String] = []
    /// What an hour of one slot costs in US dollars, when it is known.
    public var pricePerHour: Double?
    /// The folder of the definition, where its command runs.
    public var folder: String
    /// The SHA-256 of the definition's text, in hexadecimal.
    public var hash: String

    /// Makes a definition; the loader's way, and a test's.
    public init(
        name: String,
        description: String = "",
        engine: Engine,
        concurrency: Int = 1,
        processes: Int = 1,
        gpus: GPUs = .none,
        batchMaxSize: Int = 1,
        batchMaxWait: Duration = .zero,
        memoryLimit: Int? = nil,
        startupTimeout: Duration = .seconds(60),
        timeout: Duration = .seconds(600),
        maxAttempts: Int = 3,
        backlog: Int = 10_000,
        input: JSONSchema? = nil,
        output: JSONSchema? = nil,
        folder: String = "",
        hash: String = ""
    ) {
        self.name = name
        self.description = description
        self.engine = engine
        self.concurrency = concurrency
        self.processes = processes
        self.gpus = gpus
        self.batchMaxSize = batchMaxSize
        self.batchMaxWait = batchMaxWait
        self.memoryLimit = memoryLimit
        self.startupTimeout = startupTimeout
        self.timeout = timeout
        self.maxAttempts = maxAttempts
        self.backlog = backlog
        self.input = input
        self.output = output
        self.folder = folder
        self.hash = hash
    }
}
