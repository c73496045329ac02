# Everything a developer or a machine does with Sigma, one target each.
# Nothing is needed beforehand but make and Python 3.11 or newer.

PYTHON ?= python3
ARGS ?=
JOBS ?= 3

BIN := .venv/bin
STATIC := src/sigma/web/static/manifest.json
FRONTEND := $(wildcard frontend/src/* frontend/src/*/*) \
            frontend/build.mjs frontend/package.json frontend/package-lock.json
PIP := $(BIN)/python -m pip -qq --disable-pip-version-check
HASHED := install --no-deps --require-hashes --no-build-isolation
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
           --no-header --no-emit-index-url --no-emit-find-links

.DEFAULT_GOAL := help
.PHONY: help setup demo test chaos check audit fmt lock bench mutants screenshots wheel clean browser

help: ## List these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: .venv/run.stamp .venv/dev.stamp $(STATIC) browser ## Install everything that running and developing need

demo: .venv/sandbox.stamp $(STATIC) ## Start Sigma with a sandbox bank, VKontakte and mailbox (ARGS="--port 9000 --data DIR")
	$(BIN)/sigma demo $(ARGS)

test: setup ## Run every test (ARGS="tests/domain -k money")
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile $(ARGS)

chaos: setup ## Kill, stop and starve real processes, then audit all books (ARGS="--kills 20 --seed 7")
	$(BIN)/python -m tests.chaos $(ARGS)

check: .venv/dev.stamp ## Check format, lint, types, licences and secrets; a warning is an error
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/deptry src/sigma
	$(BIN)/deptry src/sigma_sandbox --config packaging/sigma-sandbox/pyproject.toml
	$(BIN)/python -m scripts.licences --check
	$(BIN)/python -m scripts.sbom dist
	$(BIN)/python -m scripts.secret_scan

audit: .venv/dev.stamp ## Ask OSV for known vulnerabilities of all pinned packages (ARGS="--recorded FILE" without a network)
	$(BIN)/python -m scripts.audit $(ARGS)

fmt: .venv/dev.stamp ## Format the code and fix what lint can fix
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

bench: .venv/dev.stamp $(STATIC) ## Measure Sigma beside the limits of both databases (ARGS="lists": lists)
ifeq ($(firstword $(ARGS)),lists)
	$(BIN)/python -m bench.lists --write $(wordlist 2,99,$(ARGS))
else
	$(BIN)/python -m bench $(ARGS)
	$(BIN)/python -m bench.pool
	$(BIN)/python -m bench.fairness
endif

mutants: setup ## Remove the guards of money and tenancy one at a time: a test must fail (ARGS="lock")
	$(BIN)/python -m scripts.mutants $(ARGS)

screenshots: setup ## Take the pictures in the documentation
	$(BIN)/python -m scripts.screenshots $(ARGS)

wheel: .venv/dev.stamp $(STATIC) ## Build both wheels and their lists of components (SBOM) into dist/
	rm -rf dist
	$(PIP) wheel --no-deps --no-build-isolation --wheel-dir dist . ./packaging/sigma-sandbox
	$(BIN)/python -m scripts.sbom dist
	$(BIN)/python scripts/check_wheel.py dist

lock: .venv/dev.stamp ## Resolve all pins anew (ARGS="--upgrade" for newer releases)
	$(COMPILE) $(ARGS) --group build -o requirements/build.lock
	$(COMPILE) $(ARGS) pyproject.toml -c requirements/build.lock -o requirements/run.lock
	$(COMPILE) $(ARGS) packaging/sigma-sandbox/pyproject.toml -c requirements/run.lock -o requirements/sandbox.lock
	$(COMPILE) $(ARGS) --group dev $(foreach lock,build run sandbox,-c requirements/$(lock).lock) -o requirements/dev.lock
	$(COMPILE) $(ARGS) --group node -o requirements/node.lock
	cd frontend && npm install --package-lock-only --ignore-scripts
	@echo "Now run: make setup && $(BIN)/python -m scripts.licences"

clean: ## Remove all that make has made; data in var/ stays
	rm -rf .venv .venv-node dist frontend/node_modules src/sigma/web/static
	rm -rf .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find src tests packaging -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/python.stamp:
	@sh scripts/venv.sh "$(PYTHON)" .venv
	@touch $@

.venv/run.stamp: .venv/python.stamp requirements/build.lock requirements/run.lock pyproject.toml
	@echo "Installing what Sigma runs on"
	@$(PIP) $(HASHED) -r requirements/build.lock
	@$(PIP) $(HASHED) -r requirements/run.lock
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

.venv/sandbox.stamp: .venv/run.stamp requirements/sandbox.lock packaging/sigma-sandbox/pyproject.toml
	@echo "Installing what the sandbox runs on"
	@$(PIP) $(HASHED) -r requirements/sandbox.lock
	@touch $@

.venv/dev.stamp: .venv/sandbox.stamp requirements/dev.lock
	@echo "Installing what tests and checks need"
	@$(PIP) $(HASHED) -r requirements/dev.lock
	@touch $@

$(STATIC): $(FRONTEND) requirements/node.lock
	@sh scripts/frontend.sh "$(PYTHON)"

browser:
	@sh scripts/chromium.sh
