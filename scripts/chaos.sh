#!/usr/bin/env bash
# Malla - a mesh that turns AI models into services
# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 the Malla authors
#
# Breaks a mesh of real processes and servers on purpose, and checks what became of every task.
#
#   scripts/chaos.sh run 1 2 3 [--meshes 4]   seeded runs; see `run --help` for what can be set
#   scripts/chaos.sh run 1 --rolling          a deploy under load
#   scripts/chaos.sh soak --minutes 60        a long load without faults
#   scripts/chaos.sh report [FILE ...]        the figures of the recorded runs, and the bars that they are held to
set -u
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1

scripts/install.sh --tests || exit 1
scripts/venv.sh .venv-test scripts/requirements-test.txt || exit 1
for product in malla malla-chaos; do swift build -c release --product "$product" || exit 1; done
exec "$(swift build -c release --show-bin-path)/malla-chaos" "$@"
