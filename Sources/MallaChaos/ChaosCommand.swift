// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import ArgumentParser

/// `malla-chaos`: breaks a mesh on purpose and reads afterwards whether anything was lost.
@main
struct ChaosCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "malla-chaos",
        abstract: "Breaks a mesh of real processes and servers on purpose, and checks what became of every task.",
        subcommands: [RunCommand.self, ReportCommand.self, SoakCommand.self]
    )
}
