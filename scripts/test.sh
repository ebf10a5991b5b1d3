#!/usr/bin/env bash
# Malla - a mesh that turns AI models into services
# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 the Malla authors
#
# Every test, on private real servers: installs what is missing, builds, starts RabbitMQ, Redis, PostgreSQL and S3 on
# loopback in a temporary folder, runs the Python and the Swift tests, stops the servers, prints a summary.
#
#   scripts/test.sh [ARGUMENTS OF swift test]       for example: scripts/test.sh --filter BrokerContract
#
# Exit code 0 only if every step passed.
set -u
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1

title() { printf '\n== %s\n' "$*"; }

python_tests() { # one process a folder, because services have modules of the same name
    local folder package code=0
    for folder in python/tests services/*/tests Tests/RunPod Tests/OpenAPI; do
        compgen -G "$folder/test_*.py" >/dev/null || continue
        package=$(dirname "$folder")
        echo "-- $folder"
        PYTHONPATH="$PWD/python:$PWD/$package" "$MALLA_PYTHON" -m pytest -q -p no:cacheprovider "$folder" || code=1
    done
    return $code
}

swift_tests() { # [ARGUMENTS OF swift test]: keeps what failed for the summary, where a reader looks first
    local log code names
    log=$(mktemp)
    # A test that hangs must not take the whole run with it unseen.
    timeout --kill-after=10 1500 swift test --skip-build --no-parallel "$@" 2>&1 | tee "$log"
    code=${PIPESTATUS[0]}
    issues=$(awk '/✘ .*recorded an issue|Fatal error|error:/ { shown = 1; print; next }
        /^(◇|✔|✘) / { shown = 0 } shown' "$log" | cut -c 1-500 | head -n 40)
    names=$(failed_alone "$log")
    rm -f "$log"
    [ "$code" != 0 ] && [ -n "$names" ] || return "$code"
    # Many tests race real servers and processes. One that fails is run again by itself: what fails twice is broken,
    # what passes is unsteady, is told in the summary with its first failure, and is to be mended all the same.
    title "Once more: $names"
    timeout --kill-after=10 600 swift test --skip-build --no-parallel --filter "/($names)\\(" || return "$code"
    summary+=("UNSTEADY $names: failed, then passed by itself")
}

failed_alone() { # LOG: the names of at most two failed tests, one|two; nothing when more failed, or the run broke off
    local names
    names=$(grep -E '^✘ Test .* failed after ' "$1" | grep -v '^✘ Test case ' | cut -d ' ' -f 3-)
    # The last line is that of the whole run; without it the run broke off.
    case $names in *"run with "*) ;; *) return ;; esac
    names=$(sed -E '/^run with /d; s/^([A-Za-z0-9_]+)\(.*/\1/' <<<"$names" | sort -u)
    [ "$(wc -l <<<"$names")" -le 2 ] && ! grep -q ' ' <<<"$names" && paste -sd '|' <<<"$names"
}

step() { # NAME COMMAND...: runs it and remembers how it ended
    local name=$1 began=$SECONDS
    shift
    title "$name"
    if "$@"; then
        summary+=("passed  $name ($((SECONDS - began)) s)")
    else
        summary+=("FAILED  $name ($((SECONDS - began)) s)")
        failed=1
    fi
}

if [ "${1:-}" = --inside ]; then # the second half, with the servers' addresses in the environment
    shift
    # What tests leave in the folder of temporary files goes with it; PostgreSQL runs as a user of its own below it.
    TMPDIR=$(mktemp -d) && export TMPDIR && chmod 711 "$TMPDIR" || exit 1
    trap 'rm -rf "$TMPDIR"' EXIT
    summary=()
    failed=0
    issues=
    step "Python tests" python_tests
    # One test at a time: many of them measure how soon something happens, and two cores have no time for all at once.
    step "Swift tests" swift_tests "$@"
    title "Summary"
    printf '%s\n' "${summary[@]}" ${issues:+"$issues"}
    exit "$failed"
fi

title "What is needed"
scripts/install.sh --tests || exit 1
requirements=(scripts/requirements-test.txt)
for file in services/*/requirements.txt; do [ -f "$file" ] && requirements+=("$file"); done
scripts/venv.sh .venv-test "${requirements[@]}" || exit 1

title "Build"
swift build --build-tests || exit 1

title "Servers"
# Handlers and tests that start Python use the environment that has their packages.
export MALLA_PYTHON=$PWD/.venv-test/bin/python MALLA_TEST_PYTHON=$PWD/.venv-test/bin/python
exec scripts/servers.sh run -- scripts/test.sh --inside "$@"
