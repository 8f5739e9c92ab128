"""Any tree of arrays in a file: optimiser states, metrics, parameters of one's own; docs/file-format.md describes the format."""

from __future__ import annotations

import collections
import importlib
import json
import keyword
import os
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from multimlp import tree
from multimlp.backend import FLOAT_DTYPES, is_array, select
from multimlp.errors import FileFormatError, InputError
from multimlp.errors.shown import cut, one_line
from multimlp.files._hosted import hosted
from multimlp.files._safetensors import METADATA, opened, read_opened, stored_dtype, write_hosted
from multimlp.tree import Tree

if TYPE_CHECKING:
    from multimlp.backend import Array, Backend, Target

TREE_VERSION = "1"
_VERSION_KEY, _TREE_KEY = "multimlp.tree_version", "multimlp.tree"
_DAMAGE = (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError, RecursionError)
_OWN = {
    "Dense": "multimlp.mlp",
    "ParametricDense": "multimlp.mlp",
    "OptimizerState": "multimlp.optimizers",
    "LBFGSState": "multimlp.optimizers",
}
"""multimlp's own named tuples, and where each is; a file names none of the modules that are imported."""


def save_tree(path: str | os.PathLike[str], tree: Tree) -> None:
    """Write a tree: nested tuples, named tuples, lists and dicts of arrays of any library, Python numbers, text and ``None``.

    Values are kept to the bit, dtypes and the order of dicts too.

    Parameters
    ----------
    path : path
        Usually ends in ``.safetensors``; it is one.
    tree : tree
        Keys of dicts are text or whole numbers.

    Raises
    ------
    InputError
        If the file cannot be written, or a leaf is none of these; names its place.
    DTypeError
        For an array of complex numbers or objects.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import multimlp as mm
    >>> params = mm.MLP(2, 3, 1).init(seed=0)
    >>> state = mm.optimizers.adam().init(params)
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "run.safetensors"
    >>> mm.save_tree(path, {"params": params, "state": state, "epoch": 3})
    >>> again = mm.load_tree(path)
    >>> again["epoch"], type(again["state"]).__name__, again["params"][0].weight.shape
    (3, 'OptimizerState', (2, 3))
    """
    arrays: dict[str, tuple[np.ndarray, str]] = {}
    try:
        text = json.dumps(_described(tree, (), arrays))
    except RecursionError:
        raise InputError("tree: it holds itself, or is nested too deep to be written") from None
    write_hosted(path, arrays, {_VERSION_KEY: TREE_VERSION, _TREE_KEY: text})


def load_tree(
    path: str | os.PathLike[str],
    backend: str | Backend | None = None,
    device: str | None = None,
    dtype: Any = None,
    like: Tree = None,
) -> Tree:
    """Read a tree that `save_tree` wrote.

    Parameters
    ----------
    path : path
    backend, device
        Where the arrays go; by the usual order of precedence when not given.
    dtype : str or dtype, optional
        Of all floating arrays; others keep theirs. Default: each as it was. It must be given to read bfloat16 where a library has none.
    like : tree, optional
        A tree of the same structure, whose named tuples are made. Without it those of multimlp come back as they were, those of others
        (optax, your own) as new ones of the same name and fields: reading a file never imports what it names.

    Returns
    -------
    tree

    Raises
    ------
    InputError
        If there is no such file, or ``like`` is a tree of another structure.
    FileFormatError
        If it is damaged or of another kind.
    DTypeError
        If the library has no such dtype; ``dtype=`` says another.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import numpy as np
    >>> import multimlp as mm
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "run.safetensors"
    >>> mm.save_tree(path, {"w": np.ones(2), "epoch": 3})
    >>> mm.load_tree(path, backend="numpy")
    {'w': array([1., 1.]), 'epoch': 3}
    """
    with opened(path) as file:
        metadata = file.metadata() or {}
        if metadata.get(_VERSION_KEY) != TREE_VERSION:
            found = metadata.get(_VERSION_KEY)
            raise FileFormatError(
                f"{str(path)!r} is no tree that multimlp.save_tree wrote"
                if found is None
                else f"{str(path)!r} has version {found!r} of the format of trees; this multimlp reads {TREE_VERSION!r}"
            )
        arrays = read_opened(path, file)
        dtypes = {name: stored_dtype(path, file, name) for name in arrays}
    target = select(backend, device, dtype)
    if dtype is not None:
        dtypes = {name: target.dtype if own in FLOAT_DTYPES else own for name, own in dtypes.items()}
    for own in sorted({*dtypes.values()} & {*FLOAT_DTYPES}):
        select(target.backend, target.device, own)  # has it such a dtype?
    try:
        reading = _Reading(arrays, dtypes, target)
        found_tree = reading(json.loads(metadata[_TREE_KEY]))
        if arrays:
            raise ValueError(f"nothing in it is the array {min(arrays)!r}")
    except _DAMAGE as error:
        raise FileFormatError(f"{str(path)!r} is damaged: its tree: {one_line(error)}") from None
    return found_tree if like is None else tree.map(lambda _, leaf: leaf, like, found_tree)


