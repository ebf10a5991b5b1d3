#!/usr/bin/env bash
# Malla - a mesh that turns AI models into services
# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 the Malla authors
#
# The set-up that `make demo` and `make dev` share: system packages, release build, Python environment.
# Sourced; sets `malla` (the binary) and MALLA_PYTHON.
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1

scripts/install.sh || exit 1
requirements=()
for file in services/*/requirements.txt; do [ -f "$file" ] && requirements+=("$file"); done
scripts/venv.sh .venv "${requirements[@]}" || exit 1
echo "build: swift build -c release --product malla (the first time takes some minutes)"
swift build -c release --product malla || exit 1
# shellcheck disable=SC2034  # used by the script that sources this one
malla=$(swift build -c release --show-bin-path)/malla
export MALLA_PYTHON=$PWD/.venv/bin/python
