// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// Reads a template from a definition's text and keeps the lines of its references.
enum TemplateReader {
    /// What reading came to.
    struct Outcome {
        /// The template; nil when a part of it is wrong.
        var template: Template?
        var references: [(reference: Reference, line: Int)] = []
        var problems: [(line: Int, message: String)] = []
    }

    static func read(_ node: SourceNode) -> Outcome {
        var outcome = Outcome()
        collect(node, into: &outcome)
        guard outcome.problems.isEmpty else { return outcome }
        do {
            outcome.template = try Template(node.json)
        } catch {
            outcome.problems.append((node.line, "has a wrong reference: \(error)"))
        }
        return outcome
    }

    private static func collect(_ node: SourceNode, into outcome: inout Outcome) {
        switch node.content {
        case .scalar: break
        case .list(let elements): for element in elements { collect(element, into: &outcome) }
        case .map(let members):
            guard let special = members.first(where: { $0.name == "$ref" || $0.name == "$literal" }) else {
                for member in members { collect(member.value, into: &outcome) }
                return
            }
            do {
                guard case .reference(let reference) = try Template(node.json) else { return }
                outcome.references.append((reference, special.line))
            } catch {
                outcome.problems.append((special.line, "has a wrong reference: \(error)"))
            }
        }
    }
}
