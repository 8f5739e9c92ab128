"""Users' data at the door: one validation, whatever library or frame the data come in."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse
from sklearn import get_config
from sklearn.utils import check_array, check_consistent_length
from sklearn.utils.validation import _check_sample_weight, validate_data

from multimlp.backend import Array, Backend, owner, owner_of_type, unmasked
from multimlp.errors import DataError, DTypeError, MultimlpError, ShapeError
from multimlp.frames import is_missing, kind_of
from multimlp.training import all_finite

FLOATS = (np.float64, np.float32)


@dataclass(frozen=True)
class Origin:
    """Where an input came from, and so where results go: NumPy arrays unless array-API dispatch is on."""

    backend: Backend | None
    device: str | None

    def give(self, values: Array) -> Array:
        """Results as an array of the caller's library, on its device."""
        library = owner(values)
        if self.backend is None:
            host = library.to_numpy(values)
            return host if host.flags.writeable else host.copy()  # the caller's own, whatever made them
        if self.backend is library:
            return library.asarray(values, device=self.device)
        host = library.to_numpy(values)
        if host.dtype.kind not in "biuf":  # labels that only NumPy can hold
            return host
        return self.backend.asarray(host, dtype=host.dtype.name, device=self.device)


def origin_of(X: Any) -> Origin:
    """The library and device of X, if it is an array of another library than NumPy and dispatch is on."""
    library = _foreign(X)
    if library is None or not get_config()["array_api_dispatch"]:
        return Origin(None, None)
    return Origin(library, library.device_name(X))


def _foreign(x: Any) -> Backend | None:
    library = owner_of_type(type(x))
    return None if library is None or library.name == "numpy" else library


def to_host(x: Any, name: str = "the array") -> Any:
    """Arrays of other libraries as NumPy arrays; anything else as it is. `DataError` for masked values."""
    library = _foreign(x)
    return unmasked(x, name) if library is None else library.to_numpy(x)


@contextlib.contextmanager
def explained(name: str) -> Iterator[None]:
    """scikit-learn's errors about an argument as ours, in its words, which its own checks of estimators ask for."""
    try:
        yield
    except MultimlpError:
        raise
    except TypeError as error:
        raise DTypeError(f"{name}: {error}") from error
    except (ValueError, LookupError) as error:
        raise DataError(f"{name}: {error}") from error


def check_inputs(estimator: Any, X: Any, reset: bool) -> Array:
    """Validated inputs of shape (n, features): a NumPy array, or, with dispatch on, an array of the caller's
    library.

    Sparse matrices become dense. Sets or checks ``n_features_in_`` and ``feature_names_in_``.
    """
    if origin_of(X).backend is not None:
        return _check_foreign(estimator, X, reset)
    with explained("X"), _numbers_alone(estimator, X):
        return _dense(
            validate_data(estimator, to_host(X, "X"), accept_sparse=["csr", "csc"], dtype=FLOATS, reset=reset)
        )


def check_pair(estimator: Any, X: Any, y: Any, reset: bool, numeric: bool) -> tuple[Array, np.ndarray]:
    """As `check_inputs`, with targets as a NumPy array of shape (n,) or (n, k), dense too."""
    y = as_targets(y, "y")
    if numeric:
        require_numeric_objects("y", y)
    else:
        require_labels(y)
    if origin_of(X).backend is not None:
        inputs = _check_foreign(estimator, X, reset)
        with explained("y"):
            targets = check_array(y, ensure_2d=False, dtype="numeric" if numeric else None, input_name="y")
            check_consistent_length(targets, range(int(inputs.shape[0])))
        return inputs, targets
    with explained("X, y"), _numbers_alone(estimator, X):
        inputs, targets = validate_data(
            estimator,
            to_host(X, "X"),
            y,
            accept_sparse=["csr", "csc"],
            dtype=FLOATS,
            multi_output=True,
            y_numeric=numeric,
            reset=reset,
        )
    return _dense(inputs), _dense(targets)


def as_targets(y: Any, where: str) -> Any:
    """Targets on the host. What is missing among texts stays missing, for which NumPy would write "nan", and objects that are all
    truth values or all numbers become such an array, as after the missing ones were dropped."""
    y = to_host(y, where)
    if hasattr(y, "to_numpy") and getattr(y, "ndim", 1) == 1:
        y = y.to_numpy()
    if isinstance(y, (list, tuple)):
        texts = sum(isinstance(item, (str, bytes)) for item in y)
        y = np.asarray(y, dtype=object) if 0 < texts < len(y) else y
    if isinstance(y, np.ndarray) and y.dtype.kind == "O" and y.ndim == 1:
        kinds = {kind_of(label) for label in y}
        if kinds == {"boolean"}:
            return y.astype(np.bool_)
        if kinds == {"number"}:
            return np.asarray([label.item() if isinstance(label, np.generic) else label for label in y])
    return y


def require_labels(y: Any) -> None:
    """`DataError` where a label is missing, which would be a class, or could not be put in order."""
    labels = None if sparse.issparse(y) else y if isinstance(y, np.ndarray) else _as_objects(y)
    if labels is None or labels.dtype.kind != "O" or labels.ndim != 1:
        return
    gone = np.flatnonzero([is_missing(label) for label in labels])
    if len(gone):
        raise DataError(
            f"y: the label in row {gone[0]} is missing, {labels[gone[0]]!r}; leave such rows out ({len(gone)} of {len(labels)})"
        )
    rows: dict[str | None, int] = {}
    for row, label in enumerate(labels):
        rows.setdefault(kind_of(label), row)
    if len(rows) > 1:
        first, second, *_ = rows.values()
        raise DataError(
            f"y: the labels are of several kinds, {labels[first]!r} in row {first} and {labels[second]!r} in row {second}; make them one, "
            "e.g. text"
        )


