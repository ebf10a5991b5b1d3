// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

public import Logging
public import MediaStore
import Plumbing
import Synchronization
public import Workflow

/// Runs a service's jobs in programs that it starts, keeps warm, feeds over loopback HTTP and replaces.
///
/// The programs speak the RunPod serverless worker protocol or the exchange of `python/PROTOCOL.md`. They get a clean
/// environment: no secret of the mesh is in it.
public final class ProcessEngine: Engine {
    /// How many jobs run at once at most, over all processes.
    public let slots: Int

    private let definition: ServiceDefinition
    private let settings: ProcessEngineSettings
    private let logger: Logger
    private let feed: JobFeed
    private let server: HandlerServer
    private let seats = Mutex<[HandlerSeat]>([])
    private let failure = Mutex<EngineTrouble?>(nil)
    private let command: [String]
    private let listed: [String: String]

    /// Makes the engine of a service whose engine is `process`; nil for any other.
    ///
    /// - Parameters:
    ///   - media: what handlers read and write media through.
    ///   - settings: what is known of this machine.
    public init?(
        _ definition: ServiceDefinition,
        media: any MediaStore,
        settings: ProcessEngineSettings,
        logger: Logger
    ) {
        guard case .process(let command, let environment) = definition.engine else { return nil }
        self.command = command
        listed = environment
        self.definition = definition
        self.settings = settings
        var logger = logger
        logger[metadataKey: LogKey.service] = "\(definition.name)"
        self.logger = logger
        let capacity = max(1, definition.concurrency) * max(1, definition.batchMaxSize)
        slots = capacity * Self.places(definition, settings).count
        let registry = SeatRegistry()
        temporary = settings.environment["TMPDIR"] ?? "/tmp"
        place = HandlerPlace(in: temporary, logger: logger)
        feed = JobFeed(
            capacity: capacity,
            batchMaxSize: definition.batchMaxSize,
            batchMaxWait: definition.batchMaxWait,
            stopGrace: settings.stopGrace
        ) { process, notice in
            guard let seat = registry[process] else { return }
            Task { await seat.take(notice, of: process) }
        }
        server = HandlerServer(feed: feed, media: media, settings: settings, logger: logger)
        self.registry = registry
    }

    private let registry: SeatRegistry
    private let place: HandlerPlace
    private let temporary: String

    /// How many slots belong to processes that have started: those that have asked for their first job.
    public var readySlots: Int { min(slots, feed.readySlots) }

    /// Has `opened` called whenever a process has started.
    public func whenOpened(_ opened: @escaping @Sendable () -> Void) {
        feed.whenOpened(opened)
    }

    /// Opens the loopback server and starts the processes; work waits for them.
    public func start() async {
        let temporary = temporary
        // Beside the start: what workers that were killed have left may be much.
        _ = startThread { _ = ScratchFolder.sweep(temporary) }
        let address: String
        do {
            address = try await server.start()
        } catch {
            let message = "the server for handlers could not be started: \(error)"
            failure.withLock { $0 = EngineTrouble(at: .now, message: message, output: "") }
            logger.error("handler server failed", metadata: [LogKey.error: "\(error)"])
            feed.drain()
            return
        }
        let setting = HandlerSeat.Setting(
            definition: definition,
            command: command,
            listed: listed,
            settings: settings,
            server: address,
            place: place,
            logger: logger
        )
        let registry = registry
        let made = Self.places(definition, settings).enumerated().map { index, gpu in
            HandlerSeat(index: index, gpu: gpu, setting: setting, feed: feed) { registry[$0] = $1 }
        }
        seats.withLock { $0 = made }
        for seat in made { await seat.start() }
    }

    /// Runs one attempt in whichever process asks first.
    public func run(_ work: HandlerWork, context: any HandlerContext) async -> HandlerOutcome {
        await feed.run(work, context: context)
    }

    /// Takes no new work; what waits goes back, what runs goes on.
    public func drain() async {
        feed.drain()
    }

    /// Ends every process: asked first, killed after the grace.
    public func stop() async {
        feed.drain()
        let seats = seats.withLock { seats in
            defer { seats = [] }
            return seats
        }
        await withDiscardingTaskGroup { group in
            for seat in seats { group.addTask { await seat.end() } }
        }
        await server.stop()
        await place.leave()
    }

    /// Why processes do not run, oldest first.
    public var trouble: [EngineTrouble] {
        get async {
            var found = failure.withLock { $0 }.map { [$0] } ?? []
            for seat in seats.withLock({ $0 }) {
                if let trouble = await seat.trouble { found.append(trouble) }
            }
            return found.sorted { $0.at < $1.at }
        }
    }

    /// The processes of one worker, each with its GPU.
    private static func places(_ definition: ServiceDefinition, _ settings: ProcessEngineSettings) -> [Int?] {
        let gpus: [Int?] =
            switch definition.gpus {
            case .none: [nil]
            case .all: settings.gpus.isEmpty ? [nil] : settings.gpus
            case .listed(let numbers): numbers.isEmpty ? [nil] : numbers
            }
        return (0..<max(1, definition.processes)).flatMap { _ in gpus }
    }
}
