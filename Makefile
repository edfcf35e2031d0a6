# Every job of the project. `make` alone lists them.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
JOBS   ?= 2
PYTEST := $(BIN)/python -m pytest -n $(JOBS) --dist loadgroup

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-all check format lint types imports schemas golden recipes docs bench clean

help: ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

setup: $(STAMP) ## make .venv with everything in it (PYTHON=python3.12 chooses the Python)

$(STAMP): setup.cfg pyproject.toml constraints.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

demo: $(STAMP) ## from nothing to an exported translator of number names, in a few minutes
	@$(BIN)/python bin/demo

test: $(STAMP) ## the tests, without the slow ones
	$(PYTEST) -q -m "not slow"

test-all: $(STAMP) ## every test
	$(PYTEST) -q

check: lint types imports recipes test ## everything that must hold before a change is merged

format: $(STAMP) ## rewrite the code in the house's layout
	$(BIN)/ruff check --fix --quiet .
	$(BIN)/ruff format --quiet .

lint: $(STAMP) ## style
	$(BIN)/ruff check .
	$(BIN)/ruff format --check --quiet .

types: $(STAMP) ## type hints
	$(BIN)/mypy

imports: $(STAMP) ## who may import whom
	$(BIN)/lint-imports

schemas: $(STAMP) ## rewrite schemas/ and the protobuf modules from their one definition
	$(BIN)/python bin/make_protos
	$(BIN)/seqcfg schema > schemas/recipe.schema.json.new
	mv schemas/recipe.schema.json.new schemas/recipe.schema.json

golden: $(STAMP) ## rewrite the weight tables that tests compare recipes with
	$(BIN)/python bin/make_golden

recipes: $(STAMP) ## validate every recipe
	$(BIN)/seqcfg validate recipes/

docs: $(STAMP) ## build the documentation into site/
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[docs]'
	$(BIN)/python bin/make_docs

bench: $(STAMP) ## timings of this machine, as JSON
	$(BIN)/python bin/bench start-up
	$(BIN)/python bin/bench validate
	$(BIN)/python bin/bench matmul

clean: ## remove what the tools left, but neither .venv nor runs
	rm -rf build dist site *.egg-info .pytest_cache .hypothesis .ruff_cache .mypy_cache .import_linter_cache
	find seqcfg tests -name __pycache__ -type d -prune -exec rm -rf {} +
