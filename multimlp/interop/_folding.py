"""Affine steps, such as batch normalisation once its statistics stand, as part of the weights beside them.

With scale s and shift t of the features:

    (x W + b) s + t = x (W diag(s)) + (b s + t)          behind a fully connected layer
    (x s + t) W + b = x (diag(s) W) + (b + t W)          before one

in float64; the numbers are rounded once, when they go to the dtype of the model.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from multimlp.errors import ShapeError
from multimlp.interop._parts import Affine, Dropout, Linear, Part, Path, Residual


def folded(parts: Path) -> Path:
    """The same function with as few affine steps as there can be: one stays that stands between two steps that are not linear.

    Dropout, which does nothing once a model is trained, is no obstacle.

    Raises
    ------
    ShapeError
        If an affine step has another number of features than the layer beside it.
    """
    found: list[Part] = []
    for part in parts:
        if isinstance(part, Residual):
            part = dataclasses.replace(part, inner=folded(part.inner))
        place = _before_dropout(found)
        last = found[place] if place >= 0 else None
        if isinstance(part, Affine) and isinstance(last, Affine):
            found[place] = _merged(last, part)
        elif isinstance(part, Affine) and isinstance(last, Linear):
            found[place] = _behind(last, part)
        elif isinstance(part, Linear) and isinstance(last, Affine):
            del found[place]
            found.append(_before(last, part))
        else:
            found.append(part)
    return tuple(part for part in found if not (isinstance(part, Affine) and is_nothing(part)))


def is_nothing(part: Affine) -> bool:
    """Whether it gives back what comes in."""
    return bool((part.scale == 1).all()) and not part.shift.any()


def _before_dropout(found: list[Part]) -> int:
    """The place of the last step but dropout; -1 if there is none."""
    place = len(found) - 1
    while place >= 0 and isinstance(found[place], Dropout):
        place -= 1
    return place


def _merged(first: Affine, second: Affine) -> Affine:
    _check(second, first.scale.shape or first.shift.shape[-1:], first.where)
    where = f"{first.where} with {second.where}"
    return Affine(first.scale * second.scale, first.shift * second.scale + second.shift, where=where)


def _behind(layer: Linear, affine: Affine) -> Linear:
    members = layer.weight.shape[:-2]
    _check(affine, layer.weight.shape[-1:], layer.where, members)
    weight = layer.weight.astype(np.float64) * affine.scale
    bias = affine.shift if layer.bias is None else layer.bias.astype(np.float64) * affine.scale + affine.shift
    bias = np.broadcast_to(bias, (*members, *weight.shape[-1:]))
    # One number for each feature is a bias, though all of them are 0: it is learned where the model comes from.
    return _replaced(layer, weight, bias, affine.shift.ndim > 0 or bool(affine.shift.any()))


def _before(affine: Affine, layer: Linear) -> Linear:
    features = layer.weight.shape[-2:-1]
    _check(affine, features, layer.where)
    weight = layer.weight.astype(np.float64)
    own = np.zeros(weight.shape[-1]) if layer.bias is None else layer.bias.astype(np.float64)
    bias = own + np.broadcast_to(affine.shift, features) @ weight
    scaled = np.broadcast_to(affine.scale, features)[:, None] * weight
    return _replaced(layer, scaled, bias, bool(affine.shift.any()))


def _replaced(layer: Linear, weight: np.ndarray, bias: np.ndarray, shifted: bool) -> Linear:
    keep = layer.bias is not None or shifted
    return dataclasses.replace(layer, weight=weight, bias=bias if keep else None)


def _check(affine: Affine, features: tuple[int, ...], beside: str, members: tuple[int, ...] = ()) -> None:
    for values in (affine.scale, affine.shift):
        if values.ndim > 1 and values.shape != (*members, *features):
            raise ShapeError(
                f"{affine.where} has numbers of shape {values.shape} for members of an ensemble, which {beside} beside it does not have"
            )
        if values.ndim and features and values.shape[-1:] != features:
            raise ShapeError(
                f"{affine.where} works on {values.shape[-1]} features, but {beside} beside it has {features[0]}"
            )
