// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

public import HTTPTransfer
public import Ledger
public import Logging
import Metrics
import Plumbing

/// One attempt to deliver a callback, and its record.
public struct CallbackDelivery: Sendable {
    private typealias Entry = (attempt: CallbackAttempt, state: CallbackRecord.State, dueIn: Duration?)

    private let trusted: any HTTPTransferring
    private let guarded: any HTTPTransferring
    private let secrets: [WebhookSecret]
    private let token: @Sendable (String) -> String?
    private let tokenOrigins: Set<URLOrigin>
    private let retries: [Duration]?
    private let timeout: Duration
    private let ledger: any Ledger
    private let clock: LedgerClock
    private let logger: Logger
    private let records: Batcher<Entry, Void>

    /// Makes one.
    ///
    /// - Parameters:
    ///   - trusted: sends to the operator's own receivers.
    ///   - guarded: sends to clients' URLs; it must refuse forbidden networks.
    ///   - clock: tells the time that is signed; without one this machine does.
    public init(
        settings: CallbackSettings,
        trusted: any HTTPTransferring,
        guarded: any HTTPTransferring,
        ledger: any Ledger,
        clock: LedgerClock? = nil,
        logger: Logger
    ) {
        self.ledger = ledger
        self.clock = clock ?? LedgerClock(ledger)
        retries = settings.retries
        timeout = settings.timeout
        self.trusted = trusted
        self.guarded = guarded
        secrets = settings.secrets
        token = settings.token
        tokenOrigins = Set(
            ([settings.callbackURL].compactMap(\.self) + settings.tokenOrigins).compactMap { URLOrigin($0) }
        )
        self.logger = logger
        records = Batcher(lanes: 1, maxSize: 200) { entries in await Self.record(entries, ledger) }
    }

    /// Sends once and records what came of it; tells whether the receiver answered at all.
    ///
    /// - Parameter ended: is told the same before the record is written, when the receiver may be sent another.
    @discardableResult
    public func attempt(_ callback: CallbackRecord, ended: (Bool) -> Void = { _ in }) async -> Bool {
        let startedAt = clock.now
        let began = ContinuousClock.now
        let verdict = await send(callback, at: startedAt)
        ended(verdict.status != nil)
        // Broken off by this process's own end: no fault of the receiver's, who may never have seen it. Unrecorded, it
        // is sent again by whoever takes it when its hold is over, and costs none of its attempts.
        if Task.isCancelled, verdict.status == nil { return false }
        let number = callback.attempts + 1
        let attempt = CallbackAttempt(
            callback: callback.id,
            number: number,
            startedAt: startedAt,
            duration: ContinuousClock.now - began,
            status: verdict.status,
            error: verdict.error
        )
        let (state, wait) = Self.next(after: verdict, attempts: number, CallbackSchedule.of(callback, retries: retries))
        Counter(label: "malla_callback_attempts_total", dimensions: [("outcome", verdict.outcome)]).increment()
        var metadata: Logger.Metadata = [
            LogKey.callback: "\(callback.id)", LogKey.task: "\(callback.task)", LogKey.attempt: "\(number)",
            "malla.state": "\(state.rawValue)",
        ]
        if let status = verdict.status { metadata["http.response.status_code"] = "\(status)" }
        if let error = verdict.error { metadata[LogKey.error] = "\(error)" }
        logger.info("callback attempted", metadata: metadata)
        do {
            try await records.submit((attempt, state, wait))
        } catch {
            // Unrecorded, it will be sent once more when its hold is over: at least once is the promise.
            logger.warning(
                "a callback's attempt could not be recorded",
                metadata: [LogKey.callback: "\(callback.id)", LogKey.error: "\(error)"]
            )
        }
        return verdict.status != nil
    }

    /// The moment by the clock that callbacks' holds are measured by.
    var now: Timestamp { clock.now }

