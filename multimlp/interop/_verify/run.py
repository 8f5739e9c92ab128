"""What a model did with a batch, whatever library ran it, and what `verify` must be told of a library."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

AFTER, BEFORE = "after its activation", "before its activation"


class Place(NamedTuple):
    """Where in a model a value was seen: layers are counted from 0, as fully connected ones come."""

    layer: int
    stage: str
    """`BEFORE` or `AFTER`."""

    @property
    def order(self) -> tuple[int, bool]:
        """By which places are sorted, from the inputs on."""
        return self.layer, self.stage == AFTER


class Seen(NamedTuple):
    """A value, and what the model's own library calls the layer."""

    name: str
    values: np.ndarray


class Call(NamedTuple):
    """What a layer took and gave. ``source`` and ``target`` tell these values from all others in the run: ids, or names."""

    name: str
    source: Hashable
    target: Hashable
    taken: np.ndarray
    given: np.ndarray | None
    """None of a fully connected layer whose activation is fused to it."""


@dataclass
class Run:
    """Everything on the host.

    Attributes
    ----------
    outputs : array, shape (n, k)
    layers : mapping of Place to Seen
        What could be seen on the way; libraries that fuse an activation into its layer show less.
    gradients : mapping of str to array, or None
        Of ``sum(outputs * cotangent)`` in ``"inputs"``, ``"weight 0"`` (in, out), ``"bias 0"``, ...; None where the library has none.
    probabilities : str
        Of classes, which other libraries leave to the loss: ``"classes"`` where they exclude each other, ``"each"`` where each has one of
        its own; empty for other outputs.
    rescaled : set of int
        The layers beside which there is a normalisation by stored numbers: their weights are others than where it is folded into them.
    without_last : bool
        Whether the last layer is not among `layers`.
    """

    outputs: np.ndarray
    layers: dict[Place, Seen] = field(default_factory=dict)
    gradients: Mapping[str, np.ndarray] | None = None
    probabilities: str = ""
    rescaled: set[int] = field(default_factory=set)
    without_last: bool = False

    @property
    def depth(self) -> int:
        """The number of fully connected layers; 0 where none could be seen."""
        return (
            1
            + self.without_last
            + max((place.layer for place in self.layers), default=-1 - self.without_last)
        )

    def chain(self, names: list[str], before: list[np.ndarray | None], inputs: list[np.ndarray]) -> Run:
        """Fill in `layers` from what went into each fully connected layer and, where it is known, what came out of it: the inputs of
        one are the outputs of the one below, activation included."""
        after = [*inputs[1:], self.outputs] if names else []
        for i, (name, linear, out) in enumerate(zip(names, before, after, strict=True)):
            if linear is not None:
                self.layers[Place(i, BEFORE)] = Seen(name, linear)
            self.layers[Place(i, AFTER)] = Seen(name, out)
        return self

    def calls(self, layers: Sequence[Call], normalised: Sequence[Call]) -> Run:
        """Fill in `layers` and `rescaled` from the fully connected layers and the normalisations by stored numbers (BatchNorm), each in the
        order of the calls. Such a normalisation belongs to the layer that it follows, else to the one behind it: another library may have
        it folded into the weights there."""
        found = list(layers)
        for call in normalised:
            before = next(
                (i for i, row in enumerate(found) if row.target == call.source and row.given is not None),
                None,
            )
            behind = next((i for i, row in enumerate(found) if row.source == call.target), None)
            if before is not None:
                found[before] = found[before]._replace(target=call.target, given=call.given)
                self.rescaled.add(before)
            elif behind is not None:
                found[behind] = found[behind]._replace(source=call.source, taken=call.taken)
                self.rescaled.add(behind)
        return self.chain(
            [row.name for row in found], [row.given for row in found], [row.taken for row in found]
        )


def first_width(widths: Iterable[int], call: Callable[[int], object]) -> int | None:
    """The first of these widths of inputs with which the model can be called, since nothing tells which of its layers is called first."""
    for width in widths:
        with contextlib.suppress(Exception):  # whatever a library says of a width that does not fit
            call(width)
            return width
    return None


class Opened(NamedTuple):
    """A model, ready to be run.

    Attributes
    ----------
    library : str
    in_features : int
    dtype : str
    run : callable
        ``run(X, cotangent)``: a `Run` of the rows ``X``, shape (n, in_features), in the model's dtype; ``cotangent`` has the shape of the
        outputs, or is None where gradients are not asked for.
    in_float64 : callable, optional
        The outputs of rows in float64, computed in float64, or None where that cannot be; of libraries that have no gradients.
    """

    library: str
    in_features: int
    dtype: str
    run: Callable[[np.ndarray, np.ndarray | None], Run]
    in_float64: Callable[[np.ndarray], np.ndarray | None] | None = None
