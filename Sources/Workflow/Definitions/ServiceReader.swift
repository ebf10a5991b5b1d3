// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import Crypto
internal import Plumbing

/// Reads a `service.yaml`.
struct ServiceReader {
    /// What reading came to; a definition with a wrong part is still there, so that apps can be checked against it.
    struct Outcome {
        var service: ServiceDefinition?
        var line = 1
        /// Where `takes` stands.
        var takesLine = 1
        var problems: [DefinitionProblem]
    }

    private static let common = [
        "service", "description", "engine", "concurrency", "timeout", "max_attempts", "backlog", "input", "output",
        "takes", "modules", "price_per_hour",
    ]
    /// The keys that only some engines have, and which.
    private static let special: [(name: String, engines: [String])] = [
        ("handler", ["native"]), ("options", ["native", "openai", "http", "transcription"]),
        ("providers", ["openai", "http", "transcription"]),
        ("command", ["process"]), ("environment", ["process"]), ("processes", ["process"]), ("gpus", ["process"]),
        ("batch", ["process"]), ("memory_limit", ["process"]), ("startup_timeout", ["process"]),
    ]
    private static let engines = ["native", "process", "openai", "http", "transcription", "remote"]

    var fields: FieldReader

    /// Reads a text; `folder` is where the service's command will run.
    static func read(_ text: String, file: String, folder: String) -> Outcome {
        let root: SourceNode
        do {
            root = try SourceReader.read(text, file: file)
        } catch {
            return Outcome(service: nil, problems: [error])
        }
        let name = root["service"]?.text
        var reader = ServiceReader(
            fields: FieldReader(
                root,
                what: name.map { "service '\($0)'" } ?? "the service",
                file: file,
                names: common + special.map(\.name)
            )
        )
        let hash = SHA256.hash(data: Array(text.utf8)).hexadecimal
        let service = reader.service(folder: folder, hash: hash)
        return Outcome(
            service: service,
            line: reader.fields.line(of: "service"),
            takesLine: reader.fields.line(of: "takes"),
            problems: reader.fields.problems
        )
    }

    private mutating func service(folder: String, hash: String) -> ServiceDefinition? {
        guard let member = fields.required("service", "service: its-name") else { return nil }
        guard let name = member.value.text, DefinitionName.isValid(name) else {
            fields.wrong(member, "a name of a-z, 0-9 and '-', at most 63 characters")
            return nil
        }
        let engine = self.engine()
        var service = ServiceDefinition(
            name: name,
            engine: engine ?? .native(handler: "", options: .object(JSONObject())),
            folder: folder,
            hash: hash
        )
        service.description = fields.text("description")
        service.concurrency = fields.int("concurrency", in: 1...10_000, default: service.concurrency)
        service.processes = fields.int("processes", in: 1...1000, default: service.processes)
        service.gpus = gpus()
        batch(&service)
        service.memoryLimit = fields.size("memory_limit")
        service.startupTimeout = fields.duration("startup_timeout", default: service.startupTimeout)
        service.timeout = fields.duration("timeout", default: service.timeout)
        service.maxAttempts = fields.int("max_attempts", in: 1...1000, default: service.maxAttempts)
        service.backlog = fields.int("backlog", in: 1...1_000_000_000, default: service.backlog)
        service.input = fields.schema("input")
        service.output = fields.schema("output")
        service.takes = takes()
        service.modules = modules()
        service.pricePerHour = fields.price("price_per_hour")
        return service
    }

