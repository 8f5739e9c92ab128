"""How many steps an engine makes at a time; between two calls Ctrl-C is heard.

The problem alone says so, and no clock: losses are added up call by call, so that a length by the clock would show in the last bits of the
history, which are then others on a busy machine, or beside another fit.
"""

from __future__ import annotations

import math

from multimlp import tree
from multimlp.training.engines.base import Problem
from multimlp.tree import Tree

OF_GROUP = 64
"""However long they take: processes look after each other as often."""
_OPERATIONS = 2e10
"""Of the products, in a second."""


def steps_of_a_second(problem: Problem, params: Tree, seconds: float) -> int:
    """About as many steps as take a second, where one takes ``seconds`` beside its products.

    Examples
    --------
    >>> import multimlp as mm
    >>> from multimlp.training.engines import Problem
    >>> from multimlp.training.engines.calls import steps_of_a_second
    >>> mlp = mm.MLP(8, 16, 2)
    >>> problem = Problem(mlp, mm.losses.mse, mm.optimizers.adam(), None, mm.get_backend("numpy"), None, "float32", None, 32, 0)
    >>> steps_of_a_second(problem, mlp.init(), 1e-3)
    998
    """
    if problem.group is not None:
        return OF_GROUP
    numbers = sum(math.prod(leaf.shape) for leaf in tree.leaves(params))
    return max(1, int(1 / (seconds + 6 * problem.batch_size * numbers / _OPERATIONS)))
