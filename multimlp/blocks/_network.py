"""An MLP as a block."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from multimlp.backend import Array
from multimlp.blocks._block import Block, block, empty
from multimlp.blocks._draws import Draws
from multimlp.errors.checks import refuse
from multimlp.mlp import MLP, layer_params
from multimlp.tree import Tree


def _mlp(where: str, value: Any) -> MLP:
    if isinstance(value, Mapping):
        return MLP.from_spec(dict(value))
    if not isinstance(value, MLP):
        raise refuse(where, "an MLP", value)
    return value


@dataclass(frozen=True, eq=False, repr=False)
class Network(Block):
    """An `MLP` as a step of a chain, which makes one of every MLP that it is given.

    Parameters
    ----------
    mlp : MLP

    Examples
    --------
    >>> import multimlp as mm
    >>> mm.chain(mm.blocks.layer_norm(4), mm.MLP(4, 8, 2)).out_features
    2
    """

    mlp: Annotated[Any, _mlp]

    @property
    def in_features(self) -> int:
        """Of the MLP."""
        return self.mlp.in_features

    @property
    def dropout(self) -> float:
        """Of the MLP."""
        return self.mlp.dropout

    def width(self, features: int | None) -> int:
        final = self.mlp.final_activation
        return self.mlp.out_features if final is None else final.width(self.mlp.out_features)

    def apply(self, params: Any, x: Any, draws: Draws | None) -> Array:
        if draws is None:
            return self.mlp(params, x)
        return self.mlp(params, x, draws.key, draws.window)

    def initial(self, seed: int, path: Iterable[int]) -> Tree:
        return self.mlp.host_params(seed, path)

    def skeleton(self) -> Tree:
        return tuple(
            layer_params(
                empty(row.shapes["weight"]),
                empty(row.shapes["bias"]) if row.use_bias else None,
                {name: empty(shape) for name, shape in row.learned.items()},
            )
            for row in self.mlp.layers
        )


network = block(Network, "mlp")
