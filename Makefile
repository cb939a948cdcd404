# Every command makes the virtual environment that it needs, says what it does, and may be repeated.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/installed
INSTALL := PYTHONDEVMODE= $(BIN)/python -m pip install --quiet --disable-pip-version-check
PYTEST := pytest --dist worksteal
export PYTHONDEVMODE = 1
# Development mode is for its warnings; its checks of memory that C code asks for take a fifth of the time.
export PYTHONMALLOC = pymalloc
# Keep compiled modules, also where images forbid it: else each worker, and each process that a test starts,
# compiles every module anew: 7 s for each worker.
export PYTHONDONTWRITEBYTECODE =

.PHONY: help demo screenshots unit test browser redaction-report conformance conformance-flask chaos compat lint types layers docs package bench clean

help:
	@echo "make demo               a tea shop under gunicorn, a stream of requests, and what was recorded"
	@echo "make screenshots        the pictures of the documentation, from the dashboard of the demo (a minute, Chromium)"
	@echo "make unit               the tests that start no process and open no connection (a minute)"
	@echo "make test               all tests, with coverage (nine minutes on two cores)"
	@echo "make browser            install Chromium, where there is none: tests of the dashboard drive it (Debian, root)"
	@echo "make conformance        every kind of view on every server, with tracking off and on"
	@echo "make conformance-flask  the tests of Flask and of what is made with it, with tracking off and on"
	@echo "make chaos              database, workers and disk fail in random order; is every request stored? (ten minutes)"
	@echo "make compat             the tests on Python 3.10 and 3.13, and with the lowest declared versions"
	@echo "make lint               style and errors (ruff)"
	@echo "make types              types (mypy --strict)"
	@echo "make layers             who may import whom (import-linter)"
	@echo "make docs               the documentation, warnings are errors (sphinx)"
	@echo "make package            build sdist and wheel, and use the wheel in an empty environment"
	@echo "make bench              what recording costs, beside a bare app and OpenTelemetry"
	@echo "make redaction-report   how many secrets of two corpora are found, and which are not"
	@echo "make clean              remove all that these made"

$(INSTALLED): pyproject.toml
	@echo "Making the virtual environment $(VENV) ..."
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "flask-tracking needs Python 3.10 or newer, this is " + sys.version.split()[0] + ": make PYTHON=python3.12 ...")'
	@$(PYTHON) -m venv $(VENV)
	@$(INSTALL) --upgrade pip
	@echo "Installing flask-tracking and what its tests, checks and pages need (one to three minutes) ..."
	@$(INSTALL) --editable '.[dev]'
	@touch $@

demo: $(INSTALLED)
	@PYTHONDEVMODE= $(BIN)/python docs/examples/shop/demo.py $(ARGS)

screenshots: $(INSTALLED)
	@PYTHONDEVMODE= $(BIN)/python docs/screenshots.py

unit: $(INSTALLED)
	@echo "Running the unit tests ..."
	@PYTHONDEVMODE= $(BIN)/python -m $(PYTEST) --numprocesses logical -m "not integration and not hostile" $(ARGS)

test: $(INSTALLED)
	@echo "Running all tests ..."
	@$(BIN)/python -m coverage erase
	@$(BIN)/python -m coverage run -m $(PYTEST) --numprocesses auto $(ARGS)
	@PYTHONDEVMODE= $(BIN)/python -m coverage combine --quiet
	@PYTHONDEVMODE= $(BIN)/python -m coverage report

browser:
	@.ci/chromium

redaction-report: $(INSTALLED)
	@PYTHONDEVMODE= $(BIN)/python -m tests.redaction.report

$(VENV)/servers: $(INSTALLED)
	@echo "Installing servers and what is made for them (a minute) ..."
	@$(INSTALL) --editable '.[dev,servers]'
	@$(INSTALL) --editable '.[uwsgi]' \
		|| echo "uWSGI could not be built (it needs a C compiler): its column will be missing."
	@touch $@

conformance: $(VENV)/servers
	@echo "Comparing every view on every server, with tracking off and on ..."
	@PYTHONDEVMODE= $(BIN)/python -m tests.conformance --faults all $(ARGS)
	@PYTHONDEVMODE= $(BIN)/python -m tests.conformance --mutants

