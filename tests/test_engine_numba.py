"""The engine of tables: against the in-place engine, which the frameworks' own training is the measure of, and its kernels on the disk."""

from __future__ import annotations

import dataclasses
import importlib.util
import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

import multimlp as mm
from multimlp import activations, losses, optimizers, regularizers, schedules, tree
from multimlp.backend import array_namespace, load_backend
from multimlp.errors import CapabilityError, InputError
from multimlp.training.engines import choose, slices, tables

pytest.importorskip("numba")
test_engine_inplace = pytest.importorskip("test_engine_inplace")  # it wants torch
from test_engine_inplace import PLAIN, Case, assert_near, run_inplace, trained  # noqa: E402

from multimlp.backends._numba import blas, store  # noqa: E402
from multimlp.backends._numba.records import NumbaKernels  # noqa: E402

ELEMENTWISE = [name for name in activations.names() if activations.describe(name).elementwise]
OTHERS = ("torch", "jax", "tensorflow")
COMMON = ("relu", "silu", "gelu", "tanh", "elu", "softplus")


def run_numba(case: Case, backend: str = "numpy") -> Any:
    engine = tables.build(case.problem(backend), case.params(backend))
    assert not isinstance(engine, str), engine
    return trained(engine, case, backend)


def check(case: Case, backend: str = "numpy", tolerance: float = 1e-11) -> None:
    for found, wanted in zip(run_numba(case, backend), run_inplace(case, "numpy"), strict=True):
        assert_near(found, wanted, tolerance)


def network(*names: str, **more: Any) -> Case:
    """With these activations, one a layer."""
    rules = [activations.configured(name) for name in names]
    return Case(activation=rules, hidden=(7, 6, 5, 7, 6, 5)[: len(names)], **more)


# ---- the same steps as in the in-place engine

SMOOTHED = losses.with_options("cross_entropy", label_smoothing=0.1, class_weights=[1, 2, 0.5, 1])
GROUPED = optimizers.grouped("adamw", {"bias": {"weight_decay": 0.0}, "1": {"learning_rate": 0.01}})
CASES = [
    PLAIN,
    network(*COMMON),
    Case(weighted=True, members=3),
    Case(soft=True, use_bias=False, weighted=True),
    Case(loss=SMOOTHED),
    Case(loss=losses.get("mse").scaled(0.5), weighted=True),
    Case(loss="binary_cross_entropy", hidden=()),
    Case(optimizer=optimizers.sgd(0.1, momentum=0.9, nesterov=True, weight_decay=0.01, clip_norm=0.1)),
    Case(optimizer=GROUPED, members=2),
    Case(optimizer=optimizers.adam(schedules.cosine(0.01, 9)), dropout=0.4),
    Case(dropout=0.4, members=3),
    Case(dropout=(0.0, 0.4)),
    Case(dropout=(0.4, 0.2), members=3),
    Case(regularizer=regularizers.elastic_net(0.1, 0.2), members=2),
]
ROWWISE = ("focal", "ordinal", "gaussian_nll", "student_nll", "mixture_nll", "quantile")
"""Losses that look at several outputs of a row at once, which the in-place engine alone trains with."""
RARE = [
    *(network(*ELEMENTWISE[i : i + 6]) for i in range(0, len(ELEMENTWISE), 6)),
    *(Case(loss=name, weighted=weighted) for name in losses.names() if name not in ROWWISE for weighted in (False, True)),
    *(Case(loss=losses.with_options("huber", delta=0.3), outputs=k) for k in (1, 3)),
    *(
        Case(optimizer=optimizer, regularizer=regularizers.l1(0.01))
        for optimizer in (
            optimizers.sgd(0.1), optimizers.sgd(0.1, momentum=0.9), optimizers.nadam(), optimizers.rmsprop(),
            optimizers.rmsprop(1e-3, momentum=0.5), optimizers.adagrad(), optimizers.lion(weight_decay=0.1),
            optimizers.adam(weight_decay=0.1),
        )
    ),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=str)
