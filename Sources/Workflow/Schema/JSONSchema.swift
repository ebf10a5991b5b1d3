// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// A JSON Schema (2020-12, the common keywords), compiled.
///
/// A keyword that is not known is an error, so that a typo is found when the schema is loaded. `$ref` reaches
/// within the schema's own document. Source: https://json-schema.org/draft/2020-12
public struct JSONSchema: Sendable {
    /// The schema as it was written.
    public let source: JSON
    private let nodes: [[SchemaAssertion]]

    /// The most violations that `validate` reports.
    public static let maxViolations = 20

    /// Compiles a schema.
    ///
    /// - Throws: `JSONSchemaError` with the path of the first mistake.
    public init(_ source: JSON) throws(JSONSchemaError) {
        self.source = source
        var compiler = SchemaCompiler(document: source)
        nodes = try compiler.compile()
    }

    /// Validates a value; returns what is wrong with it, empty when nothing is, at most `maxViolations`.
    public func validate(_ value: JSON) -> [SchemaViolation] {
        var check = SchemaCheck(nodes: nodes, limit: Self.maxViolations)
        check.check(value, against: 0)
        return check.violations
    }
}
