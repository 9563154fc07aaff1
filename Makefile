# Everything starts here, on a fresh clone too: each target makes its own environment when it is missing, or when
# pyproject.toml has changed since. PYTHON picks the interpreter, VENV the folder, T the tests, B how to measure:
# make test T=tests/pool, make bench B="--rows 1,3", make bench B="--set shared",
# make bench B="--set rpc", or http, fleet, fabric, cluster, classic: docs/performance.md has all of them.

PYTHON ?= python3
VENV ?= .venv
T ?=
B ?=

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check
# Material says at each start what it thinks of MkDocs 2; a check that is well says nothing.
MKDOCS := NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs
# Stamps, one for each set of packages. `demo` takes the smallest, so that it starts within seconds.
RUNTIME := $(VENV)/.runtime
TEST := $(VENV)/.test
DEV := $(VENV)/.dev
BENCH := $(VENV)/.bench

.DELETE_ON_ERROR:
.PHONY: help demo test test-fast check docs format bench faults hostile faults-hosts clean

help:
	@echo "make demo    measure every module of the standard library, on every core and in a plain loop"
	@echo "make test    the tests (make test T=tests/sansio for some of them)"
	@echo "make check   format, lint, types, import contracts, links of the documentation"
	@echo "make docs    the documentation, into build/site"
	@echo "make format  let ruff write the format and its safe repairs"
	@echo "make bench   side by side with the peers (B=--quick: two minutes; B=--write: into docs/, too)"
	@echo "make faults  the named crashes, ours and the peers': writes docs/faults.md"
	@echo "make hostile hostile input over HTTP, ours and the standard library's: writes docs/hostile-http.md"
	@echo "make faults-hosts  faults of hosts and of the way there, ours and Fabric 3's: writes docs/faults-hosts.md"
	@echo "make clean   remove environments and caches"

demo: $(RUNTIME)
	$(BIN)/python examples/demo.py

test: $(DEV) compiled
	$(BIN)/python -m pytest $(T)

# The part that needs neither tools nor minutes: what CI runs on each further Python.
test-fast: $(TEST) compiled
	$(BIN)/python -m pytest -m "not slow" tests/sansio tests/contract

check: $(DEV)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(MKDOCS) build --strict

docs: $(DEV)
	$(MKDOCS) build
	@echo "open build/site/index.html; with its search, and while you write: $(BIN)/mkdocs serve"

format: $(DEV)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(BENCH) compiled
	$(BIN)/python -m benchmarks $(B)

# Twenty minutes: the tests, then every fault with every peer, which writes docs/faults.md (B="--set shared": only those
# of processes and shared data; what the page says of the others stays).
faults: $(DEV) $(BENCH) compiled
	$(BIN)/python -m pytest tests/faults
	$(BIN)/python -m benchmarks.faults --write $(B)

# Five minutes: the tests, then each attack on each server and client, which writes docs/hostile-http.md.
hostile: $(DEV) compiled
	$(BIN)/python -m pytest tests/hostile
	$(BIN)/python -m benchmarks.hostile --write $(B)

# Five minutes: the tests, then each fault with Fabric 3 and with ours, which writes docs/faults-hosts.md.
faults-hosts: $(DEV) compiled
	$(BIN)/python -m pytest tests/fleet/test_faults.py
	$(BIN)/python -m benchmarks.fleet.faults --write $(B)

# As pip does with packages that it installs, and the benchmarks too, which children of multiprocessing import again.
# Where PYTHONDONTWRITEBYTECODE is set, each of the many processes that tests and benchmarks start would compile all of
# it again.
.PHONY: compiled
compiled: | $(BIN)/python
	@$(BIN)/python -m compileall -q src benchmarks

clean:
	rm -rf .venv .venv-* build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "elsewhere needs Python 3.11 or newer, and $(PYTHON) is not; name one: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; \
	  exit 1; }
	@echo "making $(VENV) (once)"
	@$(PYTHON) -m venv $(VENV) || { rm -f $(BIN)/python; exit 1; }

# Each larger set holds the smaller ones, so it also touches their stamps: nothing is installed twice.
$(RUNTIME): pyproject.toml | $(BIN)/python
	$(PIP) install -e .
	@touch $(RUNTIME)

$(TEST): pyproject.toml | $(BIN)/python
	$(PIP) install -e '.[test]'
	@touch $(RUNTIME) $(TEST)

$(DEV): pyproject.toml | $(BIN)/python
	$(PIP) install -e '.[dev]'
	@touch $(RUNTIME) $(TEST) $(DEV)

$(BENCH): pyproject.toml | $(BIN)/python
	$(PIP) install -e '.[bench]'
	$(PIP) install -e '.[ray]' || echo "ray does not install here: it is left out of the comparison" >&2
	@touch $(RUNTIME) $(BENCH)
