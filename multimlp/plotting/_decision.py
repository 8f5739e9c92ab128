"""What a classifier of two features says, all over the plane."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from multimlp.backend import host_values
from multimlp.errors import DataError, InputError, ShapeError
from multimlp.errors.checks import as_given, check_whole
from multimlp.mlp import MLP, Params, check_params
from multimlp.plotting._style import MARKERS, axes_or_new, drawn_in_style
from multimlp.training import predict

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@drawn_in_style
def plot_decision_boundary(
    mlp: MLP, params: Params, X: Any, y: Any, ax: Axes | None = None, resolution: int = 200
) -> Axes:
    """The classes that a network of two inputs predicts, their borders, and the examples.

    Parameters
    ----------
    mlp : MLP
        With 2 inputs; one output is decided by its sign, several by the largest.
    params : tuple of Dense
    X : array of shape (n, 2)
    y : array of shape (n,)
        Class indices; drawn with one marker a class, on the grey of the class where they are predicted right.
    ax : matplotlib axes, optional
    resolution : int
        Points of the grid in each direction.

    Returns
    -------
    matplotlib axes

    Raises
    ------
    InputError, ShapeError
        If the network does not have two inputs, or ``X`` and ``y`` do not fit.
    DataError
        If ``y`` holds what is no class, or the network puts out NaN.

    Examples
    --------
    >>> import numpy as np
    >>> import multimlp as mm
    >>> from multimlp import plotting
    >>> mlp, X = mm.MLP(2, 4, 2), np.asarray([[0.0, 1.0], [1.0, 0.0]])
    >>> picture, axes = plotting.figure()
    >>> plotting.plot_decision_boundary(mlp, mlp.init(seed=0), X, [0, 1], axes).get_xlabel()
    'x1'
    """
    from matplotlib.patches import Patch

    check_params(mlp, params, single=True)
    if mlp.in_features != 2:
        raise InputError(f"mlp: expected 2 inputs for a picture in the plane, got {mlp.in_features}")
    points, labels = host_values(X, "X"), host_values(y, "y").reshape(-1)
    if points.ndim != 2 or points.shape[1] != 2 or len(points) != len(labels):
        raise ShapeError(f"X, y: expected shapes (n, 2) and (n,), got {points.shape} and {labels.shape}")
    resolution = check_whole("resolution", resolution, low=2, high=10_000)
    labels = _class_indices(labels)
    axes = axes_or_new(ax)
    low, high = points.min(axis=0), points.max(axis=0)
    margin = 0.12 * np.maximum(high - low, 1e-6)
    x1, x2 = (
        np.linspace(start, stop, resolution) for start, stop in zip(low - margin, high + margin, strict=True)
    )
    grid = np.stack(np.meshgrid(x1, x2), axis=-1)
    outputs = host_values(predict(mlp, params, grid.reshape(-1, 2)), "outputs")
    if np.isnan(outputs).any():
        raise DataError(
            "params: the network's outputs are NaN in this picture, which is no class; has the training diverged?"
        )
    classes = _decide(outputs).reshape(grid.shape[:2])
    count = int(max(classes.max(), labels.max())) + 1
    entries = []
    for label in range(count):
        shade = str(0.93 - 0.42 * label / max(count - 1, 1))
        # Each class by itself: a contour of the numbers would pass through class 1 on its way from 0 to 2.
        mask = (classes == label).astype(float)
        axes.contourf(x1, x2, mask, levels=[0.5, 1.5], colors=[shade])
        if label < count - 1 and 0 < mask.mean() < 1:
            axes.contour(x1, x2, mask, levels=[0.5], colors="black", linewidths=0.9)
        chosen = points[labels == label]
        marks = axes.scatter(
            chosen[:, 0], chosen[:, 1], s=22, marker=MARKERS[label % len(MARKERS)],
            facecolor="white" if label % 2 else "black", edgecolor="black", linewidth=0.8,
            label=f"class {label}", zorder=3,
        )  # fmt: skip
        entries.append((Patch(facecolor=shade, edgecolor="black", linewidth=0.5), marks))
    axes.grid(False)
    axes.set_xlabel("x1")
    axes.set_ylabel("x2")
    names = [f"class {label}" for label in range(count)]
    axes.legend(entries, names, loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=min(count, 5))
    return axes


def _class_indices(labels: np.ndarray) -> np.ndarray:
    """The labels as integers from 0; `DataError` for what would be no class."""
    if (
        not labels.size
        or not np.all(labels == np.floor(labels))
        or labels.min() < 0
        or labels.max() > _MOST_CLASSES
    ):
        raise DataError(
            f"y: expected class indices, integers from 0 to {_MOST_CLASSES}, one per row, got {as_given(labels)}"
        )
    return labels.astype(np.int64)


_MOST_CLASSES = 1000


def _decide(outputs: np.ndarray) -> np.ndarray:
    return (outputs[:, 0] > 0).astype(int) if outputs.shape[1] == 1 else np.argmax(outputs, axis=1)
