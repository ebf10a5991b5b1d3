// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import HTTPTransfer
internal import Plumbing
internal import Workflow

/// A provider as a worker calls it: its variables have been read.
struct Upstream: Sendable {
    let name: String
    let kind: String?
    /// The address without a slash at its end.
    let url: String
    let key: String?
    let model: String?
    /// How long one call may take in all.
    let timeout: Duration
    let promptPrice: Double?
    let completionPrice: Double?

    /// Takes a provider whose variables have been read and whose address is there.
    ///
    /// - Throws: `JobError` when its address or its time limit can't be used.
    init(_ provider: Provider, timeout fallback: Duration) throws(JobError) {
        name = provider.name
        kind = provider.kind
        var url = provider.url
        while url.hasSuffix("/") { url.removeLast() }
        self.url = url
        key = provider.key
        model = provider.model
        promptPrice = provider.promptPrice
        completionPrice = provider.completionPrice
        do {
            try NetworkPolicy.anywhere.check(url: url)
        } catch {
            let words = "the address of the provider '\(provider.name)' can't be used: \(error.reason)"
            throw JobError(.invalidInput, words)
        }
        guard let timeout = provider.timeout else {
            self.timeout = fallback
            return
        }
        guard let limit = Quantity.duration(timeout), limit > .zero else {
            throw JobError(
                .invalidInput,
                "the provider '\(provider.name)' has the timeout '\(timeout)'; it must be a time above 0 such as 30s or 5m"
            )
        }
        self.timeout = limit
    }

    /// The time limit of a transfer whose call is ended by ``TimeLimit``, which says it better.
    var patience: Duration { timeout + .seconds(5) }

    /// The headers of every call.
    func headers(accepting types: String = "application/json", trace: String?) -> [(name: String, value: String)] {
        var headers = [(name: "Accept", value: types)]
        if let key { headers.append(("Authorization", "Bearer \(key)")) }
        // It comes from a client: what is none is not passed on.
        if let trace, trace.utf8.count <= 128, trace.allSatisfy({ $0.isHexDigit || $0 == "-" }) {
            headers.append(("traceparent", trace))
        }
        return headers
    }

    /// The address of a call of OpenAI's protocol, such as `chat/completions`: the base may end in `/v1` or not, or be
    /// the whole address.
    func address(of call: String) -> String {
        if url.hasSuffix("/" + call) { return url }
        let last = url.split(separator: "/").last ?? ""
        let isVersion = last.first == "v" && last.dropFirst().first?.isNumber == true
        return isVersion || last == "openai" ? "\(url)/\(call)" : "\(url)/v1/\(call)"
    }

    /// What these tokens are, and what they cost here when a price is known.
    func usage(promptTokens: Int?, completionTokens: Int?) -> JobUsage {
        let prompt = promptPrice.flatMap { price in promptTokens.map { Double($0) * price / 1e6 } }
        let completion = completionPrice.flatMap { price in completionTokens.map { Double($0) * price / 1e6 } }
        let cost = prompt.map { $0 + (completion ?? 0) } ?? completion
        return JobUsage(costUSD: cost, promptTokens: promptTokens, completionTokens: completionTokens)
    }

    /// A text of the upstream without the key that it may repeat.
    func withoutKey(_ text: String) -> String {
        guard let key, key.count >= 4 else { return text }
        return text.split(separator: key, omittingEmptySubsequences: false).joined(separator: "***")
    }
}
