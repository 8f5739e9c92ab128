"""A slice of the batch on its way forward through the network and back: one task of a step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from multimlp.activations import Activation
from multimlp.backend import Array, Call, Kernels, array_namespace
from multimlp.training.engines.base import Chunk
from multimlp.training.engines.inplace.heads import Head
from multimlp.training.engines.inplace.layers import Hidden, hidden_layer
from multimlp.training.engines.inplace.layout import Block


class Arrays(NamedTuple):
    """What the slices of a batch share: each works on its own columns."""

    inputs: Array
    """The data of a block, shape (steps, batch, inputs + 1)."""
    layers: Sequence[Array]
    """The inputs of all layers but the first, shape (..., width + 1, batch)."""
    signals: Sequence[Array]
    """The gradients in the outputs of all layers, shape (..., width, batch)."""
    factors: Sequence[Array]
    """Of dropout, shaped as the hidden layers' outputs; empty without."""


class Pass:
    """A slice of the batch.

    Parameters
    ----------
    kernels : Kernels
    rules : sequence of Activation
    blocks : sequence of Block
        The layers' places in the flat parameters.
    gradients : sequence of Block or None
        Those in the flat gradient; None if the gradient is made from the whole batch afterwards, so that what it is made of is kept.
    arrays : Arrays
    columns : slice
        The slice's examples.
    head : Head
        For these examples.
    """

    def __init__(
        self,
        kernels: Kernels,
        rules: Sequence[Activation],
        blocks: Sequence[Block],
        gradients: Sequence[Block] | None,
        arrays: Arrays,
        columns: slice,
        head: Head,
    ) -> None:
        self._kernels, self._blocks, self._gradients = kernels, blocks, gradients
        self._inputs, self._columns, self.head = arrays.inputs, columns, head
        self._signals = [signal[..., columns] for signal in arrays.signals]
        layers = [layer[..., columns] for layer in arrays.layers]
        factors = [factor[..., columns] for factor in arrays.factors]
        self._forward: list[Call] = []  # all but the first product, which reads the step's own data
        self._backward: list[Call] = []  # all but the last product, likewise
        below = None
        for i, signal in enumerate(self._signals):
            if i < len(layers):
                outputs = layers[i][..., : signal.shape[-2], :]
                hidden = hidden_layer(
                    kernels, rules[i], outputs, signal, factors[i] if factors else None, gradients is not None
                )
            else:
                hidden = Hidden(kernels.zeros(signal.shape), [], [])
            if below is None:
                self._first = hidden.z
            else:
                self._forward.append(kernels.product(kernels.transposed(blocks[i].matrix), below, hidden.z))
                self._backward = [
                    *self._gradient(i, below),
                    kernels.product(blocks[i].weight, signal, self._signals[i - 1]),
                    *self._backward,
                ]
            self._forward += hidden.forward
            self._backward = hidden.backward + self._backward
            below = layers[i] if i < len(layers) else None
            self._outputs = hidden.z

    def load(self, chunk: Chunk, rows: Array, steps: int) -> None:
        """Take the data of a block of steps from the ``rows`` of whole batches."""
        kernels, fan_in = self._kernels, chunk.inputs.shape[1]
        of_steps = rows.reshape((steps, self._inputs.shape[1]))
        mine = of_steps[:, self._columns]
        if self._gradients is not None:  # all columns
            flat = self._inputs[:steps].reshape((rows.shape[0], self._inputs.shape[-1]))
            kernels.gather(chunk.inputs, rows, flat[:, :fan_in])
        else:
            for step in range(steps):
                kernels.gather(chunk.inputs, mine[step], self._inputs[step, self._columns, :fan_in])
        xp = array_namespace(chunk.inputs)
        weights = None
        if chunk.weights is not None:
            weights = xp.reshape(xp.take(chunk.weights, rows, axis=0), of_steps.shape)
            weights = (weights / xp.sum(weights, axis=1, keepdims=True))[:, self._columns]
        self.head.load(xp.take(chunk.targets, mine.reshape((-1,)), axis=0), weights)

    def calls(self, position: int) -> list[Call]:
        """Those of the ``position``-th step of a block."""
        kernels = self._kernels
        x = kernels.transposed(self._inputs[position, self._columns])
        return [
            kernels.product(kernels.transposed(self._blocks[0].matrix), x, self._first),
            *self._forward,
            self.head.step(position, self._outputs, self._signals[-1]),
            *self._backward,
            *self._gradient(0, x),
        ]

    def _gradient(self, layer: int, inputs: Array) -> list[Call]:
        if self._gradients is None:
            return []
        signal = self._kernels.transposed(self._signals[layer])
        return [self._kernels.product(inputs, signal, self._gradients[layer].matrix)]
