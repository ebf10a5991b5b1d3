// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import BrokerClient
import MallaTestKit
import Testing

@testable import BrokerRabbitMQ

struct SettlementWindowTests {
    private func window(_ count: UInt64) -> SettlementWindow {
        var window = SettlementWindow()
        for tag in 1...count { window.deliver(tag) }
        return window
    }

    @Test func contiguousTagsGoOutAsOneFrame() {
        var window = window(5)
        for tag in [3, 1, 2] as [UInt64] { window.settle(tag, .acknowledged) }
        #expect(window.flush() == [.acknowledge(3, multiple: true)])
        #expect(window.flush().isEmpty)
        window.settle(5, .acknowledged)
        #expect(window.flush() == [.acknowledge(5, multiple: false)])
        window.settle(4, .acknowledged)
        #expect(window.flush() == [.acknowledge(4, multiple: false)])
        window.deliver(6)
        window.settle(6, .acknowledged)
        #expect(window.flush() == [.acknowledge(6, multiple: false)])
    }

    @Test func requeuedTagsAreNeverCoveredByMultiple() {
        var window = window(4)
        window.settle(2, .requeued)
        for tag in [1, 3] as [UInt64] { window.settle(tag, .acknowledged) }
        #expect(window.flush() == [.requeue(2), .acknowledge(3, multiple: true)])
        window.settle(2, .acknowledged)
        window.settle(9, .acknowledged)
        window.settle(0, .acknowledged)
        #expect(window.flush().isEmpty)
    }

    @Test func everyTagIsSettledOnceInAnyOrder() {
        for seed in 0..<200 {
            var generator = SeededGenerator(seed: UInt64(seed))
            var window = SettlementWindow()
            var (open, server): ([UInt64], Set<UInt64>) = ([], [])
            var (last, acknowledged, requeued): (UInt64, Set<UInt64>, Set<UInt64>) = (0, [], [])
            for _ in 0..<200 {
                switch Int.random(in: 0..<4, using: &generator) {
                case 0, 1:
                    last += 1
                    window.deliver(last)
                    open.append(last)
                    server.insert(last)
                case 2:
                    guard let index = open.indices.randomElement(using: &generator) else { break }
                    let tag = open.remove(at: index)
                    let isAcknowledged = Int.random(in: 0..<4, using: &generator) > 0
                    window.settle(tag, isAcknowledged ? .acknowledged : .requeued)
                    if isAcknowledged { acknowledged.insert(tag) } else { requeued.insert(tag) }
                default:
                    for frame in window.flush() {
                        switch frame {
                        case .requeue(let tag):
                            #expect(server.remove(tag) != nil && requeued.contains(tag))
                        case .acknowledge(let tag, let multiple):
                            #expect(server.contains(tag))
                            let covered = server.filter { multiple ? $0 <= tag : $0 == tag }
                            #expect(covered.isSubset(of: acknowledged))
                            server.subtract(covered)
                        }
                    }
                    #expect(server == Set(open), "seed \(seed)")
                }
            }
        }
    }
}
