"""The regions on which a piecewise linear network is one affine map."""

from __future__ import annotations

from typing import Any

import numpy as np

from multimlp.backend import host_values
from multimlp.errors import InputError, ShapeError
from multimlp.mlp import MLP, Params
from multimlp.structure._line import LineRegions, split_line
from multimlp.structure._pieces import host_layers, own_outputs
from multimlp.structure._plane import PlaneRegions, on_plane, split_plane


def linear_regions(mlp: MLP, params: Params, points: Any) -> LineRegions | PlaneRegions:
    """Where a continuous piecewise linear network bends: exactly, along a segment or on a parallelogram.

    The composition of affine maps and of activations such as relu is affine on each of finitely many regions.
    Layer by layer, a preactivation that is affine in t crosses a kink of its unit where a linear equation
    says; no sampling is involved. That the outputs are straight inside the regions and meet at their
    borders is then measured on the network itself.

    Parameters
    ----------
    mlp : MLP
        With relu, leaky_relu, prelu, relu6, hard_tanh, hard_sigmoid, softshrink or identity activations.
    params : tuple of Dense
        Of any library; the regions are found on the host in float64.
    points : array, shape (2, in_features) or (3, in_features)
        The ends of a segment; or a parallelogram's corner and its two neighbours.

    Returns
    -------
    LineRegions or PlaneRegions

    Raises
    ------
    InputError
        If an activation is not continuous and piecewise linear, ``params`` is an ensemble or does not fit,
        or the points span nothing.
    ShapeError
        If ``points`` has another shape.

    References
    ----------
    Zhang et al., Dive into Deep Learning, section 5.1.5, exercise on ReLU networks as continuous piecewise
    linear functions; Montufar et al., On the number of linear regions of deep neural networks, NeurIPS
    2014.

    Examples
    --------
    >>> import numpy as np
    >>> import multimlp as mm
    >>> from multimlp.structure import linear_regions
    >>> mlp = mm.MLP(1, 2, 1)
    >>> hidden = mm.Dense(np.asarray([[1.0, 1.0]]), np.asarray([0.0, -1.0]))
    >>> params = (hidden, mm.Dense(np.asarray([[1.0], [-2.0]]), np.zeros(1)))  # relu(x) - 2 relu(x - 1)
    >>> regions = linear_regions(mlp, params, [[-1.0], [3.0]])
    >>> regions.points.tolist(), (regions.slopes / 4).tolist()
    ([[0.0], [1.0]], [[0.0], [1.0], [-1.0]])
    """
    layers = host_layers(mlp, params)
    corners = host_values(points, "points").astype(np.float64)
    if corners.ndim != 2 or corners.shape[0] not in (2, 3) or corners.shape[1] != mlp.in_features:
        raise ShapeError(
            f"points: expected shape (2, {mlp.in_features}), a segment's ends, or (3, {mlp.in_features}), "
            f"a corner of a parallelogram and its neighbours; got {corners.shape}"
        )
    if not np.all(np.isfinite(corners)):
        raise InputError("points: expected finite numbers")
    if np.linalg.matrix_rank(corners[1:] - corners[0]) < len(corners) - 1:
        raise InputError("points: they lie on one point or line, and span no segment or parallelogram")
    if len(corners) == 2:
        start, end = corners
        breakpoints, units, offsets, slopes = split_line(layers, start, end)
        errors = _line_errors(mlp, params, corners, breakpoints, offsets, slopes)
        return LineRegions(start, end, breakpoints, units, slopes, offsets, *errors)
    origin, first, second = corners
    polygons, offsets, slopes = split_plane(layers, corners)
    errors = _plane_errors(mlp, params, corners, polygons, offsets, slopes)
    return PlaneRegions(origin, first, second, polygons, slopes, offsets, *errors)


def _line_errors(
    mlp: MLP,
    params: Params,
    ends: np.ndarray,
    breakpoints: np.ndarray,
    offsets: np.ndarray,
    slopes: np.ndarray,
) -> tuple[float, float]:
    edges = np.concatenate([[0.0], breakpoints, [1.0]])
    share = np.asarray([0.125, 0.5, 0.875])
    t = edges[:-1, None] + share * np.diff(edges)[:, None]
    formula = offsets[:, None, :] + t[..., None] * slopes[:, None, :]
    own = own_outputs(mlp, params, ends[0] + t.reshape(-1, 1) * (ends[1] - ends[0])).reshape(formula.shape)
    scale = max(float(np.max(np.abs(own))), np.finfo(np.float64).tiny)
    at = breakpoints[:, None]
    jumps = (offsets[1:] + at * slopes[1:]) - (offsets[:-1] + at * slopes[:-1])
    return float(np.max(np.abs(own - formula))) / scale, float(np.max(np.abs(jumps), initial=0.0)) / scale


def _plane_errors(
    mlp: MLP,
    params: Params,
    corners: np.ndarray,
    polygons: tuple[np.ndarray, ...],
    offsets: np.ndarray,
    slopes: np.ndarray,
) -> tuple[float, float]:
    middles = np.stack([polygon.mean(axis=0) for polygon in polygons])
    halfway = [(polygon + middle) / 2 for polygon, middle in zip(polygons, middles, strict=True)]

    def difference(places: list[np.ndarray] | tuple[np.ndarray, ...]) -> tuple[float, float]:
        region = np.repeat(np.arange(len(places)), [len(place) for place in places])
        coordinates = np.concatenate(places)
        own = own_outputs(mlp, params, on_plane(corners, coordinates))
        formula = offsets[region] + np.einsum("ni,nio->no", coordinates, slopes[region])
        return float(np.max(np.abs(own - formula))), float(np.max(np.abs(own)))

    inside, scale = difference(halfway)
    border, _ = difference(polygons)
    scale = max(scale, np.finfo(np.float64).tiny)
    return inside / scale, border / scale
