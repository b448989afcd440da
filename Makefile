# `make pipeline` and `make test` set up .venv themselves; nothing has to be started first.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: pipeline native test test-slow check services clean

pipeline: native
	$(BIN)/mistworks pipeline --preset quick

# The compiled statistics, in place, anew where a source changed.
native: .venv/ready
	$(BIN)/python setup.py --quiet build_ext --inplace

# Two files at a time, a thread each: much of the time is spent waiting for servers to start.
test: native
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder

test-slow: native
	$(BIN)/pytest -m slow

# The services of docker-compose.yml as native processes, a run through them, and nothing left running.
services: .venv/ready
	$(BIN)/python -m tests.topology

check: .venv/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

.venv/ready: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed")'
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[pipeline,server,dev]'
	touch $@

clean:
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis build *.egg-info
