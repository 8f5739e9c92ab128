"""`ulp_table`: how far a function of numbers is off on each backend, in units in the last place, against mpmath."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from multimlp import transforms, xp
from multimlp.backend import Array, Backend, host_values, load_backend
from multimlp.errors import InputError, missing_dependency
from multimlp.errors.checks import check_choice, check_function, check_items, flag
from multimlp.parity.formats import FORMATS, Format
from multimlp.parity.points import points as usual_points
from multimlp.parity.standard import FUNCTIONS, Definition, Formula
from multimlp.testing._parity import comparable_backends

DIGITS = 60
_MORE_BITS = 1100
"""As many as float64 has between 1 and its smallest normal number, and some more."""


@dataclass(frozen=True)
class UlpRow:
    """One backend, dtype and quantity.

    Attributes
    ----------
    backend, dtype, quantity : str
        The quantity is ``"value"`` or ``"derivative"``; of a function of two numbers ``"derivative 0"`` and ``"derivative 1"``.
    worst : float
        The largest error, in units in the last place of the true result; NaN if `problem` says why there is none.
    at : tuple of float
        Where that is.
    got, expected : float
        What the backend says there, and the true result, rounded.
    points : int
        At how many points there was something to compare. Results below the smallest normal number are not: some libraries say 0.
    beyond : int
        At how many points one of the two is infinite or NaN and the other is not the same.
    problem : str
        The backend's own error, or nothing.
    """

    backend: str
    dtype: str
    quantity: str
    worst: float = math.nan
    at: tuple[float, ...] = ()
    got: float = math.nan
    expected: float = math.nan
    points: int = 0
    beyond: int = 0
    problem: str = ""


class UlpTable(tuple[UlpRow, ...]):
    """The rows; printed, a table."""

    __slots__ = ()

    def __repr__(self) -> str:
        lines = [f"{'backend':<12}{'dtype':<10}{'quantity':<14}{'worst, ULP':>11}  at"]
        for row in self:
            where = ", ".join(f"{x:.9g}" for x in row.at)
            more = f"  ({row.beyond} points infinite or NaN)" if row.beyond else ""
            said = f"{row.problem}" if row.problem else f"{row.worst:>11.2f}  {where}{more}"
            lines.append(f"{row.backend:<12}{row.dtype:<10}{row.quantity:<14}{said}")
        return "\n".join(lines)

    @property
    def worst(self) -> float:
        """The largest error of all rows; infinite if one has an error of another kind."""
        return max((math.inf if r.problem or r.beyond else r.worst for r in self), default=0.0)


def ulp_table(
    fn: str | Callable[..., Array],
    *,
    reference: Formula | None = None,
    points: Any = None,
    backends: Sequence[str] | None = None,
    dtypes: Sequence[str] = ("float32", "float64"),
    derivative: bool = True,
) -> UlpTable:
    """How far an element-wise function and its derivative are off, against mpmath with 60 digits.

    Parameters
    ----------
    fn : str or callable
        A function of the standard by name, or any element-wise function of one or more arrays, written on
        ``multimlp.xp`` or ``multimlp.array_namespace``.
    reference : callable, optional
        ``reference(mp, *numbers)`` of mpmath's numbers. Default: for a name the definition of that function, for a function of one's own
        that function itself, computed by the mpmath backend.
    points : array, or a tuple of arrays, one for each argument, optional
        Default: numbers of all sizes of both signs, and where functions of the standard are hard to compute.
    backends : sequence of str, optional
        Default: all that are installed.
    dtypes : sequence of str
    derivative : bool
        Whether to look at the derivative as well. That of a reference of one's own is mpmath's, by differences with more digits, that of a
        function computed by the mpmath backend is the tape's with 50 digits.

    Returns
    -------
    UlpTable
        A tuple of `UlpRow`; ``table.worst`` is the largest error.

    Raises
    ------
    InputError
        For a name that is no element-wise function of the standard with a definition here.
    MissingDependencyError
        Without mpmath.

    Examples
    --------
    >>> from multimlp.testing import ulp_table
    >>> ulp_table("sqrt", backends=["numpy"], derivative=False).worst <= 0.5
    True
    """
    mp = _mpmath()
    known = _definition(fn, reference, points)
    function = getattr(xp, fn) if isinstance(fn, str) else check_function("fn", fn)
    names = comparable_backends() if backends is None else _some("backends", backends)
    derivative = flag("derivative", derivative)
    rows = []
    for dtype in _some("dtypes", dtypes):
        check_choice("dtypes", dtype, tuple(FORMATS))
        form = FORMATS[dtype]
        at = _points(known, form, points)
        truths = {"value": _truth(mp, known.value, known, at, form)}
        if derivative and known.slopes:
            for i, formula in enumerate(known.slopes):
                label = "derivative" if len(known.slopes) == 1 else f"derivative {i}"
                truths[label] = _truth(mp, formula, known, at, form)
        for name in names:
            backend = _loaded(name, backends is not None)
            if isinstance(backend, str):
                rows.append(UlpRow(name, dtype, "value", problem=backend))
            elif dtype in backend.capabilities.dtypes:
                for i, (quantity, truth) in enumerate(truths.items()):
                    compute = function if i == 0 else _slope(function, i - 1)
                    rows.append(_row(mp, backend, dtype, quantity, compute, at, truth))
            elif backends is not None:
                rows.append(UlpRow(name, dtype, "value", problem=f"it has no {dtype}"))
    return UlpTable(rows)


def _some(name: str, given: Sequence[str]) -> list[str]:
    found = check_items(name, given, f"of names of {name}")
    if not found:
        raise InputError(f"{name}: expected one name or more, got none, so that nothing would be measured")
    return found


def _loaded(name: str, asked_for: bool) -> Backend | str:
    """The adapter, or why there is none: a framework that cannot be imported must not hide the others."""
    try:
        return load_backend(name)
    except Exception as error:
        if asked_for:
            raise
        return _said(error)


def _said(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:200]


def _mpmath() -> Any:
    try:
        import mpmath
    except ImportError:
        raise missing_dependency("mpmath", "ulp_table", "parity") from None
    context = mpmath.MPContext()
    context.dps = DIGITS
    return context


def _definition(fn: Any, reference: Formula | None, points: Any) -> Definition:
    if isinstance(fn, str) and reference is None:
        if fn not in FUNCTIONS:
            raise InputError(f"fn: expected one of {', '.join(FUNCTIONS)}, or a function, got {fn!r}")
        return FUNCTIONS[fn]
    count = (
        len(points) if isinstance(points, tuple) else 1 if points is not None else _arguments(fn, reference)
    )
    if reference is None:
        slopes = (_by_the_oracle(transforms.elementwise_grad(fn, i)) for i in range(count))
        return Definition(_by_the_oracle(fn), tuple(slopes))
    check_function("reference", reference, "a function of mpmath numbers")
    return Definition(reference, tuple(_by_differences(reference, i) for i in range(count)))


def _arguments(fn: Any, reference: Formula | None) -> int:
    """How many numbers a function of one's own is one of: the arguments that it must have."""
    try:
        of = inspect.signature(fn if reference is None else reference).parameters.values()
    except (TypeError, ValueError):
        return 1
    needed = sum(p.default is p.empty and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) for p in of)
    return max(1, needed - (reference is not None))


