// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import Plumbing

/// What the value of an option must look like; a text may name variables, and is checked when they are known.
enum OptionForm: Sendable {
    case flag, count, size, duration, text, texts, map

    /// Checks one option of a map.
    func check(_ name: String, in reader: inout FieldReader) {
        guard let member = reader.field(name) else { return }
        switch self {
        case .map:
            if member.value.members == nil { reader.wrong(member, "a map") }
        case .texts:
            if member.value.members == nil { reader.wrong(member, "a map of names and strings") }
            for entry in member.value.members ?? [] {
                guard let text = entry.value.text, EnvironmentText(text) != nil else {
                    reader.wrong(entry, "a string; ${ needs a name and a }")
                    continue
                }
            }
        case .flag:
            if member.value.json.bool == nil { _ = reader.environmentText(name, "true or false", fault) }
        case .count, .size, .duration, .text:
            _ = reader.environmentText(name, "a value", fault)
        }
    }

    /// What would be right, when a text is not; nil when it is.
    func fault(_ text: String) -> String? {
        switch self {
        case .flag: ["true", "false"].contains(text) ? nil : "true or false"
        case .count: Int(text).map { $0 > 0 } == true ? nil : "a whole number from 1"
        case .size: Quantity.bytes(text).map { $0 > 0 } == true ? nil : "a size such as 512KiB or 16MiB"
        case .duration: Quantity.duration(text).map { $0 > .zero } == true ? nil : "a time above 0 such as 30s or 5m"
        case .text, .texts, .map: nil
        }
    }
}

extension FieldReader {
    /// A text that may name variables of the environment; without any it is checked at once.
    mutating func environmentText(_ name: String, _ form: String, _ fault: (String) -> String?) -> String? {
        guard let member = field(name) else { return nil }
        guard let text = member.value.text, !text.isEmpty else {
            wrong(member, form)
            return nil
        }
        guard let parsed = EnvironmentText(text) else {
            wrong(member, "a text in which every ${ has a name and a }, such as ${NAME} or ${NAME:-default}")
            return nil
        }
        if parsed.variables.isEmpty, let right = fault(text) {
            wrong(member, right)
            return nil
        }
        return text
    }

    /// An amount of US dollars; nil when it is not there.
    mutating func price(_ name: String) -> Double? {
        guard let member = field(name) else { return nil }
        guard let price = member.value.json.double, price >= 0, price.isFinite else {
            wrong(member, "a number of US dollars from 0, such as 0.44")
            return nil
        }
        return price
    }
}
