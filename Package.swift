// swift-tools-version: 6.2
// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import PackageDescription

// Products of other packages, by the name that targets use.
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let metrics = Target.Dependency.product(name: "Metrics", package: "swift-metrics")
let crypto = Target.Dependency.product(name: "Crypto", package: "swift-crypto")
let lifecycle = Target.Dependency.product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let hummingbird = Target.Dependency.product(name: "Hummingbird", package: "hummingbird")
let yams = Target.Dependency.product(name: "Yams", package: "Yams")
let grdb = Target.Dependency.product(name: "GRDB", package: "GRDB.swift")
let configuration = Target.Dependency.product(name: "Configuration", package: "swift-configuration")
let arguments = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")
let nio: [Target.Dependency] = [
    .product(name: "NIOCore", package: "swift-nio"), .product(name: "NIOPosix", package: "swift-nio"),
    .product(name: "NIOHTTP1", package: "swift-nio"),
]

let ports: [Target.Dependency] = ["BrokerClient", "Ledger", "ResultStore", "MediaStore"]
/// What both APIs are made of.
let shared: [Target.Dependency] = ["Completions", "Callbacks", "Fairness", "Explain"]
let adapters: [Target.Dependency] = [
    "BrokerRabbitMQ", "BrokerInProcess", "LedgerPostgres", "LedgerSQLite",
    "ResultStoreRedis", "ResultStoreInProcess", "MediaStoreS3", "MediaStoreFiles",
]

/// What `Benchmarks`, a package of its own, measures alone.
let measured = [
    "Plumbing", "Workflow", "BrokerClient", "BrokerInProcess", "Ledger", "LedgerSQLite", "Callbacks", "Fairness",
    "MallaTestKit",
]

/// A C library of the system: its module map and shim live under `Sources/C`.
func cLibrary(_ name: String, pkgConfig: String, apt: String) -> Target {
    .systemLibrary(name: name, path: "Sources/C/\(name)", pkgConfig: pkgConfig, providers: [.apt([apt])])
}

