"""Names to adapters, and which adapter owns an array.

Nothing here imports a framework. A built-in adapter is a string until it is first used; the owner of an array is found from the
root module of its type, once per type. Entry points (group ``multimlp.backends``) are read only for a name or an array type that no
built-in adapter claims, because one scan of the installed packages costs more than the whole import of this package.
"""

from __future__ import annotations

import copyreg
import importlib
import importlib.util
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from multimlp import tape
from multimlp._typing import Namespace
from multimlp.backend._contract import Backend
from multimlp.errors import InputError, MixedBackendsError, UnknownBackendError, missing_dependency
from multimlp.errors.close import did_you_mean

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint


ENTRY_POINT_GROUP = "multimlp.backends"


@dataclass(frozen=True)
class Known:
    """What is known of a built-in backend without importing anything."""

    target: str
    """``module:class`` of the adapter."""
    module: str
    """The framework's top-level module."""
    distributions: tuple[str, ...]
    """Names under which the framework is distributed, for its version."""
    extra: str
    """The extra of multimlp that installs the framework."""
    roots: tuple[str, ...] = ()
    """Further root modules of the framework's array types."""


BUILTIN: dict[str, Known] = {
    "numpy": Known("multimlp.backends.numpy:NumpyBackend", "numpy", ("numpy",), "numpy"),
    "torch": Known("multimlp.backends.torch:TorchBackend", "torch", ("torch",), "torch"),
    "jax": Known("multimlp.backends.jax:JaxBackend", "jax", ("jax",), "jax", ("jaxlib",)),
    "tensorflow": Known(
        "multimlp.backends.tensorflow:TensorFlowBackend",
        "tensorflow",
        ("tensorflow", "tensorflow-cpu"),
        "tensorflow",
    ),
    "mxnet": Known("multimlp.backends.mxnet:MXNetBackend", "mxnet", ("mxnet",), "mxnet"),
    "cupy": Known(
        "multimlp.backends.cupy:CuPyBackend",
        "cupy",
        ("cupy-cuda12x", "cupy-cuda13x", "cupy"),
        "cupy",
        ("cupyx",),
    ),
    "mlx": Known("multimlp.backends.mlx:MLXBackend", "mlx", ("mlx",), "mlx"),
    "paddle": Known(
        "multimlp.backends.paddle:PaddleBackend", "paddle", ("paddlepaddle", "paddlepaddle-gpu"), "paddle"
    ),
    "strict": Known(
        "multimlp.backends.strict:StrictBackend", "array_api_strict", ("array-api-strict",), "strict"
    ),
    "mpmath": Known("multimlp.backends.mpmath:MpmathBackend", "mpmath", ("mpmath",), "parity"),
}

ALIASES = {
    "np": "numpy",
    "pytorch": "torch",
    "tf": "tensorflow",
    "mx": "mxnet",
    "cp": "cupy",
    "array_api_strict": "strict",
    "array-api-strict": "strict",
}

_loaded: dict[str, Backend] = {}
_loading = threading.RLock()
_entry_points: dict[str, EntryPoint] | None = None

when_registered: list[Callable[[], None]] = []
"""What is to be forgotten when an adapter is made known, since arrays may have another owner from then on."""


def entry_points() -> dict[str, EntryPoint]:
    """The plugged-in adapters by name; the installed packages are scanned once."""
    global _entry_points
    if _entry_points is None:
        from importlib import metadata  # 20 ms that most processes never need

        found = metadata.entry_points(group=ENTRY_POINT_GROUP)
        _entry_points = {point.name: point for point in found if point.name not in BUILTIN}
    return _entry_points


