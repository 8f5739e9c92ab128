"""Blocks that bring features to one scale: by each row's own figures, or by numbers known beforehand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np

from multimlp import initializers
from multimlp._lazy import lazy
from multimlp.backend import Array, array_namespace
from multimlp.blocks._arrays import constant, squarable
from multimlp.blocks._block import Block, Features, Parameter, Positive, block
from multimlp.blocks._draws import Draws
from multimlp.errors import InputError, ShapeError
from multimlp.errors.checks import each, flag, number


@dataclass(frozen=True, eq=False, repr=False)
class LayerNorm(Block):
    r"""Layer normalisation, :math:`s_j (x_j - \mu) / \sqrt{v + \epsilon} + b_j` with mean and variance (1/n) of the row's features.

    Parameters
    ----------
    epsilon : float
    use_bias : bool
        Whether the :math:`b_j` are there.
    in_features : int, optional

    References
    ----------
    J. L. Ba, J. R. Kiros, G. E. Hinton (2016), Layer normalization, arXiv:1607.06450.

    Examples
    --------
    >>> import numpy as np
    >>> import multimlp as mm
    >>> norm = mm.chain(mm.blocks.layer_norm(in_features=2))
    >>> norm(norm.init(dtype="float64"), np.asarray([[1.0, 3.0]])).round(3).tolist()
    [[-1.0, 1.0]]
    """

    in_features: Features = None
    epsilon: Positive = 1e-5
    use_bias: Annotated[bool, flag] = True

    def parameters(self) -> Mapping[str, Parameter]:
        shape = (self.in_features or 0,)
        learned = {"scale": Parameter(shape, initializers.ones)}
        return learned | ({"bias": Parameter(shape, initializers.zeros)} if self.use_bias else {})

    def apply(self, params: Any, x: Any, draws: Draws | None) -> Array:
        xp = array_namespace(x)
        wide = squarable(x)
        centred = wide - xp.mean(wide, axis=-1, keepdims=True)
        variance = xp.mean(centred * centred, axis=-1, keepdims=True)
        normal = xp.astype(centred / xp.sqrt(variance + self.epsilon), x.dtype) * params["scale"]
        return normal + params["bias"] if self.use_bias else normal


@dataclass(frozen=True, eq=False, repr=False)
class RMSNorm(Block):
    r"""Normalisation by the root mean square, :math:`s_j x_j / \sqrt{\frac1n \sum_i x_i^2 + \epsilon}`.

    Parameters
    ----------
    epsilon : float
    in_features : int, optional

    References
    ----------
    B. Zhang, R. Sennrich (2019), Root mean square layer normalization, NeurIPS.

    Examples
    --------
    >>> import numpy as np
    >>> import multimlp as mm
    >>> norm = mm.chain(mm.blocks.rms_norm(in_features=2))
    >>> norm(norm.init(dtype="float64"), np.asarray([[1.0, 7.0]])).round(3).tolist()
    [[0.2, 1.4]]
    """

    in_features: Features = None
    epsilon: Positive = 1e-6

    def parameters(self) -> Mapping[str, Parameter]:
        return {"scale": Parameter((self.in_features or 0,), initializers.ones)}

    def apply(self, params: Any, x: Any, draws: Draws | None) -> Array:
        xp = array_namespace(x)
        wide = squarable(x)
        square = xp.mean(wide * wide, axis=-1, keepdims=True)
        return xp.astype(wide / xp.sqrt(square + self.epsilon), x.dtype) * params["scale"]


def _numbers(where: str, value: Any) -> tuple[float, ...]:
    found = tuple(each(number())(where, value))
    if not found:
        raise InputError(f"{where}: expected at least one number")
    return found


@dataclass(frozen=True, eq=False, repr=False)
class Standardize(Block):
    """``(x - mean) / std`` with numbers that are known beforehand and not learned.

    Parameters
    ----------
    mean, std : sequence of float
        One a feature; ``std`` without zeros.

    Examples
    --------
    >>> import numpy as np
    >>> import multimlp as mm
    >>> mm.chain(mm.blocks.standardize([1.0, 2.0], [2.0, 4.0]))(((),), np.asarray([[3.0, 2.0]])).tolist()
    [[1.0, 0.0]]
    """

    mean: Annotated[Any, _numbers]
    std: Annotated[Any, _numbers]

    def __post_init__(self) -> None:
        if len(self.mean) != len(self.std):
            raise ShapeError(f"mean, std: expected equally many, got {len(self.mean)} and {len(self.std)}")
        if 0.0 in self.std:
            raise InputError(f"std: expected numbers other than 0, got 0 at [{self.std.index(0.0)}]")

    @property
    def in_features(self) -> int:
        """As many as there are means."""
        return len(self.mean)

    @lazy
    def _figures(self) -> tuple[np.ndarray, np.ndarray]:
        return np.asarray(self.mean), np.asarray(self.std)

    def apply(self, params: Any, x: Any, draws: Draws | None) -> Array:
        mean, std = (constant(x, values) for values in self._figures)
        standard: Array = (x - mean) / std
        return standard


layer_norm = block(LayerNorm, "layer_norm")
rms_norm = block(RMSNorm, "rms_norm")
standardize = block(Standardize, "standardize")
