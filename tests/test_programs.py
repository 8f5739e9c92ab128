"""Every program of `tests/programs` on every library, eager and compiled, against what it must give."""

from __future__ import annotations

import functools
import importlib
import inspect
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from libraries import NAMES
from programs import PROGRAMS

import multimlp as mm
from multimlp.backend import load_backend

TOLERANCE = 1e-10
"""Relative to the largest number of an array; float64."""

QUICK = {
    "numpy": ("none",),
    "strict": ("none",),
    "paddle": ("none",),
    "torch": ("none", "aot_eager"),
    "jax": ("none", "xla"),
    "tensorflow": ("none", "xla"),
}
SLOW = {"torch": ("inductor",)}

LONG = {
    (name, "torch", "aot_eager")
    for name in (
        "ensemble",
        "hamiltonian_monte_carlo",
        "laplace_approximation",
        "predator_prey",
        "quantile_regression",
    )
}
"""Loops in loops, which torch's compilers unroll."""

MODES = [(library, compiler) for library in NAMES for compiler in QUICK[library]]
SLOW_MODES = [(library, compiler) for library in NAMES for compiler in SLOW.get(library, ())]

GUIDE = Path(__file__).resolve().parent.parent / "docs" / "guide" / "programs.md"


def load(name: str) -> Any:
    return importlib.import_module(f"programs.{name}")


@functools.cache
def expected(name: str) -> Any:
    module = load(name)
    return module.expected(*module.inputs())


def arrays(backend: Any, given: Any) -> Any:
    """A tree of NumPy arrays as one of the library's, with the dtypes that it has."""
    return mm.tree.map(lambda leaf: backend.asarray(leaf, dtype=leaf.dtype.name), given)


def found(name: str, library: str, compiler: str) -> Any:
    """What the program gives, on the host."""
    module, backend = load(name), load_backend(library)
    given = arrays(backend, module.inputs())
    program = module.program
    if "compiler" in inspect.signature(program).parameters:  # it compiles a part of itself
        program = functools.partial(program, compiler=compiler)
    elif compiler != "none":
        program = mm.jit(program, compiler=compiler)
    with backend.scope("float64"):
        return mm.tree.map(lambda leaf: np.asarray(backend.to_numpy(leaf)), program(*given))


def compare(got: Any, wanted: Any) -> None:
    """Each array: its shape, its kind, and its numbers."""
    assert mm.tree.structure(got) == mm.tree.structure(mm.tree.map(np.asarray, wanted))
    for one, other in zip(mm.tree.leaves(got), map(np.asarray, mm.tree.leaves(wanted)), strict=True):
        assert one.shape == other.shape
        if other.dtype.kind in "iub":
            assert one.dtype.kind == other.dtype.kind
            assert np.array_equal(one, other)
        else:
            assert one.dtype == np.float64
            assert np.all(np.isfinite(other))
            assert np.max(np.abs(one - other)) <= TOLERANCE * np.max(np.abs(other)), (one, other)


def check(name: str, library: str, compiler: str) -> None:
    compare(found(name, library, compiler), expected(name))


@pytest.mark.parametrize(
    ("name", "library", "compiler"),
    [
        pytest.param(name, *mode, marks=[pytest.mark.slow] * ((name, *mode) in LONG))
        for name in PROGRAMS
        for mode in MODES
    ],
)
def test_program(name, library, compiler):
    check(name, library, compiler)


@pytest.mark.slow
@pytest.mark.parametrize(("library", "compiler"), SLOW_MODES)
@pytest.mark.parametrize("name", PROGRAMS)
def test_program_under_slow_compilers(name, library, compiler):
    check(name, library, compiler)


def sections() -> list[tuple[str, str]]:
    """Of the guide's page: which program it shows, and the code it shows of it."""
    return re.findall(
        r"^\[tests/programs/(\w+)\.py\].*?^```python\n(.*?)^```$",
        GUIDE.read_text("utf-8"),
        re.DOTALL | re.MULTILINE,
    )


def test_the_guide_shows_programs_as_they_are():
    assert len(sections()) >= 3
    for name, code in sections():
        assert code in Path(load(name).__file__).read_text("utf-8"), name


def test_the_guide_lists_them_all():
    listed = re.findall(
        r"^\| \[(\w+)\]\(\.\./\.\./tests/programs/(\w+)\.py\)", GUIDE.read_text("utf-8"), re.MULTILINE
    )
    assert listed == [(name, name) for name in PROGRAMS]


def test_what_a_program_must_give_is_not_what_it_gives():
    """The comparison looks at values, shapes, kinds and names."""
    wanted = expected("k_means")
    wrong = (
        {**wanted, "value": wanted["value"] * (1 + 1e-9)},
        {**wanted, "labels": wanted["labels"][::-1]},
        {**wanted, "slope": wanted["slope"][:-1]},
        {key: value for key, value in wanted.items() if key != "slope"},
    )
    got = mm.tree.map(np.asarray, wanted)
    compare(got, wanted)
    for other in wrong:
        with pytest.raises(AssertionError):
            compare(got, other)


@pytest.mark.skipif("tensorflow" not in NAMES, reason="tensorflow is not installed here")
@pytest.mark.xfail(
    strict=True,
    reason="TensorFlow vectorises MatMul into a transposition whose axes are computed; XLA refuses its derivative in a loop",
)
def test_the_derivative_of_a_loop_over_hessians_of_a_product_compiles_on_tensorflow():
    backend = load_backend("tensorflow")
    X, a, w = arrays(backend, (np.ones((4, 2)), np.asarray(0.7), np.asarray([0.1, 0.2])))

    def total(a, w):
        xp = mm.array_namespace(a, w)

        def step(w, _):
            H = mm.hessian(lambda w: xp.sum(a * xp.exp(xp.matmul(X, w))))(w)
            return w - 0.1 * xp.sum(H, axis=0), None

        return xp.sum(mm.scan(step, w, None, length=2)[0])

    slope = mm.grad(total)
    assert np.allclose(backend.to_numpy(mm.jit(slope)(a, w)), backend.to_numpy(slope(a, w)))
