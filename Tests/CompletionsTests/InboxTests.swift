// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Testing

@testable import Completions

@Suite struct InboxTests {
    @Test func anInboxKeepsToItsLimitAndEnds() async {
        let inbox = Inbox<Int>(limit: 3)
        #expect(inbox.put([1, 2]) == [] && inbox.put([3, 4, 5]) == [4, 5])
        #expect(await inbox.take(upTo: 2) == [1, 2])
        #expect(inbox.put([6, 7, 8]) == [8])
        inbox.close()
        #expect(await inbox.take(upTo: 9) == [3, 6, 7])
        #expect(await inbox.take(upTo: 9) == nil)
        let dropped = Inbox<Int>()
        dropped.put([1])
        dropped.close(dropping: true)
        #expect(await dropped.take(upTo: 1) == nil)
    }
}
