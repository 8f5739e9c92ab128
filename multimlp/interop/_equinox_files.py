"""The leaves of an Equinox module in a file of ``equinox.tree_serialise_leaves``: arrays of NumPy's format, one after the other."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax
import numpy as np

from multimlp.backend import Backend, load_backend
from multimlp.errors import DTypeError, FileFormatError, InputError
from multimlp.errors.checks import check_items, refuse
from multimlp.files import read_array_sequence, replacing
from multimlp.interop._building import Builder
from multimlp.mlp import MLP, Params


def write_leaves(path: str | os.PathLike[str], model: eqx.Module) -> None:
    """Write what a module has learned, as ``equinox.tree_serialise_leaves`` does, but whole or not at all.

    Raises
    ------
    InputError
        If the file cannot be written, or ``model`` is no Equinox module.
    DTypeError
        For bfloat16, which NumPy's format does not know.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import multimlp as mm
    >>> from multimlp.interop.equinox import from_leaves, read_leaves, to_equinox, write_leaves
    >>> mlp = mm.MLP(2, 3, 1, activation="tanh")
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "model.eqx"
    >>> write_leaves(path, to_equinox(mlp, mlp.init(seed=0)))
    >>> [leaf.shape for leaf in read_leaves(path)]
    [(3, 2), (3,), (1, 3), (1,)]
    >>> from_leaves(read_leaves(path), activation="tanh")[0] == mlp
    True
    """
    if not isinstance(model, eqx.Module):
        raise InputError(f"model: expected an Equinox module, got {type(model).__name__}")
    for leaf in jax.tree.leaves(model):
        if eqx.is_array(leaf) and leaf.dtype.name == "bfloat16":
            raise DTypeError("model: Equinox's files cannot hold bfloat16; convert it to float32 first")
    content = io.BytesIO()
    eqx.tree_serialise_leaves(content, model)
    with replacing(path) as beside:
        beside.write_bytes(content.getbuffer())


def read_leaves(path: str | os.PathLike[str]) -> list[np.ndarray]:
    """The leaves in a file of ``equinox.tree_serialise_leaves``, in their order; nothing in it is run.

    Raises
    ------
    InputError
        If the file cannot be read.
    FileFormatError
        If it is damaged or of another kind.
    """
    return read_array_sequence(path)


def from_leaves(
    leaves: Sequence[np.ndarray],
    activation: Any = "relu",
    final_activation: Any = None,
    backend: str | Backend | None = None,
    device: str | None = None,
    dtype: Any = None,
) -> tuple[MLP, Params]:
    """An MLP and its parameters from the leaves of ``eqx.nn.MLP`` or a ``Sequential`` of Linear layers, which tell no activations.

    Parameters
    ----------
    leaves : sequence of array
        In each layer's turn the weight (out, in) and perhaps the bias; of an ensemble (members, out, in) and (members, out). What
        `eqx.nn.Dropout` writes, a rate and whether it is off, is left out.
    activation : str, or one a hidden layer
    final_activation : str, optional
    backend, device, dtype : optional

    Raises
    ------
    InputError
        For leaves that are no fully connected layers.

    Examples
    --------
    See `write_leaves`.
    """
    return Builder.from_arrays("Equinox file", _named(leaves), activation, final_activation).build(
        backend, device, dtype
    )


def _named(leaves: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
    named: dict[str, np.ndarray] = {}
    layer, before = -1, None
    for i, leaf in enumerate(check_items("leaves", leaves, "of arrays")):
        if not isinstance(leaf, np.ndarray):
            raise refuse(f"leaves[{i}]", "a NumPy array", leaf)
        if leaf.ndim == 0 and leaf.dtype == np.bool_ and before is not None and before.shape == ():
            named.pop(str(i - 1), None)  # Dropout's rate and switch
        elif before is not None and f"{layer}.bias" not in named and _is_bias(leaf, before):
            named[f"{layer}.bias"] = leaf
        elif leaf.ndim in (2, 3):
            layer += 1
            named[f"{layer}.weight"] = leaf
        else:
            named[str(i)] = leaf
        before = leaf
    return named


def _is_bias(leaf: np.ndarray, weight: np.ndarray) -> bool:
    """Whether a leaf is the bias of the weight before it; one of an ensemble looks like a weight but for its shape."""
    return (leaf.ndim, weight.ndim) == (1, 2) or (weight.ndim == 3 and leaf.shape == weight.shape[:-1])


def with_leaves(model: eqx.Module, leaves: Sequence[np.ndarray]) -> Any:
    """The module with these arrays, in their order, instead of its own; numbers of dropout among them are left out, and a bias of zeros
    that is not among them stays.

    Parameters
    ----------
    model : equinox.Module
    leaves : sequence of array
        Of `read_leaves`.

    Raises
    ------
    FileFormatError
        If they are of other shapes than its own.

    Examples
    --------
    >>> import numpy as np
    >>> import multimlp as mm
    >>> from multimlp.interop.equinox import to_equinox, with_leaves
    >>> mlp = mm.MLP(2, 3, 1)
    >>> model = with_leaves(to_equinox(mlp, mlp.init(seed=0)), [np.ones((3, 2)), np.ones(3), np.ones((1, 3)), np.ones(1)])
    >>> float(model(np.ones(2))[0])
    10.0
    """
    own, rest = eqx.partition(model, eqx.is_array)
    old, structure = jax.tree.flatten(own)
    waiting = [leaf for leaf in leaves if leaf.ndim][::-1]
    arrays = []
    for leaf in old:
        if waiting and waiting[-1].shape == leaf.shape:
            arrays.append(_placed(waiting.pop()))
        elif leaf.ndim == 1 and not leaf.any():
            arrays.append(leaf)
        else:
            raise FileFormatError("the file holds other leaves than the model")
    if waiting:
        raise FileFormatError("the file holds more leaves than the model")
    return eqx.combine(jax.tree.unflatten(structure, arrays), rest)


def _placed(leaf: np.ndarray) -> Any:
    backend = load_backend("jax")
    with backend.scope(leaf.dtype.name):
        return backend.asarray(leaf, dtype=leaf.dtype.name)
