"""Selection and assignment by arrays, beside new axes, beside slices that run backward, and beside a number with a slice between.

With the first two Paddle reads and writes memory that is not the array's: wrong numbers, or the end of the process. With the third it puts
the axes in another order. By the places of the elements, one array of integers for each axis, it is right. Of a view whose elements do not
lie in a row ``x[:, indices]`` picks others, and an assignment writes beside it: a copy serves.

``Tensor.__getitem__`` and ``__setitem__`` are replaced, since formulas select by brackets; keys of other kinds go to Paddle as they are.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import paddle

from multimlp.backends.paddle._dtypes import Array


def select_safely() -> None:
    """Replace the two; a second call changes nothing."""
    for name, safe in (("__getitem__", _getting), ("__setitem__", _setting)):
        own = getattr(paddle.Tensor, name)
        if not hasattr(own, "__wrapped_by_multimlp__"):
            replaced: Any = safe(own)
            replaced.__wrapped_by_multimlp__ = own
            setattr(paddle.Tensor, name, replaced)


def _getting(own: Callable[[Array, Any], Array]) -> Callable[[Array, Any], Array]:
    def __getitem__(self: Array, key: Any) -> Array:  # noqa: N807
        if type(key) is tuple and not self.is_contiguous() and any(map(_is_array, key)):
            self = self.contiguous()
        return own(self, _places(key, self) if _is_tangled(key) else key)

    return __getitem__


def _setting(own: Callable[[Array, Any, Any], None]) -> Callable[[Array, Any, Any], None]:
    def __setitem__(self: Array, key: Any, value: Any) -> None:  # noqa: N807
        if not self.is_contiguous() and (_is_array(key) or (type(key) is tuple and any(map(_is_array, key)))):
            whole = self.contiguous()
            whole[key] = value
            own(self, Ellipsis, whole)
            return
        if _is_tangled(key):
            key = _places(key, self)
            if isinstance(value, paddle.Tensor):
                value = paddle.broadcast_to(value, key[0].shape)
        own(self, key, value)

    return __setitem__


def _is_array(part: Any) -> bool:
    return isinstance(part, (paddle.Tensor, np.ndarray, list))


def _is_tangled(key: Any) -> bool:
    if type(key) is not tuple or not any(map(_is_array, key)):
        return False
    if any(part is None or (type(part) is slice and part.step is not None and part.step < 0) for part in key):
        return True
    return any(part is Ellipsis or type(part) is slice for part in key) and any(map(_is_number, key))


def _is_number(part: Any) -> bool:
    return isinstance(part, (int, np.integer)) or (
        _is_array(part) and not isinstance(part, list) and part.ndim == 0
    )


def _places(key: tuple[Any, ...], x: Array) -> tuple[Array, ...]:
    """The indices of the elements along each axis, of the shape of what is selected; NumPy reads the key."""
    shape = tuple(x.shape)
    on_host = tuple(part.numpy() if isinstance(part, paddle.Tensor) else part for part in key)
    flat = np.arange(int(x.size)).reshape(shape)[on_host]
    return tuple(
        paddle.to_tensor(np.asarray(places), place=x.place) for places in np.unravel_index(flat, shape)
    )
