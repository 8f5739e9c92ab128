"""The in-place primitives that the flat engine is made of, and what a library must bring to have one.

The engine lays a training step out once, as a list of calls without arguments that work on preallocated
arrays, and then only runs that list. `Kernels` makes these calls. Its methods work with any module that has
NumPy's functions with ``out=`` (NumPy, CuPy, and largely PyTorch); an adapter's own class, which it hands
out by `Backend.inplace_kernels`, replaces those for which it has something faster.

Arrays are feature-major: activations have shape (features, batch), or (members, features, batch) for an
ensemble, so that element-wise work and the reduction over classes run along contiguous rows of examples.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from multimlp._typing import Array
from multimlp.backend._contract import Backend

Call: TypeAlias = Callable[[], Any]
"""One piece of a step, everything bound."""
Scalars: TypeAlias = dict[str, float]
"""What ``Optimizer.scalars`` returns."""
FusedUpdate: TypeAlias = Callable[[Scalars, int], None]
"""One update, from the step's scalars and its number, 1 at the first."""


class UpdateRule(NamedTuple):
    """What a fused update is told of an optimiser."""

    name: str
    """The optimiser's: ``"adam"``, ``"sgd"``, ..."""
    options: Mapping[str, Any]
    decoupled: bool
    """Whether weight decay shrinks the parameters, rather than being added to the gradient."""


class Kernels:
    """Primitives on arrays of one library, dtype and device.

    Parameters
    ----------
    backend : Backend
    dtype : str
        ``"float32"`` or ``"float64"``.
    device : str or None
    module : module
        Where the functions with ``out=`` are.
    """

    chunk = 1 << 62
    """How many numbers of a flat buffer an element-wise rule takes at a time; bounded where caches count."""

    def __init__(self, backend: Backend, dtype: str, device: str | None, module: Any) -> None:
        self.backend, self.dtype, self.device, self.module = backend, dtype, device, module

    # ---- arrays

    def zeros(self, shape: Sequence[int]) -> Array:
        """A new array of zeros; its own memory."""
        return self.module.zeros(tuple(shape), dtype=self.backend.dtype(self.dtype))

    def filled(self, shape: Sequence[int], value: float) -> Array:
        array = self.zeros(shape)
        array[...] = value
        return array

    def transposed(self, x: Array) -> Array:
        """The view with the last two axes swapped."""
        return x.swapaxes(-1, -2)

    def copied(self, x: Array) -> Array:
        return x.copy()

    def indices(self, rows: np.ndarray) -> Array:
        """Row numbers from the host, as `gather` wants them."""
        return self.backend.asarray(rows, dtype="int64", device=self.device)

    def gather(self, source: Array, rows: Array, out: Array) -> None:
        """``out = source[rows]``; ``out`` has shape (n, ...) and may be a view with gaps."""
        out[...] = self.module.take(source, rows, axis=0)

    # ---- running

    def running(self) -> contextlib.AbstractContextManager[Any]:
        """The setting in which calls run."""
        return contextlib.nullcontext()

    def threads(self, operations: int) -> contextlib.AbstractContextManager[Any]:
        """The setting of the library's threads that suits a largest product of so many operations; undone at
        the end."""
        return contextlib.nullcontext()

    # ---- pieces of a step

    def product(self, a: Array, b: Array, out: Array) -> Call:
        """``out = a b``, matrices or stacks of matrices."""
        matmul = self.module.matmul
        return lambda: matmul(a, b, out=out)

    def times(self, a: Array, b: Array, out: Array) -> Call:
        """``out = a * b`` element by element."""
        multiply = self.module.multiply
        return lambda: multiply(a, b, out=out)

    def activation(self, name: str, z: Array, y: Array) -> Call | None:
        """``y = f(z)`` (which may be the same array) without a temporary, for the activations that have such
        a kernel."""
        m = self.module
        if name == "relu":
            zeros = m.zeros_like(z)
            return lambda: m.maximum(z, zeros, out=y)
        if name == "tanh":
            return lambda: m.tanh(z, out=y)
        return None

    def activation_backward(self, name: str, y: Array, d: Array) -> Call | None:
        """``d *= f'`` from the outputs ``y``, using ``y`` as scratch if need be, where `activation` has a
        kernel."""
        m = self.module
        if name == "relu":
            return lambda: m.multiply(d, m.sign(y, out=y), out=d)
        if name == "tanh":
            return lambda: _times_one_minus_square(m, y, d)
        if name == "sigmoid":
            return lambda: _times_logistic_slope(m, y, d)
        return None

    def softmax_cross_entropy(
        self, z: Array, d: Array, targets: Array, scale: Array | float, sums: Array, dots: Array
    ) -> Call:
        """Gradient and loss of softmax cross-entropy; ``z`` is spent.

        Parameters
        ----------
        z, d : array, shape (..., k, batch)
            Logits; where the gradient goes.
        targets : array, shape (k, batch)
            Target probabilities times **minus** the examples' weights in the mean.
        scale : array, shape (1, batch), or float
            The sum of each column of ``-targets``; a number if all are equal.
        sums, dots : array, shape (..., 1, batch) and (...)
            What `softmax_cross_entropy_loss` needs later.
        """
        m = self.module
        top, factor = self.zeros(sums.shape), self.zeros(sums.shape)

        def call() -> None:
            m.amax(z, axis=-2, keepdims=True, out=top)
            m.subtract(z, top, out=z)
            m.exp(z, out=d)
            m.sum(d, axis=-2, keepdims=True, out=sums)
            m.divide(scale, sums, out=factor)
            m.multiply(d, factor, out=d)
            m.multiply(z, targets, out=z)
            m.sum(z, axis=(-1, -2), out=dots)
            m.add(d, targets, out=d)

        return call

    def softmax_cross_entropy_loss(self, scale: Array | float, sums: Array, dots: Array) -> Array:
        """The mean losses of steps that have run, from what they left; shape (steps, ...)."""
        m = self.module
        return m.sum(scale * m.log(sums), axis=(-1, -2)) + dots

    def squared_error(
        self, z: Array, d: Array, targets: Array, scale: Array | float, factor: float, dots: Array
    ) -> Call:
        """``d = factor scale (z - targets)`` and ``dots = sum(scale (z - targets)^2)``; ``z`` is spent."""
        m = self.module

        def call() -> None:
            m.subtract(z, targets, out=z)
            m.multiply(z, scale, out=d)
            m.multiply(z, d, out=z)
            m.sum(z, axis=(-1, -2), out=dots)
            m.multiply(d, factor, out=d)

        return call

    # ---- updates

    def dot(self, a: Array, b: Array) -> Any:
        """The inner product of two vectors."""
        return self.module.dot(a, b)

    def clip(self, g: Array, limit: float) -> Call:
        """``g *= min(1, limit / |g|)``"""
        m = self.module

        def call() -> None:
            norm = m.sqrt(m.dot(g, g))
            m.multiply(g, limit / m.maximum(norm, limit), out=g)

        return call

    def fused_update(
        self, rule: UpdateRule, p: Array, g: Array, slots: Sequence[Array]
    ) -> FusedUpdate | None:
        """A hand-written update with this rule and weight decay; None where there is none. ``g`` is spent."""
        return None


def _times_one_minus_square(m: Any, y: Array, d: Array) -> None:
    m.multiply(y, y, out=y)
    m.subtract(1.0, y, out=y)
    m.multiply(d, y, out=d)


def _times_logistic_slope(m: Any, y: Array, d: Array) -> None:
    m.multiply(d, y, out=d)
    m.subtract(1.0, y, out=y)
    m.multiply(d, y, out=d)
