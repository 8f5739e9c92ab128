"""The array libraries that are here, as the table that portable code is tested over, eager and compiled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from multimlp.backend import Backend, is_installed, load_backend

NAMES = tuple(
    name for name in ("numpy", "torch", "jax", "tensorflow", "paddle", "strict") if is_installed(name)
)
"""The backends that share a process; MXNet has tests of its own, and Paddle is alone with NumPy and strict (`make test-paddle`)."""

TRAINING = tuple(name for name in NAMES if name != "strict")
"""Those that train: ``strict`` checks what portable code asks for."""

COMPILED = [name for name in ("jax", "tensorflow") if name in NAMES]

needs_numpy_2 = pytest.mark.skipif(
    np.lib.NumpyVersion(np.__version__) < "2.1.0",
    reason="NumPy 1 makes float64 of a 0-d float32 array and a Python number; read-only arrays pass DLPack from 2.1",
)

every_library = pytest.mark.parametrize("library", NAMES)


def run(
    library: str, function: Callable[..., Any], *arrays: np.ndarray, compiled: bool = False
) -> tuple[np.ndarray, ...]:
    """``function`` on the library's arrays of these values; its results, one or a flat tuple, on the host."""
    backend = load_backend(library)
    given = tuple(convert(backend, array) for array in arrays)

    def flat(inner: tuple[Any, ...]) -> tuple[Any, ...]:
        results = function(*inner)
        return results if isinstance(results, tuple) else (results,)

    with backend.scope_of(*given):
        results = (backend.compile(flat) if compiled else flat)(given)
    return tuple(np.asarray(backend.to_numpy(result)) for result in results)


def convert(backend: Backend, array: np.ndarray) -> Any:
    return backend.asarray(array, dtype=np.asarray(array).dtype.name)


def agree(got: np.ndarray, expected: np.ndarray, eps_factor: float, what: str = "") -> None:
    """|got - expected| <= k eps max(1, |expected|), and infinities and NaN in the same places."""
    expected = np.asarray(expected, dtype=np.float64)
    assert got.shape == expected.shape, (what, got.shape, expected.shape)
    bound = eps_factor * np.finfo(got.dtype).eps
    finite = np.isfinite(expected)
    with np.errstate(invalid="ignore"):
        error = np.abs(got.astype(np.float64) - expected) / np.maximum(1, np.abs(expected))
    assert np.array_equal(np.isfinite(got), finite), what
    assert not np.any(error[finite] > bound), (
        what,
        float(np.max(error[finite]) / np.finfo(got.dtype).eps),
        "eps",
    )
