// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import Plumbing

/// The body of a form with a file (RFC 7578).
struct Multipart {
    let contentType: String
    private let boundary: String
    private var bytes: [UInt8] = []

    init() {
        // 128 random bits: no file holds them.
        boundary = "malla-\(MeshID())"
        contentType = "multipart/form-data; boundary=\(boundary)"
    }

    /// Adds a text.
    mutating func add(_ name: String, _ value: String) {
        head("name=\"\(name)\"")
        append("\r\n\(value)\r\n")
    }

    /// Adds a file.
    mutating func add(_ name: String, file: String, type: String, _ content: [UInt8]) {
        bytes.reserveCapacity(bytes.count + content.count + 512)
        head("name=\"\(name)\"; filename=\"\(file)\"")
        append("Content-Type: \(type)\r\n\r\n")
        bytes += content
        append("\r\n")
    }

    /// The whole body.
    func body() -> [UInt8] { bytes + Array("--\(boundary)--\r\n".utf8) }

    private mutating func head(_ disposition: String) {
        append("--\(boundary)\r\nContent-Disposition: form-data; \(disposition)\r\n")
    }

    private mutating func append(_ text: String) { bytes += Array(text.utf8) }
}
