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

from collections.abc import Mapping
from typing import Any

from multimlp.errors import InputError
from multimlp.naming import unpack_spec
from multimlp.optimizers._first_order import (
    OPTIMIZERS,
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
from multimlp.optimizers._optimizer import Optimizer, OptimizerState

__all__ = [
    "LBFGS",
    "LBFGSResult",
    "LBFGSState",
    "Optimizer",
    "OptimizerState",
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


def get(optimizer: str | Optimizer | LBFGS | Mapping[str, Any]) -> Optimizer | LBFGS:
    """The optimiser for a name (with its defaults), a ``{"name", "options"}`` mapping, or an optimiser.

    Raises
    ------
    InputError
        For an unknown name, wrong options or anything else.

    Examples
    --------
    >>> from multimlp import optimizers
    >>> optimizers.get({"name": "sgd", "options": {"momentum": 0.9}}).options["momentum"]
    0.9
    """
    if isinstance(optimizer, (Optimizer, LBFGS)):
        return optimizer
    if isinstance(optimizer, str):
        return OPTIMIZERS.find(optimizer)()
    if isinstance(optimizer, Mapping):
        name, options = unpack_spec("optimizer", optimizer)
        try:
            return OPTIMIZERS.find(name)(**options)
        except TypeError as error:
            raise InputError(f"optimizer: {error}") from None
    raise OPTIMIZERS.reject(optimizer, "or what a function of multimlp.optimizers returns, e.g. adam(1e-3)")


def names() -> tuple[str, ...]:
    """The names of the optimisers."""
    return OPTIMIZERS.names()
