# Ringback's commands. Each target does its own set-up; `make` alone explains them.
SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

# Nothing of the caller's Python leaks in, and no Python is downloaded: the machine's own is used.
export UV_PYTHON_DOWNLOADS := never
# Nor may it forbid compiled modules: every process of a test would compile all it imports again, 0.7 s of CPU each.
unexport VIRTUAL_ENV UV_PROJECT_ENVIRONMENT PYTHONPATH PYTHONHOME PYTHONDONTWRITEBYTECODE

BIN := .venv/bin
STAGE := tools/local/stage.sh

# Parallel processes start with what takes longest; they wait most of the time, so two for each core.
TESTS ?= tests/e2e tests/edge tests/integration tests/fault tests/contract libs services tools
WORKERS ?= 4

# What needs a Kafka, a PostgreSQL, or one of its own that it breaks.
IN_CONTAINERS ?= tests/containers/test_providers.py tests/integration/test_store_process.py \
	tests/integration/test_stream_delivery.py tests/integration/test_stream_retries.py tests/integration/test_webhook.py

##@ Look
help: ## Explain the targets
	@awk -f tools/local/help.awk $(MAKEFILE_LIST)

demo: kafka ## Run a working week of calls through everything, row R0 of the fault suite on a live screen; CI=true ends after the report
	@$(BIN)/ringback-faults demo

up: kafka ## Run everything in the foreground until Ctrl-C
	@$(BIN)/ringback-local up

##@ Check
test: check kafka ## Lint, types, import rules and all tests in WORKERS=4 processes; before a change lands
	@$(BIN)/pytest $(TESTS) --numprocesses=$(WORKERS) --durations=15 $(ARGS)

unit: setup ## The members' unit tests only, no Kafka and no PostgreSQL; with `check`, before a commit
	@$(BIN)/pytest libs services tools --numprocesses=$(WORKERS) $(ARGS)

bench: kafka ## Measure every stage beside its baseline, six minutes; ARGS="store --seconds 3" narrows, ARGS="enricher --against HEAD~1" compares with a commit in turns
	@$(BIN)/python -m bench $(ARGS)

memory: kafka ## The largest meetings at once, under the memory that the manifests grant, up to ten minutes
	@$(BIN)/python -m bench.memory $(ARGS)

aside: kafka ## How often a backlog is put aside, and a million requests of a paused tenant; ARGS="paused" narrows
	@$(BIN)/python -m bench.aside $(ARGS)

fault: kafka ## Break things and judge: a third of the fault suite's rows, drawn by this commit; ARGS="--rows R3 --seed 7" names some
	@$(BIN)/ringback-faults run --draw HEAD $(ARGS)

fault-all: kafka ## Every row of the fault suite once, 35 minutes; whoever changes delivery, and before a release
	@$(BIN)/ringback-faults run $(ARGS)

fault-long: kafka ## The long forms: soak, ten seeds of chaos and more, well over an hour; on the same commit it goes on where it was interrupted
	@$(BIN)/ringback-faults run --long --resume $(ARGS)

reliability: setup ## Write docs/reliability.md from what the last fault-all, fault-long and mutants-all runs left in .local
	@$(BIN)/ringback-faults page > .local/reliability.md
	@mv .local/reliability.md docs/reliability.md

mutants: kafka ## Plant at most four bugs whose files changed since all were planted: the suite has to see each; ARGS="--only M3,M7" names some
	@$(BIN)/ringback-faults mutants --bare --draw HEAD $(ARGS)

mutants-all: kafka ## Plant every bug, and run the rows without them; whoever changes delivery, and before a release
	@$(BIN)/ringback-faults mutants $(ARGS)

compose-test: setup ## The compose stack on a Docker engine: a day with kills, down and up; COMPOSE="docker compose", BASE_IMAGE=...
	@$(BIN)/ringback-local engine
	@$(BIN)/pytest tests/containers/test_compose.py -x -s --durations=10 $(ARGS)

test-containers: setup ## Kafka and PostgreSQL in containers, and a part of tests/integration against them
	@$(BIN)/ringback-local engine
	@RINGBACK_LOCAL=docker $(BIN)/pytest $(IN_CONTAINERS) --durations=10 $(ARGS)

check: lint types imports ## Lint, types and import rules; runs no test

lint: setup ## Ruff: rules and format
	@$(STAGE) lint $(BIN)/ruff check .
	@$(STAGE) format $(BIN)/ruff format --check .

types: setup ## Pyright, strict
	@$(STAGE) types $(BIN)/pyright

imports: setup ## import-linter: who may import whom
	@$(STAGE) imports $(BIN)/lint-imports

##@ Prepare
setup: ## The locked environment in .venv, with a uv of its own where none of the right version is on the path
	@tools/local/setup.sh

kafka: setup ## What a Kafka needs on this machine: its jars, unless one was named or Docker is asked for
	@$(BIN)/ringback-local prepare

image: setup ## Build both images with their bills of materials in dist/; RELEASE=1 BASE_IMAGE=...@sha256:... for one to publish
	@deploy/docker/image.sh $(if $(RELEASE),--release)

contracts: setup ## Generate schemas, wire types, ends of topic files, AsyncAPI, Strimzi's objects, the derivation's outcome and the pages of metrics and settings
	@$(BIN)/python -m ringback_events.generate
	@PYTHONPATH=tests/support $(BIN)/python -m ringback_testing.derivation.outcome contracts/derivation.json
	@$(BIN)/python -m ringback_local.pages docs
	@$(BIN)/python -m ringback_local.asyncapi contracts/asyncapi.json
	@$(BIN)/ringback topics render --strimzi --prefix "" > deploy/k8s/components/strimzi/topics.yaml
	@$(BIN)/ringback acls render --strimzi --prefix "" > deploy/k8s/components/strimzi/users.yaml

format: setup ## Let ruff mend what it can
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

clean: ## Remove everything made here: environment, tools, jars, runs, caches
	rm -rf .venv .tools .local .pytest_cache .ruff_cache .hypothesis .import_linter_cache bench/out dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: help demo up test compose-test test-containers image unit bench memory aside fault fault-all fault-long reliability mutants mutants-all check lint types imports setup kafka contracts format clean
