// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Ledger
import Plumbing
import Testing
import Workflow

@testable import ServiceAPI

/// S-CONTRACT v2.1 and GRACE's own form, in the RunPod dialect.
@Suite(.timeLimit(.minutes(1))) struct RunPodClientEnvelopeTests {
    private static func contract(
        _ edit: (inout JSONObject) -> Void = { _ in }
    ) -> JSON {
        var contract = JSONObject([
            ("contract_version", "2.1"), ("source", ["system": "DECK"]),
            ("target", ["service": "GRACE", "module": "ASR"]), ("input", ["type": "audio", "data": "UklG"]),
        ])
        edit(&contract)
        return ["input": ["contract": .object(contract)]]
    }

    @Test func aContractGoesToTheServiceOfItsModule() async throws {
        let fixture = try await RunPodClientFixture()
        try await fixture.serve { client in
            for (module, service) in [("ASR", "grace"), ("ocr", "grace"), ("TTS", "grace-tts")] {
                let body = Self.contract {
                    $0["target"] = ["service": "GRACE", "module": .string(module)]
                    $0["options"] = ["language": "es"]
                }
                // Whatever the endpoint was, even one that is no service here.
                for endpoint in ["grace", "plain", "0mxhaokgsmgee3"] {
                    async let answer = client.send("POST", "/v2/\(endpoint)/runsync", body.bytes)
                    let record = try await fixture.work(service) { input in
                        #expect(input["module"]?.string == module.lowercased() && input["data"] == "UklG")
                        #expect(input["type"] == "audio" && input["options"] == ["language": "es"])
                        return "hola"
                    }
                    #expect(record.job.labels?.envelope == .contract && record.job.labels?.ownerService == "DECK")
                    let done = try await answer.json
                    #expect(done["status"] == "COMPLETED", "\(done)")
                    #expect(
                        done["output"] == [
                            "status": "completed", "output": ["data": "hola"], "usage": ["cost_usd": 0.002],
                        ]
                    )
                    // Its caller goes on asking where it began.
                    #expect(try await client.status(endpoint, record.job.id.description)["status"] == "COMPLETED")
                }
            }
        }
    }

    @Test func aFailedContractIsFailedInItsOwnWordsToo() async throws {
        let fixture = try await RunPodClientFixture()
        try await fixture.serve { client in
            let id = try await client.run("grace", Self.contract())
            try await fixture.work("grace") { _ in throw JobError(.handler, "no speech") }
            let failed = try await client.status("grace", id)
            #expect(failed["status"] == "FAILED" && failed["error"] == "no speech")
            #expect(failed["output"] == ["status": "failed", "error": ["code": "handler", "message": "no speech"]])
        }
    }

    @Test func aHandlerThatSpeaksTheContractIsNotWrapped() async throws {
        let schema: JSON = ["type": "object", "required": ["contract"]]
        let fixture = try await RunPodClientFixture(schemas: ["judge": schema])
        try await fixture.serve { client in
            let body = Self.contract { $0["target"] = ["service": "judge", "module": "verdict"] }
            let id = try await client.run("judge", body)
            let own: JSON = ["status": "completed", "output": ["data": 5], "usage": ["cost_usd": 1]]
            try await fixture.work("judge") { input in
                #expect(input == body["input"])
                return own
            }
            #expect(try await client.status("judge", id)["output"] == own)
            let second = try await client.run("judge", body)
            try await fixture.work("judge") { _ in ["data": [1]] }
            #expect(try await client.status("judge", second)["output"]?["output"] == ["data": [1]])
        }
    }

    @Test(
        arguments: [
            ("contract_version", "3.0", "2.1"), ("contract_version", 2, "2.1"), ("contract_version", .null, "2.1"),
            ("target", ["service": "GRACE", "module": "FACE"], "OCR, asr, tts"),
            ("target", ["service": "PENNY", "module": "asr"], "modules: grace, grace-tts, judge, vectors"),
            ("target", ["service": "plain", "module": "asr"], "none"),
            ("target", ["service": "GRACE"], "target.module"),
            ("target", ["module": 5], "target.module"), ("target", ["module": "asr", "service": 5], "target.service"),
            ("target", "GRACE", "target"), ("input", "text", "contract.input"),
            ("input", ["type": "text"], "input.data"),
            ("source", "DECK", "contract.source"), ("options", [], "contract.options"),
        ] as [(String, JSON, String)]
    )
    func whatIsUnknownIsRefusedAtOnceWithWhatThereIs(_ name: String, _ value: JSON, _ words: String) async throws {
        let fixture = try await RunPodClientFixture()
        try await fixture.serve { client in
            let answer = try await client.send("POST", "/v2/grace/run", Self.contract { $0[name] = value }.bytes)
            #expect(answer.status == 400 && answer.detail.contains(words), "\(answer.text)")
            #expect(answer.field?.hasPrefix("/input/contract/\(name)") == true, "\(answer.text)")
        }
    }

    @Test func gracesFormKeepsItsShape() async throws {
        let fixture = try await RunPodClientFixture()
        try await fixture.serve { client in
            for (input, service) in [
                (["module": "asr", "data": "UklG", "options": ["language": "es"]], "grace"),
                (["module": "tts", "data": "hola"], "grace-tts"), (["module": "OCR", "data": ""], "grace"),
            ] as [(JSON, String)] {
                for endpoint in ["grace", "r00x4g3rrwkbyh"] {
                    async let answer = client.send("POST", "/v2/\(endpoint)/runsync", (["input": input] as JSON).bytes)
                    let record = try await fixture.work(service) { given in
                        #expect(given == input)
                        return ["output": ["text": "x"], "error": nil]
                    }
                    #expect(record.job.labels?.envelope == .grace)
                    #expect(try await answer.json["output"] == ["output": ["text": "x"], "error": nil])
                }
            }
            let unknown: JSON = ["input": ["module": "avatar", "data": "x"]]
            let answer = try await client.send("POST", "/v2/grace/run", unknown.bytes)
            #expect(answer.status == 400 && answer.field == "/input/module", "\(answer.text)")
            #expect(answer.detail.contains("OCR, asr, embeddings, tts, verdict"))
        }
    }

    @Test(
        arguments: [
            ["module": "asr", "data": "x"], ["contract": "the text of one"], ["contract": ["party": "us"]],
        ] as [JSON]
    )
    func whatOnlyLooksLikeAnEnvelopeIsAnInput(_ input: JSON) async throws {
        let fixture = try await RunPodClientFixture()
        try await fixture.serve { client in
            let id = try await client.run("plain", ["input": input])
            let record = try await fixture.work("plain") { given in
                #expect(given == input)
                return given
            }
            #expect(record.job.labels?.envelope == nil)
            #expect(try await client.status("plain", id)["output"] == input)
        }
    }

    @Test func aSchemaDecidesWhatTheHandlerIsGiven() async throws {
        let fixture = try await RunPodClientFixture(schemas: [
            "vectors": ["type": "string"],
            "grace-tts": ["type": "object", "properties": ["type": [:], "data": [:]], "additionalProperties": false],
        ])
        try await fixture.serve { client in
            let text = Self.contract {
                $0["target"] = ["module": "embeddings"]
                $0["input"] = ["type": "text", "data": "hello"]
            }
            _ = try await client.run("vectors", text)
            try await fixture.work("vectors") { input in
                #expect(input == "hello")
                return [1]
            }
            _ = try await client.run("vectors", ["input": ["module": "embeddings", "data": "hello"]])
            try await fixture.work("vectors") { input in
                #expect(input == "hello")
                return [1]
            }
            _ = try await client.run("grace", Self.contract { $0["target"] = ["module": "tts"] })
            try await fixture.work("grace-tts") { input in
                #expect(input == ["type": "audio", "data": "UklG"])
                return [1]
            }
        }
    }
}
