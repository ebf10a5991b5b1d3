// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import Workflow

#if canImport(FoundationEssentials)
internal import FoundationEssentials
#else
internal import Foundation
#endif

/// The marks that handlers wrote: one file for each of their processes, one JSON line for each mark.
enum HandlerJournal {
    /// A line that is no mark, in a place where no torn line can be.
    struct Damaged: Error, CustomStringConvertible {
        let file: String
        let line: Int
        let text: String

        var description: String { "\(file):\(line): no mark of a handler: \(text.prefix(200))" }
    }

    /// Reads every file of a folder; a folder that is not there has no marks.
    ///
    /// A last line without its end is left out when it is no mark: its process was killed while it wrote.
    ///
    /// - Returns: the marks by time; those of one process in its order.
    /// - Throws: ``Damaged`` for any other line that is no mark, or Foundation's error when a file can't be read.
    static func read(_ folder: String) throws -> [HandlerMark] {
        guard FileManager.default.fileExists(atPath: folder) else { return [] }
        var marks: [HandlerMark] = []
        for name in try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
        where name.hasSuffix(".jsonl") {
            marks += try marksOf(try Data(contentsOf: URL(filePath: folder + "/" + name)), file: name)
        }
        // Stable by index: two marks of one process may have the same time.
        return marks.enumerated().sorted { ($0.element.at, $0.offset) < ($1.element.at, $1.offset) }.map(\.element)
    }

    private static func marksOf(_ data: Data, file: String) throws(Damaged) -> [HandlerMark] {
        var marks: [HandlerMark] = []
        let lines = data.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        for (index, line) in lines.enumerated() where !line.isEmpty {
            if let mark = HandlerMark(line: Array(line)) {
                marks.append(mark)
            } else if index < lines.count - 1 {
                throw Damaged(file: file, line: index + 1, text: String(decoding: line, as: UTF8.self))
            }
        }
        return marks
    }
}

extension HandlerMark {
    /// Reads a line of the journal; nil when it is none.
    init?(line: [UInt8]) {
        guard let json = try? JSON(parsing: line), let kind = json["kind"]?.string.flatMap(Kind.init(rawValue:)),
            let at = json["at"]?.double, let key = json["key"]?.string, let stage = json["stage"]?.string,
            let job = json["job"]?.string, let attempt = json["attempt"]?.int, let nonce = json["nonce"]?.string,
            let process = json["process"]?.int
        else { return nil }
        self.init(
            kind: kind,
            at: at,
            key: key,
            stage: stage,
            item: json["item"]?.int,
            job: job,
            attempt: attempt,
            nonce: nonce,
            answer: json["answer"] ?? JSON.null,
            process: process,
            worker: json["worker"]?.string
        )
    }
}
