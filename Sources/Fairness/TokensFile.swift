// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

public import Logging
internal import Plumbing
public import ServiceLifecycle

/// A file of accepted tokens that may change while the process runs; the last good version counts.
///
/// It has lines as an environment file has, `MARKETPLACE_TOKEN=one,two`, and stands in for the variables it names. As a
/// `Service` it is read again once a second, so that a token is replaced or revoked without a restart.
public final class TokensFile: Service {
    /// A list of tokens, by the variable that it stands in for.
    public enum List: String, Sendable, CaseIterable {
        /// What clients show to an App API.
        case marketplace = "MARKETPLACE_TOKEN"
        /// What clients and workers show to a Service API.
        case service = "AI_SERVICE_TOKEN"
        /// What App APIs show to a Service API.
        case mesh = "MESH_TOKEN"
    }

    private struct Version {
        var entries: [List: [String]]
        var tokens: [List: NamedTokens]

        init(_ entries: [List: [String]]) {
            self.entries = entries
            tokens = Dictionary(
                uniqueKeysWithValues: entries.map { ($0.key, NamedTokens($0.value, scoped: $0.key == .marketplace)) }
            )
        }
    }

    private let file: WatchedFile<Version, TokensError>
    private let interval: Duration
    private let logger: Logger

    /// Reads the file; blocks while it does, so at the start of a process.
    ///
    /// - Throws: ``TokensError`` when it can't be read or holds a mistake.
    public init(
        path: String,
        interval: Duration = .seconds(1),
        logger: Logger = Logger(label: "malla.tokens")
    ) throws(TokensError) {
        self.interval = interval
        self.logger = logger
        file = try WatchedFile(path: path) { (content, before) throws(TokensError) in
            let entries = try Self.read(content, path)
            // A list that is gone would bring back the environment's tokens, or leave a job API open to everybody.
            let lost = Set((before?.entries ?? [:]).keys).subtracting(entries.keys).map(\.rawValue).sorted()
            guard lost.isEmpty else {
                let names = lost.joined(separator: ", ")
                throw TokensError("\(path): \(names) is gone; a list stays until the process ends")
            }
            return Version(entries)
        }
    }

    /// Where it is.
    public var path: String { file.path }

    /// The tokens of a list as they stand now; nil when the file does not name it.
    public func tokens(_ list: List) -> NamedTokens? { file.current.tokens[list] }

    /// The entries of a list as they stand now, `name:token` or plain; nil when the file does not name it.
    public func entries(_ list: List) -> [String]? { file.current.entries[list] }

    /// Reads the file again and again until a graceful shutdown.
    public func run() async throws {
        await Rounds.run(every: interval) { await self.refresh() }
    }

    /// Reads the file again if it changed, and tells the log, never with a token.
    public func refresh() async {
        do throws(TokensError) {
            if try await reread() {
                logger.info("the tokens were read again", metadata: [LogKey.file: "\(path)"])
            }
        } catch {
            logger.error(
                "the changed tokens can't be used; those before hold",
                metadata: [LogKey.file: "\(path)", LogKey.error: "\(error)"]
            )
        }
    }

    /// Reads the file again when it has changed; the tokens stay as they are when it can't be used.
    ///
    /// - Returns: whether there is something new.
    /// - Throws: ``TokensError`` once for each version that can't be used.
    public func reread() async throws(TokensError) -> Bool { try await file.reread() }

    private static func read(_ content: String?, _ path: String) throws(TokensError) -> [List: [String]] {
        guard let content else { throw TokensError("\(path): can't be read") }
        var entries: [List: [String]] = [:]
        let lines = content.split(omittingEmptySubsequences: false) { $0.isNewline }
        for (index, line) in lines.enumerated() {
            let text = trimmed(line)
            if text.isEmpty || text.hasPrefix("#") { continue }
            let place = "\(path):\(index + 1)"
            let known = List.allCases.map(\.rawValue).joined(separator: ", ")
            // The line itself is never shown: it may be a token.
            guard let equals = text.firstIndex(of: "="), let list = List(rawValue: String(trimmed(text[..<equals])))
            else { throw TokensError("\(place): a line is NAME=token,token with one of \(known)") }
            let tokens = text[text.index(after: equals)...].split(separator: ",").map { String(trimmed($0)) }
                .filter { !$0.isEmpty }
            guard !tokens.isEmpty else { throw TokensError("\(place): \(list.rawValue) has no token") }
            guard entries.updateValue(tokens, forKey: list) == nil else {
                throw TokensError("\(place): \(list.rawValue) stands here twice")
            }
        }
        guard !entries.isEmpty else { throw TokensError("\(path): there is no token in it") }
        return entries
    }

    private static func trimmed(_ text: Substring) -> Substring {
        let tail = text.drop(while: \.isWhitespace)
        return tail.lastIndex { !$0.isWhitespace }.map { tail[...$0] } ?? ""
    }
}