_UNITS = "make them numbers in a unit of your choice"
_TEXT = "text", "if it spells numbers, convert it, y.astype(float)"
_NO_NUMBERS: Mapping[Any, tuple[str, str]] = {
    "M": ("dates or times", _UNITS),
    "m": ("durations", _UNITS),
    "c": ("complex numbers", _UNITS),
    "U": _TEXT,
    "S": _TEXT,
    "T": _TEXT,
    "date": ("dates or times", _UNITS),
    "duration": ("durations", _UNITS),
    "category": _TEXT,
}


def require_numbers(where: str, y: np.ndarray) -> None:
    """`DataError` for targets that would become numbers without being any: dates, which count as so many of some unit, and text."""
    found = _NO_NUMBERS.get(y.dtype.kind)
    if found is not None:
        what, advice = found
        raise DataError(f"{where}: expected real numbers, got {what} ({y.dtype}); {advice}")
    require_numeric_objects(where, y)


def require_numeric_objects(where: str, y: Any) -> None:
    """As `require_numbers`, for objects alone, of which NumPy makes numbers."""
    values = None if sparse.issparse(y) else y if isinstance(y, np.ndarray) else _as_objects(y)
    if values is None or values.dtype.kind != "O" or not values.ndim:
        return
    for row, items in enumerate(values.reshape(len(values), -1).tolist()):
        for item in items:
            found = _NO_NUMBERS.get(kind_of(item))
            if found is not None:
                what, advice = found
                raise DataError(
                    f"{where}: expected real numbers, got {what} in row {row}, {item!r}; {advice}"
                )


def _as_objects(y: Any) -> np.ndarray | None:
    try:
        return np.asarray(y)
    except (TypeError, ValueError):  # rows of several lengths, of which others complain
        return None


def check_weights(sample_weight: Any, rows: int) -> np.ndarray | None:
    """One weight a row, a NumPy array, or None for none; `DataError` for negative ones and for what is no real number."""
    if sample_weight is None:
        return None
    with explained("sample_weight"):
        given = to_host(sample_weight, "sample_weight")
        if np.asarray(given).dtype.kind == "c":
            raise DataError("sample_weight: expected real numbers, got complex ones")
        return np.asarray(_check_sample_weight(given, np.empty((rows, 1)), ensure_non_negative=True))


@contextlib.contextmanager
def _numbers_alone(estimator: Any, X: Any) -> Iterator[None]:
    """Says which column is to blame where a table is no matrix of numbers, and who takes tables as they are; refuses dates, which would
    count as nanoseconds."""
    dates = [name for name, dtype in _columns(X) if dtype.startswith(_TIMES)]
    if dates:
        raise DataError(f"X: {_called(dates[0])} holds dates or times. {_who_takes_tables(estimator)}")
    try:
        yield
    except (TypeError, ValueError) as error:
        said = str(error)
        if "float() argument must be" in said:
            raise DTypeError(
                f"X: it holds what is no number: {said}. {_who_takes_tables(estimator)}"
            ) from error
        if "could not convert" in said:
            texts = [name for name, dtype in _columns(X) if not dtype.lower().startswith(_NUMBERS)]
            where = f"{_called(texts[0])} holds text: " if texts else ""
            raise DataError(f"X: {where}{said}. {_who_takes_tables(estimator)}") from error
        if "X contains NaN" in said:
            raise DataError(f"X: {said.splitlines()[0]} {_who_takes_tables(estimator)}") from error
        raise


_TIMES = ("date", "time", "Date", "Time", "Duration")
_NUMBERS = ("int", "uint", "float", "bool", "decimal")


def _columns(X: Any) -> list[tuple[Any, str]]:
    """Names and dtypes of the columns of a data frame, or the dtype of an array under the name None."""
    if hasattr(X, "columns") and hasattr(X, "dtypes"):
        return [(name, str(dtype)) for name, dtype in zip(X.columns, X.dtypes, strict=True)]
    return [(None, str(X.dtype))] if isinstance(X, np.ndarray) and X.dtype.kind in "mM" else []


def _called(name: Any) -> str:
    return "the array" if name is None else f"the column {name!r}"


def _who_takes_tables(estimator: Any) -> str:
    task = "Regressor" if estimator._numeric_targets else "Classifier"
    return (
        f"{type(estimator).__name__} takes numbers alone, as scikit-learn's does; RealMLP{task} and TabM{task} of multimlp.estimators take "
        "text, categories, dates and missing values as they are"
    )


def _dense(X: Any) -> np.ndarray:
    return X.toarray() if sparse.issparse(X) else X


def _check_foreign(estimator: Any, X: Array, reset: bool) -> Array:
    """The checks that scikit-learn makes, in the array's own library and on its device."""
    backend = owner(X)
    if X.ndim != 2:
        raise ShapeError(f"X: expected shape (n, features), got {tuple(X.shape)}; reshape your data")
    if 0 in tuple(X.shape):
        raise DataError(f"X: expected at least one row and one feature, got shape {tuple(X.shape)}")
    if backend.dtype_name(X.dtype) not in ("float64", "float32", "bfloat16", "float16"):
        X = backend.asarray(X, dtype="float64")
    if not all_finite(X):
        raise DataError("X: Input X contains NaN or infinity; remove or fill them in")
    validate_data(estimator, X, reset=reset, skip_check_array=True)
    return X
