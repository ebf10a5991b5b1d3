// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// Judges whether a URL of a client's may be called: scheme, host and the addresses behind it.
///
/// The guarded client checks the address that it connects to once more; this is for an early answer in words.
public protocol DestinationRules: Sendable {
    /// Why the URL may not be called, for a person; nil when it may.
    func refusal(of url: String) async -> String?
}
