"""Equinox: ``eqx.nn.MLP`` and ``eqx.nn.Sequential`` both ways.

Equinox's modules take one example (use `jax.vmap` for a batch) and hold weights as (out, in); values are
equal to the bit.
"""

from __future__ import annotations

from typing import Any

from multimlp.backend import Backend
from multimlp.errors import missing_dependency
from multimlp.interop._arrays import dtype_of
from multimlp.interop._building import Builder
from multimlp.interop._ensembles import parts_and_members
from multimlp.interop._equinox_files import from_leaves, read_leaves, with_leaves, write_leaves
from multimlp.interop._jax import Placed, supported_activations
from multimlp.interop._layers import Network

try:
    import equinox as eqx
    import jax
except ImportError:
    raise missing_dependency("equinox", "multimlp.interop.equinox", "equinox") from None

from multimlp.interop._equinox_modules import (
    EquinoxMembersLinear,
    EquinoxNamed,
    EquinoxResidual,
    EquinoxScale,
    Reading,
    equinox_of,
)

__all__ = [
    "EquinoxMembersLinear",
    "EquinoxNamed",
    "EquinoxResidual",
    "EquinoxScale",
    "from_equinox",
    "from_leaves",
    "read_leaves",
    "supported_activations",
    "to_equinox",
    "with_leaves",
    "write_leaves",
]


def to_equinox(mlp: Network, params: Any, combine: str = "members") -> eqx.nn.Sequential:
    """The model as ``eqx.nn.Sequential`` of Linear, Lambda and (inference-mode) Dropout; `EquinoxNamed` where layers have names.

    Parameters
    ----------
    mlp : MLP, or a chain of blocks
    params : tuple of Dense, or of the blocks' parameters
        Of any backend; of an MLP an ensemble too, as `EquinoxMembersLinear` layers, whose weights have the members in front.
    combine : {"members", "mean", "probabilities", "vote"}
        What is made of the outputs of an ensemble: nothing, (members, k) of an example; their mean; the mean of the probabilities of
        classes, as ``predict_proba`` of the estimators gives; for each class the part of the members that vote for it.

    Raises
    ------
    InputError
        For an activation that JAX has no function for; names those that it has.

    Examples
    --------
    >>> import multimlp as mm
    >>> from multimlp.interop.equinox import from_equinox, to_equinox
    >>> mlp = mm.MLP(2, 3, 1)
    >>> from_equinox(to_equinox(mlp, mlp.init(seed=0)))[0] == mlp
    True
    """
    parts, _ = parts_and_members(mlp, params, combine, "Equinox")
    place = Placed(dtype_of(params))
    with place.scope():
        return equinox_of(parts, place, combine)


def from_equinox(
    model: eqx.nn.MLP | eqx.nn.Sequential,
    backend: str | Backend | None = None,
    device: str | None = None,
    dtype: Any = None,
    state: eqx.nn.State | None = None,
    combine: str = "members",
) -> tuple[Any, Any]:
    """A model and its parameters from ``eqx.nn.MLP`` or ``eqx.nn.Sequential``, an MLP where it is one, else a chain of blocks.

    Batch normalisation is folded into the weights beside it, with the statistics that ``state`` holds: outputs are those of inference.

    Parameters
    ----------
    model : eqx.nn.MLP or eqx.nn.Sequential
    backend, device, dtype : optional
        Default: JAX, as they are.
    state : eqx.nn.State, optional
        Of a model with batch normalisation.
    combine : {"members", "mean", "probabilities", "vote"}
        What an ensemble that `to_equinox` has written makes of its members' outputs. That is no part of the network that comes back, which
        gives them all: whoever reads it says it.

    Raises
    ------
    InputError
        For a layer or a function that there is nothing for here, and names it and its place; for another ``combine``.
    """
    reading = Builder("Equinox model")
    Reading(reading, state).read(model)
    weights = [leaf for leaf in jax.tree.leaves(model) if eqx.is_inexact_array(leaf) and leaf.ndim in (2, 3)]
    stored = str(weights[0].dtype) if weights else None
    return reading.build(backend, device, dtype, weights, stored, combine)
