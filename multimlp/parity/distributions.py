"""The draws of distributions, each by its definition from the words of the generator, in numbers of 50 digits."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias

import mpmath
import numpy as np

from multimlp import random
from multimlp.backend import Array
from multimlp.parity.formats import Format
from multimlp.parity.textbook import threefry2x32

COUNT = 17
SHAPES = (0.05, 0.4, 0.9, 1.0, 1.5, 12.0, 1e3, 1e6)
RATES = (0.0, 1e-8, 0.5, 9.0, 11.0, 300.0, 1e5, 1e9)
BOUNDS = ((-1.0, 2.0), (-9.0, -8.0), (0.5, float("inf")))
MEAN, COVARIANCE = (1.0, -2.0), ((2.0, 0.5), (0.5, 1.0))
CHANCES = (0.25, 0.0, 0.625, 0.125)
LOGITS = (0.5, -1.0, 2.0)

Key: TypeAlias = tuple[int, int]
Number: TypeAlias = Any
Row: TypeAlias = tuple[str, Callable[..., Array], tuple[np.ndarray, ...], Sequence[Number]]
"""A name, the draw of ``(key, dtype, *arrays)``, those arrays, and what it gives."""

_mp = mpmath.mp.clone()
_mp.dps = 50

_LATER, _CANDIDATES = 3, 16
"""Second counter words: of a draw's further numbers, and of its first candidate."""


def rows(key: Key, form: Format) -> Iterator[Row]:
    """In float64 and float32."""
    wide = form.name == "float64"
    shapes = form.round(np.asarray(SHAPES))
    known = [_mp.mpf(float(a)) for a in shapes]
    every = range(COUNT)
    for name, of_word, of_block in (
        ("exponential", lambda w: -_mp.log(_unit(w)), _exponential),
        ("laplace", _laplace, lambda block: (1 - 2 * (block[0] & 1)) * _exponential(block)),
        ("gumbel", lambda w: -_mp.log(-_mp.log(_unit(w))), lambda block: -_mp.log(_exponential(block))),
    ):
        draw = getattr(random, name)
        expected = [of_block(_block(key, i)) for i in every] if wide else [of_word(w) for w in _words(key)]
        yield f"random.{name}", lambda k, f, draw=draw: draw(k, (COUNT,), f), (), expected
    logs = [_log_gamma(key, i, a) for i, a in enumerate(known)]
    yield "random.gamma", lambda k, f, a: random.gamma(k, a), (shapes,), [_mp.exp(x) for x in logs]
    # Shapes so small that float64 has few digits of the logarithms are left to the tests.
    two = [(_derived(key, i), known[1:] if i == 0 else known[:0:-1]) for i in (0, 1)]
    pairs = zip(*([_log_gamma(k, i, a) for i, a in enumerate(of)] for k, of in two), strict=True)
    yield (
        "random.beta",
        lambda k, f, a, b: random.beta(k, a, b),
        (shapes[1:], shapes[:0:-1].copy()),
        [1 / (1 + _mp.exp(h - g)) for g, h in pairs],
    )
    parts = [[_mp.exp(_log_gamma(key, 3 * i + j, known[2 + j])) for j in range(3)] for i in range(5)]
    yield (
        "random.dirichlet",
        lambda k, f, a: random.dirichlet(k, a, (5,)),
        (shapes[2:5],),
        [x / sum(row) for row in parts for x in row],
    )
    yield (
        "random.student_t",
        lambda k, f, a: random.student_t(k, a),
        (shapes[3:],),
        [_student(key, i, df, wide) for i, df in enumerate(known[3:])],
    )
    for low, high in BOUNDS:
        yield (
            f"random.truncated_normal({low:g}, {high:g})",
            lambda k, f, low=low, high=high: random.truncated_normal(k, low, high, (COUNT,), f),
            (),
            [_truncated(key, i, low, high, wide) for i in every],
        )
    yield (
        "random.multivariate_normal",
        lambda k, f, m, c: random.multivariate_normal(k, m, c, (COUNT,)),
        (np.asarray(MEAN), np.asarray(COVARIANCE)),
        _multivariate(key),
    )
    yield from _integers(key)


def _integers(key: Key) -> Iterator[Row]:
    every = range(COUNT)
    uniform = [_wide(_block(key, i)) for i in every]
    rates = [_mp.mpf(x) for x in RATES]
    yield (
        "random.poisson",
        lambda k, f, a: random.poisson(k, a),
        (np.asarray(RATES),),
        [_poisson(key, i, rate) for i, rate in enumerate(rates)],
    )
    yield (
        "random.poisson of a number",
        lambda k, f: random.poisson(k, 40.0, (COUNT,)),
        (),
        [_inverted(lambda n: _mp.exp(-40) * _mp.mpf(40) ** n / _mp.factorial(n), u) for u in uniform],
    )
    yield (
        "random.randint",
        lambda k, f: random.randint(k, (COUNT,), -3, 9),
        (),
        [int(_mp.floor(_mp.mpf(w) * 12 / 2**32)) - 3 for w in _shifted(key)],
    )
    yield (
        "random.randint of two words",
        lambda k, f: random.randint(k, (COUNT,), -(10**9), 2 * 10**9),
        (),
        [int(_mp.floor(u * 3 * 10**9)) - 10**9 for u in uniform],
    )
    yield (
        "random.choice",
        lambda k, f: random.choice(k, len(CHANCES), (COUNT,), p=CHANCES),
        (),
        [_inverted(lambda n: _mp.mpf(CHANCES[n]), u) for u in uniform],
    )
    total = sum(_mp.exp(x) for x in LOGITS)
    yield (
        "random.categorical",
        lambda k, f, x: random.categorical(k, x, (COUNT,)),
        (np.asarray(LOGITS),),
        [_inverted(lambda n: _mp.exp(LOGITS[n]) / total, u) for u in uniform],
    )


