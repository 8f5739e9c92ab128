"""Checks that the functions of structure share."""

from __future__ import annotations

from typing import Any

from multimlp.backend import is_array
from multimlp.errors import InputError
from multimlp.mlp import MLP, Params, is_ensemble


def check_pair(mlp: Any, params: Any) -> None:
    """`InputError` unless these are an MLP and parameters of as many layers, each of the right shape."""
    if not isinstance(mlp, MLP):
        raise InputError(f"mlp: expected a multimlp.MLP, got {type(mlp).__name__}")
    count = len(mlp.hidden) + 1
    if not isinstance(params, (tuple, list)) or len(params) != count:
        got = f"{len(params)} layers" if isinstance(params, (tuple, list)) else type(params).__name__
        raise InputError(f"params: expected a tuple of {count} layers (from mlp.init), got {got}")
    for i, (layer, shape) in enumerate(zip(params, mlp.layer_shapes, strict=True)):
        weight: Any = getattr(layer, "weight", None)
        found = tuple(weight.shape) if is_array(weight) else type(weight).__name__
        if found[-2:] != shape:
            raise InputError(
                f"params[{i}].weight: expected an array of shape {shape} for {mlp!r}, got {found}"
            )


def check_single(params: Params) -> None:
    """`InputError` for the parameters of an ensemble."""
    members = is_ensemble(params)
    if members is not None:
        raise InputError(
            f"params: an ensemble of {members} was given, and one network is expected; pick a member, "
            "e.g. multimlp.tree.map(lambda a: a[0, ...], params)"
        )
