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
    }

    let mesh: ChaosMesh
    let receiver: Receiver

    /// Retries soon, as no run lasts for days; more of them than faults can use up.
    private static let callbacks = [
        "CALLBACK_TIMEOUT": "3s",
        "CALLBACK_RETRIES": "0s,500ms,1s" + String(repeating: ",2s", count: 40),
    ]

    /// Starts servers, receiver and mesh in a new folder.
    static func start(in folder: String, _ parts: Parts) async throws -> ChaosPlace {
        // Beside the mesh's folder, which must be empty when it starts.
        let definitions = folder + "-definitions"
        try ChaosDefinitions.write(to: definitions)
        let receiver = try await Receiver.start(secrets: [ChaosMesh.callbackSecret])
        do {
            let mesh = try await ChaosMesh.start(
                folder: folder,
                binary: parts.binary,
                definitions: definitions,
                receiverPort: receiver.port,
                python: parts.python,
                environment: callbacks
            )
            return ChaosPlace(mesh: mesh, receiver: receiver)
        } catch {
            await receiver.stop()
            throw error
        }
    }

    /// Ends all of it and removes the folder.
    ///
    /// - Parameter keeping: where the logs go before; nil to keep none.
    func stop(keeping kept: String? = nil) async throws {
        try await mesh.stop()
        await receiver.stop()
        if let kept { try keep(in: kept) }
        try FileManager.default.removeItem(atPath: mesh.folder)
        try FileManager.default.removeItem(atPath: mesh.folder + "-definitions")
    }

    /// Copies the roles' and servers' logs and the handlers' journal.
    private func keep(in kept: String) throws {
        let files = FileManager.default
        try files.createDirectory(atPath: kept, withIntermediateDirectories: true)
        for name in try files.contentsOfDirectory(atPath: mesh.folder) {
            guard name.hasSuffix(".log") || name == "log" || name == "logs" || name == "journal" else { continue }
            try? files.removeItem(atPath: "\(kept)/\(name)")
            try files.copyItem(atPath: "\(mesh.folder)/\(name)", toPath: "\(kept)/\(name)")
        }
    }
}
