"""Do these parameters fit this network? One answer for calls, training, files, pictures and other libraries."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from multimlp.backend import FLOAT_DTYPES, Array, is_array, owner
from multimlp.errors import DTypeError, InputError, ShapeError
from multimlp.errors.checks import check_items
from multimlp.mlp._layers import Layer, Shape, is_ensemble, named_arrays


class Layered(Protocol):
    """What a check of parameters needs to know of an MLP."""

    @property
    def layers(self) -> tuple[Layer, ...]:
        """Its table of layers."""


def check_params(mlp: Layered, params: Any, *, single: bool = False) -> None:
    """Raise unless ``params`` are parameters of this MLP, or of an ensemble of it.

    Parameters
    ----------
    mlp : MLP
    params : tuple of Dense
        Of any library: one layer for each of `multimlp.MLP.layers`, arrays of the shapes that it says, all of one
        float dtype, and all with the same leading axis of members or none with one.
    single : bool
        Whether an ensemble is refused.

    Raises
    ------
    InputError
        If ``mlp`` is no MLP, ``params`` no tuple of as many layers, an array is missing or belongs to no layer, or
        one network is expected and an ensemble given.
    ShapeError
        If an array has another shape.
    DTypeError
        If the dtypes are not one float dtype.

    Examples
    --------
    >>> import multimlp as mm
    >>> from multimlp.mlp import check_params
    >>> check_params(mm.MLP(2, 3, 1), mm.MLP(2, 4, 1).init(seed=0))
    Traceback (most recent call last):
        ...
    multimlp.errors.ShapeError: params[0].weight has shape (2, 4), expected (2, 3)
    """
    layers = getattr(mlp, "layers", None)
    if not isinstance(layers, tuple) or not layers or not isinstance(layers[0], Layer):
        raise InputError(f"mlp: expected a multimlp.MLP, got {type(mlp).__name__}")
    if not isinstance(params, (tuple, list)) or len(params) != len(layers):
        got = f"{len(params)} layers" if isinstance(params, (tuple, list)) else type(params).__name__
        raise InputError(f"params: expected a tuple of {len(layers)} layers (from mlp.init), got {got}")
    arrays = {
        f"params[{i}].{name}": array
        for i, layer in enumerate(params)
        for name, array in _arrays_of(layer, i).items()
    }
    expected = {
        f"params[{i}].{name}": shape for i, layer in enumerate(layers) for name, shape in layer.shapes.items()
    }
    check_arrays(expected, arrays)
    members = is_ensemble(params)  # type: ignore[arg-type]
    if single and members is not None:
        raise InputError(
            f"params: expected one network, got an ensemble of {members} members; pick a member, "
            "e.g. multimlp.tree.map(lambda a: a[0, ...], params)"
        )


def check_arrays(expected: Mapping[str, Shape], arrays: Mapping[str, Any]) -> None:
    """Raise unless these are arrays of these names and shapes, all of one float dtype, with one axis of members in front or none.

    Raises
    ------
    InputError
        If one is missing, is none of them, or is no array.
    ShapeError
        If one has another shape.
    DTypeError
        If the dtypes are not one float dtype.
    """
    for name, array in arrays.items():
        if not is_array(array):
            raise InputError(f"{name}: expected an array, got {type(array).__name__}")
    shapes = {name: tuple(array.shape) for name, array in arrays.items()}
    problem = misfit(expected, shapes)
    if problem:
        raise (ShapeError if expected.keys() == shapes.keys() else InputError)(problem)
    _check_dtypes(arrays)


def misfit(expected: Mapping[str, Shape], shapes: Mapping[str, Shape]) -> str | None:
    """What is wrong with arrays of these names and shapes, or None; one axis of members may lead in all of them."""
    missing, foreign = expected.keys() - shapes.keys(), shapes.keys() - expected.keys()
    if missing or foreign:
        return "; ".join(
            f"{what} {', '.join(sorted(names))}"
            for what, names in (("missing", missing), ("unexpected", foreign))
            if names
        )
    members: Shape | None = None
    for name, shape in expected.items():
        found = shapes[name]
        if members is None:  # the first array, a weight, tells
            members = found[:1] if len(found) == len(shape) + 1 else ()
        if found != (*members, *shape):
            return f"{name} has shape {found}, expected {(*members, *shape)}"
    return None


def check_part_names(where: str, names: Any, count: int, of: str) -> tuple[str | None, ...] | None:
    """Names of the parts of a model, None where a part has none; None if no part has one.

    Raises
    ------
    InputError
        For what is no name, a name that stands twice, or another number of them.
    """
    if names is None:
        return None
    found: Sequence[Any] = check_items(where, names, "of names")
    if len(found) != count:
        raise InputError(f"{where}: expected {count} names, one for each of the {of}, got {names!r}")
    for i, name in enumerate(found):
        if name is not None and not (isinstance(name, str) and name.strip()):
            raise InputError(f"{where}[{i}]: expected a name or None, got {name!r}")
    twice = [name for name, times in Counter(found).items() if times > 1 and name is not None]
    if twice:
        raise InputError(f"{where}: {twice[0]!r} stands there twice; names tell the {of} apart")
    return None if all(name is None for name in found) else tuple(found)


def _arrays_of(layer: Any, i: int) -> dict[str, Array]:
    try:
        return named_arrays(layer)
    except (AttributeError, TypeError):
        raise InputError(
            f"params[{i}]: expected a Dense(weight, bias) of arrays, got {type(layer).__name__}"
        ) from None


def _check_dtypes(arrays: Mapping[str, Array]) -> None:
    first: dict[str, str] = {}
    for name, array in arrays.items():
        first.setdefault(owner(array).dtype_name(array.dtype), name)
    if len(first) != 1 or not first.keys() <= set(FLOAT_DTYPES):
        got = ", ".join(f"{dtype} ({name})" for dtype, name in first.items())
        raise DTypeError(f"params: expected one float dtype ({', '.join(FLOAT_DTYPES)}) in all, got {got}")
