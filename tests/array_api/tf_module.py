"""The TensorFlow namespace in the form that the public array-api-tests suite can run.

The suite needs arrays with operators, indexing and tuple shapes, which a plain ``tf.Tensor`` lacks. So each
tensor is put into an ``Array`` here, and each function of the namespace takes and returns those.

    ARRAY_API_TESTS_MODULE=tf_module PYTHONPATH=tests/array_api pytest <array-api-tests>/array_api_tests
"""

from __future__ import annotations

import builtins
import functools
import inspect
import math
import sys
from types import ModuleType
from typing import Any

import numpy as np
import tensorflow as tf

from multimlp.backends.tensorflow import namespace


class Array:
    """A tensor with the methods of the standard's array object."""

    __hash__ = None  # type: ignore[assignment]

    def __init__(self, tensor: tf.Tensor) -> None:
        self._tensor = tensor

    dtype = property(lambda self: self._tensor.dtype)
    device = property(lambda self: self._tensor.device)
    shape = property(lambda self: tuple(self._tensor.shape))
    ndim = property(lambda self: len(self.shape))
    size = property(lambda self: math.prod(self.shape))

    @property
    def T(self) -> Array:
        if self.ndim != 2:
            raise ValueError("T needs 2 dimensions")
        return self.mT

    @property
    def mT(self) -> Array:
        return Array(namespace.matrix_transpose(self._tensor))

    def __array_namespace__(self, /, *, api_version: str | None = None) -> ModuleType:
        if api_version not in (None, "2021.12", "2022.12", "2023.12", "2024.12"):
            raise ValueError(f"no such version: {api_version!r}")
        return sys.modules[__name__]

    def __dlpack__(
        self, *, stream: Any = None, max_version: Any = None, dl_device: Any = None, copy: bool | None = None
    ) -> Any:
        if any(option is not None for option in (stream, max_version, dl_device, copy)):
            raise BufferError("TensorFlow exports by the first DLPack protocol alone, which has no options")
        return self._tensor.__dlpack__()

    def __dlpack_device__(self) -> Any:
        return self._tensor.__dlpack_device__()

    def to_device(self, device: str, /, *, stream: Any = None) -> Array:
        return Array(namespace.asarray(self._tensor, device=device))

    def _scalar(self, kind: type) -> Any:
        if self.ndim:
            raise TypeError(f"only a 0-d array converts to {kind.__name__}")
        return kind(self._tensor.numpy())

    def __bool__(self) -> bool:
        return self._scalar(builtins.bool)

    def __int__(self) -> int:
        return self._scalar(int)

    def __float__(self) -> float:
        return self._scalar(float)

    def __complex__(self) -> complex:
        return self._scalar(complex)

    def __index__(self) -> int:
        if not self.dtype.is_integer:
            raise TypeError("only an integer array is an index")
        return self._scalar(int)

    def __len__(self) -> int:
        return self.shape[0]

    def __iter__(self) -> Any:
        return (self[i] for i in range(len(self)))

    def __repr__(self) -> str:
        return f"Array({self._tensor!r})"

    def _positions(self, key: Any) -> np.ndarray:
        """The flat position of each element that the key selects, found with NumPy's indexing."""
        key = tuple(_host(part) for part in key) if isinstance(key, tuple) else _host(key)
        return np.asarray(np.arange(self.size).reshape(self.shape)[key])

    def __getitem__(self, key: Any) -> Array:
        positions = self._positions(key)
        flat = namespace.take(namespace.reshape(self._tensor, (-1,)), tf.constant(positions.ravel()))
        return Array(namespace.reshape(flat, positions.shape))

    def __setitem__(self, key: Any, value: Any) -> None:
        positions = self._positions(key)
        flat = self._tensor.numpy().ravel().copy()
        flat[positions] = _host(value)
        self._tensor = tf.reshape(tf.constant(flat), self.shape)


def _host(value: Any) -> Any:
    return value._tensor.numpy() if isinstance(value, Array) else value


def _unwrap(value: Any) -> Any:
    if isinstance(value, Array):
        return value._tensor
    if type(value) in (list, tuple):
        return type(value)(_unwrap(each) for each in value)
    return value


def _wrap(value: Any) -> Any:
    if tf.is_tensor(value):
        return Array(value)
    if hasattr(value, "_fields"):
        return type(value)(*map(_wrap, value))
    if type(value) in (list, tuple):
        return type(value)(_wrap(each) for each in value)
    return value


def _wrapped(function: Any) -> Any:
    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return _wrap(function(*_unwrap(args), **{name: _unwrap(value) for name, value in kwargs.items()}))

    wrapper.__signature__ = inspect.signature(function)  # type: ignore[attr-defined]
    return wrapper


def _exported(module: ModuleType) -> dict[str, Any]:
    return {
        name: _wrapped(value) if inspect.isfunction(value) else value
        for name, value in ((name, getattr(module, name)) for name in module.__all__)
    }


_OPERATORS = {
    "add": "add",
    "sub": "subtract",
    "mul": "multiply",
    "truediv": "divide",
    "floordiv": "floor_divide",
    "mod": "remainder",
    "pow": "pow",
    "matmul": "matmul",
    "and": "bitwise_and",
    "or": "bitwise_or",
    "xor": "bitwise_xor",
    "lshift": "bitwise_left_shift",
    "rshift": "bitwise_right_shift",
}
_COMPARISONS = {
    "eq": "equal",
    "ne": "not_equal",
    "lt": "less",
    "le": "less_equal",
    "gt": "greater",
    "ge": "greater_equal",
}
_UNARY = {"neg": "negative", "pos": "positive", "abs": "abs", "invert": "bitwise_invert"}


def _call(self: Array, function: Any) -> Any:
    return function(self)


def _operator(function: Any) -> Any:
    def method(self: Array, other: Any, /) -> Any:
        if not isinstance(other, (Array, builtins.bool, int, float, complex)):
            return NotImplemented
        return function(self, other)

    return method


def _reflected(function: Any) -> Any:
    return _operator(lambda self, other: function(other, self))


def _in_place(function: Any) -> Any:
    def change(self: Array, other: Any) -> Array:
        result = function(self, other)
        if (result.shape, result.dtype) != (self.shape, self.dtype):
            raise TypeError("the result of an operator in place must keep shape and dtype")
        self._tensor = result._tensor
        return self

    return _operator(change)


globals().update(_exported(namespace))
linalg = ModuleType(__name__ + ".linalg")
vars(linalg).update(_exported(namespace.linalg))
for _symbol, _name in {**_OPERATORS, **_COMPARISONS}.items():
    setattr(Array, f"__{_symbol}__", _operator(globals()[_name]))
for _symbol, _name in _OPERATORS.items():
    setattr(Array, f"__r{_symbol}__", _reflected(globals()[_name]))
    setattr(Array, f"__i{_symbol}__", _in_place(globals()[_name]))
for _symbol, _name in _UNARY.items():
    setattr(Array, f"__{_symbol}__", functools.partialmethod(_call, globals()[_name]))

__array_api_version__ = namespace.__array_api_version__
__version__ = namespace.__version__


def __array_namespace_info__() -> Any:  # noqa: N807 - the standard's name
    return namespace.__array_namespace_info__()
