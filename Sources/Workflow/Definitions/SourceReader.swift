// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import Yams

/// Reads YAML 1.2 as far as it is JSON with another face: plain `true`, `false`, `null` and JSON's numbers are what
/// they look like, every other scalar is a string.
///
/// So `no` and `1e` stay the words that someone wrote.
package enum SourceReader {
    /// How many values a text may stand for: a few lines of anchors can name more than any machine holds.
    private static let mostValues = 1_000_000

    /// How many lists and maps may lie within each other: what a definition holds goes into jobs and is stored, and
    /// whoever reads those again has a limit, too.
    private static let maxDepth = 64

    /// Reads a text.
    ///
    /// - Throws: `DefinitionProblem` with the line of what is no YAML, or of a key that stands twice.
    package static func read(_ text: String, file: String) throws(DefinitionProblem) -> SourceNode {
        let root: Node?
        do {
            root = try compose(yaml: text)
        } catch let error as YamlError {
            throw problem(error, file: file)
        } catch {
            throw DefinitionProblem(file: file, line: 0, message: "is no YAML: \(error)")
        }
        guard let root else { throw DefinitionProblem(file: file, line: 1, message: "is empty") }
        var left = mostValues
        return try convert(root, file: file, line: 1, depth: 0, &left)
    }

    private static func convert(
        _ node: Node,
        file: String,
        line: Int,
        depth: Int,
        _ left: inout Int
    ) throws(DefinitionProblem) -> SourceNode {
        let line = node.mark?.line ?? line
        left -= 1
        guard left >= 0 else {
            throw DefinitionProblem(file: file, line: line, message: "stands for more than \(mostValues) values")
        }
        guard depth <= maxDepth else {
            throw DefinitionProblem(file: file, line: line, message: "is nested deeper than \(maxDepth)")
        }
        switch node {
        case .scalar(let scalar):
            return SourceNode(content: .scalar(value(of: scalar)), line: line)
        case .sequence(let sequence):
            var elements: [SourceNode] = []
            for element in sequence {
                elements.append(try convert(element, file: file, line: line, depth: depth + 1, &left))
            }
            return SourceNode(content: .list(elements), line: line)
        case .mapping(let mapping):
            var members: [SourceNode.Member] = []
            for (key, value) in mapping {
                let keyLine = key.mark?.line ?? line
                guard case .scalar(let name) = key else {
                    throw DefinitionProblem(file: file, line: keyLine, message: "a key must be a word")
                }
                let value = try convert(value, file: file, line: keyLine, depth: depth + 1, &left)
                members.append(SourceNode.Member(name: name.string, line: keyLine, value: value))
            }
            return SourceNode(content: .map(members), line: line)
        case .alias:
            throw DefinitionProblem(file: file, line: line, message: "names an anchor that does not exist")
        }
    }

    private static func value(of scalar: Node.Scalar) -> JSON {
        guard scalar.style == .plain || scalar.style == .any else { return .string(scalar.string) }
        switch scalar.string {
        case "", "~", "null", "Null", "NULL": return .null
        case "true", "True", "TRUE": return .bool(true)
        case "false", "False", "FALSE": return .bool(false)
        default:
            guard let first = scalar.string.utf8.first, first == UInt8(ascii: "-") || (0x30...0x39).contains(first),
                let number = try? JSON(parsing: scalar.string)
            else { return .string(scalar.string) }
            return number
        }
    }

    private static func problem(_ error: YamlError, file: String) -> DefinitionProblem {
        switch error {
        case .scanner(let context, let problem, let mark, _), .parser(let context, let problem, let mark, _),
            .composer(let context, let problem, let mark, _):
            let during = context.map { " (\($0.text))" } ?? ""
            return DefinitionProblem(file: file, line: mark.line, message: "is no YAML: \(problem)\(during)")
        case .duplicatedKeysInMapping(let duplicates, let context):
            let names = duplicates.sorted().map { "'\($0)'" }.joined(separator: ", ")
            return DefinitionProblem(
                file: file,
                line: context.mark.line,
                message: "has \(names) twice here; each key may stand once"
            )
        default: return DefinitionProblem(file: file, line: 0, message: "is no YAML: \(error)")
        }
    }
}
