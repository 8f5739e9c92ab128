"""`assert_close`: arrays of any library, compared in value, dtype, shape, device and library."""

from __future__ import annotations

from typing import Any

import numpy as np

from multimlp import tree
from multimlp.backend import host, is_array, owner
from multimlp.errors import InputError, ParityError
from multimlp.errors.checks import check_number, flag, refuse
from multimlp.parity.formats import FORMATS

DEFAULT_EPS = 16.0
"""Without ``ulp`` and ``rtol``: |actual - expected| <= 16 eps |expected| + atol."""

_SHOWN = 5


def assert_close(
    actual: Any,
    expected: Any,
    *,
    ulp: float | None = None,
    rtol: float | None = None,
    atol: float = 0.0,
    equal_nan: bool = True,
    check_dtype: bool = True,
    check_shape: bool = True,
    check_device: bool = True,
    check_namespace: bool | None = None,
    label: str = "",
) -> None:
    """Raise unless two arrays, or two trees of arrays, are equal within a tolerance.

    Parameters
    ----------
    actual : array or tree of arrays
        Of any library that a backend serves.
    expected : the same, or NumPy arrays, nested lists, numbers
        Numbers and lists have no dtype, device or library to be checked; NumPy arrays have no library to be checked either.
    ulp : float, optional
        Tolerance in units in the last place of ``expected``, in the coarser dtype of the two.
    rtol : float, optional
        Tolerance relative to ``|expected|``. Give ``ulp`` or ``rtol``; without both it is 16 eps of the
        coarser dtype. Integers and booleans are then compared exactly.
    atol : float
        Added to the tolerance.
    equal_nan : bool
        Whether NaN equals NaN.
    check_dtype, check_shape, check_device : bool
        What else must be equal. Without ``check_shape`` the two must still broadcast.
    check_namespace : bool, optional
        Whether both must be arrays of one library. Default: unless the expected ones are NumPy's.
    label : str
        Put in front of the message.

    Raises
    ------
    ParityError
        An `AssertionError` that shows the worst elements and their positions.
    InputError
        If both ``ulp`` and ``rtol`` are given, or a tolerance is negative.

    Examples
    --------
    >>> import numpy as np
    >>> from multimlp.testing import assert_close
    >>> assert_close(np.asarray([1.0, 2.0]), [1.0, 2.0 + 1e-15])
    >>> assert_close(np.asarray([1.0, 2.0]), [1.0, 2.1], rtol=1e-3)
    Traceback (most recent call last):
    multimlp.errors.ParityError: 1 of 2 elements differs by more than 0.001 |expected|. The worst:
      [1]  actual 2.0  expected 2.1  difference 0.1  relative 0.0476  2.25e+14 ULP
    """
    ulp, rtol, atol = _checked_tolerances(ulp, rtol, atol)
    flags = {
        "equal_nan": equal_nan, "check_dtype": check_dtype, "check_shape": check_shape, "check_device": check_device,
        "check_namespace": True if check_namespace is None else check_namespace,
    }  # fmt: skip
    for name, value in flags.items():
        flag(name, value)
    if not isinstance(label, str):
        raise refuse("label", "text", label)
    got, wanted = _pairs(actual, expected, label)
    for place, (a, e) in enumerate(zip(got, wanted, strict=True)):
        where = label + (f"leaf {place}: " if len(got) > 1 else "")
        _check_kind(a, e, where, check_dtype, check_shape, check_device, check_namespace)
        _check_values(a, e, where, ulp, rtol, atol, equal_nan)


def _checked_tolerances(
    ulp: float | None, rtol: float | None, atol: float
) -> tuple[float | None, float | None, float]:
    if ulp is not None and rtol is not None:
        raise InputError("ulp, rtol: give one of the two tolerances, not both")
    return (
        None if ulp is None else check_number("ulp", ulp, low=0),
        None if rtol is None else check_number("rtol", rtol, low=0),
        check_number("atol", atol, low=0),
    )


def _pairs(actual: Any, expected: Any, label: str) -> tuple[list[Any], list[Any]]:
    """The leaves of the two trees; a list that stands for an array is a leaf."""
    if is_array(actual) or not isinstance(actual, (tuple, list, dict)):
        return [comparable(actual, "actual")], [comparable(expected, "expected")]
    got, wanted = tree.structure(actual), tree.structure(expected)
    if got != wanted:
        raise ParityError(f"{label}different structure: actual {got}, expected {wanted}")
    return (
        [comparable(leaf, "actual") for leaf in tree.leaves(actual)],
        [comparable(leaf, "expected") for leaf in tree.leaves(expected)],
    )


