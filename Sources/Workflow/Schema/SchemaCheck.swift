// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// One validation under way: where it is in the value, and what it found so far.
struct SchemaCheck {
    private enum Step {
        case name(String)
        case index(Int)
    }

    private let nodes: [[SchemaAssertion]]
    private let limit: Int
    private var path: [Step] = []
    private(set) var violations: [SchemaViolation] = []

    /// - Parameter limit: stops at so many violations.
    init(nodes: [[SchemaAssertion]], limit: Int) {
        self.nodes = nodes
        self.limit = limit
    }

    /// Checks a value against a node and adds what is wrong.
    mutating func check(_ value: JSON, against node: Int) {
        for assertion in nodes[node] {
            if violations.count >= limit { return }
            check(value, assertion)
        }
    }

    private mutating func check(_ value: JSON, _ assertion: SchemaAssertion) {
        switch assertion {
        case .never: add("is not allowed here")
        case .type(let types):
            let type = JSONType(of: value)
            if types.isDisjoint(with: type) { add("is \(Self.shown(value, type)); it must be \(types.text)") }
        case .oneOfValues(let values):
            if !values.contains(value) {
                add(
                    "is \(Self.shown(value)); it must be one of "
                        + values.prefix(20).map(\.text).joined(separator: ", ")
                )
            }
        case .const(let wanted):
            if value != wanted { add("is \(Self.shown(value)); it must be \(wanted.text)") }
        case .reference(let node): check(value, against: node)
        case .allOf(let nodes): for node in nodes { check(value, against: node) }
        case .anyOf(let nodes): checkAny(value, nodes)
        case .oneOf(let nodes): checkOne(value, nodes)
        case .not(let node): if fits(value, node) { add("is what it must not be") }
        case .conditional(let condition, let then, let otherwise):
            if let node = fits(value, condition) ? then : otherwise { check(value, against: node) }
        default:
            switch value {
            case .number(let number): checkNumber(number, assertion)
            case .string(let text): checkString(text, assertion)
            case .array(let elements): checkArray(elements, assertion)
            case .object(let object): checkObject(object, assertion)
            case .null, .bool: break
            }
        }
    }

    private mutating func checkNumber(_ number: JSONNumber, _ assertion: SchemaAssertion) {
        switch assertion {
        case .minimum(let bound):
            if number.double < bound { add("is \(number.text); it must be at least \(JSONNumber(bound).text)") }
        case .maximum(let bound):
            if number.double > bound { add("is \(number.text); it must be at most \(JSONNumber(bound).text)") }
        case .exclusiveMinimum(let bound):
            if number.double <= bound { add("is \(number.text); it must be above \(JSONNumber(bound).text)") }
        case .exclusiveMaximum(let bound):
            if number.double >= bound { add("is \(number.text); it must be below \(JSONNumber(bound).text)") }
        case .multipleOf(let step):
            if !Self.isMultiple(number, of: step) { add("is \(number.text); it must be a multiple of \(step.text)") }
        default: break
        }
    }

    private static func isMultiple(_ number: JSONNumber, of step: JSONNumber) -> Bool {
        if let number = number.int, let step = step.int { return number % step == 0 }
        let quotient = number.double / step.double
        // 0.3 is a multiple of 0.1 for a person, though not in binary: a few units in the last place are forgiven.
        return quotient.isFinite && abs(quotient - quotient.rounded()) <= 4 * quotient.ulp
    }

    private mutating func checkString(_ text: String, _ assertion: SchemaAssertion) {
        switch assertion {
        case .minLength(let count):
            // Bytes are at least as many as characters, and at most four times as many.
            if text.utf8.count / 4 < count, text.unicodeScalars.count < count {
                add("has \(text.unicodeScalars.count) characters; it must have at least \(count)")
            }
        case .maxLength(let count):
            if text.utf8.count > count, text.unicodeScalars.count > count {
                add("has \(text.unicodeScalars.count) characters; it must have at most \(count)")
            }
        case .pattern(let pattern):
            if !pattern.isFound(in: text) {
                add("is \(Self.shown(.string(text))); it must match the pattern \(pattern.text)")
            }
        case .format(let format):
            if !format.accepts(text) { add("is \(Self.shown(.string(text))); it must be \(format.example)") }
        default: break
        }
    }

