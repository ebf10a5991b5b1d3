// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Callbacks
import HTTPTypes
import Plumbing
import Workflow

/// The body of `/run` and `/runsync`; members that are not known are passed over.
///
/// See the RunPod contract, 1.3.
struct RunPodSubmission: Sendable {
    /// What the handler works on.
    var input: JSON
    /// Where the end is posted.
    var webhook: String?
    /// The time limit of the run; nil for the service's own.
    var executionTimeout: Duration?
    /// How long the job lives, from its submission.
    var timeToLive: Duration
    /// Whether others come first.
    var isLowPriority: Bool
    /// Where the handler may put files, as it came.
    var storage: JSON?

    /// The priority of a submission with `lowPriority`.
    static let lowPriority = -1
    /// The largest body of `/run` in bytes.
    static let runLimit = 10 << 20
    /// The largest body of `/runsync` in bytes.
    static let runSyncLimit = 20 << 20

    private static let executionTimeouts = 5_000...604_800_000
    private static let timesToLive = 10_000...604_800_000
    private static let dayInMilliseconds = 86_400_000
    private static let storageTexts = ["accessId", "accessSecret", "bucketName", "endpointUrl", "objectPath"]

    /// Reads a body.
    ///
    /// - Throws: ``Problem`` with the field that is wrong.
    init(reading body: JSON) throws(Problem) {
        guard let input = body["input"], input != .null else {
            throw Problem(.badRequest, "send the handler's input as 'input'", field: "/input")
        }
        self.input = input
        let later = try Self.text(body, "webhookV2")
        webhook = try Self.text(body, "webhook") ?? later
        let policy = try Self.object(body, "policy")
        executionTimeout = try Self.milliseconds(policy, "executionTimeout", Self.executionTimeouts)
        timeToLive =
            try Self.milliseconds(policy, "ttl", Self.timesToLive) ?? .milliseconds(Self.dayInMilliseconds)
        switch policy?["lowPriority"] {
        case nil, .null?: isLowPriority = false
        case .bool(let value)?: isLowPriority = value
        default: throw Self.refusal("/policy/lowPriority", "true or false")
        }
        if let storage = try Self.object(body, "s3Config") {
            for name in Self.storageTexts { _ = try Self.text(storage, name, in: "/s3Config") }
            self.storage = storage
        }
    }

    /// Refuses a webhook that no call may go to.
    func checkWebhook(_ rules: any DestinationRules) async throws(Problem) {
        guard let webhook, let refusal = await rules.refusal(of: webhook) else { return }
        throw Problem(.badRequest, "the webhook can't be called: \(refusal)", field: "/webhook")
    }

    private static func text(_ object: JSON, _ name: String, in parent: String = "") throws(Problem) -> String? {
        switch object[name] {
        case nil, .null?: return nil
        case .string(let text)?: return text.isEmpty ? nil : text
        default: throw refusal("\(parent)/\(name)", "a string")
        }
    }

    private static func object(_ object: JSON, _ name: String) throws(Problem) -> JSON? {
        switch object[name] {
        case nil, .null?: return nil
        case let value? where value.object != nil: return value
        default: throw refusal("/\(name)", "an object")
        }
    }

    private static func milliseconds(
        _ policy: JSON?,
        _ name: String,
        _ range: ClosedRange<Int>
    ) throws(Problem) -> Duration? {
        guard let value = policy?[name], value != .null else { return nil }
        guard let number = value.int, range.contains(number) else {
            throw refusal(
                "/policy/\(name)",
                "a whole number of milliseconds from \(range.lowerBound) to \(range.upperBound)"
            )
        }
        return .milliseconds(number)
    }

    private static func refusal(_ field: String, _ expected: String) -> Problem {
        let name = field.dropFirst().replacing("/", with: ".")
        return Problem(.badRequest, "'\(name)' must be \(expected)", field: field)
    }
}
