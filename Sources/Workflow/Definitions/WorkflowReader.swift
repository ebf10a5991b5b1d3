// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import Plumbing

/// Reads one method of an app and checks its stages against each other and against their services.
struct WorkflowReader {
    private static let names = ["description", "input", "deadline", "stages", "output"]

    private let app: String
    private let services: [String: ServiceDefinition]
    private var fields: FieldReader

    /// Reads a method; nil when it has a problem.
    static func read(
        _ member: SourceNode.Member,
        app: String,
        file: String,
        deadline: Duration,
        services: [String: ServiceDefinition],
        problems: inout [DefinitionProblem]
    ) -> WorkflowDefinition? {
        var reader = WorkflowReader(
            app: app,
            services: services,
            fields: FieldReader(member.value, what: "method '\(member.name)'", file: file, names: names)
        )
        if !DefinitionName.isValid(member.name) {
            reader.fields.add(member.line, "has a wrong name; it must be of a-z, 0-9 and '-', at most 63 characters")
        }
        let workflow = reader.workflow(member.name, deadline: deadline)
        problems += reader.fields.problems
        return reader.fields.problems.isEmpty ? workflow : nil
    }

    private mutating func workflow(_ method: String, deadline: Duration) -> WorkflowDefinition? {
        guard fields.isMap else { return nil }
        let input = fields.schema("input")
        if input != nil, let member = fields.field("input") {
            for problem in MediaPlaces.problems(in: member.value) { fields.add(problem.line, problem.message) }
        }
        let deadline = fields.duration("deadline", default: deadline)
        let description = fields.text("description")
        let sources = stages(method)
        let output = self.output()
        guard let sources, let output else { return nil }
        var check = WorkflowCheck(
            method: method,
            file: fields.file,
            input: input,
            services: services,
            stages: sources
        )
        check.run(output: output.references, outputNode: output.node)
        fields.add(contentsOf: check.problems)
        guard fields.problems.isEmpty else { return nil }
        return WorkflowDefinition(
            app: app,
            method: method,
            description: description,
            input: input,
            deadline: deadline,
            stages: check.sorted,
            output: output.definition
        )
    }

    private mutating func stages(_ method: String) -> [StageSource]? {
        guard let member = fields.required("stages", "stages: { name: { service: …, input: … } }") else { return nil }
        guard let members = member.value.members, !members.isEmpty else {
            fields.wrong(member, "a map of at least one stage")
            return nil
        }
        var problems: [DefinitionProblem] = []
        let sources = members.compactMap {
            StageReader.read($0, method: method, file: fields.file, services: services, problems: &problems)
        }
        fields.add(contentsOf: problems)
        // A stage that could not be read would make its references look unknown.
        return sources.count == members.count ? sources : nil
    }

    private mutating func output() -> (definition: OutputDefinition, references: [LinedReference], node: SourceNode)? {
        guard let member = fields.required("output", "output: { type: META_DATA, data: { $ref: \"stage#\" } }") else {
            return nil
        }
        var inner = FieldReader(
            member.value,
            what: "output of \(fields.what)",
            file: fields.file,
            names: ["type", "data"]
        )
        defer { fields.add(contentsOf: inner.problems) }
        let typeField = inner.required("type", "type: META_DATA, S3_OBJECT or HYBRID")
        let type = typeField?.value.text.flatMap(OutputDefinition.DataType.init(rawValue:))
        if let typeField, type == nil { inner.wrong(typeField, "META_DATA, S3_OBJECT or HYBRID") }
        guard let data = inner.required("data", "data: { $ref: \"stage#\" }") else { return nil }
        if type == .hybrid { Self.checkHybrid(data, &inner) }
        let found = TemplateReader.read(data.value)
        for problem in found.problems { inner.add(problem.line, problem.message) }
        guard let type, let template = found.template else { return nil }
        let references = found.references.map {
            LinedReference(reference: $0.reference, line: $0.line, isWithinItem: false)
        }
        return (OutputDefinition(type: type, data: template), references, data.value)
    }

    private static func checkHybrid(_ data: SourceNode.Member, _ fields: inout FieldReader) {
        guard case .list(let parts) = data.value.content, !parts.isEmpty else {
            fields.wrong(data, "a list of { dataType: …, data: … }, as HYBRID wants it")
            return
        }
        for part in parts {
            var inner = FieldReader(
                part,
                what: "a part of \(fields.what)",
                file: fields.file,
                names: ["dataType", "data"]
            )
            if let type = inner.required("dataType", "dataType: META_DATA or S3_OBJECT"),
                type.value.text != "META_DATA", type.value.text != "S3_OBJECT"
            {
                inner.wrong(type, "META_DATA or S3_OBJECT")
            }
            _ = inner.required("data", "data: { $ref: \"stage#\" }")
            fields.add(contentsOf: inner.problems)
        }
    }
}
