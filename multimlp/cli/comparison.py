"""One training on several backends, and how far each is from NumPy in float64."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from multimlp import tree
from multimlp.backend import load_backend, owner
from multimlp.callbacks import Run as Progress
from multimlp.cli.common import note
from multimlp.cli.pipeline import Pipeline
from multimlp.data import Dataset
from multimlp.distributed import is_main
from multimlp.errors import BackendError, DTypeError, MultimlpError
from multimlp.mlp import MLP, Params
from multimlp.training import GroupReport, fit, predict


@dataclass(frozen=True, eq=False)
class Run:
    """One training and its results."""

    backend: str
    version: str
    device: str
    dtype: str
    engine: str
    epochs: int
    loss: float
    history: dict[str, list[float]]
    score: float
    seconds: float
    stopped: str | None
    params: Params
    outputs: np.ndarray
    """Of the test part, float64."""
    group: GroupReport | None = None
    """The processes that shared it."""
    is_reference: bool = False
    parameter_difference: float | None = None
    output_difference: float | None = None

    @property
    def label(self) -> str:
        """What tells it from the others."""
        return f"{self.backend} {self.dtype}" if self.is_reference else self.backend

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        left_out = ("params", "outputs", "group")
        plain = {name: value for name, value in vars(self).items() if name not in left_out}
        return {**plain, "group": None if self.group is None else asdict(self.group)}

    def compared_with(self, reference: Run) -> Run:
        """With the largest absolute differences from another run, in parameters and in outputs."""
        pairs = zip(_values(self.params), _values(reference.params), strict=True)
        return replace(
            self,
            parameter_difference=max(
                float(np.max(np.abs(mine - theirs), initial=0.0)) for mine, theirs in pairs
            ),
            output_difference=float(np.max(np.abs(self.outputs - reference.outputs), initial=0.0)),
        )


def _values(params: Params) -> list[np.ndarray]:
    return [owner(leaf).to_numpy(leaf).astype(np.float64) for leaf in tree.leaves(params)]


@dataclass(frozen=True, eq=False)
class Trainer:
    """Everything that is the same on every backend."""

    mlp: MLP
    pipeline: Pipeline
    train: Dataset
    test: Dataset
    options: Mapping[str, Any]
    """For `fit`."""
    device: str | None
    verbose: bool

    def __call__(self, backend: str, device: str | None, dtype: str | None) -> Run:
        """Train on one backend and evaluate on the test part."""
        pipeline = self.pipeline
        result = fit(
            self.mlp,
            pipeline.inputs(self.train.X),
            pipeline.encode(self.train.y),
            loss=pipeline.loss,
            validation=None,
            backend=backend,
            device=device,
            dtype=dtype,
            callbacks=[_report_epoch] if self.verbose else [],
            **self.options,
        )
        outputs = predict(self.mlp, result.params, pipeline.inputs(self.test.X))
        host = owner(outputs).to_numpy(outputs).astype(np.float64)
        return Run(
            backend=result.backend,
            version=load_backend(result.backend).version,
            device=str(result.device),
            dtype=result.dtype,
            engine=result.engine,
            epochs=result.epochs,
            loss=result.history["loss"][-1] if result.history.get("loss") else float("nan"),
            history=result.history,
            score=pipeline.score(host, self.test.y),
            seconds=result.seconds,
            stopped=result.stopped,
            params=result.params,
            outputs=host,
            group=result.group,
        )


def _report_epoch(run: Progress) -> None:
    if not is_main():
        return
    figures = "  ".join(f"{name} {value:.6g}" for name, value in run.latest().items())
    print(f"epoch {run.epoch}/{run.epochs}  {figures}", file=sys.stderr)


def train_all(
    trainer: Trainer, names: Sequence[str], dtype: str | None, reference: bool, skip_broken: bool
) -> tuple[list[Run], dict[str, str]]:
    """The runs, the reference first, up to an interruption; and the skipped backends, with reasons."""
    runs: list[Run] = []
    skipped: dict[str, str] = {}
    truth: Run | None = None
    if reference:
        truth = replace(trainer("numpy", None, "float64"), is_reference=True)
        runs.append(truth)
    for name in names:
        if runs and runs[-1].stopped == "interrupted":
            break
        try:
            run = trainer(name, trainer.device, dtype)
        except Exception as error:
            if not skip_broken or (
                isinstance(error, MultimlpError) and not isinstance(error, (BackendError, DTypeError))
            ):
                raise
            skipped[name] = f"{type(error).__name__}: {error}"
            note(f"skipping {name}: {error}")
            continue
        runs.append(run if truth is None else run.compared_with(truth))
    if skipped and len(skipped) == len(names):
        raise BackendError(f"none of the backends {', '.join(skipped)} can do this")
    return runs, skipped


def on_rounding(mlp: MLP, runs: Sequence[Run]) -> str:
    """What is to be said of differences that come from rounding, and how they become small; nothing where all run in float64."""
    if all(one.dtype == "float64" for one in runs):
        return ""
    bent = next((rule.name for rule in mlp.activations if rule.kinks), None)
    if bent is None:
        return "Rounding grows with training; compare with --dtype float64."
    return (
        f"Rounding grows with training, and in leaps where it puts a unit on the other side of the kink of {bent}; "
        "compare with --dtype float64, or --activation tanh, which has none."
    )
