"""Models in files: what `save` writes and `load` reads; docs/file-format.md describes the format."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from multimlp import tree
from multimlp.backend import FLOAT_DTYPES, Array, select
from multimlp.errors import DTypeError, FileFormatError, InputError
from multimlp.errors.shown import one_line
from multimlp.files._hosted import hosted
from multimlp.files._safetensors import opened, read_opened, stored_dtype, write_hosted
from multimlp.mlp import MLP, Model, misfit
from multimlp.tree import Tree

if TYPE_CHECKING:
    from multimlp.backend import Backend

FORMAT_VERSION = "1"
VERSION_KEY, _MLP_KEY, _CHAIN_KEY, _EXTRA_KEY, ESTIMATOR_KEY = (
    f"multimlp.{name}" for name in ("format_version", "mlp", "chain", "extra", "estimator")
)


def save(
    path: str | os.PathLike[str], mlp: Model[Any], params: Tree, extra: Mapping[str, Any] | None = None
) -> None:
    """Write a model: its architecture, its parameters in their dtype, and plain values that go with it.

    Parameters
    ----------
    path : path
        Usually ends in ``.safetensors``.
    mlp : MLP, or `multimlp.chain` of blocks
        With named activations and initialisers; callables of your own cannot be written down.
    params : tree of arrays
        Of any backend; ensembles too.
    extra : mapping, optional
        Anything JSON can hold, such as the names of the features, keys text; `load_extra` reads it.

    Raises
    ------
    InputError
        If the file cannot be written, ``mlp`` holds callables, or ``params`` do not belong to it.
    MissingDependencyError
        If the package safetensors is missing.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import multimlp as mm
    >>> mlp = mm.MLP(2, 3, 1)
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "model.safetensors"
    >>> mm.save(path, mlp, mlp.init(seed=0))
    >>> mm.load(path)[0]
    MLP(2, [3], 1, activation='relu')
    """
    if not isinstance(mlp, Model):
        raise InputError(
            f"mlp: expected an MLP or a multimlp.chain, got {type(mlp).__name__}; the order is save(path, mlp, params)"
        )
    key = _MLP_KEY if isinstance(mlp, MLP) else _CHAIN_KEY
    metadata = {VERSION_KEY: FORMAT_VERSION, key: json.dumps(mlp.to_spec())}
    if extra is not None:
        metadata[_EXTRA_KEY] = _as_json(extra)
    mlp.check_params(params)
    arrays = {name: hosted(array, name) for name, array in mlp.named(params).items()}
    write_hosted(path, arrays, metadata)


def _as_json(extra: Mapping[str, Any]) -> str:
    try:
        text = json.dumps(dict(extra))
    except (TypeError, ValueError, RecursionError) as error:
        raise InputError(f"extra: only what JSON can hold can be stored: {error}") from None
    waiting: list[Any] = [dict(extra)]
    while waiting:
        item = waiting.pop()
        if isinstance(item, Mapping):
            odd = [key for key in item if not isinstance(key, str)]
            if odd:  # JSON would make text of it, perhaps that of another key
                raise InputError(
                    f"extra: only what JSON can hold can be stored: its keys are text, and {odd[0]!r} is {type(odd[0]).__name__}"
                )
            waiting += item.values()
        elif isinstance(item, (list, tuple)):
            waiting += item
    return text


def load(
    path: str | os.PathLike[str],
    backend: str | Backend | None = None,
    device: str | None = None,
    dtype: str | None = None,
) -> tuple[Any, Tree]:
    """Read a model that `save` wrote.

    Parameters
    ----------
    path : path
    backend, device
        Where the parameters go; by the usual order of precedence when not given.
    dtype : str, optional
        Default: the dtype in the file.

    Returns
    -------
    mlp : MLP or Chain
    params : tree of arrays

    Raises
    ------
    InputError
        If there is no such file.
    FileFormatError
        If it is damaged, of another kind, or written by a version that this one does not know.
    DTypeError
        If the backend lacks the dtype in the file.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import multimlp as mm
    >>> path, written = pathlib.Path(tempfile.mkdtemp()) / "model.safetensors", mm.MLP(2, 3, 1)
    >>> mm.save(path, written, written.init(seed=0, backend="numpy"))
    >>> mlp, params = mm.load(path, backend="numpy")
    >>> mlp == written, params[0].weight.shape
    (True, (2, 3))
    """
    with opened(path) as file:
        mlp = _architecture(path, file.metadata() or {})
        names = list(file.keys())
        problem = misfit(mlp.shapes, {name: tuple(file.get_slice(name).get_shape()) for name in names})
        if problem:
            raise _inconsistent(path, problem)
        if any(0 in file.get_slice(name).get_shape()[:1] for name in names):
            raise _inconsistent(path, "it is an ensemble of no members")
        dtypes = {stored_dtype(path, file, name) for name in names}
        if len(dtypes) != 1 or not dtypes <= set(FLOAT_DTYPES):
            raise _inconsistent(
                path, f"its parameters have the dtypes {', '.join(sorted(dtypes))}, expected one float"
            )
        arrays = read_opened(path, file)
    try:
        target = select(backend, device, dtypes.pop() if dtype is None else dtype)
    except DTypeError as error:
        raise DTypeError(
            f"{error}; give the dtype to convert {str(path)!r} to, e.g. dtype='float32'"
        ) from None

    def place(host: np.ndarray) -> Array:
        return target.backend.asarray(host, dtype=target.dtype, device=target.device)

    return mlp, tree.map(place, mlp.from_named(arrays))


def _inconsistent(path: str | os.PathLike[str], why: str) -> FileFormatError:
    return FileFormatError(f"{str(path)!r} does not hold a model: {why}")


def _architecture(path: str | os.PathLike[str], metadata: Mapping[str, str]) -> Model[Any]:
    check_version(path, metadata)
    if ESTIMATOR_KEY in metadata:
        raise FileFormatError(
            f"{str(path)!r} holds an estimator for tables, with all that prepares its inputs; read it with multimlp.estimators.load"
        )
    key = _CHAIN_KEY if _CHAIN_KEY in metadata else _MLP_KEY
    spec = json_object(path, metadata, key)
    try:
        return MLP.from_spec(spec) if key == _MLP_KEY else _chain(spec)
    except (ValueError, ArithmeticError, AttributeError, TypeError, LookupError, RecursionError) as error:
        raise _inconsistent(path, f"{key}: {one_line(error)}") from None


def _chain(spec: dict[str, Any]) -> Model[Any]:
    from multimlp import blocks  # most files hold an MLP

    made = blocks.get(spec)
    if not isinstance(made, blocks.Chain):
        raise InputError(f"expected a chain of blocks, got {made.name}")
    return made


def check_version(path: str | os.PathLike[str], metadata: Mapping[str, str]) -> None:
    """`FileFormatError` unless this version of the package reads the file."""
    version = metadata.get(VERSION_KEY)
    if version is None:
        raise _inconsistent(
            path, f"{VERSION_KEY!r} is not in its metadata, so multimlp.save did not write it"
        )
    if version != FORMAT_VERSION:
        raise FileFormatError(
            f"{str(path)!r} has format version {version!r}; this multimlp reads {FORMAT_VERSION!r}. "
            "Install a newer multimlp"
        )


def is_estimator(path: str | os.PathLike[str]) -> bool:
    """Whether a file of the package holds an estimator for tables; errors as `load`."""
    with opened(path) as file:
        metadata = file.metadata() or {}
    check_version(path, metadata)
    return ESTIMATOR_KEY in metadata


def json_object(path: str | os.PathLike[str], metadata: Mapping[str, str], key: str) -> dict[str, Any]:
    """The object under a key of the metadata."""
    try:
        value = json.loads(metadata.get(key, ""))
    except (ValueError, RecursionError) as error:
        raise _inconsistent(path, f"{key} is not JSON: {error}") from None
    if not isinstance(value, dict):
        raise _inconsistent(path, f"{key} is not a JSON object")
    return value


def load_extra(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The plain values that were given to `save` as ``extra``.

    Parameters
    ----------
    path : path

    Returns
    -------
    dict
        Empty if there were none.

    Raises
    ------
    InputError, FileFormatError
        As `load`.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import multimlp as mm
    >>> from multimlp.files import load_extra
    >>> mlp = mm.MLP(2, 3, 1)
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "model.safetensors"
    >>> mm.save(path, mlp, mlp.init(seed=0), extra={"features": ["x", "y"]})
    >>> load_extra(path)
    {'features': ['x', 'y']}
    """
    with opened(path) as file:
        metadata = file.metadata() or {}
    check_version(path, metadata)
    return json_object(path, metadata, _EXTRA_KEY) if _EXTRA_KEY in metadata else {}
