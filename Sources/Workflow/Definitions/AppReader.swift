// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import Plumbing

/// Reads an `app.yaml`.
struct AppReader {
    /// What reading came to.
    struct Outcome {
        /// The app with those of its methods that have no problem.
        var app: AppDefinition?
        /// The line of its name.
        var line = 1
        var problems: [DefinitionProblem]
    }

    /// How long a task may take where neither app nor method says it.
    static let defaultDeadline: Duration = .seconds(600)

    /// What the APIs' own routes begin with: `/tasks/call` can't be an app's as well.
    static let reservedNames: Set<String> = [
        "api", "call", "download", "healthz", "media", "mesh", "metrics", "readyz", "result", "stats", "tasks",
        "upload", "v2",
    ]

    /// Reads a text and checks it against the services.
    static func read(_ text: String, file: String, services: [String: ServiceDefinition]) -> Outcome {
        let root: SourceNode
        do {
            root = try SourceReader.read(text, file: file)
        } catch {
            return Outcome(app: nil, problems: [error])
        }
        let name = root["app"]?.text
        var fields = FieldReader(
            root,
            what: name.map { "app '\($0)'" } ?? "the app",
            file: file,
            names: ["app", "prefix", "description", "deadline", "methods"]
        )
        let app = app(&fields, services: services)
        return Outcome(app: app, line: fields.line(of: "app"), problems: fields.problems)
    }

    private static func app(_ fields: inout FieldReader, services: [String: ServiceDefinition]) -> AppDefinition? {
        let nameField = fields.required("app", "app: its-name")
        let name = nameField?.value.text ?? ""
        if let nameField, !DefinitionName.isValid(name) {
            fields.wrong(nameField, "a name of a-z, 0-9 and '-', at most 63 characters")
        } else if let nameField, reservedNames.contains(name) {
            fields.wrong(nameField, "another name: /\(name) is a route of the mesh's own")
        }
        let prefixField = fields.required("prefix", "prefix: AB, the beginning of its status codes")
        let prefix = prefixField?.value.text ?? ""
        if let prefixField, !isPrefix(prefix) {
            fields.wrong(prefixField, "1 to 8 of A-Z and 0-9, a letter first, such as FR")
        }
        let deadline = fields.duration("deadline", default: defaultDeadline)
        let description = fields.text("description")
        guard let methodsField = fields.required("methods", "methods: { name: { stages: …, output: … } }") else {
            return nil
        }
        guard let members = methodsField.value.members, !members.isEmpty else {
            fields.wrong(methodsField, "a map of at least one method")
            return nil
        }
        var methods: [String: WorkflowDefinition] = [:]
        var problems: [DefinitionProblem] = []
        for member in members {
            methods[member.name] = WorkflowReader.read(
                member,
                app: name,
                file: fields.file,
                deadline: deadline,
                services: services,
                problems: &problems
            )
        }
        fields.add(contentsOf: problems)
        return AppDefinition(name: name, prefix: prefix, description: description, methods: methods)
    }

    private static func isPrefix(_ text: String) -> Bool {
        let letters = UInt8(ascii: "A")...UInt8(ascii: "Z")
        guard (1...8).contains(text.utf8.count), let first = text.utf8.first, letters.contains(first) else {
            return false
        }
        return text.utf8.allSatisfy { letters.contains($0) || (0x30...0x39).contains($0) }
    }
}
