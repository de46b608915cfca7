# One word sets up, one runs, one checks: `make run`, `make demo`, `make test`. `make help` lists the rest.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# Any Python from 3.11 on: make PYTHON=/path/to/python3 TARGET. Without it an existing .venv is kept.
PYTHON ?=
# Where the local API and the embedded engine listen; both only on 127.0.0.1.
PORT ?= 3000
ENGINE_PORT ?= 4566
# on: `make run` begins with a made-up clinic to look at.
SEED ?= off
# The section of samconfig.toml that is deployed.
STAGE ?= default
# The deployed stack that a command works on; without it, the one of `make run`.
STACK ?=
# Arguments for pytest: make test ARGS="-k overlap"
ARGS ?=

# Inside the project's environment, and without this make's own variables: `sam build` starts a make of its own. Without
# kept bytecode, every start of a tool and of a function would compile its libraries anew.
IN_VENV := env -u PYTHONDONTWRITEBYTECODE -u MAKEFLAGS -u MFLAGS -u MAKELEVEL -u MAKEOVERRIDES -u VIRTUAL_ENV PATH="$(CURDIR)/.venv/bin:$$PATH" SAM_CLI_TELEMETRY=0
SOURCES := src local monitoring ops tests bench

.PHONY: help setup pages run seed demo test browser node lint format openapi monitoring holidays build lock clean faults deploy redrive retime delete restore release security cost

help: ## Show these lines
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | awk -F '\t' '{ \
		line = sprintf("%-11s", $$1); count = split($$2, words, " "); \
		for (i = 1; i <= count; i++) { \
			if (length(line " " words[i]) > 80) { print line; line = sprintf("%-11s", "") } \
			line = line " " words[i] } \
		print line }'

setup: ## Make .venv and .venv-engine, bring them to their locks, and build the pages
	@PYTHON="$(PYTHON)" local/setup.sh
	@web/build.sh

pages: ## Build the desk and the booking page from web/; without Node.js it installs one into .venv-node
	@web/build.sh

run: setup ## Start everything here: http://127.0.0.1:3000, and a live feed
	@exec $(IN_VENV) PORT=$(PORT) ENGINE_PORT=$(ENGINE_PORT) SEED=$(SEED) python -m local

seed: setup ## Fill what `make run` runs with a made-up clinic; make run SEED=on does so at its start
	@$(IN_VENV) python -m local.seed

demo: setup ## Tell the story by itself: booked, refused, reminded, cleaned up
	@exec $(IN_VENV) python -m local.demo

# All tests run in three processes, as end-to-end tests mostly wait. Coverage is measured only then: a part of the tests
# would not reach the figure.
# slipcover 1.1 reads what the processes measured only once, so the limit is checked by a second call.
COVERAGE := .pytest_cache/coverage.json
ALL_TESTS := slipcover --json --out $(COVERAGE) -m pytest --numprocesses=3 --dist=loadgroup --durations=15 --durations-min=5
test: setup node ## Run all tests, the end-to-end ones on an engine of their own
	@$(IN_VENV) python -m $(if $(filter-out --randomly-seed=%,$(ARGS)),pytest,$(ALL_TESTS)) $(ARGS)
	@$(if $(filter-out --randomly-seed=%,$(ARGS)),,$(IN_VENV) python -m slipcover --merge $(COVERAGE) --out $(COVERAGE) --fail-under 98)

node: ## Install what the tests run in Node.js, where there is one; without it those tests are skipped
	@if ! command -v npm >/dev/null; then exit 0; fi; \
	if ! cmp -s tests/node/package-lock.json tests/node/node_modules/.installed; then \
		echo "node: installing what the tests run in Node.js into tests/node"; \
		npm ci --prefix tests/node --ignore-scripts --no-audit --no-fund --silent && \
		cp tests/node/package-lock.json tests/node/node_modules/.installed; fi

faults: setup ## Play bad days from several seeds, and every order of calls with every fault (an hour)
	@$(IN_VENV) python -m pytest tests/faults tests/exploration -m long -q -s -p no:randomly $(ARGS)

# The time-zone data is that of the pinned package, as in the functions, and not this machine's.
IN_OPS := $(IN_VENV) PYTHONPATH=src PYTHONTZPATH= python -m
deploy: setup ## Build and deploy a stage of samconfig.toml to AWS: make deploy STAGE=dev
	@$(IN_VENV) python -m ops.deploy $(STAGE) $(ARGS)