    private mutating func checkArray(_ elements: [JSON], _ assertion: SchemaAssertion) {
        switch assertion {
        case .items(let prefix, let rest):
            for (index, element) in elements.enumerated() {
                guard let node = index < prefix.count ? prefix[index] : rest else { break }
                check(element, at: .index(index), against: node)
                if violations.count >= limit { return }
            }
        case .minItems(let count):
            if elements.count < count { add("has \(elements.count) elements; it must have at least \(count)") }
        case .maxItems(let count):
            if elements.count > count { add("has \(elements.count) elements; it must have at most \(count)") }
        case .uniqueItems:
            var seen: [JSON: Int] = [:]
            for (index, element) in elements.enumerated() {
                if let first = seen.updateValue(index, forKey: element) {
                    add("has the same element at \(first) and at \(index); each may stand only once")
                    return
                }
            }
        case .contains(let node, let min, let max):
            var count = 0
            for element in elements where fits(element, node) { count += 1 }
            if count < min { add("has \(count) elements of the wanted kind; it must have at least \(min)") }
            if let max, count > max { add("has \(count) elements of the wanted kind; it must have at most \(max)") }
        default: break
        }
    }

    private mutating func checkObject(_ object: JSONObject, _ assertion: SchemaAssertion) {
        switch assertion {
        case .members(let members): checkMembers(object, members)
        case .required(let names):
            for name in names where object[name] == nil { add("is missing; it is required", at: .name(name)) }
        case .dependentRequired(let dependent):
            for (name, wanted) in dependent where object[name] != nil {
                for other in wanted where object[other] == nil {
                    add("is missing; it is required where '\(name)' is given", at: .name(other))
                }
            }
        case .propertyNames(let node):
            for name in object.names where !fits(.string(name), node) {
                add("has a name that is not allowed here", at: .name(name))
            }
        case .minProperties(let count):
            if object.count < count { add("has \(object.count) members; it must have at least \(count)") }
        case .maxProperties(let count):
            if object.count > count { add("has \(object.count) members; it must have at most \(count)") }
        default: break
        }
    }

    private mutating func checkMembers(_ object: JSONObject, _ members: SchemaMembers) {
        for (name, value) in object.members {
            if violations.count >= limit { return }
            var isCovered = false
            if let node = members.named[JSONName(text: name)] {
                isCovered = true
                check(value, at: .name(name), against: node)
            }
            for (pattern, node) in members.patterned where pattern.isFound(in: name) {
                isCovered = true
                check(value, at: .name(name), against: node)
            }
            if isCovered { continue }
            switch members.rest {
            case .allowed: break
            case .refused: add("is not known here" + Suggestion.text(for: name, among: members.names), at: .name(name))
            case .schema(let node): check(value, at: .name(name), against: node)
            }
        }
    }

    private mutating func checkAny(_ value: JSON, _ nodes: [Int]) {
        var reasons: [String] = []
        for node in nodes {
            guard let first = firstViolation(value, node) else { return }
            reasons.append(first)
        }
        add("fits none of \(nodes.count) alternatives: " + Self.listed(reasons))
    }

    private mutating func checkOne(_ value: JSON, _ nodes: [Int]) {
        var reasons: [String] = []
        for node in nodes {
            if let first = firstViolation(value, node) { reasons.append(first) }
        }
        switch nodes.count - reasons.count {
        case 1: break
        case 0: add("fits none of \(nodes.count) alternatives: " + Self.listed(reasons))
        case let count: add("fits \(count) of \(nodes.count) alternatives; it must fit exactly one")
        }
    }

    private static func listed(_ reasons: [String]) -> String {
        let shown = reasons.prefix(3).enumerated().map { "(\($0 + 1)) \($1)" }.joined(separator: "; ")
        return reasons.count > 3 ? shown + "; …" : shown
    }

    private func firstViolation(_ value: JSON, _ node: Int) -> String? {
        var probe = SchemaCheck(nodes: nodes, limit: 1)
        probe.check(value, against: node)
        return probe.violations.first.map { $0.path.isEmpty ? $0.message : "\($0.path) \($0.message)" }
    }

    private func fits(_ value: JSON, _ node: Int) -> Bool {
        var probe = SchemaCheck(nodes: nodes, limit: 1)
        probe.check(value, against: node)
        return probe.violations.isEmpty
    }

    private mutating func check(_ value: JSON, at step: Step, against node: Int) {
        path.append(step)
        check(value, against: node)
        path.removeLast()
    }

    private mutating func add(_ message: @autoclosure () -> String, at step: Step? = nil) {
        guard violations.count < limit else { return }
        var pointer = ""
        for step in path + (step.map { [$0] } ?? []) {
            switch step {
            case .name(let name): pointer += "/" + JSONPointer.escape(name)
            case .index(let index): pointer += "/\(index)"
            }
        }
        violations.append(SchemaViolation(path: pointer, message: message()))
    }

    /// A value as messages show it: short ones as they are, others by their type.
    private static func shown(_ value: JSON, _ type: JSONType? = nil) -> String {
        let type = type ?? JSONType(of: value)
        switch value {
        case .null, .bool, .number: return value.text
        case .string(let text) where text.utf8.count <= 60: return value.text
        default: return type.text
        }
    }
}
