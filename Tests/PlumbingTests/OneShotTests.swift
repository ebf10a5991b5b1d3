// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Plumbing
import Synchronization
import Testing

private struct Oops: Error {}

@Suite(.timeLimit(.minutes(1)))
struct OneShotTests {
    @Test func theFirstResultCounts() async throws {
        let shot = OneShot<Int>()
        #expect(shot.finish(.success(1)))
        #expect(!shot.finish(.success(2)))
        #expect(!shot.finish(.failure(Oops())))
        #expect(try await shot.value() == 1)
    }

    @Test func aWaiterGetsALaterResult() async throws {
        let shot = OneShot<Int>()
        async let value = shot.value()
        Task { shot.finish(.success(7)) }
        #expect(try await value == 7)
    }

    @Test func aFailureIsThrown() async {
        let shot = OneShot<Int>()
        shot.finish(.failure(Oops()))
        await #expect(throws: Oops.self) { try await shot.value() }
    }

    @Test func cancellingBeforeTheWaitEndsIt() async {
        let shot = OneShot<Int>()
        let task = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            return try await shot.value()
        }
        await #expect(throws: CancellationError.self) { try await task.value }
        #expect(!shot.finish(.success(1)))
    }

    @Test func cancellingDuringTheWaitEndsIt() async {
        let shot = OneShot<Int>()
        let task = Task { try await shot.value() }
        await Task.yield()
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
    }

    @Test func aWaitInAnyCaseOutlivesItsCancellation() async throws {
        let shot = OneShot<Int>()
        let task = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            return try await shot.valueInAnyCase()
        }
        await Task.yield()
        #expect(shot.finish(.success(7)))
        #expect(try await task.value == 7)
    }

    @Test func aTimeLimitDeliversOnlyWhatNobodyElseDid() async throws {
        let late = OneShot<Int>()
        let alarm = late.finish(after: .milliseconds(10), with: .success(1))
        #expect(try await late.value() == 1)
        alarm.lift()
        let first = OneShot<Int>()
        let limit = first.finish(after: .seconds(600), with: .success(1))
        #expect(first.finish(.success(2)))
        limit.lift()
        #expect(try await first.value() == 2)
        #expect(!first.finish(.success(3)))
    }

    @Test func aLiftedTimeLimitDeliversNothing() async throws {
        let (lifted, other) = (OneShot<Int>(), OneShot<Int>())
        lifted.finish(after: .milliseconds(10), with: .success(1)).lift()
        let alarm = other.finish(after: .milliseconds(50), with: .success(2))
        #expect(try await other.value() == 2, "it is due after the one that was lifted")
        alarm.lift()
        #expect(lifted.finish(.success(3)), "nothing was delivered before")
    }

    @Test func finishingAndCancellingAtOnceResumesOnce() async {
        for round in 0..<2000 {
            let shot = OneShot<Int>()
            let task = Task { try await shot.value() }
            async let finished = Task { shot.finish(.success(round)) }.value
            task.cancel()
            let result = await task.result
            let isFirst = await finished
            switch result {
            case .success(let value): #expect(isFirst && value == round)
            case .failure(let error): #expect(!isFirst && error is CancellationError)
            }
        }
    }
}
