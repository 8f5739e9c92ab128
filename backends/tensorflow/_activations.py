"""Activations of eager tensors on the CPU, of few operations: each one costs 7 us and a pass over memory.

In a graph the portable definitions are put together by its compiler. Here a value is computed as cheaply as it can be, and recorded
with its closed derivative where somebody differentiates. Derivatives are made of operations that TensorFlow differentiates again.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow as tf
from tensorflow.python.eager import record

from multimlp.backend import Array

_raw = tf.raw_ops

_END = 800.0
"""The logistic function is 0 or 1 there in both formats."""
_MISH_END = 40.0
"""tanh(log(1 + exp x)) is 1 there in both formats, and exp(2 x) overflows in neither."""
_GELU_END = 40.0
_GELU_TANH_END = 25.0
_INNER = -math.sqrt(0.5)
_DENSITY = 1 / math.sqrt(2 * math.pi)
_LINEAR = 2 * math.sqrt(2 / math.pi)
_CUBIC = _LINEAR * 0.044715
_MANY = 1 << 15
"""Numbers in an array; with fewer an operation takes as long as it takes to be called."""
_SELU_SCALE = 1.0507009873554804934193349852946
_SELU_ALPHA = 1.6732632423543772848170429916717


class Rule(NamedTuple):
    """A function and how a cotangent goes back through it: ``value(x)`` and ``back(g, x)``."""

    value: Callable[[Array], Array]
    back: Callable[[Array, Array], Array]


@functools.cache
def _number(value: float, dtype: Any) -> Array:
    with tf.init_scope():
        return tf.constant(value, dtype)


def _plus(x: Array, number: float) -> Array:
    """Operators look at a Python number anew each time, which takes longer than the sum."""
    return _raw.AddV2(x=x, y=_number(number, x.dtype))


def _times(x: Array, number: float) -> Array:
    return x if number == 1 else _raw.Mul(x=x, y=_number(number, x.dtype))


def _clip(x: Array, low: float, high: float) -> Array:
    return _raw.ClipByValue(t=x, clip_value_min=_number(low, x.dtype), clip_value_max=_number(high, x.dtype))


def _not_above(x: Array, end: float) -> Array:
    return _raw.LessEqual(x=x, y=_number(end, x.dtype))


def _outside(x: Array, end: float) -> Array:
    """Not so at NaN."""
    return _raw.LogicalOr(x=_not_above(x, -end), y=_raw.GreaterEqual(x=x, y=_number(end, x.dtype)))


def _zero_where(condition: Array, g: Array) -> Array:
    return _raw.SelectV2(condition=condition, t=_number(0.0, g.dtype), e=g)


def _without_nan(x: Array) -> bool:
    """Whether it is known that nothing in x is NaN; of many numbers to look takes half of an operation."""
    if not tf.executing_eagerly() or not hasattr(x, "numpy") or x.shape.num_elements() < _MANY:
        return False
    return not math.isnan(_raw.Sum(input=_raw.Reshape(tensor=x, shape=[-1]), axis=0))


# ---- by name ---------------------------------------------------------------------------------------------------------


def _relu() -> Rule:
    return Rule(lambda x: _raw.Relu(features=x), lambda g, x: _zero_where(_not_above(x, 0.0), g))


def _leaky_relu(negative_slope: Any = 0.01) -> Rule | None:
    """TensorFlow's own keeps its slope in float32, and in its derivative NaN is on the left. In float64 the larger of two; a slope of 0
    would meet an infinity there."""
    slope = float(negative_slope)
    if not 0 < slope <= 1:
        return None

    def value(x: Array) -> Array:
        if x.dtype is tf.float32:
            return _raw.LeakyRelu(features=x, alpha=slope)
        return _raw.Maximum(x=x, y=_times(x, slope))

    def back(g: Array, x: Array) -> Array:
        if x.dtype is tf.float32 and _without_nan(x):
            return _raw.LeakyReluGrad(gradients=g, features=x, alpha=slope)
        return _raw.SelectV2(condition=_not_above(x, 0.0), t=_times(g, slope), e=g)

    return Rule(value, back)


def _softsign() -> Rule:
    """TensorFlow's own has no second derivative."""

    def back(g: Array, x: Array) -> Array:
        root = _raw.Reciprocal(x=_plus(_raw.Abs(x=x), 1.0))
        return g * root * root

    return Rule(lambda x: _raw.Softsign(features=x), back)


