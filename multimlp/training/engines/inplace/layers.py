"""What happens between two products: activation and dropout of a hidden layer, forward and backward."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from multimlp import activations, random
from multimlp.activations import Activation
from multimlp.backend import Array, Call, Kernels
from multimlp.distributed import Window
from multimlp.training.engines.own import FACTORS, WORDS


class Hidden(NamedTuple):
    """A hidden layer laid out."""

    z: Array
    """Where the product before it writes."""
    forward: list[Call]
    """From ``z`` to the inputs of the next layer."""
    backward: list[Call]
    """From the gradient in the next layer's inputs to the gradient in ``z``, in place."""


class Dropout:
    """Draws the masks of a step, with the keys that the model's own call would fold.

    Parameters
    ----------
    kernels : Kernels
    seed : int
    rates : sequence of float
        One a hidden layer.
    like : array
        Of the library and device.
    steps : int
        Of a block.
    own : mapping
        What members have for themselves; see `multimlp.training.engines.own`.
    window : Window, optional
        The rows of a batch that masks are for; all by default.
    """

    def __init__(
        self,
        kernels: Kernels,
        seed: int,
        rates: Sequence[float],
        like: Array,
        steps: int,
        own: Mapping[str, np.ndarray],
        window: Window | None = None,
    ) -> None:
        self._kernels, self._keep = kernels, [1.0 - rate for rate in rates]
        self._window = None if window is None else (window.start, window.rows)
        self._own: tuple[Array, Array] | None = None
        if WORDS in own:
            words, factors = (own[name][:, None, None] for name in (WORDS, FACTORS))
            place = kernels.backend.asarray
            self._own = (
                place(words, dtype="int32", device=kernels.device),
                place(factors, dtype=kernels.dtype, device=kernels.device),
            )
        self._base = self._key = random.key(seed, like=like)
        self._first = 0
        self._numbers: Array | None = None
        if kernels.recorder is not None:
            self._numbers = self._of(np.zeros(steps))

    def prepare(self, first: int, steps: int) -> None:
        """Before so many steps, the first of which has this number, counted over the whole run."""
        self._first = first
        if self._numbers is not None:
            self._numbers[:steps] = self._of(np.arange(first, first + steps))

    def begin(self, position: int) -> None:
        """At the beginning of the ``position``-th of the steps prepared."""
        number = self._first + position if self._numbers is None else self._numbers[position, ...]
        self._key = random.fold_in(self._base, number)

    def _of(self, numbers: np.ndarray) -> Array:
        return self._kernels.backend.asarray(
            numbers.astype(np.int32), dtype="int32", device=self._kernels.device
        )

    def mask(self, layer: int, shape: Sequence[int]) -> tuple[Array, Call]:
        """An array (..., features, batch) of 0 and 1 / (1 - rate), and the call that draws it anew."""
        *lead, features, batch = shape
        keep = self._keep[layer]
        if self._own is None and keep == 1.0:
            return self._kernels.filled(shape, 1.0), lambda: None
        factors = self._kernels.zeros(shape)
        target = self._kernels.transposed(factors)

        def draw() -> None:
            target[...] = random.bernoulli(
                random.fold_in(self._key, layer),
                keep,
                (*lead, batch, features),
                window=self._window,
            )
            factors[...] /= keep

        if self._own is None:
            return factors, draw
        words, of_kept = self._own

        def cut() -> None:
            target[...] = random.bits(random.fold_in(self._key, layer), (batch, features)) <= words
            factors[...] *= of_kept

        return factors, cut


def hidden_layer(
    kernels: Kernels, rule: Activation, inputs: Array, signal: Array, factors: Array | None, spent: bool
) -> Hidden:
    """Lay out the activation of a hidden layer.

    Parameters
    ----------
    inputs : array, shape (..., width, batch)
        The next layer's inputs, which the activations become.
    signal : array, shape (..., width, batch)
        The gradient in ``inputs``, which becomes that in ``z``.
    factors : array, shape (..., width, batch), or None
        Of dropout.
    spent : bool
        Whether ``inputs`` are free for other use on the way back.
    """
    y = inputs if factors is None and spent else kernels.zeros(inputs.shape)
    z, forward, backward = _in_place(kernels, rule, y, signal) or _portable(kernels, rule, y, signal)
    if factors is not None:
        forward.append(kernels.times(y, factors, inputs))
        backward.insert(0, kernels.times(signal, factors, signal))
    elif not spent:
        forward.append(kernels.copying(y, inputs))
    return Hidden(z, forward, backward)


def _in_place(kernels: Kernels, rule: Activation, y: Array, signal: Array) -> Hidden | None:
    if rule.function is activations.identity:
        return Hidden(y, [], [])
    calls = kernels.activation(rule.function, y, signal, **dict(rule.bound))
    return None if calls is None else Hidden(y, [calls[0]], [calls[1]])


def _portable(kernels: Kernels, rule: Activation, y: Array, signal: Array) -> Hidden:
    """By the portable functions, which make temporaries; keeps ``z`` only where the output does not tell the
    derivative."""
    from_output = rule.derivative_from_output
    z = kernels.zeros(y.shape) if from_output is None else y

    def forward() -> None:
        y[...] = rule(z)

    def backward() -> None:
        slope = rule.derivative(z) if from_output is None else from_output(y)
        signal[...] *= slope

    return Hidden(z, [forward], [backward])