def canonical_name(name: str) -> str:
    """The backend's own name for a name or alias, without loading it.

    Parameters
    ----------
    name : str

    Returns
    -------
    str

    Raises
    ------
    UnknownBackendError
        If nobody has it; names the closest.

    Examples
    --------
    >>> from multimlp.backend import canonical_name
    >>> canonical_name("PyTorch")
    'torch'
    """
    if not isinstance(name, str):
        raise InputError(
            f"backend: expected a name such as 'torch', got {name!r} of type {type(name).__name__}"
        )
    lowered = name.strip().lower()
    lowered = ALIASES.get(lowered, lowered)
    if lowered in BUILTIN or lowered in _loaded or lowered in entry_points():
        return lowered
    known = list(dict.fromkeys([*BUILTIN, *entry_points(), *_loaded]))
    close = did_you_mean(name, [*known, *ALIASES])
    raise UnknownBackendError(f"unknown backend {name!r}. Known backends: {', '.join(known)}{close}")


def load_backend(name: str) -> Backend:
    """The adapter of that name (or alias), imported at its first use; there is one in a process.

    Parameters
    ----------
    name : str

    Returns
    -------
    Backend

    Raises
    ------
    UnknownBackendError
        If no adapter has that name; names the closest.
    MissingDependencyError
        If its library is not installed; says what to install.

    Examples
    --------
    >>> from multimlp.backend import load_backend
    >>> load_backend("np") is load_backend("numpy")
    True
    """
    canonical = canonical_name(name)
    if canonical not in _loaded:
        with _loading:
            if canonical not in _loaded:
                _keep(canonical, _instantiate(canonical))
    return _loaded[canonical]


def _keep(name: str, backend: Backend) -> None:
    _loaded[name] = backend
    copyreg.pickle(type(backend), _by_name)


def _by_name(backend: Backend) -> Any:
    """How a backend is pickled and copied: there is one instance a process, and the other process has its own."""
    if _loaded.get(backend.name) is backend:
        return load_backend, (backend.name,)
    return object.__reduce_ex__(backend, 2)


def _instantiate(name: str) -> Backend:
    if name not in BUILTIN:
        plugged_in: Backend = entry_points()[name].load()()
        return plugged_in
    known = BUILTIN[name]
    if not is_installed(name):
        raise missing_dependency(known.module, f"the {name} backend", known.extra)
    module, _, attribute = known.target.partition(":")
    found: Backend = getattr(importlib.import_module(module), attribute)()
    return found


def is_installed(name: str) -> bool:
    """Whether a built-in backend's framework can be found, without importing it; plugged-in ones count as installed.

    Parameters
    ----------
    name : str
        As `canonical_name` gives it.

    Returns
    -------
    bool

    Examples
    --------
    >>> from multimlp.backend import is_installed
    >>> is_installed("numpy")
    True
    """
    return name not in BUILTIN or importlib.util.find_spec(BUILTIN[name].module) is not None


def register(backend: Backend) -> None:
    """Make an adapter object known under its name for this process; the way for code that has no entry point.

    Examples
    --------
    A namespace that follows the standard needs no more than this to be differentiated, trained and compared:

    >>> import array_api_strict
    >>> from multimlp.backend import Backend, load_backend, register
    >>> class Plain(Backend):
    ...     name = "plain-strict"
    ...     xp = array_api_strict
    >>> register(Plain())
    >>> load_backend("plain-strict").name
    'plain-strict'
    """
    name = getattr(backend, "name", None)
    if not isinstance(backend, Backend) or not isinstance(name, str) or not name:
        raise InputError(
            f"backend: expected an object of a subclass of multimlp.Backend with a name, got {backend!r} of type {type(backend).__name__}"
        )
    _keep(name, backend)
    _owners.clear()
    _namespaces.clear()
    for forget in when_registered:
        forget()


# ---- whose array is it -----------------------------------------------------------------------------------------------

_owners: dict[type, Backend | None] = {}
_namespaces: dict[type, Namespace] = {}
_roots = {root: name for name, known in BUILTIN.items() for root in (known.module, *known.roots)}


def owner_of_type(cls: type) -> Backend | None:
    """The adapter whose arrays have this type, or None for a type that is no array."""
    try:
        return _owners[cls]
    except KeyError:
        found = _owners[cls] = _find_owner(cls)
        return found


