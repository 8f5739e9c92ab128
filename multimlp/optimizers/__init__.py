"""Optimisers: pure functions over trees of parameters, the same formula on every library.

``state = optimizer.init(params)``, then ``params, state = optimizer.update(grads, state, params)`` again
and again; both may be traced and compiled. The learning rate is a number or one of `multimlp.schedules`.
`lbfgs` works on the whole data set and has an interface of its own.

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

from __future__ import annotations

from multimlp.optimizers._first_order import (
    adagrad,
    adam,
    adamw,
    lbfgs,
    lion,
    nadam,
    rmsprop,
    sgd,
)
from multimlp.optimizers._lbfgs import LBFGS, LBFGSResult, LBFGSState
from multimlp.optimizers._optimizer import OPTIMIZERS, Optimizer, OptimizerState, get
from multimlp.optimizers._rules import Rule

__all__ = [
    "LBFGS",
    "LBFGSResult",
    "LBFGSState",
    "Optimizer",
    "OptimizerState",
    "Rule",
    "adagrad",
    "adam",
    "adamw",
    "get",
    "lbfgs",
    "lion",
    "nadam",
    "names",
    "rmsprop",
    "sgd",
]


def names() -> tuple[str, ...]:
    """The names of the optimisers."""
    return OPTIMIZERS.names()
