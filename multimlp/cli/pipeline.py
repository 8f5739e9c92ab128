"""What stands around a trained network, and goes with it into its file: preprocessing, labels, scores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from multimlp import losses
from multimlp.data import Dataset, Standardizer
from multimlp.errors import FileFormatError, InputError


@dataclass(frozen=True, eq=False)
class Pipeline:
    """Preprocessing fitted on a training part, and what the outputs mean.

    Attributes
    ----------
    task : str
    feature_names : tuple of str
    classes : tuple or None
    loss : losses.Loss
    inputs : Standardizer
    targets : Standardizer or None
        Of one column; for regression with a loss whose outputs are on the scale of the targets.
    """

    task: str
    feature_names: tuple[str, ...]
    classes: tuple[Any, ...] | None
    loss: losses.Loss
    inputs: Standardizer
    targets: Standardizer | None

    @classmethod
    def fit(cls, train: Dataset, loss: losses.Loss) -> Pipeline:
        """Measured on the training part; the pixels of an image share one mean and scale."""
        scaled = train.task == "regression" and loss.activation_function is None
        return cls(
            task=train.task,
            feature_names=train.feature_names,
            classes=train.classes,
            loss=loss,
            inputs=Standardizer.fit(train.X, shared=train.image_shape is not None),
            targets=Standardizer.fit(train.y[:, None]) if scaled else None,
        )

    @property
    def out_features(self) -> int:
        """One output for regression and for a binary loss, else one a class."""
        if self.classes is None or (self.loss.name == "binary_cross_entropy" and len(self.classes) == 2):
            return 1
        return len(self.classes)

    @property
    def metric(self) -> str:
        """What `score` measures."""
        return "accuracy" if self.classes is not None else "R2"

    def encode(self, y: np.ndarray) -> np.ndarray:
        """Targets as the loss wants them: (n,)."""
        return y if self.targets is None else self.targets(y[:, None])[:, 0]

    def decide(self, outputs: np.ndarray) -> np.ndarray:
        """Class indices or values, shape (n,), for outputs of shape (n, k)."""
        decided = self.loss.predict(outputs).reshape(len(outputs))
        return decided if self.targets is None else self.targets.inverse(decided[:, None])[:, 0]

    def score(self, outputs: np.ndarray, y: np.ndarray) -> float:
        """Fraction of right classes, or R2 = 1 - residual / total sum of squares (NaN if y is constant)."""
        decided = self.decide(outputs)
        if self.classes is not None:
            return float(np.mean(decided == y))
        y = np.asarray(y, dtype=np.float64)
        return (
            float(1 - np.sum((decided - y) ** 2) / np.sum((y - y.mean()) ** 2)) if np.ptp(y) else float("nan")
        )

    def require_probabilities(self) -> None:
        """`InputError` if the outputs do not become probabilities of classes."""
        if self.classes is None or self.loss.activation_function is None:
            raise InputError(
                f"--proba: a model for {self.task} trained with {self.loss.name} has no probabilities"
            )

    def probabilities(self, outputs: np.ndarray) -> np.ndarray:
        """Shape (n, classes)."""
        found = self.loss.activation(outputs)
        return found if found.shape[-1] > 1 else np.concatenate([1 - found, found], axis=-1)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for the model file."""
        return {
            "task": self.task,
            "feature_names": list(self.feature_names),
            "classes": None if self.classes is None else list(self.classes),
            "loss": self.loss.to_spec(),
            "inputs": self.inputs.to_dict(),
            "targets": None if self.targets is None else self.targets.to_dict(),
        }

    @classmethod
    def from_dict(cls, where: str, plain: Mapping[str, Any]) -> Pipeline:
        """The inverse of `to_dict`; `FileFormatError` if the file ``where`` does not hold it."""
        try:
            classes, targets = plain["classes"], plain["targets"]
            return cls(
                task=plain["task"],
                feature_names=tuple(plain["feature_names"]),
                classes=None if classes is None else tuple(classes),
                loss=losses.get(plain["loss"]),
                inputs=Standardizer.from_dict(plain["inputs"]),
                targets=None if targets is None else Standardizer.from_dict(targets),
            )
        except (KeyError, TypeError, InputError):
            raise FileFormatError(
                f"{where!r} holds a model without what prepares its inputs; "
                "multimlp predict needs a model saved by multimlp train"
            ) from None