    /// Keeps callbacks this process's for a while longer.
    func hold(_ callbacks: [MeshID]) async throws(LedgerError) {
        try await ledger.holdCallbacks(callbacks, for: CallbackRecord.hold)
    }

    /// Notes that holds could not be renewed: what is under way may be sent twice.
    func lostHolds(_ count: Int, _ error: LedgerError) {
        logger.warning(
            "the holds of callbacks under way could not be renewed",
            metadata: [LogKey.count: "\(count)", LogKey.error: "\(error)"]
        )
    }

    /// What a callback's state is after an attempt, and when it is due again.
    static func next(
        after verdict: Verdict,
        attempts: Int,
        _ schedule: CallbackSchedule = .standardWebhooks
    ) -> (state: CallbackRecord.State, wait: Duration?) {
        if verdict.isDelivered { return (.delivered, nil) }
        guard !verdict.isFinal,
            let wait = schedule.wait(afterAttempts: attempts, retryAfter: verdict.retryAfter)
        else { return (.abandoned, nil) }
        return (.pending, wait)
    }

    /// What an attempt came to.
    struct Verdict: Sendable {
        var status: Int?
        var error: String?
        var retryAfter: Duration?
        var isFinal = false
        var isDelivered: Bool { error == nil }
        var outcome: String { isDelivered ? "delivered" : status == nil ? "unreachable" : "refused" }
    }

    private func send(_ callback: CallbackRecord, at now: Timestamp) async -> Verdict {
        let client = callback.isTrusted ? trusted : guarded
        let request = TransferRequest(
            "POST",
            callback.url,
            headers: headers(of: callback, at: now),
            body: .bytes(callback.body),
            timeout: timeout
        )
        do throws(TransferError) {
            let head = try await CallbackExchange(client: client, timeout: timeout).run(request)
            return Self.judge(status: head.status, retryAfter: RetryAfter.parse(head["retry-after"]))
        } catch {
            return Verdict(error: error.description, isFinal: error.code == .invalid)
        }
    }

    static func judge(status: Int, retryAfter: Duration?) -> Verdict {
        switch status {
        case 200...299: Verdict(status: status)
        case 410: Verdict(status: status, error: "the receiver is gone (410)", isFinal: true)
        case 300...399: Verdict(status: status, error: "status \(status): redirects are not followed")
        default: Verdict(status: status, error: "status \(status)", retryAfter: retryAfter)
        }
    }

    private func headers(of callback: CallbackRecord, at now: Timestamp) -> [(name: String, value: String)] {
        let id = callback.id.description
        let seconds = now.microseconds / 1_000_000
        var headers = [(name: "content-type", value: "application/json"), (name: "user-agent", value: "malla")]
        headers += callback.headers
        headers.append(("webhook-id", id))
        headers.append(("webhook-timestamp", String(seconds)))
        if !secrets.isEmpty {
            let signatures = secrets.map { $0.sign(id: id, timestamp: seconds, body: callback.body) }
            headers.append(("webhook-signature", signatures.joined(separator: " ")))
        }
        // A client's URL gets the signature alone, never a credential that it could use against us.
        guard callback.app != CallbackRecord.directApp else { return headers }
        if !tokenOrigins.isEmpty, let origin = URLOrigin(callback.url), tokenOrigins.contains(origin),
            let token = token(callback.app)
        {
            headers.append(("x-marketplace-token", token))
        }
        return headers
    }

    private static func record(_ entries: [Entry], _ ledger: any Ledger) async -> [Result<Void, any Error>] {
        let backoff = Backoff(base: .milliseconds(200), cap: .seconds(2))
        for failures in 1... {
            do throws(LedgerError) {
                try await ledger.record(entries)
                return entries.map { _ in .success(()) }
            } catch {
                guard error.isRetriable, failures < 5 else { return entries.map { _ in .failure(error) } }
                do { try await Task.sleep(for: backoff.delay(afterFailures: failures)) } catch {
                    return entries.map { _ in .failure(error) }
                }
            }
        }
        return []
    }
}
