"""A training job: data, parameters and loss of `multimlp.fit`, checked together and moved to where training runs."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from multimlp import tree
from multimlp.backend import Array, Backend, Target, host, owner, owner_of_type, select
from multimlp.errors import InputError
from multimlp.losses import Loss
from multimlp.mlp import MLP
from multimlp.training._evaluation import Evaluator
from multimlp.training._examples import Rows, TrainingData
from multimlp.training._sources import Batches, InMemory, OnDisk, Ordering, Source, place
from multimlp.training.engines import Chunk, mixed
from multimlp.tree import Tree


@dataclass(frozen=True)
class Batching:
    """How an epoch goes through the rows; ``size`` None: all at once."""

    size: int | None
    shuffle: bool
    last: str

    def __post_init__(self) -> None:
        if self.last not in ("keep", "drop"):
            raise InputError(f"last_batch: expected 'keep' or 'drop', got {self.last!r}")

    def ordering(self, seed: int, rows: int) -> Ordering:
        return Ordering(seed, self._size(rows), self.shuffle, self.last == "drop")

    def _size(self, rows: int) -> int:
        if self.size is None:
            return rows
        if isinstance(self.size, bool) or not isinstance(self.size, (int, np.integer)) or self.size < 1:
            raise InputError(f"batch_size: expected a positive integer or None, got {self.size!r}")
        return min(int(self.size), rows)


class Job:
    """What is to be trained, on what, and where.

    Attributes
    ----------
    loss : Loss
    target : Target
        Where training runs, with the dtype that parameters are kept in.
    dtype : str
        What the model runs in: the target's, or 16 bits.
    source : Source
        The training data.
    params : tree of arrays
        To start from.
    """

    def __init__(
        self,
        mlp: MLP | Callable[..., Array],
        loss: Loss,
        params: Tree | None,
        seed: int,
        data: TrainingData,
        batching: Batching,
        *,
        backend: str | Backend | None,
        device: str | None,
        dtype: Any,
    ) -> None:
        chosen = select(backend, device, dtype, [*data.arrays, *tree.leaves(params)])
        self.loss, self.dtype = loss, chosen.dtype
        self.target: Target = dataclasses.replace(chosen, dtype=mixed.master_dtype(chosen.dtype))
        self._mlp, self._seed, self._batching = mlp, seed, batching
        if data.streamed:
            batches = Batches(data.X, self._place)
            self._validation = data.validation_pair()
            self.source: Source = batches
            example = batches.example
        else:
            example, self._validation = data.split(getattr(mlp, "in_features", None), seed)
            self.source = self._whole(example)
        self.params = self._start(params)
        self._check_outputs(example)

    def _whole(self, rows: Rows) -> Source:
        X, y, weights = rows
        ordering = self._batching.ordering(self._seed, int(X.shape[0]))
        if isinstance(X, np.memmap):
            return OnDisk(X, y, weights, ordering, self._place)
        return InMemory(self._place(X, y, weights), ordering)

    def _place(self, X: Any, y: Any, weights: Any) -> Chunk:
        labels = host(y, "y")
        library = owner_of_type(type(labels))
        integer = library is not None and library.xp.isdtype(labels.dtype, ("integral", "bool"))
        return place(self.target, integer and self.loss.integer_targets, X, labels, weights)

    def _start(self, params: Tree | None) -> Tree:
        target = self.target
        if isinstance(self._mlp, MLP):
            if params is None:
                return self._mlp.init(self._seed, target.backend, target.dtype, target.device)
            self._mlp.check_params(params)

        def move(leaf: Any) -> Array:
            library = owner(leaf)
            values = leaf if library is target.backend else library.to_numpy(leaf)
            return target.backend.asarray(values, dtype=target.dtype, device=target.device)

        return tree.map(move, params)

    def _check_outputs(self, example: Rows) -> None:
        """One row through the model and the loss's own checks on all targets, so that errors come before training."""
        X, y, _ = example
        rows = int(y.shape[0])
        if isinstance(self._mlp, MLP):
            shape: tuple[int, ...] = (rows, self._mlp.out_features)
        else:
            chunk = self._place(X[:1], y[:1], None)
            with self.target.backend.scope_of(chunk.inputs):
                shape = (rows, *tuple(self._mlp(self.params, chunk.inputs).shape)[-1:])
        self.loss.validate(shape, y)

    # ---- what else fit needs

    def evaluator(self, metrics: Sequence[Any] | None) -> Evaluator | None:
        if self._validation is None:
            return None
        X, y = self._validation
        chosen = self.loss.default_metrics if metrics is None else metrics
        return Evaluator(self._mlp, self.loss, chosen, self.target.backend, self._place(X, y, None))

    def release(self) -> None:
        """Forget the parameters: an engine has them now, and they need not lie in memory twice."""
        self.params = None

    def settings(self, rule: Any) -> dict[str, Any]:
        """What a checkpoint must agree on."""
        return {
            "mlp": self._mlp.to_spec() if isinstance(self._mlp, MLP) else repr(self._mlp),
            "loss": self.loss.to_spec(),
            "optimizer": rule.to_spec(),
            "seed": self._seed,
            "dtype": self.dtype,
            "batch_size": self.source.batch_size,
            "shuffle": self._batching.shuffle,
            "last_batch": self._batching.last,
        }