def test_steps_are_those_of_the_inplace_engine(case):
    check(case)


@pytest.mark.slow
@pytest.mark.parametrize("case", RARE, ids=str)
def test_every_activation_loss_and_optimiser_is_compiled_from_its_definition(case):
    check(case)


@pytest.mark.parametrize("backend", OTHERS)
@pytest.mark.parametrize("case", [PLAIN, Case(weighted=True, members=3, dropout=0.4)], ids=str)
def test_the_arrays_of_every_library_have_the_same_bits(case, backend):
    pytest.importorskip(backend)
    for found, wanted in zip(run_numba(case, backend), run_numba(case), strict=True):
        for a, b in zip(found, wanted, strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("backend", ["jax", "tensorflow"])
def test_a_run_is_that_of_the_librarys_own_program(backend):
    pytest.importorskip(backend)
    X, y, _ = PLAIN.data()

    def fit(compiler: str) -> Any:
        return mm.fit(
            PLAIN.mlp, X, y, epochs=4, batch_size=6, dtype="float64", backend=backend, progress=False,
            compile=compiler,
        )  # fmt: skip

    ours, own = fit("numba"), fit("xla")
    assert (ours.engine, own.engine) == ("numba", "compiled")
    for a, b in zip(tree.leaves(ours.params), tree.leaves(own.params), strict=True):
        assert type(a) is type(b)
        assert a.dtype == b.dtype
    for name in ("loss", "val_loss", "val_accuracy"):
        assert_near(ours.history[name], own.history[name], 1e-11)
    host = load_backend(backend).to_numpy
    assert_near(*([host(leaf) for leaf in tree.leaves(run.params)] for run in (ours, own)), 1e-11)


def test_single_precision_stays_near_double():
    case = network(*COMMON, dropout=0.4)
    narrow = run_numba(dataclasses.replace(case, dtype="float32"))
    for found, wanted in zip(narrow[::2], run_numba(case)[::2], strict=True):
        assert_near(found, wanted, 2e-5)


SLICED = [
    Case(activation="gelu", dropout=0.4, weighted=True),
    Case(regularizer=regularizers.elastic_net(0.1, 0.2), optimizer=optimizers.adam(clip_norm=0.1)),
    Case(loss="mse", optimizer=GROUPED, use_bias=False),
    Case(members=3, dropout=0.4),
]


@pytest.mark.parametrize("case", SLICED, ids=str)
def test_the_number_of_threads_changes_no_bit(case, monkeypatch):
    for name, value in {"EXAMPLES": 2, "OPERATIONS": 1, "WEIGHTS": 20}.items():
        monkeypatch.setattr(slices, f"_FEWEST_{name}", value)
    monkeypatch.setattr(slices, "_ALIGNED", 2)
    check(case)
    assert case.members or len(slices.example_slices(8, (5, *case.hidden, 4))) > 1
    found = []
    for workers in (1, 2, 3):
        monkeypatch.setattr("multimlp.backends._numba.tables.threads_available", lambda count=workers: count)
        found.append(run_numba(case))
    for other in found[1:]:
        for a, b in zip(tree.leaves(found[0]), tree.leaves(other), strict=True):
            np.testing.assert_array_equal(a, b)


def test_what_is_handed_out_is_not_written_to():
    engine: Any = tables.build(PLAIN.problem("numpy"), PLAIN.params())
    kept = engine.params()
    before = [leaf.copy() for leaf in tree.leaves(kept)]
    engine.run(PLAIN.chunk("numpy"), np.arange(16), 0)
    assert all(np.array_equal(a, b) for a, b in zip(tree.leaves(kept), before, strict=True))


@pytest.mark.parametrize("how", ["numba", None, "none"])
@pytest.mark.parametrize("backend", ["numpy", *OTHERS])
def test_labels_that_a_callback_writes_to_are_those_that_were_given(backend, how):
    """They are checked once; a kernel writes wherever they say."""
    pytest.importorskip(backend)
    X, y, _ = PLAIN.data()

    def fit(labels: Any, *callbacks: Any) -> Any:
        return mm.fit(
            PLAIN.mlp, X, labels, epochs=3, validation=None, dtype="float64", backend=backend, progress=False,
            compile=how, callbacks=callbacks,
        ).history["loss"]  # fmt: skip

    labels = y.copy()

    def spoil(run: Any) -> None:
        labels[:] = 10**6

    assert fit(labels, spoil) == fit(y)
    assert labels[0] == 10**6


# ---- who trains


def own_loss(outputs: Any, targets: Any) -> Any:
    xp = array_namespace(outputs, targets)
    return xp.max(outputs - targets, axis=-1)


OWN = dataclasses.replace(losses.get("mse"), name="own", function=own_loss)


@pytest.mark.parametrize(
    ("case", "backend", "reason"),
    [
        (Case(activation="softmax"), "numpy", "softmax works along an axis"),
        (Case(loss=OWN), "numpy", "own is no formula of one element: it calls max"),
        (Case(optimizer=optimizers.adam(clip_norm=1.0), members=2), "numpy", "all members together"),
        (PLAIN, "strict", "brings no compiled kernels"),
    ],
    ids=str,
)
def test_what_is_not_covered_is_said(case, backend, reason):
    assert reason in str(tables.build(case.problem(backend), case.params(backend)))
    with pytest.raises(CapabilityError, match="'numba' cannot train this: "):
        choose(dataclasses.replace(case.problem(backend), compiler="numba"), case.params(backend))


@pytest.mark.parametrize("name", ROWWISE)
def test_losses_of_several_outputs_are_left_to_the_inplace_engine(name, monkeypatch):
    monkeypatch.setenv("MULTIMLP_NUMBA", "always")
    case = Case(loss=name)
    chosen, why = choose(case.problem("numpy"), case.params())
    assert chosen.name == "inplace"
    assert f"not Numba: {name} is no formula of one element" in why


@pytest.mark.parametrize(
    ("steps", "switch", "engine", "reason"),
    [
        (100, None, "inplace", "an in-place rule; not Numba: at most 100 steps are too few"),
        (10**6, None, "numba", "can be compiled"),
        (None, "auto", "inplace", "nobody knows how many steps"),
        (100, "always", "numba", "can be compiled"),
        (10**6, "never", "inplace", "not Numba: MULTIMLP_NUMBA=never"),
    ],
)
def test_the_engine_follows_from_problem_and_environment(monkeypatch, steps, switch, engine, reason):
    monkeypatch.delenv("MULTIMLP_NUMBA", raising=False)
    if switch is not None:
        monkeypatch.setenv("MULTIMLP_NUMBA", switch)
    chosen, why = choose(dataclasses.replace(PLAIN.problem("numpy"), steps=steps), PLAIN.params())
    assert chosen.name == engine
    assert reason in why


@pytest.mark.parametrize("backend", ["jax", "tensorflow"])
def test_long_runs_of_libraries_that_compile_are_ours_too(backend, monkeypatch):
    pytest.importorskip(backend)
    monkeypatch.delenv("MULTIMLP_NUMBA", raising=False)
    problem, params = PLAIN.problem(backend), PLAIN.params(backend)
    chosen, why = choose(dataclasses.replace(problem, steps=10**6), params)
    assert (chosen.name, why) == ("numba", "every layer, loss and optimiser can be compiled")
    for case, engine, reason in (
        ({"steps": 100}, "compiled", "compiles whole epochs; not Numba: at most 100 steps are too few"),
        ({"steps": 10**6, "compiler": "xla"}, "compiled", "compiler='xla' was asked for"),
    ):
        chosen, why = choose(dataclasses.replace(problem, **case), params)
        assert chosen.name == engine
        assert reason in why


@pytest.mark.parametrize("backend", ["jax", "tensorflow"])
@pytest.mark.parametrize(
    ("hidden", "batch", "members", "cores", "slow", "engine", "reason"),
    [
        ((512,), 64, None, 16, "", "numba", "can be compiled"),
        ((512,), 64, None, 2, "BLAS is old", "compiled", "own program: BLAS is old"),
        ((128,) * 16, 128, None, 2, "", "numba", "can be compiled"),
        ((128,) * 16, 128, None, 4, "", "compiled", "program: it has 4 processors for them, and tables"),
        ((128,) * 16, 128, 4, 4, "", "numba", "can be compiled"),
        ((4,), 8, None, 16, "BLAS is old", "numba", "can be compiled"),
    ],
)
def test_larger_networks_are_ours_where_products_are_quick_and_processors_few(
    backend, hidden, batch, members, cores, slow, engine, reason, monkeypatch
):
    pytest.importorskip(backend)
    monkeypatch.delenv("MULTIMLP_NUMBA", raising=False)
    monkeypatch.setattr("multimlp.training.engines.tables.worth.processors", lambda: cores)
    monkeypatch.setattr("multimlp.backends._numba.blas.lagging", lambda: slow)
    case = Case(hidden=hidden, members=members)
    problem = dataclasses.replace(case.problem(backend), steps=10**6, batch_size=batch)
    chosen, why = choose(problem, case.params(backend))
    assert (chosen.name, reason in why) == (engine, True), why


@pytest.mark.parametrize(
    ("core", "avx512", "said"),
    [
        ("Haswell", True, "OpenBLAS takes its kernels for Haswell"),
        ("Haswell", False, ""),
        ("SkylakeX", True, ""),
    ],
)
def test_products_are_slow_where_blas_does_not_know_the_processor(core, avx512, said, monkeypatch):
    import llvmlite.binding as llvm

    monkeypatch.setattr(llvm, "get_host_cpu_features", lambda: {"avx512f": avx512})
    monkeypatch.setattr("multimlp.backends._threads.blas_kernels", lambda: [core])
    found = blas.lagging.__wrapped__()
    assert said in found
    assert bool(said) == bool(found)


def _threads_of(backend: str) -> int:
    if backend == "torch":
        return int(pytest.importorskip("torch").get_num_threads())
    found = pytest.importorskip("threadpoolctl").threadpool_info()
    return max(one["num_threads"] for one in found if one["user_api"] == "blas")


@pytest.mark.parametrize("backend", ["numpy", "torch"])
@pytest.mark.parametrize(
    ("few", "batch", "held"), [(2**32, 256, True), (0, 256, False), (2**32, 8, False)]
)  # a step of 8 rows is not shared out
def test_between_epochs_of_our_threads_small_figures_are_computed_by_one_thread(
    backend, few, batch, held, monkeypatch
):
    """Threads of BLAS's look for more work long after a product, on the cores that ours need."""
    monkeypatch.setattr("multimlp._processors.processors", lambda: 2)
    monkeypatch.setattr("multimlp.training._figures._FEW_OPERATIONS", few)
    seen, usual = [], _threads_of(backend)

    def threads(outputs: Any, targets: Any) -> Any:
        seen.append(_threads_of(backend))
        return outputs[0, 0]

    X, y = np.random.default_rng(0).normal(size=(512, 256)).astype(np.float32), np.zeros(512, int)
    mm.fit(
        mm.MLP(256, 512, 2), X, y, epochs=1, batch_size=batch, validation=(X[:64], y[:64]), metrics=[threads],
        backend=backend, compile="numba", progress=False,
    )  # fmt: skip
    assert seen == [1 if held else usual]


def test_kernels_are_for_one_process_on_one_device():
    for part in ({"placement": object()}, {"group": object()}):
        problem = dataclasses.replace(PLAIN.problem("numpy"), compiler="numba", **part)
        with pytest.raises(CapabilityError, match="steps of one process on one device; leave it out, or dev"):
            choose(problem, PLAIN.params())


@pytest.mark.parametrize("backend", OTHERS)
def test_kernels_work_on_the_host(backend):
    pytest.importorskip(backend)
    kernels = load_backend(backend).compiled_kernels
    assert all(isinstance(kernels("float32", device), NumbaKernels) for device in (None, "cpu"))
    assert kernels("float32", "cuda:0") == "Numba's kernels work on the host, not on cuda:0"


def test_the_largest_products_are_left_to_the_library(monkeypatch):
    """torch's are a seventh faster than SciPy's BLAS there."""
    monkeypatch.delenv("MULTIMLP_NUMBA", raising=False)
    problem = dataclasses.replace(PLAIN.problem("numpy"), steps=10**6, batch_size=2**31)
    chosen, why = choose(problem, PLAIN.params())
    assert chosen.name == "inplace"
    assert "the time of products this large" in why


def test_a_wrong_switch_is_refused(monkeypatch):
    monkeypatch.setenv("MULTIMLP_NUMBA", "maybe")
    with pytest.raises(InputError, match="MULTIMLP_NUMBA: expected auto, always or never, got 'maybe'"):
        choose(PLAIN.problem("numpy"), PLAIN.params())


def test_without_numba_whoever_asks_for_it_is_told(monkeypatch):
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *a: None if name == "numba" else found(name, *a)
    )
    X, y = np.ones((8, 5)), np.zeros(8, dtype=int)
    with pytest.raises(CapabilityError, match=r"numba cannot be found \(pip install 'multimlp\[numba\]'\)"):
        mm.fit(PLAIN.mlp, X, y, compile="numba", validation=None, progress=False)
    assert mm.fit(PLAIN.mlp, X, y, epochs=1, validation=None, progress=False).engine == "inplace"


