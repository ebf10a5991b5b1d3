// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// Tells a test about a moment inside the code; silent in production.
public struct Probe<Value: Sendable>: Sendable {
    private let sink: (@Sendable (Value) -> Void)?

    /// A probe that nobody listens to; firing it costs one comparison.
    public static var silent: Self { Probe(sink: nil) }

    /// Makes a probe that calls `sink` at every moment.
    public init(sink: (@Sendable (Value) -> Void)?) {
        self.sink = sink
    }

    /// Makes a probe and the stream of what it fires, without bound; for tests.
    public static func recording() -> (probe: Self, values: AsyncStream<Value>) {
        let (stream, continuation) = AsyncStream<Value>.makeStream()
        return (Probe { continuation.yield($0) }, stream)
    }

    /// Marks the moment; `value` is only made when somebody listens.
    public func fire(_ value: @autoclosure () -> Value) {
        if let sink { sink(value()) }
    }
}
