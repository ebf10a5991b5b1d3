// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import HTTPTransfer
internal import MediaStore
internal import Workflow

#if canImport(FoundationEssentials)
internal import FoundationEssentials
#else
internal import Foundation
#endif

/// What a transcription job asks for: where the recording is, and how it is to be heard.
struct SpeechInput: Sendable {
    /// Where the recording is.
    enum Source: Sendable {
        case media(MediaReference)
        /// An address that a client gives: only a guarded client may fetch it.
        case address(String)
        case bytes([UInt8])
    }

    let source: Source
    /// The field of the input that names the recording.
    let field: String
    /// What the caller says that it is, such as `wav`.
    let format: String?
    /// The language, such as `es`; nil to have it found.
    let language: String?
    /// A text that helps to hear names and words.
    let prompt: String?
    /// `transcribe`, or `translate` into English.
    let task: String
    /// Whether speakers are to be told apart; nil when the caller does not say.
    let diarize: Bool?
    let minSpeakers: Int?
    let maxSpeakers: Int?

    /// Reads a job's input; options may stand beside the recording or in `options`.
    ///
    /// - Throws: `JobError` that names the field which is wrong.
    init(_ input: JSON) throws(JobError) {
        (source, field) = try Self.source(of: input)
        func option(_ name: String) -> JSON? { input[name] ?? input["options"]?[name] }
        func text(_ name: String) throws(JobError) -> String? {
            guard let value = option(name), value != .null else { return nil }
            guard let text = value.string else {
                throw JobError(.invalidInput, "'\(name)' is a text", field: "/\(name)")
            }
            return text.isEmpty ? nil : text
        }
        format = try text("format")
        language = try text("language")
        prompt = try text("prompt")
        task = try text("task") ?? "transcribe"
        guard ["transcribe", "translate"].contains(task) else {
            throw JobError(.invalidInput, "'task' is transcribe or translate", field: "/task")
        }
        diarize = option("diarize")?.bool
        minSpeakers = option("min_speakers")?.int
        maxSpeakers = option("max_speakers")?.int
    }

    /// Fetches the recording.
    ///
    /// - Throws: `JobError`; about the input where the caller is to blame.
    func audio(
        media: any MediaStore,
        guarded: any HTTPTransferring,
        limit: Int
    ) async throws(JobError) -> SpeechAudio {
        let bytes: [UInt8]
        switch source {
        case .bytes(let given): bytes = given
        case .media(let reference): bytes = try await read(reference, media, limit)
        case .address(let url): bytes = try await fetch(url, guarded, limit)
        }
        guard bytes.count <= limit else { throw tooLarge(limit) }
        guard !bytes.isEmpty else { throw JobError(.invalidInput, "the recording is empty", field: "/\(field)") }
        return SpeechAudio(bytes, format: format)
    }

    private func read(
        _ reference: MediaReference,
        _ media: any MediaStore,
        _ limit: Int
    ) async throws(JobError) -> [UInt8] {
        do {
            let content = try await media.read(reference, offset: 0)
            guard content.attributes.size <= limit else { throw tooLarge(limit) }
            var bytes: [UInt8] = []
            bytes.reserveCapacity(content.attributes.size)
            for try await chunk in content.bytes { bytes += chunk }
            return bytes
        } catch let error as JobError {
            throw error
        } catch let error as MediaError where !error.isRetriable {
            throw JobError(.invalidInput, "the recording can't be read: \(error.reason)", field: "/\(field)")
        } catch {
            throw JobError(.internal, "the recording could not be read: \(error)")
        }
    }

    private func fetch(_ url: String, _ http: any HTTPTransferring, _ limit: Int) async throws(JobError) -> [UInt8] {
        let request = TransferRequest("GET", url, timeout: .seconds(120), answerLimit: limit)
        do {
            let answer = try await http.send(request)
            guard (200...299).contains(answer.head.status) else {
                let words = "the recording can't be fetched: its server answered \(answer.head.status)"
                let isPassing = answer.head.status >= 500 || [408, 429].contains(answer.head.status)
                throw isPassing ? JobError(.provider, words) : JobError(.invalidInput, words, field: "/\(field)")
            }
            return answer.body
        } catch let error as JobError {
            throw error
        } catch let error as TransferError where error.code == .tooLarge {
            throw tooLarge(limit)
        } catch let error as TransferError where !error.isRetriable {
            throw JobError(.invalidInput, "the recording can't be fetched: \(error.reason)", field: "/\(field)")
        } catch {
            throw JobError(.provider, "the recording could not be fetched: \(error)")
        }
    }

    private func tooLarge(_ limit: Int) -> JobError {
        JobError(.invalidInput, "the recording has more than \(limit) bytes", field: "/\(field)")
    }

    private static func source(of input: JSON) throws(JobError) -> (Source, String) {
        for name in ["audio", "audio_url"] {
            guard let value = input[name], value != .null else { continue }
            if let text = value.string, let reference = MediaReference(text) { return (.media(reference), name) }
            if let text = value.string, text.hasPrefix("http://") || text.hasPrefix("https://") {
                return (.address(text), name)
            }
            throw JobError(
                .invalidInput,
                "'\(name)' is a media reference (s3://bucket/key) or a URL; bytes in base64 go into 'data'",
                field: "/\(name)"
            )
        }
        for name in ["data", "audio_base64"] {
            guard let value = input[name], value != .null else { continue }
            // A data URI says what it is before its comma.
            let text = value.string.map { $0.hasPrefix("data:") ? String($0.drop { $0 != "," }.dropFirst()) : $0 }
            let bytes = text.flatMap { Data(base64Encoded: $0, options: .ignoreUnknownCharacters) }.map { Array($0) }
            guard let bytes, !bytes.isEmpty else {
                throw JobError(.invalidInput, "'\(name)' is a recording in base64", field: "/\(name)")
            }
            return (.bytes(bytes), name)
        }
        throw JobError(
            .invalidInput,
            "there is no recording: give 'audio', a media reference or a URL, or 'data' in base64 with its 'format'",
            field: "/audio"
        )
    }
}
