// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import Plumbing

/// Reads one stage of a workflow.
struct StageReader {
    static let names = ["service", "input", "foreach", "when", "join", "after", "retry", "timeout"]

    private(set) var fields: FieldReader
    private var references: [LinedReference] = []

    /// Reads a stage; nil when too little of it is right to go on.
    static func read(
        _ member: SourceNode.Member,
        method: String,
        file: String,
        services: [String: ServiceDefinition],
        problems: inout [DefinitionProblem]
    ) -> StageSource? {
        let what = "stage '\(member.name)' of method '\(method)'"
        var reader = StageReader(fields: FieldReader(member.value, what: what, file: file, names: names))
        defer { problems += reader.fields.problems }
        if !DefinitionName.isStage(member.name) || ["request", "item", "index"].contains(member.name) {
            reader.fields.add(
                member.line,
                "has a wrong name; it must be of a-z, 0-9, '-' and '_', at most 63 characters, and neither request, "
                    + "item nor index"
            )
            return nil
        }
        return reader.stage(member, services: services)
    }

    private mutating func stage(_ member: SourceNode.Member, services: [String: ServiceDefinition]) -> StageSource? {
        guard fields.isMap else { return nil }
        let serviceField = fields.required("service", "service: its-name")
        let serviceName = serviceField?.value.text ?? ""
        let service = services[serviceName]
        if let serviceField, service == nil {
            fields.add(
                serviceField.line,
                "names the unknown service '\(serviceName)'"
                    + Suggestion.text(for: serviceName, among: services.keys.sorted())
            )
        }
        let forEach = self.forEach()
        let inputField = fields.required("input", "input: { field: { $ref: \"request#/field\" } }")
        let input = inputField.flatMap { template($0.value, isWithinItem: forEach != nil) }
        var definition = StageDefinition(
            name: member.name,
            service: serviceName,
            input: input ?? .literal(.null),
            forEach: forEach?.definition,
            maxAttempts: service?.maxAttempts ?? 3,
            timeout: service?.timeout ?? .seconds(600)
        )
        definition.when = when()
        definition.join = join(isFanOut: fields.field("foreach") != nil, forEach: forEach)
        definition.timeout = fields.duration("timeout", default: definition.timeout)
        retry(&definition)
        guard let inputField else { return nil }
        return StageSource(
            definition: definition,
            line: member.line,
            serviceLine: serviceField?.line ?? member.line,
            input: inputField.value,
            forEach: forEach?.source,
            references: references,
            after: after()
        )
    }

    /// Reads a template and notes its references.
    private mutating func template(_ node: SourceNode, isWithinItem: Bool) -> Template? {
        let found = TemplateReader.read(node)
        for problem in found.problems { fields.add(problem.line, problem.message) }
        references += found.references.map {
            LinedReference(reference: $0.reference, line: $0.line, isWithinItem: isWithinItem)
        }
        return found.template
    }

    private mutating func forEach() -> (definition: StageDefinition.ForEach, source: SourceNode)? {
        guard let member = fields.field("foreach") else { return nil }
        if let range = member.value["range"], member.value.members?.count == 1 {
            guard let template = template(range, isWithinItem: false) else { return nil }
            if case .literal(let value) = template, value.int.map({ $0 > 0 }) != true {
                fields.add(
                    range.line,
                    "can never have a job: its range is \(value.text); it must be a whole number above 0"
                )
            }
            return (.range(template), range)
        }
        guard let template = template(member.value, isWithinItem: false) else { return nil }
        switch template {
        case .literal(.array(let elements)):
            if elements.isEmpty { fields.add(member.line, "can never have a job: its 'foreach' is an empty list") }
        case .literal, .object:
            fields.wrong(member, "a list, { $ref: \"stage#/list\" } or { range: … }")
        case .array, .reference: break
        }
        return (.list(template), member.value)
    }

    private mutating func when() -> Condition? {
        guard let member = fields.field("when") else { return nil }
        do {
            let condition = try Condition(member.value.json)
            references.append(
                LinedReference(reference: condition.reference, line: member.value.line, isWithinItem: false)
            )
            return condition
        } catch {
            fields.add(member.line, "has a wrong 'when': \(error)")
            return nil
        }
    }

    private mutating func join(
        isFanOut: Bool,
        forEach: (definition: StageDefinition.ForEach, source: SourceNode)?
    ) -> StageDefinition.Join {
        guard let member = fields.field("join") else { return .all }
        if !isFanOut { fields.add(member.line, "has a 'join' but no 'foreach'; leave the join out") }
        switch member.value.json {
        case "all": return .all
        case "any": return .any
        default:
            guard let count = member.value["at_least"]?.json.int, count >= 1, member.value.members?.count == 1 else {
                fields.wrong(member, "all, any or { at_least: 2 }, with a whole number from 1")
                return .all
            }
            if case .list(.literal(let list))? = forEach?.definition, let most = list.array?.count, count > most {
                fields.add(member.line, "wants at least \(count) successes of \(most) items; it can never have them")
            }
            return .atLeast(count)
        }
    }

    private mutating func after() -> [(name: String, line: Int)] {
        guard let member = fields.field("after") else { return [] }
        if let name = member.value.text { return [(name, member.line)] }
        guard case .list(let elements) = member.value.content, elements.allSatisfy({ $0.text != nil }) else {
            fields.wrong(member, "a stage's name or a list of them")
            return []
        }
        return elements.compactMap { element in element.text.map { ($0, element.line) } }
    }

    private mutating func retry(_ definition: inout StageDefinition) {
        guard let member = fields.field("retry") else { return }
        var retry = FieldReader(
            member.value,
            what: "retry of \(fields.what)",
            file: fields.file,
            names: ["max_attempts", "backoff"]
        )
        definition.maxAttempts = retry.int("max_attempts", in: 1...1000, default: definition.maxAttempts)
        if let backoff = retry.field("backoff"), backoff.value.members != nil {
            var inner = FieldReader(
                backoff.value,
                what: "backoff of \(fields.what)",
                file: fields.file,
                names: ["base", "cap"]
            )
            definition.backoff.base = inner.duration("base", default: definition.backoff.base, atLeast: .zero)
            definition.backoff.cap = inner.duration("cap", default: definition.backoff.cap, atLeast: .zero)
            retry.add(contentsOf: inner.problems)
        } else {
            definition.backoff.base = retry.duration("backoff", default: definition.backoff.base, atLeast: .zero)
        }
        // A first delay above the cap means the cap, or it would never be waited.
        definition.backoff.cap = max(definition.backoff.cap, definition.backoff.base)
        fields.add(contentsOf: retry.problems)
    }
}
