"""What stands around a trained network, and goes with it into its file: preprocessing, labels, scores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from multimlp import losses
from multimlp.backend import Array, array_namespace
from multimlp.data import Dataset, Standardizer
from multimlp.errors import FileFormatError, InputError
from multimlp.frames import Features
from multimlp.mlp import MLP


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
    table : multimlp.frames.Features or None
        What makes the features of the columns of a table.
    """

    task: str
    feature_names: tuple[str, ...]
    classes: tuple[Any, ...] | None
    loss: losses.Loss
    inputs: Standardizer
    targets: Standardizer | None
    table: Features | None = None

    @classmethod
    def fit(cls, train: Dataset, loss: losses.Loss, table: Features | None = None) -> Pipeline:
        """Measured on the training part; the pixels of an image share one mean and scale. `InputError` for a loss of other targets."""
        _check_loss(loss, train)
        by_scale = loss.activation_function is None or loss.parts is not None
        scaled = train.task == "regression" and by_scale
        return cls(
            task=train.task,
            feature_names=train.feature_names,
            classes=train.classes,
            loss=loss,
            inputs=Standardizer.fit(train.X, shared=train.image_shape is not None),
            targets=Standardizer.fit(train.y[:, None]) if scaled else None,
            table=table,
        )

    @property
    def out_features(self) -> int:
        """What the loss takes for one target in regression; one output where it decides between two classes; one less than classes where
        it looks at their order; else one a class."""
        if self.classes is None:
            return self.loss.outputs_for(1)
        if self.loss.decides in ("binary", "sign") and len(self.classes) == 2:
            return 1
        return len(self.classes) - (self.loss.decides == "rank")

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
        if not np.ptp(y):
            return float("nan")
        unit = np.max(np.abs(y))  # whose squares may be beyond float64
        return float(1 - np.sum(((decided - y) / unit) ** 2) / np.sum((y / unit - np.mean(y / unit)) ** 2))

    @property
    def _has_probabilities(self) -> bool:
        return bool(self.classes and self.loss.activation_function and self.loss.decides != "rank")

    def require_probabilities(self) -> None:
        """`InputError` if the outputs do not become probabilities of classes."""
        if not self._has_probabilities:
            raise InputError(
                f"--proba: a model for {self.task} trained with {self.loss.name} has no probabilities"
            )

    def probabilities(self, outputs: Array) -> Array:
        """Shape (n, classes)."""
        found = self.loss.activation(outputs)
        return found if found.shape[-1] > 1 else array_namespace(found).concat([1 - found, found], axis=-1)

    def results(self, outputs: Array) -> dict[str, Array]:
        """What outputs of a graph mean, float64, by the names of an exported model."""
        xp = array_namespace(outputs)
        decided = xp.reshape(self.loss.predict(outputs), (outputs.shape[0],))
        if self.classes is None:
            if self.targets is not None:
                decided = decided * float(self.targets.scale[0]) + float(self.targets.mean[0])
            return {"prediction": decided}
        label = xp.take(xp.asarray(np.asarray(self.classes)), xp.astype(decided, xp.int64), axis=0)
        if not self._has_probabilities:
            return {"label": label}
        return {"label": label, "probabilities": self.probabilities(outputs)}

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for the model file."""
        return {
            "task": self.task,
            "feature_names": list(self.feature_names),
            "classes": None if self.classes is None else list(self.classes),
            "loss": self.loss.to_spec(),
            "inputs": self.inputs.to_dict(),
            "targets": None if self.targets is None else self.targets.to_dict(),
            **({} if self.table is None else {"table": self.table.to_spec()}),
        }

    @classmethod
    def from_dict(cls, where: str, plain: Mapping[str, Any], mlp: MLP) -> Pipeline:
        """The inverse of `to_dict`; `FileFormatError` if the file ``where`` does not hold it, or it is not this network's."""
        needs = "multimlp predict needs a model saved by multimlp train"
        absent = [key for key in _KEYS if key not in plain]
        if absent:
            raise FileFormatError(
                f"{where!r} holds a model without what prepares its inputs (no {absent[0]!r}); {needs}"
            )
        try:
            targets, table = plain["targets"], plain.get("table")
            pipeline = cls(
                task=_checked_task(plain["task"]),
                feature_names=_checked_names(plain["feature_names"]),
                classes=_checked_classes(plain["classes"]),
                loss=losses.get(plain["loss"]),
                inputs=Standardizer.from_dict(plain["inputs"]),
                targets=None if targets is None else Standardizer.from_dict(targets),
                table=None if table is None else Features.from_spec(table),
            )
            pipeline._check(mlp)
        except (InputError, FileFormatError, KeyError, TypeError) as error:
            raise FileFormatError(
                f"{where!r}: what prepares the model's inputs is damaged: {error}; {needs}"
            ) from None
        return pipeline

    def _check(self, mlp: MLP) -> None:
        """`InputError` unless the parts fit together and the network."""
        if not len(self.feature_names) == len(self.inputs.mean) == mlp.in_features:
            raise InputError(
                f"inputs: {len(self.feature_names)} feature_names, {len(self.inputs.mean)} means, and a network of "
                f"{mlp.in_features} inputs"
            )
        if self.table is not None and self.table.names != self.feature_names:
            raise InputError("table: its features are not those of feature_names")
        if (self.classes is None) != (self.task == "regression"):
            raise InputError(
                f"classes: {self.task} with {'no' if self.classes is None else 'a list of'} classes"
            )
        if self.classes is not None and self.loss.decides is None:
            raise InputError(f"loss: {self.loss.name} does not decide between classes")
        if self.targets is not None and (self.classes is not None or len(self.targets.mean) != 1):
            raise InputError(
                f"targets: one mean and scale belong to a regression, got {len(self.targets.mean)}"
            )
        final = mlp.final_activation
        outputs = mlp.out_features if final is None else final.width(mlp.out_features)
        if outputs != self.out_features:
            raise InputError(
                f"classes: the network has {outputs} outputs, {self.task} of these classes with {self.loss.name} has {self.out_features}"
            )


