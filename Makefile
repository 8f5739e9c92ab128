# Needs Python >= 3.11 and make; everything else is made here. PYTHON=python3.12 chooses another interpreter.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.PHONY: demo test test-all test-mxnet lint types docs bench clean

demo: $(VENV)/.demo ## train one network on every backend and compare
	$(BIN)/multimlp train digits

test: $(VENV)/.test ## the default tests, under 10 minutes on 2 cores
	$(BIN)/python -m pytest -n 2 --dist worksteal

test-all: $(VENV)/.test ## the slow tests too
	$(BIN)/python -m pytest -n 2 --dist worksteal -m ""

MXNET_TESTS := $(wildcard tests/backends/test_mxnet*.py) $(addprefix tests/test_,$(addsuffix .py,\
	initializers losses metrics mlp optimizers registry regularizers selection tape transforms tree))

test-mxnet: $(VENV)-mxnet/.test ## MXNet and the core on NumPy 1.26, in an environment of their own
	$(VENV)-mxnet/bin/python -m pytest $(MXNET_TESTS)

lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.test ## type checkers read an installed copy, because backends/ is installed as multimlp.backends
	rm -rf build/types build/lib
	$(PIP) --no-deps --target build/types .
	cd build/types && MYPYPATH=. ../../$(BIN)/mypy --config-file ../../pyproject.toml -p multimlp

docs: $(VENV)/.test ## the documentation site, warnings as errors
	$(BIN)/python -m sphinx -q -W --keep-going -b html docs docs/_build/html

bench: $(VENV)/.test ## the benchmark tables of docs/benchmarks.md
	$(BIN)/python -m benchmarks

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: $(VENV)/bin/python pyproject.toml constraints.txt
	$(PIP) -c constraints.txt -e '.[app,torch,jax,tensorflow]'
	touch $@

$(VENV)/.test: $(VENV)/bin/python pyproject.toml constraints.txt
	$(PIP) -c constraints.txt -e '.[dev]'
	touch $@

$(VENV)-mxnet/.test: pyproject.toml constraints-mxnet.txt
	$(PYTHON) -m venv $(VENV)-mxnet
	$(VENV)-mxnet/bin/python -m pip install --quiet --disable-pip-version-check -c constraints-mxnet.txt -e '.[mxnet,numpy,testing]'
	touch $@

clean:
	rm -rf build dist site *.egg-info $(VENV) $(VENV)-mxnet
