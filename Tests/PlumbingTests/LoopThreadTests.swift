// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Plumbing
import Synchronization
import Testing

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// Counts on its own thread.
private actor LoopCounter {
    nonisolated let loop: LoopThread
    private(set) var count = 0
    private var threads: Set<UInt> = []

    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    init(loop: LoopThread) { self.loop = loop }

    func add() {
        count += 1
        threads.insert(UInt(bitPattern: Int(truncatingIfNeeded: pthread_self())))
    }

    var threadCount: Int { threads.count }
    var isOnLoop: Bool { loop.isIsolatingCurrentContext() == true }
}

/// Takes numbers out of an inbox in its turns.
private final class InboxSource: LoopSource {
    let inbox = Mutex<[Int]>([])
    let sum = Mutex((count: 0, total: 0))
    let reached = OneShot<Void>()
    let target: Int

    init(target: Int) { self.target = target }

    func turn() -> LoopWait {
        let taken = inbox.withLock { inbox in
            defer { inbox = [] }
            return inbox
        }
        let count = sum.withLock { sum in
            sum.count += taken.count
            sum.total += taken.reduce(0, +)
            return sum.count
        }
        if count >= target { reached.finish(.success(())) }
        return LoopWait()
    }
}

private actor Attacher {
    nonisolated let loop: LoopThread
    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }
    init(loop: LoopThread) { self.loop = loop }
    func attach(_ source: any LoopSource) { loop.attach(source) }
    func detach() { loop.detach() }
}

@Suite(.timeLimit(.minutes(1)))
struct LoopThreadTests {
    @Test func jobsRunOnItsThread() async {
        let counter = LoopCounter(loop: LoopThread(name: "test"))
        await counter.add()
        #expect(await counter.isOnLoop)
        #expect(counter.loop.isIsolatingCurrentContext() == false)
        #expect(await counter.threadCount == 1)
    }

    @Test func noWakeUpIsLostUnderFourWriters() async {
        let counter = LoopCounter(loop: LoopThread(name: "test"))
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<4 {
                group.addTask { for _ in 0..<10_000 { await counter.add() } }
            }
        }
        #expect(await counter.count == 40_000)
        #expect(await counter.threadCount == 1)
    }

    @Test func noTurnIsLostUnderFourWriters() async throws {
        let loop = LoopThread(name: "test")
        let source = InboxSource(target: 40_000)
        let attacher = Attacher(loop: loop)
        await attacher.attach(source)
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<4 {
                group.addTask {
                    for number in 0..<10_000 {
                        source.inbox.withLock { $0.append(number) }
                        loop.wake()
                    }
                }
            }
        }
        try await source.reached.value()
        #expect(source.sum.withLock { $0.total } == 4 * (0..<10_000).reduce(0, +))
        await attacher.detach()
    }

    @Test func oneWakeIsEnough() async throws {
        let loop = LoopThread(name: "test")
        let attacher = Attacher(loop: loop)
        for round in 0..<200 {
            let source = InboxSource(target: 1)
            await attacher.attach(source)
            source.inbox.withLock { $0.append(round) }
            loop.wake()
            try await source.reached.value()
        }
        await attacher.detach()
    }

    @Test func endsWhenItIsReleased() async throws {
        let name = "malla-gone-\(UInt16.random(in: 1000...9999))"
        let pinned = LoopCounter(loop: LoopThread(name: name))
        await pinned.add()
        #expect(threads(named: name) == 1)
        func shortLived() async {
            let counter = LoopCounter(loop: LoopThread(name: "x" + name.dropFirst()))
            await counter.add()
        }
        await shortLived()
        // The thread ends by itself; nothing tells when, so its list is looked at until it is gone.
        while threads(named: "x" + name.dropFirst()) > 0 { await Task.yield() }
        #expect(threads(named: name) == 1)
        await pinned.add()
    }

    @Test func aDetachedSourceAndItsLoopAreReleased() async {
        let loop = LoopThread(name: "test")
        let attacher = Attacher(loop: loop)
        weak var weakSource: InboxSource?
        do {
            let source = InboxSource(target: 1)
            weakSource = source
            await attacher.attach(source)
            loop.wake()
            await attacher.detach()
            await attacher.detach()
        }
        while weakSource != nil {
            loop.wake()
            await Task.yield()
        }
    }

    private func threads(named name: String) -> Int {
        guard let folder = opendir("/proc/self/task") else { return 0 }
        defer { closedir(folder) }
        var count = 0
        while let entry = readdir(folder) {
            let id = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            guard let file = fopen("/proc/self/task/\(id)/comm", "r") else { continue }
            defer { fclose(file) }
            var line = [CChar](repeating: 0, count: 64)
            guard fgets(&line, 64, file) != nil else { continue }
            let text = String(
                decoding: line.prefix { $0 != 10 && $0 != 0 }.map { UInt8(bitPattern: $0) },
                as: UTF8.self
            )
            if text == String(name.prefix(15)) { count += 1 }
        }
        return count
    }
}
