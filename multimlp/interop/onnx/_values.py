"""Arrays that write down what is done with them, as the nodes of an ONNX graph."""

from __future__ import annotations

import contextvars
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, TypeAlias

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from multimlp.errors import CapabilityError, DTypeError, ShapeError

Shape: TypeAlias = tuple[int | None, ...]
"""None where a length is not known before the graph runs: the rows."""

ML = "ai.onnx.ml"
_SMALL = 16
"""Numbers of a constant that is looked for among those that there are."""
KINDS: Mapping[str, int] = {
    "float16": TensorProto.FLOAT16,
    "float32": TensorProto.FLOAT,
    "float64": TensorProto.DOUBLE,
    "int8": TensorProto.INT8,
    "int16": TensorProto.INT16,
    "int32": TensorProto.INT32,
    "int64": TensorProto.INT64,
    "uint8": TensorProto.UINT8,
    "uint16": TensorProto.UINT16,
    "uint32": TensorProto.UINT32,
    "uint64": TensorProto.UINT64,
    "bool": TensorProto.BOOL,
    "object": TensorProto.STRING,
}
"""Of an array's dtype; texts are objects, as in NumPy."""


class Graph:
    """Nodes and constants under construction.

    Parameters
    ----------
    taken : collection of str
        Names that are not to be given to anything in between: those of inputs and outputs.
    """

    def __init__(self, taken: Sequence[str]) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self._taken = set(taken)
        self._known: dict[Any, str] = {}
        self._count = 0

    def name(self) -> str:
        """A name that nothing has."""
        while (found := f"h{self._count}") in self._taken:
            self._count += 1
        self._count += 1
        return found

    def constant(self, array: np.ndarray) -> str:
        """The name of a constant; small ones of the same numbers are one."""
        small = array.size <= _SMALL and array.dtype != object
        key = (array.dtype.str, array.shape, array.tobytes()) if small else None
        if key not in self._known:
            name = self.name()
            self.constants.append(numpy_helper.from_array(np.array(array, order="C"), name))
            if key is None:
                return name
            self._known[key] = name
        return self._known[key]

    def add(
        self, operator: str, inputs: Sequence[str], domain: str = "", outputs: int = 1, **attributes: Any
    ) -> str:
        """A node; the name of its first output."""
        names = [self.name() for _ in range(outputs)]
        self.nodes.append(helper.make_node(operator, list(inputs), names, domain=domain, **attributes))
        return names[0]


CURRENT: contextvars.ContextVar[Graph] = contextvars.ContextVar("the graph that is recorded")


class Value:
    """What a node of the graph gives. Its operators, and the functions of its namespace, add nodes.

    Attributes
    ----------
    name : str
    dtype : numpy.dtype
    shape : tuple of int or None
    fill : number, optional
        Of an array of one number throughout, which need not be laid out where it meets another.
    """

    __array_ufunc__ = None  # NumPy's arrays leave operators to it
    __hash__ = object.__hash__
    __multimlp_backend__: ClassVar[Any]
    functions: ClassVar[Any]
    """Of its namespace."""

    def __init__(self, name: str, dtype: Any, shape: Shape, fill: Any = None) -> None:
        self.name, self.dtype, self.shape, self.fill = name, np.dtype(dtype), tuple(shape), fill

    def __array_namespace__(self, *, api_version: str | None = None) -> Any:
        return self.functions

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def laid_out(self) -> str:
        """Its name, with all of its numbers there: ``name`` is that of an array of the shape if there is a fill."""
        if self.fill is None:
            return self.name
        graph = CURRENT.get()
        return graph.add("Expand", [self.number, graph.add("Shape", [self.name])])

    @property
    def number(self) -> str:
        """The name of the one number that it is made of."""
        return CURRENT.get().constant(np.asarray(self.fill, dtype=self.dtype))

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        raise CapabilityError("a value of an ONNX graph is not known before the graph runs")

    def __bool__(self) -> bool:
        raise CapabilityError(
            "a truth value of an ONNX graph is not known before the graph runs; choose with xp.where"
        )

    __float__ = __int__ = __index__ = __bool__

    def __getitem__(self, key: Any) -> Value:
        return sliced(self, key if isinstance(key, tuple) else (key,))


