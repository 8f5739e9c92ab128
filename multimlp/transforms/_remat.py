"""Memory for time: what reverse mode computes twice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from multimlp import tree
from multimlp.backend import Array, is_array
from multimlp.transforms._call import Outputs, backend_of, check_transformed, explained
from multimlp.transforms._engine import engine
from multimlp.transforms._transformed import Transformed


def remat(f: Callable[..., Any]) -> Callable[..., Any]:
    """The same function, of which reverse mode keeps the arguments alone: it computes the rest again where it is needed.

    The values and derivatives are the same to the bit. In a chain of such functions memory is that of one of them, and a gradient takes
    one more evaluation of each. What ``f`` closes over is differentiated as ever.

    Parameters
    ----------
    f : callable
        Of trees of arrays, and returns one.

    Returns
    -------
    callable
        Of the arguments of ``f``.

    Notes
    -----
    What saves nothing is computed as without: on torch a function that `torch.func` differentiates (derivatives in derivatives, `vmap`), on
    TensorFlow one that closes over arrays that are differentiated, which warns.

    Examples
    --------
    >>> import numpy as np
    >>> import multimlp as mm
    >>> layer = mm.remat(lambda x: mm.activations.tanh(2.0 * x))
    >>> float(mm.grad(lambda x: layer(layer(x)))(np.asarray(0.0)))
    4.0
    """
    check_transformed("remat", f)

    def transformed(*args: Any, **kwargs: Any) -> Any:
        leaves, rebuild = tree.flatten((args, kwargs))
        places = [i for i, leaf in enumerate(leaves) if is_array(leaf)]
        arrays = tuple(leaves[i] for i in places)
        backend, outputs = backend_of(arrays), Outputs()

        def flat(arrays: Sequence[Array]) -> tuple[Array, ...]:
            filled = list(leaves)
            for i, array in zip(places, arrays, strict=True):
                filled[i] = array
            given, named = rebuild(filled)
            return outputs.split(f(*given, **named))

        with backend.scope_of(*arrays):
            return outputs.join(explained(backend, engine(backend, arrays).checkpoint, flat, arrays))

    return Transformed(transformed, remat, f)