# ---- words ---------------------------------------------------------------------------------------------------------------


def _block(key: Key, i: int, purpose: int = 0) -> tuple[int, int]:
    first, second = threefry2x32(key, (i, purpose))
    return first, second


def _words(key: Key) -> list[int]:
    half = (COUNT + 1) // 2
    blocks = [_block(key, i) for i in range(half)]
    return [b[0] for b in blocks] + [b[1] for b in blocks][: COUNT - half]


def _shifted(key: Key) -> list[int]:
    """The words, signed, from the least on."""
    return [(w + 2**31) % 2**32 for w in _words(key)]


def _derived(key: Key, i: int) -> Key:
    """Of `random.split`."""
    return _block(key, i, 1)


def _signed(word: int) -> Number:
    return (_mp.mpf((word + 2**31) % 2**32 - 2**31) + 0.5) / 2**31


def _unit(word: int) -> Number:
    return (_signed(word) + 1) / 2


def _wide(block: tuple[int, int]) -> Number:
    return (_mp.mpf(block[0] >> 6) * 2**27 + (block[1] >> 5)) / 2**53


# ---- numbers -------------------------------------------------------------------------------------------------------------


def _exponential(block: tuple[int, int]) -> Number:
    return -_mp.log(1 - _wide(block))


def _laplace(word: int) -> Number:
    v = _signed(word)
    return -_mp.sign(v) * _mp.log(abs(v))


def _log_gamma(key: Key, i: int, a: Number) -> Number:
    """Marsaglia and Tsang's, by a ratio of uniform numbers."""
    d = (a if a >= 1 else a + 1) - _mp.mpf(1) / 3
    for candidate in range(20):
        high, low = _block(key, i, _CANDIDATES + candidate)
        u, v = _unit(high), _signed(low)
        z = v / (u * 149 / 128)
        t = 1 + z / _mp.sqrt(9 * d)
        if t > 0 and 2 * _mp.log(u) <= d * (3 * _mp.log(t) - t**3 + 1):
            boost = 0 if a >= 1 else _exponential(_block(key, i, _LATER)) / a
            return _mp.log(d) + 3 * _mp.log(t) - boost
    raise AssertionError("20 candidates rejected")


def _student(key: Key, i: int, df: Number, wide: bool) -> Number:
    block = _block(key, i)
    if wide:
        e, w = _exponential(block), 2 * _wide(_block(key, i, _LATER)) - 1 + _mp.mpf(2) ** -53
    else:
        e, w = -_mp.log(_unit(block[0])), _signed(block[1])
    return _mp.sqrt(df * _mp.expm1(2 * e / df)) * _mp.sin(_mp.pi * w / 2)


def _truncated(key: Key, i: int, low: float, high: float, wide: bool) -> Number:
    block = _block(key, i)
    u = _wide(block) if wide else _unit(block[0])
    below = _mp.ncdf(low) * (1 - u) + _mp.ncdf(high) * u
    return _mp.sqrt(2) * _mp.erfinv(2 * below - 1)


def _multivariate(key: Key) -> list[Number]:
    size = 2 * COUNT
    half = size // 2
    u = [_wide(_block(key, i)) for i in range(2 * half)]
    radii = [_mp.sqrt(-2 * _mp.log(1 - x)) for x in u[:half]]
    z = [r * _mp.cos(2 * _mp.pi * x) for r, x in zip(radii, u[half:], strict=True)]
    z += [r * _mp.sin(2 * _mp.pi * x) for r, x in zip(radii, u[half:], strict=True)]
    factor = _mp.cholesky(_mp.matrix(COVARIANCE))
    vectors = [(z[2 * i], z[2 * i + 1]) for i in range(COUNT)]
    return [MEAN[row] + sum(factor[row, j] * v[j] for j in range(2)) for v in vectors for row in range(2)]


def _inverted(chance: Callable[[int], Number], u: Number) -> int:
    """The first number whose distribution function is above u."""
    n, total = 0, chance(0)
    while total <= u:
        n += 1
        total += chance(n)
    return n


def _poisson(key: Key, i: int, rate: Number) -> int:
    if rate < 10:
        return _inverted(lambda n: _mp.exp(-rate) * rate**n / _mp.factorial(n), _wide(_block(key, i)))
    b = _mp.mpf("0.931") + _mp.mpf("2.53") * _mp.sqrt(rate)
    a = _mp.mpf("0.02483") * b - _mp.mpf("0.059")
    for candidate in range(19):
        high, low = _block(key, i, _CANDIDATES + candidate)
        u, v = _signed(high) / 2, _unit(low)
        us = 0.5 - abs(u)
        k = int(_mp.floor((2 * a / us + b) * u + rate + _mp.mpf("0.43")))
        height = _mp.log(v * (_mp.mpf("1.1239") + _mp.mpf("1.1328") / (b - _mp.mpf("3.4"))) / (a / us**2 + b))
        if k >= 0 and height <= k * _mp.log(rate) - rate - _mp.loggamma(k + 1):
            return k
    raise AssertionError("19 candidates rejected")
