// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import MediaStore
import Plumbing
import Workflow

/// The `dataType` and `data` of a task's output, with presigned URLs for media references.
struct AnswerData: Sendable {
    let media: any MediaStore

    /// A result may be nearly as deep as the engines allow, and the output's template lays more around it.
    private static let storedDepth = 256

    /// The members of `response` for an output; nil when it can't be read.
    ///
    /// - Parameter type: what the run's definition says; without it the data are handed out as they are. Data that only
    ///   look like a reference must get no URL: nobody checked whose media they name.
    func members(output: [UInt8]?, type: OutputDefinition.DataType?, expiresIn: Duration) -> [(String, JSON)]? {
        guard let output, let data = try? JSON(parsing: output, maxDepth: Self.storedDepth) else { return nil }
        let type = type ?? .metadata
        return [("dataType", .string(type.rawValue)), ("data", present(data, as: type, expiresIn))]
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
