// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

public import HTTPTransfer

extension NetworkPolicy: DestinationRules {
    /// Judges the URL's form and a literal address; a name's addresses are judged when the client connects.
    public func refusal(of url: String) async -> String? {
        do throws(TransferError) {
            try check(url: url)
            return nil
        } catch {
            return error.reason
        }
    }
}