redrive: setup ## Send again what lies in the dead-letter queues: make redrive STACK=appointments-prod
	@$(IN_OPS) ops.redrive $(STACK)

retime: setup ## Place local times anew when a zone's rules changed: make retime ZONE=America/New_York STACK=…
	@$(IN_OPS) ops.retime $(ZONE) $(STACK)

restore: setup ## Put a stack's tables back to a moment: make restore STACK=… AT=2026-11-24T10:00:00Z
	@$(IN_OPS) ops.restore $(STACK) $(AT)

release: setup ## Let the functions go on that an operation left halted: make release STACK=appointments-prod
	@$(IN_OPS) ops.release $(STACK)

cost: setup ## Measure what a booking costs on AWS, and what a month does: docs/cost.md
	@$(IN_VENV) PYTHONPATH=src python -m bench.cost

delete: setup ## Remove a stack with the rules that it made, and keep its tables unless DATA=delete: make delete STACK=…
	@$(IN_OPS) ops.delete $(STACK) $(if $(DATA),--data $(DATA))

browser: ## Install Debian's Chromium, in which the tests open the page at /docs; without one they are skipped
	@if command -v chromium chromium-browser google-chrome >/dev/null; then exit 0; fi; \
	if [ "$$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then \
		echo "browser: only root can install one, with apt-get; install Chromium in another way"; exit 0; fi; \
	echo "browser: installing chromium"; \
	apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core >/dev/null

lint: setup ## Check style, types, of the pages too, and templates
	@$(IN_VENV) ruff check $(SOURCES)
	@$(IN_VENV) ruff format --check $(SOURCES)
	@$(IN_VENV) mypy
	@web/build.sh check
	@$(IN_VENV) cfn-lint template.yaml
	@$(IN_VENV) AWS_DEFAULT_REGION=us-east-1 sam validate --lint

security: setup .venv-security/.ready ## Look for what is unsafe in the template, its policies, the code and its packages
	@$(IN_VENV) python -m local.security

.venv-security/.ready: requirements/security.txt
	@echo "security: installing checkov and four others into .venv-security"
	@rm -rf .venv-security && .venv/bin/uv venv --quiet --python .venv/bin/python .venv-security
	@.venv/bin/uv pip sync --quiet --require-hashes --python .venv-security/bin/python requirements/security.txt
	@touch $@

format: setup ## Format the code and put imports in order
	@$(IN_VENV) ruff check --fix-only --quiet $(SOURCES)
	@$(IN_VENV) ruff format $(SOURCES)

openapi: setup ## Write the contract, openapi.yaml, as the JSON that is deployed
	@$(IN_VENV) python -m local.contract

monitoring: setup ## Write monitoring/table.py into template.yaml: metric filters, alarms, dashboard
	@$(IN_VENV) PYTHONPATH=src python -m monitoring

holidays: setup ## Public holidays for a calendar: ARGS="DE --region BY --years 2030 --into URL"
	@$(IN_VENV) python -m local.holidays $(ARGS)

.PHONY: bench
bench: setup ## Measure everything; some of it: ARGS="cold warm contention crowded door reminders availability worst desk cost scale"
	@bench/setup.sh
	@$(IN_VENV) PYTHONPATH=.:src:tests python -m bench $(ARGS)

build: setup ## Build what is deployed, as `sam build` does
	@$(IN_VENV) sam build

UV_LOCK := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --custom-compile-command "make lock"
lock: setup ## Write the hashed locks anew from requirements/*.in and src/requirements.in
	@$(IN_VENV) $(UV_LOCK) src/requirements.in -o src/requirements.txt
	@cd requirements && for name in bootstrap dev engine node security bench bench-typical; do $(IN_VENV) $(UV_LOCK) $$name.in -o $$name.txt; done

clean: ## Remove the environments, builds, caches and the local engine's data
	@rm -rf .venv .venv-engine .venv-node .venv-security .venv-bench .aws-sam .local tests/node/node_modules .mypy_cache .pytest_cache .ruff_cache .hypothesis
	@rm -rf web/node_modules web/shared/openapi.d.ts src/conflict_detector/pages/files
	@find src local monitoring ops tests -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true