let package = Package(
    name: "malla",
    platforms: [.macOS(.v15)],
    products: [
        .executable(name: "malla", targets: ["Malla"]),
        .executable(name: "malla-chaos", targets: ["MallaChaos"]),
    ] + measured.map { .library(name: $0, targets: [$0]) },
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-configuration", from: "1.4.0", traits: []),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.0"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1", traits: []),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    ],
    targets: [
        // Layer 0: C. Nothing else may see C.
        cLibrary("CRabbitMQ", pkgConfig: "librabbitmq", apt: "librabbitmq-dev"),
        cLibrary("CHiredis", pkgConfig: "hiredis", apt: "libhiredis-dev"),
        cLibrary("CPostgres", pkgConfig: "libpq", apt: "libpq-dev"),
        cLibrary("CCurl", pkgConfig: "libcurl", apt: "libcurl4-openssl-dev"),
        .target(
            name: "CJemalloc",
            path: "Sources/C/CJemalloc",
            linkerSettings: [.linkedLibrary("jemalloc", .when(platforms: [.linux]))]
        ),

        // Layer 1
        .target(
            name: "Plumbing",
            dependencies: [.target(name: "CJemalloc", condition: .when(platforms: [.linux])), logging]
        ),

        // Layer 2
        .target(name: "Workflow", dependencies: ["Plumbing", yams, crypto]),

        // Layer 3: the ports and the HTTP client
        .target(name: "BrokerClient", dependencies: ["Plumbing", "Workflow"], exclude: ["RabbitMQ", "InProcess"]),
        .target(name: "Ledger", dependencies: ["Plumbing", "Workflow"], exclude: ["Postgres", "SQLite"]),
        .target(name: "ResultStore", dependencies: ["Plumbing", "Workflow"], exclude: ["Redis", "InProcess"]),
        .target(name: "MediaStore", dependencies: ["Plumbing", "Workflow", crypto], exclude: ["S3", "Files"]),
        .target(name: "HTTPTransfer", dependencies: ["Plumbing", "CCurl", logging]),

        // Layer 4: the adapters
        .target(
            name: "BrokerRabbitMQ",
            dependencies: ["BrokerClient", "Plumbing", "CRabbitMQ", logging, metrics],
            path: "Sources/BrokerClient/RabbitMQ"
        ),
        .target(
            name: "BrokerInProcess",
            dependencies: ["BrokerClient", "Plumbing"],
            path: "Sources/BrokerClient/InProcess"
        ),
        .target(
            name: "LedgerPostgres",
            dependencies: ["Ledger", "Workflow", "Plumbing", "CPostgres", logging, metrics],
            path: "Sources/Ledger/Postgres"
        ),
        .target(
            name: "LedgerSQLite",
            dependencies: ["Ledger", "Workflow", "Plumbing", grdb, logging],
            path: "Sources/Ledger/SQLite"
        ),
        .target(
            name: "ResultStoreRedis",
            dependencies: ["ResultStore", "Workflow", "Plumbing", "CHiredis", logging, metrics],
            path: "Sources/ResultStore/Redis"
        ),
        .target(
            name: "ResultStoreInProcess",
            dependencies: ["ResultStore", "Workflow", "Plumbing"],
            path: "Sources/ResultStore/InProcess"
        ),
        .target(
            name: "MediaStoreS3",
            dependencies: ["MediaStore", "Workflow", "HTTPTransfer", "Plumbing", crypto, logging],
            path: "Sources/MediaStore/S3"
        ),
        .target(
            name: "MediaStoreFiles",
            dependencies: ["MediaStore", "Workflow", "Plumbing", crypto],
            path: "Sources/MediaStore/Files"
        ),

        // Layer 4: what the APIs share. It sees ports, never adapters.
        .target(
            name: "Completions",
            dependencies: ports + ["Workflow", "Plumbing", lifecycle, logging, metrics]
        ),
        .target(
            name: "Callbacks",
            dependencies: ports + ["HTTPTransfer", "Workflow", "Plumbing", crypto, lifecycle, logging, metrics]
        ),
        .target(
            name: "Fairness",
            dependencies: ports + ["Workflow", "Plumbing", crypto, yams, lifecycle, logging, metrics]
        ),
        .target(name: "Explain", dependencies: ports + ["Workflow", "Plumbing", logging]),

        // Layer 5: the roles. They see ports, never adapters.
        .target(
            name: "AppAPI",
            dependencies: ports + shared + [
                "HTTPTransfer", "Workflow", "Plumbing", crypto, hummingbird, lifecycle, logging, metrics,
            ]
        ),
        .target(
            name: "ServiceAPI",
            dependencies: ports + shared + [
                "HTTPTransfer", "Workflow", "Plumbing", crypto, hummingbird, lifecycle, logging, metrics,
            ]
        ),
        .target(
            name: "ServiceWorker",
            dependencies: ports + [
                "HTTPTransfer", "Workflow", "Plumbing", crypto, hummingbird, lifecycle, logging, metrics,
            ]
        ),

        // Layer 6: the executable
        .executableTarget(
            name: "Malla",
            dependencies: ports + adapters + shared + [
                "AppAPI", "ServiceAPI", "ServiceWorker", "HTTPTransfer", "Workflow", "Plumbing",
                crypto, hummingbird, lifecycle, logging, metrics, configuration, arguments,
            ]
        ),

        // Faults, load and the checker of histories: it sees the mesh from outside, as its users do.
        .executableTarget(
            name: "MallaChaos",
            dependencies: ["HTTPTransfer", "Workflow", "Plumbing", crypto, logging, arguments] + nio
        ),

        // Tests
        .target(name: "MallaTestKit", dependencies: ports + ["HTTPTransfer", "Workflow", "Plumbing", logging]),
        .testTarget(name: "LayoutTests"),
        .testTarget(name: "PlumbingTests", dependencies: ["Plumbing", "MallaTestKit"]),
        .testTarget(name: "WorkflowTests", dependencies: ["Workflow", "Plumbing", "MallaTestKit"]),
        .testTarget(
            name: "BrokerTests",
            dependencies: ["BrokerClient", "BrokerRabbitMQ", "BrokerInProcess", "Plumbing", "MallaTestKit", logging]
        ),
        .testTarget(
            name: "LedgerTests",
            dependencies: ["Ledger", "LedgerPostgres", "LedgerSQLite", "Workflow", "Plumbing", "MallaTestKit", logging]
        ),
        .testTarget(
            name: "ResultStoreTests",
            dependencies: [
                "ResultStore", "ResultStoreRedis", "ResultStoreInProcess", "Workflow", "Plumbing", "MallaTestKit",
                logging,
            ]
        ),
        .testTarget(
            name: "MediaStoreTests",
            dependencies: [
                "MediaStore", "MediaStoreS3", "MediaStoreFiles", "HTTPTransfer", "Workflow", "Plumbing", "MallaTestKit",
                crypto, logging,
            ]
        ),
        .testTarget(name: "HTTPTransferTests", dependencies: ["HTTPTransfer", "Plumbing", "MallaTestKit", logging]),
        .testTarget(
            name: "CompletionsTests",
            dependencies: ports + [
                "Completions", "Callbacks", "LedgerSQLite", "BrokerInProcess", "ResultStoreInProcess",
                "MediaStoreFiles", "HTTPTransfer", "Workflow", "Plumbing", "MallaTestKit", logging,
            ]
        ),
        .testTarget(
            name: "FairnessTests",
            dependencies: ports + [
                "Fairness", "LedgerSQLite", "LedgerPostgres", "ResultStoreInProcess", "Workflow", "Plumbing",
                "MallaTestKit", logging,
            ]
        ),
        .testTarget(
            name: "ExplainTests",
            dependencies: ports + [
                "Explain", "LedgerSQLite", "BrokerInProcess", "ResultStoreInProcess", "MediaStoreFiles", "Workflow",
                "Plumbing", "MallaTestKit", logging,
            ]
        ),
        .testTarget(
            name: "AppAPITests",
            dependencies: ports + shared + [
                "AppAPI", "LedgerSQLite", "BrokerInProcess", "ResultStoreInProcess", "MediaStoreFiles",
                "HTTPTransfer", "Workflow", "Plumbing", "MallaTestKit", logging, hummingbird, crypto,
                .product(name: "HummingbirdTesting", package: "hummingbird"),
            ]
        ),
        .testTarget(
            name: "ServiceAPITests",
            dependencies: ports + shared + [
                "ServiceAPI", "LedgerSQLite", "BrokerInProcess", "ResultStoreInProcess",
                "MediaStoreFiles", "HTTPTransfer", "Workflow", "Plumbing", "MallaTestKit", logging, hummingbird,
                .product(name: "HummingbirdTesting", package: "hummingbird"),
            ]
        ),
        .testTarget(
            name: "ServiceWorkerTests",
            dependencies: ports + [
                "ServiceWorker", "LedgerSQLite", "BrokerInProcess", "ResultStoreInProcess",
                "MediaStoreFiles", "HTTPTransfer", "Workflow", "Plumbing", "MallaTestKit", hummingbird, logging,
            ]
        ),
        .testTarget(
            name: "ChaosTests",
            dependencies: [
                "MallaChaos", "HTTPTransfer", "Workflow", "Plumbing", "MallaTestKit", crypto, logging, arguments,
            ]
        ),
        .testTarget(
            name: "MeshTests",
            dependencies: ports + adapters + [
                "Malla", "MallaChaos", "HTTPTransfer", "Workflow", "Plumbing", "MallaTestKit", logging,
            ]
        ),
    ],
    swiftLanguageModes: [.v6]
)

for target in package.targets where target.type != .system {
    target.swiftSettings =
        (target.swiftSettings ?? []) + [
            .enableUpcomingFeature("ExistentialAny"),
            .enableUpcomingFeature("InternalImportsByDefault"),
            .enableUpcomingFeature("MemberImportVisibility"),
            // Small targets import each other's generic types; specialised, a task costs a tenth less processor time.
            .unsafeFlags(["-cross-module-optimization"], .when(configuration: .release)),
        ]
}
