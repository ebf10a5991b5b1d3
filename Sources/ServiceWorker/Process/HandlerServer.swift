// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Hummingbird
import Logging
import MediaStore
import NIOCore
import Plumbing
import Synchronization

/// The loopback HTTP server that a service's processes talk to.
final class HandlerServer: Sendable {
    private let feed: JobFeed
    private let media: any MediaStore
    private let settings: ProcessEngineSettings
    private let logger: Logger
    private let running = Mutex<Task<Void, Never>?>(nil)

    init(feed: JobFeed, media: any MediaStore, settings: ProcessEngineSettings, logger: Logger) {
        self.feed = feed
        self.media = media
        self.settings = settings
        self.logger = logger
    }

    deinit {
        running.withLock { $0 }?.cancel()
    }

    /// Listens on a free port of the loopback interface; returns `http://127.0.0.1:PORT`.
    func start() async throws -> String {
        // It is cancelled in the end, which Hummingbird logs as an error; what goes wrong is thrown.
        var quiet = logger
        quiet.logLevel = .critical
        let port = OneShot<Int>()
        let feed = feed
        let application = Application(
            responder: HandlerResponder(feed: feed, media: media, settings: settings, logger: logger),
            server: .http1(
                configuration: .init(additionalChannelHandlers: [ConnectionWatch { feed.connectionEnded($0) }])
            ),
            configuration: ApplicationConfiguration(address: .hostname("127.0.0.1", port: 0)),
            onServerRunning: { channel in
                port.finish(channel.localAddress?.port.map { .success($0) } ?? .failure(HandlerServerError.noPort))
            },
            logger: quiet
        )
        // Detached from the task-locals of the worker's service: with them, the SIGTERM that begins a drain would close this
        // server as well, and no handler could hand in what it has finished.
        let task = Task.detached {
            do {
                try await application.run()
            } catch {
                port.finish(.failure(error))
            }
        }
        running.withLock { $0 = task }
        return "http://127.0.0.1:\(try await port.value())"
    }

    /// Closes every connection.
    func stop() async {
        let task = running.withLock { running in
            defer { running = nil }
            return running
        }
        task?.cancel()
        await task?.value
    }
}

/// Why the server for handlers could not start.
enum HandlerServerError: Error {
    /// It listens, and no port is known.
    case noPort
}
