"""Branches and loops by values: Python's, and under `torch.func.vmap`, where each row has a value of its own, both branches.

What a row does not take is computed of constants: its slopes may be infinite or NaN, and times zero would make NaN of those that count.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from multimlp.backend import Array, Arrays, Function

_functorch: Any = torch._C._functorch


def cond(condition: Array, when_true: Function, when_false: Function, arrays: Arrays) -> Arrays:
    """As `multimlp.backend.Backend.cond`."""
    if not _is_batched(condition):
        return when_true(arrays) if condition else when_false(arrays)
    constants = tuple([x.detach() for x in arrays])
    first = when_true(_chosen(condition, arrays, constants))
    return _chosen(condition, first, when_false(_chosen(condition, constants, arrays)))


def while_loop(
    condition: Callable[[Arrays], Array], body: Callable[[Arrays], Arrays], carry: Arrays
) -> Arrays:
    """As `multimlp.backend.Backend.while_loop`; rows that are done keep their values until all are, and take their last step again
    as constants."""
    running: Any = True
    last = carry
    while True:
        goes_on = condition(carry)
        if running is True and not _is_batched(goes_on):
            if not goes_on:
                return carry
            carry = body(carry)
            continue
        running = goes_on if running is True else torch.logical_and(running, torch.as_tensor(goes_on))
        if not _plain(running).any():
            return carry
        last = _chosen(running, carry, tuple([x.detach() for x in last]))
        carry = _chosen(running, body(last), carry)


def _chosen(condition: Array, first: Arrays, second: Arrays) -> Arrays:
    return tuple([torch.where(condition, a, b) for a, b in zip(first, second, strict=True)])


def _is_batched(x: Any) -> bool:
    """Whether the rows of a `torch.func.vmap` have values of their own."""
    while isinstance(x, torch.Tensor) and _functorch.is_functorch_wrapped_tensor(x):
        if _functorch.is_batchedtensor(x):
            return True
        x = _functorch.get_unwrapped(x)
    return False


def _plain(x: Array) -> Array:
    while _functorch.is_functorch_wrapped_tensor(x):
        x = _functorch.get_unwrapped(x)
    return x
