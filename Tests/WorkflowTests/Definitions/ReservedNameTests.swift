// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Testing

@testable import Workflow

@Suite struct ReservedNameTests {
    @Test(arguments: AppReader.reservedNames.sorted()) func aRoutesNameIsRefusedByFileAndLine(_ name: String) {
        let error = #expect(throws: DefinitionsError.self) {
            try DefinitionLoader.app(
                yaml: Self.app("# A comment.\napp: \(name)"),
                file: "apps/x/app.yaml",
                services: [Self.free]
            )
        }
        #expect(
            error?.problems.map(\.description) == [
                "apps/x/app.yaml:2: app '\(name)' has \"\(name)\" as 'app'; it must be another name: /\(name) is a route "
                    + "of the mesh's own"
            ]
        )
    }

    @Test(arguments: ["tasks-2", "my-result", "a"]) func otherNamesAreTaken(_ name: String) throws {
        #expect(try DefinitionLoader.app(yaml: Self.app("app: \(name)"), services: [Self.free]).name == name)
    }

    private static let free = ServiceDefinition(name: "free", engine: .native(handler: "x", options: .null))

    private static func app(_ head: String) -> String {
        """
        \(head)
        prefix: AB
        methods:
          m:
            stages: { s: { service: free, input: {} } }
            output: { type: META_DATA, data: { $ref: "request#" } }
        """
    }
}
