// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Crypto
import MediaStore

/// The keys that a caller may write and read.
enum UploadKey {
    /// The folder of a caller's uploads: whoever has the token of one app names its users, and no other app's.
    static func folder(of caller: CallerIdentity) -> String {
        area(of: caller) + name(of: caller.user) + "/"
    }

    /// Where all uploads lie that came with tokens of the same apps; no user's folder begins with `@`.
    private static func area(of caller: CallerIdentity) -> String {
        caller.apps.map { "uploads/@\($0.sorted().joined(separator: "+"))/" } ?? "uploads/"
    }

    /// The folder of a user; users whose ids would not do as a folder get one by digest.
    private static func name(of user: String) -> String {
        let isPlain =
            (1...64).contains(user.utf8.count) && user.utf8.first != UInt8(ascii: ".")
            && user.utf8.allSatisfy {
                (0x30...0x39).contains($0) || (0x41...0x5A).contains($0) || (0x61...0x7A).contains($0)
                    || $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: "_") || $0 == UInt8(ascii: "-")
            }
        if isPlain { return user }
        let digits = SHA256.hash(data: Array(user.utf8)).map { byte in
            (byte < 16 ? "0" : "") + String(byte, radix: 16)
        }
        return "~" + digits.joined()
    }

    /// The key of a name that a user uploads; nil when the name could lead elsewhere.
    static func forUpload(_ name: String, _ caller: CallerIdentity) -> String? {
        let folder = folder(of: caller)
        let key = name.utf8.starts(with: folder.utf8) ? name : folder + name
        guard name.utf8.count <= 512, MediaReference.isKey(key), !name.hasPrefix("/") else { return nil }
        // Anything with another folder's look is a mistake or a try, not a name.
        return key == name || !["uploads/", "originals/", "derived/"].contains { name.hasPrefix($0) } ? key : nil
    }

    /// The key that a download names: whole, or the name of an own upload.
    static func forDownload(_ name: String, _ caller: CallerIdentity) -> String? {
        let isWhole = ["uploads/", "originals/", "derived/"].contains { name.hasPrefix($0) }
        let key = isWhole ? name : folder(of: caller) + name
        return MediaReference.isKey(key) ? key : nil
    }

    /// Whether a caller may read a key: own uploads, and what only its holder can name (a SHA-256, a UUID).
    ///
    /// An admin reads all; one with the token of some apps, what came with such a token.
    static func mayRead(_ key: String, _ caller: CallerIdentity) -> Bool {
        if caller.role == .admin, caller.apps == nil { return true }
        let own = caller.role == .admin ? area(of: caller) : folder(of: caller)
        // By bytes, as keys are stored: to Swift, a Kelvin sign is a K.
        return ["originals/", "derived/", own].contains { key.utf8.starts(with: $0.utf8) }
    }
}
