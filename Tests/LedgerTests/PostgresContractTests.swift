// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Ledger
import MallaTestKit
import Testing

/// One at a time: each case has connections of its own, and a server has only so many.
@Suite(.needs(.postgres), .serialized)
struct PostgresContractTests {
    @Test(arguments: LedgerContract.cases)
    func holds(_ contractCase: LedgerContract.Case) async throws {
        try await PostgresTestSchema.with { schema in
            let ledger = schema.ledger()
            try await LedgerContract(make: { (ledger, { try await schema.age(by: $0) }) }).run(contractCase)
        }
    }
}
