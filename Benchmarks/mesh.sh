#!/usr/bin/env bash
# Malla - a mesh that turns AI models into services
# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 the Malla authors
#
# The mesh as three processes for the load generator: an App API on $PORT, a Service API and a worker on ports of their
# own. Wants PORT, AMQP_URL, REDIS_URL and PG_URL; ends its children on SIGTERM.
set -u
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
malla=${MALLA:-.build/release/malla}
[ -x "$malla" ] || { echo "mesh.sh: $malla is missing; run: make build" >&2; exit 1; }

export DATABASE_URL=$PG_URL AMQP_URL REDIS_URL APP_API_PORT=$PORT HTTP_PORT=$((PORT + 1)) WORKER_HTTP_PORT=$((PORT + 2))
export HTTP_HOST=127.0.0.1 WORKER_HTTP_HOST=127.0.0.1 SERVICE_API_URL=http://127.0.0.1:$((PORT + 1))
export MARKETPLACE_TOKEN=bench-token MESH_TOKEN=bench-mesh-token CALLBACK_ALLOW_NETWORKS=127.0.0.0/8
export CALLBACK_SECRET=whsec_YmVuY2htYXJrLXNlY3JldC1ub3QtYS1yZWFsLW9uZQ==
# bench-3 carries no media: the address is never called.
export AWS_ACCESS_KEY=unused AWS_SECRET_KEY=unused S3_ENDPOINT=http://127.0.0.1:9
# A flood is what bench-3 measures: nothing of it may be refused.
export OVERLOAD_WAIT=${OVERLOAD_WAIT:-0}
export LOG_LEVEL=${LOG_LEVEL:-warning}

pids=()
stop() { kill -TERM "${pids[@]}" 2>/dev/null; wait; exit 0; }
trap stop TERM INT
"$malla" app-api --host 127.0.0.1 & pids+=($!)
"$malla" service-api --service echo-1 echo-2 echo-3 & pids+=($!)
"$malla" worker --service echo-1 echo-2 echo-3 & pids+=($!)
# The first that ends ends all: a mesh with a part missing must not be measured.
wait -n
stop
