"""Random Fourier features."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np

from multimlp import random
from multimlp._lazy import lazy
from multimlp.backend import Array, array_namespace
from multimlp.blocks._arrays import constant
from multimlp.blocks._block import Block, Count, Features, Positive, block
from multimlp.blocks._draws import Draws
from multimlp.errors.checks import whole


@dataclass(frozen=True, eq=False, repr=False)
class Fourier(Block):
    r"""Fixed random Fourier features, :math:`[\cos 2\pi x B,\ \sin 2\pi x B]` with :math:`B_{ij}` of N(0, scale^2), not learned.

    Parameters
    ----------
    count : int
        Columns of B; twice as many features are made.
    scale : float
    seed : int
        Of B.
    in_features : int, optional

    References
    ----------
    M. Tancik et al. (2020), Fourier features let networks learn high frequency functions in low dimensional domains, NeurIPS.

    Examples
    --------
    >>> import multimlp as mm
    >>> mm.chain(mm.blocks.fourier(16, in_features=2), mm.blocks.dense(1)).blocks[1].in_features
    32
    """

    count: Count
    scale: Positive = 1.0
    seed: Annotated[int, whole(0)] = 0
    in_features: Features = None

    @lazy
    def _matrix(self) -> np.ndarray:
        shape = (self.known_width(), self.count)
        return random.host_generator(self.seed, "fourier").standard_normal(shape) * self.scale

    def width(self, features: int | None) -> int:
        return 2 * self.count

    def apply(self, params: Any, x: Any, draws: Draws | None) -> Array:
        xp = array_namespace(x)
        angle = xp.matmul(x, constant(x, self._matrix)) * (2 * math.pi)
        return xp.concat([xp.cos(angle), xp.sin(angle)], axis=-1)


fourier = block(Fourier, "fourier")
