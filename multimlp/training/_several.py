"""Models of several inputs: tuples and dicts of arrays travel as one matrix, and the model is given them as they were.

Beside each other in one matrix, the inputs are batched, shuffled, split, moved, shared by devices and streamed as one input is, by the
same code, and no engine has to know.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from multimlp import tree
from multimlp._lazy import lazy
from multimlp.backend import Array, array_namespace, host, is_array, owner
from multimlp.errors import DataError, InputError, ShapeError
from multimlp.mlp import MLP, Model
from multimlp.tree import Tree


def is_several(X: Any) -> bool:
    """Whether X is several inputs: a mapping, or a tuple that holds an array of two or more axes, or another of these.

    Examples
    --------
    >>> import numpy as np
    >>> from multimlp.training._several import is_several
    >>> is_several({"a": [1, 2]}), is_several((np.ones((2, 1)), np.ones(2))), is_several((np.ones(2), np.ones(2)))
    (True, True, False)
    """
    if isinstance(X, Mapping):
        return True
    return isinstance(X, tuple) and any((is_array(item) and item.ndim > 1) or is_several(item) for item in X)


@dataclass(frozen=True)
class Layout:
    """Which inputs there are, and where in a row of the matrix each is.

    Attributes
    ----------
    structure : str
    shapes : tuple of tuple of int
        Of one row of each input, in the order of the leaves.
    template : tree
        The inputs' tree.
    """

    structure: str
    shapes: tuple[tuple[int, ...], ...]
    template: Any = field(compare=False, repr=False)

    @classmethod
    def of(cls, X: Any, where: str = "X") -> Layout:
        """That of some inputs; `InputError`, `DataError` or `ShapeError` for what is none, or has no rows in common."""
        found = _hosted(X, where)
        leaves = tree.leaves(found)
        if not leaves:
            raise InputError(f"{where}: expected arrays, got an empty {type(X).__name__}")
        _check_rows(found, where)
        shapes = tuple(tuple(int(n) for n in leaf.shape[1:]) for leaf in leaves)
        return cls(tree.structure(found), shapes, tree.map(lambda _: 0, found))

    @property
    def widths(self) -> list[int]:
        """Numbers a row of each input."""
        return [math.prod(shape) for shape in self.shapes]

    def packed(self, X: Any, where: str = "X") -> Array:
        """The inputs beside each other, shape (n, numbers a row), of their library.

        Raises
        ------
        InputError, ShapeError, DataError
            If they are others than the layout's.
        """
        if not is_several(X):
            raise InputError(
                f"{where}: expected inputs of the structure {self.structure}, got {type(X).__name__}"
            )
        found = _hosted(X, where)
        try:
            leaves = tree.leaves_like(self.template, found)
        except InputError:
            raise InputError(
                f"{where}: expected inputs of the structure {self.structure}, got {tree.structure(found)}"
            ) from None
        rows = _check_rows(found, where)
        for path, leaf, shape in zip(tree.paths(self.template), leaves, self.shapes, strict=True):
            if tuple(leaf.shape[1:]) != shape:
                raise ShapeError(
                    f"{_placed(where, path)}: expected shape {('n', *shape)}, got {tuple(leaf.shape)}".replace(
                        "'n'", "n"
                    )
                )
        flat = [(rows, width) for width in self.widths]
        if all(isinstance(leaf, np.ndarray) for leaf in leaves):
            kind = np.result_type(*(leaf.dtype if leaf.dtype.kind == "f" else np.float64 for leaf in leaves))
            return np.concatenate(
                [np.reshape(leaf, shape).astype(kind) for leaf, shape in zip(leaves, flat, strict=True)],
                axis=1,
            )
        library = owner(*(leaf for leaf in leaves if not isinstance(leaf, np.ndarray)))
        own = next(leaf for leaf in leaves if not isinstance(leaf, np.ndarray))
        floats = {
            library.dtype_name(a.dtype) for a in leaves if library is owner(a) and library.is_floating(a)
        }
        wide = "float64" if "float64" in floats else floats.pop() if len(floats) == 1 else "float32"
        place = library.device_name(own)
        with library.scope(wide):
            moved = [library.asarray(leaf, dtype=wide, device=place) for leaf in leaves]
            xp = array_namespace(moved[0])
            parts = [xp.reshape(leaf, shape) for leaf, shape in zip(moved, flat, strict=True)]
            return xp.concat(parts, axis=1)

    def unpacked(self, rows: Array) -> Tree:
        """The inputs that a matrix of rows (..., numbers a row) holds."""
        xp = array_namespace(rows)
        ends = list(itertools.accumulate(self.widths))
        parts = [
            xp.reshape(rows[..., end - width : end], (*rows.shape[:-1], *shape))
            for end, width, shape in zip(ends, self.widths, self.shapes, strict=True)
        ]
        return tree.rebuilder(self.template)(parts)

    def model(self, model: Any) -> Any:
        """The model for matrices; `InputError` for an `MLP`, which takes one array."""
        if isinstance(model, MLP):
            raise InputError(
                f"X: an MLP takes one array, got inputs of the structure {self.structure}; put them beside each other, or make a "
                "multimlp.chain of blocks that select them"
            )
        return OfMatrix(model, self) if isinstance(model, Model) else _FunctionOfMatrix(model, self)


def _hosted(X: Any, where: str) -> Any:
    """Lists and frames at the leaves as arrays."""
    if isinstance(X, Mapping):
        return {key: _hosted(value, f"{where}[{key!r}]") for key, value in X.items()}
    if isinstance(X, tuple):
        items = [_hosted(value, f"{where}[{i}]") for i, value in enumerate(X)]
        return type(X)(*items) if hasattr(X, "_fields") else tuple(items)
    if X is None or isinstance(X, (str, bytes)):
        raise InputError(f"{where}: expected an array, got {X!r}")
    if isinstance(X, np.memmap):
        raise InputError(
            f"{where}: a memory map is streamed as the only input; read it with numpy.array, or give batches of several inputs"
        )
    return host(X, where)


def _check_rows(found: Tree, where: str) -> int:
    """The number of rows, the same of all."""
    first: tuple[str, int] | None = None
    for path, leaf in zip(tree.paths(found), tree.leaves(found), strict=True):
        name = _placed(where, path)
        if not leaf.ndim:
            raise ShapeError(f"{name}: expected an array with a row for each example, got a number")
        count = int(leaf.shape[0])
        first = first or (name, count)
        if count != first[1]:
            raise ShapeError(f"{name}: expected {first[1]} rows, as {first[0]} has, got {count}")
        if owner(leaf).xp.isdtype(leaf.dtype, "complex floating"):
            raise DataError(f"{name}: expected real numbers, got complex ones")
    assert first is not None
    return first[1]


def _placed(where: str, path: tuple[str, ...]) -> str:
    return where + "".join(f"[{step}]" if step.isdecimal() else f"[{step!r}]" for step in path)


@dataclass(frozen=True)
class OfMatrix(Model[Any]):
    """A model of several inputs as one of the matrix that holds them."""

    inner: Any
    layout: Layout

    def __call__(self, params: Tree, X: Array, *args: Any, **kwargs: Any) -> Array:
        outputs: Array = self.inner(params, self.layout.unpacked(X), *args, **kwargs)
        return outputs

    @lazy
    def in_features(self) -> int:
        return sum(self.layout.widths)

    @property
    def out_features(self) -> int | None:
        found: int | None = self.inner.out_features
        return found

    @property
    def dropout(self) -> float:
        return float(self.inner.dropout)

    @property
    def scheduled(self) -> bool:
        """Whether it is another at another step."""
        return bool(getattr(self.inner, "scheduled", False))

    @property
    def rows_apart(self) -> bool:
        return bool(self.inner.rows_apart)

    def host_params(self, seed: int) -> Tree:
        return self.inner.host_params(seed)

    def members(self, params: Tree) -> int | None:
        found: int | None = self.inner.members(params)
        return found

    def check_params(self, params: Any) -> None:
        self.inner.check_params(params)

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        found: dict[str, tuple[int, ...]] = self.inner.shapes
        return found

    def named(self, params: Tree) -> dict[str, Array]:
        found: dict[str, Array] = self.inner.named(params)
        return found

    def from_named(self, arrays: Mapping[str, Any]) -> Tree:
        return self.inner.from_named(arrays)

    def to_spec(self) -> dict[str, Any]:
        found: dict[str, Any] = self.inner.to_spec()
        return found


@dataclass(frozen=True)
class _FunctionOfMatrix:
    """A function of several inputs as one of the matrix that holds them."""

    inner: Callable[..., Array]
    layout: Layout

    def __call__(self, params: Tree, X: Array, **kwargs: Any) -> Array:
        return self.inner(params, self.layout.unpacked(X), **kwargs)

    @property
    def scheduled(self) -> bool:
        """Whether it is another at another step."""
        return bool(getattr(self.inner, "scheduled", False))


# ---- what `fit` and `predict` are given -------------------------------------------------------------------------------------


def as_one_input(model: Any, X: Any, validation: Any) -> tuple[Any, Any, Any]:
    """Model, examples and validation data, of one input each; those that have one already as they are."""
    if isinstance(model, MLP) or not is_several(X):
        return model, X, validation
    layout = Layout.of(X)
    if isinstance(validation, (tuple, list)) and len(validation) in (2, 3):
        validation = (layout.packed(validation[0], "validation X"), *validation[1:])
    return layout.model(model), layout.packed(X), validation
