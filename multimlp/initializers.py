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
fan_in_uniform    U(-a, a), a = 1 / sqrt(fan_in)                              Bengio, arXiv:1206.5533, section 5.2
siren             U(-a, a), a = sqrt(6 / fan_in) / omega; first 1 / fan_in    Sitzmann et al., arXiv:2006.09661
orthogonal        Haar-uniform orthonormal rows or columns, times ``gain``    Saxe et al., arXiv:1312.6120
normal            N(0, stddev^2)
truncated_normal  N(0, stddev^2) cut off at 2 ``stddev``
uniform           U(-scale, scale)
signs             -1 or 1, each with probability 1/2
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
from typing import Annotated, Any, Concatenate, ParamSpec, TypeAlias

import numpy as np

from multimlp._naming import Named, Table
from multimlp.errors import ShapeError
from multimlp.errors.checks import LARGEST, check_shape, flag, number, refuse

Shape: TypeAlias = tuple[int, ...]
# In quotes, because numpy.random is loaded only when it is needed.
Draw: TypeAlias = Callable[["np.random.Generator", Shape], np.ndarray]


P = ParamSpec("P")
INITIALIZERS: Table[Any] = Table("initializer")


@dataclass(frozen=True, eq=False, repr=False)
class Initializer(Named):
    """A named way to draw initial values: ``initializer(generator, shape)`` -> float64 array."""

    name: str
    draw: Callable[..., np.ndarray]
    options: Mapping[str, float] = field(default_factory=dict)

    table = INITIALIZERS

    def __call__(self, generator: np.random.Generator, shape: Shape) -> np.ndarray:
        size = _checked_shape(shape)
        try:
            return self.draw(generator, size, **self.options)
        except (AttributeError, TypeError):
            if not isinstance(generator, np.random.Generator):
                raise refuse(
                    "generator", "a numpy.random.Generator, as random.host_generator(seed)", generator
                ) from None
            raise

    def _computes(self) -> tuple[Any, ...]:
        return (self.draw,)


def _checked_shape(shape: Any) -> Shape:
    sizes = check_shape("shape", shape, LARGEST)
    if math.prod(sizes) > _MOST_NUMBERS:
        raise ShapeError(f"shape: expected one of at most {_MOST_NUMBERS} numbers, got {sizes}")
    return sizes


_MOST_NUMBERS = 2**59
"""More of eight bytes cannot be addressed."""


def _initializer(
    draw: Callable[Concatenate[np.random.Generator, Shape, P], np.ndarray],
) -> Callable[P, Initializer]:
    """Decorate ``draw(generator, shape, ...)``: it makes the initializer for its options."""
    made: Callable[P, Initializer] = INITIALIZERS.maker(
        draw, lambda name, options: Initializer(name, draw, options), skip=2
    )
    return made


def _plain(name: str, draw: Draw) -> Initializer:
    """An initializer without options: no function that makes it, but the thing itself."""
    initializer = Initializer(name, draw)
    INITIALIZERS.add(name, initializer)
    return initializer


def fans(shape: Shape) -> tuple[int, int]:
    """``(fan_in, fan_out)``: the last two axes; for one axis, its size twice.

    Parameters
    ----------
    shape : tuple of int

    Returns
    -------
    tuple of int

    Raises
    ------
    ShapeError
        For a shape without axes.

    Examples
    --------
    >>> from multimlp import initializers
    >>> initializers.fans((784, 256)), initializers.fans((10,))
    ((784, 256), (10, 10))
    """
    shape = _checked_shape(shape)
    if not shape:
        raise ShapeError("shape: expected (fan_in, fan_out) or (fan_out,), got ()")
    return (shape[-2], shape[-1]) if len(shape) > 1 else (shape[0], shape[0])


def _scaled(mode: str, distribution: str, scale: float) -> Draw:
    """Variance ``scale / fan``, with fan = fan_in, or the mean of fan_in and fan_out."""

    def draw(generator: np.random.Generator, shape: Shape) -> np.ndarray:
        fan_in, fan_out = fans(shape)
        fan = fan_in if mode == "fan_in" else (fan_in + fan_out) / 2
        variance = scale / max(fan, 1)
        if distribution == "normal":
            return generator.standard_normal(shape) * math.sqrt(variance)
        bound = math.sqrt(3 * variance)
        return generator.uniform(-bound, bound, shape)

    return draw