def _find_owner(cls: type) -> Backend | None:
    carried: Backend | None = getattr(cls, "__multimlp_backend__", None)
    if carried is not None:
        return carried
    roots = {base.__module__.partition(".")[0] for base in cls.__mro__} - {"builtins"}
    for root in roots:
        if root in _roots:
            backend = load_backend(_roots[root])
            if backend.is_array_type(cls):
                return backend
    for backend in list(_loaded.values()):  # another thread may be loading one
        if backend.is_array_type(cls):
            return backend
    if hasattr(cls, "__array_namespace__") or hasattr(cls, "__array_function__"):
        return _plugged_in_owner(cls)
    return None


def _plugged_in_owner(cls: type) -> Backend | None:
    for name in entry_points():
        if name not in _loaded:
            backend = load_backend(name)
            if backend.is_array_type(cls):
                return backend
    return None


def is_array(x: object) -> bool:
    """Whether ``x`` is an array (or a traced array) of a library that some adapter serves.

    Parameters
    ----------
    x : object

    Returns
    -------
    bool

    Examples
    --------
    >>> import numpy as np
    >>> from multimlp.backend import is_array
    >>> is_array(np.ones(3)), is_array([1.0, 2.0])
    (True, False)
    """
    return owner_of_type(type(x)) is not None


def owner(*arrays: object) -> Backend:
    """The one adapter that owns all the arrays given; anything that is no array is passed over.

    Raises
    ------
    MixedBackendsError
        If the arrays belong to two libraries.
    InputError
        If none of them is an array.
    """
    found = common_owner(arrays)
    if found is None:
        kinds = ", ".join(sorted({type(a).__name__ for a in arrays})) or "nothing"
        raise InputError(
            f"expected an array of a supported library, got {kinds}; make one first, e.g. with numpy.asarray(...)"
        )
    return found


def common_owner(arrays: Iterable[object]) -> Backend | None:
    """As `owner`, but None when there is no array among them.

    Parameters
    ----------
    arrays : iterable of object
        What is no array is passed over.

    Returns
    -------
    Backend or None

    Raises
    ------
    MixedBackendsError
        For arrays of two libraries.

    Examples
    --------
    >>> import numpy as np
    >>> from multimlp.backend import common_owner
    >>> common_owner([1.0, np.ones(2)]), common_owner([1.0])
    (<backend numpy>, None)
    """
    found: Backend | None = None
    for array in arrays:
        backend = owner_of_type(type(array))
        if backend is None or backend is found:
            continue
        if found is not None:
            raise MixedBackendsError(
                f"arrays of two libraries in one call: {found.name} and {backend.name}. "
                f"Convert one of them first: multimlp.convert(array, backend={found.name!r})"
            )
        found = backend
    return found


def namespace_of_type(cls: type) -> Namespace | None:
    """The namespace that computes with arrays of this type (for a traced type, the tracing one), or None."""
    try:
        return _namespaces[cls]
    except KeyError:
        backend = owner_of_type(cls)
        found = getattr(cls, "__multimlp_namespace__", None) or (backend.xp if backend is not None else None)
        _namespaces[cls] = found
        return found


def array_namespace(*arrays: object) -> Namespace:
    """The array-API namespace of the arrays given; Python scalars and None are passed over.

    What the tape differentiates is computed with by a namespace that records, and so are the constants that meet it in
    the same function; plain arrays pass through it.

    Raises
    ------
    MixedBackendsError
        If the arrays belong to two libraries.
    InputError
        If none of them is an array.

    Examples
    --------
    >>> import numpy as np
    >>> import multimlp as mm
    >>> xp = mm.array_namespace(np.ones(3))
    >>> float(xp.sum(xp.ones(3)))
    3.0
    """
    if len(arrays) == 1 and (not tape.RECORDING.levels or is_traced(arrays[0])):
        xp = namespace_of_type(type(arrays[0]))
        if xp is not None:
            return xp
    backend = owner(*arrays)
    if tape.outermost_level(backend) is not None or is_traced(*arrays):
        return tape.traced_type(backend).__multimlp_namespace__
    return backend.xp


def is_traced(*arrays: object) -> bool:
    """Whether the tape records, or batches, what is computed with one of the arrays."""
    return any(isinstance(array, tape.Wrapped) for array in arrays)
