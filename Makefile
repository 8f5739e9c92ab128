# Needs Python >= 3.11 and make; everything else is made here. PYTHON=python3.12 chooses another interpreter.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.PHONY: demo dist fuzz test test-all test-distributed test-long test-lowest test-mxnet test-notebooks test-paddle test-sdist test-site test-wheel \
	environments lint types docs bench bench-gpu clean

demo: $(VENV)/.demo ## train one network on every backend and compare
	$(BIN)/multimlp train digits

test: $(VENV)/.test ## the default tests, about 10 minutes on 2 cores
	$(BIN)/python -m pytest -n 2 --dist worksteal

test-long: $(VENV)/.test ## the default tests on one more framework, whose compiling takes long
	$(BIN)/python -m pytest -n 2 --dist worksteal -m long

test-all: $(VENV)/.test ## the long and slow tests too
	$(BIN)/python -m pytest -n 2 --dist worksteal -m "not fuzz"

MARKS ?= not fuzz
DISTRIBUTED_TESTS := $(wildcard tests/test_distributed*.py tests/test_data_parallel*.py tests/test_*_processes.py tests/test_sweep_going_on.py)

test-distributed: $(VENV)/.test ## everything about more than one process, the slow tests too, 15 minutes
	$(BIN)/python -m pytest -m "$(MARKS)" $(DISTRIBUTED_TESTS)

fuzz: $(VENV)/.test ## random calls and damaged files, 10 minutes each
	MULTIMLP_FUZZ_SECONDS=600 $(BIN)/python -m pytest -n 2 --dist worksteal -m fuzz

MXNET_TESTS := $(wildcard tests/backends/test_mxnet*.py) $(addprefix tests/test_,$(addsuffix .py,\
	initializers lesson_code losses metrics mlp optimizers registry regularizers selection tape transforms tree unique))

PADDLE_TESTS := $(addprefix tests/,backends/test_contract.py backends/test_paddle.py $(addprefix test_,$(addsuffix .py,\
	activations activations_axis compositions control convert convert_dtypes dtypes equations files forward jet laplacian losses \
	metrics optimizers programs random random_draws special special_points unique xp)))

CORE_TESTS := $(addprefix tests/,backends/test_contract.py backends/test_strict.py $(addprefix test_,$(addsuffix .py,\
	convert dtypes files interop optimizers random tape training transforms)))
NUMPY_1_TESTS := $(addprefix tests/,backends/test_tensorflow_edges.py backends/test_tensorflow_namespace.py test_cli_progress.py \
	test_data.py test_distributed_communicators.py test_engine_numba.py test_estimators.py test_playground.py test_plotting.py)

test-lowest: $(VENV)-lowest/.test $(VENV)-lowest-jax/.test ## the lowest versions of pyproject.toml: with NumPy 1.26, and JAX with NumPy 2.0
	$(VENV)-lowest/bin/python -m pytest -n 2 --dist worksteal $(CORE_TESTS) $(NUMPY_1_TESTS) -k 'not jax and not digits_are_learned'
	$(VENV)-lowest-jax/bin/python -m pytest -n 2 --dist worksteal $(CORE_TESTS) -k 'jax or numpy or flax or equinox or optax'

test-site: docs ## every link of the site, and in Chromium, if there is one, every page at the widths of telephone and desk
	MULTIMLP_SITE=docs/_build/html $(BIN)/python -m pytest -rs -m "not fuzz" tests/test_pages.py tests/test_site.py

dist: $(VENV)/.test ## the source distribution and the wheel made from it
	rm -rf build/dist
	$(BIN)/python -m build --outdir build/dist .

