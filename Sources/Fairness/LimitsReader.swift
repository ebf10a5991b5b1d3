// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import Workflow

/// Reads a file of limits and finds what is wrong in it, with the lines.
struct LimitsReader {
    private static let rate = ["requests_per_second", "burst", "waiting_jobs", "running_jobs"]

    private let file: String
    private var problems: [DefinitionProblem] = []
    private var limits = Limits()

    /// Reads a text.
    ///
    /// - Throws: ``LimitsError`` with all that is wrong.
    static func read(_ text: String, file: String) throws(LimitsError) -> Limits {
        // A file in which everything is commented out limits nothing.
        let lines = text.split(whereSeparator: \.isNewline)
        guard lines.contains(where: { !($0.first { $0 != " " && $0 != "\t" } ?? "#" == "#") }) else { return Limits() }
        var reader = LimitsReader(file: file)
        do throws(DefinitionProblem) {
            reader.read(try SourceReader.read(text, file: file))
        } catch {
            throw LimitsError([error])
        }
        guard reader.problems.isEmpty else { throw LimitsError(reader.problems) }
        return reader.limits
    }

    private init(file: String) { self.file = file }

    private mutating func read(_ root: SourceNode) {
        let top = fields(root, "the file", ["default", "users", "tokens", "endpoints"])
        if let member = top.field("default") { limits.byDefault = allowance(member, "'default'", hasWeight: true) }
        for member in members(of: top.field("users")) {
            limits.users[member.name] = allowance(member, "user '\(member.name)'", hasWeight: true)
                .filled(from: limits.byDefault)
        }
        for member in members(of: top.field("tokens")) {
            limits.tokens[member.name] = allowance(member, "token '\(member.name)'", hasWeight: false)
        }
        if let member = top.field("endpoints") { readEndpoints(member) }
        problems += top.problems
    }

    private mutating func readEndpoints(_ member: SourceNode.Member) {
        let operations = LimitedEndpoint.Operation.allCases
        var fields = fields(member.value, "'endpoints'", operations.map(\.rawValue))
        for operation in operations where fields.field(operation.rawValue) != nil {
            limits.endpoints[operation] = fields.int(operation.rawValue, in: 0...1_000_000_000, default: 0)
        }
        problems += fields.problems
    }

    private func fields(_ node: SourceNode, _ what: String, _ names: [String]) -> FieldReader {
        FieldReader(node, what: what, file: file, names: names)
    }

    /// The named entries of a map; an empty one is fine.
    private mutating func members(of member: SourceNode.Member?) -> [SourceNode.Member] {
        guard let member, member.value.json != .null else { return [] }
        if let members = member.value.members { return members }
        problems.append(
            DefinitionProblem(
                file: file,
                line: member.line,
                message: "'\(member.name)' is \(member.value.kind); it must be a map from names to limits"
            )
        )
        return []
    }

    private mutating func allowance(_ member: SourceNode.Member, _ what: String, hasWeight: Bool) -> Allowance {
        var fields = fields(member.value, what, (hasWeight ? ["weight"] : []) + Self.rate)
        var allowance = Allowance()
        if hasWeight { allowance.weight = number("weight", in: 0.001...1000, &fields) }
        allowance.requestsPerSecond = number("requests_per_second", in: 0.001...1_000_000, &fields)
        allowance.burst = whole("burst", from: 1, &fields)
        allowance.waitingJobs = whole("waiting_jobs", from: 0, &fields)
        allowance.runningJobs = whole("running_jobs", from: 0, &fields)
        if let burst = fields.field("burst"), allowance.requestsPerSecond == nil {
            fields.add(burst.line, "has a 'burst' without 'requests_per_second'")
        }
        problems += fields.problems
        return allowance
    }

    private func number(_ name: String, in range: ClosedRange<Double>, _ fields: inout FieldReader) -> Double? {
        guard let member = fields.field(name) else { return nil }
        if let number = member.value.json.double, range.contains(number) { return number }
        let least = range.lowerBound.formatted
        fields.wrong(member, "a number from \(least) to \(range.upperBound.formatted)")
        return nil
    }

    private func whole(_ name: String, from least: Int, _ fields: inout FieldReader) -> Int? {
        guard fields.field(name) != nil else { return nil }
        return fields.int(name, in: least...1_000_000_000, default: least)
    }
}

extension Double {
    /// The number without a fraction that says nothing: `50`, `0.5`.
    var formatted: String { rounded() == self && abs(self) < 1e15 ? String(Int(self)) : String(self) }
}
