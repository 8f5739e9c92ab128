"""Draws that are logarithms of uniform numbers: exponential, Laplace, Gumbel."""

from __future__ import annotations

import math
from collections.abc import Callable

from multimlp.backend import Array, Namespace, array_namespace, owner
from multimlp.random._elements import block, by_elements, centred, coin, exponential_of, positive, rounded
from multimlp.random._parameters import dtype_name
from multimlp.random._threefry import BITS, Shape, shape_of

OfWord = Callable[[Namespace, Array], Array]
OfBlock = Callable[[Namespace, Array, Array], Array]


def _drawn(key: Array, shape: Shape, dtype: object, of_word: OfWord, of_block: OfBlock) -> Array:
    """Elements of 32 random bits each, or of 64 in float64."""
    name, shape = dtype_name(key, dtype), shape_of(shape)
    size, backend = math.prod(shape), owner(key)
    draw, of, count = (
        (_from_blocks, of_block, size) if name == "float64" else (_from_words, of_word, (size + 1) // 2)
    )
    with backend.scope("float64"):
        drawn = by_elements(key, draw=draw, count=count, options=(of, name))
        return array_namespace(key).reshape(drawn[:size], shape)


def _from_words(
    key: Array, counter: Array, first: None, second: None, of_word: OfWord, dtype: str
) -> tuple[Array, ...]:
    xp = array_namespace(counter)
    return tuple(rounded(xp, of_word(xp, word), dtype) for word in block(key, counter, BITS))


def _from_blocks(
    key: Array, counter: Array, first: None, second: None, of_block: OfBlock, dtype: str
) -> tuple[Array, ...]:
    xp = array_namespace(counter)
    return (of_block(xp, *block(key, counter, BITS)),)


def exponential(key: Array, shape: Shape = (), dtype: object = "float32") -> Array:
    r"""Exponential numbers of mean 1, :math:`x = -\log u`, density :math:`e^{-x}` for :math:`x \ge 0`.

    Of rate :math:`r`: divide by it; the derivative in the rate is that of the quotient. The largest possible number is 22.9, in float64
    36.7; each is within an ulp of the exact logarithm on every library.

    Parameters
    ----------
    key : array, shape (2,), int32
    shape : sequence of int
    dtype : str or dtype
        ``"float32"``, ``"float64"``, ``"float16"`` or ``"bfloat16"``, or such a dtype of the key's library.

    Returns
    -------
    array of that shape and dtype, of the key's library and device

    References
    ----------
    Devroye, Non-uniform random variate generation (1986), II.2.

    Examples
    --------
    >>> from multimlp import random
    >>> random.exponential(random.key(0), (10000,)).mean().round(1)
    np.float32(1.0)
    """
    return _drawn(key, shape, dtype, _exponential_word, _exponential_block)


def _exponential_word(xp: Namespace, word: Array) -> Array:
    return -xp.log(positive(xp, word))


def _exponential_block(xp: Namespace, high: Array, low: Array) -> Array:
    return exponential_of(xp, (high, low))


def laplace(key: Array, shape: Shape = (), dtype: object = "float32") -> Array:
    r"""Laplace numbers of location 0 and scale 1, an exponential number with a random sign, density :math:`\frac12 e^{-|x|}`.

    Of location :math:`m` and scale :math:`b`: :math:`m + b x`, which is differentiated as it stands.

    Parameters
    ----------
    key, shape, dtype
        As for `exponential`.

    Returns
    -------
    array of that shape and dtype, of the key's library and device

    References
    ----------
    Devroye, Non-uniform random variate generation (1986), II.2.

    Examples
    --------
    >>> from multimlp import random
    >>> bool(abs(random.laplace(random.key(0), (10000,)).mean()) < 0.05)
    True
    """
    return _drawn(key, shape, dtype, _laplace_word, _laplace_block)


def _laplace_word(xp: Namespace, word: Array) -> Array:
    v = centred(xp, word)
    size = xp.abs(v)
    return -(v / size) * xp.log(size)


def _laplace_block(xp: Namespace, high: Array, low: Array) -> Array:
    return coin(xp, high) * exponential_of(xp, (high, low))


def gumbel(key: Array, shape: Shape = (), dtype: object = "float32") -> Array:
    r"""Standard Gumbel numbers, :math:`x = -\log(-\log u)`, distribution function :math:`\exp(-e^{-x})`.

    Of location :math:`m` and scale :math:`b`: :math:`m + b x`, which is differentiated as it stands. The largest possible number is 22.9,
    in float64 37.4.

    Parameters
    ----------
    key, shape, dtype
        As for `exponential`.

    Returns
    -------
    array of that shape and dtype, of the key's library and device
        Equal on all libraries to two units in the last place of max(1, abs(x)).

    References
    ----------
    Gumbel, Statistical theory of extreme values (1954).

    Examples
    --------
    >>> from multimlp import random
    >>> random.gumbel(random.key(0), (100000,)).mean().round(1)  # Euler's constant
    np.float32(0.6)
    """
    return _drawn(key, shape, dtype, _gumbel_word, _gumbel_block)


def _gumbel_word(xp: Namespace, word: Array) -> Array:
    return -xp.log(_exponential_word(xp, word))


def _gumbel_block(xp: Namespace, high: Array, low: Array) -> Array:
    e = exponential_of(xp, (high, low))
    return -xp.log(xp.maximum(e, xp.full_like(e, 2.0**-54)))  # 0 once in 2^53 draws
