#!/usr/bin/env bash
# Malla - a mesh that turns AI models into services
# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 the Malla authors
#
# A quick figure: bench-3 through `malla dev`, everything embedded (see bench.py --help for what can be set).
set -u
# shellcheck source=scripts/setup.sh
. "$(dirname "${BASH_SOURCE[0]}")/setup.sh"
exec "$MALLA_PYTHON" scripts/bench.py --malla "$malla" "$@"
