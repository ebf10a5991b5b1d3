// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Foundation
import MallaTestKit
import Plumbing
import Testing
import Workflow

/// A service with one slot that holds a job for some seconds and writes down when it begins and ends.
enum HoldingService {
    /// Writes its definition, and those of the app `holding`, below a folder.
    static func write(to folder: String) throws {
        try TestFiles.write(
            [
                "services/hold/service.yaml": service, "services/hold/handler.py": handler,
                "apps/holding/app.yaml": app,
            ],
            below: folder
        )
    }

    /// A payload: how long each stage holds, and the file of the marks.
    static func payload(_ seconds: Double, marks: String) -> JSON {
        ["seconds": .number(JSONNumber(seconds)), "marks": .string(marks)]
    }

    /// Waits until the file of the marks has this line.
    static func mark(_ line: String, in file: String) async throws {
        let seen: Bool? = try await until(.seconds(20)) {
            let text = (try? String(contentsOfFile: file, encoding: .utf8)) ?? ""
            return text.split(separator: "\n").contains { $0 == line } ? true : nil
        }
        try #require(seen == true, "no mark '\(line)' within 20 s")
    }

    private static let service = """
        service: hold
        engine: process
        command: [python3, handler.py]
        concurrency: 1
        processes: 1
        gpus: none
        startup_timeout: 30s
        timeout: 30s
        max_attempts: 3
        backlog: 1000
        input: { type: object }
        output: { type: object }

        """

    private static let handler = """
        import time

        import malla


        def handler(job):
            given = job["input"]

            def mark(word):
                with open(given["marks"], "a", encoding="utf-8") as file:
                    file.write(word + " " + given["stage"] + "\\n")

            mark("begin")
            time.sleep(given["seconds"])
            mark("end")
            return {"attempt": job["attempt"]}


        if __name__ == "__main__":
            malla.serve(handler)

        """

    private static let app = """
        app: holding
        prefix: ME
        deadline: 2m
        methods:
          hold:
            description: One stage.
            input: { type: object }
            stages:
              first:
                service: hold
                input: { stage: first, seconds: { $ref: "request#/seconds" }, marks: { $ref: "request#/marks" } }
            output:
              type: META_DATA
              data: { first: { $ref: "first#" } }
          pair:
            description: Two stages, one after the other.
            input: { type: object }
            stages:
              first:
                service: hold
                input: { stage: first, seconds: { $ref: "request#/seconds" }, marks: { $ref: "request#/marks" } }
              second:
                service: hold
                input:
                  stage: second
                  seconds: { $ref: "request#/seconds" }
                  marks: { $ref: "request#/marks" }
                  before: { $ref: "first#" }
            output:
              type: META_DATA
              data: { first: { $ref: "first#" }, second: { $ref: "second#" } }

        """
}
