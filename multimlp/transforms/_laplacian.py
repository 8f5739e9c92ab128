"""The Laplacian, forward."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from multimlp import tape
from multimlp.backend import Array
from multimlp.errors import InputError
from multimlp.errors.checks import check_whole
from multimlp.transforms._call import Call, Outputs, check_transformed, explained
from multimlp.transforms._transformed import Transformed


def laplacian(f: Callable[..., Any], argnums: int = 0) -> Callable[..., Any]:
    r"""The function that returns the Laplacian of ``f``, :math:`\sum_i \partial^2 f / \partial x_i^2`.

    One pass forward carries the value, the derivatives along all axes, and the sum of the second derivatives, which is not taken
    apart into the derivatives along each (collapsed Taylor mode): no Hessian is formed, and nothing is kept for a way back.

    Parameters
    ----------
    f : callable
        Of an array of shape (d,), or any other shape, and of further arguments; returns an array of any shape, or a tree of arrays.
    argnums : int
        Which argument is x.

    Returns
    -------
    callable
        Takes the arguments of ``f``; its result is like that of ``f``.

    Raises
    ------
    NotDifferentiableError
        If the argument is no floating-point array.
    MissingRuleError
        If ``f`` calls a function without a rule for `jet`, and names it.

    See Also
    --------
    jet : derivatives along one direction, of any order.

    Notes
    -----
    For many points map it over the rows, ``vmap(laplacian(f))``, and compile that. It can be differentiated: ``grad`` of a loss of
    Laplacians is the usual step of a physics-informed network.

    References
    ----------
    R. Li et al. (2024), A computational framework for neural network-based variational Monte Carlo with forward Laplacian,
    arXiv:2307.08214. F. Dangel, T. Siebert, M. Zeinhofer, A. Walther (2025), Collapsing Taylor mode automatic differentiation,
    arXiv:2505.13644.

    Examples
    --------
    >>> import numpy as np
    >>> import multimlp as mm
    >>> float(mm.laplacian(lambda x: mm.array_namespace(x).sum(x**3))(np.asarray([1.0, 2.0])))
    18.0
    """
    check_transformed("laplacian", f)
    position = check_whole("laplacian: argnums", argnums)

    def transformed(*args: Any, **kwargs: Any) -> Any:
        call = Call(f, position, args, kwargs, "laplacian")
        backend, outputs = call.backend, Outputs()
        if len(call.arrays) != 1:
            raise InputError(
                f"laplacian: argument {position} must be one array, got a tree of {len(call.arrays)}; concatenate them"
            )

        def flat(x: Array) -> tuple[Array, ...]:
            return outputs.split(call((x,)))

        with backend.scope_of(*call.arrays):
            found = explained(backend, tape.laplacian, flat, call.arrays[0], backend)[1]
        return outputs.join(found)

    return Transformed(transformed, laplacian, f, argnums)
