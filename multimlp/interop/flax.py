"""Flax: linen modules with their variables and nnx modules, both ways.

Kernels are (in, out) on both sides; values are equal to the bit.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from multimlp.backend import Backend
from multimlp.errors import FileFormatError, InputError, missing_dependency
from multimlp.files import opening, replacing
from multimlp.interop._arrays import dtype_of
from multimlp.interop._building import Builder
from multimlp.interop._jax import Placed, supported_activations
from multimlp.interop._layers import Network, parts_of

try:
    import jax
    from flax import linen, nnx, serialization
except ImportError:
    raise missing_dependency("flax", "multimlp.interop.flax", "flax") from None

from multimlp.interop._flax_linen import LinenResidual, LinenScale, linen_of, read_linen
from multimlp.interop._flax_nnx import NnxResidual, NnxScale, nnx_of, read_nnx

__all__ = [
    "LinenResidual",
    "LinenScale",
    "NnxResidual",
    "NnxScale",
    "from_flax",
    "from_nnx",
    "in_order",
    "read_variables",
    "supported_activations",
    "to_flax",
    "to_nnx",
    "write_variables",
]


def to_flax(mlp: Network, params: Any) -> tuple[linen.Sequential, dict[str, Any]]:
    """``(module, variables)`` for linen: ``module.apply(variables, X)``.

    Parameters
    ----------
    mlp : MLP
    params : tuple of Dense
        Of any backend; no ensemble.

    Returns
    -------
    module : flax.linen.Sequential
        Of Dense, functions and (deterministic) Dropout.
    variables : dict
        ``{"params": {"layers_0": {"kernel": ..., "bias": ...}, ...}}``

    Raises
    ------
    InputError
        For an activation that JAX has no function for; names those that it has.

    Examples
    --------
    >>> import multimlp as mm
    >>> from multimlp.interop.flax import to_flax
    >>> mlp = mm.MLP(2, 3, 1)
    >>> module, variables = to_flax(mlp, mlp.init(seed=0))
    >>> sorted(variables["params"])
    ['layers_0', 'layers_2']
    """
    module, variables = linen_of(parts_of(mlp, params), Placed(dtype_of(params)))
    return module, {"params": variables}


def from_flax(
    variables: Mapping[str, Any],
    module: linen.Sequential | None = None,
    activation: Any = "relu",
    final_activation: Any = None,
    backend: str | Backend | None = None,
    device: str | None = None,
    dtype: Any = None,
) -> tuple[Any, Any]:
    """An MLP and its parameters from linen's variables.

    Parameters
    ----------
    variables : mapping
        ``{"params": {"Dense_0": {"kernel": ..., "bias": ...}, "Dense_1": ...}}`` or the inner mapping; layers
        go by the number at the end of their names.
    module : flax.linen.Sequential, optional
        Tells the activations.
    activation, final_activation : str, optional
        Without a module: the activations, which variables do not tell.
    backend, device, dtype : optional
        Default: JAX (or NumPy, if the variables are NumPy arrays), as they are.

    Raises
    ------
    InputError
        For anything but fully connected layers.

    Examples
    --------
    >>> import multimlp as mm
    >>> from multimlp.interop.flax import from_flax, to_flax
    >>> mlp = mm.MLP(2, 3, 1, activation="tanh")
    >>> module, variables = to_flax(mlp, mlp.init(seed=0))
    >>> from_flax(variables, module)[0] == from_flax(variables, activation="tanh")[0] == mlp
    True
    """
    params = variables.get("params", variables)
    if module is not None:
        reading = Builder("Flax module")
        read_linen(module, {**variables, "params": params}, reading)
        leaves = jax.tree.leaves(params)
    else:
        flat = _by_name(params)
        leaves = [*flat.values()]
        arrays = {name: np.asarray(value) for name, value in flat.items()}
        reading = Builder.from_arrays(
            "Flax variables", arrays, activation, final_activation, "kernel", transposed=False
        )
    return reading.build(backend, device, dtype, leaves, _dtype_name(leaves[0] if leaves else None))


def _by_name(params: Any) -> dict[str, Any]:
    """The arrays of layers that hold no others: ``Dense_0.kernel``, ..."""
    layers = isinstance(params, Mapping) and all(
        isinstance(name, str) and isinstance(layer, Mapping) for name, layer in params.items()
    )
    if not layers:
        raise InputError("variables: expected {layer: {'kernel': ..., 'bias': ...}}")
    flat = {f"{name}.{part}": layer[part] for name, layer in in_order(params).items() for part in layer}
    for name, value in flat.items():
        if not hasattr(value, "shape") or not hasattr(value, "dtype"):
            raise InputError(
                f"variables: {name!r} is {type(value).__name__}, expected an array; those of nested modules tell no order, give the "
                "module"
            )
    return flat


def in_order(layers: Mapping[str, Any]) -> dict[str, Any]:
    """Linen's layers by the number at the end of their names, which is the order in which they were made."""
    return {name: layers[name] for name in sorted(layers, key=_number)}


