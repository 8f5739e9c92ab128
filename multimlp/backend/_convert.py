"""Moving arrays from one library to another, and users' data into arrays."""

from __future__ import annotations

from typing import Any

import numpy as np

from multimlp import tree
from multimlp._typing import Array
from multimlp.backend._contract import Backend
from multimlp.backend._registry import is_array, owner_of_type
from multimlp.backend._selection import FLOAT_DTYPES, get_backend
from multimlp.errors import DataError, DTypeError, ShapeError
from multimlp.tree import Tree


def convert(x: Tree, backend: str | Backend, device: str | None = None, dtype: str | None = None) -> Tree:
    """Arrays, or a tree of them such as parameters, as arrays of another library.

    Parameters
    ----------
    x : array or tree of arrays
        Of any libraries; leaves that are no arrays stay as they are.
    backend : str or Backend
    device : str, optional
        ``"cpu"``, ``"cuda"``, ``"cuda:1"``, ``"gpu"``. Default: the device that the array is on, if the
        backend can reach it without a copy, else its default device.
    dtype : str, optional
        Default: the array's own.

    Returns
    -------
    tree
        Shares memory with ``x`` where both libraries allow it safely, so do not write to either; see the
        table in ``docs/exchanging-arrays.md``. Gradients do not flow through: the values are constants.

    Raises
    ------
    DTypeError
        If the backend lacks the dtype and no other was asked for; nothing is rounded or widened in silence.
    DeviceError, UnknownBackendError, MissingDependencyError
    DifferentiationError
        If an array is traced by the tape.

    Examples
    --------
    >>> import numpy as np
    >>> import multimlp as mm
    >>> mm.convert((np.ones(2), None), backend="numpy", dtype="float32")
    (array([1., 1.], dtype=float32), None)
    """
    target = get_backend(backend)
    place = target.resolve_device(device)

    def move(leaf: Any) -> Array:
        library = owner_of_type(type(leaf))
        if library is None:
            return leaf
        kind = dtype or library.dtype_name(leaf.dtype)
        if kind in FLOAT_DTYPES and kind not in target.capabilities.dtypes:
            has = ", ".join(target.capabilities.dtypes)
            raise DTypeError(
                f"dtype: {kind!r} is not supported by the {target.name} backend (it has {has}); "
                "choose one with dtype=..."
            )
        if library is target:
            return target.asarray(leaf, dtype=dtype, device=place)
        shared = target.share(leaf)
        values = library.to_numpy(leaf) if shared is None else shared
        return target.asarray(values, dtype=kind, device=place)

    return tree.map(move, x)


def host(x: Any, name: str) -> np.ndarray | Array:
    """Users' data as a NumPy array or an array of a library: lists, data frames and series are converted."""
    if is_array(x):
        return x
    if hasattr(x, "to_numpy"):
        x = x.to_numpy()
    try:
        values = np.asarray(x)
    except ValueError as error:
        raise ShapeError(f"{name}: rows of different lengths: {error}") from None
    if values.dtype.kind == "c":
        raise DataError(
            f"{name}: expected real numbers, got {values.dtype}; give real and imaginary parts as columns of their own"
        )
    if values.dtype == object or values.dtype.kind in "USMm":
        try:
            values = values.astype(np.float64)
        except (TypeError, ValueError) as error:
            raise DataError(
                f"{name}: expected numbers, got {type(x).__name__} of {values.dtype}: {error}"
            ) from None
    return values
