// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// Checks a workflow as a whole: references, order, and what the schemas tell about both ends of a reference.
struct WorkflowCheck {
    let method: String
    let file: String
    let input: JSONSchema?
    let services: [String: ServiceDefinition]
    let stages: [StageSource]
    private(set) var problems: [DefinitionProblem] = []
    /// The stages in an order in which each comes after all that it needs; complete when there is no problem.
    private(set) var sorted: [StageDefinition] = []
    private let byName: [String: StageSource]

    init(
        method: String,
        file: String,
        input: JSONSchema?,
        services: [String: ServiceDefinition],
        stages: [StageSource]
    ) {
        self.method = method
        self.file = file
        self.input = input
        self.services = services
        self.stages = stages
        byName = Dictionary(stages.map { ($0.definition.name, $0) }, uniquingKeysWith: { first, _ in first })
    }

    mutating func run(output: [LinedReference], outputNode: SourceNode) {
        for stage in stages {
            let what = "stage '\(stage.definition.name)' of method '\(method)'"
            for after in stage.after where byName[after.name] == nil {
                add(after.line, "\(what) comes after the unknown stage '\(after.name)'" + suggestion(after.name))
            }
            for reference in stage.references { check(reference, stage: stage, what: what) }
        }
        let what = "output of method '\(method)'"
        for reference in output { check(reference, stage: nil, what: what) }
        sort()
        for stage in stages { checkTypes(stage) }
    }

    // MARK: References

    private mutating func check(_ lined: LinedReference, stage: StageSource?, what: String) {
        let reference = lined.reference
        switch reference.root {
        case .item, .index:
            guard lined.isWithinItem else {
                add(
                    lined.line,
                    "\(what) refers to '\(reference)', which is only there in the input of a stage with foreach"
                )
                return
            }
        case .stage(let name), .errors(let name):
            guard let target = byName[name] else {
                add(lined.line, "\(what) refers to '\(reference)': there is no stage '\(name)'" + suggestion(name))
                return
            }
            if case .errors = reference.root, target.definition.forEach == nil {
                add(
                    lined.line,
                    "\(what) refers to '\(reference)': stage '\(name)' has no foreach and so no errors of items"
                )
                return
            }
        case .request: break
        }
        if case .nothing(let reason) = place(of: reference, in: stage) {
            add(lined.line, "\(what) refers to '\(reference)', which can find nothing: \(reason)")
        }
    }

    private func suggestion(_ name: String) -> String {
        Suggestion.text(for: name, among: stages.map(\.definition.name))
    }

    /// What is known of a reference's value.
    private func place(of reference: Reference, in stage: StageSource?, depth: Int = 0) -> SchemaPlace.Step {
        // Items of items of items: a chain that is longer than the stages goes round, which is said elsewhere.
        guard depth <= stages.count else { return .unknown }
        switch reference.root {
        case .request: return input.map { SchemaPlace($0).step(into: reference.tokens) } ?? .unknown
        case .errors: return .unknown
        case .index:
            return reference.tokens.isEmpty ? .unknown : .nothing("the index is a number; nothing lies within")
        case .stage(let name):
            guard let target = byName[name] else { return .unknown }
            let output = services[target.definition.service]?.output
            guard target.definition.forEach != nil else {
                guard let output else { return .unknown }
                return optional(SchemaPlace(output).step(into: reference.tokens), target.definition.when != nil)
            }
            guard let first = reference.tokens.first else { return .unknown }
            guard JSONPointer.index(first) != nil else {
                return .nothing(
                    "'\(name)' has a foreach, so its output is a list; a number must follow, as in '\(name)#/0'"
                )
            }
            guard let output else { return .unknown }
            return optional(SchemaPlace(output).step(into: Array(reference.tokens.dropFirst())), true)
        case .item:
            return item(of: stage, depth: depth)?.step(into: reference.tokens) ?? .unknown
        }
    }

    private func optional(_ step: SchemaPlace.Step, _ isOptional: Bool) -> SchemaPlace.Step {
        guard isOptional, case .place(var place) = step else { return step }
        place.isOptional = true
        return .place(place)
    }

    /// What is known of the elements that a stage fans out over.
    private func item(of stage: StageSource?, depth: Int) -> SchemaPlace? {
        guard case .list(.reference(let list))? = stage?.definition.forEach else { return nil }
        if case .stage(let name) = list.root, list.tokens.isEmpty, let target = byName[name],
            target.definition.forEach != nil, let output = services[target.definition.service]?.output
        {
            var place = SchemaPlace(output)
            place.isOptional = target.definition.join != .all
            return place
        }
        guard case .place(let place) = place(of: list, in: nil, depth: depth + 1) else { return nil }
        return place.items
    }

