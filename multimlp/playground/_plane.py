"""The plane in which a data set is drawn: its own, where it has two features, else that of its first two principal components."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from multimlp.data import Dataset, Standardizer

MARGIN = 0.12
"""Of the width of the data, on each side."""


@dataclass(frozen=True, eq=False)
class Plane:
    """A map from coordinates that are drawn to a network's standardised inputs, ``origin + coordinates @ axes``.

    Attributes
    ----------
    origin : numpy.ndarray, shape (d,)
    axes : numpy.ndarray, shape (2, d)
    low, high : numpy.ndarray, shape (2,)
        The corners of what is drawn.
    labels : tuple of str
        Of the coordinates.
    points : numpy.ndarray, shape (n, 2)
        Where the examples lie, or what they project to.
    targets : numpy.ndarray, shape (n,)
        Of the examples, as the data set has them.
    """

    origin: np.ndarray
    axes: np.ndarray
    low: np.ndarray
    high: np.ndarray
    labels: tuple[str, str]
    points: np.ndarray
    targets: np.ndarray

    @classmethod
    def through(cls, train: Dataset, inputs: Standardizer) -> Plane:
        """The plane for a training part of at least two features.

        Examples
        --------
        >>> import numpy as np
        >>> from multimlp import data
        >>> from multimlp.playground import Plane
        >>> iris = data.load("iris")
        >>> scale = data.Standardizer.fit(iris.X)
        >>> plane = Plane.through(iris, scale)
        >>> plane.inputs(plane.points).shape, plane.labels
        ((150, 4), ('principal component 1', 'principal component 2'))
        """
        if train.X.shape[1] == 2:
            origin, axes = -inputs.mean / inputs.scale, np.diag(1 / inputs.scale)
            points = train.X.astype(np.float64)
            labels = (str(train.feature_names[0]), str(train.feature_names[1]))
        else:
            standardised = inputs(train.X).astype(np.float64)
            origin = standardised.mean(axis=0)
            _, _, directions = np.linalg.svd(standardised - origin, full_matrices=False)
            axes = np.zeros((2, train.X.shape[1]))
            axes[: len(directions)] = directions[:2]  # a single row has no second direction
            points = (standardised - origin) @ axes.T
            labels = ("principal component 1", "principal component 2")
        low, high = points.min(axis=0), points.max(axis=0)
        margin = MARGIN * np.where(high > low, high - low, 1.0)
        return cls(origin, axes, low - margin, high + margin, labels, points, train.y)

    def inputs(self, coordinates: np.ndarray) -> np.ndarray:
        """Coordinates of shape (n, 2) as inputs of the network, (n, d)."""
        return np.asarray(self.origin + coordinates @ self.axes)

    def grid(self, resolution: int) -> np.ndarray:
        """The middles of ``resolution`` squared pixels, row by row from the lower left; shape (resolution ** 2, 2)."""
        steps = (np.arange(resolution) + 0.5) / resolution
        x, y = (low + steps * (high - low) for low, high in zip(self.low, self.high, strict=True))
        return np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)

    @property
    def corners(self) -> np.ndarray:
        """The lower left corner and its two neighbours, as inputs of the network; shape (3, d)."""
        return self.inputs(np.asarray([self.low, [self.high[0], self.low[1]], [self.low[0], self.high[1]]]))

    def drawn(self, shares: np.ndarray) -> np.ndarray:
        """Shares (s, t) of the way from the corner to its neighbours as coordinates."""
        return np.asarray(self.low + shares * (self.high - self.low))
