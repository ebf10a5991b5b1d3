// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import ArgumentParser
import Foundation

/// The options that every command for people has.
struct PeopleOptions: ParsableArguments {
    @Option(name: .long, help: "Base URL of the API; else MALLA_URL, else the port of the role on this machine.")
    var url: String?

    @Flag(name: .long, help: "Print the answer's JSON, for scripts.")
    var json = false
}

/// On whose behalf a command for people acts.
struct UserOptions: ParsableArguments {
    @Option(name: .long, help: "The user to act for; else MALLA_USER, else this account's name.")
    var user: String?

    @Option(name: .long, help: "The role to act in: user, publisher or admin.")
    var role = "user"

    /// The user to act for.
    var name: String {
        let environment = ProcessInfo.processInfo.environment
        return user ?? environment["MALLA_USER"] ?? environment["USER"] ?? "anonymous"
    }
}
