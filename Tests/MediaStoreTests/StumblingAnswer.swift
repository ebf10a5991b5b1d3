// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// What the server answers when it does not stumble.
struct StumblingAnswer {
    var status = 200
    var headers: [String] = []
    var body: [UInt8] = []

    func head(length: Int?) -> String {
        let lines = ["HTTP/1.1 \(status) X"] + headers + (length.map { ["Content-Length: \($0)"] } ?? [])
        return lines.joined(separator: "\r\n") + "\r\n\r\n"
    }
}

extension StumblingS3.State {
    /// Does what a request asks.
    mutating func perform(_ request: StumblingS3.Seen, _ body: [UInt8]) -> StumblingAnswer {
        let pairs = request.query.split(separator: "&").map { $0.split(separator: "=").map(String.init) }
        let query = Dictionary(pairs.map { ($0[0], $0.count > 1 ? $0[1] : "") }) { $1 }
        switch (request.method, query["uploadId"]) {
        case ("POST", nil): return begin()
        case ("PUT", let id?): return part(id, Int(query["partNumber"] ?? "") ?? 0, body)
        case ("POST", let id?): return complete(id, request)
        case ("DELETE", let id?):
            uploads[id] = nil
            return StumblingAnswer(status: 204)
        case ("PUT", nil): return put(request, body)
        case ("DELETE", nil):
            objects[request.path] = nil
            return StumblingAnswer(status: 204)
        default: return get(request)
        }
    }

    private mutating func begin() -> StumblingAnswer {
        lastTag += 1
        uploads["id\(lastTag)"] = [:]
        return StumblingAnswer(body: Array("<R><UploadId>id\(lastTag)</UploadId></R>".utf8))
    }

    private mutating func part(_ id: String, _ number: Int, _ body: [UInt8]) -> StumblingAnswer {
        guard uploads[id] != nil else { return missing("NoSuchUpload") }
        uploads[id]?[number] = body
        return StumblingAnswer(headers: ["ETag: \"part-\(number)\""])
    }

    private mutating func complete(_ id: String, _ request: StumblingS3.Seen) -> StumblingAnswer {
        guard let parts = uploads[id] else { return missing("NoSuchUpload") }
        if request.headers["if-none-match"] != nil, !ignoresConditions, objects[request.path] != nil {
            return StumblingAnswer(status: 412, body: StumblingS3.error("PreconditionFailed"))
        }
        uploads[id] = nil
        put(request.path, parts.sorted { $0.key < $1.key }.flatMap(\.value), type: nil)
        return StumblingAnswer(body: Array("<R><ETag>x</ETag></R>".utf8))
    }

    private mutating func put(_ request: StumblingS3.Seen, _ body: [UInt8]) -> StumblingAnswer {
        if request.headers["if-none-match"] != nil, !ignoresConditions, objects[request.path] != nil {
            return StumblingAnswer(status: 412, body: StumblingS3.error("PreconditionFailed"))
        }
        put(request.path, body, type: request.headers["content-type"])
        return StumblingAnswer()
    }

    private func get(_ request: StumblingS3.Seen) -> StumblingAnswer {
        guard let object = objects[request.path] else {
            let folder = request.path.hasSuffix("/") ? request.path : "\(request.path)/"
            let isBucket = request.method == "HEAD" && objects.keys.contains { $0.hasPrefix(folder) }
            return isBucket ? StumblingAnswer() : missing("NoSuchKey")
        }
        if let tag = request.headers["if-match"], !ignoresConditions, tag != object.tag {
            return StumblingAnswer(status: 412, body: StumblingS3.error("PreconditionFailed"))
        }
        var answer = StumblingAnswer(
            headers: ["ETag: \(object.tag)", "Content-Type: \(object.type)"],
            body: object.bytes
        )
        if let range = request.headers["range"], !ignoresRanges, let start = Int(range.dropFirst(6).dropLast()) {
            answer.status = 206
            answer.body = Array(object.bytes[start...])
            answer.headers.append("Content-Range: bytes \(start)-\(object.bytes.count - 1)/\(object.bytes.count)")
        }
        return answer
    }

    private func missing(_ code: String) -> StumblingAnswer {
        StumblingAnswer(status: 404, body: StumblingS3.error(code))
    }
}
