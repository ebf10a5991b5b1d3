// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Plumbing

extension HandOver {
    /// What a Service API answers to a hand-over.
    public struct Answer: Sendable, Hashable {
        /// The jobs that are not taken now.
        public var refused: [Refusal]
        /// What the App API may make tickets for by itself from now on.
        public var credits: [TicketCredit]

        /// Makes an answer.
        public init(refused: [Refusal] = [], credits: [TicketCredit] = []) {
            self.refused = refused
            self.credits = credits
        }

        /// The answer's body.
        public var json: JSON {
            let json: JSON = ["refused": .array(refused.map(\.json))]
            return credits.isEmpty ? json : json.adding("credits", .array(credits.map(\.json)))
        }

        /// Reads an answer's body; nil when it does not tell which jobs were refused.
        ///
        /// A credit that can't be read is none: its jobs are handed over.
        public init?(json: JSON) {
            guard let list = json["refused"]?.array else { return nil }
            refused = list.compactMap(Refusal.init(json:))
            guard refused.count == list.count else { return nil }
            credits = (json["credits"]?.array ?? []).compactMap(TicketCredit.init(json:))
        }
    }
}
