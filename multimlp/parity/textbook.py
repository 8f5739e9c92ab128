"""The definitions as the textbooks write them, on numbers of arbitrary precision, one at a time.

Written apart from the portable code, which is compared with them at 50 digits: an error in the portable
form is an error on every backend, and nothing else would find it. ``mp`` is the oracle's mpmath context;
nothing here cares for speed.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Number = Any
Context = Any


@dataclass(frozen=True)
class Elementwise:
    """A function of one number, and what is stated where its formula says nothing.

    Attributes
    ----------
    formula : callable
        ``f(mp, x, **options)``, each option with the default that it should have.
    slopes_at_kinks : mapping, or callable
        ``{x: derivative}`` for the points where a derivative does not exist, or a function of the options that returns it.
    at_minus_inf : float, optional
        The limit, where the formula read at -inf is none (``inf - inf``, ``inf * 0``) and NaN is not meant.
    slopes_settle : bool
        Whether the derivative has limits at the infinities; if not, NaN is stated there.
    """

    formula: Callable[..., Number]
    slopes_at_kinks: Mapping[float, float] | Callable[..., Mapping[float, float]] = field(
        default_factory=dict
    )
    at_minus_inf: float | None = None
    slopes_settle: bool = True

    @property
    def options(self) -> dict[str, Any]:
        """The options and their defaults."""
        parameters = list(inspect.signature(self.formula).parameters.values())[2:]
        return {p.name: p.default for p in parameters}

    def kinks(self, **options: Any) -> dict[float, float]:
        """The points where the derivative jumps, and what is stated for them."""
        stated = self.slopes_at_kinks
        return dict(stated(**{**self.options, **options}) if callable(stated) else stated)

    def slope_at(self, mp: Context, infinity: float, **options: Any) -> float:
        """The limit of the derivative at an infinity: a difference so far out that it is 0, infinite, or the limit to 10 digits."""
        if not self.slopes_settle:
            return float("nan")
        x = mp.mpf(10) ** 20 * (1 if infinity > 0 else -1)
        h = mp.mpf(10) ** 10
        slope = (self.formula(mp, x + h, **options) - self.formula(mp, x - h, **options)) / (2 * h)
        if abs(slope) > 1e15:
            return float("inf") if slope > 0 else float("-inf")
        return 0.0 if abs(slope) < 1e-15 else float(slope)


def _clip(x: Number, low: Number, high: Number) -> Number:
    return min(max(x, low), high)


def _logistic(mp: Context, x: Number) -> Number:
    return 1 / (1 + mp.exp(-x))


def _log1pexp(mp: Context, x: Number) -> Number:
    return mp.log1p(mp.exp(x)) if x < 0 else x + mp.log1p(mp.exp(-x))


def _gelu(mp: Context, x: Number, approximate: str = "none") -> Number:
    if approximate == "none":
        return x * mp.erfc(-x / mp.sqrt(2)) / 2
    cubic = x + mp.mpf("0.044715") * x**3
    return x * _logistic(mp, 2 * mp.sqrt(2 / mp.pi) * cubic)


def _selu(mp: Context, x: Number) -> Number:
    scale, alpha = mp.mpf("1.0507009873554804934193349852946"), mp.mpf("1.6732632423543772848170429916717")
    return scale * (x if x > 0 else alpha * mp.expm1(x))


ACTIVATIONS: dict[str, Elementwise] = {
    "identity": Elementwise(lambda mp, x: x),
    "relu": Elementwise(lambda mp, x: max(x, mp.zero), {0.0: 0.0}),
    "leaky_relu": Elementwise(
        lambda mp, x, negative_slope=0.01: x if x > 0 else negative_slope * x,
        lambda negative_slope: {0.0: negative_slope},
    ),
    "prelu": Elementwise(lambda mp, x, alpha=0.25: x if x > 0 else alpha * x, lambda alpha: {0.0: alpha}),
    "relu6": Elementwise(lambda mp, x: _clip(x, mp.zero, mp.mpf(6)), {0.0: 0.0, 6.0: 0.0}),
    "relu_squared": Elementwise(lambda mp, x: max(x, mp.zero) ** 2),
    "threshold": Elementwise(
        lambda mp, x, threshold=0.0, value=0.0: x if x > threshold else mp.mpf(value),
        lambda threshold, value: {threshold: 0.0},
    ),
    "step": Elementwise(lambda mp, x: mp.mpf(x > 0), {0.0: 0.0}),
    "hard_sigmoid": Elementwise(lambda mp, x: _clip(x / 6 + 0.5, mp.zero, mp.one), {-3.0: 0.0, 3.0: 0.0}),
    "hard_tanh": Elementwise(lambda mp, x: _clip(x, -mp.one, mp.one), {-1.0: 0.0, 1.0: 0.0}),
    "hard_swish": Elementwise(
        lambda mp, x: x * _clip(x / 6 + 0.5, mp.zero, mp.one), {-3.0: 0.0, 3.0: 1.0}, at_minus_inf=0.0
    ),
    "softshrink": Elementwise(
        lambda mp, x, lambd=0.5: x - _clip(x, mp.mpf(-lambd), mp.mpf(lambd)),
        lambda lambd: {-lambd: 0.0, lambd: 0.0},
    ),
    "hardshrink": Elementwise(
        lambda mp, x, lambd=0.5: x if abs(x) > lambd else mp.zero, lambda lambd: {-lambd: 0.0, lambd: 0.0}
    ),
    "sparse_plus": Elementwise(lambda mp, x: (_clip(x, -mp.one, mp.one) + 1) ** 2 / 4 + max(x - 1, mp.zero)),
    "sparse_sigmoid": Elementwise(lambda mp, x: _clip((x + 1) / 2, mp.zero, mp.one), {-1.0: 0.0, 1.0: 0.0}),
    "elu": Elementwise(
        lambda mp, x, alpha=1.0: x if x > 0 else alpha * mp.expm1(x), lambda alpha: {0.0: alpha}
    ),
    "selu": Elementwise(_selu, {0.0: 1.0507009873554804934 * 1.6732632423543772848}),
    "celu": Elementwise(lambda mp, x, alpha=1.0: x if x > 0 else alpha * mp.expm1(x / alpha)),
    "exponential": Elementwise(lambda mp, x: mp.exp(x)),
    "gaussian": Elementwise(lambda mp, x: mp.exp(-x * x)),
    "sine": Elementwise(lambda mp, x: mp.sin(x), slopes_settle=False),
    "sigmoid": Elementwise(_logistic),
    "log_sigmoid": Elementwise(lambda mp, x: -_log1pexp(mp, -x)),
    "tanh": Elementwise(lambda mp, x: mp.tanh(x)),
    "tanhshrink": Elementwise(lambda mp, x: x - mp.tanh(x)),
    "softsign": Elementwise(lambda mp, x: x / (1 + abs(x))),
    "softplus": Elementwise(_log1pexp),
    "squareplus": Elementwise(lambda mp, x, b=4.0: (x + mp.sqrt(x * x + b)) / 2, at_minus_inf=0.0),
    "gelu": Elementwise(_gelu),
    "silu": Elementwise(lambda mp, x: x * _logistic(mp, x)),
    "swish": Elementwise(lambda mp, x, beta=1.0: x * _logistic(mp, beta * x)),
    "mish": Elementwise(lambda mp, x: x * mp.tanh(_log1pexp(mp, x))),
    "erf": Elementwise(lambda mp, x: mp.erf(x)),
    "erfc": Elementwise(lambda mp, x: mp.erfc(x)),
}
"""One row each. A new activation starts here, apart from its code."""


def _softmax(mp: Context, x: Sequence[Number]) -> list[Number]:
    total = sum(mp.exp(v) for v in x)
    return [mp.exp(v) / total for v in x]


def _glu(mp: Context, x: Sequence[Number]) -> list[Number]:
    half = len(x) // 2
    return [a * _logistic(mp, b) for a, b in zip(x[:half], x[half:], strict=True)]


AXIS: dict[str, Callable[..., list[Number]]] = {
    "softmax": _softmax,
    "log_softmax": lambda mp, x: [v - mp.log(sum(mp.exp(w) for w in x)) for v in x],
    "softmin": lambda mp, x: _softmax(mp, [-v for v in x]),
    "glu": _glu,
}
"""``f(mp, row)``."""


def _cross_entropy(
    mp: Context, o: Sequence[Number], q: Sequence[Number], label_smoothing: float, class_weights: Any
) -> Number:
    weights = class_weights or [1] * len(o)
    smooth = [p * (1 - label_smoothing) + mp.mpf(label_smoothing) / len(o) for p in q]
    return -sum(w * p * v for w, p, v in zip(weights, smooth, AXIS["log_softmax"](mp, o), strict=True))


def _mean_of(f: Callable[..., Number]) -> Callable[..., Number]:
    def loss(mp: Context, o: Sequence[Number], t: Sequence[Number], **options: Any) -> Number:
        return sum(f(mp, a, b, **options) for a, b in zip(o, t, strict=True)) / len(o)

    return loss


def _huber(mp: Context, o: Number, t: Number, delta: float) -> Number:
    r = abs(o - t)
    return r * r / 2 if r <= delta else delta * (r - mp.mpf(delta) / 2)


def _in_parts(parts: int, f: Callable[..., Number]) -> Callable[..., Number]:
    """The mean over targets of f(mp, the outputs of one of them, the target): outputs lie in so many parts (0: one a quantile)."""

    def loss(mp: Context, o: Sequence[Number], t: Sequence[Number], **options: Any) -> Number:
        each = parts or len(options["quantiles"])
        own = ([o[i * len(t) + j] for i in range(each)] for j in range(len(t)))
        return sum(f(mp, a, b, **options) for a, b in zip(own, t, strict=True)) / len(t)

    return loss


def _pinball(mp: Context, o: Sequence[Number], t: Number, quantiles: Sequence[float]) -> Number:
    return sum(max(q * (t - v), (q - 1) * (t - v)) for q, v in zip(quantiles, o, strict=True)) / len(o)


def _normal_nll(mp: Context, o: Sequence[Number], t: Number) -> Number:
    m, s = o
    return -mp.log(mp.npdf(t, m, mp.exp(s)))


def _student_nll(mp: Context, o: Sequence[Number], t: Number, df: float) -> Number:
    m, s = o
    v = mp.mpf(df)
    density = mp.gamma((v + 1) / 2) / mp.gamma(v / 2) / mp.sqrt(mp.pi * v) / mp.exp(s)
    return -mp.log(density * (1 + ((t - m) / mp.exp(s)) ** 2 / v) ** (-(v + 1) / 2))


def _mixture_nll(mp: Context, o: Sequence[Number], t: Sequence[Number], components: int) -> Number:
    k, d = components, len(t)
    weights = AXIS["softmax"](mp, o[:k])
    total = mp.zero
    for j, weight in enumerate(weights):
        means, scales = o[k + j * d : k + (j + 1) * d], o[k + (k + j) * d : k + (k + j + 1) * d]
        for m, s, own in zip(means, scales, t, strict=True):
            weight = weight * mp.npdf(own, m, mp.exp(s))
        total += weight
    return -mp.log(total) / d


def _focal(
    mp: Context, o: Sequence[Number], q: Sequence[Number], gamma: float, class_weights: Sequence[float] | None
) -> Number:
    weights = class_weights or [1] * len(o)
    chances = AXIS["softmax"](mp, o)
    return -sum(w * p * (1 - c) ** gamma * mp.log(c) for w, p, c in zip(weights, q, chances, strict=True))


def _binary_focal(mp: Context, o: Number, t: Number, gamma: float, alpha: float | None) -> Number:
    x = o if t else -o
    weight = 1 if alpha is None else alpha if t else 1 - alpha
    return weight * (1 / (1 + mp.exp(x))) ** gamma * _log1pexp(mp, -x)


def _ordinal(mp: Context, o: Sequence[Number], t: Sequence[Number]) -> Number:
    return sum(_log1pexp(mp, -v if t[0] > i else v) for i, v in enumerate(o)) / len(o)


LOSSES: dict[str, Callable[..., Number]] = {
    "cross_entropy": _cross_entropy,
    "binary_cross_entropy": _mean_of(lambda mp, o, t: t * _log1pexp(mp, -o) + (1 - t) * _log1pexp(mp, o)),
    "hinge": _mean_of(lambda mp, o, t: max(mp.zero, 1 - (o if t > 0 else -o))),
    "mse": _mean_of(lambda mp, o, t: (o - t) ** 2),
    "mae": _mean_of(lambda mp, o, t: abs(o - t)),
    "huber": _mean_of(_huber),
    "log_cosh": _mean_of(lambda mp, o, t: _log1pexp(mp, -2 * abs(o - t)) + abs(o - t) - mp.ln2),
    "poisson": _mean_of(lambda mp, o, t: mp.exp(o) - t * o),
    "quantile": _in_parts(0, _pinball),
    "gaussian_nll": _in_parts(2, _normal_nll),
    "student_nll": _in_parts(2, _student_nll),
    "mixture_nll": _mixture_nll,
    "focal": _focal,
    "binary_focal": _mean_of(_binary_focal),
    "ordinal": _ordinal,
}
"""``f(mp, outputs of one example, its targets, **options)``; class labels are given one-hot."""

_INF = float("inf")
LOSS_LIMITS: dict[str, Sequence[tuple[tuple[float, ...], Any, float, tuple[float, ...]]]] = {
    "cross_entropy": [((-_INF, 0.0), 1, 0.0, (0.0, 0.0)), ((-_INF, 0.0), 0, _INF, (-1.0, 1.0))],
    "binary_cross_entropy": [
        ((_INF,), (0.0,), _INF, (1.0,)), ((_INF,), (1.0,), 0.0, (0.0,)), ((_INF,), (0.25,), _INF, (0.75,)),
        ((-_INF,), (0.0,), 0.0, (0.0,)), ((-_INF,), (1.0,), _INF, (-1.0,)), ((-_INF,), (0.25,), _INF, (-0.25,)),
    ],
    "hinge": [
        ((_INF,), (1.0,), 0.0, (0.0,)), ((-_INF,), (1.0,), _INF, (-1.0,)),
        ((_INF,), (0.0,), _INF, (1.0,)), ((-_INF,), (0.0,), 0.0, (0.0,)),
    ],
    "mse": [((_INF,), (0.0,), _INF, (_INF,)), ((-_INF,), (0.0,), _INF, (-_INF,))],
    "mae": [((_INF,), (0.0,), _INF, (1.0,)), ((-_INF,), (0.0,), _INF, (-1.0,))],
    "huber": [((_INF,), (0.0,), _INF, (1.0,)), ((-_INF,), (0.0,), _INF, (-1.0,))],
    "log_cosh": [((_INF,), (0.0,), _INF, (1.0,)), ((-_INF,), (0.0,), _INF, (-1.0,))],
    "quantile": [((_INF,), (0.0,), _INF, (0.5,)), ((-_INF,), (0.0,), _INF, (-0.5,))],
    "ordinal": [((_INF,), 0, _INF, (1.0,)), ((_INF,), 1, 0.0, (0.0,)), ((-_INF,), 0, 0.0, (0.0,)), ((-_INF,), 1, _INF, (-1.0,))],
    "poisson": [
        ((_INF,), (0.0,), _INF, (_INF,)), ((_INF,), (1.0,), _INF, (_INF,)),
        ((-_INF,), (0.0,), 0.0, (0.0,)), ((-_INF,), (1.0,), _INF, (-1.0,)),
    ],
}  # fmt: skip
"""With the defaults of the options: outputs of one example, its target, the loss and its gradient, as limits."""

State = dict[str, Number]


def _sgd(mp: Context, p: Number, g: Number, s: State, t: int, c: Any) -> Number:
    if not c["momentum"]:
        return p - c["learning_rate"] * g
    s["u"] = c["momentum"] * s.get("u", 0) + g
    return p - c["learning_rate"] * (g + c["momentum"] * s["u"] if c["nesterov"] else s["u"])


def _adagrad(mp: Context, p: Number, g: Number, s: State, t: int, c: Any) -> Number:
    s["s"] = s.get("s", c["initial_accumulator"]) + g * g
    return p - c["learning_rate"] * g / _root(mp, s["s"], c)


def _root(mp: Context, squares: Number, c: Any) -> Number:
    return mp.sqrt(squares + c["eps"]) if c["eps_in_sqrt"] else mp.sqrt(squares) + c["eps"]


def _rmsprop(mp: Context, p: Number, g: Number, s: State, t: int, c: Any) -> Number:
    s["s"] = c["rho"] * s.get("s", mp.zero) + (1 - mp.mpf(c["rho"])) * g * g
    direction = g / _root(mp, s["s"], c)
    s["u"] = c["momentum"] * s.get("u", mp.zero) + direction
    return p - c["learning_rate"] * s["u"]


def _moments(mp: Context, g: Number, s: State, c: Any) -> tuple[Number, Number, Number, Number]:
    b1, b2 = mp.mpf(c["beta1"]), mp.mpf(c["beta2"])
    s["m"] = b1 * s.get("m", mp.zero) + (1 - b1) * g
    s["v"] = b2 * s.get("v", mp.zero) + (1 - b2) * g * g
    return s["m"], s["v"], b1, b2


def _adam(mp: Context, p: Number, g: Number, s: State, t: int, c: Any) -> Number:
    m, v, b1, b2 = _moments(mp, g, s, c)
    if c["eps_hat"]:
        return p - c["learning_rate"] * mp.sqrt(1 - b2**t) / (1 - b1**t) * m / (mp.sqrt(v) + c["eps"])
    return p - c["learning_rate"] * (m / (1 - b1**t)) / (mp.sqrt(v / (1 - b2**t)) + c["eps"])


def _nadam(mp: Context, p: Number, g: Number, s: State, t: int, c: Any) -> Number:
    m, v, b1, b2 = _moments(mp, g, s, c)
    ahead = b1 * m / (1 - b1 ** (t + 1)) + (1 - b1) * g / (1 - b1**t)
    return p - c["learning_rate"] * ahead / (mp.sqrt(v / (1 - b2**t)) + c["eps"])


def _lion(mp: Context, p: Number, g: Number, s: State, t: int, c: Any) -> Number:
    m = s.get("m", mp.zero)
    b1, b2 = mp.mpf(c["beta1"]), mp.mpf(c["beta2"])
    direction = mp.sign(b1 * m + (1 - b1) * g)
    s["m"] = b2 * m + (1 - b2) * g
    return p - c["learning_rate"] * direction


OPTIMIZERS: dict[str, Callable[..., Number]] = {
    "sgd": _sgd,
    "adagrad": _adagrad,
    "rmsprop": _rmsprop,
    "adam": _adam,
    "adamw": _adam,
    "nadam": _nadam,
    "lion": _lion,
}
"""``f(mp, p, g, state, t, options) -> new p``, updating ``state``; the first t is 1. Decay is not in here."""

DECOUPLED_DECAY = ("adamw", "lion")
"""Those whose weight decay shrinks the parameter instead of adding to the gradient."""

VARIANCES: dict[str, Callable[[int, int], float]] = {
    "glorot_uniform": lambda fan_in, fan_out: 2 / (fan_in + fan_out),
    "glorot_normal": lambda fan_in, fan_out: 2 / (fan_in + fan_out),
    "he_uniform": lambda fan_in, fan_out: 2 / fan_in,
    "he_normal": lambda fan_in, fan_out: 2 / fan_in,
    "lecun_uniform": lambda fan_in, fan_out: 1 / fan_in,
    "lecun_normal": lambda fan_in, fan_out: 1 / fan_in,
}
"""Of initial weights, by fan-in and fan-out."""


def threefry2x32(key: tuple[int, int], counter: tuple[int, int]) -> tuple[int, int]:
    """Threefry-2x32, 20 rounds, on Python integers: Salmon et al., SC'11.

    Examples
    --------
    The known answer of the Random123 distribution for zeros:

    >>> from multimlp.parity.textbook import threefry2x32
    >>> [hex(word) for word in threefry2x32((0, 0), (0, 0))]
    ['0x6b200159', '0x99ba4efe']
    """
    mask = 0xFFFFFFFF
    rotations = (13, 15, 26, 6, 17, 29, 16, 24)
    schedule = (*key, key[0] ^ key[1] ^ 0x1BD11BDA)
    x0, x1 = (counter[0] + key[0]) & mask, (counter[1] + key[1]) & mask
    for r in range(20):
        x0 = (x0 + x1) & mask
        turn = rotations[r % 8]
        x1 = ((x1 << turn | x1 >> (32 - turn)) & mask) ^ x0
        if r % 4 == 3:
            block = r // 4 + 1
            x0 = (x0 + schedule[block % 3]) & mask
            x1 = (x1 + schedule[(block + 1) % 3] + block) & mask
    return x0, x1
