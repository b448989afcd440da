# `make pipeline`, `make test` and `make docs` set up .venv themselves; nothing has to be started first.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: pipeline native test test-slow check docs services clean

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

# The site, into build/docs: runs the examples, and fails on a warning.
docs: native
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

.venv/ready: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed")'
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[pipeline,server,dev,docs]'
	touch $@

clean:
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis build *.egg-info
