"""Flax: linen modules with their variables and nnx modules, both ways.

Kernels are (in, out) on both sides; values are equal to the bit.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from multimlp.backend import Backend
from multimlp.errors import FileFormatError, InputError, missing_dependency
from multimlp.files import opening, replacing
from multimlp.interop._arrays import dtype_of
from multimlp.interop._building import Builder
from multimlp.interop._ensembles import parts_and_members
from multimlp.interop._jax import Placed, supported_activations
from multimlp.interop._layers import Network
from multimlp.interop._order import in_order as order_of
from multimlp.interop._order import natural
from multimlp.mlp import MLP, Params

try:
    import jax
    from flax import linen, nnx, serialization
except ImportError:
    raise missing_dependency("flax", "multimlp.interop.flax", "flax") from None

from multimlp.interop._flax_linen import (
    LinenMembersDense,
    LinenNamed,
    LinenResidual,
    LinenScale,
    linen_of,
    read_linen,
)
from multimlp.interop._flax_nnx import NnxMembersLinear, NnxNamed, NnxResidual, NnxScale, nnx_of, read_nnx

__all__ = [
    "LinenMembersDense",
    "LinenNamed",
    "LinenResidual",
    "LinenScale",
    "NnxMembersLinear",
    "NnxNamed",
    "NnxResidual",
    "NnxScale",
    "from_flax",
    "from_nnx",
    "from_variables",
    "in_order",
    "layers_in",
    "read_variables",
    "supported_activations",
    "to_flax",
    "to_nnx",
    "with_variables",
    "write_variables",
]


def to_flax(mlp: Network, params: Any, combine: str = "members") -> tuple[linen.Sequential, dict[str, Any]]:
    """``(module, variables)`` for linen: ``module.apply(variables, X)``.

    Parameters
    ----------
    mlp : MLP, or a chain of blocks
    params : tuple of Dense, or of the blocks' parameters
        Of any backend; of an MLP an ensemble too, as `LinenMembersDense` layers, whose kernels have the members in front.
    combine : {"members", "mean", "probabilities", "vote"}
        What is made of the outputs of an ensemble: nothing, (members, n, k), as a call gives; their mean; the mean of the probabilities of
        classes, as ``predict_proba`` of the estimators gives; for each class the part of the members that vote for it.

    Returns
    -------
    module : flax.linen.Sequential
        Of Dense, functions and (deterministic) Dropout; `LinenNamed` where layers have names.
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
    >>> to_flax(mlp, mlp.init(seed=range(5)), combine="mean")[1]["params"]["layers_0"]["kernel"].shape
    (5, 2, 3)
    """
    parts, _ = parts_and_members(mlp, params, combine, "Flax")
    module, variables = linen_of(parts, Placed(dtype_of(params)), combine)
    return module, {"params": variables}


def from_flax(
    module: linen.Sequential,
    variables: Mapping[str, Any],
    backend: str | Backend | None = None,
    device: str | None = None,
    dtype: Any = None,
    combine: str = "members",
) -> tuple[Any, Any]:
    """A model and its parameters from a linen module and its variables, in the order in which `to_flax` gives them: an MLP where it is
    one, else a chain of blocks.

    Batch normalisation is folded into the weights beside it, with the statistics that the variables hold: outputs are those of
    inference.

    Parameters
    ----------
    module : flax.linen.Sequential
        Tells the activations; without one see `from_variables`.
    variables : mapping
        ``{"params": ..., "batch_stats": ...}``, or what is in ``"params"``.
    backend, device, dtype : optional
        Default: JAX (or NumPy, if the variables are NumPy arrays), as they are.
    combine : {"members", "mean", "probabilities", "vote"}
        What an ensemble that `to_flax` has written makes of its members' outputs. That is no part of the network that comes back, which
        gives them all: whoever reads it says it.

    Raises
    ------
    InputError
        For a layer or a function that there is nothing for here, and names it and its place; for another ``combine``.

    Examples
    --------
    >>> import multimlp as mm
    >>> from multimlp.interop.flax import from_flax, to_flax
    >>> mlp = mm.MLP(2, 3, 1, activation="tanh")
    >>> module, variables = to_flax(mlp, mlp.init(seed=0))
    >>> from_flax(module, variables)[0] == mlp
    True
    """
    if not isinstance(module, linen.Module):
        raise InputError(
            f"module: expected a flax.linen.Sequential, got {type(module).__name__}: the order is from_flax(module, variables), "
            "as to_flax gives them; from_variables takes variables alone"
        )
    params = layers_in(variables)
    for path, value in jax.tree_util.tree_leaves_with_path(params):
        _check_array(jax.tree_util.keystr(path), value)
    reading = Builder("Flax module")
    read_linen(module, {**variables, "params": params}, reading)
    leaves = jax.tree.leaves(params)
    stored = _dtype_name(leaves[0] if leaves else None)
    return reading.build(backend, device, dtype, leaves, stored, combine)


def from_variables(
    variables: Mapping[str, Any],
    activation: Any = "relu",
    final_activation: Any = None,
    backend: str | Backend | None = None,
    device: str | None = None,
    dtype: Any = None,
) -> tuple[MLP, Params]:
    """An MLP and its parameters from variables alone, linen's or those of an ``nnx.Sequential``, which tell no activations; of an ensemble
    too, biases included, as `LinenMembersDense` and `NnxMembersLinear` have it.

    Parameters
    ----------
    variables : mapping
        ``{"params": {"Dense_0": {"kernel": ..., "bias": ...}, "Dense_1": ...}}`` or the inner mapping, or
        ``{"layers": {0: {"kernel": ..., "bias": ...}, 2: ...}}`` as nnx has it. Layers go by the numbers in their names, else as they
        fit together, each taking what the one before gives.
    activation : str, or one a hidden layer
    final_activation : str, optional
    backend, device, dtype : optional
        Default: JAX (or NumPy, if the variables are NumPy arrays), as they are.

    Raises
    ------
    InputError
        For anything but fully connected layers, and for names without numbers of layers that fit together in several orders.

    Examples
    --------
    >>> import multimlp as mm
    >>> from multimlp.interop.flax import from_variables, to_flax
    >>> mlp = mm.MLP(2, 3, 1, activation="tanh")
    >>> from_variables(to_flax(mlp, mlp.init(seed=0))[1], activation="tanh")[0] == mlp
    True
    """
    arrays, first = _arrays_in(variables)
    reading = Builder.from_arrays(
        "Flax variables", arrays, activation, final_activation, "kernel", transposed=False
    )
    return reading.build(backend, device, dtype, first, _dtype_name(next(iter(first), None)))


def _arrays_in(variables: Mapping[str, Any]) -> tuple[dict[str, np.ndarray], list[Any]]:
    """The arrays on the host under ``<layer>.<part>``, and as they came."""
    tree = layers_in(variables)
    layers = isinstance(tree, Mapping) and all(
        isinstance(name, (str, int)) and isinstance(layer, Mapping) for name, layer in tree.items()
    )
    if not layers:
        raise InputError(
            "variables: expected {layer: {'kernel': ..., 'bias': ...}}; those of nested modules tell no order, give the module to from_flax"
        )
    flat = {f"{name}.{part}": layer[part] for name, layer in in_order(tree).items() for part in layer}
    for name, value in flat.items():
        _check_array(repr(name), value)
    return {name: np.asarray(value) for name, value in flat.items()}, list(flat.values())


def _check_array(place: str, value: Any) -> None:
    if not hasattr(value, "shape") or not hasattr(value, "dtype"):
        nested = "; those of nested modules tell no order, give the module to from_flax"
        raise InputError(
            f"variables: {place} is {type(value).__name__}, expected an array{nested if isinstance(value, Mapping) else ''}"
        )


def layers_in(variables: Mapping[str, Any]) -> Any:
    """What is in linen's ``params`` or in the ``layers`` of an ``nnx.Sequential``."""
    if not isinstance(variables, Mapping):
        raise InputError(f"variables: expected a mapping, got {type(variables).__name__}")
    if "params" in variables:
        return variables["params"]
    inner = variables.get("layers")
    is_nnx = isinstance(inner, Mapping) and all(isinstance(layer, Mapping) for layer in inner.values())
    return inner if is_nnx else variables


