"""What an implementation is asked to do: train a network, or compute something again and again.

Both kinds of job are checked here against something that no implementation shares: the loss of the returned
parameters in float64, or a value that `benchmarks.reference` computes in float64.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks import reference
from benchmarks.reference import Network
from multimlp import random
from multimlp.bench import SEED, WARM_UP, Case

Read = Callable[[], list[Network]]
"""The current parameters, one network per member."""

EVALUATED_ROWS = 256
LOSS_TOLERANCE = 5e-3
"""How far the loss may be from ours, as a fraction of what the training has gained.

Most agree to 1e-6. In a deep network Adam makes more of rounding, and Keras and scikit-learn add its epsilon at
another place, which alone moves the loss of 17 layers by 1.5e-3.
"""


@dataclass(frozen=True)
class Training:
    """Train a case.

    Attributes
    ----------
    case : Case
    device : str or None
    expected : float or None
        The loss that must be reached after the warm-up; None where this run defines it.
    checked : bool
    warm_up : int
        Epochs before the first round, over the same batches as ours.
    """

    case: Case
    device: str | None = None
    expected: float | None = None
    checked: bool = True
    warm_up: int = WARM_UP

    @property
    def rate(self) -> float:
        return self.case.rate

    @property
    def units(self) -> int:
        return self.case.steps

    def initial(self) -> list[Network]:
        """The parameters that every implementation starts from."""
        layers = [
            (np.asarray(p.weight), np.asarray(p.bias))
            for p in self.case.initial(backend="numpy", dtype="float32")
        ]
        if self.case.members is None:
            return [[(w.copy(), b.copy()) for w, b in layers]]
        return [[(w[i].copy(), b[i].copy()) for w, b in layers] for i in range(self.case.members)]

    def orders(self) -> Iterator[np.ndarray]:
        """The order of the rows in each epoch: ours while the result is checked, then fresh draws."""
        for epoch in range(self.warm_up):
            yield random.host_permutation(SEED, epoch, self.case.rows)
        generator = np.random.default_rng(SEED)
        while True:
            yield generator.permutation(self.case.rows)

    def check(self, read: Read) -> tuple[str, float | None]:
        """What is wrong with the loss, or ""; and the loss."""
        if not self.checked:
            return "", None
        X, y = self.case.data()
        X, y = X[:EVALUATED_ROWS].astype(np.float64), y[:EVALUATED_ROWS]
        loss, start = (self._mean_loss(networks, X, y) for networks in (read(), self.initial()))
        return compare_losses(loss, start, self.expected), loss

    def _mean_loss(self, networks: list[Network], X: np.ndarray, y: np.ndarray) -> float:
        return float(np.mean([reference.loss(network, X, y, self.case.activation) for network in networks]))


def compare_losses(loss: float, start: float, expected: float | None) -> str:
    """A sentence that says why the loss is not right, or ""."""
    if not np.isfinite(loss) or not loss < start:
        return f"the loss went from {start:.4g} to {loss:.4g}: nothing was learned"
    if expected is not None and abs(loss - expected) > LOSS_TOLERANCE * (start - expected):
        return f"the loss is {loss:.6g}, ours is {expected:.6g} (it began at {start:.4g})"
    return ""


@dataclass(frozen=True)
class Call:
    """Compute something again and again.

    Attributes
    ----------
    kind : {"inference", "activation", "transform"}
    name : str
        The activation or the transform.
    rows : int
        Of the inputs; elements, for an activation.
    """

    kind: str
    name: str
    rows: int
    device: str | None = None

    warm_up = 1
    units = 1
    sizes = (64, 128, 10)

    def network(self) -> Network:
        """The parameters of the network that is called or differentiated."""
        params = Case("call", self.sizes, 1, 1).initial(backend="numpy", dtype="float32")
        return [(np.asarray(p.weight), np.asarray(p.bias)) for p in params]

    def inputs(self) -> np.ndarray:
        """Random numbers: a vector for an activation, else rows of features."""
        shape = (self.rows,) if self.kind == "activation" else (self.rows, self.sizes[0])
        return np.random.default_rng(SEED).standard_normal(shape, dtype=np.float32)

    def labels(self) -> np.ndarray:
        return np.random.default_rng(SEED + 1).integers(0, self.sizes[-1], self.rows).astype(np.int32)

    def true_values(self) -> np.ndarray:
        """The beginning of what the call must return, flat, in float64."""
        return reference.value(self.kind, self.name, self.network(), self.inputs(), self.labels())

    def check(self, read: Callable[[], np.ndarray]) -> tuple[str, float | None]:
        """What is wrong with the result, or ""; and its largest error, relative to the largest value."""
        expected = self.true_values()
        flat = np.asarray(read(), dtype=np.float64).ravel()[: expected.size]
        if flat.shape != expected.shape:
            return f"{flat.size} numbers instead of {expected.size}", None
        if (
            self.kind == "inference"
        ):  # some return logarithms of probabilities: logits but for a constant a row
            flat, expected = (_centred(z.reshape(-1, self.sizes[-1])) for z in (flat, expected))
        error = float(np.max(np.abs(flat - expected)) / np.max(np.abs(expected)))
        return ("" if error < reference.TOLERANCE else f"the values are off by {error:.2g}"), error


def _centred(scores: np.ndarray) -> np.ndarray:
    return np.ravel(scores - scores.mean(axis=1, keepdims=True))


Job = Training | Call


def flatten(arrays: Any) -> np.ndarray:
    """Host arrays, in nested lists and tuples, one after another."""
    if isinstance(arrays, (list, tuple)):
        return np.concatenate([flatten(array) for array in arrays])
    return np.ravel(np.asarray(arrays))
