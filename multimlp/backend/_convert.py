"""Moving arrays from one library to another, and users' data into arrays."""

from __future__ import annotations

import re
import warnings
from typing import Any

import numpy as np

from multimlp import tree
from multimlp._typing import Array
from multimlp.backend._contract import Backend
from multimlp.backend._registry import is_array, owner_of_type
from multimlp.backend._selection import FLOAT_DTYPES, get_backend, select
from multimlp.errors import DataError, DTypeError, PrecisionWarning, ShapeError
from multimlp.errors.checks import as_given
from multimlp.errors.close import did_you_mean
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
        Default: the array's own, with one exception. While JAX's switch ``jax_enable_x64`` is off, its operators narrow float64
        arrays to float32 in silence (``x + 1``), so that values of 64 bits go to JAX as 32 bits: floating and complex ones with a
        `PrecisionWarning`, integers quietly, since each is checked to fit. ``dtype="float64"``, here or by
        `multimlp.use_backend`, `multimlp.set_backend` or ``MULTIMLP_DTYPE``, keeps 64 bits; every function of multimlp, and of
        ``mm.array_namespace(x)``, is then right at 64 bits, but the operators are still JAX's own. With
        ``jax.config.update("jax_enable_x64", True)`` nothing is narrowed anywhere.

    Returns
    -------
    tree
        Shares memory with ``x`` where both libraries allow it safely, so do not write to either; see the
        table in ``docs/exchanging-arrays.md``. Gradients do not flow through: the values are constants.

    Raises
    ------
    DTypeError
        If the backend lacks the dtype and no other was asked for, or if a value does not fit the narrower dtype that stands for it;
        nothing is rounded or widened in silence.
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
    dtype = None if dtype is None else _dtype_of(target, dtype)
    narrowed: dict[str, tuple[str, str]] = {}

    def move(leaf: Any) -> Array:
        library = owner_of_type(type(leaf))
        if library is None:
            return leaf
        kind = dtype or library.dtype_name(leaf.dtype)
        _check_supported(target, kind)
        if library is target:
            return target.asarray(leaf, dtype=dtype, device=place)
        narrow = None if dtype else _narrowing(target, kind)
        if narrow is not None:
            narrowed[kind] = narrow
            values = _fitting(np.asarray(library.to_numpy(leaf)), kind, *narrow)
            return target.asarray(values, dtype=narrow[0], device=place)
        shared = target.share(leaf)
        values = library.to_numpy(leaf) if shared is None else shared
        return target.asarray(values, dtype=kind, device=place)

    moved = tree.map(move, x)
    losses = {wide: narrow for wide, narrow in narrowed.items() if "int" not in wide}
    if losses:
        became = " and ".join(f"{wide} became {narrow}" for wide, (narrow, _) in losses.items())
        advice = next(iter(losses.values()))[1]
        narrow = next(iter(losses.values()))[0]
        meant = f'dtype="{narrow}" says that fewer are meant'
        warnings.warn(
            f"convert: {became} on {target.name}. {advice}; {meant}", PrecisionWarning, stacklevel=2
        )
    return moved


def _check_supported(target: Backend, kind: Any) -> None:
    if kind in FLOAT_DTYPES and kind not in target.capabilities.dtypes:
        has = ", ".join(target.capabilities.dtypes)
        raise DTypeError(
            f"dtype: {kind!r} is not supported by the {target.name} backend (it has {has}); choose one with dtype=..."
        )


def _dtype_of(target: Backend, dtype: Any) -> str:
    """The name of a dtype that the backend has, given by name or as the library's own."""
    if isinstance(dtype, str):
        _check_supported(target, dtype)
    try:
        name = dtype if isinstance(dtype, str) else target.dtype_name(dtype)
        target.dtype(name)
        if not _STANDARD.fullmatch(name):
            raise DTypeError(name)
    except Exception:
        kinds = ("float64", "float32", "bfloat16", "float16", "int64", "int32", "bool")
        raise DTypeError(
            f"dtype: expected a dtype of the {target.name} backend such as {', '.join(kinds[:2])}, got {as_given(dtype)}"
            f"{did_you_mean(dtype, kinds)}"
        ) from None
    return name


