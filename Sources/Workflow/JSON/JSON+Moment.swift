// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Plumbing

extension JSON {
    /// A moment as microseconds since 1970, as messages between roles have it.
    static func moment(_ moment: Timestamp) -> JSON { .number(JSONNumber(Int(moment.microseconds))) }

    /// The moment that a number of microseconds since 1970 stands for; nil for anything else.
    var moment: Timestamp? { int.map { Timestamp(microseconds: Int64($0)) } }
}
