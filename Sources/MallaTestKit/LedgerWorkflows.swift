// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

public import Workflow

/// The workflows of ``LedgerFixture``.
public enum LedgerWorkflows {
    private static let yaml = """
        app: contract
        prefix: CO
        deadline: 1h
        methods:
          chain:
            description: Two stages in a row.
            stages:
              first: { service: alpha, input: { $ref: "request#" }, retry: { max_attempts: 2, backoff: 1s } }
              second: { service: beta, input: { $ref: "first#" }, timeout: 30s }
            output: { type: META_DATA, data: { $ref: "second#" } }
          relay:
            description: Two stages in a row whose outputs are both wanted in the end.
            stages:
              first: { service: alpha, input: { $ref: "request#" } }
              second: { service: beta, input: { $ref: "first#" } }
            output: { type: META_DATA, data: { first: { $ref: "first#" }, second: { $ref: "second#" } } }
          fan-all:
            description: n items that all must succeed.
            stages:
              items:
                service: alpha
                foreach: { range: { $ref: "request#/n" } }
                input: { index: { $ref: "item#" } }
                join: all
            output: { type: META_DATA, data: { items: { $ref: "items#" } } }
          fan-some:
            description: n items of which one must succeed.
            stages:
              items:
                service: alpha
                foreach: { range: { $ref: "request#/n" } }
                input: { index: { $ref: "item#" } }
                join: { at_least: 1 }
            output:
              type: META_DATA
              data: { items: { $ref: "items#" }, errors: { $ref: "items!errors#" } }
        """

    /// Parses the workflows.
    public static func all() throws -> (
        chain: WorkflowDefinition, relay: WorkflowDefinition, fanAll: WorkflowDefinition, fanSome: WorkflowDefinition
    ) {
        let services = ["alpha", "beta"].map {
            ServiceDefinition(name: $0, engine: .native(handler: "echo", options: [:]))
        }
        let app = try DefinitionLoader.app(yaml: yaml, services: services)
        func method(_ name: String) throws -> WorkflowDefinition {
            try unwrap(app.methods[name], "method \(name)")
        }
        return (try method("chain"), try method("relay"), try method("fan-all"), try method("fan-some"))
    }
}