_STANDARD = re.compile(r"bool|u?int(8|16|32|64)|b?float(16|32|64)|complex(64|128)")


def _narrowing(target: Backend, dtype: str) -> tuple[str, str] | None:
    """`Backend.narrowing`, unless 64 bits were selected for this code."""
    found = target.narrowing(dtype)
    return None if found is None or select(target).dtype == "float64" else found


def _fitting(values: np.ndarray, wide: str, narrow: str, advice: str) -> np.ndarray:
    """The values in the narrower dtype; an error if one of them lies beyond it."""
    with np.errstate(over="ignore"):
        result = values.astype(narrow)
    fits = result == values if values.dtype.kind in "iu" else np.isfinite(result) | ~np.isfinite(values)
    if not np.all(fits):
        beyond = values[~fits].ravel()[0]
        raise DTypeError(f"convert: {beyond} of {wide} does not fit {narrow}. {advice}")
    return result


def host(x: Any, name: str, advice: str = "convert it first, e.g. X.astype(float)") -> np.ndarray | Array:
    """Users' data as a NumPy array or an array of a library: lists, data frames and series are converted; ``advice`` for text."""
    x = unmasked(x, name)
    if is_array(x) and not (isinstance(x, (np.ndarray, np.generic)) and x.dtype.kind not in "biuf"):
        return x
    if is_sparse(x):
        raise DataError(
            f"{name}: expected an array, got a sparse matrix; make it dense first, {name}.toarray()"
        )
    if hasattr(x, "to_numpy"):
        try:
            x = x.to_numpy()
        except TypeError:
            raise DataError(
                f"{name}: expected an array, a list or a data frame, got {type(x).__name__}"
            ) from None
    try:
        values = np.asarray(x)
    except ValueError as error:
        raise ShapeError(f"{name}: rows of different lengths: {error}") from None
    if values.dtype.kind == "c":
        raise DataError(
            f"{name}: expected real numbers, got {values.dtype}; give real and imaginary parts as columns of their own"
        )
    if values.dtype.kind in "USMmV" or (values.dtype == object and _holds_text(values)):
        kind = {"M": "dates or times", "m": "dates or times", "V": "records"}.get(values.dtype.kind, "text")
        raise DataError(
            f"{name}: expected numbers, got {type(x).__name__} of {values.dtype} ({kind}); {advice}"
        )
    if values.dtype == object:
        try:
            values = values.astype(np.float64)
        except (TypeError, ValueError) as error:
            raise DataError(
                f"{name}: expected numbers, got {type(x).__name__} of {values.dtype}: {error}"
            ) from None
    return values


def unmasked(x: Any, name: str) -> Any:
    """A masked array of which nothing is masked as a plain one, anything else as it is; `DataError` for values that are masked, which
    would count as whatever lies behind the mask."""
    if not isinstance(x, np.ma.MaskedArray):
        return x
    masked = int(np.count_nonzero(np.ma.getmaskarray(x)))
    if masked:
        raise DataError(
            f"{name}: {masked} values of a masked array are masked; fill them in, {name}.filled(...), or leave their rows out"
        )
    return np.asarray(x)


def is_sparse(x: Any) -> bool:
    """Whether it is a sparse matrix or array of SciPy's kind."""
    return hasattr(x, "tocsr") and hasattr(x, "toarray")


def host_values(x: Any, name: str) -> np.ndarray:
    """`host`, and from there to NumPy."""
    values = host(x, name)
    library = owner_of_type(type(values))
    return values if library is None else np.asarray(library.to_numpy(values))


def _holds_text(values: np.ndarray) -> bool:
    """Text that reads as a number too: whoever has it means to convert it."""
    return any(isinstance(value, (str, bytes)) for value in values.ravel())
