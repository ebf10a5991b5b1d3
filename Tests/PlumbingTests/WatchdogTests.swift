// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Plumbing
import Testing

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// Runs what blocks on a thread of its own.
private actor Runner {
    nonisolated let loop: LoopThread
    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }
    init(loop: LoopThread) { self.loop = loop }
    func run<Value: Sendable>(_ call: @Sendable () -> Value) -> Value { call() }
}

@Suite(.timeLimit(.minutes(1)))
struct WatchdogTests {
    private func pair() -> (CInt, CInt) {
        var ends: [CInt] = [-1, -1]
        #expect(socketpair(AF_UNIX, CInt(SOCK_STREAM.rawValue), 0, &ends) == 0)
        return (ends[0], ends[1])
    }

    /// Runs a call that blocks away from the cooperative pool.
    private func onThread<Value: Sendable>(_ call: @escaping @Sendable () -> Value) async -> Value {
        await Runner(loop: LoopThread(name: "blocking")).run(call)
    }

    @Test func endsACallThatDoesNotReturn() async {
        let (one, two) = pair()
        let watchdog = Watchdog(limit: .milliseconds(100))
        for round in 1...2 {
            let count = await onThread {
                var byte: UInt8 = 0
                return watchdog.guarding(one) { read(one, &byte, 1) }
            }
            #expect(count == 0)
            // The second read ends by itself, on a socket that is shut down already.
            #expect(watchdog.firings == 1, "round \(round)")
        }
        close(one)
        close(two)
    }

    @Test func leavesACallThatReturnsAlone() async throws {
        let (one, two) = pair()
        let watchdog = Watchdog(limit: .milliseconds(50))
        for _ in 0..<20 {
            let count = await onThread {
                var byte: UInt8 = 9
                return watchdog.guarding(one) { write(one, &byte, 1) }
            }
            #expect(count == 1)
        }
        // Longer than the limit with nothing armed: the passing of time is what is tested.
        try await Task.sleep(for: .milliseconds(200))
        var byte: UInt8 = 0
        #expect(write(one, &byte, 1) == 1)
        #expect(watchdog.firings == 0)
        close(one)
        close(two)
    }

    @Test func watchesAgainAfterItHasFired() async {
        let watchdog = Watchdog(limit: .milliseconds(50))
        for _ in 0..<3 {
            let (one, two) = pair()
            let count = await onThread {
                var byte: UInt8 = 0
                return watchdog.guarding(one) { read(one, &byte, 1) }
            }
            #expect(count == 0)
            close(one)
            close(two)
        }
        #expect(watchdog.firings == 3)
    }
}
