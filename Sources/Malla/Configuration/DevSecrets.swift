// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Foundation
import Glibc

/// The tokens of `malla dev`: from the environment, else made up once and kept in the data folder.
struct DevSecrets: Sendable {
    /// The tokens by their variables' names.
    let values: [String: String]
    /// The names of those that were made up just now: they are printed, once.
    let madeUp: Set<String>

    private static let fileName = "tokens.env"
    private static let names = ["MARKETPLACE_TOKEN", "MESH_TOKEN", "AI_SERVICE_TOKEN", "CALLBACK_SECRET", "MEDIA_KEY"]

    /// The tokens of a data folder; empty when there are none.
    static func stored(in folder: String) -> [String: String] {
        guard let text = try? String(contentsOfFile: "\(folder)/\(fileName)", encoding: .utf8) else { return [:] }
        var values: [String: String] = [:]
        for line in text.split(separator: "\n") {
            guard let equals = line.firstIndex(of: "=") else { continue }
            values[String(line[..<equals])] = String(line[line.index(after: equals)...])
        }
        return values
    }

    /// Takes each token from the environment, else from the folder, else makes it up and stores it there.
    static func load(folder: String, configuration: MeshConfiguration) throws -> DevSecrets {
        var stored = stored(in: folder)
        var madeUp: Set<String> = []
        var values: [String: String] = [:]
        for name in names {
            if let given = configuration.text(name) {
                values[name] = given
            } else {
                if stored[name] == nil {
                    stored[name] = makeUp(name)
                    madeUp.insert(name)
                }
                values[name] = stored[name]
            }
        }
        if !madeUp.isEmpty { try store(stored, in: folder) }
        return DevSecrets(values: values, madeUp: madeUp)
    }

    private static func makeUp(_ name: String) -> String {
        var generator = SystemRandomNumberGenerator()
        let bytes = (0..<24).map { _ in UInt8.random(in: 0...255, using: &generator) }
        if name == "CALLBACK_SECRET" { return "whsec_" + Data(bytes).base64EncodedString() }
        return bytes.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
    }

    private static func store(_ values: [String: String], in folder: String) throws {
        let path = "\(folder)/\(fileName)"
        let text = values.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)\n" }.joined()
        // Readable by the owner alone from the first moment on, and whole or not there when the process is killed.
        let draft = "\(path).new"
        let descriptor = open(draft, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        guard descriptor >= 0 else {
            throw ConfigurationError("the tokens can't be stored in \(path): \(String(cString: strerror(errno)))")
        }
        let handle = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
        try handle.write(contentsOf: Data(text.utf8))
        guard rename(draft, path) == 0 else {
            throw ConfigurationError("the tokens can't be stored in \(path): \(String(cString: strerror(errno)))")
        }
    }
}
