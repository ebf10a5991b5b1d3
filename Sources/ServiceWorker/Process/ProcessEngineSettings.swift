// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

public import Plumbing

/// What a ``ProcessEngine`` needs to know of the machine it runs on.
public struct ProcessEngineSettings: Sendable {
    /// The Python that runs commands which begin with `python3` or `python` (`MALLA_PYTHON`); nil takes the one on
    /// the `PATH`.
    public var python: String?
    /// The folder that holds the `malla` module for Python, put on the handlers' `PYTHONPATH`.
    public var modules: String?
    /// The worker's own environment.
    ///
    /// Handlers see of it `PATH`, `HOME`, `LANG`, `TMPDIR` and what their definition
    /// lists, never more.
    public var environment: [String: String]
    /// The GPUs of the machine, for services that spread over all of them.
    public var gpus: [Int]
    /// How long a stopped job's handler may take to end before its process is killed.
    public var stopGrace: Duration
    /// How long a call for jobs is held open when there is none.
    public var pollHold: Duration
    /// The delays between starts of a process that does not come up.
    public var restart: Backoff
    /// The most bytes that a handler may store as one media object.
    public var mediaLimit: Int
    /// The most bytes of one call of a handler, results included.
    public var bodyLimit: Int

    /// Makes settings; the defaults are those of production.
    public init(
        python: String? = nil,
        modules: String? = nil,
        environment: [String: String] = [:],
        gpus: [Int] = [],
        stopGrace: Duration = .milliseconds(500),
        pollHold: Duration = .seconds(20),
        restart: Backoff = Backoff(base: .seconds(1), cap: .seconds(60), jitter: 0),
        mediaLimit: Int = 1 << 31,
        bodyLimit: Int = 64 << 20
    ) {
        self.python = python
        self.modules = modules
        self.environment = environment
        self.gpus = gpus
        self.stopGrace = stopGrace
        self.pollHold = pollHold
        self.restart = restart
        self.mediaLimit = mediaLimit
        self.bodyLimit = bodyLimit
    }
}
