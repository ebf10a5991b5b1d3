// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// One keyword of a schema, or a few that only mean something together; other schemas are named by their node.
enum SchemaAssertion: Sendable {
    /// The schema `false`.
    case never
    case type(JSONType)
    case oneOfValues([JSON])
    case const(JSON)

    // Numbers
    case minimum(Double)
    case maximum(Double)
    case exclusiveMinimum(Double)
    case exclusiveMaximum(Double)
    case multipleOf(JSONNumber)

    // Strings
    case minLength(Int)
    case maxLength(Int)
    case pattern(SchemaPattern)
    case format(SchemaFormat)

    // Lists
    case items(prefix: [Int], rest: Int?)
    case minItems(Int)
    case maxItems(Int)
    case uniqueItems
    case contains(Int, min: Int, max: Int?)

    // Objects
    case members(SchemaMembers)
    case required([String])
    case dependentRequired([(name: String, wanted: [String])])
    case propertyNames(Int)
    case minProperties(Int)
    case maxProperties(Int)

    // Other schemas for the same value
    case reference(Int)
    case allOf([Int])
    case anyOf([Int])
    case oneOf([Int])
    case not(Int)
    case conditional(if: Int, then: Int?, else: Int?)

    /// The schemas that it applies to the value itself, not to a part of it.
    var inPlace: [Int] {
        switch self {
        case .reference(let node), .not(let node): [node]
        case .allOf(let nodes), .anyOf(let nodes), .oneOf(let nodes): nodes
        case .conditional(let condition, let then, let otherwise): [condition] + [then, otherwise].compactMap(\.self)
        default: []
        }
    }
}

/// What an object's members must look like: `properties`, `patternProperties`, `additionalProperties`.
struct SchemaMembers: Sendable {
    /// What becomes of a member that neither a name nor a pattern covers.
    enum Rest: Sendable {
        case allowed
        case refused
        case schema(Int)
    }

    var named: [JSONName: Int] = [:]
    /// The names in the schema's order, for messages.
    var names: [String] = []
    var patterned: [(pattern: SchemaPattern, node: Int)] = []
    var rest = Rest.allowed
}