glorot_uniform = _plain("glorot_uniform", _scaled("fan_avg", "uniform", 1.0))
glorot_normal = _plain("glorot_normal", _scaled("fan_avg", "normal", 1.0))
he_uniform = _plain("he_uniform", _scaled("fan_in", "uniform", 2.0))
he_normal = _plain("he_normal", _scaled("fan_in", "normal", 2.0))
lecun_uniform = _plain("lecun_uniform", _scaled("fan_in", "uniform", 1.0))
lecun_normal = _plain("lecun_normal", _scaled("fan_in", "normal", 1.0))
fan_in_uniform = _plain("fan_in_uniform", _scaled("fan_in", "uniform", 1 / 3))
zeros = _plain("zeros", lambda generator, shape: np.zeros(shape))
ones = _plain("ones", lambda generator, shape: np.ones(shape))


NotNegative: TypeAlias = Annotated[float, number(low=0)]


@_initializer
def orthogonal(
    generator: np.random.Generator, shape: Shape, gain: Annotated[float, number()] = 1.0
) -> np.ndarray:
    """Orthonormal columns (rows, where there are fewer), times ``gain``.

    Parameters
    ----------
    gain : float

    Returns
    -------
    Initializer

    Raises
    ------
    ShapeError
        When it is called: for a shape of fewer than two axes.

    References
    ----------
    Saxe et al., Exact solutions to the nonlinear dynamics of learning in deep linear neural networks, arXiv:1312.6120.

    Examples
    --------
    >>> import numpy as np
    >>> from multimlp import initializers, random
    >>> W = initializers.orthogonal()(random.host_generator(0), (5, 3))
    >>> bool(np.allclose(W.T @ W, np.eye(3)))
    True
    """
    if len(shape) < 2:
        raise ShapeError(f"orthogonal: expected a shape (fan_in, fan_out), got {shape}")
    rows, columns = fans(shape)
    tall = generator.standard_normal((*shape[:-2], max(rows, columns), min(rows, columns)))
    q, r = np.linalg.qr(tall)
    # Taking R's diagonal positive makes the distribution uniform and the result independent of LAPACK.
    q = q * np.where(np.diagonal(r, axis1=-2, axis2=-1) < 0, -1.0, 1.0)[..., None, :]
    return gain * (q if rows >= columns else np.swapaxes(q, -1, -2))


@_initializer
def normal(generator: np.random.Generator, shape: Shape, stddev: NotNegative = 0.01) -> np.ndarray:
    """N(0, stddev^2).

    Parameters
    ----------
    stddev : float
        >= 0.

    Returns
    -------
    Initializer

    Examples
    --------
    >>> from multimlp import initializers, random
    >>> W = initializers.normal(0.1)(random.host_generator(0), (400, 300))
    >>> float(W.std().round(3))
    0.1
    """
    return stddev * generator.standard_normal(shape)


@_initializer
def truncated_normal(generator: np.random.Generator, shape: Shape, stddev: NotNegative = 0.01) -> np.ndarray:
    """N(0, stddev^2) without what lies beyond 2 ``stddev``, which is drawn again; the deviation is 0.88 ``stddev``.

    Parameters
    ----------
    stddev : float
        >= 0.

    Returns
    -------
    Initializer

    Examples
    --------
    >>> from multimlp import initializers, random
    >>> W = initializers.truncated_normal(0.1)(random.host_generator(0), (400, 300))
    >>> bool(abs(W).max() <= 0.2), float(W.std().round(3))
    (True, 0.088)
    """
    values = generator.standard_normal(shape)
    outside = np.abs(values) > 2
    while np.any(outside):
        values[outside] = generator.standard_normal(int(np.count_nonzero(outside)))
        outside = np.abs(values) > 2
    return stddev * values


@_initializer
def uniform(generator: np.random.Generator, shape: Shape, scale: NotNegative = 0.05) -> np.ndarray:
    """U(-scale, scale).

    Parameters
    ----------
    scale : float
        >= 0.

    Returns
    -------
    Initializer

    Examples
    --------
    >>> from multimlp import initializers, random
    >>> W = initializers.uniform(0.1)(random.host_generator(0), (400, 300))
    >>> float(abs(W).max().round(3))
    0.1
    """
    return generator.uniform(-scale, scale, shape)


@_initializer
def constant(
    generator: np.random.Generator, shape: Shape, value: Annotated[float, number()] = 0.0
) -> np.ndarray:
    """``value`` everywhere.

    Parameters
    ----------
    value : float

    Returns
    -------
    Initializer

    Examples
    --------
    >>> from multimlp import initializers
    >>> initializers.constant(0.5)(None, (2,))
    array([0.5, 0.5])
    """
    return np.full(shape, value)


