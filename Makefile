# Every target makes the virtual environment when it is missing or the lock file has changed.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
PIP_FAILED := { cat $(VENV)/pip.log >&2; echo "error: pip failed; hint: mend what it names, then run make again" >&2; exit 1; }
ON_INTERRUPT := trap 'echo "error: interrupted; hint: run make again, it goes on" >&2; exit 130' INT

.DEFAULT_GOAL := help
.PHONY: help up down test test-as-user soak bench check scan format lock wheel clean

help: ## say what the targets do
	@awk -F':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

$(READY): requirements/all.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "error: Python 3.11 or later is needed; hint: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 2; }
	@echo "making $(VENV) (once, about a minute)"
	@$(ON_INTERRUPT); said=$$($(PYTHON) -m venv $(VENV) 2>&1) || { echo "$$said" >&2; \
	  echo "error: this Python cannot make a virtual environment; hint: apt-get install python3-venv" >&2; exit 2; }
	@$(ON_INTERRUPT); $(PIP) --require-hashes -r requirements/all.lock 2> $(VENV)/pip.log || $(PIP_FAILED)
	@$(ON_INTERRUPT); $(PIP) --no-deps --no-build-isolation -e . 2> $(VENV)/pip.log || $(PIP_FAILED)
	@touch $(READY)

up: $(READY) ## bring the environment up; ends with its URL
	@$(BIN)/miyabi up

down: $(READY) ## stop every process, keep everything
	@$(BIN)/miyabi down

test: $(READY) ## run the tests
	@$(BIN)/python -m tests

test-as-user: $(READY) ## run the tests as an ordinary user: make test-as-user PATHS="tests/integration"
	@$(BIN)/python -m tests.ordinary $(PATHS)

soak: $(READY) ## run the long random tests; prints its seed
	@$(BIN)/python -m pytest -m soak --timeout 7200 -s

bench: $(READY) ## measure what the control plane's own work costs
	@$(BIN)/python -m pytest -m bench -s

check: $(READY) ## lint, types, layers, Terraform's format
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache
	@$(BIN)/miyabi terraform fmt -check -recursive -diff ../..

scan: ## static security scan of the Terraform (its own environment, 300 MB)
	@test -x .venv-scan/bin/checkov || { $(PYTHON) -m venv .venv-scan && .venv-scan/bin/pip install --quiet 'checkov>=3.3,<4'; }
	@.venv-scan/bin/checkov --config-file infrastructure/terraform/.checkov.yaml -d infrastructure/terraform

format: $(READY) ## format Python and Terraform
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format --quiet .
	@$(BIN)/miyabi terraform fmt -recursive ../..

lock: ## resolve the dependencies anew (needs uv)
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --all-extras --group dev --no-header --upgrade -o requirements/all.lock pyproject.toml

wheel: $(READY) ## build the wheel
	@$(BIN)/python -m build --wheel --no-isolation

clean: ## remove what the targets made; an environment that is up is left alone
	rm -rf $(VENV) .venv-scan build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
