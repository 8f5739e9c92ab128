"""Activations of eager tensors on the CPU, of few operations: each one costs 7 us and a pass over memory.

In a graph the portable definitions are put together by its compiler. Here a value is computed as cheaply as it can be, and recorded
with its closed derivative where somebody differentiates. Derivatives are made of operations that TensorFlow differentiates again.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
from tensorflow.python.eager import record
from tensorflow.python.framework.ops import EagerTensor

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
_SELU_SCALE = 1.0507009873554804934193349852946
_SELU_ALPHA = 1.6732632423543772848170429916717


class Rule(NamedTuple):
    """A function and how a cotangent goes back through it."""

    value: Callable[[Array], Array]
    back: Callable[[Array, Array], Array]
    """``back(g, x)``, of operations that TensorFlow differentiates again."""
    both: Callable[[Array], tuple[Array, Array]] | None = None
    """Values and slopes. The slopes are kept, and one product goes back."""
    quick: Callable[[Array, Array], Array | None] | None = None
    """As `back`, by an operation that nobody differentiates; None where it is not right."""


def _smooth(value: Callable[[Array], Array], both: Callable[[Array], tuple[Array, Array]]) -> Rule:
    return Rule(value, lambda g, x: g * both(x)[1], both)


@functools.cache
def number(value: float, dtype: Any) -> Array:
    with tf.init_scope():
        return tf.constant(value, dtype)


def plus(x: Array, term: float) -> Array:
    """Operators look at a Python number anew each time, which takes longer than the sum."""
    return _raw.AddV2(x=x, y=number(term, x.dtype))


def times(x: Array, factor: float) -> Array:
    return x if factor == 1 else _raw.Mul(x=x, y=number(factor, x.dtype))


def clip(x: Array, low: float, high: float) -> Array:
    return _raw.ClipByValue(t=x, clip_value_min=number(low, x.dtype), clip_value_max=number(high, x.dtype))


def _not_above(x: Array, end: float) -> Array:
    return _raw.LessEqual(x=x, y=number(end, x.dtype))


def _outside(x: Array, end: float) -> Array:
    """Not so at NaN."""
    return _raw.LogicalOr(x=_not_above(x, -end), y=_raw.GreaterEqual(x=x, y=number(end, x.dtype)))


def _zero_where(condition: Array, g: Array) -> Array:
    return _raw.SelectV2(condition=condition, t=number(0.0, g.dtype), e=g)


def has_nan(x: Array) -> bool:
    """NumPy looks at all of them in a third of the time of one operation."""
    seen = np.asarray(memoryview(x))
    return seen.size > 0 and bool(np.isnan(seen.max()))


def _without_nan(x: Array) -> bool:
    """Whether it is known that nothing in x is NaN."""
    return tf.executing_eagerly() and isinstance(x, EagerTensor) and not has_nan(x)


# ---- by name ---------------------------------------------------------------------------------------------------------


def _relu() -> Rule:
    """TensorFlow's own derivative, a product with 0 or 1, is 0 at NaN, and NaN where an infinite cotangent meets 0."""

    def quick(g: Array, x: Array) -> Array | None:
        back = None if has_nan(x) else _raw.ReluGrad(gradients=g, features=x)
        return None if back is None or has_nan(back) else back

    return Rule(
        lambda x: _raw.Relu(features=x),
        lambda g, x: _zero_where(_not_above(x, 0.0), g),
        quick=quick,
    )


