// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

public import Workflow

/// Returns its input with the members of the option `set`; an input that is no object becomes its member `input`.
public struct EchoHandler: NativeHandler {
    private let members: [(name: String, value: JSON)]

    /// Makes it from its service's options.
    ///
    /// - Throws: `JobError` when `set` is there and no object.
    public init(options: JSON) throws(JobError) {
        guard let set = options["set"] else {
            members = []
            return
        }
        guard let object = set.object else {
            throw JobError(
                .invalidInput,
                "the option 'set' of the handler 'echo' is an object of members to set",
                field: "/set"
            )
        }
        members = object.members
    }

    /// Returns the input with the members set.
    public func run(_ input: JSON, context: NativeContext) async throws -> JSON {
        var object = input.object ?? JSONObject([("input", input)])
        for (name, value) in members { object[name] = value }
        return .object(object)
    }
}
