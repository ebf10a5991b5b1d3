// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Plumbing

/// Foresees how long a waiting job will wait.
///
/// Plays the queue before it many times, with run times drawn from those of the jobs that ended last. Pure.
public struct WaitForecast: Sendable, Hashable {
    /// Half of the plays waited no longer.
    public var p50: Duration
    /// Nine of ten plays waited no longer.
    public var p90: Duration

    /// Above so many jobs ahead the law of large numbers does as well, and at once.
    private static let longestPlay = 2000
    private static let plays = 200

    /// Plays the queue; nil when nothing is known of run times, or nobody works.
    ///
    /// - Parameters:
    ///   - ahead: how many jobs are claimed before this one.
    ///   - slots: how many jobs run at once.
    ///   - ages: for how long those have run that run now; more than `slots` count as `slots`.
    ///   - runs: how long the last jobs ran.
    public init?(
        ahead: Int,
        slots: Int,
        ages: [Duration],
        runs: [Duration],
        using generator: inout some RandomNumberGenerator
    ) {
        guard slots > 0, !runs.isEmpty else { return nil }
        let seconds = runs.map(\.inSeconds).sorted()
        guard ahead <= Self.longestPlay else {
            self = Self.byNumbers(ahead: ahead, slots: slots, runs: seconds)
            return
        }
        let ages = ages.prefix(slots).map(\.inSeconds)
        var waits: [Double] = []
        for _ in 0..<Self.plays {
            waits.append(Self.play(ahead: ahead, slots: slots, ages: ages, runs: seconds, &generator))
        }
        waits.sort()
        p50 = .seconds(waits[waits.count / 2])
        p90 = .seconds(waits[waits.count * 9 / 10])
    }

    /// One play: when the first slot is free that is this job's.
    private static func play(
        ahead: Int,
        slots: Int,
        ages: [Double],
        runs: [Double],
        _ generator: inout some RandomNumberGenerator
    ) -> Double {
        var free = SlotHeap(count: slots - ages.count)
        for age in ages { free.push(rest(of: age, runs, &generator)) }
        for _ in 0..<ahead { free.push(free.pop() + runs[Int.random(in: 0..<runs.count, using: &generator)]) }
        return free.pop()
    }

    /// How much longer a job runs that has run for `age`: as one of those that ran longer, or half as long again.
    private static func rest(of age: Double, _ runs: [Double], _ generator: inout some RandomNumberGenerator) -> Double
    {
        guard let first = runs.firstIndex(where: { $0 > age }) else { return age / 2 }
        return runs[Int.random(in: first..<runs.count, using: &generator)] - age
    }

    private static func byNumbers(ahead: Int, slots: Int, runs: [Double]) -> WaitForecast {
        let mean = runs.reduce(0, +) / Double(runs.count)
        let variance = runs.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(runs.count)
        let middle = Double(ahead) * mean / Double(slots)
        // The 90th percentile of a normal distribution lies 1.2816 deviations above its mean.
        let spread = 1.2816 * (Double(ahead) * variance).squareRoot() / Double(slots)
        return WaitForecast(p50: .seconds(middle), p90: .seconds(middle + spread))
    }

    private init(p50: Duration, p90: Duration) {
        self.p50 = p50
        self.p90 = p90
    }
}
