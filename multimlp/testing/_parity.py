"""`assert_parity`: a function of one's own, on all installed backends."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from multimlp import transforms, tree
from multimlp.backend import (
    BUILTIN,
    Backend,
    array_namespace,
    entry_points,
    is_array,
    is_installed,
    load_backend,
)
from multimlp.errors import InputError, ParityError, UnknownBackendError
from multimlp.errors.checks import check_choice, check_function, check_items, check_number, flag
from multimlp.errors.shown import cut
from multimlp.parity.formats import FORMATS
from multimlp.testing._close import assert_close, comparable, on_host
from multimlp.tree import Tree

DEFAULT_EPS = 64.0
"""Two libraries may each be off by half of it, relative to the largest number of an array."""


def comparable_backends() -> tuple[str, ...]:
    """The installed backends that compute with arrays of their own: all but the oracle."""
    known = (*BUILTIN, *entry_points())
    return tuple(name for name in known if name != "mpmath" and is_installed(name))


def assert_parity(
    fn: Callable[..., Tree],
    *args: Tree,
    backends: Sequence[str] | None = None,
    reference: str = "numpy",
    dtype: str = "float64",
    rtol: float | None = None,
    gradients: bool = True,
    compiled: bool = True,
) -> None:
    """Raise unless a function has the same values and gradients on every backend, eager and compiled.

    The tree that it returns, shapes, floating dtypes and kinds of dtypes are the same too; only integers may differ in width.

    Parameters
    ----------
    fn : callable
        ``fn(*args)`` returns an array or a tree of arrays; written on ``multimlp.array_namespace``.
    *args : trees of NumPy arrays or numbers
        Floating-point leaves are converted to ``dtype``, and differentiated; others are handed over as they
        are.
    backends : sequence of str, optional
        Names; default: all that are installed and have the dtype.
    reference : str
        The backend that the others are compared with; ``"mpmath"`` is exact.
    dtype : str
    rtol : float, optional
        |difference| <= rtol max(1, largest |reference|) for each array; default 64 eps. Integers and booleans are equal or not.
    gradients : bool
        Whether to compare the gradients of the sum of all floating outputs.
    compiled : bool
        Whether to compile as well, where the backend can.

    Raises
    ------
    ParityError
        An `AssertionError` with a line for each backend, mode and array that disagrees, and for each backend that fails by itself.
    InputError
        If no floating-point argument is there to differentiate with respect to, or `fn` returns no array.

    Examples
    --------
    >>> import numpy as np
    >>> import multimlp as mm
    >>> from multimlp.testing import assert_parity
    >>> def norm(x):
    ...     xp = mm.array_namespace(x)
    ...     return xp.sqrt(xp.sum(x * x))
    >>> assert_parity(norm, np.asarray([3.0, 4.0]), backends=["strict"])
    """
    check_function("fn", fn)
    gradients, compiled = flag("gradients", gradients), flag("compiled", compiled)
    check_choice("dtype", dtype, tuple(FORMATS))
    if rtol is not None:
        rtol = check_number("rtol", rtol, low=0)
    names = None if backends is None else check_items("backends", backends, "of names of backends")
    if names is not None and not names:
        raise InputError(
            "backends: expected the name of one backend or more, got none, so that nothing would be compared"
        )
    leaves, rebuild = tree.flatten(args)
    host = [on_host(comparable(leaf, "args"))[0] for leaf in leaves]
    smooth = [i for i, a in enumerate(host) if a.dtype.kind == "f"]
    if gradients and not smooth:
        raise InputError(
            "args: no floating-point array to differentiate with respect to; pass gradients=False"
        )
    case = _Case(fn, host, rebuild, smooth if gradients else [], dtype)
    base = load_backend(reference)
    # The oracle has one real dtype, whatever was asked for.
    wanted = case.results(base, dtype if reference != "mpmath" else "float64", False)
    bound = (DEFAULT_EPS if rtol is None else rtol / FORMATS[dtype].eps) * FORMATS[dtype].eps
    problems = []
    for name in comparable_backends() if names is None else names:
        try:
            backend = load_backend(name)
        except UnknownBackendError:
            raise
        except Exception as error:  # a framework that cannot be imported must not hide the others
            problems.append(_failure(name, error))
            continue
        if dtype not in backend.capabilities.dtypes:
            if names is not None:
                problems.append(f"{name}: it has no {dtype}")
            continue
        modes = (False, True) if compiled and backend.capabilities.compilers else (False,)
        for mode in modes:
            problems += _problems(case, backend, dtype, mode, wanted, bound, reference != "mpmath")
    if problems:
        raise ParityError(f"not the same as on {reference}:\n" + "\n".join(problems))


def _problems(
    case: _Case, backend: Backend, dtype: str, compiled: bool, wanted: _Results, bound: float, dtypes: bool
) -> list[str]:
    label = f"{backend.name}{', compiled' if compiled else ''}"
    try:
        got = case.results(backend, dtype, compiled)
    except Exception as error:  # libraries have types of their own
        return [_failure(label, error)]
    if got.structure != wanted.structure:
        return [f"{label}: it returns {got.structure}, expected {wanted.structure}"]
    found = []
    for what, (expected, kind) in wanted.arrays.items():
        array, own = got.arrays[what]
        try:
            _same_dtype(own, kind, dtypes)
            if _kind(kind) in ("integer", "bool"):
                assert_close(array, expected, check_dtype=False)
            else:
                finite = np.abs(expected[np.isfinite(expected)])
                scale = max(1.0, float(finite.max())) if finite.size else 1.0
                assert_close(array, expected, rtol=0.0, atol=bound * scale, check_dtype=False)
        except ParityError as error:
            found.append(f"{label}, {what}: {error}")
    return found


def _kind(dtype: str) -> str:
    return next((kind for kind in ("bool", "complex", "float") if kind in dtype), "integer")


def _same_dtype(got: str, wanted: str, by_name: bool) -> None:
    """Integers may be of another width, which libraries choose as they like."""
    if _kind(got) != _kind(wanted) or (by_name and _kind(wanted) in ("float", "complex") and got != wanted):
        raise ParityError(f"dtype {got}, expected {wanted}")


def _failure(label: str, error: Exception) -> str:
    """A backend's own failure, as one line of the table."""
    return f"{label}: failed: {cut(' '.join(f'{type(error).__name__}: {error}'.split()), 300)}"