def test_a_run_goes_on_in_the_other_engine(tmp_path):
    X, y, _ = PLAIN.data()

    def fit(epochs: int, compiler: str | None, path: Any = None) -> Any:
        return mm.fit(
            PLAIN.mlp,
            X,
            y,
            epochs=epochs,
            batch_size=8,
            dtype="float64",
            progress=False,
            compile=compiler,
            checkpoint=path,
        )

    straight = fit(6, None)
    for number, compilers in enumerate([("numba", None), (None, "numba")]):
        path = tmp_path / f"{number}.safetensors"
        fit(3, compilers[0], path)
        resumed = fit(6, compilers[1], path)
        assert resumed.engine == ("numba" if compilers[1] else "inplace")
        assert_near(resumed.history["val_loss"], straight.history["val_loss"], 1e-11)
        assert_near(tree.leaves(resumed.params), tree.leaves(straight.params), 1e-11)


# ---- kernels


def values_of(function: str, x: np.ndarray) -> np.ndarray:
    kernels = NumbaKernels(x.dtype.name)
    y = kernels.zeros(x.shape)
    y[:] = x
    record = kernels.activation(lambda x: getattr(array_namespace(x), function)(x), None, y, None)
    kernels.in_turn([[record]], [], 1).bound({}, 1)[0]()
    return y


