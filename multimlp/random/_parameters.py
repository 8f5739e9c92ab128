"""What the draws take beside a key: parameters, a shape, a dtype."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from multimlp.backend import Array, Arrays, Backend, Namespace, array_namespace, is_array, is_traced, owner
from multimlp.errors import DTypeError, ShapeError
from multimlp.errors.checks import as_given, check_choice, check_number, check_whole, refuse
from multimlp.errors.close import did_you_mean
from multimlp.random._elements import Draw, by_elements
from multimlp.random._threefry import Shape, shape_of, words_of

PRECISIONS = {"float32": 24, "float64": 53, "float16": 11, "bfloat16": 8}


def dtype_name(key: Array, dtype: object) -> str:
    """The name of a floating dtype, given by name or as the key's library writes it."""
    words_of(key)  # says what is wrong with a key before its library is asked
    try:
        name = dtype if isinstance(dtype, str) else "" if dtype is None else owner(key).dtype_name(dtype)
    except Exception:
        name = ""
    if name not in PRECISIONS:
        close = did_you_mean(name, PRECISIONS)
        raise DTypeError(f"dtype: expected one of {', '.join(PRECISIONS)}, got {as_given(dtype)}{close}")
    return name


def integer_name(key: Array, dtype: object) -> str:
    """The same for the integers that are drawn: int32 and int64."""
    backend = owner(key)
    name: object
    try:
        name = dtype if isinstance(dtype, str) or dtype is None else backend.dtype_name(dtype)
    except Exception:
        name = dtype  # what is no dtype of the library, for the message
    return check_choice("dtype", name, ("int32", "int64"))


def is_parameter_array(x: object) -> bool:
    """Whether a parameter is an array rather than a number; NumPy's scalars are numbers."""
    return is_array(x) and not isinstance(x, np.generic)


def check_axis(axis: object, dimensions: int, of: str) -> int:
    """The axis of an array, from the front."""
    number = check_whole("axis", axis)
    if not -dimensions <= number < dimensions:
        raise ShapeError(f"axis: expected one of {dimensions} axes of {of}, got {number}")
    return number % dimensions


def check_broadcast(name: str, given: Shape, shape: Shape) -> None:
    """`ShapeError` unless an array of parameters leaves the shape as it is."""
    aligned = tuple(shape)[len(shape) - len(given) :] if len(given) <= len(shape) else None
    if aligned is None or any(a not in (1, b) for a, b in zip(given, aligned, strict=True)):
        raise ShapeError(
            f"{name}: expected an array that broadcasts to shape {tuple(shape)}, got {tuple(given)}"
        )


