"""`assert_close`: arrays of any library, compared in value, dtype, shape, device and library."""

from __future__ import annotations

from typing import Any

import numpy as np

from multimlp import tree
from multimlp.backend import host, is_array, is_sparse, owner, unmasked
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
    pairs = _pairs(actual, expected, label)
    for place, (a, e) in enumerate(pairs):
        where = label + (f"leaf {place}: " if len(pairs) > 1 else "")
        got, wanted = comparable(a, "actual"), comparable(e, "expected")
        _check_shape(got, wanted, where, check_shape)
        if is_array(a) and is_array(e):
            _check_kind(got, wanted, where, check_dtype, check_device, check_namespace)
        _check_values(got, wanted, where, ulp, rtol, atol, equal_nan)


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


def _pairs(actual: Any, expected: Any, label: str) -> list[tuple[Any, Any]]:
    """The leaves of the two trees, side by side; a list that stands for an array is a leaf."""
    alone = is_array(actual) or not isinstance(actual, (tuple, list, dict, type(None)))
    if alone and expected is not None:
        return [(actual, expected)]
    got, wanted = (tree.structure(_sorted(x)) for x in (actual, expected))
    if got != wanted:
        raise ParityError(f"{label}different structure: actual {got}, expected {wanted}")
    return list(zip(tree.leaves(actual), tree.leaves_like(actual, expected), strict=True))


def _sorted(node: Any) -> Any:
    """The tree with the keys of its dicts in one order: libraries' own trees have others."""
    if isinstance(node, dict):
        return {key: _sorted(node[key]) for key in sorted(node, key=repr)}
    if isinstance(node, (tuple, list)):
        children = [_sorted(child) for child in node]
        return type(node)(*children) if hasattr(node, "_fields") else type(node)(children)
    return node


def comparable(x: Any, name: str) -> Any:
    """The leaf itself, or as an array of NumPy's, if it is numbers, complex ones too."""
    if is_array(x) and owner(x).name != "numpy":
        return x
    if not is_sparse(x) and _is_complex(x):
        return np.asarray(unmasked(x, name))
    return host(x, name)


def _is_complex(x: Any) -> bool:
    try:
        return bool(np.iscomplexobj(x))
    except ValueError:  # lists of several lengths
        return False


def _check_shape(actual: Any, expected: Any, where: str, checked: bool) -> None:
    got, wanted = (tuple(x.shape) if hasattr(x, "shape") else np.shape(x) for x in (actual, expected))
    if checked and got != wanted:
        raise ParityError(f"{where}shape {got}, expected {wanted}")


def _check_kind(
    actual: Any, expected: Any, where: str, dtype: bool, device: bool, namespace: bool | None
) -> None:
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


_PARTS = {"complex64": "float32", "complex128": "float64"}


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
    names = [_PARTS.get(str(name), name) for name in (kind, other)]
    formats = [FORMATS[name] for name in names if name in FORMATS]
    try:
        a, e = np.broadcast_arrays(a, e)
    except ValueError:
        raise ParityError(f"{where}shapes {a.shape} and {e.shape} do not go together") from None
    if not formats and ulp is None and rtol is None and not atol:
        failed, described = a != e, "at all"
        unit = np.ones(a.shape)
    else:
        coarse = max(formats, key=lambda f: f.eps, default=FORMATS["float64"])
        unit = coarse.spacing(np.where(np.isfinite(e), np.abs(_wide(e)), 1.0))
        failed, described = _beyond(a, e, unit, coarse.eps, ulp, rtol, atol)
    both_nan = (a != a) & (e != e) & (np.isnan(_wide(a).real) == np.isnan(_wide(e).real))
    failed = failed & ~both_nan if equal_nan else failed | both_nan
    if np.any(failed):
        raise ParityError(where + _message(a, e, unit, failed, described))


def _wide(x: np.ndarray) -> np.ndarray:
    return x.astype(np.complex128 if x.dtype.kind == "c" else np.float64)


def _difference(a: np.ndarray, e: np.ndarray) -> np.ndarray:
    """|a - e|: of complex numbers the modulus, of integers exact to a unit, where float64 has not all of them."""
    with np.errstate(all="ignore"):
        found = np.asarray(np.abs(_wide(a) - _wide(e)))
    if a.dtype.kind in "iu" and e.dtype.kind in "iu":
        large = np.maximum(np.abs(_wide(a)), np.abs(_wide(e))) >= 2.0**53
        if np.any(large):
            found[large] = [
                abs(int(x) - int(y)) for x, y in zip(a[large].tolist(), e[large].tolist(), strict=True)
            ]
    return found


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
    if ulp is not None:
        bound, described = ulp * unit, f"by more than {ulp:g} ULP"
    else:
        relative = DEFAULT_EPS * eps if rtol is None else rtol
        with np.errstate(invalid="ignore"):
            bound, described = relative * np.abs(_wide(e)), f"by more than {relative:.3g} |expected|"
    if atol:
        described += f" + {atol:g}"
    with np.errstate(invalid="ignore"):
        near = _difference(a, e) <= bound + atol
    return ~np.where(np.isfinite(_wide(a)) & np.isfinite(_wide(e)), near, a == e), described


def _message(a: np.ndarray, e: np.ndarray, unit: np.ndarray, failed: np.ndarray, described: str) -> str:
    difference = _difference(a, e)
    with np.errstate(all="ignore"):
        relative = difference / np.abs(_wide(e))
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