def _hard_tanh() -> Rule:
    return Rule(lambda x: _clip(x, -1.0, 1.0), lambda g, x: _zero_where(_outside(x, 1.0), g))


def _hard_sigmoid_of(x: Array) -> Array:
    return _clip(_plus(_times(x, 1 / 6), 0.5), 0.0, 1.0)


def _hard_sigmoid() -> Rule:
    return Rule(_hard_sigmoid_of, lambda g, x: _zero_where(_outside(x, 3.0), _times(g, 1 / 6)))


def _hard_swish() -> Rule:
    """Cut off below, so that -inf does not meet zero. The slope is a constant at the kinks too, which a clip is not for TensorFlow."""

    def back(g: Array, x: Array) -> Array:
        inside = _zero_where(_outside(x, 3.0), _plus(_times(x, 1 / 3), 0.5))
        return g * (inside + tf.cast(_raw.GreaterEqual(x=x, y=_number(3.0, x.dtype)), x.dtype))

    low = functools.partial(_number, -3.0)
    return Rule(lambda x: _raw.Maximum(x=x, y=low(x.dtype)) * _hard_sigmoid_of(x), back)


def _exponential_left(x: Array) -> Array:
    """expm1(x) where x <= 0, else 0, and NaN at NaN; in float64 from tanh, which is vectorised there, as `Expm1` is not."""
    x = _raw.Minimum(x=x, y=_number(0.0, x.dtype))
    if x.dtype is tf.float32:
        return _raw.Expm1(x=x)
    t = _raw.Tanh(x=_times(x, 0.5))
    return _times(t, 2.0) / _raw.Sub(x=_number(1.0, x.dtype), y=t)


def _elu_like(scale: float, alpha: float, inner: float) -> Rule:
    """``scale x`` above 0, else ``alpha (exp(x / inner) - 1)``."""

    def value(x: Array) -> Array:
        right = _raw.Relu(features=x)
        left = _exponential_left(_times(x, 1 / inner))
        return _times(right, scale) + _times(left, alpha)

    def back(g: Array, x: Array) -> Array:
        slope = _raw.Exp(x=_times(_raw.Minimum(x=x, y=_number(0.0, x.dtype)), 1 / inner))
        if alpha == inner == scale == 1 and _without_nan(x):  # on the right the exponential is 1
            return g * slope
        slope = _times(slope, alpha / inner)
        return g * _raw.SelectV2(condition=_not_above(x, 0.0), t=slope, e=_number(scale, x.dtype))

    return Rule(value, back)


def _elu(alpha: Any = 1.0) -> Rule:
    return _elu_like(1.0, float(alpha), 1.0)


def _celu(alpha: Any = 1.0) -> Rule | None:
    return _elu_like(1.0, float(alpha), float(alpha)) if alpha > 0 else None


def _selu() -> Rule:
    return _elu_like(_SELU_SCALE, _SELU_SCALE * _SELU_ALPHA, 1.0)


def _silu() -> Rule:
    def back(g: Array, x: Array) -> Array:
        far = _clip(x, -_END, _END)
        return g * (_raw.Sigmoid(x=x) * _plus(far * _raw.Sigmoid(x=-far), 1.0))

    return Rule(lambda x: x * _raw.Sigmoid(x=x), back)


def _mish() -> Rule:
    def parts(x: Array) -> tuple[Array, Array, Array]:
        c = _clip(x, -_END, _MISH_END)
        u = _raw.Exp(x=c)
        n = u * _plus(u, 2.0)
        return c, u, n

    def value(x: Array) -> Array:
        _, _, n = parts(x)
        return x * (n / _plus(n, 2.0))

    def back(g: Array, x: Array) -> Array:
        c, u, n = parts(x)
        m = _plus(n, 2.0)
        return g * (n / m + _times(c * u / m, 4.0) * (_plus(u, 1.0) / m))

    return Rule(value, back)


