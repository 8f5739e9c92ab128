"""The choice of an optimiser."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from multimlp.optimizers._grouped import grouped
from multimlp.optimizers._lbfgs import LBFGS
from multimlp.optimizers._optimizer import OPTIMIZERS, Optimizer


@OPTIMIZERS.reader
def get(optimizer: str | Optimizer | LBFGS | Mapping[str, Any]) -> Any:
    """The optimiser that is meant.

    Parameters
    ----------
    optimizer : str, Optimizer, LBFGS or mapping
        A name means the defaults. A mapping is ``{"name": ..., "options": {...}}``, and may have a third entry ``"groups"``, as `grouped`
        takes them.

    Returns
    -------
    Optimizer or LBFGS

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
        return OPTIMIZERS.make(optimizer)
    if isinstance(optimizer, Mapping):
        plain = {key: value for key, value in optimizer.items() if key != "groups"}
        made = OPTIMIZERS.make(plain)
        return grouped(made, optimizer["groups"]) if "groups" in optimizer else made
    raise OPTIMIZERS.reject(optimizer, "or what a function of multimlp.optimizers returns, e.g. adam(1e-3)")
