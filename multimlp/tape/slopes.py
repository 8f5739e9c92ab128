"""Values whose derivative is known although nothing was recorded on the way to them, such as numbers drawn by rejection."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from multimlp._typing import Array, Arrays, Library
from multimlp.tape.core import Rule, any_traced
from multimlp.tape.namespace import namespace_for
from multimlp.tape.recording import pointwise


def with_slopes(value: Array, slopes: Callable[..., Arrays], parameters: Arrays, library: Library) -> Array:
    """The value, an array, as an element-wise function of parameters of its shape, of which no other derivative is recorded.

    Parameters
    ----------
    value : array
    slopes : callable
        ``slopes(value, *parameters)``: the derivative in each parameter. It is called if a derivative is asked for; it is differentiated
        for higher ones, in the value too.
    parameters : tuple of array
    library : Library

    Examples
    --------
    >>> import numpy as np
    >>> import multimlp as mm
    >>> from multimlp import tape
    >>> library = mm.get_backend("numpy")
    >>> def root(x):  # y * y = x, so that y' = 1 / (2 y)
    ...     value = np.sqrt(tape.raw(x))
    ...     return tape.with_slopes(value, lambda y, x: (0.5 / y,), (x,), library)
    >>> [float(mm.grad(f)(np.asarray(4.0))) for f in (root, mm.grad(root))]
    [0.25, -0.03125]
    """
    if not any_traced(parameters):
        return value

    def slope_in(i: int) -> Rule:
        return lambda xp, g, y, *arguments: g * slopes(y, *arguments)[i]

    rules = [slope_in(i) for i in range(len(parameters))]
    record: Any = pointwise(*rules)(lambda *_: value, namespace_for(library, parameters))
    return record(*parameters)