def _below(x: Array) -> Array:
    """The normal distribution."""
    return _times(_raw.Erfc(x=_times(x, _INNER)), 0.5)


def _gelu(approximate: str = "none") -> Rule:
    if approximate == "tanh":
        return Rule(
            lambda x: x * _raw.Sigmoid(x=x * _plus(_times(x * x, _CUBIC), _LINEAR)),
            _back_through_gelu_tanh,
        )

    def back(g: Array, x: Array) -> Array:
        near = _clip(x, -_GELU_END, _GELU_END)
        return g * (_below(x) + _times(near * _raw.Exp(x=_times(near * near, -0.5)), _DENSITY))

    return Rule(lambda x: x * _below(x), back)


def _back_through_gelu_tanh(g: Array, x: Array) -> Array:
    near = _clip(x, -_GELU_TANH_END, _GELU_TANH_END)
    square = near * near
    z = near * _plus(_times(square, _CUBIC), _LINEAR)
    slope = near * _plus(_times(square, 3 * _CUBIC), _LINEAR)
    return g * (_raw.Sigmoid(x=z) * _plus(slope * _raw.Sigmoid(x=-z), 1.0))


RULES: dict[str, Callable[..., Rule | None]] = {
    "relu": _relu,
    "leaky_relu": _leaky_relu,
    "softsign": _softsign,
    "hard_tanh": _hard_tanh,
    "hard_sigmoid": _hard_sigmoid,
    "hard_swish": _hard_swish,
    "elu": _elu,
    "celu": _celu,
    "selu": _selu,
    "silu": _silu,
    "mish": _mish,
    "gelu": _gelu,
}
"""By operation; called with its options. None: these options are not covered."""

NATIVE: dict[str, Callable[[Array], Array]] = {
    "sigmoid": tf.sigmoid,
    "log_sigmoid": tf.math.log_sigmoid,
    "softplus": tf.nn.softplus,
}
"""TensorFlow's own, with its derivatives."""


def kernels() -> dict[str, Callable[..., Array]]:
    """All of them, by operation; what they are not made for is left to the portable body."""
    found = {name: for_eager_tensors(function) for name, function in NATIVE.items()}
    return found | {name: for_eager_tensors(_ruled(rule)) for name, rule in RULES.items()}


def for_eager_tensors(function: Callable[..., Array]) -> Callable[..., Array]:
    """A kernel that leaves to the portable body what is in a graph, of half precision, or on another device."""

    def kernel(x: Array, *args: Any, **options: Any) -> Array:
        if (
            not tf.executing_eagerly()
            or (x.dtype is not tf.float32 and x.dtype is not tf.float64)
            or (_has_gpus() and "CPU" not in x.device)
        ):
            return NotImplemented
        return function(x, *args, **options)

    return kernel


@functools.cache
def _has_gpus() -> bool:
    return bool(tf.config.list_physical_devices("GPU"))


def _ruled(rule: Callable[..., Rule | None]) -> Callable[..., Array]:
    @functools.lru_cache(maxsize=16)
    def functions(args: tuple[Any, ...], named: tuple[tuple[str, Any], ...]) -> tuple[Any, Any]:
        found = rule(*args, **dict(named))
        if found is None:
            return None, None

        def with_its_slope(x: Array) -> Any:
            return found.value(tf.stop_gradient(x)), lambda g: found.back(g, x)

        return found.value, tf.custom_gradient(with_its_slope)

    def function(x: Array, *args: Any, **options: Any) -> Array:
        if any(not isinstance(option, (int, float, str)) for option in (*args, *options.values())):
            return NotImplemented  # an option that is learned
        value, recorded = functions(args, tuple(options.items()))
        if value is None:
            return NotImplemented
        return recorded(x) if record.could_possibly_record() else value(x)

    return function
