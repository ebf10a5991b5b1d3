#!/usr/bin/env bash
# Malla - a mesh that turns AI models into services
# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 the Malla authors
#
# Runs tests under a sanitizer: scripts/sanitize.sh address|thread [FILTER]
#
#   scripts/sanitize.sh thread                           the unit tests; those that want servers are skipped
#   scripts/servers.sh run -- scripts/sanitize.sh thread  with private servers, nothing is skipped
#   scripts/sanitize.sh address '^BrokerTests\.'         what the regular expression names
#
# Built apart from the usual build, in .build-address and .build-thread: the first time is as long as a whole build,
# twice over. What a sanitizer finds goes to reports/ in that folder, and its summary, each place once, to the end of
# the output; anything found is a failure, as a failed test is. Fuzz/suppressions holds what is known to be false.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

kind=${1:-address}
# Whole targets: those whose tests start no processes of this build, which would be slow several times over.
filter=${2:-"^(Plumbing|Workflow|Broker|Ledger|ResultStore|MediaStore|HTTPTransfer|Completions|Fairness|Explain)Tests\."}
folder=$PWD/.build-$kind
reports=$folder/reports
known=$PWD/Fuzz/suppressions
preload=
case $kind in
address)
    # Leaks are told at the end of the process: C's of the adapters as well as Swift's. What is freed is kept back for a
    # while to catch its use; little of it, as some tests watch the memory they take.
    export ASAN_OPTIONS="detect_leaks=1:quarantine_size_mb=16:log_path=$reports/address:${ASAN_OPTIONS:-}"
    export LSAN_OPTIONS="suppressions=$known/leak.txt:print_suppressions=0:${LSAN_OPTIONS:-}"
    ;;
thread)
    export TSAN_OPTIONS="log_path=$reports/thread:suppressions=$known/thread.txt:${TSAN_OPTIONS:-}"
    preload=$folder/mutex.so
    ;;
*)
    echo "name a sanitizer: address or thread" >&2
    exit 2
    ;;
esac
export SWIFT_BACKTRACE=enable=no

nice -n 19 swift build --build-tests --sanitize="$kind" --scratch-path "$folder"
rm -rf "$reports"
mkdir -p "$reports"
[ -z "$preload" ] || clang -shared -fPIC -O1 -o "$preload" Fuzz/suppressions/mutex.c

# The preloaded file does nothing in a process without the sanitizer, such as `swift test` itself. No test is written
# with XCTest, which leaks its own empty suite.
code=0
LD_PRELOAD=$preload nice -n 19 swift test --skip-build --no-parallel --sanitize="$kind" --scratch-path "$folder" \
    --disable-xctest --filter "$filter" || code=$?

if compgen -G "$reports/*" >/dev/null; then
    echo "found by the $kind sanitizer, in $reports:"
    grep -h '^SUMMARY' "$reports"/* | sort | uniq -c
    exit 1
fi
exit "$code"