def _check_loss(loss: losses.Loss, train: Dataset) -> None:
    """`InputError` for a loss of numbers where there are classes, or the other way round, or of fewer or other classes."""
    if train.classes is None:
        if loss.decides is not None:
            raise InputError(
                f"--loss: {loss.name} is for classes, and the target holds numbers; take mse, huber, ..., or say --task classification"
            )
        return
    several = len(train.classes) > 2
    if loss.decides is None or (several and loss.decides in ("binary", "sign")):
        what = "numbers" if loss.decides is None else "two classes"
        raise InputError(
            f"--loss: {loss.name} is for {what}, and the target holds {len(train.classes)} classes; take cross_entropy or focal"
        )
    if loss.decides == "rank" and any(isinstance(label, str) for label in train.classes):
        raise InputError(
            f"--loss: {loss.name} is for classes in an order, and text has none; number the classes, or take cross_entropy"
        )


_KEYS = ("task", "feature_names", "classes", "loss", "inputs", "targets")


def meaning(where: str, extra: Mapping[str, Any], mlp: MLP) -> tuple[str, list[Any] | None, bool]:
    """What a file says of its model: the task, the classes, and whether its inputs are to be standardised; `FileFormatError` where it
    makes no sense."""
    plain = extra.get("pipeline", extra)
    if not isinstance(plain, Mapping):
        raise FileFormatError(
            f"{where!r}: its entry 'pipeline' is {type(plain).__name__}, expected an object"
        )
    if all(key in plain for key in _KEYS):
        pipeline = Pipeline.from_dict(where, plain, mlp)
        return pipeline.task, None if pipeline.classes is None else list(pipeline.classes), True
    try:
        classes = _checked_classes(plain.get("classes"))
        task = _checked_task(plain.get("task") or "classification")
    except InputError as error:
        raise FileFormatError(f"{where!r}: what it says of the model makes no sense: {error}") from None
    return task, None if classes is None else list(classes), plain.get("inputs") is not None


def _checked_task(task: Any) -> str:
    if task not in ("classification", "regression"):
        raise InputError(f"task: expected 'classification' or 'regression', got {task!r}")
    return str(task)


def _checked_names(names: Any) -> tuple[str, ...]:
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise InputError("feature_names: expected a list of texts")
    if len(set(names)) != len(names):
        raise InputError("feature_names: two columns have one name")
    return tuple(names)


def _checked_classes(classes: Any) -> tuple[Any, ...] | None:
    """Different labels of one kind, at least two, or None."""
    if classes is None:
        return None
    kinds = {type(label) for label in classes} if isinstance(classes, list) else set()
    if (
        len(kinds) != 1
        or not kinds <= {str, int, bool}
        or len(set(classes)) != len(classes)
        or len(classes) < 2
    ):
        raise InputError("classes: expected at least two different labels, all texts or all whole numbers")
    for label in classes:
        if isinstance(label, str) and not _is_encodable(label):
            raise InputError(f"classes: {label!r} holds characters that do not exist")
    return tuple(classes)


def _is_encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
