// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import AppAPI
import BrokerClient
import BrokerInProcess
import Foundation
import HTTPTransfer
import Ledger
import LedgerSQLite
import Logging
import MediaStore
import MediaStoreFiles
import ResultStore
import ResultStoreInProcess

/// The mesh in one process, without any server: SQLite, memory and files in one data folder.
struct EmbeddedWiring: MeshParts {
    let ledger: any Ledger
    let broker: any Broker
    let results: any ResultStore
    let media: any MediaStore
    let trustedHTTP: any HTTPTransferring
    let guardedHTTP: any HTTPTransferring
    let keepsResultsToItself = true
    let signedMedia: (any SignedMedia)?

    /// Opens the parts.
    ///
    /// - Parameters:
    ///   - folder: where the state lies; it exists.
    ///   - publicURL: the App API's address, for signed media URLs.
    ///   - mediaKey: signs these URLs.
    init(
        folder: String,
        publicURL: String,
        mediaKey: String,
        configuration: MeshConfiguration,
        logger: Logger
    ) throws {
        let file = "\(folder)/ledger.sqlite"
        do throws(LedgerError) { ledger = try SQLiteLedger(path: file) } catch {
            // Only what is damaged is to be put aside, and never without its log, which would go into another file.
            let advice = "; bring back a copy, or move it, its -wal and its -shm away together to begin anew"
            throw ConfigurationError("\(file) can't be opened: \(error)\(error.code == .corrupt ? advice : "")")
        }
        broker = InProcessBroker()
        results = InProcessResultStore()
        trustedHTTP = CurlTransfer()
        guardedHTTP = CurlTransfer(settings: TransferSettings(policy: try configuration.guardedPolicy()))
        let files = FilesMediaStore(
            folder: "\(folder)/media",
            bucket: configuration.text("S3_BUCKET", default: "malla-media"),
            baseURL: publicURL,
            secret: Array(mediaKey.utf8)
        )
        media = files
        signedMedia = SignedFiles(files: files)
    }
}

/// Lets the App API serve the signed URLs of the files.
private struct SignedFiles: SignedMedia {
    let files: FilesMediaStore

    func verify(method: String, path: String, query: String) throws(MediaError) -> MediaReference {
        try files.verify(method: method, path: path, query: query)
    }
}
