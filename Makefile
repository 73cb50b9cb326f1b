# Everything needs Python >= 3.11 and make, nothing else; the first target that runs sets up .venv by itself.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SMOKE := build/smoke
BOTS := build/bots
PIP := $(BIN)/python -m pip install --quiet -c constraints.txt
# Half of the tests wait for Kafka: two processes, each with a broker of its own, are done sooner.
PARALLEL := -n 2 --dist loadfile
ARGS ?=

.PHONY: setup demo test test-all producers bots check lint types verify bench smoke dashboards docs clean help

help:  ## what there is
	@grep -E '^[a-z-]+:.*## ' Makefile | sed -E 's/:.*## /\t/' | expand -t 12

$(VENV)/.ready: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "stream-lstm needs Python 3.11 or newer; set PYTHON=")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	$(PIP) -e ".[embedded,exchange,plots,references]" --group dev
	@touch $@

$(VENV)/.peers: $(VENV)/.ready constraints-peers.txt
	$(PIP) -c constraints-peers.txt --group peers
	@touch $@

$(VENV)/.producers: $(VENV)/.ready constraints-producers.txt
	$(PIP) -c constraints-producers.txt --group producers
	@touch $@

# Environments of their own: these packages and ours disagree about third ones.
$(BOTS)/%/.ready: pyproject.toml constraints-%.txt
	test -x $(@D)/bin/python || $(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet --upgrade "pip>=25.1"
	$(@D)/bin/python -m pip install --quiet -c constraints-$*.txt -e ".[embedded]" --group $* --group testing
	@touch $@

setup: $(VENV)/.ready  ## .venv with everything

demo: setup  ## embedded Kafka, worker, feeder and a live table; ARGS="--for 60 --json"
	@$(BIN)/stream-lstm demo $(ARGS)

test: setup  ## the fast suite, real Kafka included
	$(BIN)/pytest -m "not slow" $(PARALLEL) $(ARGS)

test-all: setup  ## every test
	$(BIN)/pytest $(PARALLEL) $(ARGS)

producers: $(VENV)/.producers  ## cryptofeed's own handlers write to Kafka, a worker must understand them
	$(BIN)/pytest tests/producers $(ARGS)

bots: $(BOTS)/bots/.ready $(BOTS)/freqtrade/.ready  ## the examples with Hummingbot's MQTT, NautilusTrader and freqtrade themselves
	$(BOTS)/bots/bin/python -m pytest tests/examples/test_hummingbot.py tests/examples/test_nautilus.py $(ARGS)
	$(BOTS)/freqtrade/bin/python -m pytest tests/examples/test_freqtrade.py $(ARGS)

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup
	$(BIN)/mypy
	$(BIN)/mypy deploy/grafana/source docs/generate.py

check: lint types test  ## what must hold before a commit

verify: setup  ## workers killed at random for a minute, every message compared; ARGS="--kills 50"
	$(BIN)/stream-lstm verify --kills 10 --series 12 --candles 250 $(ARGS)

bench: $(VENV)/.peers  ## every benchmark, results in benchmarks/results
	$(BIN)/python benchmarks/training.py
	$(BIN)/python benchmarks/bank.py
	$(BIN)/python benchmarks/throughput.py
	$(BIN)/python benchmarks/latency.py
	$(BIN)/python benchmarks/memory.py
	$(BIN)/python benchmarks/week.py
	$(BIN)/python benchmarks/restore.py
	$(BIN)/python benchmarks/takeover.py
	$(BIN)/python benchmarks/transactions.py

dashboards: setup  ## deploy/grafana/dashboards, from deploy/grafana/source
	$(BIN)/python deploy/grafana/source

docs: setup  ## docs/settings.md from the settings, the table of docs/models.md from what was measured
	$(BIN)/python docs/generate.py

smoke: setup  ## the wheel, alone in a fresh environment, plays the demo for ten seconds and serves the page
	rm -rf $(SMOKE)
	$(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir $(SMOKE) .
	$(PYTHON) -m venv $(SMOKE)/venv
	$(SMOKE)/venv/bin/python -m pip install --quiet -c constraints.txt "$$(echo $(SMOKE)/*.whl)[embedded]"
	cd $(SMOKE) && venv/bin/stream-lstm config show --json > config.json
	cd $(SMOKE) && venv/bin/stream-lstm demo --for 10 --json | tee demo.json
	$(PYTHON) -c 'import json; assert json.load(open("$(SMOKE)/demo.json"))["predictions"] > 0'
	cd $(SMOKE) && venv/bin/python $(CURDIR)/tests/gateway/smoke.py venv/bin/stream-lstm

clean:
	rm -rf $(VENV) dist build
