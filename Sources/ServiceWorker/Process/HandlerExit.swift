// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// How a handler's process ended.
enum HandlerExit: Sendable, Hashable, CustomStringConvertible {
    /// It left with this status.
    case status(Int)
    /// A signal ended it.
    case signal(Int)
    /// It could not be started.
    case notStarted(String)

    /// Reads a status as `waitpid(2)` gives it.
    init(waitStatus: Int32) {
        let signal = waitStatus & 0x7F
        self = signal == 0 ? .status(Int((waitStatus >> 8) & 0xFF)) : .signal(Int(signal))
    }

    var description: String {
        switch self {
        case .status(let status): "the handler's process exited with status \(status)"
        case .signal(let signal): "the handler's process was ended by signal \(signal)\(Self.name(signal))"
        case .notStarted(let reason): "the handler's process could not be started: \(reason)"
        }
    }

    private static func name(_ signal: Int) -> String {
        let names = [
            4: "SIGILL", 6: "SIGABRT", 7: "SIGBUS", 8: "SIGFPE", 9: "SIGKILL, as when memory runs out", 11: "SIGSEGV",
            15: "SIGTERM",
        ]
        return names[signal].map { " (\($0))" } ?? ""
    }
}