def in_order(layers: Mapping[str, Any]) -> dict[str, Any]:
    """Linen's layers as they are computed: by the numbers in their names, else as they fit together.

    Raises
    ------
    InputError
        If they fit together in several orders.
    """
    kernels = {str(name): _kernel_shape(layer) for name, layer in layers.items()}
    by_name = {str(name): layer for name, layer in layers.items()}
    if any(len(shape) not in (2, 3) for shape in kernels.values()):  # (in, out); (members, in, out)
        return {name: by_name[name] for name in sorted(by_name, key=natural)}
    order = order_of("variables", {name: (shape[-2], shape[-1]) for name, shape in kernels.items()})
    return {name: by_name[name] for name in order}


def _kernel_shape(layer: Any) -> tuple[int, ...]:
    return tuple(getattr(layer.get("kernel"), "shape", ())) if isinstance(layer, Mapping) else ()


def _dtype_name(array: Any) -> str | None:
    return None if array is None else str(array.dtype)


# ---- variables in files ----------------------------------------


def write_variables(path: str | os.PathLike[str], variables: Mapping[str, Any] | nnx.Module) -> None:
    """Write linen's variables of `to_flax`, or the parameters of an nnx module, as msgpack, as ``flax.serialization`` has it.

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
    plain = (
        nnx.to_pure_dict(nnx.state(variables, nnx.Param)) if isinstance(variables, nnx.Module) else variables
    )
    content = serialization.msgpack_serialize(_on_host(plain))
    with replacing(path) as beside:
        beside.write_bytes(content)


def _on_host(tree: Any) -> Any:
    if isinstance(tree, Mapping):
        return {str(name): _on_host(inner) for name, inner in tree.items()}
    return np.asarray(tree)


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


def to_nnx(mlp: Network, params: Any, combine: str = "members") -> nnx.Sequential:
    """The model as ``nnx.Sequential`` of Linear, functions and (deterministic) Dropout; `NnxNamed` where layers have names.

    Parameters
    ----------
    mlp : MLP, or a chain of blocks
    params : tuple of Dense, or of the blocks' parameters
        Of any backend; of an MLP an ensemble too, as `NnxMembersLinear` layers, whose kernels have the members in front.
    combine : {"members", "mean", "probabilities", "vote"}
        What is made of the outputs of an ensemble: nothing, (members, n, k), as a call gives; their mean; the mean of the probabilities of
        classes, as ``predict_proba`` of the estimators gives; for each class the part of the members that vote for it.

    Raises
    ------
    InputError
        For an activation that JAX has no function for; names those that it has.

    Examples
    --------
    >>> import multimlp as mm
    >>> from multimlp.interop.flax import from_nnx, to_nnx
    >>> mlp = mm.MLP(2, 3, 1)
    >>> from_nnx(to_nnx(mlp, mlp.init(seed=0)))[0] == mlp
    True
    """
    parts, _ = parts_and_members(mlp, params, combine, "Flax")
    place = Placed(dtype_of(params))
    with place.scope():
        return nnx_of(parts, place, combine)


def from_nnx(
    model: nnx.Sequential,
    backend: str | Backend | None = None,
    device: str | None = None,
    dtype: Any = None,
    combine: str = "members",
) -> tuple[Any, Any]:
    """A model and its parameters from ``nnx.Sequential``: an MLP where it is one, else a chain of blocks.

    Parameters
    ----------
    model : flax.nnx.Sequential
    backend, device, dtype : optional
        Default: JAX, as they are.
    combine : {"members", "mean", "probabilities", "vote"}
        What an ensemble that `to_nnx` has written makes of its members' outputs. That is no part of the network that comes back, which
        gives them all: whoever reads it says it.

    Raises
    ------
    InputError
        For a layer or a function that there is nothing for here, and names it and its place; for another ``combine``.
    """
    reading = Builder("Flax model")
    read_nnx(model, reading)
    kernels = [leaf for leaf in jax.tree.leaves(nnx.state(model, nnx.Param)) if leaf.ndim in (2, 3)]
    stored = _dtype_name(kernels[0] if kernels else None)
    return reading.build(backend, device, dtype, kernels, stored, combine)


def with_variables(model: nnx.Sequential, variables: Mapping[str, Any]) -> nnx.Sequential:
    """The model, in whose Linear layers are now the arrays of these variables, in their order.

    Parameters
    ----------
    model : flax.nnx.Sequential
        Changed in place.
    variables : mapping
        As for `from_variables`.

    Raises
    ------
    InputError
        If there are more layers in one than in the other.

    Examples
    --------
    >>> import multimlp as mm
    >>> from multimlp.interop.flax import to_flax, to_nnx, with_variables
    >>> mlp = mm.MLP(2, 3, 1)
    >>> model = with_variables(to_nnx(mlp, mlp.init(seed=0)), to_flax(mlp, mlp.init(seed=1))[1])
    """
    linears = [part for part in model.layers if isinstance(part, (nnx.Linear, NnxMembersLinear))]
    layers = in_order(layers_in(variables))
    if len(layers) != len(linears):
        raise InputError(f"variables: expected {len(linears)} layers, got {len(layers)}")
    for linear, arrays in zip(linears, layers.values(), strict=True):
        for name, values in arrays.items():
            setattr(linear, name, nnx.Param(values))
    return model
