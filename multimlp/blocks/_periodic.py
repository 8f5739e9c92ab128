"""Embeddings of numbers by waves of learned frequencies."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from multimlp import initializers
from multimlp.backend import Array, array_namespace
from multimlp.blocks._block import Block, Count, Features, Parameter, Positive, block
from multimlp.blocks._dense import OptionalRule
from multimlp.blocks._draws import Draws
from multimlp.blocks._each_feature import each_feature, linear, linear_parameters, of_rows, side_by_side
from multimlp.errors import InputError
from multimlp.errors.checks import choice, flag


@dataclass(frozen=True, eq=False, repr=False)
class Periodic(Block):
    r"""Learned frequencies of each feature, then a fully connected layer for each:
    :math:`\sigma(W_j\,[\cos 2\pi c_j x_j,\ \sin 2\pi c_j x_j] + b_j)`.

    With the form ``"phase"`` it is :math:`\cos(2\pi c_j x_j + \varphi_j)` of learned phases.

    Parameters
    ----------
    features : int
        How many are made of each, :math:`x_j` itself included with ``keep``.
    frequencies : int
        Of each feature.
    sigma : float
        Frequencies start as N(0, sigma^2): with the scale of the features the number that matters most.
    form : {"pair", "phase"}
    activation : str, mapping, callable, Activation or None
        PLR has ``"relu"``; PBLD, with ``form="phase"`` and ``keep=True``, none.
    keep : bool
        Whether the feature itself is the last of its features (as in a densely connected network).
    in_features : int, optional

    References
    ----------
    Y. Gorishniy, I. Rubachev, A. Babenko (2022), On embeddings for numerical features in tabular deep learning, arXiv:2203.05556 (PLR);
    D. Holzmüller et al. (2024), arXiv:2407.04491 (PBLD).

    Examples
    --------
    >>> import multimlp as mm
    >>> pbld = mm.blocks.periodic(4, 16, 0.1, form="phase", activation=None, keep=True, in_features=5)
    >>> mm.chain(pbld, mm.blocks.dense(2)).blocks[1].in_features
    20
    """

    features: Count = 24
    frequencies: Count = 48
    sigma: Positive = 0.01
    form: Annotated[str, choice("pair", "phase")] = "pair"
    activation: OptionalRule = "relu"
    keep: Annotated[bool, flag] = False
    in_features: Features = None

    def __post_init__(self) -> None:
        if self.keep and self.features < 2:
            raise InputError("features: expected 2 or more with keep=True, since the feature itself is one")

    def parameters(self) -> Mapping[str, Parameter]:
        n, k = self.in_features or 0, self.frequencies
        learned = {"frequency": Parameter((n, k), initializers.normal(self.sigma))}
        if self.form == "phase":
            learned["phase"] = Parameter((n, k), initializers.uniform(math.pi))
        fan_in = k if self.form == "phase" else 2 * k
        return learned | linear_parameters(n, fan_in, self.features - self.keep)

    def width(self, features: int | None) -> int | None:
        known = features if features is not None else self.in_features
        return None if known is None else known * self.features

    def apply(self, params: Any, x: Any, draws: Draws | None) -> Array:
        return of_rows(lambda rows: self._of_rows(params, rows), x)

    def _of_rows(self, params: Any, x: Array) -> Array:
        xp = array_namespace(x)
        each = each_feature(x)
        angle = each * xp.expand_dims(params["frequency"], axis=-2) * (2 * math.pi)
        if self.form == "phase":
            waves = xp.cos(angle + xp.expand_dims(params["phase"], axis=-2))
        else:
            waves = xp.concat([xp.cos(angle), xp.sin(angle)], axis=-1)
        made = linear(waves, params)
        made = made if self.activation is None else self.activation(made)
        return side_by_side(xp.concat([made, each], axis=-1) if self.keep else made)


periodic = block(Periodic, "periodic")
