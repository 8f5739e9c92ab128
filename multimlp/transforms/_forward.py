"""Forward mode: directional derivatives and Hessian-vector products."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from multimlp import tree
from multimlp.backend import is_array
from multimlp.errors import ShapeError
from multimlp.transforms._call import Call, Outputs
from multimlp.transforms._reverse import grad
from multimlp.tree import Tree


def jvp(f: Callable[..., Any], primals: Sequence[Tree], tangents: Sequence[Tree]) -> tuple[Tree, Tree]:
    """``(outputs, J v)``: the directional derivative of ``f`` at ``primals`` along ``tangents``.

    Examples
    --------
    >>> import numpy as np
    >>> import multimlp as mm
    >>> mm.jvp(lambda x: x * x, (np.asarray([1.0, 2.0]),), (np.asarray([1.0, 10.0]),))[1]
    array([ 2., 40.])
    """
    primals, tangents = tuple(primals), tuple(tangents)
    call = Call(f, tuple(range(len(primals))), primals, {}, "jvp")
    directions = tuple(tree.leaves(tree.map(lambda _, t: t, primals, tangents)))
    for array, direction in zip(call.arrays, directions, strict=True):
        if is_array(direction) and tuple(direction.shape) != tuple(array.shape):
            raise ShapeError(
                f"jvp: a tangent has shape {tuple(direction.shape)}, its primal {tuple(array.shape)}; they must be equal"
            )
    outputs = Outputs()
    with call.backend.scope_of(*call.arrays):
        values, derivatives = call.backend.jvp(
            lambda arrays: outputs.split(call(arrays)), call.arrays, directions
        )
    return outputs.join(values), outputs.join(derivatives)


def hvp(f: Callable[..., Any], primals: Sequence[Tree], tangents: Sequence[Tree]) -> Tree:
    """Hessian-vector product H v of a scalar function, without forming H (forward over reverse).

    Examples
    --------
    >>> import numpy as np
    >>> import multimlp as mm
    >>> mm.hvp(lambda x: mm.array_namespace(x).sum(x**3), (np.asarray([1.0, 2.0]),), (np.asarray([1.0, 1.0]),))
    array([ 6., 12.])
    """
    positions = tuple(range(len(primals)))
    products = jvp(lambda *args: grad(f, positions)(*args), primals, tangents)[1]
    return products[0] if len(positions) == 1 else products
