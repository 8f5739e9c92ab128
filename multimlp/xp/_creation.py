"""Functions that make arrays: on the library, the device and with the dtype of ``like=``, or of the selection."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from multimlp._typing import Array
from multimlp.backend import Backend, convert, is_array, is_traced, selected
from multimlp.errors import InputError
from multimlp.errors.checks import as_given, refuse
from multimlp.tree import leaves
from multimlp.xp._dispatch import MAIN, Home, Part, dispatched, home_of
from multimlp.xp._dtypes import DType, DTypeLike, iinfo, isdtype, name_of


class _Place(NamedTuple):
    """Where an array is made, and as what."""

    home: Home
    options: dict[str, Any]
    """``dtype`` and ``device`` as the library has them, where they are not its defaults."""


def made(
    name: str,
    kind: str | None,
    dtype: DTypeLike,
    device: Any,
    like: Array | None,
    *args: Any,
    part: Part = MAIN,
    **more: Any,
) -> Array:
    """What the function of that name makes of the arguments: of the kind, unless a dtype is given."""
    place = _place(dtype, device, like, kind)
    return part.function_of(place.home, name)(*args, **place.options, **more)


def _name(dtype: Any) -> str | None:
    return None if dtype is None else name_of(dtype)


def _place(dtype: DTypeLike, device: Any, like: Array | None, kind: str | None) -> _Place:
    """Where to make an array of a kind ("real floating", "integral", ...; None if something else decides the dtype)."""
    if like is not None:
        if not is_array(like):
            raise refuse("like", "an array", like)
        home = home_of((like,))
        chosen = like.dtype if dtype is None and kind and isdtype(like.dtype, kind) else dtype
        place: Any = _device_of(like) if device is None else device
    else:
        library, place, found = selected(device=device if isinstance(device, str) else None)
        home = Home(library, library.xp)
        place = device if device is not None and not isinstance(device, str) else place
        chosen = found if dtype is None and kind == "real floating" else dtype
    options: dict[str, Any] = {}
    if chosen is not None:
        options["dtype"] = home.library.dtype(str(chosen)) if isinstance(chosen, str) else chosen
    if place is not None:
        options["device"] = (
            _own_device(home.library, place) if like is None and isinstance(place, str) else place
        )
    return _Place(home, options)


def _device_of(like: Array) -> Any:
    """None while a compiler traces, which knows no device."""
    try:
        return getattr(like, "device", None) or None
    except Exception:  # libraries have types of their own
        return None


def _own_device(library: Backend, name: str) -> Any:
    """The library's own object for a device's name; None where there is one alone."""
    if len(library.devices()) == 1:
        library.resolve_device(name)  # raises for another
        return None
    return library.asarray(np.zeros(()), dtype="float32", device=library.resolve_device(name)).device


def _kind_of(*numbers: Any) -> str | None:
    """Of which kind the library's default dtype is to be for Python numbers; None for arrays, which have a dtype."""
    kinds = [_letter_of(n) for n in numbers if n is not None and not is_array(n)]
    if len(kinds) < sum(n is not None for n in numbers):
        return None
    for kind, name in (("c", "complex floating"), ("f", "real floating"), ("iu", "integral")):
        if any(k in kind for k in kinds):
            return name
    return "bool"


def _letter_of(numbers: Any) -> str:
    """NumPy's letter for the kind of numbers: one of ``biufc``."""
    try:
        kind = np.asarray(numbers).dtype.kind
    except ValueError as error:
        raise InputError(
            f"xp: expected numbers, or rows of the same length, got {as_given(numbers)}: {error}"
        ) from None
    if kind not in "biufc":
        raise refuse("xp", "numbers that the library has, or nested sequences of them", numbers)
    return kind


def _check_fit(name: str, like: Array | None, *numbers: int) -> None:
    """`InputError` for integers that the dtype of ``like`` does not hold: libraries would make others of them."""
    if like is None or not is_array(like) or not isdtype(like.dtype, "integral"):
        return
    limits = iinfo(like)
    for n in numbers:
        if not limits.min <= n <= limits.max:
            raise InputError(
                f"{name}: {n} is no {limits.dtype}, the dtype of like; give dtype=, e.g. dtype=xp.int64"
            )


def zeros(
    shape: int | tuple[int, ...],
    *,
    dtype: DTypeLike = None,
    device: Any | None = None,
    like: Array | None = None,
) -> Array:
    """Zeros.

    Examples
    --------
    >>> import numpy as np
    >>> from multimlp import xp
    >>> xp.zeros(2, like=np.ones(3, dtype=np.float32)).dtype
    dtype('float32')
    """
    return made("zeros", "real floating", dtype, device, like, shape)


def ones(
    shape: int | tuple[int, ...],
    *,
    dtype: DTypeLike = None,
    device: Any | None = None,
    like: Array | None = None,
) -> Array:
    """Ones."""
    return made("ones", "real floating", dtype, device, like, shape)


def empty(
    shape: int | tuple[int, ...],
    *,
    dtype: DTypeLike = None,
    device: Any | None = None,
    like: Array | None = None,
) -> Array:
    """Numbers that nobody has set."""
    return made("empty", "real floating", dtype, device, like, shape)


def full(
    shape: int | tuple[int, ...],
    fill_value: complex,
    *,
    dtype: DTypeLike = None,
    device: Any | None = None,
    like: Array | None = None,
) -> Array:
    """One number everywhere; without a dtype it is the default one of the number's kind."""
    kind = _kind_of(fill_value)
    if kind == "integral" and dtype is None:
        _check_fit("full", like, int(fill_value))  # type: ignore[call-overload]
    return made("full", kind, dtype, device, like, shape, fill_value)