test-wheel: dist ## the wheel, in an environment with NumPy and array-api-compat alone
	rm -rf $(VENV)-wheel
	$(PYTHON) -m venv $(VENV)-wheel
	$(VENV)-wheel/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt build/dist/*.whl
	cp tests/smoke_wheel.py build/dist
	cd build/dist && $(abspath $(VENV))-wheel/bin/python smoke_wheel.py

SDIST_TESTS := $(addprefix tests/,backends/test_strict.py $(addprefix test_,$(addsuffix .py,\
	packaging random tape tape_rules testing transforms tree xp)))

test-sdist: dist ## the tests that the source distribution holds, of the core, with what it says that they need
	rm -rf build/sdist $(VENV)-sdist
	mkdir -p build/sdist && tar xzf build/dist/*.tar.gz -C build/sdist --strip-components 1
	$(PYTHON) -m venv $(VENV)-sdist
	$(VENV)-sdist/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt 'build/sdist/[testing]'
	cd build/sdist && $(abspath $(VENV))-sdist/bin/pytest $(SDIST_TESTS)  # not python -m pytest, which would import multimlp from here

test-mxnet: $(VENV)-mxnet/.test ## MXNet and the core on NumPy 1.26, in an environment of their own
	$(VENV)-mxnet/bin/python -m pytest $(MXNET_TESTS)

test-notebooks: $(VENV)-notebooks/.test ## the notebooks of the lessons, cell by cell; PYTHON=python3.13 on another Python, as the newest
	$(VENV)-notebooks/bin/python -m pytest -m "" tests/test_lesson_pages.py -k kernel

test-paddle: $(VENV)-paddle/.test ## Paddle beside NumPy and array-api-strict, in an environment of their own
	$(VENV)-paddle/bin/python -m pytest $(PADDLE_TESTS) -k paddle

lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.test ## type checkers read an installed copy, because backends/ is installed as multimlp.backends
	rm -rf build/types build/lib
	$(PIP) --no-deps --target build/types .
	cd build/types && MYPYPATH=. ../../$(BIN)/mypy --config-file ../../pyproject.toml -p multimlp

docs: $(VENV)/.test ## the documentation site, warnings as errors
	rm -rf docs/_build/html  # pages whose sources are gone; what was read is kept beside
	$(BIN)/python -m sphinx -q -W --keep-going -b html -d docs/_build/doctrees docs docs/_build/html

bench: $(VENV)/.test ## the benchmark tables of docs/benchmarks.md
	$(BIN)/python -m benchmarks

bench-gpu: $(VENV)/.test ## the benchmarks on a CUDA GPU, in pieces: whoever interrupts it goes on later
	$(BIN)/python -m benchmarks.gpu

environments: $(foreach name,lowest lowest-jax mxnet paddle notebooks,$(VENV)-$(name)/.test) ## those that the tests beside the default ones need

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: $(VENV)/bin/python pyproject.toml constraints.txt
	$(PIP) -c constraints.txt -e '.[app,torch,jax,tensorflow]'
	touch $@

$(VENV)/.test: $(VENV)/bin/python pyproject.toml constraints.txt
	$(PIP) -c constraints.txt -e '.[dev]'
	touch $@

$(VENV)-mxnet/.test: EXTRAS := mxnet,numpy,testing
$(VENV)-paddle/.test: EXTRAS := paddle,numpy,cli,safetensors,sklearn,testing
$(VENV)-lowest/.test: EXTRAS := app,numba,torch,tensorflow,mpi,parity,plot,playground,onnx,keras,sklearn,testing,tensorboard
$(VENV)-lowest/.test: MORE := array-api-extra polars pytest-xdist
$(VENV)-lowest-jax/.test: EXTRAS := jax,torch,flax,equinox,optax,strict,safetensors,sklearn,testing
$(VENV)-lowest-jax/.test: MORE := array-api-extra pytest-xdist
$(VENV)-%/.test: pyproject.toml constraints-%.txt
	$(PYTHON) -m venv $(VENV)-$*
	$(VENV)-$*/bin/python -m pip install --quiet --disable-pip-version-check -c constraints-$*.txt -e '.[$(EXTRAS)]' $(MORE)
	touch $@

$(VENV)-notebooks/.test: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)-notebooks
	$(VENV)-notebooks/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[plot,data,jax,testing]' nbclient ipykernel
	touch $@

clean:
	rm -rf build dist site *.egg-info $(VENV) $(VENV)-*
