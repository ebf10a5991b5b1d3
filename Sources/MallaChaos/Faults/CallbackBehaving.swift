// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// A receiver of callbacks that can be told to misbehave.
protocol CallbackBehaving: Sendable {
    /// How it behaves from now on; nil is as it should.
    func behave(_ kind: Fault.Kind?)
}