def eye(
    n_rows: int,
    n_cols: int | None = None,
    /,
    *,
    k: int = 0,
    dtype: DTypeLike = None,
    device: Any | None = None,
    like: Array | None = None,
) -> Array:
    """Ones on the k-th diagonal, zeros elsewhere."""
    return made("eye", "real floating", dtype, device, like, n_rows, n_cols, k=k)


def arange(
    start: float,
    /,
    stop: float | None = None,
    step: float = 1,
    *,
    dtype: DTypeLike = None,
    device: Any | None = None,
    like: Array | None = None,
) -> Array:
    """Numbers from `start` (or 0) up to but without `stop`, `step` apart; integers if all three are."""
    first, last = (0, start) if stop is None else (start, stop)
    kind = _kind_of(start, stop, step)
    if kind == "integral" and dtype is None:
        numbers = range(int(first), int(last), int(step))
        _check_fit("arange", like, *numbers[:1], *numbers[-1:])
    return made("arange", kind, dtype, device, like, first, last, step)


def linspace(
    start: complex,
    stop: complex,
    /,
    num: int,
    *,
    dtype: DTypeLike = None,
    device: Any | None = None,
    endpoint: bool = True,
    like: Array | None = None,
) -> Array:
    """`num` numbers at equal distances from `start` to `stop`."""
    kind = "complex floating" if _kind_of(start, stop) == "complex floating" else "real floating"
    return made("linspace", kind, dtype, device, like, start, stop, num, endpoint=endpoint)


def asarray(
    obj: Any,
    /,
    *,
    dtype: DTypeLike = None,
    device: Any | None = None,
    copy: bool | None = None,
    like: Array | None = None,
) -> Array:
    """An array of numbers, nested sequences of them, or of an array.

    Where it goes: to the library of `like`, else where `multimlp.use_backend` says, else an array stays in its library (NumPy's are
    neutral), else to the selected backend. Numbers get the default dtype of their kind there, or the floating dtype of `like` or of
    the selection; an array keeps its own.

    Raises
    ------
    InputError
        For arrays inside sequences: `stack` puts them together, and keeps their gradients.
    """
    if is_array(obj):
        library = selected(arrays=(obj,))[0] if like is None else home_of((like,)).library
        own = home_of((obj,))
        if library is not own.library:
            return convert(obj, library, device, _name(dtype))
        return _converted(own, obj, dtype, device, copy)
    if isinstance(obj, (list, tuple)) and any(map(is_array, leaves(obj))):
        raise InputError(
            "asarray: there are arrays among the items of a sequence; put them together by xp.stack or xp.concat"
        )
    if obj is None:
        raise refuse("asarray", "numbers, nested sequences of them, or an array", obj)
    kind = _kind_of(obj)
    place = _place(dtype, device, like, kind)
    library, wanted = place.home.library, place.options.get("dtype")
    if wanted is None and kind != "bool" and hasattr(library.xp, "__array_namespace_info__"):
        wanted = library.xp.__array_namespace_info__().default_dtypes()[kind]
    name = "bool" if wanted is None and kind == "bool" else _name(wanted)
    made = library.asarray(obj, dtype=name)
    moved = place.options.get("device")
    return made if moved is None else library.xp.asarray(made, device=moved)


def _converted(home: Home, x: Array, dtype: DTypeLike, device: Any, copy: bool | None) -> Array:
    """An array in another dtype, on another device, or copied, by the library's own functions, so that gradients pass."""
    options: dict[str, Any] = {}
    if device is not None:
        options["device"] = _own_device(home.library, device) if isinstance(device, str) else device
    if copy is not None and not is_traced(x):
        options["copy"] = copy
    if dtype is not None:
        options["dtype"] = home.library.dtype(str(dtype)) if isinstance(dtype, str) else dtype
    if not options:
        return x
    if set(options) == {"dtype"}:
        return MAIN.function_of(home, "astype")(x, options["dtype"], copy=False)
    return MAIN.function_of(home, "asarray")(x, **options)


def from_dlpack(
    x: object, /, *, device: Any | None = None, copy: bool | None = None, like: Array | None = None
) -> Array:
    """An array, of the library of `like` or of the selected backend, with the memory of any object that speaks DLPack."""
    options: dict[str, Any] = {} if copy is None else {"copy": copy}
    return made("from_dlpack", None, None, device, like, x, **options)


@dispatched
def empty_like(x: Array, /, *, dtype: DType | None = None, device: Any | None = None) -> Array:
    """Numbers that nobody has set, in the shape, dtype and library of x."""


@dispatched
def full_like(
    x: Array, /, fill_value: complex, *, dtype: DType | None = None, device: Any | None = None
) -> Array:
    """One number everywhere, in the shape, dtype and library of x."""


@dispatched
def meshgrid(*arrays: Array, indexing: str = "xy") -> Any:
    """The coordinates of the points of a grid: one array for each axis."""


@dispatched
def ones_like(x: Array, /, *, dtype: DType | None = None, device: Any | None = None) -> Array:
    """Ones in the shape, dtype and library of x."""


@dispatched
def zeros_like(x: Array, /, *, dtype: DType | None = None, device: Any | None = None) -> Array:
    """Zeros in the shape, dtype and library of x."""
