"""Initial weights, drawn on the host in float64, so that every backend starts from the same bits.

An initializer is called as ``initializer(generator, shape)`` with a NumPy generator
(`multimlp.random.host_generator`) and returns a NumPy array; who needs another dtype casts it in NumPy.
With ``shape = (fan_in, fan_out)``, the layout of the weights here:

================  ==========================================================  =============================
name              distribution                                                reference
================  ==========================================================  =============================
glorot_uniform    U(-a, a), a = sqrt(6 / (fan_in + fan_out))                  Glorot, Bengio, AISTATS 2010
glorot_normal     N(0, 2 / (fan_in + fan_out))                                Glorot, Bengio, AISTATS 2010
he_uniform        U(-a, a), a = sqrt(6 / fan_in)                              He et al., arXiv:1502.01852
he_normal         N(0, 2 / fan_in)                                            He et al., arXiv:1502.01852
lecun_uniform     U(-a, a), a = sqrt(3 / fan_in)                              LeCun et al., Efficient BackProp
lecun_normal      N(0, 1 / fan_in)                                            LeCun et al., Efficient BackProp
orthogonal        Haar-uniform orthonormal rows or columns, times ``gain``    Saxe et al., arXiv:1312.6120
normal            N(0, stddev^2)
truncated_normal  N(0, stddev^2) cut off at 2 ``stddev``
uniform           U(-scale, scale)
zeros, ones
constant          ``value`` everywhere
================  ==========================================================  =============================

The normal ones are not truncated (Keras's are). A shape of one axis, (fan_out,), such as a bias has, counts
as fan_in = fan_out; further leading axes (an ensemble) do not count.

Examples
--------
>>> from multimlp import initializers, random
>>> weight = initializers.get("he_normal")(random.host_generator(0), (400, 300))
>>> weight.shape, weight.dtype, float(weight.std().round(3))
((400, 300), dtype('float64'), 0.071)
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np

from multimlp._naming import Table, check_number, unpack_spec
from multimlp.errors import InputError, ShapeError

Shape: TypeAlias = tuple[int, ...]
# In quotes, because numpy.random is loaded only when it is needed.
Draw: TypeAlias = Callable[["np.random.Generator", Shape], np.ndarray]


@dataclass(frozen=True)
class Initializer:
    """A named way to draw initial values: ``initializer(generator, shape)`` -> float64 array."""

    name: str
    draw: Callable[..., np.ndarray] = field(repr=False, compare=False)
    options: Mapping[str, float] = field(default_factory=dict, hash=False)

    def __call__(self, generator: np.random.Generator, shape: Shape) -> np.ndarray:
        return self.draw(generator, tuple(shape), **self.options)

    def to_spec(self) -> dict[str, Any]:
        """The initializer as plain values, from which `get` makes it again."""
        return {"name": self.name, "options": dict(self.options)}

    def __reduce__(self) -> tuple[Any, ...]:
        return get, (self.to_spec(),)


_INITIALIZERS: Table[Initializer | Callable[..., Initializer]] = Table("initializer")
"""The ones without options are objects, the others functions of their options."""


def fans(shape: Shape) -> tuple[int, int]:
    """``(fan_in, fan_out)``: the last two axes; for one axis, its size twice.

    Examples
    --------
    >>> from multimlp import initializers
    >>> initializers.fans((784, 256)), initializers.fans((10,))
    ((784, 256), (10, 10))
    """
    if not shape:
        raise ShapeError("shape: expected (fan_in, fan_out) or (fan_out,), got ()")
    return (shape[-2], shape[-1]) if len(shape) > 1 else (shape[0], shape[0])


def _scaled(name: str, mode: str, distribution: str, scale: float) -> Initializer:
    """Variance ``scale / fan``, with fan = fan_in, or the mean of fan_in and fan_out."""

    def draw(generator: np.random.Generator, shape: Shape) -> np.ndarray:
        fan_in, fan_out = fans(shape)
        fan = fan_in if mode == "fan_in" else (fan_in + fan_out) / 2
        variance = scale / max(fan, 1)
        if distribution == "normal":
            return generator.standard_normal(shape) * math.sqrt(variance)
        bound = math.sqrt(3 * variance)
        return generator.uniform(-bound, bound, shape)

    return Initializer(name, draw)


glorot_uniform = _scaled("glorot_uniform", "fan_avg", "uniform", 1.0)
glorot_normal = _scaled("glorot_normal", "fan_avg", "normal", 1.0)
he_uniform = _scaled("he_uniform", "fan_in", "uniform", 2.0)
he_normal = _scaled("he_normal", "fan_in", "normal", 2.0)
lecun_uniform = _scaled("lecun_uniform", "fan_in", "uniform", 1.0)
lecun_normal = _scaled("lecun_normal", "fan_in", "normal", 1.0)
zeros = Initializer("zeros", lambda generator, shape: np.zeros(shape))
ones = Initializer("ones", lambda generator, shape: np.ones(shape))


def _orthogonal(generator: np.random.Generator, shape: Shape, gain: float) -> np.ndarray:
    rows, columns = fans(shape)
    tall = generator.standard_normal((*shape[:-2], max(rows, columns), min(rows, columns)))
    q, r = np.linalg.qr(tall)
    # Taking R's diagonal positive makes the distribution uniform and the result independent of LAPACK.
    q = q * np.where(np.diagonal(r, axis1=-2, axis2=-1) < 0, -1.0, 1.0)[..., None, :]
    return gain * (q if rows >= columns else np.swapaxes(q, -1, -2))


def _truncated_normal(generator: np.random.Generator, shape: Shape, stddev: float) -> np.ndarray:
    values = generator.standard_normal(shape)
    outside = np.abs(values) > 2
    while np.any(outside):
        values[outside] = generator.standard_normal(int(np.count_nonzero(outside)))
        outside = np.abs(values) > 2
    return stddev * values


def orthogonal(gain: float = 1.0) -> Initializer:
    """Orthonormal columns (rows, where there are fewer), times ``gain``; for shapes of two or more axes."""

    def draw(generator: np.random.Generator, shape: Shape, gain: float) -> np.ndarray:
        if len(shape) < 2:
            raise ShapeError(f"orthogonal: expected a shape (fan_in, fan_out), got {shape}")
        return _orthogonal(generator, shape, gain)

    return Initializer("orthogonal", draw, {"gain": check_number("gain", gain)})


def normal(stddev: float = 0.01) -> Initializer:
    """N(0, stddev^2)."""
    options = {"stddev": check_number("stddev", stddev, low=0)}
    return Initializer(
        "normal", lambda generator, shape, stddev: stddev * generator.standard_normal(shape), options
    )


def truncated_normal(stddev: float = 0.01) -> Initializer:
    """N(0, stddev^2) without what lies beyond 2 ``stddev`` (drawn again); deviation 0.88 ``stddev``."""
    return Initializer(
        "truncated_normal", _truncated_normal, {"stddev": check_number("stddev", stddev, low=0)}
    )


def uniform(scale: float = 0.05) -> Initializer:
    """U(-scale, scale)."""
    options = {"scale": check_number("scale", scale, low=0)}
    return Initializer(
        "uniform", lambda generator, shape, scale: generator.uniform(-scale, scale, shape), options
    )


def constant(value: float = 0.0) -> Initializer:
    """``value`` everywhere."""
    options = {"value": check_number("value", value)}
    return Initializer("constant", lambda generator, shape, value: np.full(shape, value), options)


for _plain in (
    glorot_uniform,
    glorot_normal,
    he_uniform,
    he_normal,
    lecun_uniform,
    lecun_normal,
    zeros,
    ones,
):
    _INITIALIZERS.add(_plain.name, _plain)
for _factory in (orthogonal, normal, truncated_normal, uniform, constant):
    _INITIALIZERS.add(_factory.__name__, _factory)


@dataclass(frozen=True)
class _Custom:
    """Somebody's own callable, or fixed values, with the result checked."""

    function: Draw
    label: str

    def __call__(self, generator: np.random.Generator, shape: Shape) -> np.ndarray:
        values = np.asarray(self.function(generator, tuple(shape)), dtype=np.float64)
        if values.shape != tuple(shape):
            raise ShapeError(f"initializer: {self.label} gave shape {values.shape}, expected {tuple(shape)}")
        return values