@pytest.mark.parametrize("dtype", ["float32", pytest.param("float64", marks=pytest.mark.slow)])
@pytest.mark.parametrize("function", ["exp", "expm1", "log", "log1p", "tanh"])
def test_elementary_functions_are_right_to_two_units(function, dtype):
    rng, info = np.random.default_rng(0), np.finfo(dtype)
    x = np.concatenate(
        [rng.normal(size=2000), rng.normal(size=2000) * 40, 10.0 ** rng.uniform(-30, 30, 2000)]
    )
    x = np.concatenate([x, -x[:4000]]).astype(dtype)
    x = x[x > -1] if function == "log1p" else x[x > 0] if function == "log" else x
    with np.errstate(over="ignore"):
        wanted = getattr(np, function)(x.astype(np.longdouble)).astype(np.longdouble)
    plain = (np.abs(wanted) > info.tiny) & (np.abs(wanted) < info.max)
    error = np.abs(values_of(function, x)[plain] / wanted[plain] - 1)
    assert error.max() <= 2 * info.eps
    special = np.asarray([0, np.inf, -np.inf, np.nan, -1, 2000, -2000], dtype=dtype)
    with np.errstate(all="ignore"):
        np.testing.assert_allclose(values_of(function, special), getattr(np, function)(special), rtol=1e-6)