chaos: $(INSTALLED)
	@echo "Comparing the spool with its model, in random sequences of writes, kills and damage ..."
	@PYTHONDEVMODE= $(BIN)/python -m tests.spool.model $(MODEL_ARGS)
	@echo "Letting the database, workers and the disk fail under traffic ..."
	@PYTHONDEVMODE= $(BIN)/python -m tests.chaos $(ARGS)

compat: $(INSTALLED)
	@PYTHONDEVMODE= $(BIN)/python .ci/compat.py $(ARGS)

conformance-flask: $(INSTALLED)
	@PYTHONDEVMODE= $(BIN)/python -m tests.conformance.flask_suites $(ARGS)

lint: $(INSTALLED)
	@echo "Checking style ..."
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: $(INSTALLED)
	@echo "Checking types ..."
	@PYTHONDEVMODE= $(BIN)/mypy

layers: $(INSTALLED)
	@echo "Checking layers ..."
	@PYTHONDEVMODE= $(BIN)/lint-imports

docs: $(INSTALLED)
	@echo "Building the documentation ..."
	@PYTHONDEVMODE= $(BIN)/python -m sphinx -W --keep-going -q -b html docs docs/_build/html
	@echo "Read it: docs/_build/html/index.html"

package: $(INSTALLED)
	@PYTHONDEVMODE= $(BIN)/python .ci/package.py

bench: $(INSTALLED)
	@$(INSTALL) --editable '.[bench]'
	@echo "Memory, forks and ends of processes (four minutes) ..."
	@PYTHONDEVMODE= $(BIN)/python tests/benchmarks/memory.py
	@PYTHONDEVMODE= $(BIN)/python -m tests.benchmarks.outage
	@PYTHONDEVMODE= $(BIN)/python tests/benchmarks/fork.py
	@PYTHONDEVMODE= $(BIN)/python tests/benchmarks/exits.py
	@echo "A request, beside OpenTelemetry (six minutes) ..."
	@PYTHONDEVMODE= $(BIN)/python tests/benchmarks/overhead.py $(ARGS)
	@echo "Where our part of it goes ..."
	@PYTHONDEVMODE= $(BIN)/python tests/benchmarks/overhead.py --profile
	@echo "Instructions of each stage, where valgrind is installed (two minutes) ..."
	@if command -v valgrind >/dev/null; then PYTHONDEVMODE= $(BIN)/python -m tests.benchmarks.instructions; \
		else echo "valgrind is not installed."; fi
	@echo "What the background thread stores while requests keep all cores busy (a minute) ..."
	@PYTHONDEVMODE= $(BIN)/python -m tests.benchmarks.share
	@echo "Files, streams, uploads, excluded paths ..."
	@PYTHONDEVMODE= $(BIN)/python tests/benchmarks/shapes.py
	@echo "Under gunicorn, bare, with the database up and down (twelve minutes) ..."
	@PYTHONDEVMODE= $(BIN)/python tests/benchmarks/served.py
	@echo "Rollups: counting, their size, reading a month of them (a minute) ..."
	@PYTHONDEVMODE= $(BIN)/python -m tests.benchmarks.rollups
	@echo "What filters cost (half a minute) ..."
	@PYTHONDEVMODE= $(BIN)/python -m tests.benchmarks.filters
	@echo "Commands among 60,000 records (two minutes) ..."
	@PYTHONDEVMODE= $(BIN)/python tests/benchmarks/commands.py
	@echo "Following 1,000 records a second (half a minute) ..."
	@PYTHONDEVMODE= $(BIN)/python tests/benchmarks/tail.py
	@echo "The pytest plugin (a minute) ..."
	@PYTHONDEVMODE= $(BIN)/python tests/benchmarks/plugin.py
	@echo "Storing beside a bare insert_many, and what each index costs (three minutes) ..."
	@PYTHONDEVMODE= $(BIN)/python -m tests.benchmarks.export
	@echo "Queries among 250,000 records (five minutes) ..."
	@PYTHONDEVMODE= $(BIN)/python -m tests.benchmarks.read
	@echo "Pages of the dashboard, live viewers, and what it costs while nobody looks (two minutes) ..."
	@PYTHONDEVMODE= $(BIN)/python -m tests.benchmarks.dashboard
	@echo "One to eight processes that store (a minute) ..."
	@PYTHONDEVMODE= $(BIN)/python -m tests.benchmarks.scale

clean:
	rm -rf .venv .venv-* dist docs/_build .coverage .coverage.* .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
