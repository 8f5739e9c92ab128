"""Functions of array-api-extra inside of what is differentiated, mapped and compiled: right, or a clear error."""

from __future__ import annotations

import numpy as np
import pytest

import multimlp as mm
from multimlp.errors import MultimlpError

xpx = pytest.importorskip("array_api_extra")

POINT = np.asarray([0.5, -1.2, 2.0])
ROWS = {
    "argpartition": lambda xp, x: xp.take(x, xpx.argpartition(x, 1, xp=xp)[:1]) ** 2,
    "atleast_nd": lambda xp, x: xpx.atleast_nd(x, ndim=3, xp=xp) * x,
    "cov": lambda xp, x: xpx.cov(xp.stack([x, x * x]), xp=xp),
    "deg2rad": lambda xp, x: xpx.deg2rad(x * x, xp=xp),
    "expand_dims": lambda xp, x: xpx.expand_dims(x, axis=(0, 2), xp=xp) * x,
    "isclose": lambda xp, x: xp.where(xpx.isclose(x, x * 1.0, xp=xp), x * x, x),
    "isin": lambda xp, x: xp.where(xpx.isin(x, x[:1], xp=xp), x * x, x),
    "kron": lambda xp, x: xpx.kron(x, x * x, xp=xp),
    "nan_to_num": lambda xp, x: xpx.nan_to_num(x * x, xp=xp),
    "nanmax": lambda xp, x: xpx.nanmax(x * x, xp=xp),
    "nanmean": lambda xp, x: xpx.nanmean(x * x, xp=xp),
    "nanmin": lambda xp, x: xpx.nanmin(x * x, xp=xp),
    "nansum": lambda xp, x: xpx.nansum(x * x, xp=xp),
    "partition": lambda xp, x: xpx.partition(x, 1, xp=xp)[:1] ** 2,
    "rad2deg": lambda xp, x: xpx.rad2deg(x * x, xp=xp),
    "searchsorted": lambda xp, x: x * xp.astype(xpx.searchsorted(xp.sort(x), x, xp=xp), x.dtype),
    "sinc": lambda xp, x: xpx.sinc(x, xp=xp),
    "union1d": lambda xp, x: xpx.union1d(x, x * 2, xp=xp),
}
WRITING = {
    "apply_where": lambda xp, x: xpx.apply_where(x > 0, x, lambda t: t**2, lambda t: -t, xp=xp),
    "at": lambda xp, x: xpx.at(x)[0].set(x[1] * 2, xp=xp),
    "at, copy": lambda xp, x: xpx.at(x, 0).add(2.0, copy=True, xp=xp),
    "create_diagonal": lambda xp, x: xpx.create_diagonal(x, xp=xp) * x,
    "pad": lambda xp, x: xpx.pad(x, (1, 2), constant_values=3.0, xp=xp) ** 2,
}
"""What writes into arrays, or looks at values: not on the tape; elsewhere right, or an error of the library."""


def expected(row):
    step = 1e-6 * np.eye(3)

    def plain(p):
        return float(np.sum(row(mm.array_namespace(p), p)))

    slope = np.asarray([(plain(POINT + e) - plain(POINT - e)) / 2e-6 for e in step])
    return slope, [slope, slope], slope @ POINT, slope


def results(row, library):
    backend = mm.get_backend(library)
    x = backend.asarray(POINT, dtype="float64")

    def f(x):
        xp = mm.array_namespace(x)
        return xp.sum(row(xp, x))

    yield lambda: mm.grad(f)(x)
    yield lambda: mm.vmap(mm.grad(f))(backend.xp.stack([x, x]))
    yield lambda: mm.jvp(f, (x,), (x,))[1]
    yield lambda: mm.jit(mm.grad(f))(x)


@pytest.mark.parametrize("name", ROWS)
def test_what_writes_into_nothing_has_derivatives_on_the_tape(name):
    for call, value in zip(results(ROWS[name], "numpy"), expected(ROWS[name]), strict=True):
        np.testing.assert_allclose(call(), value, atol=1e-6)


@pytest.mark.parametrize("name", WRITING)
def test_what_writes_is_refused_by_the_tape(name):
    for call in results(WRITING[name], "numpy"):
        with pytest.raises(
            MultimlpError, match=r"traced array cannot be changed in place|multimlp\.at|no derivative rule"
        ):
            call()


@pytest.mark.parametrize("name", ROWS | WRITING)
@pytest.mark.parametrize(
    "library",
    [
        "torch",
        pytest.param("jax", marks=pytest.mark.slow),
        pytest.param("tensorflow", marks=pytest.mark.slow),
    ],
)
def test_on_other_libraries_they_are_right_or_an_error(library, name):
    pytest.importorskip(library)
    row = (ROWS | WRITING)[name]
    for call, value in zip(results(row, library), expected(row), strict=True):
        try:
            found = call()
        except Exception:  # of the library's own, or ours
            continue
        np.testing.assert_allclose(mm.get_backend(library).to_numpy(found), value, atol=1e-6, err_msg=name)
