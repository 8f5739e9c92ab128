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
from multimlp.interop._equinox_files import from_leaves, read_leaves, with_leaves, write_leaves
from multimlp.interop._jax import Placed, supported_activations
from multimlp.interop._layers import Network, parts_of

try:
    import equinox as eqx
    import jax
except ImportError:
    raise missing_dependency("equinox", "multimlp.interop.equinox", "equinox") from None

from multimlp.interop._equinox_modules import EquinoxResidual, EquinoxScale, Reading, equinox_of

__all__ = [
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


def to_equinox(mlp: Network, params: Any) -> eqx.nn.Sequential:
    """The model as ``eqx.nn.Sequential`` of Linear, Lambda and (inference-mode) Dropout.

    Parameters
    ----------
    mlp : MLP
    params : tuple of Dense
        Of any backend; no ensemble.

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
    return equinox_of(parts_of(mlp, params), Placed(dtype_of(params)))


def from_equinox(
    model: eqx.nn.MLP | eqx.nn.Sequential,
    backend: str | Backend | None = None,
    device: str | None = None,
    dtype: Any = None,
    state: eqx.nn.State | None = None,
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

    Raises
    ------
    InputError
        For a layer or a function that there is nothing for here; names it and its place.
    """
    reading = Builder("Equinox model")
    Reading(reading, state).read(model)
    weights = [leaf for leaf in jax.tree.leaves(model) if eqx.is_inexact_array(leaf) and leaf.ndim == 2]
    return reading.build(backend, device, dtype, weights, str(weights[0].dtype) if weights else None)
