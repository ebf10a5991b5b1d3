// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Foundation
import Testing

/// Holds the table of layers: imports go strictly downward, C is seen by adapters, HTTPTransfer and Plumbing alone.
@Suite struct LayoutTests {
    private static let tests = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    private static let sources = tests.deletingLastPathComponent().appendingPathComponent("Sources")

    /// Folder (the longest match wins), target, layer.
    private static let targets: [(folder: String, target: String, layer: Int)] = [
        ("C/CRabbitMQ", "CRabbitMQ", 0), ("C/CHiredis", "CHiredis", 0), ("C/CPostgres", "CPostgres", 0),
        ("C/CCurl", "CCurl", 0), ("C/CJemalloc", "CJemalloc", 0),
        ("Plumbing", "Plumbing", 1), ("Workflow", "Workflow", 2),
        ("BrokerClient", "BrokerClient", 3), ("Ledger", "Ledger", 3), ("ResultStore", "ResultStore", 3),
        ("MediaStore", "MediaStore", 3), ("HTTPTransfer", "HTTPTransfer", 3),
        ("BrokerClient/RabbitMQ", "BrokerRabbitMQ", 4), ("BrokerClient/InProcess", "BrokerInProcess", 4),
        ("Ledger/Postgres", "LedgerPostgres", 4), ("Ledger/SQLite", "LedgerSQLite", 4),
        ("ResultStore/Redis", "ResultStoreRedis", 4), ("ResultStore/InProcess", "ResultStoreInProcess", 4),
        ("MediaStore/S3", "MediaStoreS3", 4), ("MediaStore/Files", "MediaStoreFiles", 4),
        ("Completions", "Completions", 4), ("Callbacks", "Callbacks", 4), ("Fairness", "Fairness", 4),
        ("Explain", "Explain", 4), ("AppAPI", "AppAPI", 5), ("ServiceAPI", "ServiceAPI", 5),
        ("ServiceWorker", "ServiceWorker", 5), ("Malla", "Malla", 6), ("MallaTestKit", "MallaTestKit", 7),
        ("MallaChaos", "MallaChaos", 7),
    ]

    private static let shared: Set<String> = ["Completions", "Callbacks", "Fairness", "Explain"]
    private static let roles = shared.union(["AppAPI", "ServiceAPI", "ServiceWorker"])
    private static let mayImportC: [String: String] = [
        "BrokerRabbitMQ": "CRabbitMQ", "ResultStoreRedis": "CHiredis", "LedgerPostgres": "CPostgres",
        "HTTPTransfer": "CCurl", "Plumbing": "CJemalloc",
    ]

    private static func files(in root: URL = sources) throws -> [(path: String, text: String)] {
        let paths = try FileManager.default.subpathsOfDirectory(atPath: root.path).filter { $0.hasSuffix(".swift") }
        return try paths.map { ($0, try String(contentsOf: root.appendingPathComponent($0), encoding: .utf8)) }
    }

    private static func target(of path: String) -> (folder: String, target: String, layer: Int)? {
        targets.filter { path.hasPrefix($0.folder + "/") }.max { $0.folder.count < $1.folder.count }
    }

    private static func imports(of text: String) -> [String] {
        text.split(separator: "\n").compactMap { line in
            let words = line.split(separator: " ")
            guard let position = words.firstIndex(of: "import"), position <= 2, words.count > position + 1 else {
                return nil
            }
            guard
                words[..<position].allSatisfy({
                    $0.hasPrefix("@") || ["public", "internal", "package", "private", "fileprivate"].contains($0)
                })
            else { return nil }
            return String(words[position + 1].split(separator: ".")[0])
        }
    }

    @Test func everyFileBelongsToATarget() throws {
        let files = try Self.files()
        #expect(files.count > 100)
        for file in files { #expect(Self.target(of: file.path) != nil, "\(file.path) is in no target's folder") }
    }

    @Test func importsGoStrictlyDownward() throws {
        for file in try Self.files() {
            guard let own = Self.target(of: file.path) else { continue }
            for name in Self.imports(of: file.text) {
                guard let other = Self.targets.first(where: { $0.target == name }) else { continue }
                #expect(other.layer < own.layer, "\(file.path) imports \(name), which is not below \(own.target)")
                if other.layer == 0 {
                    #expect(Self.mayImportC[own.target] == name, "\(file.path) sees C")
                }
                if Self.roles.contains(own.target) {
                    let isAllowed = other.layer < 4 || Self.shared.contains(name)
                    #expect(isAllowed, "\(file.path) sees an adapter, \(name)")
                }
            }
        }
    }

    /// Each look at such a closure would make every later one slower: see `LateClosure`.
    @Test func noMutexHoldsABareClosure() throws {
        for file in try Self.files() + Self.files(in: Self.tests) {
            for line in file.text.split(separator: "\n") where line.contains("Mutex<") {
                #expect(line.firstMatch(of: /Mutex<.*\) (async )?(throws.* )?->/) == nil, "\(file.path): \(line)")
            }
        }
    }

    @Test func filesAreShort() throws {
        for file in try Self.files() {
            let lines = file.text.split(separator: "\n", omittingEmptySubsequences: false).count
            #expect(lines <= 301, "\(file.path) has \(lines) lines")
        }
    }
}
