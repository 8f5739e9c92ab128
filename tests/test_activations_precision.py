"""Activations at both ends of precision: half, where little may overflow, and fifty digits."""

from __future__ import annotations

from typing import Any

import array_api_strict
import numpy as np
import pytest
from activation_reference import REFERENCES, Reference, expected, mp, points

from multimlp import activations
from multimlp.backend import load_backend, owner
from multimlp.parity.formats import FORMATS
from multimlp.parity.measure import Reference as Truth
from multimlp.parity.measure import worst

every_reference = pytest.mark.parametrize("reference", REFERENCES, ids=lambda r: r.id)


def every_half() -> np.ndarray:
    x = np.arange(2**16, dtype=np.uint16).view(np.float16)
    return x[np.isfinite(x)]


@every_reference
def test_half_precision_at_every_number(reference: Reference) -> None:
    options, x = reference.options, every_half()
    for function in (activations.get(reference.name), activations.derivative(reference.name)):
        with np.errstate(over="ignore"):
            wide = function.portable(x.astype(np.float64), **options)
        overflows = np.max(np.abs(wide)) >= 65520 or reference.name == "swish"  # beta x overflows on its way
        with np.errstate(over="ignore" if overflows else "raise"):
            got = function.portable(x, **options)
        assert got.dtype == np.float16
        off = worst(got, Truth.exact(wide), FORMATS["float16"], k=4)
        assert off.k <= 4, (function, x[off.index])


@every_reference
@pytest.mark.parametrize("library", ["torch", "jax"])
def test_bfloat16_is_kept_and_finite(library: str, reference: Reference) -> None:
    pytest.importorskip(library)
    backend = load_backend(library)
    x = backend.asarray(np.linspace(-1e4, 1e4, 401), dtype="bfloat16")
    for function in (activations.get(reference.name), activations.derivative(reference.name)):
        got = function(x, **reference.options)
        assert backend.dtype_name(got.dtype) == "bfloat16"
        if reference.name != "exponential":
            assert np.all(np.isfinite(backend.to_numpy(got)))
        if function.arrays == 2:  # the option as an argument of what JAX compiles
            again = function(x, *(activations.describe(reference.name).options | reference.options).values())
            assert backend.dtype_name(again.dtype) == "bfloat16"
            np.testing.assert_array_equal(backend.to_numpy(again), backend.to_numpy(got))


@every_reference
def test_arbitrary_precision(reference: Reference) -> None:
    backend = load_backend("mpmath")
    x = points(np.float64)
    x = x[(np.abs(x) < 20) & (np.abs(x) > 1e-19)]
    digits = 15 if reference.name == "selu" else 40  # its constants are doubles by definition
    wanted = [
        [e for e, p in zip(expected(reference, np.float64, o), points(np.float64), strict=True) if p in x]
        for o in (0, 1)
    ]
    for order, function in enumerate(
        (activations.get(reference.name), activations.derivative(reference.name))
    ):
        got = function(backend.asarray(x), **reference.options).data
        # differences of `expected` carry about a third of the digits of the values
        bound = mp.mpf(10) ** -(digits if order == 0 else min(digits, 15))
        for at, value, reference_value in zip(x, got, wanted[order], strict=True):
            assert abs(value - reference_value) <= bound * max(1, abs(reference_value)), (order, at)


@pytest.mark.parametrize("name", activations.names())
def test_strictest_flags(name: str) -> None:
    flags: dict[str, Any] = {
        "boolean_indexing": False,
        "data_dependent_shapes": False,
        "enabled_extensions": (),
    }
    with array_api_strict.ArrayAPIStrictFlags(**flags):
        x = array_api_strict.asarray(np.linspace(-3, 3, 8).reshape(2, 4))
        host = np.linspace(-3, 3, 8).reshape(2, 4)
        for function in (activations.get(name), activations.derivative(name)):
            got, wanted = np.asarray(function.portable(x)), function.portable(host)
            np.testing.assert_allclose(got, wanted, rtol=1e-15, atol=1e-15)  # SciPy has an erfc of its own
        (y,), pullback = owner(x).vjp(lambda xs: (activations.get(name)(xs[0]),), (x,))
        assert pullback((array_api_strict.ones_like(y),))[0].shape == x.shape
