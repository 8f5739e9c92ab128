"""Targets: which task they mean, and class labels as 0 .. k-1."""

from __future__ import annotations

from typing import Any

import numpy as np

from multimlp.data._compact import compact
from multimlp.data._csv import is_missing
from multimlp.data._finite import not_finite
from multimlp.errors import DataError
from multimlp.errors.checks import check_choice

TASKS = ("classification", "regression")
MAX_INFERRED_CLASSES = 20


def encode(where: str, y: np.ndarray, task: str | None) -> tuple[np.ndarray, tuple[Any, ...] | None, str]:
    """``(y, classes, task)``: class indices (int64) and their labels, or float32 values and None.

    Text and booleans are classes; so are whole numbers when there are at most 20 different ones and each
    appears twice on average. Everything else is regression, unless ``task`` says otherwise.
    """
    if task is not None:
        check_choice("task", task, TASKS)
    y = _decoded(where, y)
    if y.dtype.kind not in "biufU" and not _is_text(y):
        raise DataError(f"{where}: expected a target of numbers or text, got an array of dtype {y.dtype}")
    numeric = y.dtype.kind in "iuf"
    if numeric:
        bad = ~np.isfinite(y)
        if bad.any():
            raise not_finite(where, "the target", bad, "drop these rows")
    if task == "regression" and not numeric:
        raise DataError(f"{where}: the target is text (such as {str(y[0])!r}), which regression cannot use")
    labels, indices = np.unique(y, return_inverse=True)
    whole = numeric and bool(np.all(labels == np.floor(labels)))
    few = len(labels) <= min(MAX_INFERRED_CLASSES, len(y) // 2)
    if (task or ("classification" if not numeric or (whole and few) else "regression")) == "regression":
        return compact(y), None, "regression"
    _check_labels(where, y, labels)
    if task is None and len(labels) > max(MAX_INFERRED_CLASSES, len(y) // 2):
        raise DataError(
            f"{where}: the target holds {len(labels)} different texts in {len(y)} rows, such as {str(y[0])!r}, and so many classes are not "
            "learned; predict another column, or say task='classification' (--task classification)"
        )
    if len(labels) < 2:
        raise DataError(
            f"{where}: every row has the same class, {_plain(labels[0])!r}; nothing can be learned from it"
        )
    if numeric and not whole:
        odd = y[y != np.floor(y)][0].item()
        raise DataError(f"{where}: classification needs whole numbers or text as labels, got {odd!r}")
    return indices.astype(np.int64), tuple(_plain(label) for label in labels), "classification"


def _decoded(where: str, y: np.ndarray) -> np.ndarray:
    """Bytes as text."""
    if y.dtype.kind != "S":
        return y
    try:
        return np.char.decode(y, "utf-8")
    except UnicodeDecodeError as error:
        raise DataError(
            f"{where}: the target has a label that is not text in UTF-8: {error.object!r}"
        ) from None


def _is_text(y: np.ndarray) -> bool:
    return y.dtype.kind == "U" or (y.dtype.kind == "O" and all(isinstance(value, str) for value in y))


def _check_labels(where: str, y: np.ndarray, labels: np.ndarray) -> None:
    """What would silently become a class, or merge two of them, is refused."""
    if _is_text(y):
        missing = next((label for label in labels if is_missing(label)), None)
        if missing is not None:
            row = int(np.flatnonzero(y == missing)[0]) + 1
            raise DataError(
                f"{where}: the target in row {row} is {str(missing)!r}, which says that it is missing; drop such rows, or give the class "
                "another name"
            )
    elif y.dtype.kind == "f":
        exact = 2.0 ** (np.finfo(y.dtype).nmant + 1)
        large = np.abs(labels) > exact
        if large.any():
            raise DataError(
                f"{where}: the label {_plain(labels[large][0])} is too large for {y.dtype.name}, which does not tell whole numbers above "
                f"{exact:.0f} apart; store labels as integers or text, or say task='regression' (--task regression)"
            )


def _plain(label: Any) -> str | int | bool:
    """The label as a Python value that JSON can hold: 2.0 is the class 2."""
    value = label.item() if isinstance(label, np.generic) else label
    return int(value) if isinstance(value, (float, np.floating)) else value