def _by_differences(reference: Formula, i: int) -> Formula:
    def slope(mp: Any, *numbers: Any) -> Any:
        """More bits make mpmath's step smaller: so many that it is small beside the numbers, is not lost in them, and shows slopes that
        are as small beside the value as the smallest number is beside the largest."""
        sizes = sum(abs(int(mp.mag(x))) for x in numbers if x)
        with mp.workprec(mp.prec + _MORE_BITS + len(numbers) * sizes):
            return mp.diff(lambda y: reference(mp, *numbers[:i], y, *numbers[i + 1 :]), numbers[i])

    return slope


def _by_the_oracle(fn: Callable[..., Array]) -> Formula:
    oracle = load_backend("mpmath")

    def value(mp: Any, *numbers: Any) -> Any:
        arrays = [oracle.xp.asarray(number) for number in numbers]
        return mp.mpf(fn(*arrays).data[()])

    return value


def _points(known: Definition, form: Format, given: Any) -> tuple[np.ndarray, ...]:
    if given is not None:
        arrays = given if isinstance(given, tuple) else (given,)
        return tuple(form.round(host_values(a, "points").astype(np.float64).reshape(-1)) for a in arrays)
    x = usual_points(form, (), quick=True)
    hard = np.asarray(known.hard)
    x = np.concatenate([x, form.round(hard[np.abs(hard) <= form.max])])
    x = x[np.isfinite(x) & ((x == 0) | (np.abs(x) >= form.tiny))]
    if known.arguments == 1:
        return (x,)
    if known.arguments > 2:
        raise InputError(
            f"points: expected a tuple of {known.arguments} arrays, one for each argument of fn, got None"
        )
    order = np.random.default_rng(0).permutation(len(x))
    return np.abs(x) + (x == 0), x[order]


