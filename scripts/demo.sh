#!/usr/bin/env bash
# Malla - a mesh that turns AI models into services
# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 the Malla authors
#
# Sets everything up and shows one photograph going through the whole mesh (see demo.py).
set -u
# shellcheck source=scripts/setup.sh
. "$(dirname "${BASH_SOURCE[0]}")/setup.sh"
exec "$MALLA_PYTHON" scripts/demo.py --malla "$malla" "$@"
