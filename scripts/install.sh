#!/usr/bin/env bash
# Malla - a mesh that turns AI models into services
# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 the Malla authors
#
# Installs what building and running Malla needs and the machine lacks, with apt. Does nothing when all is there.
#
#   scripts/install.sh            C libraries, pkg-config, Python with venv
#   scripts/install.sh --tests    also the servers that the tests start privately: RabbitMQ, Redis, PostgreSQL
#
# No server that is installed here is left running or set to start at boot.
set -u

say() { echo "install: $*"; }
fail() {
    echo "install: $*" >&2
    exit 1
}

tests=
case ${1:-} in
'') ;;
--tests) tests=1 ;;
*)
    sed -n '6,11p' "$0" | sed 's/^# \{0,1\}//'
    [ "$1" = --help ] && exit 0
    exit 2
    ;;
esac

# ------------------------------------------------------------------ Swift

command -v swift >/dev/null || fail "no 'swift' on the PATH: install Swift 6 or later first (https://swift.org/install)"
version=$(swift --version 2>/dev/null | sed -n 's/.*Swift version \([0-9]*\).*/\1/p' | head -1)
[ "${version:-0}" -ge 6 ] || fail "Swift ${version:-of unknown version} is too old: Swift 6 or later is needed"

# ------------------------------------------------------- what is not there

packages=()
services=()
need() { # PACKAGE WHY
    say "missing: $1 ($2)"
    packages+=("$1")
}
library() { # PKG-CONFIG-NAME PACKAGE WHY
    if ! pkg-config --exists "$1" 2>/dev/null; then need "$2" "$3"; fi
}

command -v pkg-config >/dev/null || need pkg-config "finds the C libraries"
library librabbitmq librabbitmq-dev "client for RabbitMQ"
library hiredis libhiredis-dev "client for Redis"
library libpq libpq-dev "client for PostgreSQL"
library libcurl libcurl4-openssl-dev "HTTP transfers, S3, callbacks"
library sqlite3 libsqlite3-dev "the embedded ledger"
library jemalloc libjemalloc-dev "the allocator"
command -v python3 >/dev/null || need python3 "runs the Python handlers"
python3 -c 'import venv, ensurepip' 2>/dev/null || need python3-venv "an environment for the Python handlers"

server() { # PACKAGE SYSTEMD-UNIT WHY
    need "$1" "$3"
    services+=("$2")
}
if [ -n "$tests" ]; then
    [ -n "$(compgen -G '/usr/lib/rabbitmq/lib/*/sbin/rabbitmq-server')" ] ||
        server rabbitmq-server rabbitmq-server "the tests' broker"
    command -v redis-server >/dev/null || server redis-server redis-server "the tests' Redis"
    [ -n "$(compgen -G '/usr/lib/postgresql/*/bin/initdb')" ] || server postgresql postgresql "the tests' PostgreSQL"
    command -v openssl >/dev/null || need openssl "the tests' certificates"
    command -v setpriv >/dev/null || need util-linux "starts PostgreSQL as another user"
fi

if [ ${#packages[@]} -eq 0 ]; then
    say "everything needed is installed"
    exit 0
fi

# ---------------------------------------------------------------- install

command -v apt-get >/dev/null ||
    fail "this is no Debian or Ubuntu (no apt-get): install the counterparts of the packages above, then run this again"
as_root=()
if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || fail "neither root nor sudo: ask an administrator for: apt-get install ${packages[*]}"
    as_root=(sudo)
fi

# Debian starts a server as soon as it is installed; this policy file tells it not to. An existing one is respected.
policy=/usr/sbin/policy-rc.d
if [ ${#services[@]} -gt 0 ] && [ ! -e "$policy" ]; then
    printf '#!/bin/sh\n# Put here by scripts/install.sh for the time of one installation.\nexit 101\n' |
        "${as_root[@]}" tee "$policy" >/dev/null || fail "cannot write $policy"
    "${as_root[@]}" chmod 755 "$policy"
    trap '"${as_root[@]}" rm -f "$policy"' EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
fi

log=$(mktemp) || fail "cannot make a temporary file"
apt() {
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -y -o DPkg::Lock::Timeout=300 "$@" </dev/null \
        >"$log" 2>&1
}
say "installing with apt: ${packages[*]}"
apt update || say "apt-get update failed, going on with the lists that are here"
if ! apt install --no-install-recommends "${packages[@]}"; then
    tail -20 "$log" >&2
    fail "apt-get install failed (the whole output: $log)"
fi
rm -f "$log"

if [ ${#services[@]} -gt 0 ] && [ -d /run/systemd/system ]; then
    "${as_root[@]}" systemctl --quiet disable "${services[@]}" 2>/dev/null ||
        say "could not switch off the start at boot of: ${services[*]}"
fi
say "done"
