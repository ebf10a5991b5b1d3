// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

extension String {
    /// Without the white space at its ends; for the values of headers.
    public func trimming() -> String {
        let tail = drop { $0 == " " || $0 == "\t" || $0 == "\r" || $0 == "\n" }
        var text = String(tail)
        while let last = text.last, last == " " || last == "\t" || last == "\r" || last == "\n" { text.removeLast() }
        return text
    }
}
