"""erf and erfc against mpmath, on every library, portable bodies and kernels, with their derivatives."""

from __future__ import annotations

from typing import Any

import mpmath as mp
import numpy as np
import pytest
from libraries import COMPILED, every_library, run

from multimlp.activations import _erf as special
from multimlp.backend import Array, array_namespace, load_backend, owner

MP = {"erf": mp.erf, "erfc": mp.erfc}
every_function = pytest.mark.parametrize("name", MP)


def points(dtype: Any, reach: float) -> np.ndarray:
    random = np.random.default_rng(1)
    ends = np.asarray(
        [0.46875, 4.0, 1e-20, 1e-5, 26.0, 100.0, 1e4], dtype=dtype
    )  # where the approximations meet, and far away
    ends = np.concatenate(
        [ends, np.nextafter(ends, dtype(np.inf)), np.nextafter(ends, dtype(0)), np.zeros(1, dtype)]
    )
    drawn = [random.uniform(-r, r, 400).astype(dtype) for r in (0.6, 6, reach)]
    return np.concatenate([*drawn, ends, -ends])


def reference(name: str, x: np.ndarray) -> list[Any]:
    return [MP[name](mp.mpf(float(v))) for v in x]


@every_function
@pytest.mark.parametrize(("dtype", "reach"), [(np.float64, 26.5), (np.float32, 9.0)])
def test_portable_body_is_accurate_relative_to_the_result(name: str, dtype: Any, reach: float) -> None:
    x = points(dtype, reach)
    got = getattr(special, name).portable(x)
    assert got.dtype == dtype
    info = np.finfo(dtype)
    for at, value, wanted in zip(x, got, reference(name, x), strict=True):
        if abs(wanted) > float(info.tiny):  # below, only the format's own spacing can be asked for
            assert abs(float(value) - wanted) <= 5 * float(info.eps) * abs(wanted), (at, value)
        else:
            assert abs(float(value) - wanted) <= float(info.tiny), (at, value)


@every_function
@every_library
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_every_library(name: str, library: str, dtype: Any) -> None:
    x = points(dtype, 9.0)
    for function in (getattr(special, name), getattr(special, name).portable):
        (got,) = run(library, function, x)
        assert got.dtype == dtype
        errors = [abs(float(v) - w) / max(1, abs(w)) for v, w in zip(got, reference(name, x), strict=True)]
        assert max(errors) <= 6 * float(np.finfo(dtype).eps)


@pytest.mark.parametrize("library", COMPILED)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_compiled(library: str, dtype: Any) -> None:
    x = points(dtype, 9.0)
    bodies = [getattr(special, name).portable for name in MP]
    for name, got in zip(
        MP, run(library, lambda x: tuple(f(x) for f in bodies), x, compiled=True), strict=True
    ):
        errors = [abs(float(v) - w) / max(1, abs(w)) for v, w in zip(got, reference(name, x), strict=True)]
        assert max(errors) <= 6 * float(np.finfo(dtype).eps)


@every_function
@every_library
def test_derivatives(name: str, library: str) -> None:
    backend = load_backend(library)
    by_tape = backend.capabilities.autodiff == "tape"
    exact_rule = by_tape or name in backend.kernels or hasattr(backend.xp, name)
    allowed = 8 if exact_rule else 64  # else the library differentiates the rational approximations
    x = points(np.float64, 9.0)
    function = getattr(special, name)

    def slope(f: Any, x: Array) -> Array:
        _, pullback = owner(x).vjp(lambda xs: (f(xs[0]),), (x,))
        return pullback((array_namespace(x).ones_like(x),))[0]

    sign = 1 if name == "erf" else -1
    first = [sign * 2 / mp.sqrt(mp.pi) * mp.exp(-(mp.mpf(float(v)) ** 2)) for v in x]
    second = [-2 * mp.mpf(float(v)) * d for v, d in zip(x, first, strict=True)]
    for compute, wanted in (
        (lambda x: slope(function, x), first),
        (lambda x: slope(lambda y: slope(function, y), x), second),
    ):
        (got,) = run(library, compute, x)
        assert max(abs(float(v) - w) for v, w in zip(got, wanted, strict=True)) <= allowed * 2.3e-16


@every_function
@every_library
def test_ends(name: str, library: str) -> None:
    (got,) = run(library, getattr(special, name).portable, np.asarray([-np.inf, np.inf, np.nan, 0.0]))
    np.testing.assert_array_equal(got, [-1, 1, np.nan, 0] if name == "erf" else [2, 0, np.nan, 1])


@every_function
def test_half_precision_is_computed_wider(name: str) -> None:
    x = np.arange(2**16, dtype=np.uint16).view(np.float16)
    x = x[np.isfinite(x)]
    got = getattr(special, name).portable(x)
    assert got.dtype == np.float16
    wide = getattr(special, name).portable(x.astype(np.float64))
    # rounded twice, so not quite 0.5
    assert np.all(np.abs(got - wide) <= 0.51 * np.spacing(np.abs(got)).astype(np.float64))


def test_signed_zero() -> None:
    assert np.signbit(special.erf.portable(np.asarray(-0.0)))
