// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Foundation
import Glibc
import Workflow

/// What a person sees: tables that fit the terminal, progress that redraws on one and prints lines elsewhere.
enum Terminal {
    /// Whether standard output is a terminal.
    static var isInteractive: Bool { isatty(STDOUT_FILENO) == 1 }

    /// The terminal's width in columns; 80 where there is none.
    static var width: Int {
        var size = winsize()
        guard ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return 80 }
        return Int(size.ws_col)
    }

    /// Prints an error for a person.
    static func complain(_ message: String) {
        FileHandle.standardError.write(Data("malla: \(Printable.text(message, keepingLines: true))\n".utf8))
    }

    /// Prints a line at once, past the buffer that a pipe would give `print`.
    static func say(_ line: String) {
        FileHandle.standardOutput.write(Data((Printable.text(line, keepingLines: true) + "\n").utf8))
    }

    /// Prints JSON with indentation.
    static func print(_ json: JSON) {
        say(json.indented)
    }

    /// A row of a table: its cells, and what is said below it.
    struct Row {
        let cells: [String]
        var notes: [String] = []
    }

    /// Prints a table; on a terminal, lines are cut to its width, and each note has one line, indented.
    static func table(_ header: [String], _ rows: [Row]) {
        let all = ([Row(cells: header)] + rows).map { row in
            Row(
                cells: row.cells.map { Printable.text($0, keepingLines: false) },
                notes: row.notes.map { Printable.text(String($0.map { $0.isNewline ? " " : $0 }), keepingLines: false) }
            )
        }
        let widths = header.indices.map { column in all.map { $0.cells[column].count }.max() ?? 0 }
        for row in all {
            let cells = row.cells.enumerated().map { column, cell in
                column == row.cells.count - 1
                    ? cell : cell.padding(toLength: widths[column], withPad: " ", startingAt: 0)
            }
            let notes = row.notes.map { "    " + $0 }
            for line in [cells.joined(separator: "  ")] + notes {
                say(isInteractive ? String(line.prefix(width)) : line)
            }
        }
    }

    /// Prints sentences, broken into lines at spaces on a terminal.
    static func paragraph(_ text: String) {
        guard isInteractive else { return say(text) }
        var line = ""
        for word in text.split(separator: " ") {
            if !line.isEmpty, line.count + word.count >= width {
                say(line)
                line = ""
            }
            line += (line.isEmpty ? "" : " ") + word
        }
        say(line)
    }

    /// Shows one line of progress: over the last one on a terminal, else as a line of its own when it changed.
    static func progress(_ line: String, last: inout String) {
        let line = Printable.text(line, keepingLines: false)
        guard line != last else { return }
        last = line
        if isInteractive {
            FileHandle.standardOutput.write(Data(("\r\u{1B}[K" + String(line.prefix(width - 1))).utf8))
        } else {
            say(line)
        }
    }

    /// Ends a progress line.
    static func endProgress(_ last: String) {
        if isInteractive, !last.isEmpty { say("") }
    }
}

extension JSON {
    /// The value as text with two spaces of indentation.
    var indented: String { indented("") }

    private func indented(_ margin: String) -> String {
        switch self {
        case .array(let elements) where !elements.isEmpty:
            let lines = elements.map { margin + "  " + $0.indented(margin + "  ") }
            return "[\n" + lines.joined(separator: ",\n") + "\n\(margin)]"
        case .object(let object) where object.count > 0:
            let lines = object.members.map { name, value in
                margin + "  " + String(decoding: JSON.string(name).bytes, as: UTF8.self) + ": "
                    + value.indented(margin + "  ")
            }
            return "{\n" + lines.joined(separator: ",\n") + "\n\(margin)}"
        default: return String(decoding: bytes, as: UTF8.self)
        }
    }
}