    private mutating func engine() -> ServiceDefinition.Engine? {
        guard let member = fields.required("engine", "engine: \(Self.list(Self.engines))") else { return nil }
        guard let engine = member.value.text, Self.engines.contains(engine) else {
            fields.wrong(member, Self.list(Self.engines))
            return nil
        }
        for (name, engines) in Self.special where !engines.contains(engine) {
            guard let member = fields.field(name) else { continue }
            let owners = Self.list(engines)
            fields.add(member.line, "has '\(name)', which is only for engine: \(owners); leave it out")
        }
        switch engine {
        case "process": return process()
        case "openai": return upstreams([], options: Self.openai).map { .openai(providers: $0, options: options()) }
        case "http": return upstreams([], options: Self.http).map { .http(providers: $0, options: options()) }
        case "transcription":
            return upstreams(Self.kinds, options: Self.transcription).map {
                .transcription(providers: $0, options: options())
            }
        case "remote": return .remote
        default: return native()
        }
    }

    /// Words in a row: `a, b or c`.
    static func list(_ words: [String]) -> String {
        guard let last = words.last, words.count > 1 else { return words.first ?? "" }
        return words.dropLast().joined(separator: ", ") + " or " + last
    }

    private mutating func native() -> ServiceDefinition.Engine? {
        guard let handler = fields.required("handler", "handler: the-registered-name") else { return nil }
        guard let name = handler.value.text, !name.isEmpty else {
            fields.wrong(handler, "the name of a handler")
            return nil
        }
        return .native(handler: name, options: options())
    }

    private mutating func options() -> JSON {
        guard let member = fields.field("options") else { return .object(JSONObject()) }
        if member.value.members == nil { fields.wrong(member, "a map") }
        return member.value.json
    }

    private mutating func process() -> ServiceDefinition.Engine? {
        guard let member = fields.required("command", "command: [python3, handler.py]") else { return nil }
        let words = member.value.json.array?.compactMap { $0.string ?? $0.numberText } ?? []
        if words.isEmpty || words.count != member.value.json.array?.count {
            fields.wrong(member, "a list of the program and its arguments, such as [python3, handler.py]")
        }
        var environment: [String: String] = [:]
        if let member = fields.field("environment") {
            if member.value.members == nil { fields.wrong(member, "a map of names and strings") }
            for variable in member.value.members ?? [] {
                if let text = variable.value.text, !variable.name.isEmpty, !variable.name.contains("=") {
                    environment[variable.name] = text
                } else {
                    fields.wrong(variable, "a string; put it into quotes")
                }
            }
        }
        return .process(command: words, environment: environment)
    }

    private mutating func gpus() -> ServiceDefinition.GPUs {
        guard let member = fields.field("gpus") else { return .none }
        switch member.value.json {
        case "none": return .none
        case "all": return .all
        case .array(let elements):
            let numbers = elements.compactMap(\.int).filter { $0 >= 0 }
            if numbers.count == elements.count, !numbers.isEmpty, Set(numbers).count == numbers.count {
                return .listed(numbers)
            }
        default: break
        }
        fields.wrong(member, "none, all or a list of numbers such as [0, 1]")
        return .none
    }

    private mutating func batch(_ service: inout ServiceDefinition) {
        guard let member = fields.field("batch") else { return }
        var batch = FieldReader(
            member.value,
            what: "batch of \(fields.what)",
            file: fields.file,
            names: ["max_size", "max_wait"]
        )
        service.batchMaxSize = batch.int("max_size", in: 1...10_000, default: 1)
        service.batchMaxWait = batch.duration("max_wait", default: .zero, atLeast: .zero)
        fields.add(contentsOf: batch.problems)
    }
}

extension JSON {
    /// The text of a number.
    var numberText: String? {
        guard case .number(let number) = self else { return nil }
        return number.text
    }
}

extension SHA256.Digest {
    /// The digest in lower-case hexadecimal.
    var hexadecimal: String {
        let digits = Array("0123456789abcdef".utf8)
        var text: [UInt8] = []
        text.reserveCapacity(2 * SHA256.byteCount)
        for byte in self {
            text.append(digits[Int(byte >> 4)])
            text.append(digits[Int(byte & 0x0F)])
        }
        return String(decoding: text, as: UTF8.self)
    }
}
