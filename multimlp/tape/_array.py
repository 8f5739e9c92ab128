"""The array object of the standard around a value of a lower level: what recorded and batched arrays have in common."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, ClassVar, NoReturn

from multimlp._typing import Library
from multimlp.errors import DifferentiationError, InputError, MixedBackendsError, ShapeError


class Wrapped:
    """An array of the standard, immutable, whose ``value`` belongs to a lower level.

    Each backend has subclasses of its own (made by `multimlp.tape.namespace`), which carry the operators, so that the type alone
    says which namespace computes with it.
    """

    __slots__ = ()
    __array_priority__ = 1e6
    __hash__ = None  # type: ignore[assignment]
    __multimlp_backend__: ClassVar[Library]
    __multimlp_namespace__: ClassVar[Any]
    admitted: ClassVar[set[type]]
    """Types of values that were found to be arrays of the library."""
    level: int
    value: Any

    def __array_namespace__(self, *, api_version: str | None = None) -> Any:
        return self.__multimlp_namespace__

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.value.shape)  # TensorFlow has a type of its own

    @property
    def dtype(self) -> Any:
        return self.value.dtype

    @property
    def device(self) -> Any:
        return device_of(self)

    @property
    def size(self) -> int:
        size = 1
        for extent in self.shape:
            size *= extent
        return size

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def T(self) -> Any:  # noqa: N802 - the standard's name
        if self.ndim != 2:
            raise ShapeError(
                f"T: expected a matrix, got an array of shape {self.shape}; mT transposes a stack of matrices"
            )
        return self.mT

    @property
    def mT(self) -> Any:  # noqa: N802 - the standard's name
        return self.__multimlp_namespace__.matrix_transpose(self)

    def to_device(self, device: Any, /, *, stream: Any = None) -> Any:
        if stream is not None:
            raise DifferentiationError(
                "to_device: a traced array is moved without a stream; leave stream=None"
            )
        return self.__multimlp_namespace__._to_device(self, device)

    def __getitem__(self, key: Any, /) -> Any:
        return self.__multimlp_namespace__._getitem(self, key)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.__multimlp_namespace__.unstack(self))

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("len() of a 0-d array")
        return self.shape[0]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NoReturn:
        self._refuse_conversion()

    def __dlpack__(
        self, *, stream: Any = None, max_version: Any = None, dl_device: Any = None, copy: bool | None = None
    ) -> NoReturn:
        self._refuse_conversion()

    def __dlpack_device__(self) -> NoReturn:
        self._refuse_conversion()

    def __setitem__(self, key: Any, value: Any, /) -> NoReturn:
        self._refuse_mutation()

    def _refuse_in_place(self, other: Any, /) -> NoReturn:
        self._refuse_mutation()

    __iadd__ = __isub__ = __imul__ = __itruediv__ = __ifloordiv__ = _refuse_in_place
    __ipow__ = __imod__ = __imatmul__ = _refuse_in_place

    def _refuse_conversion(self) -> NoReturn:
        raise NotImplementedError

    def _refuse_mutation(self) -> NoReturn:
        raise NotImplementedError

    def _refuse_numpy(self, what: str) -> NoReturn:
        """For a function of NumPy's that has no definition here."""
        raise NotImplementedError


def admit(cls: type[Wrapped], value: Any) -> None:
    """`MixedBackendsError` unless the value is an array of the library: ``x * c`` with a ``c`` of another one may be that one's array,
    of fewer digits, and derivatives of it would be nobody's."""
    kind, library = type(value), cls.__multimlp_backend__
    if computes_otherwise(kind):
        raise InputError(f"a {kind.__name__} of NumPy's has an arithmetic of its own, {_PLAIN_ADVICE}")
    own = value.__multimlp_backend__ is library if isinstance(value, Wrapped) else library.is_array_type(kind)
    if not own:
        raise MixedBackendsError(
            f"an array of the {library.name} backend was combined with something else, which made a {kind.__module__}.{kind.__name__} of "
            "it; convert constants first, xp.asarray(...) or multimlp.convert(array, backend=...)"
        )
    cls.admitted.add(kind)


_PLAIN_ADVICE = "which is not followed here; give plain arrays, numpy.asarray(x), or x.filled(...) where values are masked"


def computes_otherwise(cls: type) -> bool:
    """Whether it is one of NumPy's subclasses that do not compute as arrays do: ``*`` of a matrix is a product of matrices, and of a
    masked array some elements do not count."""
    if cls not in _otherwise:
        names = {f"{base.__module__.partition('.')[0]}.{base.__name__}" for base in cls.__mro__}
        _otherwise[cls] = not names.isdisjoint(("numpy.matrix", "numpy.MaskedArray"))
    return _otherwise[cls]


_otherwise: dict[type, bool] = {}


def check_arithmetic(where: str, values: Iterable[Any]) -> None:
    """`InputError` for arrays that do not compute as arrays do."""
    for value in values:
        if computes_otherwise(type(value)):
            raise InputError(
                f"{where}: a {type(value).__name__} of NumPy's has an arithmetic of its own, {_PLAIN_ADVICE}"
            )


def device_of(x: Any) -> Any:
    """The device of an array, None for arrays that name none (those of NumPy 1)."""
    while isinstance(x, Wrapped):
        x = x.value
    return getattr(x, "device", None)


def any_wrapped(values: Iterable[Any]) -> bool:
    """Whether a recorded or batched array is among the values or in a list or tuple among them."""
    return any(
        isinstance(value, Wrapped) or (isinstance(value, (list, tuple)) and any_wrapped(value))
        for value in values
    )
