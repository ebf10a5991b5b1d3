#!/usr/bin/env bash
# Malla - a mesh that turns AI models into services
# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 the Malla authors
#
# Runs the unit tests under a sanitizer: scripts/sanitize.sh address|thread [FILTER]
# Built apart from the usual build, in .build-address and .build-thread; the first time takes a while.
# With scripts/servers.sh run -- scripts/sanitize.sh ..., the tests that want servers run as well.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

kind=${1:-address}
# Whole targets: those whose tests start no processes of this build, which would be slow several times over.
filter=${2:-"^(Plumbing|Workflow|Broker|Ledger|ResultStore|MediaStore|HTTPTransfer|Completions|Fairness|Explain)Tests\."}
folder=.build-$kind
case $kind in
address)
    # Leaks are told at the end of the process: C's of the adapters as well as Swift's.
    export ASAN_OPTIONS="detect_leaks=1:halt_on_error=0:${ASAN_OPTIONS:-}"
    export LSAN_OPTIONS="suppressions=$PWD/Fuzz/suppressions/leak.txt:print_suppressions=0"
    ;;
thread)
    export TSAN_OPTIONS="halt_on_error=0:suppressions=$PWD/Fuzz/suppressions/thread.txt:${TSAN_OPTIONS:-}"
    ;;
*)
    echo "name a sanitizer: address or thread"
    exit 2
    ;;
esac
export SWIFT_BACKTRACE=enable=no

nice -n 19 swift build --build-tests --sanitize="$kind" --scratch-path "$folder"
nice -n 19 swift test --skip-build --no-parallel --sanitize="$kind" --scratch-path "$folder" --filter "$filter"