    // MARK: Order

    private mutating func sort() {
        var placed: [String: Int] = [:]
        var waiting = stages
        while true {
            let ready = waiting.first { stage in stage.needs.allSatisfy { placed[$0] != nil || byName[$0] == nil } }
            guard let ready else { break }
            var definition = ready.definition
            definition.dependencies = ready.needs.compactMap { placed[$0] }.sorted()
            placed[definition.name] = sorted.count
            sorted.append(definition)
            waiting.removeAll { $0.definition.name == definition.name }
        }
        guard let start = waiting.first else { return }
        // Everything that waits needs something that waits: following it leads into a circle.
        var trail: [StageSource] = []
        var current = start
        while !trail.contains(where: { $0.definition.name == current.definition.name }) {
            trail.append(current)
            guard
                let next = current.needs.first(where: { placed[$0] == nil && byName[$0] != nil }).flatMap({ byName[$0] }
                )
            else { return }
            current = next
        }
        let circle = Array(trail.drop { $0.definition.name != current.definition.name })
        let names = circle.map(\.definition.name)
        let shown = (names + names.prefix(1)).joined(separator: " → ")
        add(
            circle.map(\.line).min() ?? current.line,
            "method '\(method)' has a cycle: \(shown) (each needs the next); none of them can ever start"
        )
        for stage in waiting where !names.contains(stage.definition.name) {
            add(
                stage.line,
                "stage '\(stage.definition.name)' of method '\(method)' can never start: it waits for the cycle \(shown)"
            )
        }
    }

    // MARK: Types

    private mutating func checkTypes(_ stage: StageSource) {
        let what = "stage '\(stage.definition.name)' of method '\(method)'"
        if let source = stage.forEach, let text = source["$ref"]?.text, let list = try? Reference(parsing: text),
            case .place(let place) = place(of: list, in: nil), let types = place.types
        {
            let isRange = if case .range? = stage.definition.forEach { true } else { false }
            let wanted: JSONType = isRange ? .number : .array
            if types.isDisjoint(with: wanted) {
                add(source.line, "\(what) fans out over '\(list)', which is \(types.text); it must be \(wanted.text)")
            }
        }
        if let schema = services[stage.definition.service]?.input {
            compare(stage.input, with: SchemaPlace(schema), stage: stage, field: "", what: what)
        }
    }

    /// Compares what an input's template gives with what its service takes, as far as it can be told beforehand.
    private mutating func compare(
        _ node: SourceNode,
        with wanted: SchemaPlace,
        stage: StageSource,
        field: String,
        what: String
    ) {
        let shown = field.isEmpty ? "its input" : "'\(field)'"
        let taker = "service '\(stage.definition.service)'"
        if node["$literal"] != nil { return }
        if let text = node["$ref"]?.text {
            guard let types = wanted.types, let reference = try? Reference(parsing: text),
                case .place(let given) = place(of: reference, in: stage), let givenTypes = given.types
            else { return }
            if givenTypes.isDisjoint(with: types) {
                add(
                    node.line,
                    "\(what) gives '\(reference)', which is \(givenTypes.text), as \(shown); \(taker) takes \(types.text)"
                )
            }
            return
        }
        if let types = wanted.types, types.isDisjoint(with: JSONType(of: node.json)) {
            add(node.line, "\(what) gives \(node.kind) as \(shown); \(taker) takes \(types.text)")
            return
        }
        switch node.content {
        case .scalar(let value):
            guard let values = wanted.schema["enum"]?.array, !values.contains(value) else { return }
            let listed = values.map(\.text).joined(separator: ", ")
            add(node.line, "\(what) gives \(value.text) as \(shown); \(taker) takes one of \(listed)")
        case .list(let elements):
            guard let items = wanted.items else { return }
            for (index, element) in elements.enumerated() {
                compare(element, with: items, stage: stage, field: "\(field)/\(index)", what: what)
            }
        case .map(let members):
            for name in wanted.required where !members.contains(where: { $0.name == name }) {
                add(node.line, "\(what) gives no '\(field)/\(name)', which \(taker) requires")
            }
            for member in members {
                switch wanted.step(into: [member.name]) {
                case .unknown: break
                case .nothing(let reason): add(member.line, "\(what) gives what \(taker) does not take: \(reason)")
                case .place(let inner):
                    let inside = "\(field)/\(member.name)"
                    compare(member.value, with: inner, stage: stage, field: inside, what: what)
                }
            }
        }
    }

    private mutating func add(_ line: Int, _ message: String) {
        problems.append(DefinitionProblem(file: file, line: line, message: message))
    }
}
