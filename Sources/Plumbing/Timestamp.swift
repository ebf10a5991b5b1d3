// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

#if canImport(FoundationEssentials)
public import FoundationEssentials
#else
public import Foundation
#endif
#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// A moment in microseconds since 1970-01-01T00:00:00Z.
public struct Timestamp: Sendable, Hashable, Comparable, Codable {
    /// Microseconds since the Unix epoch.
    public var microseconds: Int64

    /// Makes a moment.
    public init(microseconds: Int64) {
        self.microseconds = microseconds
    }

    /// The seconds of the years 0 to 9999, all that RFC 3339 can write; the parser reads more than 64 bits can tell.
    private static let fourDigitYears = -62_167_219_200.0..<253_402_300_800.0

    /// The present moment by this machine's clock.
    public static var now: Timestamp {
        Timestamp(microseconds: Int64((Date().timeIntervalSince1970 * 1_000_000).rounded()))
    }

    /// Parses RFC 3339, with or without a fraction; nil when it is not one.
    public init?(rfc3339 text: String) {
        let style = Date.ISO8601FormatStyle(includingFractionalSeconds: text.contains("."))
        guard let date = try? style.parse(text), Self.fourDigitYears.contains(date.timeIntervalSince1970) else {
            return nil
        }
        self.init(microseconds: Int64((date.timeIntervalSince1970 * 1_000_000).rounded()))
    }

    /// Parses `Sun, 06 Nov 1994 08:49:37 GMT`, the one form of RFC 9110 that senders may generate; nil for others.
    public init?(httpDate text: String) {
        let parts = text.split(separator: " ")
        let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        guard parts.count == 6, parts[5] == "GMT", let day = Int(parts[1]), let year = Int(parts[3]),
            let month = months.firstIndex(of: String(parts[2]))
        else { return nil }
        func padded(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
        self.init(rfc3339: "\(year)-\(padded(month + 1))-\(padded(day))T\(parts[4])Z")
    }

    /// The moment in RFC 3339 with milliseconds, in UTC: `2026-11-21T00:05:16.261Z`.
    ///
    /// One that RFC 3339 can't write, outside the years 0 to 9999, is written as the nearest that it can.
    public var rfc3339: String {
        // By hand, as every answer and callback has one, and Foundation's formatter was seen in an API's profile.
        let range = Int64(Self.fourDigitYears.lowerBound) * 1000..<Int64(Self.fourDigitYears.upperBound) * 1000
        let rounded = microseconds / 1000 - (microseconds % 1000 < 0 ? 1 : 0)
        let milliseconds = min(max(rounded, range.lowerBound), range.upperBound - 1)
        let fraction = ((milliseconds % 1000) + 1000) % 1000
        var seconds = time_t((milliseconds - fraction) / 1000)
        var parts = tm()
        gmtime_r(&seconds, &parts)
        let fields: [(value: Int, width: Int, end: UInt8)] = [
            (Int(parts.tm_year) + 1900, 4, UInt8(ascii: "-")), (Int(parts.tm_mon) + 1, 2, UInt8(ascii: "-")),
            (Int(parts.tm_mday), 2, UInt8(ascii: "T")), (Int(parts.tm_hour), 2, UInt8(ascii: ":")),
            (Int(parts.tm_min), 2, UInt8(ascii: ":")), (Int(parts.tm_sec), 2, UInt8(ascii: ".")),
            (Int(fraction), 3, UInt8(ascii: "Z")),
        ]
        return String(unsafeUninitializedCapacity: 24) { buffer in
            var next = 0
            for (value, width, end) in fields {
                var rest = value
                for place in (next..<next + width).reversed() {
                    buffer[place] = UInt8(ascii: "0") + UInt8(rest % 10)
                    rest /= 10
                }
                buffer[next + width] = end
                next += width + 1
            }
            return next
        }
    }

    /// The moment as a `Date`.
    public var date: Date { Date(timeIntervalSince1970: Double(microseconds) / 1_000_000) }

    /// Orders moments by time.
    public static func < (left: Timestamp, right: Timestamp) -> Bool { left.microseconds < right.microseconds }

    /// The moment `duration` later.
    public static func + (moment: Timestamp, duration: Duration) -> Timestamp {
        let (sum, isTooMuch) = moment.microseconds.addingReportingOverflow(duration.wholeMicroseconds)
        return Timestamp(microseconds: isTooMuch ? (duration < .zero ? .min : .max) : sum)
    }

    /// The moment `duration` earlier.
    public static func - (moment: Timestamp, duration: Duration) -> Timestamp {
        let (rest, isTooMuch) = moment.microseconds.subtractingReportingOverflow(duration.wholeMicroseconds)
        return Timestamp(microseconds: isTooMuch ? (duration < .zero ? .max : .min) : rest)
    }

    /// The time from `right` to `left`.
    public static func - (left: Timestamp, right: Timestamp) -> Duration {
        .microseconds(left.microseconds) - .microseconds(right.microseconds)
    }
}

extension Duration {
    /// The duration in whole microseconds, cut off below; one that is too long for them is the longest that is not.
    public var wholeMicroseconds: Int64 {
        // Numbers from elsewhere become durations, and a duration can be a million times as long as 64 bits can tell.
        let (seconds, attoseconds) = components
        let (whole, isTooMuch) = seconds.multipliedReportingOverflow(by: 1_000_000)
        let (sum, isStillTooMuch) = whole.addingReportingOverflow(attoseconds / 1_000_000_000_000)
        return isTooMuch || isStillTooMuch ? (seconds < 0 ? .min : .max) : sum
    }

    /// The duration in whole milliseconds, cut off below.
    public var wholeMilliseconds: Int64 { wholeMicroseconds / 1000 }

    /// So many milliseconds from elsewhere, or the longest duration that ``wholeMilliseconds`` tells.
    public static func milliseconds(fromElsewhere count: Int) -> Duration {
        .milliseconds(min(max(Int64(count), .min / 1000), .max / 1000))
    }

    /// The duration in seconds.
    public var inSeconds: Double { Double(wholeMicroseconds) / 1_000_000 }
}
