"""Which backend, device and dtype a call works with, when it is not the arrays that decide.

Functions of arrays never ask here: the arrays' own library decides. ``init``, ``fit``, the estimators and the command line do, in
this order: argument > ``use_backend`` > library of an array given (NumPy arrays, lists and data frames are neutral) >
``set_backend`` > environment > ``"numpy"``. The environment (``MULTIMLP_BACKEND``, ``MULTIMLP_DEVICE``, ``MULTIMLP_DTYPE``) is read
each time it is needed; so is ``MULTIMLP_DEVICES``, what a run is shared by, which has nothing to do with arrays.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from multimlp.backend._contract import Backend
from multimlp.backend._registry import load_backend, owner_of_type
from multimlp.errors import BackendError, DTypeError, InputError
from multimlp.errors.checks import as_given, check_items, check_whole, refuse
from multimlp.errors.close import did_you_mean

Devices: TypeAlias = str | int | tuple[str, ...] | None
"""What a run is shared by, as `checked_devices` returns it."""

FLOAT_DTYPES = ("float64", "float32", "bfloat16", "float16")


@dataclass(frozen=True)
class Selection:
    """A choice of backend, device and dtype; None leaves a part open."""

    backend: str | None = None
    device: str | None = None
    dtype: str | None = None
    devices: Devices = None


@dataclass(frozen=True)
class Target:
    """Where a computation will run: everything decided."""

    backend: Backend
    device: str | None
    dtype: str


_context: ContextVar[Selection | None] = ContextVar("multimlp_selection", default=None)
_process = Selection()


def set_backend(name: str, device: str | None = None, dtype: str | None = None) -> None:
    """Select a backend for the whole process; below arguments, `use_backend` and the library of arrays given.

    Parameters
    ----------
    name : str
        A backend's name or alias (``"torch"``, ``"pytorch"``, ``"tf"``, ...).
    device : str, optional
        ``"cpu"``, ``"cuda"``, ``"cuda:1"``, ``"gpu"``.
    dtype : str, optional
        ``"float64"``, ``"float32"``, ``"bfloat16"`` or ``"float16"``.

    Raises
    ------
    UnknownBackendError, MissingDependencyError, DeviceError, DTypeError

    Examples
    --------
    >>> import multimlp as mm
    >>> mm.set_backend("numpy", dtype="float64")
    >>> mm.get_backend().name
    'numpy'
    >>> mm.set_backend("numpy")
    """
    global _process
    _process = _checked(name, device, dtype)


@contextlib.contextmanager
def use_backend(
    name: str, device: str | None = None, dtype: str | None = None, devices: Any = None
) -> Iterator[Backend]:
    """Select a backend inside a ``with`` block (of this thread or task), above everything but arguments.

    Parameters
    ----------
    name, device, dtype
        As for `set_backend`.
    devices : "all", int or sequence of str, optional
        What `multimlp.fit` and the estimators share their work among there.

    Examples
    --------
    >>> import multimlp as mm
    >>> with mm.use_backend("numpy", dtype="float64"):
    ...     params = mm.MLP(2, 3, 1).init(seed=0)
    >>> params[0].weight.dtype
    dtype('float64')
    """
    selection = replace(_checked(name, device, dtype), devices=checked_devices(devices))
    token = _context.set(selection)
    try:
        yield load_backend(name)
    finally:
        _context.reset(token)


def _checked(name: str, device: str | None, dtype: str | None) -> Selection:
    backend = load_backend(name)
    return Selection(backend.name, backend.resolve_device(device), _checked_dtype(backend, dtype))


def _checked_dtype(backend: Backend, dtype: object) -> str | None:
    if dtype is None:
        return None
    name = dtype if isinstance(dtype, str) else _dtype_name(backend, dtype)
    if name not in FLOAT_DTYPES:
        close = did_you_mean(name, FLOAT_DTYPES)
        raise DTypeError(f"dtype: expected one of {', '.join(FLOAT_DTYPES)}, got {as_given(dtype)}{close}")
    if name not in backend.capabilities.dtypes:
        here = ", ".join(backend.capabilities.dtypes)
        raise DTypeError(f"dtype: {name!r} is not supported by the {backend.name} backend (it has {here})")
    return name


def _dtype_name(backend: Backend, dtype: object) -> str:
    try:
        return backend.dtype_name(dtype)
    except Exception as error:
        raise DTypeError(f"dtype: expected a name such as 'float32', got {as_given(dtype)}") from error


def get_backend(name: str | Backend | None = None) -> Backend:
    """The adapter of that name, or, without a name, the one selected by context, `set_backend` or environment.

    Parameters
    ----------
    name : str or Backend, optional
        A name or alias; an adapter is returned as it is.

    Raises
    ------
    UnknownBackendError
        If no adapter has that name.
    MissingDependencyError
        If its framework is not installed; the message says what to install.

    Examples
    --------
    >>> import multimlp as mm
    >>> mm.get_backend("np").name
    'numpy'
    """
    if isinstance(name, Backend):
        return name
    if name is not None:
        return load_backend(name)
    context = _context.get()
    if context is not None and context.backend is not None:
        return load_backend(context.backend)
    if _process.backend is not None:
        return load_backend(_process.backend)
    named = _environment("BACKEND")
    if named is None:
        return load_backend("numpy")
    with _blamed("BACKEND"):
        return load_backend(named)


def _environment(part: str) -> str | None:
    """What the environment says about a part, or None if it says nothing."""
    return os.environ.get(f"MULTIMLP_{part}", "").strip() or None


@contextlib.contextmanager
def _blamed(part: str, blamed: bool = True) -> Iterator[None]:
    """Errors say that the value came from the environment, which nobody sees in the call."""
    try:
        yield
    except (BackendError, InputError) as error:
        if not blamed:
            raise
        raise type(error)(f"environment variable MULTIMLP_{part}: {error}") from None


def select(
    backend: str | Backend | None = None,
    device: str | None = None,
    dtype: object = None,
    arrays: Iterable[object] = (),
    default_dtype: str = "float32",
) -> Target:
    """Decide backend, device and dtype by the order of precedence that this module states.

    Parameters
    ----------
    backend, device, dtype
        Arguments of the call, or None.
    arrays
        Arrays given to the call; NumPy's are neutral.
    default_dtype
        When nothing else decides.

    Returns
    -------
    Target

    Examples
    --------
    >>> from multimlp.backend import select
    >>> select("numpy", dtype="float64").dtype
    'float64'
    """
    chosen, place, found = selected(backend, device, dtype, arrays)
    checked = found if found is not None else _checked_dtype(chosen, default_dtype)
    if checked is None:
        raise refuse("default_dtype", f"one of {', '.join(FLOAT_DTYPES)}", default_dtype)
    return Target(chosen, place, checked)


def selected(
    backend: str | Backend | None = None,
    device: str | None = None,
    dtype: object = None,
    arrays: Iterable[object] = (),
) -> tuple[Backend, str | None, str | None]:
    """As `select`, with None for a dtype that nobody chose."""
    given = tuple(check_items("arrays", arrays))
    context = _context.get() or Selection()
    chosen, arrays_decide = _choose(backend, context, given)

    def matching(selection: Selection) -> Selection:
        return selection if selection.backend == chosen.name else Selection()

    own = [a for a in given if owner_of_type(type(a)) is chosen] if arrays_decide else []
    environment = Selection(chosen.name, _environment("DEVICE"), _environment("DTYPE"))
    layers = (
        Selection(chosen.name, device, None),
        matching(context),
        Selection(chosen.name, chosen.device_name(own[0]) if own else None, None),
        matching(_process),
        environment,
    )
    place = next((layer.device for layer in layers[:-1] if layer.device is not None), None)
    wanted = (dtype, context.dtype, _common_float(chosen, own), _process.dtype)
    kind = next((name for name in wanted if name is not None), None)
    found = environment.dtype if kind is None else kind
    with _blamed("DTYPE", kind is None and found is not None):
        checked = _checked_dtype(chosen, found)
    with _blamed("DEVICE", place is None and environment.device is not None):
        return chosen, chosen.resolve_device(environment.device if place is None else place), checked


def selections() -> tuple[Selection | None, Selection]:
    """What `use_backend` and `set_backend` say here and now: a compiled function that makes arrays depends on it.

    Examples
    --------
    >>> from multimlp.backend import selections, use_backend
    >>> before = selections()
    >>> with use_backend("numpy", dtype="float64"):
    ...     selections() == before
    False
    """
    return _context.get(), _process


def select_devices(devices: Any, backend: Backend) -> Devices:
    """What a run on a backend is shared by: argument > `use_backend` > environment (``MULTIMLP_DEVICES``) > None, one device.

    Examples
    --------
    >>> from multimlp.backend import get_backend, select_devices, use_backend
    >>> select_devices(None, get_backend()), select_devices(2, get_backend())
    (None, 2)
    >>> with use_backend("numpy", devices="all"):
    ...     select_devices(None, get_backend())
    'all'
    """
    if devices is not None:
        return checked_devices(devices)
    context = _context.get()
    if context is not None and context.backend == backend.name and context.devices is not None:
        return context.devices
    with _blamed("DEVICES"):
        return checked_devices(_environment("DEVICES"))


def checked_devices(devices: Any) -> Devices:
    """``"all"``, a number of devices, or their names; text as the environment has it: ``"2"``, ``"cuda:0,cuda:1"``.

    Raises
    ------
    InputError
        For anything else.
    """
    if devices is None:
        return None
    if isinstance(devices, str):  # asked first, since an array answers a comparison with an array
        text = devices.strip()
        if text == "all":
            return "all"
        if not text.isdecimal():
            return checked_devices([name for name in map(str.strip, text.split(",")) if name])
        devices = int(text)
    if isinstance(devices, (list, tuple)):
        if devices and all(isinstance(name, str) and name.strip() and name != "all" for name in devices):
            return tuple(name.strip() for name in devices)
        raise refuse("devices", "'all', a number, or a list of names of devices", devices)
    try:
        return check_whole("devices", devices, low=1)
    except InputError:
        raise refuse("devices", "'all', a number, or a list of names of devices", devices) from None


def _choose(
    backend: str | Backend | None, context: Selection, arrays: tuple[object, ...]
) -> tuple[Backend, bool]:
    """The backend, and whether arrays of that backend were given."""
    owners = {found for a in arrays if (found := owner_of_type(type(a))) is not None}
    foreign = {found for found in owners if found.name != "numpy"}
    named = backend if backend is not None else context.backend
    if named is not None:
        chosen = get_backend(named)
    elif len(foreign) > 1:
        names = " and ".join(sorted(found.name for found in foreign))
        raise InputError(
            f"arrays of two libraries were given ({names}); say which backend to use with backend=..."
        )
    elif foreign:
        (chosen,) = foreign
    else:
        chosen = get_backend()
    return chosen, chosen in foreign


def _common_float(backend: Backend, arrays: list[object]) -> str | None:
    """The floating dtype of the backend's own arrays, if they have one."""
    names = [backend.dtype_name(a.dtype) for a in arrays]  # type: ignore[attr-defined]
    return next((name for name in names if name in FLOAT_DTYPES), None)
