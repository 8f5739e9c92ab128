"""Random numbers and initial weights: the same bits on every backend."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from multimlp import initializers, random, regularizers
from multimlp.backend import Array, Arrays, Backend, array_namespace
from multimlp.parity.cases import Aspect, Case, Compute
from multimlp.parity.formats import Format
from multimlp.parity.textbook import threefry2x32

SEED = 2**40 + 12345
COUNT = 33
RATE = 0.25
SHAPE = (24, 16)


def words(seed: int, count: int) -> np.ndarray:
    """The random words of a key, by the definition: block i gives word i of each half."""
    key = (seed & 0xFFFFFFFF, seed >> 32)
    half = (count + 1) // 2
    blocks = [threefry2x32(key, (i, 0)) for i in range(half)]
    return np.asarray([b[0] for b in blocks] + [b[1] for b in blocks], dtype=np.uint64)[:count]


def _leading(found: np.ndarray, count: int) -> np.ndarray:
    return (found >> np.uint64(32 - count)).astype(np.float64)


def _uniform(form: Format, count: int) -> np.ndarray:
    if form.name == "float64":
        found = words(SEED, 2 * count)
        return _leading(found[:count], 26) * 2.0**-26 + _leading(found[count:], 27) * 2.0**-53
    return _leading(words(SEED, count), form.digits) * 2.0**-form.digits


def _kept(rate: float, count: int) -> np.ndarray:
    """Dropout's mask: the word, signed, is below the threshold of the probability."""
    signed = words(SEED, count).astype(np.uint32).view(np.int32).astype(np.float64)
    return signed < round((1 - rate) * 2**32) - 2**31


def cases(form: Format, quick: bool) -> Iterator[Case]:
    """Each with the key in the data's place, so that compilers see it as an argument."""
    key = np.asarray([SEED & 0xFFFFFFFF, SEED >> 32], dtype=np.uint32).view(np.int32)
    x = form.round(np.random.default_rng(61).normal(size=COUNT))
    signed = words(SEED, COUNT).astype(np.uint32).view(np.int32).astype(np.float64)
    mask = _kept(RATE, COUNT)
    # A multiplication of its own is no part of the mask: one by 1 / (1 - 1/4), in the format, is allowed for.
    known: dict[str, tuple[Compute, np.ndarray]] = {
        "random.bits": (_drawn(lambda k, x, f: random.bits(k, (COUNT,)), form), signed),
        "random.uniform": (
            _drawn(lambda k, x, f: random.uniform(k, (COUNT,), f), form),
            _uniform(form, COUNT),
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
    for name, (compute, truth) in known.items():
        yield Case(name, "random", (key, x), (Aspect("value", compute),), {"value": truth})
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


def _placed(host: np.ndarray, form: Format) -> Compute:
    """What `MLP.init` does with initial weights."""
    return lambda backend, arrays: backend.asarray(host, dtype=form.name)