def _leaky_relu(negative_slope: Any = 0.01) -> Rule | None:
    """TensorFlow's own keeps its slope in float32, and in its derivative NaN is on the left. In float64 the larger of two; a slope of 0
    would meet an infinity there."""
    slope = float(negative_slope)
    if not 0 < slope <= 1:
        return None

    def value(x: Array) -> Array:
        if x.dtype is tf.float32:
            return _raw.LeakyRelu(features=x, alpha=slope)
        return _raw.Maximum(x=x, y=times(x, slope))

    def quick(g: Array, x: Array) -> Array | None:
        if x.dtype is not tf.float32 or has_nan(x):
            return None
        return _raw.LeakyReluGrad(gradients=g, features=x, alpha=slope)

    def back(g: Array, x: Array) -> Array:
        return _raw.SelectV2(condition=_not_above(x, 0.0), t=times(g, slope), e=g)

    return Rule(value, back, quick=quick)


def _softsign() -> Rule:
    """TensorFlow's own has no second derivative."""

    def back(g: Array, x: Array) -> Array:
        root = _raw.Reciprocal(x=plus(_raw.Abs(x=x), 1.0))
        return g * root * root

    return Rule(
        lambda x: _raw.Softsign(features=x),
        back,
        quick=lambda g, x: _raw.SoftsignGrad(gradients=g, features=x),
    )


def _hard_tanh() -> Rule:
    return Rule(lambda x: clip(x, -1.0, 1.0), lambda g, x: _zero_where(_outside(x, 1.0), g))


def _hard_sigmoid_of(x: Array) -> Array:
    return clip(plus(times(x, 1 / 6), 0.5), 0.0, 1.0)


def _hard_sigmoid() -> Rule:
    return Rule(_hard_sigmoid_of, lambda g, x: _zero_where(_outside(x, 3.0), times(g, 1 / 6)))


def _hard_swish() -> Rule:
    """Cut off below, so that -inf does not meet zero. The slope is a constant at the kinks too, which a clip is not for TensorFlow."""

    def back(g: Array, x: Array) -> Array:
        inside = _zero_where(_outside(x, 3.0), plus(times(x, 1 / 3), 0.5))
        return g * (inside + tf.cast(_raw.GreaterEqual(x=x, y=number(3.0, x.dtype)), x.dtype))

    low = functools.partial(number, -3.0)
    return Rule(lambda x: _raw.Maximum(x=x, y=low(x.dtype)) * _hard_sigmoid_of(x), back)


def _elu_like(scale: float, alpha: float, inner: float) -> Rule | None:
    """``scale x`` above 0, else ``scale alpha (exp(x / inner) - 1)``.

    With t = tanh(x / 2) the exponential less 1 is 2 t / (1 - t). Of that only 2 t / (1 + |t|) is computed, which above 0 is less than x,
    and below 0 more: the larger of both is the function. `Expm1` is not vectorised, and TensorFlow's own functions subtract 1.
    """
    if not all(1e-30 < given < 1e30 for given in (alpha, inner)):
        return None

    def value(x: Array) -> Array:
        half = times(x, 0.5 / inner)
        curve = _raw.Softsign(features=_raw.Tanh(x=half))
        if alpha == inner:
            return _raw.Maximum(x=x, y=times(curve, 2 * inner))
        larger = _raw.Maximum(x=half, y=curve)
        if x.dtype is tf.float32:
            return times(_raw.LeakyRelu(features=larger, alpha=alpha), 2 * scale)
        sides = times(larger, 2 * scale), times(larger, 2 * scale * alpha)
        return (_raw.Minimum if alpha > 1 else _raw.Maximum)(x=sides[0], y=sides[1])

    def slope(x: Array) -> Array:
        decay = _raw.Exp(x=times(_raw.Minimum(x=x, y=number(0.0, x.dtype)), 1 / inner))
        if alpha == inner and _without_nan(x):  # on the right the exponential is 1
            return decay
        decay = times(decay, scale * alpha / inner)
        return _raw.SelectV2(condition=_not_above(x, 0.0), t=decay, e=number(scale, x.dtype))

    return _smooth(value, lambda x: (value(x), slope(x)))


def _elu(alpha: Any = 1.0) -> Rule | None:
    return _elu_like(1.0, float(alpha), 1.0)


