// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

public import Ledger
public import MediaStore
internal import Plumbing
internal import Workflow

/// Runs a Swift handler inside the worker.
public final class NativeEngine: Engine {
    /// How many jobs run at once at most.
    public let slots: Int
    private let handler: any NativeHandler
    private let media: any MediaStore
    private let ledger: any Ledger

    /// Makes an engine that runs up to `concurrency` jobs at once.
    public init(handler: any NativeHandler, concurrency: Int, media: any MediaStore, ledger: any Ledger) {
        slots = max(1, concurrency)
        self.handler = handler
        self.media = media
        self.ledger = ledger
    }

    /// Nothing: there is no process that could fail to start.
    public var trouble: [EngineTrouble] { [] }

    /// Nothing is to be started.
    public func start() async {}

    /// Runs one attempt; a handler that ignores cancellation runs to its end.
    public func run(_ work: HandlerWork, context: any HandlerContext) async -> HandlerOutcome {
        let input: JSON
        do {
            input = try JSON(parsing: work.input)
        } catch {
            return .failed(JobError(.invalidInput, "the input is not JSON: \(error.message) (byte \(error.offset))"))
        }
        let native = NativeContext(job: work.job, media: media, ledger: ledger, trace: work.trace, told: context)
        do {
            return .succeeded(try await handler.run(input, context: native).bytes)
        } catch let error as JobError {
            return Task.isCancelled ? .stopped : .failed(error)
        } catch {
            return Task.isCancelled ? .stopped : .failed(JobError(.handler, "\(error)"))
        }
    }

    /// Nothing waits here: every job that came runs.
    public func drain() async {}

    /// Native code can't be ended by force; the worker has cancelled what runs.
    public func stop() async {}
}