@_initializer
def siren(
    generator: np.random.Generator,
    shape: Shape,
    omega: Annotated[float, number(low=0, low_open=True)] = 30.0,
    first: Annotated[bool, flag] = False,
) -> np.ndarray:
    """For layers of ``sin(omega (x W + b))``: U(-a, a) with a = sqrt(6 / fan_in) / omega, or 1 / fan_in in the first layer.

    Parameters
    ----------
    omega : float
        The frequency before the sine, above 0.
    first : bool
        Whether it is the first layer.

    Returns
    -------
    Initializer

    References
    ----------
    Sitzmann et al., Implicit neural representations with periodic activation functions, arXiv:2006.09661.

    Examples
    --------
    >>> from multimlp import initializers, random
    >>> W = initializers.siren(first=True)(random.host_generator(0), (2, 256))
    >>> bool(abs(W).max() <= 0.5)
    True
    """
    fan_in = max(fans(shape)[0], 1)
    bound = 1 / fan_in if first else math.sqrt(6 / fan_in) / omega
    return generator.uniform(-bound, bound, shape)


@_initializer
def signs(generator: np.random.Generator, shape: Shape) -> np.ndarray:
    """-1 or 1, each with probability 1/2.

    Returns
    -------
    Initializer

    Examples
    --------
    >>> from multimlp import initializers, random
    >>> sorted(set(initializers.signs()(random.host_generator(0), (4, 4)).ravel().tolist()))
    [-1.0, 1.0]
    """
    return 1.0 - 2.0 * generator.integers(2, size=shape)


@dataclass(frozen=True, eq=False)
class _Draw:
    """Somebody's own callable, or fixed values, with the result checked."""

    given: Any
    label: str

    def __call__(self, generator: np.random.Generator, shape: Shape) -> np.ndarray:
        found = self.given(generator, shape) if callable(self.given) else self.given
        values = _values(found, self.label)
        if values.shape != shape:
            raise ShapeError(f"initializer: {self.label} gave shape {values.shape}, expected {shape}")
        return values


@INITIALIZERS.reader
def get(
    initializer: str | Mapping[str, Any] | Initializer | Draw | np.ndarray | float,
) -> Initializer:
    """The initializer that is meant.

    Parameters
    ----------
    initializer : str, mapping, Initializer, float, array or callable
        A name, what `to_spec` returned, one number for all, the values themselves, or ``callable(generator, shape)`` that returns an
        array of that shape.

    Returns
    -------
    Initializer

    Raises
    ------
    InputError
        For an unknown name or anything else.

    Examples
    --------
    >>> import numpy as np
    >>> from multimlp import initializers
    >>> initializers.get("zeros")
    <initializer zeros>
    >>> initializers.get(np.eye(2))(None, (2, 2))
    array([[1., 0.],
           [0., 1.]])
    """
    if isinstance(initializer, Initializer):
        return initializer
    if isinstance(initializer, (str, Mapping)):
        named: Initializer = INITIALIZERS.make(initializer)
        return named
    if isinstance(initializer, (int, float, np.number)) and not isinstance(initializer, bool):
        return constant(initializer)
    if isinstance(initializer, (np.ndarray, list, tuple)):
        return _own(_values(initializer, "the values given"), "the array given")
    INITIALIZERS.own(initializer, "an array, a number, or a callable (generator, shape) -> array")
    return _own(initializer, getattr(initializer, "__name__", type(initializer).__name__))


def _values(given: Any, what: str) -> np.ndarray:
    """A copy in float64, which nobody changes afterwards; `InputError` for what is no array of real, finite numbers."""
    try:
        found = np.array(given)
    except ValueError as error:
        raise ShapeError(f"initializer: {what}: rows of different lengths: {error}") from None
    if found.dtype.kind not in "biuf" or not np.all(np.isfinite(found)):
        raise refuse(f"initializer: {what}", "finite real numbers", given)
    return found.astype(np.float64)


def _own(given: Any, label: str) -> Initializer:
    return Initializer(label, _Draw(given, label))


def names() -> tuple[str, ...]:
    """The names of the initializers.

    Returns
    -------
    tuple of str

    Examples
    --------
    >>> from multimlp import initializers
    >>> "he_normal" in initializers.names()
    True
    """
    return INITIALIZERS.names()


def to_spec(initializer: Any) -> dict[str, Any]:
    """The initializer as plain values, for files.

    Parameters
    ----------
    initializer
        As for `get`.

    Returns
    -------
    dict

    Raises
    ------
    InputError
        For callables and arrays of your own.

    Examples
    --------
    >>> from multimlp import initializers
    >>> initializers.to_spec("constant")
    {'name': 'constant', 'options': {'value': 0.0}}
    """
    return get(initializer).to_spec()
