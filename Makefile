# What a developer types. `make help` lists the verbs.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STATE ?= .state
SOURCES := src tests benchmarks tools
# What is compiled is kept, whatever the machine says: tests start hundreds of processes.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup run check test conformance faults fmt services services-all services-down bench docs clean

help:  ## list the verbs
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-16s %s\n", $$1, $$2}'

# What the service needs to run, and what its developers need besides.
$(BIN)/glimpse: pyproject.toml constraints.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@services/environment $(VENV) constraints.txt -e .
	@touch $@

$(VENV)/.developer: pyproject.toml constraints.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@UV_COMPILE_BYTECODE=1 services/environment $(VENV) constraints.txt -e '.[dev]'
	@! command -v mariadb_config >/dev/null || \
		services/environment $(VENV) constraints.txt -e '.[mysqlclient]'
	@services/ceph-bindings $(BIN)/python
	@touch $(BIN)/glimpse $@

setup: $(VENV)/.developer  ## make the environment for development

run: $(BIN)/glimpse  ## start the service on 127.0.0.1:9292
	@exec $(BIN)/glimpse serve --state-dir $(STATE)

check: $(VENV)/.developer  ## style, types, import rules and the quick tests
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/mypy $(SOURCES)
	$(BIN)/lint-imports
	$(BIN)/pytest -q -m 'not services' --numprocesses auto --dist loadfile $(QUICK)

# These share nothing, so that all cores may work on them, and one more process while some wait for a server. The others
# start servers, and wait for them much: three at a time. Those that kill and hang servers have the machine to themselves.
QUICK := tests/unit tests/contract tests/api tests/museum
ONE_MORE = $(shell expr $$(nproc) + 1)

test: $(VENV)/.developer  ## everything; what needs a server that is not there is skipped by name
	$(BIN)/pytest --numprocesses $(ONE_MORE) --dist loadfile $(QUICK)
	$(BIN)/pytest --numprocesses 3 --dist loadfile --no-loadscope-reorder $(addprefix --ignore=,$(QUICK) tests/faults)
	$(BIN)/pytest tests/faults

conformance: $(VENV)/.developer  ## Tempest's image tests against a running service
	$(BIN)/pytest tests/clients/test_tempest.py

faults: $(VENV)/.developer  ## kill, tear and hang the service much more often than `make test` does
	GLIMPSE_KILLS=200 GLIMPSE_PENDING=10000 GLIMPSE_WAKE_UPS=10000 $(BIN)/pytest tests/faults

fmt: $(VENV)/.developer  ## put the source in order
	$(BIN)/ruff check --fix --quiet $(SOURCES) || true
	$(BIN)/ruff format $(SOURCES)

services:  ## install and start the real servers that tests and benchmarks use
	services/programs
	services/guest
	services/up

services-all: services  ## the same, and what takes a minute or two to install: Cinder, Barbican and a simulated vCenter
	services/up rabbitmq cinder barbican vmware

services-down:  ## stop them
	services/down

bench: $(VENV)/.developer  ## measure against upstream Glance and the limits, side by side
	$(BIN)/python -m benchmarks

docs: $(VENV)/.developer  ## write the reference and the manual pages from the source
	$(BIN)/python -m tools.reference
	$(BIN)/python -m tools.man

clean:  ## remove what the verbs above have made, but never the state of the service
	rm -rf $(VENV) .bench .mypy_cache .ruff_cache .pytest_cache .hypothesis