def _celu(alpha: Any = 1.0) -> Rule | None:
    return _elu_like(1.0, float(alpha), float(alpha))


def _selu() -> Rule | None:
    return _elu_like(_SELU_SCALE, _SELU_ALPHA, 1.0)


def _silu() -> Rule:
    def both(x: Array) -> tuple[Array, Array]:
        gate, far = _raw.Sigmoid(x=x), clip(x, -_END, _END)
        return x * gate, gate * plus(far * _raw.Sigmoid(x=-far), 1.0)

    return _smooth(lambda x: x * _raw.Sigmoid(x=x), both)


def _mish() -> Rule:
    """With u = exp x and n = u (u + 2) the gate is n / (n + 2), and the slope ``gate + 4 x (n - u) / (n + 2)^2``."""

    def parts(x: Array) -> tuple[Array, Array, Array, Array]:
        c = clip(x, -_END, _MISH_END)
        u = _raw.Exp(x=c)
        n = u * plus(u, 2.0)
        return c, u, n, plus(n, 2.0)

    def value(x: Array) -> Array:
        _, _, n, m = parts(x)
        return x * (n / m)

    def both(x: Array) -> tuple[Array, Array]:
        c, u, n, m = parts(x)
        gate = n / m
        return x * gate, gate + times(c * (n - u) / m, 4.0) / m

    return _smooth(value, both)


def _below(x: Array) -> Array:
    """The normal distribution."""
    return times(_raw.Erfc(x=times(x, _INNER)), 0.5)


def _gelu(approximate: str = "none") -> Rule:
    if approximate == "tanh":
        return _smooth(lambda x: x * _raw.Sigmoid(x=x * plus(times(x * x, _CUBIC), _LINEAR)), _gelu_tanh)

    def both(x: Array) -> tuple[Array, Array]:
        below, near = _below(x), clip(x, -_GELU_END, _GELU_END)
        return x * below, below + times(near * _raw.Exp(x=times(near * near, -0.5)), _DENSITY)

    return _smooth(lambda x: x * _below(x), both)


def _gelu_tanh(x: Array) -> tuple[Array, Array]:
    near = clip(x, -_GELU_TANH_END, _GELU_TANH_END)
    square = near * near
    z = near * plus(times(square, _CUBIC), _LINEAR)
    moved = near * plus(times(square, 3 * _CUBIC), _LINEAR)
    gate = _raw.Sigmoid(x=z)
    return x * gate, gate * plus(moved * _raw.Sigmoid(x=-z), 1.0)


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
    return found | {name: for_eager_tensors(_ruled(name, rule)) for name, rule in RULES.items()}


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


def _ruled(name: str, rule: Callable[..., Rule | None]) -> Callable[..., Array]:
    found = functools.lru_cache(maxsize=16)(lambda args, named: rule(*args, **dict(named)))
    plain = rule()

    def function(x: Array, *args: Any, **options: Any) -> Array:
        known = plain
        if args or options:
            if any(not isinstance(option, (int, float, str)) for option in (*args, *options.values())):
                return NotImplemented  # an option that is learned
            known = found(args, tuple(options.items()))
        if known is None:
            return NotImplemented
        return _recorded(name, known, x) if record.could_possibly_record() else known.value(x)

    return function


def _recorded(name: str, rule: Rule, x: Array) -> Array:
    """As `tf.custom_gradient`, which takes fifteen times as long to look at the function as an operation takes."""
    value, back, both, quick = rule
    with record.stop_recording():
        y, slopes = (value(x), None) if both is None else both(x)

    def pullback(g: Array) -> list[Array]:
        if not tf.executing_eagerly() or record.could_possibly_record():
            return [back(g, x)]
        if slopes is not None:
            return [_raw.Mul(x=g, y=slopes)]
        found = None if quick is None else quick(g, x)
        return [back(g, x) if found is None else found]

    record.record_operation(name, [y], [x], pullback)
    return y
