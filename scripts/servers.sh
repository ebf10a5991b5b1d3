#!/usr/bin/env bash
# Malla - a mesh that turns AI models into services
# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 the Malla authors
#
# Private RabbitMQ, Redis, PostgreSQL and S3 servers on loopback, for tests.
#
#   scripts/servers.sh start DIR          start all four, wait until they answer, write DIR/env
#   scripts/servers.sh stop DIR           end exactly what was started in DIR
#   scripts/servers.sh run -- CMD...      start in a temporary folder, run CMD with DIR/env, stop always
#   scripts/servers.sh status DIR         one line per server
#   scripts/servers.sh down DIR NAME      stop one server (rabbit, redis, postgres, s3), keeping its data
#   scripts/servers.sh up DIR NAME        start it again on the same port, wait until it answers
#   scripts/servers.sh wipe DIR rabbit    remove the broker's data; it must be down
#   scripts/servers.sh queues DIR         a line for each queue of the virtual host /: its name, and its messages
#   scripts/servers.sh vhost DIR NAME     make a virtual host on the private broker
#   scripts/servers.sh ctl DIR ARGS...    rabbitmqctl on the private broker
#   scripts/servers.sh guard DIR PID START  wait for the end of a process, then end what was started in DIR
#
# DIR/env exports
#   MALLA_TEST_AMQP_URL, MALLA_TEST_AMQPS_URL, MALLA_TEST_REDIS_URL,
#   MALLA_TEST_POSTGRES_URL, MALLA_TEST_POSTGRES_TLS_URL, MALLA_TEST_CA_FILE,
#   MALLA_TEST_S3_ENDPOINT, _REGION, _ACCESS_KEY, _SECRET_KEY, _BUCKET,
#   MALLA_TEST_RABBIT_PID, MALLA_TEST_REDIS_PID, MALLA_TEST_POSTGRES_PID, MALLA_TEST_S3_PID
#   and MALLA_TEST_SERVERS=DIR (DIR/pids/NAME holds the present pid after an `up`).
#
# Variables
#   RABBIT_CONSUMER_TIMEOUT_MS  the broker's consumer_timeout; also sets how often it is checked
#   RABBIT_CHANNEL_TICK_MS      that interval (default: the timeout, at most 60000)
#   RABBIT_ERL_ARGS             flags for Erlang (default: no busy waiting)
#   MALLA_RCLONE                the rclone to use (default: .venv-test/bin/rclone, then the PATH)
#
# The settings are the servers' defaults apart from: loopback only, no snapshots in Redis.
# shellcheck disable=SC2154  # port_* and s3_* are read from DIR/settings
set -u

usage() { sed -n '6,33p' "$0" | sed 's|^# \{0,1\}||'; }
say() { echo "servers: $*" >&2; }

self=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/$(basename "${BASH_SOURCE[0]}")
root=$(dirname "$(dirname "$self")")
servers=(postgres redis s3 rabbit)

# ---------------------------------------------------------------- processes

# A process is recorded as "pid start-time": a pid that was used again is not ours.
start_time() { sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | awk '$1 != "Z" {print $20}'; }
record() { echo "$2 $(start_time "$2")" >"$dir/pids/$1"; }
pid_of() { local pid rest; read -r pid rest <"$dir/pids/$1" 2>/dev/null && echo "$pid"; }
alive() {
    local pid started
    read -r pid started 2>/dev/null <"$dir/pids/$1" || return 1
    [ -n "$started" ] && [ "$(start_time "$pid")" = "$started" ]
}
signal() { # NAME SIGNAL; a stopped process is continued, or it would never see the signal
    alive "$1" || return 0
    kill "-$2" "$(pid_of "$1")" 2>/dev/null
    kill -CONT "$(pid_of "$1")" 2>/dev/null
    return 0
}
await_end() { # NAME SECONDS
    local i
    for ((i = 0; i < $2 * 20; i++)); do
        alive "$1" || break
        sleep 0.05
    done
    if alive "$1"; then
        say "$1 (pid $(pid_of "$1")) did not stop within $2 s, killing it"
        signal "$1" KILL
        for ((i = 0; i < 40; i++)); do alive "$1" || break; sleep 0.05; done
    fi
    rm -f "$dir/pids/$1"
}
polite() { if [ "$1" = postgres ]; then echo INT; else echo TERM; fi; }

