#!/usr/bin/env bash
# Malla - a mesh that turns AI models into services
# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 the Malla authors
#
# bench-3 on the embedded mesh and on one of processes with private servers, beside the baseline (bench.py --help); with
# --growth as its first word: how it grows (growth.py --help); with --handlers: Python handlers and media (handlers.py).
set -u
# shellcheck source=scripts/setup.sh
. "$(dirname "${BASH_SOURCE[0]}")/setup.sh"
scripts/install.sh --tests || exit 1
scripts/venv.sh .venv-test scripts/requirements-test.txt || exit 1
what=bench.py
case ${1:-} in
--growth | --handlers)
    what=${1#--}.py
    shift
    ;;
esac
# shellcheck disable=SC2016  # expanded by the inner shell, which has the servers' addresses
OVERLOAD_WAIT=0 exec scripts/servers.sh run -- bash -c '
    export AMQP_URL=$MALLA_TEST_AMQP_URL REDIS_URL=$MALLA_TEST_REDIS_URL PG_URL=$MALLA_TEST_POSTGRES_URL
    export BENCH_SERVER_PIDS="$MALLA_TEST_RABBIT_PID $MALLA_TEST_REDIS_PID $MALLA_TEST_POSTGRES_PID"
    export S3_ENDPOINT=$MALLA_TEST_S3_ENDPOINT S3_BUCKET=$MALLA_TEST_S3_BUCKET PYTHONPATH=$PWD/python
    export AWS_ACCESS_KEY=$MALLA_TEST_S3_ACCESS_KEY AWS_SECRET_KEY=$MALLA_TEST_S3_SECRET_KEY
    exec "$MALLA_PYTHON" "Benchmarks/$0" --malla "$@"' "$what" "$malla" "$@"