def _truth(
    mp: Any, formula: Formula, known: Definition, at: tuple[np.ndarray, ...], form: Format
) -> list[Any]:
    """The true results; None where there is nothing to compare: results below the smallest normal number, kinks, poles,
    derivatives outside of the domain."""
    found = []
    low, high = known.inside
    for numbers in zip(*at, strict=True):
        if not low <= numbers[0] <= high:
            found.append(
                mp.nan if formula is known.value else None
            )  # libraries take derivatives of NaN by formula
            continue
        try:
            y = formula(mp, *(mp.mpf(float(x)) for x in numbers))
        except (ZeroDivisionError, ValueError, OverflowError, mp.NoConvergence):
            found.append(None)
            continue
        real = not isinstance(y, mp.mpc)
        nothing = not real or mp.isnan(y) or (y != 0 and abs(y) < form.tiny)
        found.append(None if nothing else y)
    return found


def _slope(function: Callable[..., Array], i: int) -> Callable[..., Array]:
    def slope(*arrays: Array) -> Array:
        y, pullback = transforms.vjp(function, *arrays)
        return pullback(xp.ones_like(y))[i]

    return slope


def _row(
    mp: Any,
    backend: Backend,
    dtype: str,
    quantity: str,
    compute: Callable[..., Array],
    at: tuple[np.ndarray, ...],
    truth: list[Any],
) -> UlpRow:
    form = FORMATS[dtype]
    try:
        with backend.scope(dtype), np.errstate(all="ignore"):
            arrays = [backend.asarray(a, dtype=dtype) for a in at]
            result = compute(*arrays)
            got = np.asarray(backend.to_numpy(result), dtype=np.float64)
            kind = backend.dtype_name(result.dtype)
    except Exception as error:  # libraries have types of their own
        return UlpRow(backend.name, dtype, quantity, problem=_said(error))
    if kind != dtype or got.shape != (len(truth),):
        said = f"{kind} of shape {got.shape} for arguments of {dtype} and shape ({len(truth)},): fn is not element-wise, or casts"
        return UlpRow(backend.name, dtype, quantity, problem=said)
    worst, place, count, beyond = -1.0, 0, 0, 0
    largest = mp.mpf(form.max) * (1 + mp.mpf(form.eps) / 4)
    for i, (y, wanted) in enumerate(zip(got, truth, strict=True)):
        if wanted is None:
            continue
        count += 1
        if mp.isnan(wanted) or abs(wanted) > largest or not np.isfinite(y):
            limit = (
                math.nan
                if mp.isnan(wanted)
                else math.copysign(math.inf, wanted)
                if abs(wanted) > largest
                else 0.0
            )
            same = (y != y and limit != limit) or y == limit
            near = np.isinf(y) and abs(wanted) > mp.mpf(form.max) * (1 - mp.mpf(form.eps))
            beyond += not (same or near)
            continue
        unit = float(form.spacing(np.asarray(float(wanted))))
        off = float(abs(mp.mpf(float(y)) - wanted) / unit)
        if off > worst:
            worst, place = off, i
    if not count:
        return UlpRow(
            backend.name, dtype, quantity, problem="at none of the points is there a number to compare with"
        )
    if worst < 0:
        return UlpRow(backend.name, dtype, quantity, 0.0, points=count, beyond=beyond)
    return UlpRow(
        backend.name, dtype, quantity, worst, tuple(float(a[place]) for a in at), float(got[place]), float(truth[place]), count, beyond
    )  # fmt: skip