as_postgres() { # exec, so that the pid is the server's own; PostgreSQL refuses to run as root
    if [ "$(id -u)" = 0 ]; then
        exec setpriv --reuid=postgres --regid=postgres --clear-groups -- "$@"
    else
        exec "$@"
    fi
}

launch() { # NAME: starts one server detached, so that no Ctrl-C of a terminal reaches it
    (
        exec </dev/null >>"$dir/log/$1.log" 2>&1
        "exec_$1"
    ) &
    record "$1" $!
    disown # no word from the shell when it is killed
}

# ------------------------------------------------------------------ servers

exec_postgres() {
    cd / || exit 1
    as_postgres setsid "$pg_bin/postgres" -D "$dir/postgres/data" -p "$port_postgres" \
        -c listen_addresses=127.0.0.1 -c unix_socket_directories="$dir/postgres" -c max_connections=200 \
        -c ssl=on -c ssl_cert_file="$dir/postgres/server.crt" -c ssl_key_file="$dir/postgres/server.key"
}

exec_redis() {
    exec setsid redis-server --bind 127.0.0.1 --port "$port_redis" --dir "$dir/redis" --save "" --appendonly no \
        --daemonize no
}

exec_s3() {
    exec env RCLONE_CONFIG=/dev/null setsid "$rclone" serve s3 "$dir/s3" --addr "127.0.0.1:$port_s3" \
        --auth-key "$s3_access,$s3_secret" --cache-dir "$dir/s3-cache" --vfs-cache-mode writes \
        --vfs-write-back 0s --dir-cache-time 1s
}

exec_epmd() { exec env ERL_EPMD_ADDRESS=127.0.0.1 setsid epmd -port "$port_epmd"; }

exec_rabbit() {
    # shellcheck disable=SC1091
    . "$dir/rabbit/env"
    cd "$dir/rabbit" || exit 1
    ulimit -n 65536 2>/dev/null || true
    # With this variable the start script becomes the server instead of waiting for it.
    exec env RUNNING_UNDER_SYSTEMD=1 setsid "$rabbit_bin/rabbitmq-server"
}

# ---------------------------------------------------------------- preparing

