#!/usr/bin/env bash
# Malla - a mesh that turns AI models into services
# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 the Malla authors
#
# Ten times what the mesh can do, and giants beside a normal load, on private servers (see overload.py --help).
set -u
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
# shellcheck disable=SC2016  # expanded by the inner shell, which has the servers' addresses
exec scripts/servers.sh run -- bash -c '
    export AMQP_URL=$MALLA_TEST_AMQP_URL REDIS_URL=$MALLA_TEST_REDIS_URL PG_URL=$MALLA_TEST_POSTGRES_URL
    export S3_ENDPOINT=$MALLA_TEST_S3_ENDPOINT S3_BUCKET=$MALLA_TEST_S3_BUCKET
    export AWS_ACCESS_KEY=$MALLA_TEST_S3_ACCESS_KEY AWS_SECRET_KEY=$MALLA_TEST_S3_SECRET_KEY
    export PYTHONPATH=$PWD/python
    exec python3 Benchmarks/overload.py "$@"' overload "$@"
