// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// What takes part in a ``LoopThread``'s turns: flushes what the queued jobs left and reads what arrived.
///
/// An actor conforms with `nonisolated func turn() -> LoopWait { assumeIsolated { $0.flushAndRead() } }`.
public protocol LoopSource: AnyObject, Sendable {
    /// Runs after the queued jobs of every turn, on the loop thread, and says how the loop may sleep.
    func turn() -> LoopWait

    /// Sleeps until the wait is over or `wake` becomes readable.
    ///
    /// The default is `poll(2)` over both descriptors; a library with a wait of its own (libcurl) replaces it.
    func sleep(_ wait: LoopWait, wake: CInt)
}

/// How a loop may sleep: on which socket, for which events, and at most how long.
public struct LoopWait: Sendable {
    /// The socket to wait for, or -1 for none.
    public var descriptor: CInt
    /// The `poll` events to wait for, `POLLIN` and `POLLOUT`.
    public var events: Int16
    /// The longest sleep in milliseconds; -1 for no limit, 0 for another turn at once.
    public var timeoutMilliseconds: CInt

    /// Makes a wait; without arguments it sleeps until the next job.
    public init(descriptor: CInt = -1, events: Int16 = 0, timeoutMilliseconds: CInt = -1) {
        self.descriptor = descriptor
        self.events = events
        self.timeoutMilliseconds = timeoutMilliseconds
    }
}

extension LoopSource {
    /// Sleeps in `poll(2)` on the source's descriptor and the wake pipe.
    public func sleep(_ wait: LoopWait, wake: CInt) {
        wait.poll(wake: wake)
    }
}

extension LoopWait {
    func poll(wake: CInt) {
        withUnsafeTemporaryAllocation(of: pollfd.self, capacity: 2) { descriptors in
            descriptors.initializeElement(at: 0, to: pollfd(fd: wake, events: Int16(POLLIN), revents: 0))
            // One that is negative is passed over (poll(2)).
            descriptors.initializeElement(at: 1, to: pollfd(fd: descriptor, events: events, revents: 0))
            // EINTR and errors on the source's own socket end the sleep as readiness does: the next turn meets them.
            _ = pollDescriptors(descriptors.baseAddress, timeoutMilliseconds)
        }
    }
}

private func pollDescriptors(_ descriptors: UnsafeMutablePointer<pollfd>?, _ timeout: CInt) -> CInt {
    poll(descriptors, 2, timeout)
}
