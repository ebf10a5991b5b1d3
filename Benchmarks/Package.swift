// swift-tools-version: 6.2
// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import PackageDescription

// A package of its own, so that whoever builds Malla need not fetch the benchmark's packages.
func malla(_ name: String) -> Target.Dependency { .product(name: name, package: "malla") }

let package = Package(
    name: "malla-benchmarks",
    platforms: [.macOS(.v15)],
    dependencies: [
        .package(name: "malla", path: ".."),
        // Without its traits it does not ask for jemalloc.
        .package(url: "https://github.com/ordo-one/benchmark", from: "1.38.1", traits: []),
    ],
    targets: [
        .executableTarget(
            name: "HotPaths",
            dependencies: [
                malla("Plumbing"), malla("Workflow"), malla("Callbacks"), malla("Fairness"),
                malla("BrokerClient"), malla("BrokerInProcess"), malla("Ledger"), malla("LedgerSQLite"),
                malla("MallaTestKit"), .product(name: "Benchmark", package: "benchmark"),
            ],
            path: "HotPaths",
            plugins: [.plugin(name: "BenchmarkPlugin", package: "benchmark")]
        )
    ],
    swiftLanguageModes: [.v6]
)
