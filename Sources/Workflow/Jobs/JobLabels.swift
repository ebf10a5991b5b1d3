// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import Plumbing

/// What a direct job carries for those who made it: whose it is, what it is, and what its dialect adds.
///
/// Jobs of tasks have none: their app and stage say it all. See the job contract, "A job".
public struct JobLabels: Sendable, Hashable {
    /// The service of the caller, such as `telephony`.
    public var ownerService: String?
    /// The caller's stable reference, such as `beeline/4711`.
    public var ownerRef: String?
    /// The technical class of the task, such as `transcription`.
    public var taskType: String?
    /// The runtime profile, such as `whisperx`.
    public var modelProfile: String?
    /// Whose share of the service it takes; see ``FairRanks``.
    public var user: String?
    /// The priority, -7 to 7; a higher one is claimed first.
    public var priority = 0
    /// The caller's key: the same key of the same owner gives the same job.
    public var dedupKey: String?
    /// Where the end is posted, when the caller asked for it.
    public var webhook: String?
    /// The RunPod policy's `ttl`: how long after its creation the dialect still knows the job.
    public var timeToLive: Duration?
    /// The RunPod submission's `s3Config`, handed to the handler as it came.
    public var storage: JSON?
    /// How the caller wrapped the input, when it did; results are shown to it in the same way.
    public var envelope: Envelope?

    /// The ways in which an input can be wrapped.
    public enum Envelope: String, Sendable, Hashable {
        /// S-CONTRACT v2.1.
        case contract = "s-contract"
        /// GRACE's own form.
        case grace
    }

    /// The least and the greatest priority.
    public static let priorities = -7...7

    /// Makes empty labels.
    public init() {}

    /// The labels as JSON; what is not there is left out.
    public var json: JSON {
        var object = JSONObject()
        for (name, text) in texts { if let text { object[name] = .string(text) } }
        if priority != 0 { object["priority"] = .number(JSONNumber(priority)) }
        if let timeToLive { object["ttl_ms"] = .number(JSONNumber(Int(timeToLive.wholeMilliseconds))) }
        if let storage { object["s3_config"] = storage }
        return .object(object)
    }

    private var texts: [(String, String?)] {
        [
            ("owner_service", ownerService), ("owner_ref", ownerRef), ("task_type", taskType),
            ("model_profile", modelProfile), ("user", user), ("dedup_key", dedupKey), ("webhook", webhook),
            ("envelope", envelope?.rawValue),
        ]
    }

    /// Reads labels from JSON; members that are not understood are passed over.
    public init(json: JSON) {
        ownerService = json["owner_service"]?.string
        ownerRef = json["owner_ref"]?.string
        taskType = json["task_type"]?.string
        modelProfile = json["model_profile"]?.string
        user = json["user"]?.string
        priority = json["priority"]?.int ?? 0
        dedupKey = json["dedup_key"]?.string
        webhook = json["webhook"]?.string
        timeToLive = json["ttl_ms"]?.int.map { .milliseconds(fromElsewhere: $0) }
        storage = json["s3_config"]
        envelope = json["envelope"]?.string.flatMap(Envelope.init(rawValue:))
    }
}
