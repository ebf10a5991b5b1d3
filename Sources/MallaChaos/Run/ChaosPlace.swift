// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

#if canImport(FoundationEssentials)
internal import FoundationEssentials
#else
internal import Foundation
#endif

/// A mesh and a receiver of callbacks in a folder of their own, on which runs follow one another.
struct ChaosPlace: Sendable {
    /// What a place is made of.
    struct Parts: Sendable {
        /// The `malla` executable.
        var binary: String
        /// The Python that handlers run with.
        var python: String
        /// What `malla --version` says; nil when it was not asked.
        var version: String?
    }

    let mesh: ChaosMesh
    let receiver: Receiver

    /// Retries soon, as no run lasts for days; more of them than faults can use up.
    private static let callbacks = [
        "CALLBACK_TIMEOUT": "3s",
        "CALLBACK_RETRIES": "0s,500ms,1s" + String(repeating: ",2s", count: 40),
    ]

    /// Starts servers, receiver and mesh in a new folder, which is gone again when they do not start.
    ///
    /// - Parameter keeping: where the logs go then; nil to keep none.
    static func start(in folder: String, _ parts: Parts, keeping kept: String? = nil) async throws -> ChaosPlace {
        try MeshFolder.make(folder)
        do {
            let receiver = try await Receiver.start(secrets: [ChaosMesh.callbackSecret])
            do {
                // Within the mesh's folder: its guardian removes that, however the harness ends.
                try ChaosDefinitions.write(to: folder + "/definitions")
                let mesh = try await ChaosMesh.start(
                    folder: folder,
                    binary: parts.binary,
                    definitions: folder + "/definitions",
                    receiverPort: receiver.port,
                    python: parts.python,
                    environment: callbacks
                )
                return ChaosPlace(mesh: mesh, receiver: receiver)
            } catch {
                await receiver.stop()
                throw error
            }
        } catch {
            try clear(folder, keeping: kept)
            throw error
        }
    }

    /// Ends all of it and removes the folder.
    ///
    /// - Parameter keeping: where the logs go before; nil to keep none.
    func stop(keeping kept: String? = nil) async throws {
        try await mesh.stop()
        await receiver.stop()
        try Self.clear(mesh.folder, keeping: kept)
    }

    private static func clear(_ folder: String, keeping kept: String?) throws {
        if let kept { try keep(folder, in: kept) }
        try FileManager.default.removeItem(atPath: folder)
    }

    /// Copies the roles' and servers' logs and the handlers' journal.
    private static func keep(_ folder: String, in kept: String) throws {
        let files = FileManager.default
        try files.createDirectory(atPath: kept, withIntermediateDirectories: true)
        for name in try files.contentsOfDirectory(atPath: folder) {
            guard name.hasSuffix(".log") || name == "log" || name == "logs" || name == "journal" else { continue }
            try? files.removeItem(atPath: "\(kept)/\(name)")
            try files.copyItem(atPath: "\(folder)/\(name)", toPath: "\(kept)/\(name)")
        }
    }
}