def get(
    initializer: str | Mapping[str, Any] | Initializer | Draw | np.ndarray | float,
) -> Initializer | _Custom:
    """The initializer for a name, a spec, a number (constant), an array (its values), or a callable.

    A callable is called as ``callable(generator, shape)`` and returns an array of that shape.

    Raises
    ------
    InputError
        For an unknown name or anything else.

    Examples
    --------
    >>> import numpy as np
    >>> from multimlp import initializers
    >>> initializers.get("zeros")
    Initializer(name='zeros', options={})
    >>> initializers.get(np.eye(2))(None, (2, 2))
    array([[1., 0.],
           [0., 1.]])
    """
    if isinstance(initializer, (Initializer, _Custom)):
        return initializer
    if isinstance(initializer, str):
        return _make(initializer, {})
    if isinstance(initializer, Mapping):
        return _make(*unpack_spec("initializer", initializer))
    if isinstance(initializer, (int, float)) and not isinstance(initializer, bool):
        return constant(initializer)
    if isinstance(initializer, (np.ndarray, list, tuple)):
        fixed = np.array(initializer, dtype=np.float64)
        return _Custom(lambda generator, shape: fixed.copy(), "the array given")
    if callable(initializer):
        return _Custom(initializer, getattr(initializer, "__name__", type(initializer).__name__))
    raise _INITIALIZERS.reject(initializer, "an array, a number, or a callable (generator, shape) -> array")


def _make(name: str, options: dict[str, Any]) -> Initializer:
    found: Any = _INITIALIZERS.find(name)
    try:
        if isinstance(found, Initializer) and not options:
            return found
        return found(**options)
    except TypeError:
        raise InputError(f"initializer: {name} does not take the options {options!r}") from None


def names() -> tuple[str, ...]:
    """The names of the initializers."""
    return _INITIALIZERS.names()


def to_spec(initializer: Any) -> dict[str, Any]:
    """The initializer as plain values; `InputError` for callables and arrays of your own.

    Examples
    --------
    >>> from multimlp import initializers
    >>> initializers.to_spec("constant")
    {'name': 'constant', 'options': {'value': 0.0}}
    """
    found = get(initializer)
    if isinstance(found, _Custom):
        raise InputError(f"initializer: {found.label} cannot be written down; use a named one for that")
    return found.to_spec()
