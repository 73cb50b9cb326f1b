# Everything needs Python >= 3.11 and make, nothing else; the first target that runs sets up .venv by itself.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=

.PHONY: setup demo test test-all check lint types bench clean

$(VENV)/.ready: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "stream-lstm needs Python 3.11 or newer; set PYTHON=")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet -c constraints.txt -e ".[embedded]" --group dev
	@touch $@

setup: $(VENV)/.ready  ## .venv with everything

demo: setup  ## embedded Kafka, worker, feeder and a live table; ARGS="--for 60 --json"
	@$(BIN)/stream-lstm demo $(ARGS)

test: setup  ## the fast suite, real Kafka included
	$(BIN)/pytest -m "not slow" $(ARGS)

test-all: setup
	$(BIN)/pytest $(ARGS)

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup
	$(BIN)/mypy

check: lint types test  ## what must hold before a commit

clean:
	rm -rf $(VENV) dist build
