"""Transforms of transforms, to depth three, on every backend, eager and under its compilers, against differences."""

from __future__ import annotations

import functools

import numpy as np
import pytest
from compositions import BY_NAME, Composition, every, some
from libraries import NAMES

import multimlp as mm
from multimlp.backend import load_backend

TOLERANCE = 1e-11
"""Relative to the largest number; float64, and derivatives of up to the sixth order."""

QUICK = {
    "numpy": (None,),
    "strict": (None,),
    "paddle": (None,),
    "torch": (None, "aot_eager"),
    "jax": (None, "xla"),
    "tensorflow": (None, "xla"),
}
SLOW = {"torch": ("inductor",)}

MODES = [(library, compiler) for library in NAMES for compiler in QUICK[library]]
SLOW_MODES = [(library, compiler) for library in NAMES for compiler in SLOW.get(library, ())]

FEW = [*every(1), *some(2, 24), *some(3, 24)]


def is_slow(composition: Composition, library: str, compiler: str | None) -> bool:
    """What compiles, or nests tapes, for many seconds; `test_every_pair_and_many_triples` has more of its kind."""
    if len(composition.steps) < 3:
        return False
    return compiler == "aot_eager" or (library == "tensorflow" and composition.steps.count("hessian") > 1)


@functools.cache
def expected(composition: Composition) -> np.ndarray:
    return composition.expected()


def check(composition: Composition, library: str, compiler: str | None) -> None:
    backend = load_backend(library)
    x = backend.asarray(composition.point, dtype="float64")
    function = composition.function()
    if compiler is not None:
        function = mm.jit(function, compiler=compiler)
    with backend.scope("float64"):
        found = np.asarray(backend.to_numpy(function(x)))
    wanted = expected(composition)
    assert found.dtype == np.float64
    assert found.shape == wanted.shape
    assert np.max(np.abs(found - wanted)) <= TOLERANCE * np.max(np.abs(wanted)), (found, wanted)


@pytest.mark.parametrize(
    ("composition", "library", "compiler"),
    [
        pytest.param(
            composition, *mode, id=f"{composition}-{'-'.join(map(str, mode))}",
            marks=[pytest.mark.slow] * is_slow(composition, *mode),
        )
        for composition in FEW
        for mode in MODES
    ],
)  # fmt: skip
def test_composition(composition, library, compiler):
    check(composition, library, compiler)


@pytest.mark.slow
@pytest.mark.parametrize(("library", "compiler"), MODES)
@pytest.mark.parametrize("composition", [*every(2), *some(3, 200)], ids=str)
def test_every_pair_and_many_triples(composition, library, compiler):
    check(composition, library, compiler)


@pytest.mark.slow
@pytest.mark.parametrize(("library", "compiler"), SLOW_MODES)
@pytest.mark.parametrize("composition", [*every(1), *some(2, 12), *some(3, 12)], ids=str)
def test_composition_under_slow_compilers(composition, library, compiler):
    check(composition, library, compiler)


def test_a_wrong_derivative_is_seen(monkeypatch):
    """The reference knows the slope of sin; a base with another one must fail."""
    composition = Composition(("grad",), (2,))
    wrong = composition.function()(np.asarray(composition.point + 1e-6))
    assert np.max(np.abs(wrong - expected(composition))) > TOLERANCE * np.max(np.abs(wrong))


def test_each_step_is_among_the_few():
    assert {step for composition in FEW for step in composition.steps} == BY_NAME.keys()
