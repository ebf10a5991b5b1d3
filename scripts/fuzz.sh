#!/usr/bin/env bash
# Malla - a mesh that turns AI models into services
# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 the Malla authors
#
# Fuzzes one part with libFuzzer and the address sanitizer: scripts/fuzz.sh TARGET [MINUTES]
# Without a target: says which there are. What is found lies in .build-fuzz/found/TARGET; run it again with
# scripts/fuzz.sh TARGET FILE. The corpus grows in .build-fuzz/corpus/TARGET, from the seeds in Fuzz/corpus/TARGET.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

target=${1:-}
minutes=${2:-10}
if [ -z "$target" ] || [ ! -f "Fuzz/Targets/$target.swift" ]; then
    echo "make fuzz TARGET=name MINUTES=10, where name is one of:"
    find Fuzz/Targets -name '*.swift' -exec basename {} .swift \; | sort | sed 's/^/  /'
    exit 2
fi

[ -d .build/debug ] || swift build --build-tests
# libFuzzer tells what happened; the backtracer of Swift would only get in its way.
export SWIFT_BACKTRACE=enable=no
nice -n 19 python3 Fuzz/build.py "$target"
if [ -f "$minutes" ]; then
    exec ".build-fuzz/fuzz-$target" "$minutes"
fi

mkdir -p ".build-fuzz/corpus/$target" ".build-fuzz/found/$target"
dictionary=()
[ ! -f "Fuzz/dictionaries/$target.txt" ] || dictionary=("-dict=Fuzz/dictionaries/$target.txt")
# Each input has a budget of processor time; the time-out is by the clock, which goes on while others compute.
# Leaks are looked for at the end: Swift frees by reference counts, so that what is left then is lost for good.
nice -n 19 ".build-fuzz/fuzz-$target" -max_total_time=$((minutes * 60)) -timeout=300 -rss_limit_mb=3000 -max_len=8192 \
    -print_final_stats=1 -use_value_profile=1 "${dictionary[@]}" -artifact_prefix=".build-fuzz/found/$target/" \
    ".build-fuzz/corpus/$target" "Fuzz/corpus/$target"
