"""Random numbers and initial weights: the same bits on every backend."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from multimlp import initializers, random, regularizers
from multimlp.backend import Array, Arrays, Backend, array_namespace
from multimlp.parity.cases import Aspect, Case, Compute
from multimlp.parity.formats import FORMATS, Format
from multimlp.parity.textbook import threefry2x32

SEED = 2**40 + 12345
KEY = np.asarray([SEED & 0xFFFFFFFF, SEED >> 32], dtype=np.uint32).view(np.int32)
COUNT = 33
RATE = 0.25
SHAPE = (24, 16)

RANGE = (-2.0, 3.0)
BITS, SPLIT, FOLD = 0, 1, 2
"""The second counter word, by purpose."""


def words(seed: int, count: int) -> np.ndarray:
    """The random words of a key, by the definition: block i gives word i of each half."""
    half = (count + 1) // 2
    blocks = [_block(seed, i, BITS) for i in range(half)]
    return np.asarray([b[0] for b in blocks] + [b[1] for b in blocks], dtype=np.uint64)[:count]


def _block(seed: int, i: int, purpose: int) -> tuple[int, int]:
    return threefry2x32((seed & 0xFFFFFFFF, seed >> 32), (i, purpose))


def _signed(found: object) -> np.ndarray:
    return np.asarray(found, dtype=np.uint64).astype(np.uint32).view(np.int32).astype(np.float64)


def _order() -> np.ndarray:
    """Of `permutation`: so few rows take one round of sorting by words of a key folded in."""
    low, high = _block(SEED, 0, FOLD)
    order: np.ndarray = np.argsort(_signed(words(low | high << 32, COUNT)), kind="stable").astype(np.float64)
    return order


def _normal(form: Format) -> Compute:
    """Box and Muller's formula on the exact uniform numbers; in 16 bits on those of float32."""
    half = (COUNT + 1) // 2
    u = uniform(form if form.name == "float64" else FORMATS["float32"], 2 * half)

    def compute(oracle: Backend, arrays: Arrays) -> Array:
        xp = oracle.xp
        first, second = oracle.asarray(u[:half]), oracle.asarray(u[half:])
        radius, angle = xp.sqrt(-2 * xp.log(1 - first)), second * (2 * xp.pi)
        return xp.concat([radius * xp.cos(angle), radius * xp.sin(angle)])[:COUNT]

    return compute


def _leading(found: np.ndarray, count: int) -> np.ndarray:
    return (found >> np.uint64(32 - count)).astype(np.float64)


def uniform(form: Format, count: int) -> np.ndarray:
    """The numbers of `multimlp.random.uniform`, by the definition."""
    if form.name == "float64":
        found = words(SEED, 2 * count)
        return _leading(found[:count], 26) * 2.0**-26 + _leading(found[count:], 27) * 2.0**-53
    return _leading(words(SEED, count), form.digits) * 2.0**-form.digits


def _kept(rate: float, count: int) -> np.ndarray:
    """Dropout's mask: the word, signed, is below the threshold of the probability."""
    return _signed(words(SEED, count)) < round((1 - rate) * 2**32) - 2**31


def cases(form: Format, quick: bool) -> Iterator[Case]:
    """Each with the key in the data's place, so that compilers see it as an argument."""
    x = form.round(np.random.default_rng(61).normal(size=COUNT))
    mask = _kept(RATE, COUNT)
    # A multiplication of its own is no part of the mask: one by 1 / (1 - 1/4), in the format, is allowed for.
    known: dict[str, tuple[Compute, Compute | np.ndarray]] = {
        "random.bits": (_drawn(lambda k, x, f: random.bits(k, (COUNT,)), form), _signed(words(SEED, COUNT))),
        "random.split": (
            _drawn(lambda k, x, f: random.split(k, 3), form),
            _signed([_block(SEED, i, SPLIT) for i in range(3)]),
        ),
        "random.fold_in": (
            _drawn(lambda k, x, f: random.fold_in(k, 5), form),
            _signed(_block(SEED, 5, FOLD)),
        ),
        "random.permutation": (_drawn(lambda k, x, f: random.permutation(k, COUNT), form), _order()),
        "random.uniform(minval, maxval)": (
            _drawn(lambda k, x, f: random.uniform(k, (COUNT,), f, *RANGE), form),
            RANGE[0] + uniform(form, COUNT) * (RANGE[1] - RANGE[0]),
        ),
        "random.normal": (_drawn(lambda k, x, f: random.normal(k, (COUNT,), f), form), _normal(form)),
        "random.uniform": (
            _drawn(lambda k, x, f: random.uniform(k, (COUNT,), f), form),
            uniform(form, COUNT),
        ),
        "random.bernoulli": (
            _drawn(lambda k, x, f: random.bernoulli(k, 1 - RATE, (COUNT,)), form),
            mask * 1.0,
        ),
        "dropout": (
            _drawn(lambda k, x, f: regularizers.dropout(x, k, RATE), form),
            np.where(mask, x / (1 - RATE), 0.0),
        ),
    }
    for name, (compute, reference) in known.items():
        yield Case(name, "random", (KEY, x), (Aspect("value", compute),), {"value": reference})
    if form.name in ("float64", "float32"):
        from multimlp.parity import distributions  # of mpmath, which only reports need

        for name, draw, arrays, expected in distributions.rows((SEED & 0xFFFFFFFF, SEED >> 32), form):
            yield Case(
                name,
                "random",
                (KEY, *arrays),
                (Aspect("value", _of_distribution(draw, form)),),
                {"value": np.asarray([float(x) for x in expected])},
            )
    for name in initializers.names():
        host = initializers.get(name)(random.host_generator(7, 0, 0), SHAPE)
        truth = form.round(host)
        yield Case(
            name,
            "initializer",
            (x,),
            (Aspect("value", _placed(host, form), eager_only=True),),
            {"value": truth},
        )


def _drawn(function: Callable[[Array, Array, str], Array], form: Format) -> Compute:
    def compute(backend: Backend, arrays: Arrays) -> Array:
        result = function(arrays[0], arrays[1], form.name)
        xp = array_namespace(result)
        return xp.astype(result, xp.int32) if xp.isdtype(result.dtype, "bool") else result

    return compute


def _of_distribution(draw: Callable[..., Array], form: Format) -> Compute:
    def compute(backend: Backend, arrays: Arrays) -> Array:
        result = draw(arrays[0], form.name, *arrays[1:])
        return array_namespace(result).reshape(result, (-1,))

    return compute


def _placed(host: np.ndarray, form: Format) -> Compute:
    """What `MLP.init` does with initial weights."""
    return lambda backend, arrays: backend.asarray(host, dtype=form.name)
