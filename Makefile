# Each target does its own set-up in .venv, and skips what is already done.
PYTHON ?= python3
VENV ?= .venv
ARGS ?=
MINUTES ?= 5

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check install
# uv needs a quarter of the time, and knows nothing of pip's configuration: where that is needed, pip goes on.
INSTALL = $(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python $(1) || $(PIP) $(1)
# The project is installed editable, so only a change of its definition asks for another installation.
RUNTIME := $(VENV)/.runtime-installed
DEVELOPMENT := $(VENV)/.development-installed
BROWSER := $(VENV)/.browser-installed

.DEFAULT_GOAL := help
.PHONY: help run test bench soak docs site screenshots clean

help: ## show this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/make \1\t\2/p' Makefile

run: $(RUNTIME) ## serve plugins/ on http://127.0.0.1:8080 (further options: make run ARGS="--development")
	@exec $(BIN)/endpointd serve --plugins plugins --state state $(ARGS)

test: $(DEVELOPMENT) $(BROWSER) ## run every check: ruff, mypy, pytest
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	@# In the order of tests/conftest.py; by itself pytest-xdist begins with the files that have the most tests.
	$(BIN)/pytest --numprocesses 3 --dist loadfile --no-loadscope-reorder $(ARGS)

bench: $(DEVELOPMENT) ## measure everything and write docs/performance.md: half an hour (options: make bench ARGS="--help")
	$(BIN)/python bench/run.py $(ARGS)

soak: $(DEVELOPMENT) ## serve under load and disturbances, and count what is lost (make soak MINUTES=20 ARGS="--seed 1")
	$(BIN)/python bench/soak.py --minutes $(MINUTES) $(ARGS)

docs: $(RUNTIME) ## rewrite what is made from the code: the tables of docs/configuration.md, and docs/endpointd.1
	$(BIN)/python -m endpointd.cli.reference docs/configuration.md
	$(BIN)/python -m endpointd.cli.manual docs/endpointd.1

site: $(DEVELOPMENT) ## make the pages of docs/ to read in a browser: build/site/index.html
	$(BIN)/sphinx-build --quiet --fail-on-warning --keep-going docs build/site

screenshots: $(DEVELOPMENT) $(BROWSER) ## take the pictures of docs/console.md again
	PYTHONPATH=tests $(BIN)/python tests/browser/screenshots.py docs/images

clean: ## remove what the other targets made, except state/
	rm -rf $(VENV) bench/.venv bench/.venv-sdk bench/results build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(None if sys.version_info >= (3, 11) else \
	    "endpointd needs Python 3.11 or newer, and $(PYTHON) is " + sys.version.split()[0] + "; name another: make PYTHON=python3.12 …")'
	$(PYTHON) -m venv $(VENV)

$(RUNTIME): pyproject.toml | $(BIN)/python
	$(PIP) 'uv>=0.9'
	$(call INSTALL,--editable .)
	@touch $@

$(DEVELOPMENT): pyproject.toml | $(BIN)/python
	$(PIP) 'uv>=0.9'
	$(call INSTALL,--editable '.[dev]')
	@# For Python 3.11 it asks for a greenlet that is too old for Playwright; it never imports one.
	$(call INSTALL,--no-deps 'httpbin>=0.10.2')
	@touch $(RUNTIME) $@

$(BROWSER): .ci/browser $(DEVELOPMENT)
	.ci/browser $(BIN)/python
	@touch $@
