"""`multimlp.convert`, dtype by dtype: what goes in comes out, or it is refused; nothing is widened or rounded in silence."""

from __future__ import annotations

import numpy as np
import pytest
from libraries import NAMES

import multimlp as mm
from multimlp.backend import load_backend
from multimlp.errors import DTypeError

REAL = ("float64", "float32", "float16")
INTEGERS = ("int64", "int32", "int16", "int8", "uint64", "uint32", "uint16", "uint8")
DTYPES = (*REAL, *INTEGERS, "bool", "complex128", "complex64")

REFUSED = {
    "strict": {"float16", "bfloat16"},
    "numpy": {"bfloat16"},
    "mpmath": {*DTYPES, "bfloat16"} - {"float64", "int64", "int32", "bool"},
    "paddle": {"bfloat16", "float16", "uint16", "uint32", "uint64"},
    "mxnet": {"bfloat16", "complex64", "complex128", "uint16", "uint32", "uint64", "int16"},
}
NARROWED = {"jax": {"float64": "float32", "int64": "int32", "uint64": "uint32", "complex128": "complex64"}}
"""While JAX's switch is off and no dtype is given: tests/test_jax_64_bits.py."""


def expected(backend: str, dtype: str) -> str | None:
    if dtype in REFUSED.get(backend, ()):
        return None
    narrowing = load_backend(backend).narrowing(dtype)
    return dtype if narrowing is None else NARROWED[backend][dtype]


@pytest.mark.filterwarnings("ignore::multimlp.errors.PrecisionWarning")
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_numpy_array_keeps_its_dtype_or_is_refused(backend, dtype):
    given = np.asarray([0, 1], dtype=dtype)
    if expected(backend.name, dtype) is None:
        with pytest.raises(DTypeError, match=dtype):
            mm.convert(given, backend)
        return
    result = mm.convert(given, backend)
    assert backend.dtype_name(result.dtype) == expected(backend.name, dtype)
    host = np.asarray(backend.to_numpy(result))
    assert host.dtype == expected(backend.name, dtype)
    assert host.tolist() == given.tolist()


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_dtype_that_is_asked_for_is_the_one_that_comes(backend, dtype):
    if dtype in REFUSED.get(backend.name, ()):
        with pytest.raises(DTypeError, match=dtype):
            mm.convert(np.asarray([0, 1], dtype="int32"), backend, dtype=dtype)
        return
    result = mm.convert(np.asarray([0, 1], dtype="int32"), backend, dtype=dtype)
    assert backend.dtype_name(result.dtype) == dtype


@pytest.mark.parametrize("source", [name for name in ("torch", "jax", "tensorflow") if name in NAMES])
def test_bfloat16_is_kept_or_refused(backend, source):
    given = load_backend(source).asarray([0.0, 1.5], dtype="bfloat16")
    if "bfloat16" in REFUSED.get(backend.name, ()):
        with pytest.raises(DTypeError, match="bfloat16"):
            mm.convert(given, backend)
    else:
        result = mm.convert(given, backend)
        assert backend.dtype_name(result.dtype) == "bfloat16"
        assert np.asarray(backend.to_numpy(result)).tolist() == [0.0, 1.5]
