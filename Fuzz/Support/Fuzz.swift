// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Glibc

/// What every target needs: it calls the code under test, ends the process where a property does not hold, and keeps to a
/// budget of processor time, since a slow input is a finding, too.
enum Fuzz {
    /// Runs a target on an input.
    ///
    /// - Parameter budget: the processor time in seconds that an input of a few KiB may take, sanitizers included.
    static func run(
        _ start: UnsafePointer<UInt8>?,
        _ count: Int,
        budget: Double = 2,
        _ target: ([UInt8]) -> Void
    ) -> CInt {
        let began = processorTime()
        target(Array(UnsafeBufferPointer(start: start, count: count)))
        let took = processorTime() - began
        require(took < budget, "\(count) bytes took \(took) s of processor time")
        return 0
    }

    /// Ends the process, which libFuzzer reports with the input, when a property does not hold.
    static func require(_ holds: Bool, _ what: @autoclosure () -> String) {
        if !holds { fatalError(what()) }
    }

    /// Compares what must be equal.
    static func same<Value: Equatable>(_ left: Value, _ right: Value, _ what: @autoclosure () -> String) {
        require(left == right, "\(what()): \(left) is not \(right)")
    }

    /// This thread's processor time in seconds; other processes of a busy machine do not count.
    private static func processorTime() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }
}
