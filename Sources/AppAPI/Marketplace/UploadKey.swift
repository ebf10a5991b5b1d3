// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Crypto
import MediaStore

/// The keys that a caller may write and read.
enum UploadKey {
    /// The folder of a user's uploads; users whose ids would not do as a folder get one by digest.
    static func folder(of user: String) -> String {
        let isPlain =
            user.utf8.count <= 64 && user.utf8.first != UInt8(ascii: ".")
            && user.utf8.allSatisfy {
                (0x30...0x39).contains($0) || (0x41...0x5A).contains($0) || (0x61...0x7A).contains($0)
                    || $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: "_") || $0 == UInt8(ascii: "-")
            }
        if isPlain { return "uploads/\(user)/" }
        let digits = SHA256.hash(data: Array(user.utf8)).map { byte in
            (byte < 16 ? "0" : "") + String(byte, radix: 16)
        }
        return "uploads/~\(digits.joined())/"
    }

    /// The key of a name that a user uploads; nil when the name could lead elsewhere.
    static func forUpload(_ name: String, user: String) -> String? {
        let folder = folder(of: user)
        let key = name.hasPrefix(folder) ? name : folder + name
        guard name.utf8.count <= 512, MediaReference.isKey(key), !name.hasPrefix("/") else { return nil }
        // Anything with another folder's look is a mistake or a try, not a name.
        return key == name || !["uploads/", "originals/", "derived/"].contains { name.hasPrefix($0) } ? key : nil
    }

    /// The key that a download names: whole, or the name of an own upload.
    static func forDownload(_ name: String, user: String) -> String? {
        let isWhole = ["uploads/", "originals/", "derived/"].contains { name.hasPrefix($0) }
        let key = isWhole ? name : folder(of: user) + name
        return MediaReference.isKey(key) ? key : nil
    }

    /// Whether a user may read a key: own uploads, and what only its holder can name (a SHA-256, a UUID).
    static func mayRead(_ key: String, user: String) -> Bool {
        key.hasPrefix("originals/") || key.hasPrefix("derived/") || key.hasPrefix(folder(of: user))
    }
}
