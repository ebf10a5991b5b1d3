// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import AppAPI
import BrokerClient
import BrokerRabbitMQ
import HTTPTransfer
import Ledger
import LedgerPostgres
import Logging
import MediaStore
import MediaStoreS3
import Plumbing
import ResultStore
import ResultStoreRedis

/// The mesh on real servers: PostgreSQL, RabbitMQ, Redis and S3.
struct ServersWiring: MeshParts {
    let ledger: any Ledger
    let broker: any Broker
    let results: any ResultStore
    let media: any MediaStore
    let trustedHTTP: any HTTPTransferring
    let guardedHTTP: any HTTPTransferring
    let keepsResultsToItself = false
    let signedMedia: (any SignedMedia)? = nil

    init(configuration: MeshConfiguration, logger: Logger) throws {
        ledger = try Self.makeLedger(configuration: configuration, logger: logger)
        broker = RabbitBroker(settings: try Self.rabbit(configuration), logger: logger)
        results = RedisResultStore(settings: try Self.redis(configuration), logger: logger)
        trustedHTTP = CurlTransfer()
        guardedHTTP = CurlTransfer(settings: TransferSettings(policy: try configuration.guardedPolicy()))
        media = S3MediaStore(settings: try Self.s3(configuration), transfer: CurlTransfer())
    }

    /// The ledger alone: `DATABASE_URL`, else `POSTGRES_*`.
    static func makeLedger(configuration: MeshConfiguration, logger: Logger) throws -> any Ledger {
        let url: String
        if let given = configuration.text("DATABASE_URL") {
            url = given
        } else {
            let user = configuration.text("POSTGRES_USER", default: "aimarketAdmin")
            let password = configuration.text("POSTGRES_PASSWORD", default: "aimarketPassword")
            let host = configuration.text("POSTGRES_HOST", default: "localhost")
            let port = try configuration.port("POSTGRES_PORT", default: 5432)
            let database = configuration.text("POSTGRES_DB", default: "aimarketDb")
            url = "postgresql://\(escaped(user)):\(escaped(password))@\(host):\(port)/\(escaped(database))"
        }
        return PostgresLedger(PostgresSettings(url: url), logger: logger)
    }

    private static func rabbit(_ configuration: MeshConfiguration) throws -> RabbitSettings {
        var settings: RabbitSettings
        if let url = configuration.text("AMQP_URL") {
            do {
                settings = try RabbitSettings(url: url)
            } catch {
                throw ConfigurationError("AMQP_URL can't be used: \(error.reason)")
            }
        } else {
            let usesTLS = try configuration.bool("RABBITMQ_TLS", default: false)
            settings = RabbitSettings(
                host: configuration.text("RABBITMQ_HOST", default: "localhost"),
                port: try configuration.port("RABBITMQ_PORT", default: usesTLS ? 5671 : 5672),
                vhost: configuration.text("RABBITMQ_VHOST", default: "aiqrbroker"),
                user: configuration.text("RABBITMQ_USER", default: "aiqradmin"),
                password: configuration.text("RABBITMQ_PASS", default: "aiqrPassword"),
                tls: usesTLS ? RabbitSettings.TLS(caFile: configuration.text("RABBITMQ_CA_FILE")) : nil
            )
        }
        let queueType = configuration.text("RABBITMQ_QUEUE_TYPE", default: "classic")
        switch queueType {
        case "classic": settings.queueType = .classic
        case "quorum": settings.queueType = .quorum
        default: throw ConfigurationError("RABBITMQ_QUEUE_TYPE", queueType, "classic or quorum")
        }
        return settings
    }

    private static func redis(_ configuration: MeshConfiguration) throws -> RedisSettings {
        if let url = configuration.text("REDIS_URL") {
            guard let settings = RedisSettings(url: url) else {
                throw ConfigurationError("REDIS_URL can't be used: give redis://[user:password@]host[:port][/database]")
            }
            return settings
        }
        return RedisSettings(
            host: configuration.text("REDIS_HOST", default: "localhost"),
            port: try configuration.port("REDIS_PORT", default: 6379),
            password: configuration.text("REDIS_PASSWORD"),
            database: try configuration.int("REDIS_DB_NAME", default: 0)
        )
    }

    private static func s3(_ configuration: MeshConfiguration) throws -> S3Settings {
        guard let accessKey = configuration.text("AWS_ACCESS_KEY"), let secretKey = configuration.text("AWS_SECRET_KEY")
        else { throw ConfigurationError(missing: "AWS_ACCESS_KEY or AWS_SECRET_KEY", "the S3 server's credentials") }
        let region = configuration.text("AWS_REGION_NAME", default: "us-east-1")
        return S3Settings(
            endpoint: configuration.text("S3_ENDPOINT", default: "https://s3.\(region).amazonaws.com"),
            publicEndpoint: configuration.text("S3_PUBLIC_ENDPOINT"),
            region: region,
            bucket: configuration.text("S3_BUCKET", default: "malla-media"),
            accessKey: accessKey,
            secretKey: secretKey,
            sessionToken: configuration.text("AWS_SESSION_TOKEN"),
            usesPathStyle: try configuration.bool("S3_PATH_STYLE", default: true)
        )
    }

    private static func escaped(_ text: String) -> String {
        text.utf8.map { byte in
            let isPlain =
                byte < 0x80 && (Character(UnicodeScalar(byte)).isLetter || Character(UnicodeScalar(byte)).isNumber)
            return isPlain
                ? String(UnicodeScalar(byte)) : "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
        }.joined()
    }
}