def comparable(x: Any, name: str) -> Any:
    """The leaf itself, if it is numbers."""
    return x if is_array(x) and owner(x).name not in ("numpy",) else host(x, name)


def _check_kind(
    actual: Any, expected: Any, where: str, dtype: bool, shape: bool, device: bool, namespace: bool | None
) -> None:
    wanted_shape = tuple(getattr(expected, "shape", np.shape(expected)))
    got_shape = tuple(actual.shape if hasattr(actual, "shape") else np.shape(actual))
    if shape and got_shape != wanted_shape:
        raise ParityError(f"{where}shape {got_shape}, expected {wanted_shape}")
    if not (is_array(actual) and is_array(expected)):
        return
    a, e = owner(actual), owner(expected)
    if a is not e and (namespace or (namespace is None and e.name != "numpy")):
        raise ParityError(f"{where}an array of {a.name}, expected one of {e.name}")
    got, wanted = a.dtype_name(actual.dtype), e.dtype_name(expected.dtype)
    if dtype and got != wanted:
        raise ParityError(f"{where}dtype {got}, expected {wanted}")
    got, wanted = a.device_name(actual), e.device_name(expected)
    if device and a is e and got != wanted:
        raise ParityError(f"{where}device {got}, expected {wanted}")


def on_host(x: Any) -> tuple[np.ndarray, str | None]:
    """The values as a NumPy array, and the name of the dtype if ``x`` is an array."""
    if is_array(x):
        library = owner(x)
        return np.asarray(library.to_numpy(x)), library.dtype_name(x.dtype)
    return np.asarray(x), None


def _check_values(
    actual: Any,
    expected: Any,
    where: str,
    ulp: float | None,
    rtol: float | None,
    atol: float,
    equal_nan: bool,
) -> None:
    (a, kind), (e, other) = on_host(actual), on_host(expected)
    formats = [FORMATS[name] for name in (kind, other) if name in FORMATS]
    try:
        a, e = np.broadcast_arrays(a, e)
    except ValueError:
        raise ParityError(f"{where}shapes {a.shape} and {e.shape} do not go together") from None
    if not formats and ulp is None and rtol is None and not atol:
        failed, described = a != e, "at all"
        unit = np.ones(a.shape)
    else:
        coarse = max(formats, key=lambda f: f.eps, default=FORMATS["float64"])
        unit = coarse.spacing(np.where(np.isfinite(e), e, 1.0))
        failed, described = _beyond(a, e, unit, coarse.eps, ulp, rtol, atol)
    both_nan = (a != a) & (e != e)
    failed = failed & ~both_nan if equal_nan else failed | both_nan
    if np.any(failed):
        raise ParityError(where + _message(a, e, unit, failed, described))


def _beyond(
    a: np.ndarray,
    e: np.ndarray,
    unit: np.ndarray,
    eps: float,
    ulp: float | None,
    rtol: float | None,
    atol: float,
) -> tuple[np.ndarray, str]:
    """Where the tolerance is exceeded, and the tolerance in words."""
    a, e = a.astype(np.float64), e.astype(np.float64)
    if ulp is not None:
        bound, described = ulp * unit, f"by more than {ulp:g} ULP"
    else:
        relative = DEFAULT_EPS * eps if rtol is None else rtol
        with np.errstate(invalid="ignore"):
            bound, described = relative * np.abs(e), f"by more than {relative:.3g} |expected|"
    if atol:
        described += f" + {atol:g}"
    with np.errstate(invalid="ignore"):
        near = np.abs(a - e) <= bound + atol
    return ~np.where(np.isfinite(a) & np.isfinite(e), near, a == e), described


def _message(a: np.ndarray, e: np.ndarray, unit: np.ndarray, failed: np.ndarray, described: str) -> str:
    with np.errstate(all="ignore"):
        difference = np.abs(a.astype(np.float64) - e.astype(np.float64))
        relative = difference / np.abs(e.astype(np.float64))
        in_ulp = difference / unit
    places = np.argwhere(failed)
    order = np.argsort(-np.nan_to_num(difference[failed], nan=np.inf), kind="stable")
    count = len(places)
    lines = [f"{count} of {a.size} elements {'differs' if count == 1 else 'differ'} {described}. The worst:"]
    for place in places[order[:_SHOWN]]:
        at = tuple(int(i) for i in place)
        lines.append(
            f"  {list(at)}  actual {a[at]}  expected {e[at]}  difference {difference[at]:.3g}"
            f"  relative {relative[at]:.3g}  {in_ulp[at]:.3g} ULP"
        )
    return "\n".join(lines)
