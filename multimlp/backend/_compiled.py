"""Steps as tables of compiled calls: what a library brings for training whose epochs are one call.

A step is laid out once as `Record`s, each a kernel's address with its arguments, and a table of them is run for many steps, and for the
members of an ensemble one after the other, without Python between. All memory is the host's, in NumPy arrays, feature-major as for
`multimlp.backend.Kernels`, and arrays may be columns of wider ones: a slice of a batch. Several threads may
share the work of a table; what is computed does not depend on who does it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol, TypeAlias

import numpy as np

from multimlp.backend._capture import Call


class Late(NamedTuple):
    """An array that is given when the table is run."""

    name: str
    by_step: int = 0
    """How many of its elements a step takes."""
    by_member: int = 0
    """How many a member takes."""
    first: int = 0
    """The element that the first step of the first member begins with."""


Argument: TypeAlias = np.ndarray | Late | int | float


class Record(NamedTuple):
    """One call: a kernel and what it is called with."""

    kernel: int
    arguments: tuple[Argument, ...]


class Table(Protocol):
    """A step, ready to run."""

    @property
    def threads(self) -> int:
        """How many may share the work."""

    def bound(self, late: Mapping[str, np.ndarray], steps: int) -> list[Call]:
        """The calls that make so many steps, one for each thread that may help. They raise nothing. Whichever of them are made at the
        same time share the work, so that the first one is enough, and return when there is nothing left to begin."""


class UntranslatableError(Exception):
    """A formula cannot be written as a loop over elements, or not be compiled here; the message says why."""


class CompiledKernels(Protocol):
    """Makes records; each kernel is compiled when it is first needed, or read from the disk.

    Formulas are portable functions, of arrays as far as they know. One that does more than compute element by element is refused with
    `UntranslatableError`.
    """

    @property
    def name(self) -> str:
        """Of the compiler, which the engine that uses it is called by."""

    def slow_products(self) -> str:
        """Why BLAS's products here take longer than the processor would need, or ""."""

    def zeros(self, shape: Sequence[int], dtype: Any = None) -> np.ndarray:
        """A new array for records, of the dtype that is trained in."""

    def copied(self, x: np.ndarray) -> np.ndarray:
        """A copy, contiguous."""

    def threads(self, operations: int, own: bool) -> contextlib.AbstractContextManager[Any]:
        """The setting of BLAS's threads for a largest product of so many operations; ``own``: on several threads of ours, so that it is
        to have none of its own."""

    # ---- data

    def gather(self, source: Argument, rows: Argument, out: np.ndarray) -> Record:
        """``out[:, :k] = source[rows]`` for a source (n, k) and ``out`` (batch, k or more)."""

    def gather_columns(self, source: Argument, rows: Argument, out: np.ndarray) -> Record:
        """``out = source[rows].T``"""

    def one_hot(self, labels: Argument, rows: Argument, out: np.ndarray) -> Record:
        """``out[labels[rows], arange] = 1``, all else 0."""

    def shares(
        self, weights: Argument, rows: Argument, out: np.ndarray, first: int, batch: int, scale: float
    ) -> Record:
        """``out = scale w / sum(w)`` for the ``batch`` numbers ``w = weights[rows]``, of which ``out`` has those from ``first`` on."""

    def smooth(self, q: np.ndarray, classes: np.ndarray, smoothing: float) -> Record:
        """``q = (q (1 - smoothing) + smoothing / k) classes``, a factor for each of the k rows."""

    # ---- layers

    def product(self, a: np.ndarray, b: np.ndarray, out: np.ndarray) -> Record:
        """``out = a b``; each a matrix, or the transpose of one, that is contiguous along an axis."""

    def multiply(self, a: np.ndarray, b: np.ndarray, out: np.ndarray) -> Record:
        """``out = a * b``"""

    def activation(
        self,
        function: Callable[..., Any],
        slope: Callable[..., Any] | None,
        y: np.ndarray,
        slopes: np.ndarray | None,
    ) -> Record:
        """``y = f(y)``, and ``slopes = f'(y)`` before that if there is room for them."""

    def activation_backward(self, from_output: Callable[..., Any], y: np.ndarray, d: np.ndarray) -> Record:
        """``d *= f'``, as the outputs tell it."""

    def dropout(
        self,
        key: np.ndarray,
        layer: int,
        keep: float,
        members: int,
        factors: np.ndarray,
        first: int,
        batch: int,
        own: tuple[Argument, Argument] | None = None,
    ) -> list[Record]:
        """Factors of 0 and ``1 / keep``, the bits of `multimlp.random.bernoulli` of (members, batch, width) under the key that is
        folded with the step (`Late` ``"steps"``) and with the layer; those of the examples from ``first`` on. With ``own``, the largest
        word that keeps a unit (int64) and the factor of one that is kept (float64), all members have the words of (batch, width)."""

    # ---- the loss, added to ``total`` times the example's share, and its gradient, times that too

    def softmax(
        self, z: np.ndarray, d: np.ndarray, q: np.ndarray, share: np.ndarray, total: np.ndarray
    ) -> Record:
        """Cross-entropy with target probabilities (k, batch)."""

    def softmax_of_labels(
        self,
        z: np.ndarray,
        d: np.ndarray,
        labels: Argument,
        rows: Argument,
        share: np.ndarray,
        total: np.ndarray,
    ) -> Record:
        """Cross-entropy with class labels."""

    def loss(
        self,
        function: Callable[..., Any],
        gradient: Callable[..., Any],
        z: np.ndarray,
        d: np.ndarray,
        targets: np.ndarray,
        share: np.ndarray,
        total: np.ndarray,
    ) -> Record:
        """A loss that is a mean or a sum over the outputs."""

    # ---- between gradient and update

    def penalty(self, p: np.ndarray, g: np.ndarray, total: np.ndarray, strengths: Argument) -> Record:
        """``total += l1 sum |p| + l2 sum p^2``, and the gradient added to ``g``; the strengths are (l1, l2), float64."""

    def clip(self, g: np.ndarray, limit: Argument) -> Record:
        """``g *= min(1, limit / |g|)``, the limit a float64."""

    def update(
        self,
        rule: Callable[..., Any],
        arrays: Sequence[np.ndarray],
        scalars: Late,
        names: Sequence[str],
    ) -> Record:
        """``p, *slots = rule(p, g, slots, scalars)`` for ``arrays = (p, g, *slots)``; scalars are numbers in double precision, by name."""

    # ---- tables

    def workers(self) -> int:
        """How many threads can compute at the same time."""

    def in_turn(
        self, records: Sequence[Sequence[Record]], by_member: Sequence[np.ndarray], members: int
    ) -> Table:
        """A table of the records of a step of one member, for each thread, with arrays of its own to work with. Of the arrays in
        ``by_member`` each member has its own part, along the first axis, and records hold the first member's."""

    def in_phases(self, phases: Sequence[Sequence[Sequence[Record]]]) -> Table:
        """A table of a step of one network, in phases, each of tasks that do not touch each other's results."""
