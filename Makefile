# Malla - a mesh that turns AI models into services
# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 the Malla authors

.DEFAULT_GOAL := help
.PHONY: help deps build demo dev test format lint check bench growth handlers chaos soak overload fuzz sanitize clean

help: ## this list
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

deps: ## install what building, running and testing need (apt), and the tests' Python packages
	@scripts/install.sh --tests
	@scripts/venv.sh .venv-test scripts/requirements-test.txt $(wildcard services/*/requirements.txt)

build: ## release build of the malla binary
	@scripts/install.sh
	swift build -c release --product malla

demo: ## set up everything and send a photograph through the mesh, then stop
	@scripts/demo.sh

dev: ## set up everything and leave the mesh running (App API on port 8007, Service API on 8080)
	@scripts/dev.sh

test: ## all tests on private RabbitMQ, Redis, PostgreSQL and S3
	@scripts/test.sh

format: ## rewrite the sources in the project's format
	swift format format --in-place --recursive --parallel $(wildcard Package.swift Sources Tests Benchmarks Fuzz)

lint: ## check format, documentation comments and scripts
	@scripts/lint.sh

check: lint test ## lint, then all tests

bench: ## measure bench-3, a chain of three stages, and a fan-out: embedded, and as processes on private servers
	@scripts/bench.sh

growth: ## measure how bench-3 grows: processes, offered load, a long queue, a full ledger; PLOTS=folder
	@scripts/bench.sh --growth $(if $(PLOTS),--plots $(PLOTS))

handlers: ## measure Python handlers that do nothing, and a GiB of media through one beside curl alone
	@scripts/bench.sh --handlers

chaos: ## seeded runs of a mesh under faults, checked afterwards: make chaos SEEDS="1 2 3"
	@scripts/chaos.sh run $(or $(SEEDS),1 2 3)

soak: ## an hour of mixed load; prints memory, files, rows and times of each minute
	@scripts/chaos.sh soak --minutes $(or $(MINUTES),60)

overload: ## ten times the load that the mesh sustains, and giants beside a normal one
	@scripts/overload.sh

fuzz: ## fuzz one part with libFuzzer: make fuzz TARGET=json MINUTES=10 (without TARGET: the list)
	@scripts/fuzz.sh "$(TARGET)" $(or $(MINUTES),10)

sanitize: ## unit tests under a sanitizer: make sanitize KIND=address (or thread)
	@scripts/servers.sh run -- scripts/sanitize.sh $(or $(KIND),address)

clean: ## remove everything that was built or installed into this folder (not .malla, the data of `make dev`)
	rm -rf .build .build-fuzz .build-address .build-thread .venv .venv-test
