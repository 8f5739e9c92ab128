"""What happens between two products: activation and dropout of a hidden layer, forward and backward."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from multimlp import activations, random
from multimlp.activations import Activation
from multimlp.backend import Array, Call, Kernels


class Hidden(NamedTuple):
    """A hidden layer laid out."""

    z: Array
    """Where the product before it writes."""
    forward: list[Call]
    """From ``z`` to the inputs of the next layer."""
    backward: list[Call]
    """From the gradient in the next layer's inputs to the gradient in ``z``, in place."""


class Dropout:
    """Draws the masks of a step, with the keys that the model's own call would fold."""

    def __init__(self, kernels: Kernels, seed: int, rate: float, like: Array) -> None:
        self._kernels, self._keep = kernels, 1.0 - rate
        self._base = self._key = random.key(seed, like=like)

    def begin(self, step: int) -> None:
        """Set the step, counted over the whole run."""
        self._key = random.fold_in(self._base, step)

    def mask(self, layer: int, shape: Sequence[int]) -> tuple[Array, Call]:
        """An array (..., features, batch) of 0 and 1 / (1 - rate), and the call that draws it anew."""
        *lead, features, batch = shape
        factors = self._kernels.zeros(shape)
        target = self._kernels.transposed(factors)

        def draw() -> None:
            target[...] = random.bernoulli(
                random.fold_in(self._key, layer), self._keep, (*lead, batch, features)
            )
            factors[...] /= self._keep

        return factors, draw


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
    calls = None if rule.bound else kernels.activation(rule.function, y, signal)
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