def made(operator: str, inputs: Sequence[str], dtype: Any, shape: Shape, **attributes: Any) -> Value:
    """What a new node gives."""
    return Value(CURRENT.get().add(operator, inputs, **attributes), dtype, shape)


def constant(values: Any, dtype: Any = None) -> Value:
    """Numbers, or texts, that are known."""
    array = np.asarray(values, dtype=dtype)
    if array.dtype.kind in "UT":
        array = array.astype(object)
    if array.dtype.name not in KINDS:
        raise DTypeError(f"ONNX: expected one of the dtypes {', '.join(KINDS)}, got {array.dtype.name}")
    return Value(CURRENT.get().constant(array), array.dtype, array.shape)


def broadcast(*shapes: Shape) -> Shape:
    """The shape that arrays of these shapes make together."""
    found: list[int | None] = []
    for lengths in zip(*(_padded(shape, max(map(len, shapes))) for shape in shapes), strict=True):
        known = {n for n in lengths if n is not None and n != 1}
        if len(known) > 1 or (known and None in lengths):
            raise ShapeError(f"ONNX: the shapes {', '.join(map(str, shapes))} do not fit together")
        found.append(known.pop() if known else None if None in lengths else 1)
    return tuple(found)


def _padded(shape: Shape, ndim: int) -> Shape:
    return (1,) * (ndim - len(shape)) + tuple(shape)


def together(*given: Any) -> list[Value]:
    """Values and Python's numbers as values; the numbers get the dtype of the arrays."""
    arrays = [item for item in given if isinstance(item, Value)]
    kinds = {value.dtype for value in arrays}
    if len(kinds) != 1:
        raise DTypeError(
            f"ONNX: expected arrays of one dtype, got {', '.join(sorted(map(str, kinds))) or 'none'}"
        )
    (dtype,) = kinds
    if dtype.kind in "bi" and any(isinstance(item, float) for item in given):
        raise DTypeError(f"ONNX: {dtype} and a number with a point; convert one of them")
    # onnxruntime makes one operator of a product and a number after it, and keeps the number in 32 bits; a matrix of it stays as it is.
    ndim = max(value.ndim for value in arrays) if dtype == np.float64 else 0
    return [
        item if isinstance(item, Value) else constant(np.full((1,) * ndim, item), dtype) for item in given
    ]


def elementwise(operator: str, values: Sequence[Value], dtype: Any = None, **attributes: Any) -> Value:
    """A node that computes each number of its own row and column."""
    shape = broadcast(*(value.shape for value in values))
    whole = any(value.fill is None and value.shape == shape for value in values)
    names = [value.number if whole and value.fill is not None else value.laid_out for value in values]
    return made(operator, names, values[0].dtype if dtype is None else dtype, shape, **attributes)


def sliced(x: Value, keys: tuple[Any, ...]) -> Value:
    """``x[keys]`` of whole numbers, slices and an ellipsis."""
    if Ellipsis in keys:
        place = keys.index(Ellipsis)
        keys = (*keys[:place], *[slice(None)] * (x.ndim - len(keys) + 1), *keys[place + 1 :])
    starts, ends, steps, axes, gone = [], [], [], [], []
    shape = list(x.shape)
    for axis, key in enumerate(keys):
        length = shape[axis]
        if isinstance(key, int):
            gone.append(axis)
            key = slice(key, key + 1 or None)
        elif not isinstance(key, slice):
            raise CapabilityError(f"ONNX: an index of {type(key).__name__} cannot be recorded; use xp.take")
        if key == slice(None):
            continue
        if length is None:
            raise CapabilityError("ONNX: a part of the rows cannot be recorded")
        start, end, step = key.indices(length)
        shape[axis] = len(range(start, end, step))
        starts.append(start)
        ends.append(end if end >= 0 else -length - 1)
        steps.append(step)
        axes.append(axis)
    if axes:
        whole = [constant(part, "int64").name for part in (starts, ends, axes, steps)]
        x = made("Slice", [x.laid_out, *whole], x.dtype, tuple(shape))
    if gone:
        left = tuple(n for axis, n in enumerate(shape) if axis not in gone)
        x = made("Squeeze", [x.laid_out, constant(gone, "int64").name], x.dtype, left)
    return x