def _described(node: Tree, place: tuple[str, ...], arrays: dict[str, tuple[np.ndarray, str]]) -> Any:
    """The node as JSON; arrays are put aside under the name of their place."""
    if node is None or isinstance(node, (bool, str)):
        return node
    if is_array(node):
        name = ".".join(place).encode(errors="backslashreplace").decode() or "leaf"
        while name in arrays or name == METADATA:  # a key may hold a dot, and the format has that name itself
            name += "'"
        arrays[name] = hosted(node, f"tree{_shown(place)}")
        return {"array": name}
    if isinstance(node, int):
        try:
            return {"int": str(int(node))}
        except ValueError:  # Python writes and reads no more
            raise InputError(
                f"tree{_shown(place)}: expected whole numbers of at most {sys.get_int_max_str_digits()} digits"
            ) from None
    if isinstance(node, float):
        return {"float": node.hex()}
    if isinstance(node, dict):
        for key in node:
            if isinstance(key, bool) or not isinstance(key, (str, int)):
                raise InputError(
                    f"tree{_shown(place)}: expected keys that are text or whole numbers, got {key!r}"
                )
        return {"dict": [[key, _described(value, (*place, str(key)), arrays)] for key, value in node.items()]}
    if isinstance(node, (tuple, list)):
        fields = getattr(node, "_fields", None)
        steps = fields or tuple(str(i) for i in range(len(node)))
        items = [_described(value, (*place, step), arrays) for step, value in zip(steps, node, strict=True)]
        if fields is None:
            return {"list" if isinstance(node, list) else "tuple": items}
        kind = type(node)
        return {"named": f"{kind.__module__}.{kind.__qualname__}", "fields": list(fields), "items": items}
    raise InputError(
        f"tree{_shown(place)}: expected an array, a number, text or None, got {cut(repr(node), 60)} of type {type(node).__name__}"
    )


def _shown(place: tuple[str, ...]) -> str:
    return "".join(f"[{step}]" if step.isdecimal() else f".{step}" for step in place)


class _Reading:
    """The inverse of `_described`."""

    def __init__(self, arrays: dict[str, np.ndarray], dtypes: Mapping[str, str], target: Target) -> None:
        self._arrays, self._dtypes, self._target = arrays, dtypes, target

    def __call__(self, node: Any) -> Tree:
        if node is None or isinstance(node, (bool, str)):
            return node
        if "array" in node:
            return self._array(node["array"])
        if "int" in node:
            return int(node["int"])
        if "float" in node:
            return float.fromhex(node["float"])
        if "dict" in node:
            return {_key(key): self(value) for key, value in node["dict"]}
        if "named" in node:
            return _class_of(node["named"], tuple(node["fields"]))(*map(self, node["items"]))
        ((kind, items),) = node.items()
        return {"tuple": tuple, "list": list}[kind](map(self, items))

    def _array(self, name: str) -> Array:
        backend, dtype = self._target.backend, self._dtypes[name]
        # Each once: a few bytes that name one array many times must not become many arrays.
        host = self._arrays.pop(name)
        with backend.scope(dtype):
            return backend.asarray(host, dtype=dtype, device=self._target.device)


def _key(key: Any) -> Any:
    if isinstance(key, bool) or not isinstance(key, (str, int)):
        raise TypeError(f"{key!r} is no key")
    return key


def _class_of(name: str, fields: tuple[str, ...]) -> Any:
    """multimlp's own named tuple of this name, else a new one: no module of anybody else's is looked up."""
    package, own = name.partition(".")[0], name.rpartition(".")[2]
    if package == "multimlp" and own in _OWN:
        found = getattr(importlib.import_module(_OWN[own]), own)
        if found._fields == fields:  # of another version it may have others
            return found
    valid = own.isidentifier() and not keyword.iskeyword(own)
    return collections.namedtuple(own if valid else "Tree", fields)
