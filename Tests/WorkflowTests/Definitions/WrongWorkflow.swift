// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Testing

/// The stages of a workflow that is wrong, and the problems that loading it must name.
struct WrongWorkflow: Sendable, CustomTestStringConvertible {
    var stages: String
    var problems: [String]
    var output = "{ type: META_DATA, data: { $ref: \"request#\" } }"
    var testDescription: String { problems.joined(separator: "; ") }

    /// Line 7 of the file is the first line of the stages.
    static let all: [WrongWorkflow] = [
        WrongWorkflow(
            stages: "d: { service: detect-its, input: {} }",
            problems: [
                "app.yaml:7: stage 'd' of method 'm' names the unknown service 'detect-its'; did you mean 'detect-it'? There are: detect-it, free"
            ]
        ),
        WrongWorkflow(
            stages: "d:\n  service: free\n  inptu: {}",
            problems: [
                "app.yaml:8: stage 'd' of method 'm' has no 'input'; write input: { field: { $ref: \"request#/field\" } }",
                "app.yaml:9: stage 'd' of method 'm' has the unknown key 'inptu'; did you mean 'input'? There are: service, input, foreach, when, join, after, retry, timeout",
            ].sorted()
        ),
        WrongWorkflow(
            stages: "d: { service: free, input: { $ref: \"e#\" } }",
            problems: [
                "app.yaml:7: stage 'd' of method 'm' refers to 'e#': there is no stage 'e'; there are: d"
            ]
        ),
        WrongWorkflow(
            stages:
                "a: { service: free, input: { $ref: \"b#\" } }\nb: { service: free, input: {}, after: a }\nc: { service: free, input: {}, after: [b] }",
            problems: [
                "app.yaml:7: method 'm' has a cycle: a → b → a (each needs the next); none of them can ever start",
                "app.yaml:9: stage 'c' of method 'm' can never start: it waits for the cycle a → b → a",
            ]
        ),
        WrongWorkflow(
            stages: "a: { service: free, input: { $ref: \"a#\" } }",
            problems: ["app.yaml:7: method 'm' has a cycle: a → a (each needs the next); none of them can ever start"]
        ),
        WrongWorkflow(
            stages: "a: { service: free, input: { $ref: \"item#/x\" } }",
            problems: [
                "app.yaml:7: stage 'a' of method 'm' refers to 'item#/x', which is only there in the input of a stage with foreach"
            ]
        ),
        WrongWorkflow(
            stages: "a: { service: free, input: { $ref: \"request\" } }",
            problems: [
                "app.yaml:7: stage 'a' of method 'm' has a wrong reference: 'request' has no '#'; write it as 'request#/field', 'stage#/field' or 'item#/field'"
            ]
        ),
        WrongWorkflow(
            stages: "a: { service: free, input: { $ref: \"request#/imag\" } }",
            problems: [
                "app.yaml:7: stage 'a' of method 'm' refers to 'request#/imag', which can find nothing: there is no 'imag'; did you mean 'image'? There are: image, n"
            ]
        ),
        WrongWorkflow(
            stages:
                "d: { service: detect-it, input: { image: x } }\ne: { service: free, foreach: { $ref: \"d#/faces\" }, input: { b: { $ref: \"item#/bx\" } } }",
            problems: [
                "app.yaml:8: stage 'e' of method 'm' refers to 'item#/bx', which can find nothing: there is no 'bx'; did you mean 'box'? There are: box"
            ]
        ),
        WrongWorkflow(
            stages:
                "d: { service: detect-it, input: { image: x } }\ne: { service: free, foreach: { $ref: \"d#/n\" }, input: {} }",
            problems: [
                "app.yaml:8: stage 'e' of method 'm' fans out over 'd#/n', which is a whole number; it must be a list"
            ]
        ),
        WrongWorkflow(
            stages: "d: { service: detect-it, input: { image: { $ref: \"request#/n\" } } }",
            problems: [
                "app.yaml:7: stage 'd' of method 'm' gives 'request#/n', which is a whole number, as '/image'; service 'detect-it' takes a string"
            ]
        ),
        WrongWorkflow(
            stages: "d: { service: detect-it, input: { imag: x } }",
            problems: [
                "app.yaml:7: stage 'd' of method 'm' gives no '/image', which service 'detect-it' requires",
                "app.yaml:7: stage 'd' of method 'm' gives what service 'detect-it' does not take: there is no 'imag'; did you mean 'image'? There are: image",
            ]
        ),
        WrongWorkflow(
            stages: "d: { service: free, input: {}, join: all }",
            problems: ["app.yaml:7: stage 'd' of method 'm' has a 'join' but no 'foreach'; leave the join out"]
        ),
        WrongWorkflow(
            stages: "d: { service: free, input: {}, foreach: [1, 2], join: { at_least: 3 } }",
            problems: [
                "app.yaml:7: stage 'd' of method 'm' wants at least 3 successes of 2 items; it can never have them"
            ]
        ),
        WrongWorkflow(
            stages: "d: { service: free, input: {}, foreach: [1, 2], join: { at_least: 0 } }",
            problems: [
                "app.yaml:7: stage 'd' of method 'm' has an object as 'join'; it must be all, any or { at_least: 2 }, with a whole number from 1"
            ]
        ),
        WrongWorkflow(
            stages: "d: { service: free, input: {}, foreach: [] }",
            problems: ["app.yaml:7: stage 'd' of method 'm' can never have a job: its 'foreach' is an empty list"]
        ),
        WrongWorkflow(
            stages: "d: { service: free, input: {}, timeout: soon }",
            problems: [
                "app.yaml:7: stage 'd' of method 'm' has \"soon\" as 'timeout'; it must be a time above 0 such as 30s, 5m or 250ms"
            ]
        ),
        WrongWorkflow(
            stages: "d: { service: free, input: {}, retry: { max_attempts: 0 } }",
            problems: [
                "app.yaml:7: retry of stage 'd' of method 'm' has 0 as 'max_attempts'; it must be a whole number from 1 to 1000"
            ]
        ),
        WrongWorkflow(
            stages: "D d: { service: free, input: {} }",
            problems: [
                "app.yaml:7: stage 'D d' of method 'm' has a wrong name; it must be of a-z, 0-9, '-' and '_', at most 63 characters, and neither request, item nor index"
            ]
        ),
        WrongWorkflow(
            stages: "request: { service: free, input: {} }",
            problems: [
                "app.yaml:7: stage 'request' of method 'm' has a wrong name; it must be of a-z, 0-9, '-' and '_', at most 63 characters, and neither request, item nor index"
            ]
        ),
        WrongWorkflow(
            stages: "d: { service: free, input: {} }",
            problems: [
                "app.yaml:8: output of method 'm' refers to 'd!errors#': stage 'd' has no foreach and so no errors of items"
            ],
            output: "{ type: META_DATA, data: { $ref: \"d!errors#\" } }"
        ),
        WrongWorkflow(
            stages: "d: { service: free, input: {} }",
            problems: [
                "app.yaml:8: output of method 'm' has \"META\" as 'type'; it must be META_DATA, S3_OBJECT or HYBRID"
            ].map { $0.replacing("output of method", with: "output of method") },
            output: "{ type: META, data: 1 }"
        ),
        WrongWorkflow(
            stages: "d: { service: free, input: {} }",
            problems: [
                "app.yaml:8: output of method 'm' has a whole number as 'data'; it must be a list of { dataType: …, data: … }, as HYBRID wants it"
            ].map { $0.replacing("a whole number as", with: "1 as") },
            output: "{ type: HYBRID, data: 1 }"
        ),
        WrongWorkflow(
            stages: "d: { service: free, input: {}, when: { $ref: \"request#/n\", equal: 1 } }",
            problems: [
                "app.yaml:7: stage 'd' of method 'm' has a wrong 'when': 'request#/n' has the unknown member 'equal'; write { $ref: \"stage#/field\" }, alone or with one of equals, not_equals and exists"
            ]
        ),
    ]
}