class _Results(NamedTuple):
    """What a function returned on one backend."""

    structure: str
    arrays: dict[str, tuple[np.ndarray, str]]
    """Outputs and gradients by name, on the host, with the names of their dtypes."""


class _Case:
    """A function and its arguments, to be run on any backend."""

    def __init__(
        self,
        fn: Callable[..., Tree],
        host: list[np.ndarray],
        rebuild: Callable[..., Any],
        smooth: list[int],
        dtype: str,
    ) -> None:
        self.fn, self.host, self.rebuild, self.smooth = fn, host, rebuild, smooth
        # Rounded once, so that a reference of higher precision is asked the same question.
        self.rounded = [FORMATS[dtype].round(a) if a.dtype.kind == "f" else a for a in host]

    def results(self, backend: Backend, dtype: str, compiled: bool) -> _Results:
        arrays = tuple(
            backend.asarray(a, dtype=dtype if a.dtype.kind == "f" else a.dtype.name) for a in self.rounded
        )
        outputs: list[str] = []
        structure: list[str] = []

        def flat(arrays: tuple[Any, ...]) -> tuple[Any, ...]:
            result = self.fn(*self.rebuild(arrays))
            values, structure[:] = tree.leaves(result), [tree.structure(result)]
            outputs[:] = [f"value {i}" if len(values) > 1 else "value" for i in range(len(values))]
            if not self.smooth:
                return tuple(values)
            outputs.extend(f"gradient {i}" if len(self.smooth) > 1 else "gradient" for i in self.smooth)
            return (*values, *self._gradient(backend, arrays))

        with backend.scope(dtype):
            results = (backend.compile(flat) if compiled else flat)(arrays)
        if not any(map(is_array, results)):
            raise InputError(
                f"fn: expected a function that returns an array or a tree of arrays, got {structure[0]} of no array"
            )
        found = {}
        for name, array in zip(outputs, results, strict=True):
            values, kind = on_host(array)
            found[name] = values, values.dtype.name if kind is None else kind
        return _Results(structure[0], found)

    def _gradient(self, backend: Backend, arrays: tuple[Any, ...]) -> tuple[Any, ...]:
        def total(*chosen: Any) -> Any:
            given = list(arrays)
            for i, array in zip(self.smooth, chosen, strict=True):
                given[i] = array
            xp = array_namespace(*chosen)
            values = tree.leaves(self.fn(*self.rebuild(given)))
            sums = [xp.sum(v) for v in values if is_array(v) and backend.is_floating(v)]
            if not sums:
                raise InputError(
                    "fn: it returns no floating-point array to differentiate; pass gradients=False"
                )
            for more in sums[1:]:
                sums[0] = sums[0] + more
            return sums[0]

        positions = tuple(range(len(self.smooth)))
        gradients: tuple[Any, ...] = transforms.grad(total, positions)(*(arrays[i] for i in self.smooth))
        return gradients
