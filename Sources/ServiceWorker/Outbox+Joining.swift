// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import BrokerClient
internal import Workflow

extension Outbox {
    /// As few messages as hold these, each with what goes to one queue.
    ///
    /// A message has one trace or none: what it was for each completion the job's row tells.
    ///
    /// - Parameter offer: what a queue's first message carries besides.
    static func joined(_ messages: [Message], offer: (String) -> [UInt8]? = { _ in nil }) -> [Message] {
        var joined: [Message] = []
        for (queue, own) in Dictionary(grouping: messages, by: \.queue) {
            var rest = own[...]
            var extra = offer(queue).map { [$0] } ?? []
            while let first = rest.first {
                var bytes = 0
                let part = rest.prefix(CompletionBatch.maxCount - extra.count).prefix { message in
                    bytes += message.body.count
                    return bytes <= CompletionBatch.maxBytes
                }
                let count = max(1, part.count)
                let body = CompletionBatch.body(of: rest.prefix(count).map(\.body) + extra)
                extra = []
                joined.append(Message(queue: queue, body: body, trace: count == 1 ? first.trace : nil))
                rest = rest.dropFirst(count)
            }
        }
        return joined
    }
}
