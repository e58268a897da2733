# `make demo`, `make test` and `make ui` do all their own set-up; the README gives the plain commands.
PROFILE ?= demo
PYTHON ?= python3
PORT ?= 3000
BIN := .venv/bin

.PHONY: demo run test ui lint format clean

demo: .venv/installed
	$(BIN)/quadmix --profile demo run

run: .venv/installed
	$(BIN)/quadmix --profile $(PROFILE) run

test: .venv/installed-dev
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

ui: .venv/installed
	$(BIN)/quadmix --profile $(PROFILE) ui --port $(PORT)

lint: .venv/installed-dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/dg check defs

format: .venv/installed-dev
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --constraint constraints.txt --editable .
	touch $@

.venv/installed-dev: .venv/installed
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

clean:
	rm -rf data/lake data/dagster
