// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

public import Ledger
public import MediaStore
public import Workflow

/// What a native handler may use.
public struct NativeContext: Sendable {
    /// The job as it was claimed.
    public var job: Job
    /// The store of media.
    public var media: any MediaStore
    /// The ledger, for small named documents.
    public var ledger: any Ledger
    /// The W3C `traceparent` of the request.
    public var trace: String?
    private let told: any HandlerContext

    /// Makes one.
    public init(
        job: Job,
        media: any MediaStore,
        ledger: any Ledger,
        trace: String?,
        told: any HandlerContext
    ) {
        self.job = job
        self.media = media
        self.ledger = ledger
        self.trace = trace
        self.told = told
    }

    /// Says how far the handler is.
    public func progress(_ json: JSON) { told.progress(json.bytes) }

    /// Passes on a part of the output.
    public func partial(_ json: JSON) { told.partial(json.bytes) }

    /// Passes on a line for a person.
    public func log(_ line: String) { told.log(line) }

    /// Says what was used; what is told several times is added up.
    public func usage(_ usage: JobUsage) { told.usage(usage) }
}
