// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Workflow

/// An input as its caller wrapped it, S-CONTRACT v2.1 or GRACE's own form; see the job contract, "S-CONTRACT v2.1".
struct InputEnvelope: Sendable, Hashable {
    /// Which of the two it is.
    var kind: JobLabels.Envelope
    /// The module that shall do the work, as the caller wrote it.
    var module: String
    /// The service that the caller means, as it wrote it; nil when it names none.
    var service: String?
    /// The system that calls.
    var system: String?
    /// What a handler may be given, the usual one first; the others are for a service whose schema wants them.
    var forms: [JSON]

    /// The version of S-CONTRACT that is understood.
    static let version = "2.1"

    /// Where the module stands in the submission, for errors.
    var moduleField: String { kind == .contract ? "/input/contract/target/module" : "/input/module" }

    /// Reads S-CONTRACT; nil when the input is something else.
    ///
    /// - Throws: ``Problem`` with the field when it is S-CONTRACT and not as it must be.
    init?(contractIn input: JSON) throws(Problem) {
        guard let contract = input["contract"], let members = contract.object,
            members["contract_version"] != nil || members["target"] != nil
        else { return nil }
        let reader = ContractReader(members)
        try reader.checkVersion()
        let target = try reader.object("target", isRequired: true)
        let payload = try reader.object("input", isRequired: true)
        guard let data = payload["data"], data != .null else {
            throw ContractReader.refusal("input/data", "something to work on")
        }
        kind = .contract
        module = try reader.text(target, "module", in: "target", isRequired: true) ?? ""
        service = try reader.text(target, "service", in: "target")
        system = try reader.text(try reader.object("source"), "system", in: "source")
        let options = try reader.object("options")
        var form = JSONObject([("module", .string(module.lowercased()))])
        for (name, value) in payload.members where name != "module" { form[name] = value }
        form["options"] = .object(options)
        forms = [.object(form), .object(payload), data, input]
    }

    /// Reads GRACE's form: `module` and `data` are strings, `options` is an object, and nothing else is there; nil when
    /// the input is something else.
    init?(graceIn input: JSON) {
        guard let members = input.object, members.names.allSatisfy({ ["module", "data", "options"].contains($0) }),
            let module = members["module"]?.string, !module.isEmpty, let data = members["data"], data.string != nil
        else { return nil }
        switch members["options"] {
        case nil, .null?, .object?: break
        default: return nil
        }
        kind = .grace
        self.module = module
        forms = [input, data]
    }

    /// The form that fits a service's input schema; the usual one when none does, so that its error is told.
    func form(for service: ServiceDefinition) -> JSON {
        let fitting = forms.first { service.input?.validate($0).isEmpty ?? true }
        return fitting ?? forms[0]
    }
}
