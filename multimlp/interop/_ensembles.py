"""Ensembles for other libraries: many networks of one shape as one model, every array with the members in front."""

from __future__ import annotations

from typing import Any

import numpy as np

from multimlp import activations
from multimlp.backend import Array, array_namespace
from multimlp.errors import InputError
from multimlp.errors.checks import check_choice
from multimlp.interop._chains import parts_of_mlp
from multimlp.interop._layers import Network, parts_of
from multimlp.interop._parts import Combined, Linear, Path, Pointwise, width_after
from multimlp.mlp import MLP, check_params

COMBINES = ("members", "mean", "probabilities", "vote")
"""What can be made of the members' outputs, ``combine=``."""
WITH_REST = "what is left to 1, and it"
"""Of one number, two."""


def parts_and_members(
    mlp: Network, params: Any, combine: str, where: str, supported: tuple[str, ...] = COMBINES
) -> tuple[Path, int | None]:
    """The steps of a model, and how many members it has; of an ensemble every array has these in front, else it is None.

    Parameters
    ----------
    combine : str
        One of ``supported``; anything but "members" is for ensembles.
    where : str
        The library, for errors.

    Raises
    ------
    InputError, ShapeError, DTypeError
        As `parts_of`; for an ensemble of chains, and for probabilities of a network that ends in an activation.
    """
    if check_choice("combine", combine, COMBINES) not in supported:
        known = ", ".join(map(repr, supported))
        raise InputError(f"combine: {where} has {known}, got {combine!r}")
    members = None
    if isinstance(mlp, MLP):
        check_params(mlp, params)
        members = mlp.members(params)
    if not isinstance(mlp, MLP) or members is None:
        if combine != "members":
            raise InputError(
                f"combine: {combine!r} is for ensembles of an MLP, and these are the parameters of one model"
            )
        return parts_of(mlp, params), None
    check_combination(mlp, combine)
    parts = parts_of_mlp(mlp, params)
    for part in parts:
        if isinstance(part, Pointwise) and part.learned:
            raise InputError(
                f"params: {where} has no equivalent of an ensemble of networks with the learned activation {part.rule.name!r}; give one "
                "member, multimlp.tree.map(lambda a: a[0, ...], params)"
            )
    return parts, members


def check_combination(mlp: Any, combine: str) -> None:
    """`InputError` for probabilities of a network that ends in an activation."""
    final = getattr(mlp, "final_activation", None)
    if combine == "probabilities" and final is not None:
        raise InputError(
            f"combine: 'probabilities' is for scores, and this network ends in {final.name!r}; give combine='mean'"
        )


def without_combination(source: str, parts: Path, combine: str) -> Path:
    """The steps of an ensemble without what is made of its members' outputs.

    Parameters
    ----------
    source : str
        What is read, for errors.
    parts : sequence of Part
        Behind those of the members perhaps `Combined` ones: one of `COMBINES`, or the operations that a library makes it of, ``"argmax"``,
        ``"one-hot k"``, ``"above 0"``, ``"number"``, ``"mean"``, and `WITH_REST`.
    combine : str
        What the caller says that the model makes of its members' outputs.

    Raises
    ------
    InputError
        If it makes something else, which would be lost.
    """
    check_choice("combine", combine, COMBINES)
    tail = tuple(part.made for part in parts if isinstance(part, Combined))
    body = parts[: len(parts) - len(tail)]
    at_the_end = not any(isinstance(part, Combined) for part in body)
    ensemble = any(isinstance(part, Linear) and part.weight.ndim == 3 for part in body)
    if not ensemble and not tail and combine != "members":
        raise InputError(f"combine: {combine!r} is for ensembles, and the {source} is one network")
    found = {} if tail and not (ensemble and at_the_end) else _combinations(tail, body)
    if not found:
        where = next(part.where for part in parts if isinstance(part, Combined))
        raise InputError(
            f"the {source} makes something of the members of an ensemble, at {where}, that is none of {', '.join(map(repr, COMBINES[1:]))} "
            "of the outputs of all"
        )
    if combine not in found:
        made = " or ".join(map(repr, found))
        raise InputError(
            f"combine: the {source} makes {made} of its members' outputs, got {combine!r}; since that is no part of the network, give "
            f"combine={[*found][-1]!r} (--combine {[*found][-1]}) and make it of what the network gives"
        )
    return found[combine]


def _combinations(tail: tuple[str, ...], body: Path) -> dict[str, Path]:
    """What steps behind the members may be called, and the members' steps then."""
    width, last = width_after(body), body[-1] if body else None
    final = last.rule.name if isinstance(last, Pointwise) else ""
    lone = width == 1
    if len(tail) <= 1 and (not tail or tail[0] in COMBINES):
        found = {tail[0] if tail else "members": body}
        if tail == ("mean",) and final == "softmax" and not lone:
            found["probabilities"] = body[:-1]
        return found
    if tail == ("mean", WITH_REST) and final == "sigmoid" and lone:
        return {"probabilities": body[:-1]}
    votes = ("above 0", "number", "mean", WITH_REST) if lone else ("argmax", f"one-hot {width}", "mean")
    return {"vote": body} if tail == votes else {}


def combined(outputs: Array, combine: str) -> Array:
    """What is made of the outputs of all members, shape (members, n, k), or of an example, (members, k).

    * ``"members"``: as they are
    * ``"mean"``: (n, k)
    * ``"probabilities"``: of classes, the mean of what the members say, (n, k); of a single output that of the second of two, (n, 2)
    * ``"vote"``: for each class the part of the members that have it for the most probable, (n, k) or (n, 2)
    """
    xp = array_namespace(outputs)
    if combine == "members":
        return outputs
    if combine == "probabilities":
        outputs = (activations.sigmoid if outputs.shape[-1] == 1 else activations.softmax)(outputs)
    elif combine == "vote":
        outputs = _chosen(xp, outputs)
    mean = xp.mean(outputs, axis=0)
    if combine != "mean" and mean.shape[-1] == 1:
        return xp.concat([1 - mean, mean], axis=-1)
    return mean


def _chosen(xp: Any, outputs: Array) -> Array:
    one, none = xp.ones_like(outputs), xp.zeros_like(outputs)
    if outputs.shape[-1] == 1:
        return xp.where(outputs > 0, one, none)
    best = xp.expand_dims(xp.argmax(outputs, axis=-1), axis=-1)
    numbers = xp.arange(outputs.shape[-1], dtype=best.dtype)
    return xp.where(best == numbers, one, none)


def in_rows(values: np.ndarray) -> np.ndarray:
    """Outputs of all members, (members, n, k), as one row an example; other arrays as they are."""
    if values.ndim != 3:
        return values
    return np.ascontiguousarray(values.transpose(1, 0, 2)).reshape(values.shape[1], -1)


def one_below_the_other(values: np.ndarray) -> np.ndarray:
    """Units of all members, (members, n, k), as one row a member and example; other arrays as they are."""
    return values.reshape(-1, values.shape[-1]) if values.ndim == 3 else values
