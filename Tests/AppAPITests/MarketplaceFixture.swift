// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import BrokerInProcess
import Callbacks
import Fairness
import Foundation
import HTTPTransfer
import Hummingbird
import HummingbirdTesting
import Ledger
import LedgerSQLite
import Logging
import MallaTestKit
import MediaStore
import MediaStoreFiles
import Plumbing
import ResultStoreInProcess
import Synchronization
import Testing
import Workflow

@testable import AppAPI

/// One App API on embedded parts, and a worker's hand on its ledger.
struct MarketplaceFixture: Sendable {
    static let yaml = """
        app: contract
        prefix: CO
        deadline: 1h
        methods:
          chain:
            description: Two stages in a row.
            input:
              type: object
              required: [n]
              properties:
                n: { type: integer, minimum: 0 }
                note: { type: string }
            stages:
              first: { service: alpha, input: { $ref: "request#" }, retry: { max_attempts: 1, backoff: 1s } }
              second: { service: beta, input: { $ref: "first#" } }
            output: { type: META_DATA, data: { $ref: "second#" } }
          look:
            description: One stage on a picture.
            input:
              type: object
              required: [image]
              properties:
                image: { type: string, format: media }
                more: { type: array, items: { type: string, format: media } }
            stages:
              only: { service: alpha, input: { $ref: "request#" } }
            output: { type: META_DATA, data: { $ref: "only#" } }
        """

    /// A second app, which shares a method's name with the first.
    static let otherYAML = """
        app: second
        prefix: SE
        methods:
          chain:
            description: One stage.
            stages: { only: { service: beta, input: { $ref: "request#" } } }
            output: { type: META_DATA, data: { $ref: "only#" } }
          own:
            description: One stage.
            stages: { only: { service: beta, input: { $ref: "request#" } } }
            output: { type: META_DATA, data: { $ref: "only#" } }
        """

    let api: AppAPI
    let ledger: SQLiteLedger
    let broker: InProcessBroker
    let results: InProcessResultStore
    let media: FilesMediaStore
    let settings: AppSettings
    let parts: AppParts
    let handedOver: RecordedHandOver
    let finishing: AppRunFinishing
    let client = CurlTransfer()

    init(
        callbackURL: String? = nil,
        backlog: Int = 10_000,
        withSecondApp: Bool = false,
        allowing networks: [CIDR] = [],
        _ adjust: (inout AppSettings) -> Void = { _ in },
        parts adjustParts: (inout AppParts) -> Void = { _ in }
    ) async throws {
        var settings = AppSettings()
        settings.apiName = "Contract"
        settings.tokens = ["token"]
        settings.callbackURL = callbackURL
        settings.callbackSecrets = [try #require(WebhookSecret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"))]
        adjust(&settings)
        let definitions = try Self.definitions(backlog: backlog, withSecondApp: withSecondApp)
        let catalog = AppCatalog(apps: Array(definitions.apps.values), services: Array(definitions.services.values))
        ledger = try SQLiteLedger.inMemory()
        try await ledger.migrate()
        broker = InProcessBroker()
        results = InProcessResultStore()
        handedOver = RecordedHandOver()
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("malla-app-api-\(MeshID())").path
        media = FilesMediaStore(
            folder: folder,
            bucket: "media",
            baseURL: "http://localhost",
            secret: Array("0123456789abcdef".utf8)
        )
        finishing = AppRunFinishing(
            settings: settings,
            catalog: catalog,
            media: media,
            fairness: FairRanking(ledger: ledger)
        )
        let policy = NetworkPolicy.publicOnly(allowing: networks)
        var parts = AppParts(
            ledger: ledger,
            broker: broker,
            results: results,
            media: media,
            trustedHTTP: client,
            guardedHTTP: CurlTransfer(settings: TransferSettings(policy: policy)),
            destinations: policy,
            handOver: handedOver,
            signedMedia: SignedFiles(files: media),
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
        )
        adjustParts(&parts)
        self.settings = settings
        self.parts = parts
        api = AppAPI(settings: settings, catalog: catalog, parts: parts)
        try await api.storeDefinitions()
    }

    private static func definitions(backlog: Int, withSecondApp: Bool) throws -> Definitions {
        let root = FileManager.default.temporaryDirectory.appendingPathComponent("malla-definitions-\(MeshID())")
        defer { try? FileManager.default.removeItem(at: root) }
        var texts = ["apps/contract/app.yaml": yaml]
        if withSecondApp { texts["apps/second/app.yaml"] = otherYAML }
        for name in ["alpha", "beta"] {
            texts["services/\(name)/service.yaml"] =
                "service: \(name)\ndescription: Returns its input.\nengine: native\nhandler: echo\nbacklog: \(backlog)\n"
        }
        try TestFiles.write(texts, below: root.path)
        return try DefinitionLoader.load(
            apps: [root.appendingPathComponent("apps").path],
            services: [root.appendingPathComponent("services").path]
        )
    }

    /// Runs a body against the routes, and the services behind them when asked.
    ///
    /// - Parameter live: through a server on a port of loopback.
    func serve(
        withServices: Bool = false,
        live: Bool = false,
        _ body: @Sendable (MarketplaceClient) async throws -> Void
    ) async throws {
        var app = Application(
            router: api.router(),
            configuration: .init(address: .hostname("127.0.0.1", port: 0)),
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
        )
        if withServices { for service in api.services() { app.addServices(service) } }
        try await app.test(live ? .live : .router) { client in try await body(MarketplaceClient(client: client)) }
    }

    /// Runs the one due job of a service as a worker would, with this result or error.
    func work(_ service: String, returning result: JSON = [:], failing error: JobError? = nil) async throws {
        let lease = MeshID()
        let claimed = try await ledger.claim(service: service, worker: "w-1", leases: [lease])
        let job = try #require(claimed.first?.job)
        let completion = Completion(
            job: job.id,
            lease: lease,
            failure: error.map { .init($0) },
            result: error == nil ? result.bytes : [],
            runMilliseconds: 1
        )
        let settlement = Settlement(job: job.id, event: completion.event, result: error == nil ? result.bytes : nil)
        _ = try await ledger.settle([settlement], tasks: [], finishing: finishing)
    }
}

/// Lets the App API serve the signed URLs of the files.
struct SignedFiles: SignedMedia {
    let files: FilesMediaStore

