# Everything runs in .venv, which the first target that needs it makes. PYTHON names another interpreter (3.11 or newer).
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CONFIG ?= configs/quickstart.yaml
FUZZ_SECONDS ?= 600
# Tests compile many small programs and run each once. README, timings and golden simulations compile as users do.
QUICK_COMPILE := --xla_backend_optimization_level=0
# In a process of 2,500 tests the tracer stops somewhere on the way, so each folder gets one of its own.
COVERED_IN_PARTS := $(sort $(dir $(wildcard tests/*/test_*.py)))
# What only these reach counts as well: worker processes, walk-forwards, a PostgreSQL.
SLOW_BUT_COVERED := tests/test_many_workers.py tests/study/test_storage.py \
  tests/cli/test_walk_forward.py -k "crew or blind or goes_away or (postgresql and not machines)"

.DEFAULT_GOAL := help
.PHONY: help install dev tune test test-slow coverage fuzz check format smoke bench bench-search bench-evidence bench-selection bench-scaling mutation pins docs pictures package

help: ## show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	@touch $@

$(VENV)/installed-dev: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

$(VENV)/installed-docs: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[docs]'
	@touch $@

$(VENV)/installed-mutation: $(VENV)/installed-dev
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[mutation]'
	@touch $@

install: $(VENV)/installed ## make .venv and install momentum-opt into it

dev: $(VENV)/installed-dev ## also install what tests and checks need

tune: $(VENV)/installed ## tune the bundled synthetic sample and show the result (CONFIG=… for another one)
	$(BIN)/momentum-opt tune $(CONFIG)

test: $(VENV)/installed-dev ## run the tests
	XLA_FLAGS="$(QUICK_COMPILE)" $(BIN)/python -m pytest -n 2 --dist loadfile -m "not slow and not golden"

test-slow: $(VENV)/installed-dev ## run the tests that take long, and the golden simulations as users compile them
	XLA_FLAGS="$(QUICK_COMPILE)" $(BIN)/python -m pytest -n 2 --dist worksteal -m slow
	$(BIN)/python -m pytest -n 2 --dist load -m golden

coverage: $(VENV)/installed-dev ## run the tests and see which lines and branches they reach; less than 95 % fails
	$(BIN)/coverage erase
	export XLA_FLAGS="$(QUICK_COMPILE)"; failed=0; \
	for part in $(COVERED_IN_PARTS) "$(wildcard tests/test_*.py)"; do \
	  $(BIN)/coverage run -m pytest -n 2 --dist loadfile -m "not slow and not golden" $$part || failed=1; \
	done; \
	$(BIN)/coverage run -m pytest -n 2 --dist worksteal -m slow $(SLOW_BUT_COVERED) || failed=1; \
	$(BIN)/coverage combine --quiet && $(BIN)/coverage report && exit $$failed

fuzz: $(VENV)/installed-dev ## ten minutes of damaged files, as long of whole commands (FUZZ_SECONDS=… for another time)
	MOMENTUM_OPT_FUZZ_SECONDS=$(FUZZ_SECONDS) MOMENTUM_OPT_FUZZ_SEED=$$(date +%s) $(BIN)/python -m pytest -m slow tests/fuzz

check: $(VENV)/installed-dev ## lint, format check, types, import rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/lint-imports

format: $(VENV)/installed-dev ## rewrite the code in the project's format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# yattag, for `make mutation` alone, comes as source only.
pins: $(VENV)/installed ## see whether all pinned versions install on every Python from the lowest that is promised
	@for version in 3.11.0 3.12 3.13 3.14; do \
	  grep -v '^yattag==' constraints.txt | $(BIN)/python -m pip install -qq --disable-pip-version-check --dry-run \
	    --no-deps --only-binary=:all: --python-version $$version --target $(VENV)/pins -r /dev/stdin \
	    && echo "all pinned versions install on Python $$version" || exit 1; \
	done

docs: $(VENV)/installed-docs ## build the documentation site, warnings as errors, and say where it lies
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --quiet --clean --strict
	@echo "open $(CURDIR)/site/index.html"

pictures: $(VENV)/installed-docs ## draw the pictures of the documentation anew (one needs Chromium), and run its notebook
	$(BIN)/python -m docs.pictures.draw
	$(BIN)/python -m docs.pictures.page
	$(BIN)/python -m docs.run_notebook

package: $(VENV)/installed-dev ## build wheel and sdist into dist/
	$(BIN)/python -m build --no-isolation --outdir dist

smoke: $(VENV)/installed ## a tune of a few seconds, in a folder of its own
	$(BIN)/momentum-opt tune configs/smoke.yaml

bench: $(VENV)/installed ## measure; the table is printed and written to benchmarks/results (ARGS="engine costs" for some of it)
	$(BIN)/python -m benchmarks.run $(ARGS)

bench-search: $(VENV)/installed ## regret of every sampler over time on real windows (ARGS="--problems A B --seeds 3 --picture")
	$(BIN)/python -m benchmarks.search $(ARGS)

bench-evidence: $(VENV)/installed ## how often a tune finds something on markets whose trend is known; hours, goes on after a kill (ARGS="--markets 0:20 --walks 0:10")
	$(BIN)/python -m benchmarks.evidence $(ARGS)

bench-selection: $(VENV)/installed ## what ways of choosing a pool are worth out of sample on real prices; goes on after a kill (ARGS="--windows 0:2 --write")
	$(BIN)/python -m benchmarks.selection $(ARGS)

bench-scaling: $(VENV)/installed-dev ## measure what a worker costs a PostgreSQL, and simulate up to 1,000 of them (ARGS="--costs FILE")
	$(BIN)/python -m benchmarks.scaling $(ARGS)

mutation: $(VENV)/installed-mutation ## change the numeric code in 300 places, one at a time, and count what tests notice (ARGS="--seed 1")
	$(BIN)/python -m benchmarks.mutation $(ARGS)
