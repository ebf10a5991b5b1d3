// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// What a mesh is started with.
struct MeshSetup: Sendable {
    /// The tokens and keys of its clients.
    struct Secrets: Sendable {
        let marketplace: String
        let service: String
        let callback: String
    }

    let folder: String
    let binary: String
    let definitions: String
    let receiverPort: Int
    let python: String
    /// What all roles get besides.
    let environment: [String: String]

    /// The whole environment of a role, in which every other part of the mesh is at the address of a proxy.
    func environment(
        of role: Role,
        servers: PrivateServers,
        links: MeshLinks,
        secrets: Secrets
    ) throws -> [String: String] {
        func through(_ server: Server) throws -> String {
            try servers.value(PrivateServers.address(of: server)).replacing(
                ":\(try servers.port(of: server))",
                with: ":\(try links.port(of: Link(from: role, to: .server(server))))"
            )
        }
        var variables = [
            "MALLA_CHAOS": folder, "TMPDIR": "\(folder)/tmp/\(role.rawValue)",
            "DATABASE_URL": try through(.postgres), "AMQP_URL": try through(.rabbit),
            "REDIS_URL": try through(.redis), "S3_ENDPOINT": try through(.s3),
            "S3_BUCKET": try servers.value("S3_BUCKET"), "AWS_REGION_NAME": try servers.value("S3_REGION"),
            "AWS_ACCESS_KEY": try servers.value("S3_ACCESS_KEY"), "AWS_SECRET_KEY": try servers.value("S3_SECRET_KEY"),
            "APPS_DIR": definitions + "/apps", "SERVICES_DIR": definitions + "/services",
            "MARKETPLACE_TOKEN": secrets.marketplace, "AI_SERVICE_TOKEN": secrets.service,
            "MESH_TOKEN": "chaos-hand-over", "CALLBACK_SECRET": secrets.callback,
            "HTTP_HOST": "127.0.0.1", "WORKER_HTTP_HOST": "127.0.0.1", "MALLA_PYTHON": python,
            "DRAIN_TIMEOUT": "5s",
        ]
        switch role.kind {
        case .appAPI:
            let serviceAPI = try links.port(of: Link(from: role, to: .serviceAPI))
            let receiver = try links.port(of: Link(from: role, to: .receiver))
            variables["SERVICE_API_URL"] = "http://127.0.0.1:\(serviceAPI)"
            variables["MARKETPLACE_CALLBACK"] = "http://127.0.0.1:\(receiver)/callback"
            // Clients fetch media from the server itself.
            variables["S3_PUBLIC_ENDPOINT"] = try servers.value("S3_ENDPOINT")
        case .serviceAPI: variables["S3_PUBLIC_ENDPOINT"] = try servers.value("S3_ENDPOINT")
        case .worker: variables["WORKER_ID"] = role.rawValue
        }
        return variables.merging(environment) { $1 }
    }
}
