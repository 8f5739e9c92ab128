"""Penalties on the weights, and dropout.

A penalty is a number that training adds to the mean loss of each batch: ``regularizer(params)``. It covers
the weights and not the biases: of each layer (a node with a field ``weight``) that field; of a tree without
such nodes every array of two or more axes. For an ensemble, whose objective is the sum over members, the
sum over all weights is what each member on its own would have.

Examples
--------
>>> import numpy as np
>>> from multimlp import regularizers
>>> params = {"w": np.asarray([[1.0, -2.0]]), "b": np.asarray([5.0])}
>>> float(regularizers.l1(0.1)(params).round(6)), float(regularizers.l2(0.1)(params).round(6))
(0.3, 0.5)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ParamSpec, TypeAlias

from multimlp import random, tree
from multimlp._naming import Named, Table
from multimlp.backend import Array, array_namespace, is_array, op, owner
from multimlp.errors import InputError
from multimlp.errors.checks import check_number, number, refuse
from multimlp.tree import Tree

P = ParamSpec("P")
REGULARIZERS: Table[Any] = Table("regularizer")


@dataclass(frozen=True, eq=False, repr=False)
class Regularizer(Named):
    """The penalty ``l1 * sum |w| + l2 * sum w^2`` (no factor 1/2), with the derivative 0 of ``|w|`` at 0.

    Attributes
    ----------
    l1, l2 : float
        Or, for an ensemble, an array of shape (members,) of the parameters' library and dtype.
    """

    l1: Any
    l2: Any

    table = REGULARIZERS
    name = "elastic_net"

    @property
    def options(self) -> dict[str, Any]:  # type: ignore[override]
        """Both."""
        return {"l1": self.l1, "l2": self.l2}

    def __call__(self, params: Tree) -> Array:
        """The penalty: an array of shape (), or (members,) for an ensemble, each member its own."""
        weights = weights_of(params)
        backend, xp = owner(*weights), array_namespace(*weights)
        with backend.scope_of(*weights):
            total = _penalty(weights[0], l1=self.l1, l2=self.l2)
            for weight in weights[1:]:
                total = xp.add(total, _penalty(weight, l1=self.l1, l2=self.l2))
        return total

    def gradient(self, weight: Array) -> Array:
        """The derivative of the penalty in one weight array: ``l1 sign(w) + 2 l2 w``."""
        return _penalty_gradient(weight, l1=self.l1, l2=self.l2)


@op()
def _penalty(weight: Array, l1: Any, l2: Any) -> Array:
    xp = array_namespace(weight)
    parts = []
    if _is_nonzero(l1):
        size = xp.where(weight == 0, xp.zeros_like(weight), xp.where(weight < 0, -weight, weight))
        parts.append(l1 * xp.sum(size, axis=(-2, -1)))
    if _is_nonzero(l2):
        parts.append(l2 * xp.sum(weight * weight, axis=(-2, -1)))
    if not parts:
        return xp.sum(xp.zeros_like(weight))
    return parts[0] if len(parts) == 1 else xp.add(*parts)


@op()
def _penalty_gradient(weight: Array, l1: Any, l2: Any) -> Array:
    xp = array_namespace(weight)
    l1, l2 = (c[:, None, None] if is_array(c) else c for c in (l1, l2))
    if not _is_nonzero(l1):
        return (2 * l2) * weight
    signs = l1 * xp.sign(weight)
    return signs + (2 * l2) * weight if _is_nonzero(l2) else signs


def _is_nonzero(strength: Any) -> bool:
    """Whether there is a penalty: where members have strengths of their own there is."""
    return not isinstance(strength, (int, float)) or strength != 0


def weights_of(params: Tree) -> list[Array]:
    """The arrays that a penalty covers: weights and no biases; see the top of the module.

    Parameters
    ----------
    params : tree of arrays

    Returns
    -------
    list of array

    Raises
    ------
    InputError
        If there is none.

    Examples
    --------
    >>> import multimlp as mm
    >>> [tuple(w.shape) for w in mm.regularizers.weights_of(mm.MLP(4, 5, 3).init(seed=0))]
    [(4, 5), (5, 3)]
    """
    found = list(_layer_weights(params)) or [
        leaf for leaf in tree.leaves(params) if is_array(leaf) and len(leaf.shape) > 1
    ]
    if not found:
        raise InputError(f"params: expected weights to penalise, found none in {tree.structure(params)}")
    return found


def _layer_weights(node: Tree) -> list[Array]:
    if hasattr(node, "weight") and hasattr(node, "_fields"):
        return [node.weight]
    children: Sequence[Any] = ()
    if isinstance(node, dict):
        children = tuple(node.values())
    elif isinstance(node, (tuple, list)):
        children = node
    return [weight for child in children for weight in _layer_weights(child)]


def _regularizer(function: Callable[P, Regularizer]) -> Callable[P, Regularizer]:
    """Decorate a function of options that makes a regularizer."""
    make: Callable[..., Regularizer] = function
    made: Callable[P, Regularizer] = REGULARIZERS.maker(function, lambda name, options: make(**options))
    return made


Strength: TypeAlias = Annotated[float, number(low=0)]


@_regularizer
def l1(c: Strength) -> Regularizer:
    """``c * sum |w|`` (lasso), with the derivative 0 at w = 0.

    Parameters
    ----------
    c : float
        >= 0.

    Returns
    -------
    Regularizer

    Examples
    --------
    >>> import numpy as np
    >>> from multimlp import regularizers
    >>> float(regularizers.l1(0.5)({"w": np.asarray([[1.0, -2.0]])}))
    1.5
    """
    return Regularizer(c, 0.0)


@_regularizer
def l2(c: Strength) -> Regularizer:
    """``c * sum w^2`` (ridge), without a factor 1/2: the gradient is ``2 c w``.

    Parameters
    ----------
    c : float
        >= 0.

    Returns
    -------
    Regularizer

    Examples
    --------
    >>> import numpy as np
    >>> from multimlp import regularizers
    >>> float(regularizers.l2(0.5)({"w": np.asarray([[1.0, -2.0]])}))
    2.5
    """
    return Regularizer(0.0, c)


@_regularizer
def elastic_net(l1: Strength, l2: Strength) -> Regularizer:
    """``l1 * sum |w| + l2 * sum w^2``.

    Parameters
    ----------
    l1, l2 : float
        >= 0.

    Returns
    -------
    Regularizer

    References
    ----------
    Zou, Hastie, Regularization and variable selection via the elastic net, JRSS B 67 (2005).

    Examples
    --------
    >>> import numpy as np
    >>> from multimlp import regularizers
    >>> float(regularizers.elastic_net(0.5, 0.5)({"w": np.asarray([[1.0, -2.0]])}))
    4.0
    """
    return Regularizer(l1, l2)


@REGULARIZERS.reader
def get(
    regularizer: str | Regularizer | Mapping[str, Any] | Callable[[Tree], Array] | None,
) -> Any:
    """The penalty that is meant.

    Parameters
    ----------
    regularizer : Regularizer, mapping, callable or None
        Or ``{"name": ..., "options": {...}}``; or ``callable(params)`` that returns a number.

    Returns
    -------
    Regularizer, callable or None

    Raises
    ------
    InputError
        For an unknown name, wrong options or anything else.

    Examples
    --------
    >>> from multimlp import regularizers
    >>> regularizers.get({"name": "l2", "options": {"c": 0.1}}).l2
    0.1
    """
    if regularizer is None or isinstance(regularizer, Regularizer):
        return regularizer
    if isinstance(regularizer, (str, Mapping)):
        return REGULARIZERS.make(regularizer)
    REGULARIZERS.own(regularizer, "as l2(1e-4) makes one, None, or a callable params -> number")
    return regularizer


def names() -> tuple[str, ...]:
    """The names of the regularizers.

    Returns
    -------
    tuple of str

    Examples
    --------
    >>> from multimlp import regularizers
    >>> regularizers.names()
    ('l1', 'l2', 'elastic_net')
    """
    return REGULARIZERS.names()


def dropout(
    x: Array, key: Array, rate: float | Array, window: tuple[int | Array, int] | None = None
) -> Array:
    """Inverted dropout: each number becomes 0 with probability ``rate``, else ``x / (1 - rate)``.

    The mask is ``random.bernoulli(key, 1 - rate, x.shape)``: the same on every library.

    Parameters
    ----------
    x : array, floating
    key : array, shape (2,), int32
        As `multimlp.random.key` makes it.
    rate : float, or array of shape ()
        In [0, 1), which is not looked at in an array, such as a schedule gives.
    window : (start, rows), optional
        Which rows of a batch ``x`` is, as in `multimlp.random.bernoulli`; they get their part of the mask of all.

    Returns
    -------
    array, shape and dtype of ``x``

    References
    ----------
    Srivastava et al., Dropout: a simple way to prevent neural networks from overfitting, JMLR 15 (2014).

    Examples
    --------
    >>> import numpy as np
    >>> from multimlp import random, regularizers
    >>> regularizers.dropout(np.ones(4), random.key(0), 0.5)
    array([0., 0., 2., 2.])
    """
    chance: Any = rate if is_array(rate) else check_number("rate", rate, low=0, high=1, high_open=True)
    if not is_array(x) or not owner(x).is_floating(x):
        raise refuse("x", "a floating array", x)
    if is_array(chance) and not owner(chance).is_floating(chance):
        raise refuse("rate", "a number, or a floating array of shape ()", rate)
    if not is_array(chance) and chance == 0:
        return x
    owner(x, key)
    xp = array_namespace(x)
    keep = random.bernoulli(key, 1 - chance, tuple(x.shape), window=window)
    with owner(x).scope_of(x):
        if not is_array(chance):
            return xp.where(keep, x * (1 / (1 - chance)), xp.zeros_like(x))
        if xp.finfo(x.dtype).bits > xp.finfo(chance.dtype).bits:  # the quotient in the wider of both formats
            chance = xp.astype(chance, x.dtype)
        return xp.where(keep, x * xp.astype(1 / (1 - chance), x.dtype), xp.zeros_like(x))
