// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import HTTPTypes
import Hummingbird

extension Request {
    /// The W3C `traceparent` of the request; nil when it does not look like one, for it would travel through every queue.
    var traceparent: String? {
        guard let name = HTTPField.Name("traceparent"), let text = headers[name] else { return nil }
        let isPlain = text.utf8.allSatisfy { byte in
            (0x30...0x39).contains(byte) || (0x61...0x66).contains(byte) || byte == UInt8(ascii: "-")
        }
        return text.utf8.count == 55 && isPlain ? text : nil
    }
}
