// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import NIOCore

/// What a connection waits for, and since when; used on its event loop alone.
struct ClientClock {
    /// What is to be done with a connection.
    enum Verdict { case patient, requestTimedOut, answerUnread, idleTooLong }

    private let limits: ClientLimits
    /// Requests whose head has come and whose answer has not gone.
    private(set) var openRequests = 0
    /// Whether the last of them is still coming.
    private(set) var isBodyOpen = false
    /// Whether an answer has begun and has not ended.
    private var isAnswering = false
    /// Since when a request's first bytes wait for the rest of its head.
    private var headSince: NIODeadline?
    private var idleSince: NIODeadline
    private var demandSince: NIODeadline?
    private var waited: TimeAmount = .zero
    private var bodyBytes = 0
    private var written = 0
    /// When the present look at an answer that is not read began, and what had been sent by then.
    private var stall: (since: NIODeadline, sent: Int)?

    init(limits: ClientLimits, now: NIODeadline) {
        self.limits = limits
        idleSince = now
    }

    /// Whether a request that takes too long can be answered 408: nothing of its own answer has gone, and no answer
    /// before it is due.
    var canBeTold: Bool { isBodyOpen ? openRequests == 1 && !isAnswering : openRequests == 0 }

    /// Bytes have come: the first ones of a request start its clock.
    mutating func received(at now: NIODeadline) {
        if let since = demandSince, isBodyOpen { waited = waited + (now - since) }
        demandSince = nil
        if openRequests == 0, !isBodyOpen, headSince == nil { headSince = now }
    }

    /// The server wants to read: what passes until bytes come is the client's time.
    mutating func wantsBytes(at now: NIODeadline) {
        if demandSince == nil { demandSince = now }
    }

    mutating func head() {
        (openRequests, isBodyOpen, headSince, waited, bodyBytes) = (openRequests + 1, true, nil, .zero, 0)
    }

    mutating func body(_ count: Int) { bodyBytes += count }

    mutating func endOfRequest() { isBodyOpen = false }

    mutating func startOfAnswer() { isAnswering = true }

    mutating func endOfAnswer(at now: NIODeadline) {
        // A request that is refused for its framing is answered without having been counted.
        openRequests = max(0, openRequests - 1)
        isAnswering = false
        idleSince = now
    }

    mutating func wrote(_ count: Int) { written += count }

    /// Looks at the connection.
    ///
    /// - Parameter buffered: the bytes of answers that the client has not taken yet.
    mutating func verdict(at now: NIODeadline, buffered: Int, isCrowded: Bool) -> Verdict {
        let patience = TimeAmount(limits.patience)
        if let headSince, now - headSince > patience { return .requestTimedOut }
        if isBodyOpen {
            let time = waited + (demandSince.map { now - $0 } ?? .zero)
            let earned = TimeAmount.milliseconds(Int64(bodyBytes) * 1000 / Int64(ClientLimits.leastRate))
            if time > patience + earned { return .requestTimedOut }
        }
        if isUnread(at: now, buffered, patience) { return .answerUnread }
        guard openRequests == 0, buffered == 0 else { return .patient }
        let idle = isCrowded ? min(ClientLimits.crowdedIdle, limits.idle) : limits.idle
        return now - max(idleSince, headSince ?? idleSince) > TimeAmount(idle) ? .idleTooLong : .patient
    }

    private mutating func isUnread(at now: NIODeadline, _ buffered: Int, _ patience: TimeAmount) -> Bool {
        guard buffered > 0 else {
            stall = nil
            return false
        }
        let sent = written - buffered
        guard let (since, before) = stall else {
            stall = (now, sent)
            return false
        }
        guard now - since > patience else { return false }
        let least = Int((now - since).nanoseconds / 1_000_000_000) * ClientLimits.leastRate
        stall = (now, sent)
        return sent - before < max(1, least)
    }
}
