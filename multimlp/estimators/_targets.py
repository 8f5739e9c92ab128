"""Class labels to training targets and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.multiclass import check_classification_targets, type_of_target

from multimlp import losses
from multimlp.backend import Array, array_namespace
from multimlp.errors import DataError, InputError
from multimlp.estimators import _sklearn_losses
from multimlp.estimators._inputs import explained, require_labels
from multimlp.losses import Loss


class Labels:
    """The classes of a fitted classifier: how labels become targets, and outputs become labels.

    One sigmoid output serves two classes, a softmax over k outputs k classes, and k sigmoids k labels that
    exclude each other not.

    Parameters
    ----------
    y : array of shape (n,), or (n, k) of zeros and ones (multi-label)
    classes : array of shape (k,), optional
        All classes, if ``y`` may lack some.
    """

    def __init__(self, y: np.ndarray, classes: Any = None) -> None:
        require_labels(y)
        with explained("y"):
            check_classification_targets(y)
        kind = type_of_target(y)
        if kind == "multiclass-multioutput":
            raise DataError(
                "y: several columns must hold zeros and ones (multi-label); for several "
                "multi-class targets wrap the "
                "estimator in sklearn.multioutput.MultiOutputClassifier"
            )
        self.multilabel = kind == "multilabel-indicator"
        if self.multilabel:
            self.classes = np.arange(y.shape[1])
        else:
            self.classes = np.unique(y if classes is None else classes)

    @property
    def count(self) -> int:
        return len(self.classes)

    # ---- the network's side

    def outputs(self, loss: Any) -> int:
        """How many outputs the network has."""
        if self.multilabel or self.count > 2:
            return self.count
        return 2 if self._softmax(loss) else 1

    def loss(self, loss: Any) -> Loss:
        """The loss object for the parameter ``loss``."""
        if loss == "log_loss" and not self.multilabel and self.count > 2:
            return losses.cross_entropy
        if self.multilabel and self._softmax(loss):
            raise InputError(
                f"loss: {loss!r} is for classes that exclude each other, but y is multi-label; use 'log_loss'"
            )
        found = _sklearn_losses.for_classification(loss, self.outputs(loss))
        if found.decides == "rank" or found.parts is not None:
            raise InputError(
                f"loss: {loss!r} is not for classes without an order; use 'log_loss', or multimlp.fit"
            )
        return found

    @staticmethod
    def _softmax(loss: Any) -> bool:
        return loss != "log_loss" and losses.get(loss).decides == "class"

    def encode(self, y: np.ndarray, loss: Loss) -> np.ndarray:
        """Targets: class indices (n,) for a softmax, else zeros and ones (n, outputs)."""
        if self.multilabel:
            if y.ndim != 2 or y.shape[1] != self.count:
                raise DataError(f"y: expected shape (n, {self.count}), as in the first call, got {y.shape}")
            return np.asarray(y, dtype=np.float32)
        indices = self.indices(y)
        if loss.decides == "class":
            return indices
        if self.count <= 2:
            return indices[:, np.newaxis].astype(np.float32)
        return np.asarray(indices[:, np.newaxis] == np.arange(self.count), dtype=np.float32)

    def indices(self, y: np.ndarray) -> np.ndarray:
        """Positions in ``classes``, int32."""
        if y.ndim != 1:
            raise DataError(f"y: expected shape (n,), as in the first call, got {y.shape}")
        found = np.searchsorted(self.classes, y)
        known = self.classes[np.minimum(found, self.count - 1)] == y
        if not np.all(known):
            new = np.unique(y[~known])
            raise DataError(
                f"`y` has classes not in `self.classes_`. `self.classes_` has {self.classes}. 'y' has {new}."
            )
        return found.astype(np.int32)

    def check_same(self, y: np.ndarray) -> None:
        """`DataError` unless y has exactly these classes."""
        found = np.arange(y.shape[1]) if y.ndim == 2 else np.unique(y)
        if not np.array_equal(found, self.classes):
            raise DataError(
                "warm_start can only be used where `y` has the same classes as in the previous call to fit. "
                f"Previously got {self.classes}, `y` has {found}"
            )

    # ---- back

    def decode(self, scores: Array, threshold: float = 0.0) -> Array:
        """Labels for scores (n, outputs), on the host or in a graph; where one output decides, it does so by being above the
        threshold."""
        xp = array_namespace(scores)
        above = xp.astype(scores > threshold, xp.int64)
        if self.multilabel:
            return above
        places = xp.argmax(scores, axis=1) if scores.shape[1] > 1 else above[:, 0]
        if self.count == 1:
            places = xp.zeros_like(places)
        return xp.take(xp.asarray(self.classes), places, axis=0)

    def decode_targets(self, targets: np.ndarray) -> np.ndarray:
        """The labels that `encode` encoded."""
        return self.classes[targets] if targets.ndim == 1 else self.decode(targets, 0.5)


def class_weights(given: Any, y: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """The weight of each row by its class, as the parameter ``class_weight`` says; `DataError` for what weighs nothing.

    ``y`` may lack some of the classes, which a dict may name all the same.
    """
    with explained("class_weight"):
        if isinstance(given, Mapping) and y.ndim == 1:
            found = np.asarray(compute_sample_weight(given, classes))[np.searchsorted(classes, y)]
        else:
            found = np.asarray(compute_sample_weight(given, y))
    bad = np.flatnonzero(~(np.isfinite(found) & (found >= 0)))
    if len(bad):
        label = np.asarray(y[bad[0]]).tolist()
        raise DataError(
            f"class_weight: expected finite weights >= 0, got {found[bad[0]]} for the class {label!r}"
        )
    return found
