"""Values that reverse mode computes twice, so that it need not keep them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from multimlp._typing import Arrays, Library
from multimlp.tape._array import Wrapped
from multimlp.tape._state import RECORDING, call_with
from multimlp.tape.core import Node, Traced, next_order
from multimlp.tape.recording import result_of
from multimlp.tape.reverse import AGAIN, reachable


def checkpoint(function: Callable[[Arrays], Arrays], arrays: Arrays, library: Library) -> Arrays:
    """``function(arrays)``, whose operations are not kept: the backward pass calls the function again.

    The numbers, and the order in which they are added up, are those of a function that is recorded. What the function closes over is
    differentiated as ever. Where derivatives nest, it is the innermost one that saves memory.
    """
    levels, since = RECORDING.levels, next_order()
    outputs = function(arrays)
    recorded = [_recorded(y) for y in outputs]
    level = max((t.level for t in recorded if t is not None), default=0)
    places = [i for i, t in enumerate(recorded) if t is not None and t.level == level and t.node[0] > since]
    if not places:
        return outputs

    def again() -> list[tuple[Node, int]]:
        found = call_with(levels, function, arrays)
        return [(_recorded(found[i]).node, k) for k, i in enumerate(places)]

    parents = _before((recorded[i].node for i in places), since)
    whole: Node = [next_order(), None, parents, AGAIN, None, (again,), None]
    results = list(outputs)
    for k, i in enumerate(places):
        stand_in = result_of(whole, k, len(places), type(recorded[i])(recorded[i].value, level))
        results[i] = _replaced(outputs[i], stand_in)
    return tuple(results)


def _recorded(y: Any) -> Any:
    """The recorded array in a result, under batches that it may be in; None if there is none."""
    while isinstance(y, Wrapped) and not isinstance(y, Traced):
        y = y.value
    return y if isinstance(y, Traced) else None


def _replaced(y: Any, stand_in: Traced) -> Any:
    return stand_in if isinstance(y, Traced) else y.around(_replaced(y.value, stand_in))


def _before(nodes: Iterable[Node], since: int) -> tuple[Node, ...]:
    """The nodes recorded before, on which those ones rest."""
    found: dict[int, Node] = {}
    for node in reachable(nodes, since):
        found |= {parent[0]: parent for parent in node[2] if parent[0] <= since}
    return tuple(found.values())
