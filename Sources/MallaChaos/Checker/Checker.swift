// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// Reads a history and names all that must not be in it: pure.
enum Checker {
    /// What contradicts design.md or the marketplace contract; empty when nothing does.
    static func contradictions(in history: History, bounds: Bounds = Bounds()) -> [Contradiction] {
        var found = Findings()
        let evidence = Evidence(history, bounds: bounds, found: &found)
        AcceptanceRules.check(evidence, &found)
        EndRules.check(evidence, &found)
        AnswerRules.check(evidence, &found)
        ResultRules.check(evidence, &found)
        DataRules.check(evidence, &found)
        InputRules.check(evidence, &found)
        FanOutRules.check(evidence, &found)
        FailureRules.check(evidence, &found)
        JobCountRules.check(evidence, &found)
        CallRules.check(evidence, &found)
        DeployRules.check(evidence, &found)
        CancelRules.check(evidence, &found)
        DeadlineRules.check(evidence, &found)
        CallbackRules.check(evidence, &found)
        ArrivalRules.check(evidence, &found)
        SurroundingRules.check(evidence, &found)
        return found.list
    }
}
