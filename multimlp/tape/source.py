"""What a recording function stands on: a raw function, and how it is applied to arrays that are batched, pushed forward or expanded."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from multimlp.tape._array import any_wrapped
from multimlp.tape._state import RECORDING
from multimlp.tape.batching import BatchRule, Function
from multimlp.tape.core import Dual, Rule
from multimlp.tape.series import Frame, Series, top_of

Maker: TypeAlias = "Callable[[Source, Any], Function]"
"""From what is below differentiation, and the traced namespace, to the function that records."""


ForwardRule: TypeAlias = "Callable[[Source, Any, Any, tuple[Any, ...], tuple[Any, ...], dict[str, Any]], Any]"
"""``rule(source, xp, y, values, tangents, params)``: the tangent of the result ``y``; there is None for an argument without a tangent."""


def _value(x: Any, level: int) -> Any:
    if isinstance(x, Dual):
        return x.value if x.level == level else x
    return type(x)([_value(item, level) for item in x]) if type(x) in (list, tuple) else x


def _tangent(x: Any, level: int) -> Any:
    if isinstance(x, Dual):
        return x.tangent if x.level == level else None
    return [_tangent(item, level) for item in x] if type(x) in (list, tuple) else None


class Source:
    """What a recording function calls where nothing is to be recorded.

    Parameters
    ----------
    plain : callable
        The raw function.
    name : str
    rule : callable
        How it is applied to batched arrays.
    expand : callable
        How it is applied to series: ``expand(frame, name, record, slope, args, params)``.
    xp : namespace
        The traced namespace.

    Attributes
    ----------
    record : callable
        The function that records, for arguments of any kind.
    rules : tuple of Rule
        Those of reverse mode, which forward mode uses too.
    slope : callable or None
        The rule of a function of one array and nothing else.
    """

    __slots__ = ("_batch", "_expand", "_forward", "_xp", "name", "plain", "record", "rules", "slope")

    def __init__(
        self,
        plain: Function,
        name: str,
        rule: BatchRule,
        forward: ForwardRule,
        expand: Callable[..., Any],
        xp: Any,
    ) -> None:
        self.plain = plain
        self.name = name
        self.record: Function = plain
        self.rules: tuple[Rule, ...] = ()
        self.slope: Rule | None = None
        self._forward, self._expand, self._xp = forward, expand, xp
        self._batch = rule(lambda *args, **params: self.record(*args, **params), xp)

    def batched(self, *args: Any, **params: Any) -> Any:
        """The function where the highest level among the arguments is no recorded one: a batch, a series, or one with tangents."""
        if RECORDING.forward:
            top = top_of((*args, *params.values()))
            if isinstance(top, Dual):
                return self._pushed(top, args, params)
            if isinstance(top, Series):
                return self._expand(Frame(self._xp, top), self.name, self.record, self.slope, args, params)
        return self._batch(*args, **params)

    def _pushed(self, top: Dual, args: tuple[Any, ...], params: dict[str, Any]) -> Any:
        """The values and their tangents; integers and booleans have none."""
        level, dual, is_smooth = top.level, type(top), self._xp.is_floating
        values = tuple([_value(x, level) for x in args])
        y = self.record(*values, **params)
        if not isinstance(y, tuple):
            if not is_smooth(y.dtype):
                return y
            tangents = tuple([_tangent(x, level) for x in args])
            return dual(y, self._forward(self, self._xp, y, values, tangents, params), level)
        tangents = tuple([_tangent(x, level) for x in args])
        found = self._forward(self, self._xp, y, values, tangents, params)
        items = [dual(a, b, level) if is_smooth(a.dtype) else a for a, b in zip(y, found, strict=True)]
        return type(y)(*items) if hasattr(y, "_fields") else tuple(items)

    def recorded_by(self, maker: Maker, xp: Any) -> Function:
        """The recording function."""
        self.record = maker(self, xp)
        return self.record

    def __call__(self, *args: Any, **params: Any) -> Any:
        """The function of arguments that are not traced, or batched at a higher level than they are traced."""
        if any_wrapped(args) or any_wrapped(params.values()):
            return self.batched(*args, **params)
        return self.plain(*args, **params)
