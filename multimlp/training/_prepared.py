"""Predictions for arrays of a kind that was seen before: all that is asked once is known, so that one row costs little more than its
arithmetic."""

from __future__ import annotations

import functools
import weakref
from collections.abc import Callable
from typing import Any

from multimlp.activations import Activation
from multimlp.backend import Array, Backend, Op, is_traced, owner_of_type, when_kernels_change
from multimlp.mlp import MLP, Params, dense

_MOST = 64
PREPARED: dict[int, Prepared] = {}
"""By the identity of the MLP."""
when_kernels_change(PREPARED.clear)


class Prepared:
    """An MLP for inputs of the type and dtype with which it has just been called.

    Parameters
    ----------
    mlp : MLP
        All of whose layers are plain ones with biases.
    like : array
    program : callable, optional
        What compiled libraries run on the leaves of parameters and the rows; else layers run one by one.
    fits : callable, optional
        Of a number of rows: whether the program is for it.
    """

    def __init__(
        self,
        mlp: MLP,
        like: Array,
        program: Callable[..., Any] | None = None,
        fits: Callable[[int, int], bool] | None = None,
    ) -> None:
        self._mlp = weakref.ref(mlp)
        self._type, self._dtype, self._width = type(like), like.dtype, mlp.in_features
        self._program, self._fits = program, fits
        self._affine = _quickest(dense, self._type)
        self._activations = [_call_of(rule, self._type) for rule in mlp.layer_activations]

    def __call__(self, mlp: Any, params: Any, X: Any, most: int) -> Array | None:
        """The outputs; None where anything differs from what was seen, or does not fit, so that the long way says why."""
        if type(X) is not self._type or X.dtype != self._dtype or self._mlp() is not mlp:
            return None
        shape = X.shape
        if len(shape) != 2 or shape[1] != self._width or type(most) is not int or shape[0] > most:
            return None
        try:
            outputs = (
                self._layer_by_layer(params, X) if self._program is None else self._at_once(params, X, most)
            )
        except Exception:
            return None
        return None if outputs is NotImplemented else outputs

    def _layer_by_layer(self, params: Any, X: Array) -> Array | None:
        cls, affine, hidden = self._type, self._affine, X
        for (weight, bias), activation in zip(params, self._activations, strict=True):
            if type(weight) is not cls or type(bias) is not cls:
                return None
            hidden = affine(hidden, weight, bias)
            if activation is not None:
                hidden = activation(hidden)
        return hidden

    def _at_once(self, params: Any, X: Array, most: int) -> Array | None:
        cls, leaves = self._type, list[Array]()
        for weight, bias in params:
            if type(weight) is not cls or type(bias) is not cls or weight.dtype != self._dtype:
                return None
            leaves += (weight, bias)
        if len(params) != len(self._activations) or not self._fits(X.shape[0], most):  # type: ignore[misc]
            return None
        outputs: Array = self._program((*leaves, X))[0]  # type: ignore[misc]
        return outputs


def prepare(
    mlp: Any,
    backend: Backend,
    params: Params,
    X: Any,
    program: Callable[..., Any] | None = None,
    fits: Callable[[int, int], bool] | None = None,
) -> None:
    """Keep how such rows are predicted, after it was done once; only where nothing has to be moved, watched or learned."""
    if (
        isinstance(mlp, MLP)
        and type(X) is type(params[0].weight)
        and X.ndim == 2
        and X.dtype == params[0].weight.dtype
        and params[0].weight.ndim == 2
        and not is_traced(X)
        and len(backend.devices()) == 1
        and mlp.use_bias
        and not any(rule is not None and rule.parameters for rule in mlp.layer_activations)
    ):
        if len(PREPARED) >= _MOST:
            PREPARED.clear()
        PREPARED[id(mlp)] = Prepared(mlp, X, program, fits)


def _call_of(rule: Activation | None, cls: type) -> Callable[[Array], Array] | None:
    if rule is None or not isinstance(rule.function, Op):
        return rule
    ready = _quickest(rule.function, cls)
    return functools.partial(ready, **dict(rule.bound)) if rule.bound else ready


def _quickest(operation: Op, cls: type) -> Callable[..., Any]:
    """A kernel itself where there is one; NotImplemented from it ends in the long way."""
    backend = owner_of_type(cls)
    kernel = None if backend is None else operation.kernel_for(backend)
    if backend is None or kernel is None:
        return operation.implementation((cls,) * operation.arrays)
    return backend.wrap(kernel)
