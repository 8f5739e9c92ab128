"""`vmap` where rows are called one by one: what they return must be the same but for the values of arrays."""

from __future__ import annotations

import numpy as np
import pytest
from libraries import NAMES, convert

import multimlp as mm
from multimlp import xp
from multimlp.backend import is_installed, load_backend
from multimlp.errors import InputError

LOOPING = [n for n in ("numpy", "strict", "mlx") if is_installed(n)]
every_looping = pytest.mark.parametrize("library", LOOPING)

DIFFERENT = {
    "numbers": lambda r: float(r) * 2,
    "numbers by a branch": lambda r: 1.0 if r > 0 else 2.0,
    "numbers of two types": lambda r: (r, 3 if r > 0 else 3.0),
    "words": lambda r: (r, "positive" if r > 0 else "negative"),
    "an array and nothing": lambda r: r if r > 0 else None,
    "an array and a number": lambda r: r if r > 0 else 0.0,
    "shapes": lambda r: xp.stack([r, r]) if r > 0 else r,
    "trees": lambda r: [r, r] if r > 0 else (r, r),
    "keys in another order": lambda r: {"a": r, "b": 2 * r} if r > 0 else {"b": 2 * r, "a": r},
}


@every_looping
@pytest.mark.parametrize("name", DIFFERENT)
def test_rows_that_differ_are_refused(library, name):
    x = convert(load_backend(library), np.asarray([0.5, -1.0, 2.0]))
    with pytest.raises(InputError, match="must return the same for all rows"):
        mm.vmap(DIFFERENT[name])(x)


@every_looping
def test_what_is_the_same_is_given_out_once(library):
    backend = load_backend(library)
    x = convert(backend, np.asarray([0.5, -1.0, 2.0]))
    found = mm.vmap(lambda r: (r * 2 if r > 0 else r, float("nan"), "word", len(r.shape), None))(x)
    np.testing.assert_array_equal(backend.to_numpy(found[0]), [1.0, -1.0, 4.0])
    assert np.isnan(found[1])
    assert found[2:] == ("word", 0, None)


@pytest.mark.parametrize("library", NAMES)
@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("taken", ["grad", "jacfwd", "hessian"])
def test_derivatives_of_a_loop_for_each_row(library, taken, compiled):
    """As in the gradients of examples of a recurrent network."""

    def loop(space):
        def f(row):
            tanh = space.tanh if space else mm.array_namespace(row).tanh
            if space:
                state = row[0]
                for a in row:
                    state = tanh(state * a + 1.0)
                return state
            return mm.scan(lambda state, a: (tanh(state * a + 1.0), None), row[0], row)[0]

        return f

    rows = np.random.default_rng(0).standard_normal((3, 4))
    derivative = getattr(mm, taken)
    wanted = np.stack([derivative(loop(np))(row) for row in rows])
    function = mm.vmap(derivative(loop(None)))
    backend = load_backend(library)
    with backend.scope("float64"):
        found = (mm.jit(function) if compiled else function)(convert(backend, rows))
        np.testing.assert_allclose(backend.to_numpy(found), wanted, rtol=1e-10, atol=1e-14)


@every_looping
def test_rows_of_a_scan_are_trees_of_one_structure(library):
    x = convert(load_backend(library), np.asarray([1.0, -2.0]))
    for row in (lambda a: {"a": a, "b": -a} if a > 0 else {"b": -a, "a": a}, lambda a: a if a > 0 else (a,)):
        with pytest.raises(InputError, match="scan: y must be a tree of the same structure in every step"):
            mm.scan(lambda c, a, row=row: (c + a, row(a)), x[0], x)
