"""Forward mode: a function is called once, with arrays that carry their derivatives along a direction."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from multimlp._typing import Arrays, Library
from multimlp.tape._array import any_wrapped
from multimlp.tape._state import RECORDING, call_forward, new_level
from multimlp.tape.core import Dual
from multimlp.tape.linear import check_same_shapes, jvp_by_pullbacks
from multimlp.tape.namespace import namespace_for, refuses_traced
from multimlp.tape.reverse import checked, vjp


def jvp(
    function: Callable[[Arrays], Arrays], arrays: Arrays, tangents: Arrays, library: Library
) -> tuple[Arrays, Arrays]:
    """The outputs of a function, and their directional derivatives along the tangents of its inputs.

    Parameters
    ----------
    function : callable
        From a tuple of arrays to a tuple of arrays.
    arrays, tangents : tuple of array
        The point and the direction, of the same shapes.
    library : Library
        Whose arrays these are. Where its arrays refuse the tape's on their right, two reverse passes serve.

    Returns
    -------
    outputs, output_tangents : tuple of array

    Examples
    --------
    >>> import numpy as np
    >>> import multimlp as mm
    >>> from multimlp import tape
    >>> library = mm.get_backend("numpy")
    >>> _, (dy,) = tape.jvp(lambda xs: (xs[0] * xs[0],), (np.asarray(3.0),), (np.asarray(1.0),), library)
    >>> float(dy)
    6.0
    """
    check_same_shapes("tangents", "input", arrays, tangents)
    xp = checked(arrays, library)
    if refuses_traced(library):
        by_tape = partial(vjp, library=library) if any_wrapped((*arrays, *tangents)) else None
        return jvp_by_pullbacks(function, arrays, tangents, library, by_tape)
    level = new_level()
    duals = tuple(xp.dual(x, t, level) for x, t in zip(arrays, tangents, strict=True))
    outputs = tuple(call_forward((*RECORDING.levels, (library, level)), function, duals))
    found = [
        (y.value, y.tangent)
        if isinstance(y, Dual) and y.level == level
        else (y, namespace_for(library, (y,)).zeros_like(y))
        for y in outputs
    ]
    return tuple(y for y, _ in found), tuple(t for _, t in found)
