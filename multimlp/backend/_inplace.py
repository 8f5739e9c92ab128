"""The in-place primitives that the in-place engine is made of, and what a library must bring to have one.

The engine lays a training step out once, as a list of calls without arguments that work on preallocated
arrays, and then only runs that list. `Kernels` makes these calls. Its methods work with any module that has
NumPy's functions with ``out=`` (NumPy, CuPy, and largely PyTorch); an adapter's own class, which it hands
out by `Backend.inplace_kernels`, replaces those for which it has something faster.

Arrays are feature-major: activations have shape (features, batch), or (members, features, batch) for an
ensemble, so that element-wise work and the reduction over classes run along contiguous rows of examples.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from operator import call as make
from typing import Any, ClassVar, NamedTuple, TypeAlias

import numpy as np

from multimlp._typing import Array
from multimlp.backend._capture import Call, Captured, Recorder, in_turn
from multimlp.backend._contract import Backend
from multimlp.backend._op import Op
from multimlp.backend._ranges import squared

Task: TypeAlias = tuple[Call, ...]
"""Calls in their order."""
Phase: TypeAlias = tuple[Task, ...]
"""Tasks that do not touch each other's results, so that they may be made in any order, or at once."""
Scalars: TypeAlias = dict[str, Any]
"""What ``Optimizer.scalars`` returns; where steps are recorded, those that change are arrays of shape ()."""
FusedUpdate: TypeAlias = Callable[[Scalars, Any], None]
"""One update, from the step's scalars and its number, 1 at the first; where steps are recorded, a float32 array of shape ()."""


class UpdateRule(NamedTuple):
    """What a fused update is told of an optimiser."""

    name: str
    """The optimiser's, ``"adam"``, ``"sgd"``, ...; of one that is not multimlp's own, its operation's (`Op.name`), which no
    optimiser of multimlp has."""
    options: Mapping[str, Any]
    decoupled: bool
    """Whether weight decay shrinks the parameters, rather than being added to the gradient."""


class InPlaceActivation(NamedTuple):
    """An element-wise activation whose derivative the outputs tell, without temporaries."""

    forward: Callable[[Kernels, Array], Call]
    """``forward(kernels, y)`` -> the call ``y = f(y)``."""
    backward: Callable[[Kernels, Array, Array], Call]
    """``backward(kernels, y, d)`` -> the call ``d *= f'``, from the outputs ``y``, which are spent."""


def _relu(kernels: Kernels, y: Array) -> Call:
    maximum = kernels.module.maximum
    zeros = kernels.zeros(y.shape)  # on NumPy three times as fast as a scalar
    return lambda: maximum(y, zeros, out=y)


def _relu_backward(kernels: Kernels, y: Array, d: Array) -> Call:
    m = kernels.module
    return lambda: m.multiply(d, m.sign(y, out=y), out=d)


def _tanh(kernels: Kernels, y: Array) -> Call:
    tanh = kernels.module.tanh
    return lambda: tanh(y, out=y)


def _tanh_backward(kernels: Kernels, y: Array, d: Array) -> Call:
    m = kernels.module

    def call() -> None:
        m.multiply(y, y, out=y)
        m.subtract(1.0, y, out=y)
        m.multiply(d, y, out=d)

    return call


def _sigmoid(kernels: Kernels, y: Array) -> Call:
    """``1 / (1 + exp(-y))``: where the exponential overflows it is 0, and the left tail keeps its digits."""
    m, one = kernels.module, kernels.filled((), 1.0)  # ufuncs convert Python numbers at every call
    # NumPy divides faster than it takes reciprocals.
    negative, exp, add, divide = m.negative, m.exp, m.add, m.divide

    def call() -> None:
        negative(y, out=y)
        exp(y, out=y)
        add(y, one, out=y)
        divide(one, y, out=y)

    return call