find_programs() {
    rabbit_bin=$(compgen -G '/usr/lib/rabbitmq/lib/*/sbin' | sort -V | tail -1)
    pg_bin=$(compgen -G '/usr/lib/postgresql/*/bin' | sort -V | tail -1)
    rclone=${MALLA_RCLONE:-}
    if [ -z "$rclone" ]; then
        rclone=$root/.venv-test/bin/rclone
        [ -x "$rclone" ] || rclone=$(command -v rclone || true)
    fi
    local missing=()
    [ -x "$rabbit_bin/rabbitmq-server" ] || missing+=(rabbitmq-server)
    [ -x "$pg_bin/initdb" ] || missing+=(postgresql)
    [ -x "$rclone" ] || missing+=(rclone)
    command -v redis-server >/dev/null || missing+=(redis-server)
    command -v epmd >/dev/null || missing+=(erlang-base)
    command -v openssl >/dev/null || missing+=(openssl)
    command -v python3 >/dev/null || missing+=(python3)
    if [ ${#missing[@]} -gt 0 ]; then
        say "not installed: ${missing[*]}; run 'make deps' (or scripts/install.sh --tests)"
        return 1
    fi
}

choose_ports() { # below the range that the kernel hands to outgoing connections
    python3 - <<'PY'
import random, socket

names = ["amqp", "amqps", "dist", "epmd", "redis", "postgres", "s3"]
while names:
    base = random.randrange(20000, 30000, 10)
    held = []
    try:
        for offset in range(len(names)):
            held.append(socket.socket())
            held[-1].bind(("127.0.0.1", base + offset))
    except OSError:
        continue
    finally:
        for one in held:
            one.close()
    print("\n".join(f"port_{name}={base + offset}" for offset, name in enumerate(names)))
    break
PY
}

make_certificates() { # a CA of one day's life and a certificate for localhost and 127.0.0.1
    local tls=$dir/tls
    mkdir -p "$tls"
    {
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=Malla test CA" \
            -keyout "$tls/ca.key" -out "$tls/ca.crt"
        openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=localhost" \
            -keyout "$tls/server.key" -out "$tls/server.csr"
        openssl x509 -req -in "$tls/server.csr" -CA "$tls/ca.crt" -CAkey "$tls/ca.key" -CAcreateserial -days 2 \
            -extfile <(echo "subjectAltName=DNS:localhost,IP:127.0.0.1") -out "$tls/server.crt"
    } >"$dir/log/tls.log" 2>&1
}

prepare_postgres() {
    local home=$dir/postgres
    cp "$dir/tls/server.crt" "$dir/tls/server.key" "$home/"
    chmod 600 "$home/server.key"
    if [ "$(id -u)" = 0 ]; then
        chown -R postgres:postgres "$home"
        if ! setpriv --reuid=postgres --regid=postgres --clear-groups test -w "$home"; then
            say "user postgres cannot reach $home: choose a folder below /tmp, or chmod o+x its parents"
            return 1
        fi
    fi
    (
        cd / || exit 1
        as_postgres "$pg_bin/initdb" -D "$home/data" -U postgres --auth=trust -E UTF8 --locale=C.UTF-8 --no-sync
    ) >"$dir/log/initdb.log" 2>&1
}

prepare_rabbit() {
    local home=$dir/rabbit timeout=${RABBIT_CONSUMER_TIMEOUT_MS:-} tick=${RABBIT_CHANNEL_TICK_MS:-}
    echo "[]." >"$home/enabled_plugins"
    : >"$home/none"
    cat >"$home/rabbitmq.conf" <<CONF
listeners.tcp.default = 127.0.0.1:$port_amqp
listeners.ssl.default = 127.0.0.1:$port_amqps
ssl_options.cacertfile = $dir/tls/ca.crt
ssl_options.certfile = $dir/tls/server.crt
ssl_options.keyfile = $dir/tls/server.key
ssl_options.verify = verify_none
ssl_options.fail_if_no_peer_cert = false
CONF
    if [ -n "$timeout" ]; then
        [ -n "$tick" ] || tick=$((timeout < 60000 ? timeout : 60000))
        echo "[{rabbit, [{consumer_timeout, $timeout}, {channel_tick_interval, $tick}]}]." >"$home/advanced.config"
    else
        echo "[]." >"$home/advanced.config"
    fi
    cat >"$home/env" <<CONF
export HOME=$home/home ERL_EPMD_PORT=$port_epmd ERL_EPMD_ADDRESS=127.0.0.1
export RABBITMQ_NODENAME=malla$port_amqp@localhost RABBITMQ_DIST_PORT=$port_dist
export RABBITMQ_MNESIA_BASE=$home/mnesia RABBITMQ_LOG_BASE=$home/log RABBITMQ_PID_FILE=$home/pid
export RABBITMQ_ENABLED_PLUGINS_FILE=$home/enabled_plugins RABBITMQ_CONF_ENV_FILE=$home/none
export RABBITMQ_CONFIG_FILE=$home/rabbitmq.conf RABBITMQ_ADVANCED_CONFIG_FILE=$home/advanced.config
export RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS="-kernel inet_dist_use_interface {127,0,0,1} \
${RABBIT_ERL_ARGS:-+sbwt none +sbwtdcpu none +sbwtdio none}"
CONF
}

recover_postgres() { # after a kill: its children hold its memory until they notice, and a zombie's lock looks alive
    local data=$dir/postgres/data i process left
    for ((i = 0; i < 600; i++)); do
        left=''
        for process in /proc/[0-9]*/cwd; do
            [ "$(readlink "$process" 2>/dev/null)" != "$data" ] || left=$process
        done
        [ -n "$left" ] || break
        sleep 0.05
    done
    rm -f "$data/postmaster.pid" "$dir/postgres/.s.PGSQL.$port_postgres.lock"
}

await_ready() { # NAME...: returns when each answers in its own protocol
    local name arguments=()
    for name in "$@"; do
        case $name in
        rabbit) arguments+=("$name:$port_amqp") ;;
        redis) arguments+=("$name:$port_redis") ;;
        postgres) arguments+=("$name:$port_postgres") ;;
        s3) arguments+=("$name:$port_s3") ;;
        esac
    done
    python3 - "$dir" "$pg_bin/pg_isready" "${arguments[@]}" <<'PY'
