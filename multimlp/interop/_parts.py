"""The steps that other libraries' models are made of, on the host: what all readers give and all writers take."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np

from multimlp.activations import Activation


@dataclass(frozen=True, eq=False, kw_only=True)
class Part:
    """A step of a model."""

    where: str = ""
    """What it is and where, as its own library says it, for errors: ``"BatchNorm1d '1'"``."""
    name: str = ""
    """What its user has called it; empty where nobody has."""


@dataclass(frozen=True, eq=False)
class Linear(Part):
    """``x W + b``."""

    weight: np.ndarray
    """Shape (in, out); of an ensemble (members, in, out)."""
    bias: np.ndarray | None
    """Shape (out,); of an ensemble (members, out)."""
    dtypes: tuple[str, ...] = ()
    """Of the numbers that it was made from; `weight` and `bias` are float64 once something is folded into them."""


@dataclass(frozen=True, eq=False)
class Pointwise(Part):
    """An activation."""

    rule: Activation
    learned: Mapping[str, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Erf(Part):
    """The error function, of which gelu is made where there is no operator for it."""


@dataclass(frozen=True, eq=False)
class Dropout(Part):
    """Dropout at a rate above 0."""

    rate: float


@dataclass(frozen=True, eq=False)
class Affine(Part):
    """``scale x + shift``, float64, each of shape (features,), or () for all features alike; a shift behind a layer of an ensemble may be
    (members, features)."""

    scale: np.ndarray
    shift: np.ndarray


@dataclass(frozen=True, eq=False)
class LayerNorm(Part):
    """Normalisation by the mean and the variance of each row, then scale and shift."""

    scale: np.ndarray
    shift: np.ndarray | None
    epsilon: float


@dataclass(frozen=True, eq=False)
class RMSNorm(Part):
    """Normalisation by the root mean square of each row, then a scale."""

    scale: np.ndarray
    epsilon: float


@dataclass(frozen=True, eq=False)
class Residual(Part):
    """What comes in, added to what these steps make of it."""

    inner: tuple[Part, ...]


@dataclass(frozen=True, eq=False)
class Combined(Part):
    """What is made of the outputs of all members of an ensemble, or a step of it; see `multimlp.interop._ensembles.without_combination`."""

    made: str


Path: TypeAlias = tuple[Part, ...]
"""Steps, one after the other."""


def width_after(parts: Path) -> int | None:
    """How many features come out of the last of these steps; None where they do not tell."""
    for i in reversed(range(len(parts))):
        part = parts[i]
        if isinstance(part, Linear):
            return int(part.weight.shape[-1])
        if isinstance(part, (LayerNorm, RMSNorm, Affine)) and part.scale.ndim:
            return int(part.scale.shape[-1])
        if isinstance(part, Pointwise):
            before = width_after(parts[:i])
            return None if before is None else part.rule.width(before)
        if isinstance(part, Residual) and (inner := width_after(part.inner)) is not None:
            return inner
    return None
