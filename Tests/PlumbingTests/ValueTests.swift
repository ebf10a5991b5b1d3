// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Foundation
import MallaTestKit
import Plumbing
import Testing

private struct Counting: RandomNumberGenerator {
    var state: UInt64 = 0
    mutating func next() -> UInt64 {
        state &+= 0x1234_5678_9ABC_DEF1
        return state
    }
}

struct BackoffTests {
    @Test func doublesUpToItsCap() {
        let backoff = Backoff(base: .milliseconds(100), cap: .seconds(1), jitter: 0)
        let delays = (0...6).map { backoff.delay(afterFailures: $0).wholeMilliseconds }
        #expect(delays == [0, 100, 200, 400, 800, 1000, 1000])
        #expect(backoff.delay(afterFailures: 1_000_000) == .seconds(1))
        #expect(backoff.delay(afterFailures: -1) == .zero)
    }

    @Test func jitterStaysInItsRange() {
        var generator = Counting()
        let backoff = Backoff(base: .seconds(1), cap: .seconds(60), jitter: 0.5)
        for _ in 0..<1000 {
            let delay = backoff.delay(afterFailures: 1, using: &generator)
            #expect(delay >= .milliseconds(500) && delay <= .seconds(1))
        }
    }
}

struct MeshIDTests {
    @Test func roundTrips() throws {
        for _ in 0..<100 {
            let id = MeshID()
            #expect(MeshID(id.description) == id)
            #expect(MeshID(id.description.uppercased()) == id)
            #expect(MeshID(id.description.filter { $0 != "-" }) == id)
            #expect(MeshID(bytes: id.bytes) == id)
        }
        let known = try #require(MeshID("017F22E2-79B0-7CC3-98C4-DC0C0C07398F"))
        #expect(known.description == "017f22e2-79b0-7cc3-98c4-dc0c0c07398f")
        #expect(known.bytes.prefix(2) == [0x01, 0x7F])
    }

    @Test func hasTheVersionAndTheVariant() {
        let text = Array(MeshID().description)
        #expect(text[14] == "7")
        #expect("89ab".contains(text[19]))
    }

    @Test func sortsByTime() {
        let start = Timestamp(microseconds: 1_700_000_000_000_000)
        let ids = (0..<3000).map { MeshID(at: start + .microseconds($0 * 7)) }
        #expect(ids == ids.sorted())
        #expect(ids.map(\.description) == ids.map(\.description).sorted())
    }

    @Test(arguments: [
        "", "x", "017f22e2-79b0-7cc3-98c4-dc0c0c07398", "017f22e2-79b0-7cc3-98c4-dc0c0c07398f0",
        "017f22e279-b0-7cc3-98c4-dc0c0c07398f", "017f22e2-79b0-7cc3-98c4-dc0c0c07398g",
        "é17f22e2-79b0-7cc3-98c4-dc0c0c07398",
    ])
    func refuses(_ text: String) {
        #expect(MeshID(text) == nil)
    }
}

struct QuantityTests {
    @Test func readsDurations() {
        #expect(Quantity.duration("5m") == .seconds(300))
        #expect(Quantity.duration("1.5s") == .milliseconds(1500))
        #expect(Quantity.duration("250 ms") == .milliseconds(250))
        #expect(Quantity.duration("30") == .seconds(30))
        #expect(Quantity.duration("2d") == .seconds(172_800))
        #expect(Quantity.duration("0") == .zero)
        for bad in ["", "s", "-5s", "5 parsecs", "1e5", "1..5s", "99999999999999999d"] {
            #expect(Quantity.duration(bad) == nil, "\(bad)")
        }
    }

    @Test func readsSizes() {
        #expect(Quantity.bytes("10MiB") == 10_485_760)
        #expect(Quantity.bytes("1.5KB") == 1500)
        #expect(Quantity.bytes("7") == 7)
        #expect(Quantity.bytes("-1") == nil)
        #expect(Quantity.bytes("5 apples") == nil)
    }

    @Test func writesDurationsForPeople() {
        #expect(Quantity.text(.milliseconds(350)) == "350 ms")
        #expect(Quantity.text(.milliseconds(2400)) == "2.4 s")
        #expect(Quantity.text(.seconds(2)) == "2 s")
        #expect(Quantity.text(.seconds(200)) == "3 min 20 s")
        #expect(Quantity.text(.seconds(18_120)) == "5 h 2 min")
    }
}