def test_a_damaged_kernel_is_compiled_again(tmp_path, monkeypatch):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    store._write("digest", b"machine code")
    assert store._read("digest") == b"machine code"
    (tmp_path / "multimlp" / "digest").write_bytes(b"x" * 40)
    assert store._read("digest") is None
    assert [path.name for path in (tmp_path / "multimlp").iterdir()] == ["digest"]


def test_where_nothing_can_be_written_nothing_is_kept(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "file"))
    store._write("digest", b"machine code")
    assert store._read("digest") is None


def test_what_cannot_be_put_in_its_place_leaves_nothing_behind(tmp_path, monkeypatch):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    (tmp_path / "multimlp" / "digest").mkdir(parents=True)
    store._write("digest", b"machine code")
    assert [path.name for path in (tmp_path / "multimlp").iterdir()] == ["digest"]


PROCESS = """
import sys
import numpy as np
import multimlp as mm
X = np.random.default_rng(0).normal(size=(64, 8))
result = mm.fit(mm.MLP(8, 16, 2), X, (X[:, 0] > 0).astype(int), epochs=2, compile="numba", progress=False)
print(result.engine, "numba" in sys.modules, result.history["loss"][-1])
"""


@pytest.mark.slow
def test_a_second_process_does_not_compile(tmp_path, monkeypatch):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    first, second = (
        subprocess.run(
            [sys.executable, "-c", PROCESS], capture_output=True, text=True, check=True
        ).stdout.split()
        for _ in range(2)
    )
    assert first[:2] == ["numba", "True"]
    assert second[:2] == ["numba", "False"]
    assert first[2] == second[2]


