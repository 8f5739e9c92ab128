"""What makes NumPy hand its functions over, and the methods that its arrays have beyond the standard's."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np

from multimlp.tape._array import Wrapped
from multimlp.tape.numpy import elementwise, products, reductions, shapes

_FUNCTIONS = {
    **shapes.DEFINITIONS, **reductions.DEFINITIONS, **products.DEFINITIONS, **elementwise.DEFINITIONS,
}  # fmt: skip
_UFUNCS = elementwise.UFUNCS


class NumPyArray(Wrapped):
    """The mixin of recorded and batched arrays of NumPy, and of libraries that follow its protocols, such as CuPy."""

    __slots__ = ()

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        if method == "__call__" and not options:
            known = self.__multimlp_namespace__.of_ufuncs.get(ufunc)
            if known is not None and type(inputs[0]) is not list and type(inputs[-1]) is not list:
                return known(*inputs)
        name = ufunc.__name__
        if options or not _is_numpys(ufunc):
            return self._without_options(ufunc, method, inputs, options)
        xp: Any = self.__multimlp_namespace__
        if method == "__call__":
            standard = elementwise.STANDARD.get(name)
            if standard is not None:
                if list in map(type, inputs):
                    inputs = tuple(xp.asarray(x) if isinstance(x, list) else x for x in inputs)
                function = xp.of_ufuncs[ufunc] = getattr(xp, standard)
                return function(*inputs)
            if name in _UFUNCS:
                return _UFUNCS[name](xp, *inputs)
        elif method == "outer":
            a, b = shapes.arrays_of(xp, inputs)
            return ufunc(xp.reshape(a, (*a.shape, *(1,) * b.ndim)), b)
        elif (name, method) in elementwise.REDUCTIONS:
            array, *rest = inputs
            axis = rest[0] if rest else 0
            return _FUNCTIONS[elementwise.REDUCTIONS[name, method]](xp, array, axis)
        self._refuse_numpy(f"numpy.{name}" if method == "__call__" else f"numpy.{name}.{method}")

    def _without_options(self, ufunc: Any, method: str, inputs: Any, options: dict[str, Any]) -> Any:
        if "out" in options:
            if any(isinstance(one, Wrapped) for one in options["out"]):
                self._refuse_mutation()
            self._refuse_numpy(f"numpy.{ufunc.__name__} into a plain array (array += x, out=array)")
        if method in ("reduce", "accumulate") and set(options) <= {"axis", "keepdims"}:
            name = elementwise.REDUCTIONS.get((ufunc.__name__, method))
            if name is not None and _is_numpys(ufunc):
                options.setdefault("axis", 0)
                return _FUNCTIONS[name](self.__multimlp_namespace__, *inputs, **options)
        given = f" with {', '.join(sorted(options))}" if options else ""
        self._refuse_numpy(f"{type(ufunc).__name__} {ufunc.__name__}{given}")

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        name = f"{function.__module__}.{function.__name__}".removeprefix("numpy.")
        definition = _FUNCTIONS.get(name)
        if definition is None:
            self._refuse_numpy(f"numpy.{name}")
        return self._called(name, definition, args, kwargs)

    def _called(self, name: str, definition: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        xp = self.__multimlp_namespace__
        if kwargs.get("out", self) is None:
            kwargs = {key: value for key, value in kwargs.items() if key != "out"}
        try:
            return definition(xp, *args, **kwargs)
        except TypeError:
            try:
                inspect.signature(definition).bind(xp, *args, **kwargs)
            except TypeError as error:
                self._refuse_numpy(f"numpy.{name} with these arguments ({error})")
            raise

    def __divmod__(self, other: Any) -> Any:
        return np.divmod(self, other)

    def __rdivmod__(self, other: Any) -> Any:
        return np.divmod(other, self)

    @property
    def T(self) -> Any:  # noqa: N802 - NumPy's name, of any number of axes
        return shapes.DEFINITIONS["transpose"](self.__multimlp_namespace__, self)

    @property
    def real(self) -> Any:
        return _FUNCTIONS["real"](self.__multimlp_namespace__, self)

    @property
    def imag(self) -> Any:
        return _FUNCTIONS["imag"](self.__multimlp_namespace__, self)

    def reshape(self, *shape: Any, order: str = "C") -> Any:
        return self._called("reshape", _FUNCTIONS["reshape"], (self, _one(shape)), {"order": order})

    def transpose(self, *axes: Any) -> Any:
        return self._called("transpose", _FUNCTIONS["transpose"], (self, _one(axes) if axes else None), {})

    def flatten(self, order: str = "C") -> Any:
        return self._called("ravel", _FUNCTIONS["ravel"], (self, order), {})

    def astype(self, dtype: Any, *, copy: bool = True) -> Any:
        return self.__multimlp_namespace__.astype(self, np.dtype(dtype))

    def sort(self, *args: Any, **kwargs: Any) -> NoReturn:
        self._refuse_mutation()

    def item(self, *args: Any) -> NoReturn:
        self._refuse_numpy("x.item()")


def _is_numpys(ufunc: Any) -> bool:
    """Whether it is NumPy's own, and not one of SciPy's of the same name."""
    return getattr(np, ufunc.__name__, None) is ufunc


def _one(given: tuple[Any, ...]) -> Any:
    """``x.reshape(2, 3)`` and ``x.reshape((2, 3))`` are the same."""
    return given[0] if len(given) == 1 else given


def _method(name: str) -> Callable[..., Any]:
    definition = _FUNCTIONS[name]

    def method(self: NumPyArray, *args: Any, **kwargs: Any) -> Any:
        return self._called(name, definition, (self, *args), kwargs)

    method.__name__ = name
    return method


_METHODS = """
    all any argmax argmin argsort clip copy cumprod cumsum diagonal dot max mean min nonzero prod ravel repeat round
    searchsorted squeeze std sum swapaxes take trace var
"""
for _name in _METHODS.split():
    setattr(NumPyArray, _name, _method(_name))
for _name in ("conj", "conjugate"):
    setattr(NumPyArray, _name, lambda self: self.__multimlp_namespace__.conj(self))
