"""What is no plain array of the library beside arrays that are differentiated or mapped: followed rightly, or refused."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest

import multimlp as mm
from multimlp.backend import is_installed, load_backend
from multimlp.errors import InputError, MixedBackendsError

X = np.asarray([0.5, -1.0, 2.0])
TRANSFORMS = {
    "grad": lambda f, x: mm.grad(f)(x),
    "jvp": lambda f, x: mm.jvp(f, (x,), (x,)),
    "jacfwd": lambda f, x: mm.jacfwd(f)(x),
    "hessian": lambda f, x: mm.hessian(f)(x),
    "jet": lambda f, x: mm.jet(f, (x,), ((x, 0),)),
    "laplacian": lambda f, x: mm.laplacian(f)(x),
    "vmap": lambda f, x: mm.vmap(f)(np.stack([x, x])),
}
every_transform = pytest.mark.parametrize("taken", TRANSFORMS)


@every_transform
@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("other", [n for n in ("torch", "jax") if is_installed(n)])
def test_arrays_of_another_library(other, side, taken):
    """NumPy's array times JAX's is JAX's, of single precision. torch's own arrays refuse by themselves."""
    c = load_backend(other).asarray(np.ones(3), dtype="float64")

    def f(x):
        return mm.array_namespace(x).sum(c * x if side == "left" else x * c)

    with pytest.raises(MixedBackendsError if other == "jax" else (MixedBackendsError, TypeError)):
        TRANSFORMS[taken](f, X)


def test_rows_of_another_library_are_not_stacked_as_if_they_were_ones_own():
    jax = pytest.importorskip("jax")
    c = jax.numpy.asarray(1.0)
    with pytest.raises(MixedBackendsError, match="two libraries"):
        mm.vmap(lambda r: c if r > 0 else c + 1)(X)


@every_transform
@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")
@pytest.mark.parametrize(
    "made",
    [lambda: np.ma.masked_array(X, mask=[1, 0, 0]), lambda: np.matrix(np.diag(X))],
    ids=["masked", "matrix"],
)
def test_arrays_with_an_arithmetic_of_their_own(made, taken):
    with pytest.raises(InputError, match="arithmetic of its own"):
        (mm.vmap(np.sum) if taken == "vmap" else lambda x: TRANSFORMS[taken](np.sum, x))(made())
    f = lambda x: np.sum(x * made())  # noqa: E731
    if taken == "vmap":  # rows are called one by one, with NumPy's own arithmetic, if that allows it
        with contextlib.suppress(ValueError):
            np.testing.assert_array_equal(TRANSFORMS[taken](f, X), [f(X)] * 2)
        return
    with pytest.raises(InputError, match="arithmetic of its own"):
        TRANSFORMS[taken](f, X)


@pytest.mark.parametrize("taken", ["grad", "jvp", "hessian", "vmap"])
@pytest.mark.parametrize(
    "f",
    [
        lambda x: np.sum(x**2 * [1.0, 2.0, 3.0]),
        lambda x: np.sum((1.0, 2.0, 3.0) - x**2),
        lambda x: (x**2) @ [1.0, 2.0, 3.0],
        lambda x: [1.0, 2.0, 3.0] @ (x**2),
        lambda x: np.sum(divmod(x**2, 0.7)[1]),
        lambda x: np.sum(divmod(5.3, x)[1]),
        lambda x: np.sum(np.where([True, False, True], x**2, 0.0)),
    ],
)
def test_lists_are_what_numpy_makes_of_them(f, taken):
    if taken == "vmap":
        np.testing.assert_allclose(mm.vmap(f)(np.stack([X, 2 * X])), [f(X), f(2 * X)])
        return
    along, step = np.asarray([1.0, -2.0, 0.5]), 1e-4
    slope = (f(X + step * along) - f(X - step * along)) / (2 * step)
    if taken == "grad":
        np.testing.assert_allclose(mm.grad(f)(X) @ along, slope, rtol=1e-6)
    elif taken == "jvp":
        value, tangent = mm.jvp(f, (X,), (along,))
        np.testing.assert_allclose([value, tangent], [f(X), slope], rtol=1e-6)
    else:
        curvature = (f(X + step * along) - 2 * f(X) + f(X - step * along)) / step**2
        np.testing.assert_allclose(along @ mm.hessian(f)(X) @ along, curvature, rtol=1e-5, atol=1e-6)


def test_lists_are_refused_where_the_library_refuses_them():
    strict = pytest.importorskip("array_api_strict")
    for taken in (mm.grad, mm.hessian):
        with pytest.raises(TypeError, match="list"):
            taken(lambda x: mm.array_namespace(x).sum(x * [1.0, 2.0]))(strict.asarray([1.0, 2.0]))
