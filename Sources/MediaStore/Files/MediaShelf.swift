// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import Crypto
internal import Foundation
internal import MediaStore
internal import Plumbing

#if canImport(Glibc)
internal import Glibc
#else
internal import Darwin
#endif

/// The folder of the media, and the thread that does its blocking calls.
///
/// A key's file is named by the key's SHA-256: no key can lead out of the folder, be too long for a file name or
/// collide with another one's folder.
actor MediaShelf {
    private let loop = LoopThread(name: "malla-files")
    private let folder: String
    private var isSwept = false

    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    init(folder: String) {
        self.folder = folder
    }

    /// Makes a temporary file.
    func begin() throws(MediaError) -> MediaFile {
        try makeFolder("\(folder)/incoming")
        sweep()
        return try MediaFile(creating: "\(folder)/incoming/\(MeshID())")
    }

    /// Removes what a crash left half written: files that nobody has written to for a day.
    private func sweep() {
        guard !isSwept else { return }
        isSwept = true
        let incoming = "\(folder)/incoming"
        // What can't be listed or removed costs room, and nothing else.
        for name in (try? FileManager.default.contentsOfDirectory(atPath: incoming)) ?? [] {
            var status = stat()
            guard lstat("\(incoming)/\(name)", &status) == 0, time(nil) - status.changedAt > 86_400 else {
                continue
            }
            unlink("\(incoming)/\(name)")
        }
    }

    func write(_ bytes: [UInt8], to file: MediaFile) throws(MediaError) {
        try file.write(bytes)
    }

    /// Removes a temporary file that was not kept.
    func discard(_ file: MediaFile) {
        unlink(file.path)
    }

    /// Puts a written file in its place, durably; an existing one is replaced, or left alone when asked.
    func keep(_ file: MediaFile, as sidecar: MediaSidecar, keepingExisting: Bool) throws(MediaError) {
        defer { unlink(file.path) }
        let place = self.place(of: sidecar.key)
        if keepingExisting, access(place, F_OK) == 0 { return }
        try file.sync()
        let home = String(place.dropLast(65))
        if access(home, F_OK) != 0 {
            try makeFolder(home)
            // A folder lasts when its parent says so.
            try syncFolder("\(folder)/objects")
        }
        let note = try MediaFile(creating: "\(file.path).json")
        defer { unlink(note.path) }
        do {
            try note.write(Array(JSONEncoder().encode(sidecar)))
        } catch let error as MediaError {
            throw error
        } catch {
            throw MediaError(.invalid, "what is known of the media can't be written: \(error)")
        }
        try note.sync()
        // The bytes come last: media is there when they are.
        try put(note.path, "\(place).json", keepingExisting: keepingExisting)
        try put(file.path, place, keepingExisting: keepingExisting)
        try syncFolder(home)
    }

    func open(_ key: String) throws(MediaError) -> (file: MediaFile, attributes: MediaAttributes)? {
        let place = self.place(of: key)
        guard let file = try MediaFile(reading: place) else { return nil }
        var type = "application/octet-stream"
        if let note = try MediaFile(reading: "\(place).json") {
            let bytes = try note.read(at: 0, count: 65_536)
            // A damaged note costs the content type, not the media.
            if let sidecar = try? JSONDecoder().decode(MediaSidecar.self, from: Data(bytes)) {
                type = sidecar.contentType
            }
        }
        return (file, MediaAttributes(size: try file.size(), contentType: type))
    }

    func read(_ file: MediaFile, at offset: Int, count: Int) throws(MediaError) -> [UInt8] {
        try file.read(at: offset, count: count)
    }

    func delete(_ key: String) throws(MediaError) {
        let place = self.place(of: key)
        for path in [place, "\(place).json"] where unlink(path) != 0 && errno != ENOENT {
            throw MediaFile.failure("delete", path)
        }
    }

    func ping() throws(MediaError) {
        try makeFolder("\(folder)/incoming")
        guard access("\(folder)/incoming", W_OK) == 0 else { throw MediaFile.failure("write to", folder) }
    }

    private func place(of key: String) -> String {
        let name = MediaNaming.hexadecimal(SHA256.hash(data: Data(key.utf8)))
        return "\(folder)/objects/\(name.prefix(2))/\(name)"
    }

    private func put(_ source: String, _ target: String, keepingExisting: Bool) throws(MediaError) {
        let code = keepingExisting ? link(source, target) : rename(source, target)
        guard code == 0 || (keepingExisting && errno == EEXIST) else { throw MediaFile.failure("place", target) }
    }

    private func makeFolder(_ path: String) throws(MediaError) {
        guard access(path, F_OK) != 0 else { return }
        do {
            try FileManager.default.createDirectory(
                atPath: path,
                withIntermediateDirectories: true,
                attributes: [.posixPermissions: 0o700]
            )
        } catch {
            throw MediaError(.unavailable, "the media folder can't be made: \(error)")
        }
    }

    private func syncFolder(_ path: String) throws(MediaError) {
        guard let home = try MediaFile(reading: path) else { throw MediaFile.failure("open", path) }
        try home.sync()
    }
}
