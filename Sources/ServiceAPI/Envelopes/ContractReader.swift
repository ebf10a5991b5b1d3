// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import HTTPTypes
import Workflow

/// Reads the members of an S-CONTRACT and names the one that is wrong.
struct ContractReader {
    private let contract: JSONObject

    init(_ contract: JSONObject) {
        self.contract = contract
    }

    /// Refuses a contract of another version.
    func checkVersion() throws(Problem) {
        let version: String? =
            switch contract["contract_version"] {
            case .string(let text)?: text
            case .number(let number)?: number.text
            default: nil
            }
        guard let version else {
            throw Self.refusal("contract_version", "the version as a string, such as \"\(InputEnvelope.version)\"")
        }
        guard version == InputEnvelope.version else {
            throw Problem(
                .unprocessableContent,
                "contract_version '\(version.prefix(32))' is not known; there is: \(InputEnvelope.version)",
                field: "/input/contract/contract_version"
            )
        }
    }

    /// A member that is an object; empty when it may be missing and is.
    func object(_ name: String, isRequired: Bool = false) throws(Problem) -> JSONObject {
        switch contract[name] {
        case .object(let object)?: return object
        case nil, .null?:
            guard isRequired else { return JSONObject() }
            throw Self.refusal(name, "an object")
        default: throw Self.refusal(name, "an object")
        }
    }

    /// A member of a member that is a string; nil when it may be missing and is.
    func text(
        _ object: JSONObject,
        _ name: String,
        in parent: String,
        isRequired: Bool = false
    ) throws(Problem) -> String? {
        switch object[name] {
        case .string(let text)? where !text.isEmpty: return text
        case nil where !isRequired, .null? where !isRequired: return nil
        default: throw Self.refusal("\(parent)/\(name)", "a string")
        }
    }

    static func refusal(_ path: String, _ expected: String) -> Problem {
        Problem(
            .unprocessableContent,
            "'contract.\(path.replacing("/", with: "."))' must be \(expected)",
            field: "/input/contract/\(path)"
        )
    }
}