FORKED = """
import os, threading
from multimlp.backends._numba import store
store._addresses["known"] = 42
inside, go_on = threading.Event(), threading.Event()

def compile():
    with store._lock:
        inside.set()
        go_on.wait(60)

threading.Thread(target=compile).start()
inside.wait(60)
child = os.fork()
if not child:
    os._exit(0 if store.address("known", None) == 42 else 3)
code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
go_on.set()
raise SystemExit(code)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_child_that_was_forked_while_another_thread_compiled_does_not_wait_for_it():
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", FORKED], timeout=60, check=False)
    assert done.returncode == 0


LIMITS = """
import numpy as np
import multimlp as mm
from multimlp.backends import _threads
mm.fit(mm.MLP(2, 3, 2), np.ones((8, 2)), np.zeros(8, dtype=int), epochs=1, compile="numba", backend="numpy", progress=False)
from threadpoolctl import threadpool_info
own = {library.filepath for library in _threads._libraries()}
print(own == {found["filepath"] for found in threadpool_info() if found["user_api"] == "blas"})
"""


def test_the_product_of_scipy_is_among_those_whose_threads_are_limited():
    """It is loaded after the number of threads was asked for; with threads of its own in each of ours bits would depend on the machine."""
    pytest.importorskip("threadpoolctl")
    shown = subprocess.run([sys.executable, "-c", LIMITS], capture_output=True, text=True, check=True).stdout
    assert shown.split() == ["True"]
