// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Callbacks
import Fairness
import Hummingbird
import Plumbing

/// Who calls: on whose behalf and in which role.
struct CallerIdentity: Sendable {
    enum Role: String, Sendable, CaseIterable { case user, publisher, admin }

    let user: String
    let role: Role
    /// The name of the token that the call came with.
    let token: String
    /// The apps that the token opens; nil for all.
    var apps: Set<String>?

    /// Whether the token opens this app.
    func opens(_ app: String) -> Bool { apps?.contains(app) ?? true }

    /// Whether this caller may see what belongs to `owner`.
    func maySee(_ owner: String) -> Bool {
        // By bytes, as the ledger's rows: Swift takes texts for equal that Unicode only holds to look alike.
        role == .admin || user.utf8.elementsEqual(owner.utf8)
    }
}

/// Checks the headers of the marketplace contract.
struct CallerGate: Sendable {
    private let given: NamedTokens
    private let file: TokensFile?

    /// - Parameter file: stands in for the tokens when it names the marketplace's, and may change at any time.
    init(tokens: [String], file: TokensFile? = nil) {
        given = NamedTokens(tokens.filter { !$0.isEmpty }, scoped: true)
        self.file = file
    }

    /// Identifies the caller.
    func identify(_ headers: HTTPFields) throws(MarketplaceRefusal) -> CallerIdentity {
        guard let token = try headers.only("x-marketplace-token") else {
            throw MarketplaceRefusal(.notPermitted, .unauthorized, "the header x-marketplace-token is missing")
        }
        guard let holder = (file?.tokens(.marketplace) ?? given).holder(of: token) else {
            throw MarketplaceRefusal(.notPermitted, .unauthorized, "the token in x-marketplace-token is not valid")
        }
        let user = try headers.only("x-user-id")?.trimming() ?? ""
        guard !user.isEmpty else { throw .invalid("x-user-id", "the header is required") }
        guard Self.isPlain(user, longest: 200) else {
            throw .invalid("x-user-id", "at most 200 bytes without control characters")
        }
        let roleText = try headers.only("x-user-role")?.trimming().lowercased() ?? ""
        guard let role = roleText.isEmpty ? .user : CallerIdentity.Role(rawValue: roleText) else {
            throw .invalid("x-user-role", "one of user, publisher, admin")
        }
        return CallerIdentity(user: user, role: role, token: holder.name, apps: holder.apps)
    }

    /// Whether text may go into headers, logs and rows.
    static func isPlain(_ text: String, longest: Int) -> Bool {
        text.utf8.count <= longest
            && text.unicodeScalars.allSatisfy { $0.value >= 0x20 && !(0x7F...0x9F).contains($0.value) }
    }
}

extension HTTPFields {
    /// The first field of that name, given in lower case.
    func first(named name: String) -> String? { first { $0.name.canonicalName == name }?.value }

    /// The field of that name, given in lower case, where there is no second one: a proxy that adds its own behind the
    /// client's would have the client choose who it is.
    func only(_ name: String) throws(MarketplaceRefusal) -> String? {
        let fields = filter { $0.name.canonicalName == name }
        guard fields.count < 2 else { throw .invalid(name, "the header is here \(fields.count) times; send it once") }
        return fields.first?.value
    }
}
