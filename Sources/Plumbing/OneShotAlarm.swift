// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// A time limit that was set on a ``OneShot``; see ``OneShot/finish(after:with:)``.
public struct OneShotAlarm: Sendable {
    fileprivate let id: UInt64

    /// Lifts the limit; harmless when it is over already.
    public func lift() { Alarms.shared.lift(id) }
}

extension OneShot {
    /// Delivers a result after `limit`, or some milliseconds later, unless another one was delivered by then.
    ///
    /// - Returns: what is to be lifted when the wait is over, so that nothing is kept for the rest of the time.
    public func finish(
        after limit: Duration,
        with result: @autoclosure @escaping @Sendable () -> Result<Value, any Error>
    ) -> OneShotAlarm {
        OneShotAlarm(id: Alarms.shared.set(at: .now + limit) { self.finish(result()) })
    }
}
