#!/usr/bin/env bash
# Malla - a mesh that turns AI models into services
# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 the Malla authors
#
# Format and documentation comments of the Swift sources (.swift-format), licence headers, and the shell scripts.
set -u
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
code=0

sources=()
for path in Package.swift Sources Tests Benchmarks Fuzz; do [ -e "$path" ] && sources+=("$path"); done
swift format lint --strict --recursive --parallel "${sources[@]}" || code=1

while IFS= read -r file; do
    if ! head -5 "$file" | grep -q 'SPDX-License-Identifier: Apache-2.0'; then
        echo "$file: no licence header" >&2
        code=1
    fi
done < <(find Sources Tests Fuzz Benchmarks python services scripts .ci demo \
    \( -name '*.swift' -o -name '*.py' -o -name '*.sh' -o -path .ci/run \) -not -path '*/.*/*' 2>/dev/null)

if command -v shellcheck >/dev/null; then
    shellcheck -x scripts/*.sh .ci/run || code=1
else
    echo "lint: no shellcheck here, the scripts were not checked" >&2
fi
[ $code = 0 ] && echo "lint: clean"
exit $code
