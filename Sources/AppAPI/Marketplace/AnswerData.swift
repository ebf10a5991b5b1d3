// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import MediaStore
import Plumbing
import Workflow

/// The `dataType` and `data` of a task's output, with presigned URLs for media references.
struct AnswerData: Sendable {
    let media: any MediaStore

    /// The members of `response` for an output.
    ///
    /// - Parameter definition: the run's definition; without it the type is told from the data.
    func members(output: [UInt8]?, type: OutputDefinition.DataType?, expiresIn: Duration) -> [(String, JSON)] {
        let data = Self.parse(output)
        let type = type ?? Self.guess(data)
        return [("dataType", .string(type.rawValue)), ("data", present(data, as: type, expiresIn))]
    }

    /// Stored output as JSON; what can't be read counts as null.
    static func parse(_ output: [UInt8]?) -> JSON {
        guard let output, let json = try? JSON(parsing: output) else { return .null }
        return json
    }

    /// Tells the type of an output whose definition is gone.
    static func guess(_ data: JSON) -> OutputDefinition.DataType {
        if let text = data.string, MediaReference(text) != nil { return .s3Object }
        if let parts = data.array, !parts.isEmpty, parts.allSatisfy({ $0["dataType"]?.string != nil }) {
            return .hybrid
        }
        return .metadata
    }

    private func present(_ data: JSON, as type: OutputDefinition.DataType, _ expiry: Duration) -> JSON {
        switch type {
        case .metadata: return data
        case .s3Object: return presign(data, expiry)
        case .hybrid:
            guard let parts = data.array else { return data }
            return .array(
                parts.map { part in
                    guard let type = part["dataType"]?.string.flatMap(OutputDefinition.DataType.init(rawValue:)),
                        let data = part["data"]
                    else { return part }
                    return part.adding("data", present(data, as: type, expiry))
                }
            )
        }
    }

    /// A reference becomes `{reference, url, expiresAt}`; lists go element by element, anything else stays.
    private func presign(_ data: JSON, _ expiry: Duration) -> JSON {
        if let list = data.array { return .array(list.map { presign($0, expiry) }) }
        guard let text = data.string ?? data["reference"]?.string, let reference = MediaReference(text),
            let url = try? media.presignedGet(reference, expiresIn: expiry)
        else { return data }
        let base: JSON = data.object == nil ? ["reference": .string(text)] : data
        return base.adding("url", .string(url)).adding("expiresAt", .string((Timestamp.now + expiry).rfc3339))
    }
}
