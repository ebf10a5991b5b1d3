// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// What users and tokens may have, as a file says it; see docs/operations.md, "Priorities, fairness, limits".
public struct Limits: Sendable, Hashable {
    /// What a user has who is not named, and what the named ones have where they don't say otherwise.
    public var byDefault = Allowance()
    /// By user, with the defaults filled in.
    public var users: [String: Allowance] = [:]
    /// By the token's name; no defaults apply.
    public var tokens: [String: Allowance] = [:]
    /// Calls of one service that an operation allows in 10 seconds.
    public var endpoints: [LimitedEndpoint.Operation: Int] = [:]

    /// Makes limits that limit nothing.
    public init() {}

    /// What a user may have: by the name as jobs carry it, or for `app/user` by the name after the app's.
    public func allowance(ofUser user: String) -> Allowance {
        if users.isEmpty { return byDefault }
        if let own = users[user] { return own }
        guard let slash = user.firstIndex(of: "/") else { return byDefault }
        return users[String(user[user.index(after: slash)...])] ?? byDefault
    }

    /// A user's weight.
    public func weight(ofUser user: String) -> Double { allowance(ofUser: user).weight ?? 1 }
}
