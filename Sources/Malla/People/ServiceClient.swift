// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import ArgumentParser

/// A client of the Service API.
func makeServiceClient(_ options: ServiceOptions) throws -> MeshClient {
    do {
        try checkURL(options.url, variables: ["SERVICE_API_URL"])
        return try MeshClient.serviceAPI(url: options.url, configuration: MeshConfiguration())
    } catch let error as ConfigurationError {
        Terminal.complain(error.description)
        throw ExitCode.misconfigured
    }
}