import os, socket, subprocess, sys, time

folder, pg_isready, waiting = sys.argv[1], sys.argv[2], dict(a.split(":") for a in sys.argv[3:])
hello = {
    "rabbit": (b"AMQP\0\0\x09\x01", b"\x01"),
    "redis": (b"PING\r\n", b"+PONG"),
    "s3": (b"GET / HTTP/1.0\r\n\r\n", b"HTTP/1."),
}

def ready(name, port):
    if name == "postgres":
        return subprocess.run([pg_isready, "-q", "-h", "127.0.0.1", "-p", port]).returncode == 0
    try:
        with socket.create_connection(("127.0.0.1", int(port)), 2) as connection:
            connection.sendall(hello[name][0])
            return connection.recv(16).startswith(hello[name][1])
    except OSError:
        return False

def alive(name):
    pid, started = open(f"{folder}/pids/{name}").read().split()
    try:
        fields = open(f"/proc/{pid}/stat").read().rsplit(") ", 1)[1].split()
    except OSError:
        return False
    return fields[0] != "Z" and fields[19] == started

def fail(name, why):
    log = open(f"{folder}/log/{name}.log", errors="replace").read().splitlines()[-20:]
    print(f"servers: {name} {why}; the end of {folder}/log/{name}.log:", *log, sep="\n  ", file=sys.stderr)
    sys.exit(1)

end = time.monotonic() + 90
while waiting:
    for name, port in list(waiting.items()):
        if not alive(name):
            fail(name, "stopped while starting")
        if ready(name, port):
            del waiting[name]
        elif time.monotonic() > end:
            fail(name, "does not answer after 90 s")
    if waiting:
        time.sleep(0.05)
PY
}

write_env() {
    local user=postgres host=127.0.0.1 tls="sslmode=verify-full&sslrootcert=$dir/tls/ca.crt"
    cat >"$dir/env" <<ENV
export MALLA_TEST_SERVERS="$dir"
export MALLA_TEST_CA_FILE="$dir/tls/ca.crt"
export MALLA_TEST_AMQP_URL="amqp://guest:guest@$host:$port_amqp/%2F"
export MALLA_TEST_AMQPS_URL="amqps://guest:guest@$host:$port_amqps/%2F"
export MALLA_TEST_REDIS_URL="redis://$host:$port_redis/0"
export MALLA_TEST_POSTGRES_URL="postgresql://$user@$host:$port_postgres/malla"
export MALLA_TEST_POSTGRES_TLS_URL="postgresql://$user@$host:$port_postgres/malla?$tls"
export MALLA_TEST_S3_ENDPOINT="http://$host:$port_s3"
export MALLA_TEST_S3_REGION="us-east-1"
export MALLA_TEST_S3_ACCESS_KEY="$s3_access"
export MALLA_TEST_S3_SECRET_KEY="$s3_secret"
export MALLA_TEST_S3_BUCKET="$s3_bucket"
export MALLA_TEST_RABBIT_PID=$(pid_of rabbit)
export MALLA_TEST_REDIS_PID=$(pid_of redis)
export MALLA_TEST_POSTGRES_PID=$(pid_of postgres)
export MALLA_TEST_S3_PID=$(pid_of s3)
ENV
}