@dataclass(frozen=True)
class Parameters:
    """The parameters of a draw, checked: Python's numbers and arrays, and the shape and dtype of what is drawn."""

    key: Array
    backend: Backend
    xp: Namespace
    values: tuple[float | Array, ...]
    shape: tuple[int, ...]
    dtype: str

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    @property
    def arrays(self) -> bool:
        """Whether any is an array: such are not checked, and may be differentiated."""
        return any(map(is_parameter_array, self.values))

    def flat(self) -> Arrays:
        """Constants in float64, of length `size` or 1. Called in the scope of float64, as are the methods below."""
        return tuple(self._flat(self.backend.stop_gradient(x) if is_array(x) else x) for x in self.values)

    def _flat(self, x: Any) -> Array:
        xp = self.xp
        if not is_parameter_array(x):
            return xp.full((1,), float(x), dtype=xp.float64, device=getattr(self.key, "device", None) or None)
        wide = xp.astype(x, xp.float64)
        if math.prod(x.shape) == 1:
            return xp.reshape(wide, (1,))
        return xp.reshape(xp.broadcast_to(wide, self.shape), (-1,))

    def smooth(self) -> Arrays:
        """In float64 and of the shape, as they are to be differentiated."""
        found = []
        for value in self.values:
            x = value if is_parameter_array(value) else self._flat(value)
            xp = array_namespace(x)
            found.append(xp.broadcast_to(xp.astype(x, xp.float64), self.shape))
        return tuple(found)

    def draw(self, draw: Draw, *options: Any) -> Array:
        """What ``draw`` makes, element by element, of the parameters as constants."""
        first, second = (*self.flat(), None, None)[:2]
        made = by_elements(self.key, first, second, draw=draw, count=self.size, options=options)
        return self.xp.reshape(made, self.shape) if made.shape[0] == self.size else made

    def with_slopes(self, value: Array, slopes: Callable[..., Arrays], *constants: Array) -> Array:
        """``value`` as a function of the parameters, of which ``slopes(value, *parameters, *constants)`` are the derivatives."""
        smooth = self.smooth()
        if not constants:
            return self._differentiable(value, slopes, smooth)
        zeros = tuple(map(self.xp.zeros_like, constants))
        return self._differentiable(value, lambda *given: (*slopes(*given), *zeros), (*smooth, *constants))

    def _differentiable(self, value: Array, slopes: Callable[..., Arrays], parameters: Arrays) -> Array:
        def in_scope(*given: Array) -> Arrays:  # called later, maybe
            with self.backend.scope("float64"):
                return slopes(*given)

        return self.backend.with_slopes(value, in_scope, parameters)

    def rounded(self, x: Array) -> Array:
        xp = array_namespace(x)
        return x if self.dtype == "float64" else xp.astype(x, self.backend.dtype(self.dtype))


def parameters_of(
    key: Array, shape: Shape | None, dtype: object, **given: tuple[object, dict[str, Any]]
) -> Parameters:
    """The parameters by name, each with the bounds that `check_number` is to hold it to.

    ``shape=None`` is the shape that the arrays broadcast to; ``dtype=None`` the widest of theirs, float32 without any.
    """
    words_of(key)
    backend, xp = owner(key), array_namespace(key)
    values = tuple(_checked(name, value, bounds, backend) for name, (value, bounds) in given.items())
    arrays: dict[str, Array] = {
        name: x for name, x in zip(given, values, strict=True) if is_parameter_array(x)
    }
    if arrays:
        array_namespace(key, *arrays.values())  # an error for arrays of two libraries
    found = dtype_name(key, _widest(backend, arrays) if dtype is None else dtype)
    shapes = {name: tuple(x.shape) for name, x in arrays.items()}
    if shape is None:
        return Parameters(key, backend, xp, values, _common(shapes), found)
    wanted = shape_of(shape)
    for name, own in shapes.items():
        check_broadcast(name, own, wanted)
    return Parameters(key, backend, xp, values, wanted, found)


def _checked(name: str, value: Any, bounds: dict[str, Any], backend: Backend) -> float | Array:
    if not is_parameter_array(value):
        return check_number(name, value, **bounds)
    of = owner(value)
    if not (is_traced(value) or of.is_floating(value) or of.xp.isdtype(value.dtype, "integral")):
        raise refuse(name, "a number, or an array of numbers of the key's library", value)
    return value


def _widest(backend: Backend, arrays: dict[str, Array]) -> str:
    names = [backend.dtype_name(x.dtype) for x in arrays.values()]
    floating = [name for name in names if name in PRECISIONS]
    return wider(floating)


def wider(names: Sequence[str]) -> str:
    """The widest of floating dtypes, float32 for none; the two of 16 bits, each of which lacks numbers of the other, come to that too."""
    if len(set(names) & {"float16", "bfloat16"}) == 2:
        names = [*names, "float32"]
    return max(names, key=PRECISIONS.__getitem__, default="float32")


def _common(shapes: dict[str, tuple[int, ...]]) -> tuple[int, ...]:
    try:
        return shape_of(np.broadcast_shapes(*shapes.values()))
    except ValueError:
        listed = ", ".join(f"{name} of shape {shape}" for name, shape in shapes.items())
        raise ShapeError(
            f"{', '.join(shapes)}: expected arrays that broadcast together, got {listed}"
        ) from None