    func verify(method: String, path: String, query: String) throws(MediaError) -> MediaReference {
        try files.verify(method: method, path: path, query: query)
    }
}

/// A Service API that takes every job, tells the test, and gives these credits to the first who asks.
final class RecordedHandOver: JobHandOver {
    let jobs: AsyncStream<HandOver.Entry>
    private let sink: AsyncStream<HandOver.Entry>.Continuation
    private let credits: Mutex<[TicketCredit]>

    init(credits: [TicketCredit] = []) {
        (jobs, sink) = AsyncStream.makeStream()
        self.credits = Mutex(credits)
    }

    func place(of service: String) -> String { "here" }

    func handOver(_ handOver: HandOver, to place: String) async throws(HandOverFailure) -> HandOver.Answer {
        for entry in handOver.entries { sink.yield(entry) }
        guard !handOver.asks.isEmpty else { return HandOver.Answer() }
        return HandOver.Answer(
            credits: credits.withLock { credits in
                defer { credits = [] }
                return credits
            }
        )
    }
}

/// Sends requests as a marketplace does.
struct MarketplaceClient: Sendable {
    let client: any TestClientProtocol

    struct Answer: Sendable {
        let status: Int
        let headers: HTTPFields
        let json: JSON
        var code: String? { json["errorCode"]?["status"]?.string }
        var reason: String { json["errorCode"]?["reason"]?.string ?? "" }
        var task: String { json["response"]?["taskId"]?.string ?? "" }
        /// Whether it has the envelope of a refused request.
        var isRefusal: Bool {
            json["isResponseImmediate"] == true && json["response"] == [:] && json["processDuration"] == -1
                && json["requestId"]?.string?.isEmpty == false && json["traceId"]?.string?.count == 32
                && !reason.isEmpty
        }
    }

    func send(
        _ method: HTTPRequest.Method,
        _ path: String,
        _ body: JSON? = nil,
        raw: String? = nil,
        bytes: [UInt8]? = nil,
        user: String? = "ann",
        role: String? = nil,
        token: String? = "token",
        request: String? = nil
    ) async throws -> Answer {
        var headers: HTTPFields = [:]
        let values = [
            "x-marketplace-token": token, "x-user-id": user, "x-user-role": role, "x-request-id": request,
        ]
        for (name, value) in values {
            if let value { headers.set(name, value) }
        }
        let bytes = bytes ?? raw.map { Array($0.utf8) } ?? body?.bytes
        let response = try await client.execute(
            uri: path,
            method: method,
            headers: headers,
            body: bytes.map { ByteBuffer(bytes: $0) }
        )
        let answer = Array(response.body.readableBytesView)
        return Answer(
            status: response.status.code,
            headers: response.headers,
            json: answer.isEmpty ? .null : try JSON(parsing: answer, maxDepth: 512)
        )
    }

    func call(_ payload: JSON = ["n": 1], user: String = "ann", request: String? = nil) async throws -> Answer {
        try await send(.post, "/call", ["method": "chain", "payload": payload], user: user, request: request)
    }
}

extension HTTPFields {
    /// Sets a field by its name's text.
    mutating func set(_ name: String, _ value: String) {
        self = HTTPFields(filter { $0.name.canonicalName != name } + [Element(name: .init(name)!, value: value)])
    }
}
