"""What the pictures show of a network: numbers, not drawings."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from multimlp import tree
from multimlp.backend import host_values
from multimlp.errors import MultimlpError
from multimlp.mlp import MLP, Params
from multimlp.playground._settings import Place, Plan
from multimlp.plotting import activation_curve
from multimlp.structure import PIECEWISE_LINEAR, GradientFlow, PlaneRegions, gradient_flow, linear_regions
from multimlp.training import predict

RESOLUTION = 80
"""Pixels of the decision pictures in each direction."""
MOST_ROWS = 512
"""Rows that the gradient flow is measured on."""
MOST_BENDING = 48
"""Hidden units up to which linear regions are found: they are some thousand then, and take a fraction of a second."""
CURVE = np.arange(-250, 251) / 50


@dataclass(frozen=True, eq=False)
class Picture:
    """A network after an epoch.

    Attributes
    ----------
    epoch : int
    decision : numpy.ndarray, shape (RESOLUTION, RESOLUTION, k)
        Probabilities of the classes all over the plane, the lowest row first; of a regression the value, k = 1.
    flow : GradientFlow
        On training rows.
    params : tuple of Dense
    history : dict of str to list of float
    """

    epoch: int
    decision: np.ndarray
    flow: GradientFlow
    params: Params
    history: dict[str, list[float]]

    @classmethod
    def of(cls, plan: Plan, params: Params, epoch: int, history: dict[str, list[float]]) -> Picture:
        """Compute what is shown, on the backend of the parameters."""
        X, y = plan.train
        return cls(
            epoch=epoch,
            decision=decision(plan, params),
            flow=gradient_flow(plan.mlp, params, X[:MOST_ROWS], y[:MOST_ROWS], plan.loss),
            params=params,
            history={name: list(values) for name, values in history.items()},
        )

    def apart_from(self, other: Picture) -> Difference:
        """How far two networks are from each other."""
        return Difference(
            decision=np.max(np.abs(self.decision - other.decision), axis=-1),
            parameters=max(
                float(np.max(np.abs(mine - theirs), initial=0.0))
                for mine, theirs in zip(_values(self.params), _values(other.params), strict=True)
            ),
        )


@dataclass(frozen=True, eq=False)
class Difference:
    """The largest absolute differences of two networks after the same epoch.

    Attributes
    ----------
    decision : numpy.ndarray, shape (RESOLUTION, RESOLUTION)
        Of the outputs at each point of the plane.
    parameters : float
        Of all parameters.
    """

    decision: np.ndarray
    parameters: float


def _values(params: Params) -> list[np.ndarray]:
    return [host_values(leaf, "params").astype(np.float64) for leaf in tree.leaves(params)]


def decision(plan: Plan, params: Params, resolution: int = RESOLUTION) -> np.ndarray:
    """Probabilities of the classes, or values, on a grid of the plane; shape (resolution, resolution, k).

    Examples
    --------
    >>> from multimlp.playground import Plan, Settings, decision
    >>> plan = Plan.of(Settings(data="xor"))
    >>> decision(plan, plan.mlp.init(seed=0), 10).shape
    (10, 10, 2)
    """
    grid = plan.plane.inputs(plan.plane.grid(resolution))
    outputs = host_values(predict(plan.mlp, params, grid), "outputs").astype(np.float64)
    shown = outputs if plan.targets is None else plan.targets.inverse(outputs)
    shown = plan.loss.activation(outputs) if plan.dataset.classes is not None else shown
    return shown.reshape(resolution, resolution, -1)


@dataclass(frozen=True, eq=False)
class Regions:
    """Where the network is one affine map, in the plane that is drawn; or why that is not shown.

    Attributes
    ----------
    polygons : list of numpy.ndarray, each of shape (corners, 2)
    values : numpy.ndarray, shape (r,)
        The first output at the middle of each.
    reason : str
        Empty, or why there are none.
    """

    polygons: list[np.ndarray]
    values: np.ndarray
    reason: str

    @classmethod
    def of(cls, plan: Plan, params: Params) -> Regions:
        """Found exactly, by `multimlp.structure.linear_regions`.

        Examples
        --------
        >>> from multimlp.playground import Plan, Regions, Settings
        >>> plan = Plan.of(Settings(activation="tanh"))
        >>> Regions.of(plan, plan.mlp.init(seed=0)).reason
        'tanh is no straight line in pieces: there are no linear regions'
        """
        reason = why_no_regions(plan.mlp)
        if reason:
            return cls([], np.zeros(0), reason)
        try:
            found = linear_regions(plan.mlp, params, plan.plane.corners)
        except MultimlpError as error:  # data that lie on one line span no plane
            return cls([], np.zeros(0), str(error))
        assert isinstance(found, PlaneRegions)
        middles = np.stack([polygon.mean(axis=0) for polygon in found.polygons])
        values = found.offsets[:, 0] + np.einsum("ns,ns->n", middles, found.slopes[:, :, 0])
        return cls([plan.plane.drawn(polygon) for polygon in found.polygons], values, "")


def why_no_regions(mlp: MLP) -> str:
    """Why the linear regions of a network are not shown; empty if they are."""
    smooth = [rule.name for rule in mlp.activations if rule.name not in PIECEWISE_LINEAR]
    if smooth:
        return f"{smooth[0]} is no straight line in pieces: there are no linear regions"
    if sum(mlp.hidden) > MOST_BENDING:
        return f"{sum(mlp.hidden)} hidden units make too many regions to draw; up to {MOST_BENDING} are shown"
    return ""


@dataclass(frozen=True, eq=False)
class Curve:
    """An activation and its derivative, each of shape (n,), at the points `CURVE`."""

    name: str
    value: np.ndarray
    derivative: np.ndarray


def curves(plan: Plan, place: Place) -> list[Curve]:
    """The different activations of a network, as a backend computes them.

    Examples
    --------
    >>> from multimlp.playground import Place, Plan, Settings, curves
    >>> [curve.name for curve in curves(Plan.of(Settings(hidden="8, 8:tanh")), Place("numpy"))]
    ['relu', 'tanh']
    """
    names = dict.fromkeys(rule.name for rule in plan.mlp.activations)
    return [Curve(name, *activation_curve(name, CURVE, place.backend, place.dtype)) for name in names]
