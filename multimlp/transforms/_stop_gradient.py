"""Constants in the eyes of every derivative."""

from __future__ import annotations

from typing import Any

from multimlp import tree
from multimlp.backend import owner
from multimlp.transforms._call import NUMBERS
from multimlp.tree import Tree


def stop_gradient(x: Tree) -> Tree:
    """The same values, as constants to every derivative.

    Parameters
    ----------
    x : tree of arrays
        Python's numbers among them are constants anyway.

    Returns
    -------
    tree of arrays
        Of the same structure, shapes and dtypes.

    Examples
    --------
    >>> import numpy as np
    >>> import multimlp as mm
    >>> float(mm.grad(lambda x: x * mm.stop_gradient(x))(np.asarray(3.0)))
    3.0
    """
    return tree.map(_stopped, x)


def _stopped(leaf: Any) -> Any:
    return leaf if isinstance(leaf, NUMBERS) else owner(leaf).stop_gradient(leaf)
