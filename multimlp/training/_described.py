"""What a run is made of, as plain values that are the same in every process: for checkpoints, which belong to one run alone.

What multimlp knows by name is its name and options; an array is its dtype, its shape and a hash of its values; a function of the
user's is its name and a hash of its code, its defaults, and of what it closes over and reads from its module; any other object is what
pickle would write of it. Nothing here is an address, and nothing is made again from it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import dis
import functools
import hashlib
import json
import math
import sys
import types
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from multimlp import tree
from multimlp.backend import Array, Op, is_array, owner
from multimlp.errors import InputError
from multimlp.training._rows import take_rows

MARKED_BYTES = 256 * 2**20
"""As much of an array is hashed, in about a second at most; of a larger one blocks of rows, spread evenly."""
_BLOCK_BYTES = 4 * 2**20
_MOST_NODES = 10_000
"""Of nested values; the rest counts by its types alone."""


def described(value: Any) -> Any:
    """``value`` as plain JSON values.

    Examples
    --------
    >>> import multimlp as mm
    >>> from multimlp.training._described import described
    >>> described(mm.regularizers.l2(0.5))
    {'name': 'elastic_net', 'options': {'l1': 0.0, 'l2': 0.5}}
    """
    return _Description().of(value)


def mark(array: Array, dtype: str) -> str:
    """An array's dtype, shape and hash, its values taken in ``dtype``: the same for equal values of any library, device and dtype.

    Examples
    --------
    >>> import numpy as np
    >>> from multimlp.training._described import mark
    >>> mark(np.ones((2, 3)), "float32") == mark(np.ones((2, 3), dtype=np.int8), "float32")
    True
    """
    digest = hashlib.blake2b(digest_size=12)
    kind = np.dtype(dtype).newbyteorder("<")
    with np.errstate(over="ignore", invalid="ignore"):
        for block in _blocks(array, kind.itemsize):
            digest.update(np.ascontiguousarray(block.astype(kind)).data)
    return f"{dtype} {tuple(array.shape)} {digest.hexdigest()}"


def mark_tree(values: tree.Tree, dtype: str) -> str:
    """One mark for all arrays of a tree, such as parameters."""
    leaves = tree.leaves(values)
    marks = [tree.structure(values), *(mark(leaf, dtype) for leaf in leaves)]
    return f"{len(leaves)} arrays of {dtype} {_hash(marks)}"


def _blocks(array: Array, itemsize: int) -> Iterator[np.ndarray]:
    shape = tuple(array.shape)
    size, library = math.prod(shape) * itemsize, owner(array)
    if not shape or not size:
        yield np.reshape(library.to_numpy(array), (-1,))
        return
    count = shape[0]
    rows = max(1, _BLOCK_BYTES * count // size)
    if size <= MARKED_BYTES:
        starts: Any = range(0, count, rows)
        array = array if isinstance(array, np.ndarray) else library.to_numpy(array)
    else:
        starts = np.linspace(0, count - rows, MARKED_BYTES // _BLOCK_BYTES).astype(np.int64)
    for start in starts:
        stop = min(int(start) + rows, count)
        yield _rows(array, int(start), stop)


def _rows(array: Array, start: int, stop: int) -> np.ndarray:
    if isinstance(array, np.ndarray):
        return array[start:stop]
    return np.asarray(owner(array).to_numpy(take_rows(array, np.arange(start, stop))))


def _hash(plain: Any) -> str:
    return hashlib.blake2b(json.dumps(plain, sort_keys=True).encode(), digest_size=12).hexdigest()


class _Description:
    """One description under way: it ends where values contain each other."""

    def __init__(self) -> None:
        self._above: set[int] = set()
        self._left = _MOST_NODES

    def of(self, value: Any) -> Any:
        if value is None or isinstance(value, (bool, str)):
            return value
        if isinstance(value, (int, float, np.generic)):
            return _number(value)
        self._left -= 1
        if id(value) in self._above or self._left < 0:
            return _type(value)
        self._above.add(id(value))
        try:
            return self._of_thing(value)
        finally:
            self._above.discard(id(value))

    def _of_thing(self, value: Any) -> Any:
        if isinstance(value, (bytes, bytearray, complex)):
            return repr(value)
        if isinstance(value, Mapping):
            items = sorted(((str(key), item) for key, item in value.items()), key=lambda item: item[0])
            return {key: self.of(item) for key, item in items}
        if isinstance(value, (list, tuple)):
            return [self.of(item) for item in value]
        if isinstance(value, (set, frozenset)):
            return sorted((self.of(item) for item in value), key=_hash)
        if is_array(value):
            return self._of_array(value)
        if isinstance(value, types.CodeType):
            return self._of_code(value)
        if isinstance(value, (type, types.ModuleType)):
            return getattr(value, "__qualname__", None) or value.__name__
        return self._of_named(value) if hasattr(value, "to_spec") else self._of_object(value)

    def _of_array(self, array: Array) -> str:
        library = owner(array)
        name = library.dtype_name(array.dtype)
        return mark(array, "float32" if name in ("bfloat16", "float16") else name)

    def _of_named(self, value: Any) -> Any:
        """What multimlp knows by name as that, else its parts: names of your own say nothing of what they do."""
        try:
            known = value.to_spec() if getattr(value, "is_known", True) else None
        except InputError:
            known = None
        return self._of_object(value) if known is None else self.of(known)

    def _of_object(self, value: Any) -> Any:
        if isinstance(value, types.FunctionType):
            return self._of_function(value)
        if isinstance(value, types.MethodType):
            return [self.of(value.__func__), self.of(value.__self__)]
        if isinstance(value, functools.partial):
            return [self.of(value.func), self.of(value.args), self.of(value.keywords)]
        if isinstance(value, Op):
            return [value.name, self.of(value.portable)]
        ours = _root(type(value)) == "multimlp"
        if ours and dataclasses.is_dataclass(value):
            parts = [part.name for part in dataclasses.fields(value) if part.compare and part.init]
            return [_type(value), {name: self.of(getattr(value, name)) for name in parts}]
        if hasattr(value, "__wrapped__"):  # what a library has compiled
            return [_type(value), self.of(value.__wrapped__)]
        if ours or not hasattr(type(value), "__dict__") or isinstance(value, types.BuiltinFunctionType):
            return getattr(value, "__qualname__", _type(value))
        return [_type(value), self._of_state(value), self._of_methods(type(value))]

    def _of_state(self, value: Any) -> Any:
        try:
            made = value.__reduce_ex__(4)
        except Exception:  # it cannot be written down: a lock, an open file
            return None
        if isinstance(made, str):
            return made
        rest = [list(part) if isinstance(part, Iterator) else part for part in made[1:5]]
        return self.of([part for part in rest if part is not None])

    def _of_methods(self, kind: type) -> Any:
        """Of its class and those of the same package that it derives from."""
        found: dict[str, Any] = {}
        for base in kind.__mro__:
            for name, item in vars(base).items() if _root(base) == _root(kind) else ():
                method = getattr(item, "__func__", None) or getattr(item, "fget", None) or item
                if isinstance(method, types.FunctionType):
                    found.setdefault(name, self.of(method))
        return found

    # ---- functions

    def _of_function(self, function: types.FunctionType) -> Any:
        home, wrapped = _home(function), getattr(function, "__wrapped__", None)
        if wrapped is not None and home != _home(
            wrapped
        ):  # a library's transform, and what it has compiled beside
            cells = [cell for cell in self._cells(function) if isinstance(cell, (int, float, str))]
            return [function.__code__.co_qualname, cells, self.of(wrapped)]
        if home == "multimlp":
            return function.__qualname__
        code = function.__code__
        known = {name: self._of_global(function, name) for name in _globals_of(code)}
        defaults = [self.of(function.__defaults__), self.of(function.__kwdefaults__)]
        parts = [self.of(code), defaults, self._cells(function), known]
        version = f"{sys.version_info[0]}.{sys.version_info[1]}"
        return f"{function.__qualname__} {_hash(parts)} (Python {version})"

    def _of_code(self, code: types.CodeType) -> Any:
        return [
            code.co_code.hex(), code.co_names, code.co_argcount, code.co_kwonlyargcount,
            [[_type(item), self.of(item)] for item in code.co_consts],
        ]  # fmt: skip

    def _cells(self, function: types.FunctionType) -> list[Any]:
        """What it closes over."""
        found = []
        for cell in function.__closure__ or ():
            with contextlib.suppress(ValueError):  # nothing in it yet
                found.append(self.of(cell.cell_contents))
        return found

    def _of_global(self, function: types.FunctionType, name: str) -> Any:
        """What it reads from its module: numbers, arrays, models, and functions of the same package; nothing that changes by itself,
        as a logger does."""
        value = function.__globals__.get(name)
        if isinstance(value, types.FunctionType):
            return self.of(value) if _home(value) == _home(function) else value.__qualname__
        plain = isinstance(value, (bool, int, float, complex, str, np.generic, tuple, functools.partial))
        known = isinstance(value, Op) or is_array(value) or hasattr(value, "to_spec")
        return self.of(value) if plain or known else None


def _globals_of(code: types.CodeType) -> list[str]:
    names = {i.argval for i in dis.get_instructions(code) if i.opname == "LOAD_GLOBAL"}
    inner = (item for item in code.co_consts if isinstance(item, types.CodeType))
    return sorted(names.union(*(_globals_of(item) for item in inner)))


def _home(function: Any) -> str:
    """The package in which its code is written; wrappers take the ``__module__`` of what they wrap."""
    space = getattr(function, "__globals__", None)
    return _root(function) if space is None else str(space.get("__name__")).partition(".")[0]


def _root(value: Any) -> str:
    return str(getattr(value, "__module__", None) or "").partition(".")[0]


def _type(value: Any) -> str:
    return type(value).__qualname__


def _number(value: Any) -> Any:
    plain = value.item() if isinstance(value, np.generic) else value
    if isinstance(plain, (int, float)) and math.isfinite(plain):
        return plain
    return repr(plain)
