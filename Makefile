# Everything needs Python 3.11 or newer and make; each target sets up what it needs.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
UV     := $(BIN)/uv
READY  := $(VENV)/.ready
ARGS   ?=

.DEFAULT_GOAL := help
.PHONY: help run test lint format bench chaos setup browser clean

help: ## Show what there is to make
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(READY) ## Run the whole system here: form, inbox API, mail catcher (ARGS="--help" for options)
	@$(BIN)/leadlog up $(ARGS)

test: $(READY) browser ## Run every test (ARGS="-k name" for some)
	$(BIN)/python -m pytest -n 2 --dist loadgroup $(ARGS)

lint: $(READY) ## Check style, types, the import rules, known vulnerabilities, secrets
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	sh .ci/secrets.sh
	$(BIN)/python .ci/audit.py

format: $(READY) ## Bring the code into shape
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(READY) ## Measure, as ratios within one run (tests/bench)
	$(BIN)/python -m tests.bench $(ARGS)

chaos: $(READY) ## Kill everything at random under load, then compare (ARGS="--minutes 3 --seed 7")
	$(BIN)/python -m tests.chaos $(ARGS)

setup: $(READY) ## Only set up the virtual environment from the lock file

browser: # what tests need beside Python: Chromium, clamd, an identity provider from npm
	@sh tests/support/ensure-chromium.sh
	@sh tests/support/ensure-clamd.sh
	@sh tests/support/ensure-node.sh

clean: ## Remove the virtual environment and caches (var/, your data, stays)
	rm -rf $(VENV) dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

$(READY): pyproject.toml uv.lock requirements-uv.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Leadlog needs Python 3.11 or newer; '$(PYTHON)' is older. Try: make $(MAKECMDGOALS) PYTHON=python3.12"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || \
	  { echo "Could not make a virtual environment. On Debian and Ubuntu: apt-get install python3-venv"; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-uv.txt
	@$(UV) sync --quiet --locked --inexact --extra dev
	@touch $@