# ----------------------------------------------------------------- commands

load() { # the ports and keys of an earlier start
    find_programs || return 1
    if [ ! -f "$dir/settings" ]; then
        say "nothing was started in $dir"
        return 1
    fi
    # shellcheck disable=SC1091
    . "$dir/settings"
}

stop() {
    [ -d "$dir/pids" ] || return 0
    local name
    for name in "${servers[@]}"; do signal "$name" "$(polite "$name")"; done
    for name in "${servers[@]}"; do await_end "$name" 20; done
    signal epmd KILL
    await_end epmd 5
    rm -f "$dir/env" "$dir/settings"
}

start() {
    local name began=$SECONDS
    for name in "${servers[@]}" epmd; do
        if alive "$name"; then
            say "$name is already running in $dir; 'stop' it first"
            return 1
        fi
    done
    find_programs || return 1
    rm -rf "$dir"/{rabbit,redis,postgres,s3,s3-cache,tls,log,pids}
    mkdir -p "$dir"/{pids,log,rabbit/mnesia,rabbit/log,rabbit/home,redis,postgres,s3/malla-test} || return 1
    {
        choose_ports
        echo "s3_bucket=malla-test s3_access=malla$RANDOM s3_secret=secret$RANDOM$RANDOM"
    } >"$dir/settings"
    # shellcheck disable=SC1091
    . "$dir/settings"

    # Everything at once: the broker, the slowest, needs the others' certificates and nothing else.
    launch redis
    launch s3
    launch epmd
    if make_certificates && prepare_rabbit && launch rabbit && prepare_postgres && launch postgres &&
        await_ready postgres &&
        "$pg_bin/psql" -q -h 127.0.0.1 -p "$port_postgres" -U postgres -c 'CREATE DATABASE malla' >/dev/null &&
        await_ready redis s3 rabbit; then
        write_env
        say "up in $((SECONDS - began)) s: amqp $port_amqp, redis $port_redis, postgres $port_postgres, s3 $port_s3"
        return 0
    fi
    say "could not start (logs in $dir/log)"
    stop
    return 1
}