def _number(name: str) -> tuple[int, str]:
    found = re.search(r"(\d+)$", name)
    return (int(found.group()) if found else 0, name)


def _dtype_name(array: Any) -> str | None:
    return None if array is None else str(array.dtype)


# ---- variables in files ----------------------------------------


def write_variables(path: str | os.PathLike[str], variables: Mapping[str, Any]) -> None:
    """Write linen's variables of `to_flax` as msgpack, as ``flax.serialization`` has it.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import multimlp as mm
    >>> from multimlp.interop.flax import read_variables, to_flax, write_variables
    >>> mlp = mm.MLP(2, 3, 1)
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "model.msgpack"
    >>> write_variables(path, to_flax(mlp, mlp.init(seed=0))[1])
    >>> sorted(read_variables(path)["params"])
    ['layers_0', 'layers_2']
    """
    plain = jax.tree.map(np.asarray, dict(variables["params"]))
    with replacing(path) as beside:
        beside.write_bytes(serialization.msgpack_serialize({"params": plain}))


def read_variables(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The variables in a msgpack file, NumPy arrays in nested mappings; reading it runs no code.

    Raises
    ------
    InputError
        If the file cannot be read.
    FileFormatError
        If it is damaged or another kind of file.
    """
    with opening(path, "is no Flax file"):
        variables = serialization.msgpack_restore(Path(path).read_bytes())
    if not isinstance(variables, dict):
        raise FileFormatError(f"{str(path)!r} holds {type(variables).__name__}, not Flax variables")
    return variables


# ---- nnx ----------------------------------------


def to_nnx(mlp: Network, params: Any) -> nnx.Sequential:
    """The model as ``nnx.Sequential`` of Linear, functions and (deterministic) Dropout.

    Examples
    --------
    >>> import multimlp as mm
    >>> from multimlp.interop.flax import from_nnx, to_nnx
    >>> mlp = mm.MLP(2, 3, 1)
    >>> from_nnx(to_nnx(mlp, mlp.init(seed=0)))[0] == mlp
    True
    """
    return nnx_of(parts_of(mlp, params), Placed(dtype_of(params)))


def from_nnx(
    model: nnx.Sequential, backend: str | Backend | None = None, device: str | None = None, dtype: Any = None
) -> tuple[Any, Any]:
    """An MLP and its parameters from ``nnx.Sequential``; parameters default to JAX, as they are.

    Raises
    ------
    InputError
        For a layer or a function that no MLP has; names it.
    """
    reading = Builder("Flax model")
    read_nnx(model, reading)
    kernels = [leaf for leaf in jax.tree.leaves(nnx.state(model, nnx.Param)) if leaf.ndim == 2]
    return reading.build(backend, device, dtype, kernels, _dtype_name(kernels[0] if kernels else None))
