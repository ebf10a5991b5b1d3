// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import ArgumentParser
import Foundation

/// The options of the commands that speak to an App API.
struct AppOptions: ParsableArguments {
    @Option(name: .long, help: "The App API's URL; else MALLA_URL, else APP_API_PORT (8007) of this machine.")
    var url: String?

    @Flag(name: .long, help: "Print the answer's JSON, for scripts.")
    var json = false
}

/// The options of the commands that speak to a Service API.
struct ServiceOptions: ParsableArguments {
    @Option(name: .long, help: "The Service API's URL; else SERVICE_API_URL, else HTTP_PORT (8080) of this machine.")
    var url: String?

    @Flag(name: .long, help: "Print the answer's JSON, for scripts.")
    var json = false
}

/// On whose behalf a command for people acts.
struct UserOptions: ParsableArguments {
    @Option(name: .long, help: "The user to act for; else MALLA_USER, else this account's name.")
    var user: String?

    @Option(name: .long, help: "The role to act in.")
    var role = Role.user

    /// The roles that an App API knows.
    enum Role: String, ExpressibleByArgument, CaseIterable {
        case user
        case publisher
        case admin
    }

    /// The user to act for.
    var name: String {
        user ?? MeshConfiguration().text("MALLA_USER") ?? NSUserName()
    }
}