def _sigmoid_backward(kernels: Kernels, y: Array, d: Array) -> Call:
    m = kernels.module

    def call() -> None:
        m.multiply(d, y, out=d)
        m.subtract(1.0, y, out=y)
        m.multiply(d, y, out=d)

    return call


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

    Attributes
    ----------
    activations : mapping of str to InPlaceActivation
        By the name of the operation (`Op.name`), with its default options.
    updates : mapping of str to callable
        Hand-written updates by the name of an `UpdateRule`: ``make(rule, p, g, *slots)`` -> the update.
    """

    activations: ClassVar[Mapping[str, InPlaceActivation]] = {
        "relu": InPlaceActivation(_relu, _relu_backward),
        "tanh": InPlaceActivation(_tanh, _tanh_backward),
        "sigmoid": InPlaceActivation(_sigmoid, _sigmoid_backward),
    }
    updates: ClassVar[Mapping[str, Callable[..., FusedUpdate]]] = {}

    cuts = False
    """Whether `run` deals out the tasks of a phase, so that a step is worth cutting into some."""

    limits_threads = True
    """Whether `threads` can keep the library to one thread."""

    own_threads = False
    """Whether the library gives element-wise work to threads of its own where `threads` leaves them to it."""

    recorder: Recorder | None = None
    """How steps are recorded and replayed, where that pays."""

    block_bytes = 1 << 18
    """About how much data a block of steps gathers at once: little enough to stay in the cache until the steps read it."""

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

    def host_view(self, x: Array) -> np.ndarray | None:
        """The same memory as a NumPy array, or None where it is not the host's."""
        return None

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

    def capture(self, calls: Sequence[Call]) -> Call:
        """All of these calls as one, recorded where there is a `recorder`."""
        run = in_turn(calls)
        return run if self.recorder is None else Captured(run, self.recorder)

    def threads(self, operations: int, own: bool = False) -> contextlib.AbstractContextManager[Any]:
        """The setting of the library's threads that suits a largest product of so many operations, or with ``own`` tasks that are
        made by several threads; undone at the end."""
        return contextlib.nullcontext()

    def run(self, phases: Sequence[Phase]) -> None:
        """Make all calls, phase by phase; by several threads where `cuts`."""
        for phase in phases:
            for task in phase:
                deque(map(make, task), maxlen=0)

    # ---- pieces of a step

    def product(self, a: Array, b: Array, out: Array) -> Call:
        """``out = a b``, matrices or stacks of matrices."""
        matmul = self.module.matmul
        return lambda: matmul(a, b, out=out)

    def copying(self, a: Array, out: Array) -> Call:
        """``out = a``"""

        def call() -> None:
            out[...] = a

        return call

    def times(self, a: Array, b: Array, out: Array) -> Call:
        """``out = a * b`` element by element."""
        multiply = self.module.multiply
        return lambda: multiply(a, b, out=out)

    def activation(
        self, function: Callable[..., Array], y: Array, d: Array, **options: Any
    ) -> tuple[Call, Call] | None:
        """The calls ``y = f(y)`` and ``d *= f'``, or None for a function that has no such kernel, as none of a user's own has,
        whatever it is called."""
        found = self.activations.get(function.name) if isinstance(function, Op) and not options else None
        return None if found is None else (found.forward(self, y), found.backward(self, y, d))

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

    def add_scaled(self, a: Array, factor: float, b: Array) -> Array:
        """``a + factor b`` for two vectors; ``a`` is spent."""
        a += factor * b
        return a

    def clip(self, g: Array, limit: float) -> Call:
        """``g *= min(1, limit / |g|)``: as in an optimiser's own update, all but what is infinite becomes 0 where the norm is."""
        m, most = self.module, squared(self.dtype)

        def call() -> None:
            largest = m.amax(m.abs(g))
            unit = m.where((largest > most) & m.isfinite(largest), largest, m.ones_like(largest))
            m.divide(g, unit, out=g)
            norm = m.sqrt(m.dot(g, g))
            m.multiply(g, m.where(norm > limit / unit, limit / norm, unit), out=g)

        return call

    def fused_update(
        self, rule: UpdateRule, p: Array, g: Array, slots: Sequence[Array]
    ) -> FusedUpdate | None:
        """A hand-written update with this rule and weight decay; None where there is none. ``g`` is spent."""
        make = self.updates.get(rule.name)
        return None if make is None else make(rule, p, g, *slots)