end_marked() { # ends every process that was started with MALLA_CHAOS=DIR or a TMPDIR below DIR/tmp
    local process
    grep -lszE "^(MALLA_CHAOS=$dir|TMPDIR=$dir/tmp/.*)$" /proc/[0-9]*/environ | while read -r process; do
        process=${process#/proc/}
        kill -KILL "${process%/environ}" 2>/dev/null
    done
}

guard() { # ends what was started for a process that was killed before it could do so itself
    while [ "$(start_time "$1")" = "$2" ]; do tail --pid="$1" -s 1 -f /dev/null; done
    signal command TERM
    await_end command 10
    end_marked
    stop
    rm -rf "$dir"
}

wipe() {
    if alive rabbit; then
        say "rabbit is running in $dir; 'down' it first"
        return 1
    fi
    rm -rf "$dir"/rabbit/mnesia/*
}

broker() { # has the broker evaluate the Erlang on stdin: it costs a hundredth of rabbitmqctl
    # shellcheck disable=SC1091
    . "$dir/rabbit/env"
    local answer cookie
    cookie=$(cat "$HOME/.erlang.cookie") || return 1
    answer=$(erl_call -n "$RABBITMQ_NODENAME" -c "$cookie" -e) || return 1
    case $answer in
    '{ok, '*) printf '%s\n' "$answer" ;;
    *)
        say "the broker says: $answer"
        return 1
        ;;
    esac
}

queues() {
    local answer
    answer=$(
        broker <<'ERL'
lists:flatten([io_lib:format("~s ~w~n", [element(4, proplists:get_value(name, Q)),
    proplists:get_value(messages_ready, Q) + proplists:get_value(messages_unacknowledged, Q)])
    || Q <- rabbit_amqqueue:info_all(<<"/">>, [name, messages_ready, messages_unacknowledged])]).
ERL
    ) || return 1
    # One string with escaped line ends; an empty one is [].
    printf '%s\n' "$answer" | grep -oE '[^" ]+ [0-9]+\\n' | sed 's/\\n$//'
    return 0
}

vhost() { # NAME
    broker >/dev/null <<ERL
ok = rabbit_vhost:add(<<"$1">>, <<"servers.sh">>),
ok = rabbit_auth_backend_internal:set_permissions(
    <<"guest">>, <<"$1">>, <<".*">>, <<".*">>, <<".*">>, <<"servers.sh">>).
ERL
}

run() {
    local base=${TMPDIR:-/tmp} code=0 child='' guardian
    if [ "$(id -u)" = 0 ] &&
        ! setpriv --reuid=postgres --regid=postgres --clear-groups test -x "$base" 2>/dev/null; then
        base=/tmp
    fi
    dir=$(mktemp -d "$base/malla-servers.XXXXXX") || return 1
    chmod 711 "$dir"
    setsid "$self" guard "$dir" $$ "$(start_time $$)" </dev/null >/dev/null 2>&1 &
    guardian=$!
    # shellcheck disable=SC2064
    trap "stop; kill $guardian 2>/dev/null; rm -rf '$dir'" EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
    start || exit 1
    # shellcheck disable=SC1091
    . "$dir/env"
    # In the background, so that a signal to this script is acted on at once and handed on.
    "$@" <&0 &
    child=$!
    record command "$child"
    trap 'kill -TERM "$child" 2>/dev/null; wait "$child"; exit 130' INT
    trap 'kill -TERM "$child" 2>/dev/null; wait "$child"; exit 143' TERM HUP
    wait "$child"
    code=$?
    exit $code
}

command=${1:-}
case $command in
run)
    shift
    [ "${1:-}" = -- ] && shift
    if [ $# -eq 0 ]; then
        usage >&2
        exit 2
    fi
    run "$@"
    ;;
start | stop | status | up | down | wipe | queues | vhost | ctl | guard)
    if [ -z "${2:-}" ]; then
        usage >&2
        exit 2
    fi
    if [ "$command" = start ]; then mkdir -p "$2" || exit 1; fi
    dir=$(cd "$2" 2>/dev/null && pwd) || { say "no folder $2"; exit 1; }
    shift 2
    case $command in
    start) start ;;
    stop) stop ;;
    guard) guard "$@" ;;
    wipe)
        [ "${1:-}" = rabbit ] || { usage >&2; exit 2; }
        wipe
        ;;
    queues) load && queues ;;
    vhost)
        [ $# -eq 1 ] || { usage >&2; exit 2; }
        load && vhost "$1"
        ;;
    status)
        for name in "${servers[@]}" epmd; do
            if alive "$name"; then echo "$name up, pid $(pid_of "$name")"; else echo "$name down"; fi
        done
        ;;
    up)
        load || exit 1
        for name in "$@"; do
            if alive "$name"; then continue; fi
            [ "$name" != rabbit ] || alive epmd || launch epmd
            [ "$name" != postgres ] || recover_postgres
            launch "$name"
        done
        await_ready "$@" && write_env
        ;;
    down)
        for name in "$@"; do
            signal "$name" "$(polite "$name")"
            await_end "$name" 20
        done
        ;;
    ctl)
        load || exit 1
        # shellcheck disable=SC1091
        . "$dir/rabbit/env"
        exec "$rabbit_bin/rabbitmqctl" -n "$RABBITMQ_NODENAME" "$@"
        ;;
    esac
    ;;
-h | --help | help) usage ;;
*)
    usage >&2
    exit 2
    ;;
esac
