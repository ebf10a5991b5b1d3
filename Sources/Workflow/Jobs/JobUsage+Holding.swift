// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Plumbing

extension JobUsage {
    /// What one attempt used: what its handler told, and what follows from the time for which it held its slot.
    ///
    /// The cost is what an upstream asks for its tokens where that is known, else the time held at the service's price.
    public init(told: JobUsage, held: Duration, by service: ServiceDefinition) {
        self = told
        if gpuMilliseconds == nil, service.gpus != .none { gpuMilliseconds = Int(held.wholeMilliseconds) }
        if costUSD == nil, let price = service.pricePerHour { costUSD = held.inSeconds / 3600 * price }
    }

    /// Both together; what neither knows stays unknown.
    public static func + (left: JobUsage, right: JobUsage) -> JobUsage {
        JobUsage(
            gpuMilliseconds: sum(left.gpuMilliseconds, right.gpuMilliseconds),
            costUSD: left.costUSD.map { $0 + (right.costUSD ?? 0) } ?? right.costUSD,
            promptTokens: sum(left.promptTokens, right.promptTokens),
            completionTokens: sum(left.completionTokens, right.completionTokens)
        )
    }

    private static func sum(_ left: Int?, _ right: Int?) -> Int? {
        guard let left, let right else { return left ?? right }
        // A handler may tell any number: it must not end the worker.
        let (sum, overflows) = left.addingReportingOverflow(right)
        return overflows ? Int.max : sum
    }
}
