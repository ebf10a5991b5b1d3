// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// The calls of the job contract, under `/api/v1`.
struct JobRoutes: Sendable {
    let desk: JobDesk
    let settings: ServiceSettings

    var routes: [APIRoute] {
        JobCreating(desk: desk, settings: settings).routes
            + JobReading(desk: desk).routes
            + JobClaiming(desk: desk, settings: settings).routes
            + JobControl(desk: desk, settings: settings).routes
            + JobEvents(desk: desk).routes
            + StatisticsRoutes(ledger: desk.ledger).routes
            + WorkerRoutes(ledger: desk.ledger).routes
            + ProviderRoutes(settings: settings, http: desk.parts.trustedHTTP).routes
            + InfrastructureRoutes(settings: settings, parts: desk.parts).routes
    }
}
