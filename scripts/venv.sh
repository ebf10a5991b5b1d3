#!/usr/bin/env bash
# Malla - a mesh that turns AI models into services
# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 the Malla authors
#
# Makes a Python environment from requirement files, or leaves it alone if nothing changed since.
#
#   scripts/venv.sh FOLDER REQUIREMENTS...
set -u

folder=${1:?folder of the environment}
shift

say() { echo "python: $*"; }

# The stamp is what the environment was made from: the Python and the text of the files.
want=$(
    python3 --version
    for file in "$@"; do
        echo "# $file"
        cat "$file"
    done
)
if [ -x "$folder/bin/python" ] && [ "$(cat "$folder/stamp" 2>/dev/null)" = "$want" ]; then exit 0; fi

say "making $folder from ${*:-nothing}"
rm -rf "$folder"
python3 -m venv "$folder" || exit 1
arguments=()
for file in "$@"; do arguments+=(-r "$file"); done
if [ $# -gt 0 ]; then
    "$folder/bin/python" -m pip install --quiet --disable-pip-version-check "${arguments[@]}" </dev/null || {
        say "could not install the packages; without a network, set PIP_FIND_LINKS to a folder that has them" >&2
        exit 1
    }
fi
printf '%s\n' "$want" >"$folder/stamp"
