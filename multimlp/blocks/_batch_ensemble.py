"""Many models that share most of their weights: k members in one network, each with vectors of its own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np

from multimlp.backend import Array, array_namespace
from multimlp.blocks._block import Block, Count, Features, Parameter, block
from multimlp.blocks._dense import Initial
from multimlp.blocks._draws import Draws
from multimlp.errors import ShapeError
from multimlp.errors.checks import each, flag, whole
from multimlp.mlp import dense as affine
from multimlp.mlp import layer_params
from multimlp.tree import Tree


@dataclass(frozen=True, eq=False, repr=False)
class Replicate(Block):
    """The rows as they are for each of ``members``: (..., n, features) to (..., members, n, features).

    A model that keeps its members to the end gives outputs of shape (members, n, k); `multimlp.fit` takes for an example's loss the mean
    over them, so that each member learns by itself.

    Parameters
    ----------
    members : int

    Examples
    --------
    >>> import numpy as np
    >>> import multimlp as mm
    >>> mm.blocks.replicate(3).apply((), np.ones((5, 2)), None).shape
    (3, 5, 2)
    """

    members: Count

    def apply(self, params: Any, x: Any, draws: Draws | None) -> Array:
        xp = array_namespace(x)
        shape = tuple(x.shape)
        if len(shape) < 2:
            raise ShapeError(
                f"X: expected rows, (..., n, features), of which each member gets its own, got shape {shape}; one row is X[None, :]"
            )
        return xp.broadcast_to(xp.expand_dims(x, axis=-3), (*shape[:-2], self.members, *shape[-2:]))


def _check_members(x: Array, members: int) -> None:
    """`ShapeError` for rows of another number of members; rows without members are those of all of them."""
    shape = tuple(x.shape)
    if len(shape) > 2 and shape[-3] not in (1, members, None):
        raise ShapeError(
            f"X: expected the rows of {members} members, as replicate({members}) makes them, got {shape[-3]}"
        )


def _chunks(where: str, value: Any) -> tuple[int, ...] | None:
    return None if value is None else tuple(each(whole(1, "of features"))(where, value))


@dataclass(frozen=True, eq=False, repr=False)
class BatchEnsemble(Block):
    r"""A fully connected layer of k members, :math:`s_i \odot ((r_i \odot x_i) W) + b_i`: one W, vectors r, s and b a member.

    Parameters
    ----------
    out_features : int
    members : int
        k; inputs have shape (..., k, n, features), as `replicate` makes them.
    in_features : int, optional
    use_bias : bool
    kernel_init, bias_init, input_init, output_init : str or callable
        Of W, b, r and s; ``"signs"`` is +1 or -1 at random. The members' b start alike.
    chunks : sequence of int, optional
        Sizes of runs of features that share one number where r starts: what was made of one column.

    References
    ----------
    Y. Wen, D. Tran, J. Ba (2020), BatchEnsemble, ICLR; Y. Gorishniy, A. Kotelnikov, A. Babenko (2024), TabM, arXiv:2410.24210.

    Examples
    --------
    >>> import numpy as np
    >>> import multimlp as mm
    >>> model = mm.chain(mm.blocks.replicate(4), mm.blocks.batch_ensemble(3, 4, in_features=2))
    >>> model(model.init(), np.ones((5, 2), dtype=np.float32)).shape
    (4, 5, 3)
    """

    out_features: Count
    members: Count
    in_features: Features = None
    use_bias: Annotated[bool, flag] = True
    kernel_init: Initial = "glorot_uniform"
    bias_init: Initial = "zeros"
    input_init: Initial = "ones"
    output_init: Initial = "ones"
    chunks: Annotated[Sequence[int] | None, _chunks] = None

    def initial(self, seed: int, path: Iterable[int]) -> Tree:
        found = super().initial(seed, tuple(path))
        if self.use_bias:
            found["bias"] = np.array(np.broadcast_to(found["bias"][0], found["bias"].shape))
        if self.chunks is not None:
            if sum(self.chunks) != self.known_width():
                raise ShapeError(
                    f"block: batch_ensemble has chunks of {sum(self.chunks)} features in all, but {self.known_width()} come in"
                )
            found["r"] = np.repeat(found["r"][:, : len(self.chunks)], self.chunks, axis=1)
        return found

    def parameters(self) -> Mapping[str, Parameter]:
        features, out = self.in_features or 0, self.out_features
        learned = {
            "weight": Parameter((features, out), self.kernel_init),
            "r": Parameter((self.members, features), self.input_init),
            "s": Parameter((self.members, out), self.output_init),
        }
        return learned | ({"bias": Parameter((self.members, out), self.bias_init)} if self.use_bias else {})

    def width(self, features: int | None) -> int:
        return self.out_features

    def apply(self, params: Any, x: Any, draws: Draws | None) -> Array:
        _check_members(x, self.members)
        xp = array_namespace(x)
        r, s, bias = (
            None if vector is None else xp.expand_dims(vector, axis=-2)
            for vector in (params["r"], params["s"], params.get("bias"))
        )
        scaled = x * r
        shape = tuple(scaled.shape)
        # The members share W, so that their rows make one product, which is several times faster than one for each of them.
        rows = xp.matmul(xp.reshape(scaled, (-1, shape[-1])), params["weight"])
        units: Array = xp.reshape(rows, (*shape[:-1], self.out_features)) * s
        return units if bias is None else units + bias


@dataclass(frozen=True, eq=False, repr=False)
class Heads(Block):
    """A fully connected layer with weights of each member's own: (..., k, n, features) to (..., k, n, out_features).

    Parameters
    ----------
    out_features, members : int
    in_features : int, optional
    use_bias : bool
    kernel_init, bias_init : str or callable

    Examples
    --------
    >>> import multimlp as mm
    >>> mm.chain(mm.blocks.heads(3, 4, in_features=2)).init()[0].weight.shape
    (4, 2, 3)
    """

    out_features: Count
    members: Count
    in_features: Features = None
    use_bias: Annotated[bool, flag] = True
    kernel_init: Initial = "glorot_uniform"
    bias_init: Initial = "zeros"

    def parameters(self) -> Mapping[str, Parameter]:
        lead = (self.members,)
        learned = {"weight": Parameter((*lead, self.in_features or 0, self.out_features), self.kernel_init)}
        return learned | (
            {"bias": Parameter((*lead, self.out_features), self.bias_init)} if self.use_bias else {}
        )

    def packed(self, values: Mapping[str, Any]) -> Any:
        return layer_params(values["weight"], values.get("bias"))

    def width(self, features: int | None) -> int:
        return self.out_features

    def apply(self, params: Any, x: Any, draws: Draws | None) -> Array:
        _check_members(x, self.members)
        return affine(x, params.weight, params.bias)


replicate = block(Replicate, "replicate")
batch_ensemble = block(BatchEnsemble, "batch_ensemble")
heads = block(Heads, "heads")