struct TimestampTests {
    @Test func readsAndWritesRFC3339() throws {
        let moment = try #require(Timestamp(rfc3339: "2026-11-21T00:05:16.261Z"))
        #expect(moment.rfc3339 == "2026-11-21T00:05:16.261Z")
        #expect(Timestamp(rfc3339: "2026-11-21T02:05:16+02:00")?.rfc3339 == "2026-11-21T00:05:16.000Z")
        #expect(Timestamp(microseconds: 0).rfc3339 == "1970-01-01T00:00:00.000Z")
        #expect(Timestamp(microseconds: 59_999_600).rfc3339 == "1970-01-01T00:00:59.999Z")
        #expect(Timestamp(microseconds: -1).rfc3339 == "1969-12-31T23:59:59.999Z")
        for bad in ["", "yesterday", "2026-13-01T00:00:00Z", "2026-11-21"] {
            #expect(Timestamp(rfc3339: bad) == nil, "\(bad)")
        }
    }

    @Test func calculates() {
        let moment = Timestamp(microseconds: 1_000_000)
        #expect((moment + .milliseconds(5)).microseconds == 1_005_000)
        #expect((moment - .seconds(2)).microseconds == -1_000_000)
        #expect(moment + .seconds(3) - moment == .seconds(3))
        #expect(moment < moment + .microseconds(1))
    }
}

struct EndlessTimeTests {
    @Test func timesAreWrittenAsFoundationWritesThem() {
        var dice = SeededGenerator(seed: 3339)
        let style = Date.ISO8601FormatStyle(includingFractionalSeconds: true)
        // From 1583 on: before, Foundation counts by the Julian calendar, which RFC 3339 does not know.
        let first = Int64(-12_212_553_600_000)
        let edges: [Int64] = [first, -1, 0, 1, 951_782_400_000, 1_709_164_800_000, 253_402_300_799_999]
        for milliseconds in edges + (0..<2000).map({ _ in .random(in: first..<253_402_300_800_000, using: &dice) }) {
            let written = Timestamp(microseconds: milliseconds * 1000 + 999).rfc3339
            // Foundation cuts off, and the nearest Double may lie just below.
            let date = Date(timeIntervalSince1970: (Double(milliseconds) + 0.1) / 1000)
            #expect(written == date.formatted(style))
        }
    }

    @Test func whatRFC3339CannotWriteIsTheNearestThatItCan() {
        #expect(Timestamp(microseconds: .max).rfc3339 == "9999-12-31T23:59:59.999Z")
        #expect(Timestamp(microseconds: .min).rfc3339 == "0000-01-01T00:00:00.000Z")
    }

    /// Strangers write these: a receiver into `Retry-After`, a client into `run_after`.
    @Test(arguments: [
        "498490-11-06T10:49:32Z", "99999999-01-01T00:00:00Z", "10000-01-01T00:00:00Z", "-99999999-01-01T00:00:00Z",
        "292277026596-12-04T15:30:08Z", "498490-11-06T10:49:32.123Z",
    ])
    func momentsBeyondTheYear9999AreNone(_ text: String) {
        #expect(Timestamp(rfc3339: text) == nil)
    }

    @Test func theLastMomentsOfTheYear9999AreRead() {
        #expect(Timestamp(rfc3339: "9999-12-31T23:59:59.999Z")?.rfc3339 == "9999-12-31T23:59:59.999Z")
        #expect(Timestamp(httpDate: "Fri, 31 Dec 9999 23:59:59 GMT")?.rfc3339 == "9999-12-31T23:59:59.000Z")
        #expect(Timestamp(httpDate: "Sun, 06 Nov 498490 10:49:32 GMT") == nil)
    }

    @Test func whatIsTooLongForMicrosecondsIsTheLongestThatIsNot() {
        #expect(Duration.seconds(Int64.max).wholeMicroseconds == .max)
        #expect(Duration.seconds(Int64.min).wholeMicroseconds == .min)
        #expect(Duration.microseconds(Int64.max).wholeMicroseconds == .max)
        #expect(Duration.microseconds(Int64.min).wholeMicroseconds == .min)
        #expect(Duration.microseconds(-1_500_001).wholeMicroseconds == -1_500_001)
        let now = Timestamp(microseconds: 1_792_000_000_000_000)
        #expect((now + .seconds(Int64.max)).microseconds == .max && (now - .seconds(Int64.min)).microseconds == .max)
        #expect((now + .seconds(Int64.min)).microseconds == .min + now.microseconds)
        let (first, last) = (Timestamp(microseconds: .min), Timestamp(microseconds: .max))
        #expect((first + .seconds(-1)).microseconds == .min && (first - .seconds(1)).microseconds == .min)
        #expect(last - first == .microseconds(Int64.max) - .microseconds(Int64.min))
    }
}
