// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Dispatch

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// Runs a blocking body on a thread of its own, away from the cooperative pool; false when none could be started.
func startThread(_ body: @escaping @Sendable () -> Void) -> Bool {
    let context = Unmanaged.passRetained(ThreadBody(body))
    var thread = pthread_t()
    guard pthread_create(&thread, nil, threadMain, context.toOpaque()) == 0 else {
        context.release()
        return false
    }
    pthread_detach(thread)
    return true
}

private final class ThreadBody: Sendable {
    let run: @Sendable () -> Void

    init(_ run: @escaping @Sendable () -> Void) {
        self.run = run
    }
}

private func threadMain(_ context: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    guard let context else { return nil }
    Unmanaged<ThreadBody>.fromOpaque(context).takeRetainedValue().run()
    return nil
}

/// Something that one thread waits for and another raises once.
final class HandlerFlag: Sendable {
    private let semaphore = DispatchSemaphore(value: 0)

    /// Raises the flag.
    func raise() {
        semaphore.signal()
    }

    /// Blocks the calling thread, one of our own, until the flag is up or the time is over.
    func wait(milliseconds: Int) {
        _ = semaphore.wait(timeout: .now() + .milliseconds(milliseconds))
    }
}
