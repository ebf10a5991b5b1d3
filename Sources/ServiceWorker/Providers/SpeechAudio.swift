// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import Workflow

/// A recording to be turned into text.
struct SpeechAudio: Sendable {
    let bytes: [UInt8]
    /// What it is: `wav`, `mp3`, `ogg`, `flac`, `m4a`, `webm` or `amr`; else what the caller says.
    let format: String

    /// Takes bytes; what they begin with goes before what the caller says.
    init(_ bytes: [UInt8], format said: String?) {
        self.bytes = bytes
        let word = said?.lowercased().filter { $0.isASCII && ($0.isLetter || $0.isNumber) } ?? ""
        format = Self.format(of: bytes) ?? (word.isEmpty ? "wav" : String(word.prefix(8)))
    }

    /// The name that servers see; many look at its end alone.
    var fileName: String { "audio.\(format)" }

    /// Its media type.
    var contentType: String {
        switch format {
        case "wav": "audio/wav"
        case "mp3": "audio/mpeg"
        case "m4a": "audio/mp4"
        default: "audio/\(format)"
        }
    }

    /// How long it is in seconds, when its head says so.
    var seconds: Double? {
        guard format == "wav", bytes.count >= 44 else { return nil }
        let rate = Self.number(bytes[28..<32])
        return rate > 0 ? Double(bytes.count - 44) / Double(rate) : nil
    }

    private static func number(_ bytes: ArraySlice<UInt8>) -> UInt32 {
        bytes.reversed().reduce(0) { $0 << 8 | UInt32($1) }
    }

    private static func format(of bytes: [UInt8]) -> String? {
        func has(_ text: String, at place: Int = 0) -> Bool {
            bytes.dropFirst(place).prefix(text.utf8.count).elementsEqual(text.utf8)
        }
        if has("RIFF"), has("WAVE", at: 8) { return "wav" }
        if has("ID3") { return "mp3" }
        if bytes.count > 2, bytes[0] == 0xFF, bytes[1] & 0xE6 == 0xE2 { return "mp3" }
        if has("OggS") { return "ogg" }
        if has("fLaC") { return "flac" }
        if has("ftyp", at: 4) { return "m4a" }
        if bytes.starts(with: [0x1A, 0x45, 0xDF, 0xA3]) { return "webm" }
        if has("#!AMR") { return "amr" }
        return nil
    }
}
