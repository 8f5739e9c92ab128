"""The TensorFlow namespace against NumPy: one table of calls, run eagerly and compiled."""

from __future__ import annotations

import inspect
import os
from typing import Any

import numpy as np
import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
tf = pytest.importorskip("tensorflow")
npx = pytest.importorskip("array_api_compat.numpy")

from tensorflow_cases import (  # noqa: E402
    CASES,
    ELSEWHERE,
    FLOATS,
    INDICES,
    NO_XLA,
    Case,
    assert_same,
    special,
    special_two,
)

from multimlp.backends.tensorflow import namespace as xp  # noqa: E402


def lookup(space: Any, name: str) -> Any:
    for part in name.split("."):
        space = getattr(space, part)
    return space


def to_tf(value: Any) -> Any:
    """NumPy arrays and dtype names, wherever they stand, as TensorFlow's."""
    if isinstance(value, np.ndarray):
        return tf.constant(value)
    if isinstance(value, (list, tuple)):
        return type(value)(to_tf(each) for each in value)
    if isinstance(value, str) and hasattr(np, value) and value not in ("left", "right"):
        return getattr(xp, value)
    return value


def numpy_reference(case: Case, arguments: tuple[Any, ...], options: dict[str, Any]) -> Any:
    with np.errstate(all="ignore"):
        if case.name == "sort" and options.get("descending"):
            return np.flip(np.sort(*arguments))
        if case.name == "argsort" and options.get("descending"):
            return np.asarray(sorted(range(9), key=lambda i: (-arguments[0].astype(object)[i], i)))
        if case.name == "take_along_axis":
            return np.take_along_axis(arguments[0], np.broadcast_to(INDICES[:1], (1, 3)) % 2, axis=0)
        return lookup(npx, case.name)(*arguments, **options)


def call(case: Case, arguments: tuple[Any, ...], options: dict[str, Any]) -> Any:
    if case.name == "take_along_axis":
        return xp.take_along_axis(arguments[0], tf.constant(INDICES[:1] % 2), axis=0)
    return lookup(xp, case.name)(*arguments, **options)


def case_id(case: Case) -> str:
    return case.name + "".join(f"-{k}={v}" for k, v in case.options.items() if not isinstance(v, np.ndarray))


def prepared(case: Case, dtype: str) -> tuple[tuple[Any, ...], dict[str, Any]]:
    arguments = case.arguments(dtype)
    options = {
        name: value.astype(dtype) if isinstance(value, np.ndarray) else value
        for name, value in case.options.items()
    }
    return arguments, options


@pytest.mark.parametrize("case", CASES, ids=case_id)
def test_values_agree_with_numpy(case: Case) -> None:
    if case.name == "tensordot" and np.lib.NumpyVersion(np.__version__) < "2.0.0":
        pytest.skip("the reference: NumPy 1 loses the sign of a zero")
    for dtype in case.dtypes:
        arguments, options = prepared(case, dtype)
        as_numpy = {k: np.dtype(v) if k == "dtype" else v for k, v in options.items()}
        plain = tuple(np.dtype(a) if isinstance(a, str) else a for a in arguments)
        expected = numpy_reference(case, plain, as_numpy)
        assert_same(call(case, to_tf(arguments), to_tf_options(options)), expected, case.ulps)


def to_tf_options(options: dict[str, Any]) -> dict[str, Any]:
    return {
        name: value if name in ("indexing", "ord", "side") else to_tf(value)
        for name, value in options.items()
    }


@pytest.mark.parametrize("case", [c for c in CASES if c.name not in NO_XLA], ids=case_id)
def test_compiled_by_xla_gives_the_same(case: Case) -> None:
    """The case's first floating dtype, or else its first, compiled. XLA does not keep the sign of zeros."""
    dtype = next((d for d in case.dtypes if d in FLOATS), case.dtypes[0])
    arguments, options = prepared(case, dtype)
    if case.name in ("max", "min", "maximum", "minimum") and case.arguments in (special, special_two):
        pytest.skip("XLA for CPUs passes over NaN, as the docstrings say")
    traced = [i for i, a in enumerate(arguments) if isinstance(a, np.ndarray)]
    eager = call(case, to_tf(arguments), to_tf_options(options))

    @tf.autograph.experimental.do_not_convert
    def function(*tensors: Any) -> Any:
        full = list(to_tf(arguments))
        for place, tensor in zip(traced, tensors, strict=True):
            full[place] = tensor
        return call(case, tuple(full), to_tf_options(options))

    compiled = tf.function(function, jit_compile=True)(*(tf.constant(arguments[i]) for i in traced))
    numpy = tf.nest.map_structure(lambda x: x.numpy(), eager)
    assert_same(compiled, list(numpy) if isinstance(numpy, tuple) else numpy, 4 * case.ulps, zero_signs=False)


def test_the_table_holds_every_function() -> None:
    offered = {name for name in xp.__all__ if inspect.isfunction(getattr(xp, name))}
    offered |= {f"linalg.{name}" for name in xp.linalg.__all__}
    assert offered - {case.name for case in CASES} == ELSEWHERE
