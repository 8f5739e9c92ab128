"""Optimisers: pure functions over trees of parameters, the same formula on every library.

``state = optimizer.init(params)``, then ``params, state = optimizer.update(grads, state, params)`` again
and again; both may be traced and compiled. The learning rate is a number or one of `multimlp.schedules`.
`grouped` gives some of the parameters options of their own, such as no decay for biases.
`lbfgs` works on the whole data set and has an interface of its own. `minimize` finds the minimum of a loss of your own by any of them.

Examples
--------
>>> import numpy as np
>>> from multimlp import optimizers
>>> optimizer = optimizers.get("adam")
>>> params = (np.asarray([1.0, -1.0]), None)
>>> state = optimizer.init(params)
>>> for _ in range(3):
...     grads = (2 * params[0], None)
...     params, state = optimizer.update(grads, state, params)
>>> params[0].round(4)
array([ 0.997, -0.997])
"""

# ruff: noqa: F403
from __future__ import annotations

from multimlp.optimizers import _adam, _adaptive, _lion, _sgd
from multimlp.optimizers._adam import *
from multimlp.optimizers._adaptive import *
from multimlp.optimizers._get import get
from multimlp.optimizers._grouped import Grouped, grouped
from multimlp.optimizers._lbfgs import LBFGS, LBFGSResult, LBFGSState, lbfgs
from multimlp.optimizers._lion import *
from multimlp.optimizers._minimize import MinimizeResult, minimize
from multimlp.optimizers._optimizer import OPTIMIZERS, Optimizer, OptimizerState
from multimlp.optimizers._rule import Rule
from multimlp.optimizers._sgd import *
from multimlp.optimizers._vectors import Vectors

__all__ = [
    "LBFGS",
    "Grouped",
    "LBFGSResult",
    "LBFGSState",
    "MinimizeResult",
    "Optimizer",
    "OptimizerState",
    "Rule",
    "Vectors",
    "get",
    "grouped",
    "lbfgs",
    "minimize",
    "names",
]
__all__ += _adam.__all__
__all__ += _adaptive.__all__
__all__ += _lion.__all__
__all__ += _sgd.__all__


def names() -> tuple[str, ...]:
    """The names of the optimisers.

    Returns
    -------
    tuple of str

    Examples
    --------
    >>> from multimlp import optimizers
    >>> "adamw" in optimizers.names()
    True
    """
    return OPTIMIZERS.names()
