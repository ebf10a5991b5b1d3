// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Logging
import Plumbing
import Workflow

/// One of a service's warm processes: starts it, watches it, replaces it (``ProcessSupervision`` decides when).
actor HandlerSeat {
    /// What every seat of an engine is made with.
    struct Setting: Sendable {
        let definition: ServiceDefinition
        let command: [String]
        let listed: [String: String]
        let settings: ProcessEngineSettings
        let server: String
        let place: HandlerPlace
        let logger: Logger
    }

    /// How much of the end of a process's output its log line has, in bytes.
    private static let loggedOutput = 1024

    private let index: Int
    private let gpu: Int?
    private let setting: Setting
    private let feed: JobFeed
    private let register: @Sendable (_ name: String, HandlerSeat?) -> Void
    private let logger: Logger
    private var supervision: ProcessSupervision
    private var process: HandlerProcess?
    private var name: String?
    private var ends: [OneShot<Void>] = []
    private(set) var trouble: EngineTrouble?

    /// Makes a seat that is not started yet.
    ///
    /// - Parameter register: is told the name of every process that the seat starts, and of its end (nil).
    init(
        index: Int,
        gpu: Int?,
        setting: Setting,
        feed: JobFeed,
        register: @escaping @Sendable (String, HandlerSeat?) -> Void
    ) {
        self.index = index
        self.gpu = gpu
        self.setting = setting
        self.feed = feed
        self.register = register
        var logger = setting.logger
        logger[metadataKey: "malla.process.seat"] = "\(index)"
        self.logger = logger
        supervision = ProcessSupervision(
            startupTimeout: setting.definition.startupTimeout,
            grace: setting.settings.stopGrace,
            backoff: setting.settings.restart
        )
    }

    /// Starts the first process.
    func start() {
        perform(supervision.start(.now))
    }

    /// Takes what the feed noticed about one of this seat's processes; one of an earlier process is ignored.
    func take(_ notice: JobFeed.Notice, of process: String) {
        guard process == name else { return }
        switch notice {
        case .ready:
            guard supervision.asked() else { return }
            trouble = nil
            logger.info("handler is ready", metadata: [LogKey.process: "\(self.process?.pid ?? 0)"])
        case .served: supervision.served()
        case .retire: perform(supervision.retire(.now))
        case .kill(let reason):
            logger.warning("handler is killed", metadata: [LogKey.error: "\(reason)"])
            perform(supervision.kill())
        }
    }

    /// Ends the process for good and returns when it is gone.
    func end() async {
        let gone = OneShot<Void>()
        ends.append(gone)
        perform(supervision.end(.now))
        if supervision.phase == .ended { finish() }
        do {
            try await gone.value()
        } catch {
            // The caller was cancelled and can't wait: the process gets no grace.
            process?.kill()
        }
    }

    private func perform(_ action: ProcessSupervision.Action) {
        switch action {
        case .none: break
        case .spawn: spawn()
        case .terminate:
            process?.terminate()
            if let name { feed.leave(name) }
        case .kill: process?.kill()
        case .killLate:
            let limit = Quantity.text(setting.definition.startupTimeout)
            report("it did not ask for a job within \(limit) of its start and was killed")
            process?.kill()
        case .finish: finish()
        }
        if let wake = supervision.wake { scheduleTick(wake) }
    }

    private func spawn() {
        let name = "\(setting.definition.name)-\(index)-\(MeshID().description.suffix(12))"
        let token = HandlerToken.make()
        self.name = name
        feed.add(name, token: Array(token.utf8))
        register(name, self)
        let command = HandlerCommand(
            setting.command,
            listed: setting.listed,
            definition: setting.definition,
            settings: setting.settings,
            gpu: gpu,
            name: name,
            token: token,
            server: setting.server
        )
        process = HandlerProcess(command, in: setting.place, output: HandlerOutput(logger: logger)) {
            [weak self] exit in
            Task { await self?.exited(name, exit) }
        }
    }

    private func exited(_ name: String, _ exit: HandlerExit) {
        guard name == self.name, process != nil else { return }
        let isOurDoing =
            switch supervision.phase {
            case .stopping, .killed: true
            case .idle, .starting, .ready, .backingOff, .ended: false
            }
        // No word of what it wrote: that tells of the jobs of others, and belongs to the operators.
        feed.remove(name, JobError(.handler, exit.description), isOurDoing: isOurDoing)
        if !isOurDoing { report(exit.description) }
        register(name, nil)
        self.process = nil
        self.name = nil
        perform(supervision.exited(.now))
    }

    private func report(_ message: String) {
        let output = process?.output.tail() ?? ""
        trouble = EngineTrouble(at: .now, message: message, output: output)
        logger.warning(
            "handler ended or did not start",
            metadata: [LogKey.error: "\(message)", "output": "\(process?.output.tail(Self.loggedOutput) ?? "")"]
        )
    }

    private func finish() {
        for gone in ends { gone.finish(.success(())) }
        ends = []
    }

    private func scheduleTick(_ wake: ContinuousClock.Instant) {
        Task { [weak self] in
            do {
                try await Task.sleep(until: wake, clock: .continuous)
            } catch {
                return  // nobody holds this task, so nobody cancels it
            }
            await self?.tick()
        }
    }

    private func tick() {
        perform(supervision.tick(.now))
    }
}
