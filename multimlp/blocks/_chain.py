"""A model of blocks, one after the other."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from multimlp import tree
from multimlp._lazy import lazy
from multimlp.backend import Array, array_namespace, is_array, owner
from multimlp.blocks._block import block
from multimlp.blocks._combinations import Blocks, Combination, in_turn
from multimlp.blocks._draws import Draws
from multimlp.errors import ShapeError
from multimlp.mlp import Model, check_arrays, check_part_names
from multimlp.transforms import vmap
from multimlp.tree import Tree


def _given_names(where: str, value: Any) -> Any:
    """As they are: how many there must be the blocks tell."""
    return value


@dataclass(frozen=True, eq=False, repr=False)
class Chain(Combination, Model[Tree]):
    """Blocks one after the other, as a model: it is used as an `MLP` is, in `multimlp.fit` and everywhere. See `chain`."""

    blocks: Blocks
    block_names: Annotated[Any, _given_names] = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "blocks", in_turn(self.blocks, None)[0])
        names = check_part_names("block_names", self.block_names, len(self.blocks), "blocks")
        object.__setattr__(self, "block_names", names)

    @property
    def parts(self) -> tuple[Any, ...]:
        return self.blocks

    # ---- names, which are nothing that it computes

    def renamed(self, block_names: Sequence[str | None] | None) -> Chain:
        """The same chain with other names of its blocks; None for none. Blocks in its blocks keep theirs."""
        return dataclasses.replace(self, block_names=block_names)

    def described(self) -> dict[str, Any]:
        """Name and options as plain values, names of blocks where it has any."""
        found = super().described()
        if self.block_names is None:
            del found["options"]["block_names"]
        return found

    def _identity(self) -> tuple[Any, ...]:
        return (self.table.kind, self.name, self.blocks, self._computes())

    # ---- as a block

    @property
    def keeps_width(self) -> bool:
        """Whether all of its blocks do."""
        return all(part.keeps_width for part in self.blocks)

    @lazy
    def in_features(self) -> int | None:
        """How many features come in; None where any number may, or several inputs."""
        for part in self.blocks:
            known = getattr(part, "in_features", None)
            if known is not None:
                return int(known)
            if not part.keeps_width:  # what comes in behind it is no longer what comes in here
                return None
        return None

    def after(self, features: int | None) -> Chain:
        own = self.in_features
        if own is not None and features is not None and own != features:
            raise ShapeError(f"block: chain takes {own} features, but {features} come in")
        return dataclasses.replace(self, blocks=in_turn(self.blocks, features)[0])

    def width(self, features: int | None) -> int | None:
        return in_turn(self.blocks, features)[1]

    def apply(self, params: Any, x: Any, draws: Draws | None) -> Array:
        for i in range(len(self.blocks)):
            x = self.apply_part(i, params, x, draws)
        return x

    # ---- as a model

    @lazy
    def out_features(self) -> int | None:
        """How many features go out; None where as many as come in, whatever they are."""
        return self.width(self.in_features)

    @lazy
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of each parameter of one network, by where it is: ``0.weight``, ``0.bias``, ``3.0.scale``, ..."""
        return {name: tuple(leaf.shape) for name, leaf in self.named(self.skeleton()).items()}

    def named(self, params: Tree) -> dict[str, Array]:
        """The arrays of parameters by where they are."""
        return {
            ".".join(path): leaf for path, leaf in zip(tree.paths(params), tree.leaves(params), strict=True)
        }

    def from_named(self, arrays: Mapping[str, Any]) -> Tree:
        """The parameters of arrays by the names of `shapes`."""
        _, rebuild = tree.flatten(self.skeleton())
        return rebuild([arrays[name] for name in self.shapes])

    @property
    def rows_apart(self) -> bool:
        """Whether it is known that an output row hangs on its own input row alone: not so with a function of your own."""
        return self.is_known

    @property
    def num_parameters(self) -> int:
        """How many numbers are learned."""
        return sum(math.prod(shape) for shape in self.shapes.values())

    def host_params(self, seed: int) -> Tree:
        return self.initial(seed, ())

    def members(self, params: Tree) -> int | None:
        """The number of members if the parameters are an ensemble's, else None."""
        leaves, shapes = tree.leaves(params), list(self.shapes.values())
        if not leaves or not shapes or len(leaves[0].shape) == len(shapes[0]):
            return None
        return int(leaves[0].shape[0])

    def check_params(self, params: Any) -> None:
        """Raise unless ``params`` are parameters of this chain, or of an ensemble of it.

        Raises
        ------
        InputError
            For a tree of another structure.
        ShapeError
            For arrays of other shapes.
        DTypeError
            If they are not all of one float dtype.
        """
        if self.shapes or tree.leaves(params):  # there are chains that learn nothing
            check_arrays(_placed(self.shapes), _placed(self.named(params)))

    def __call__(
        self,
        params: Tree,
        X: Any,
        key: Array | None = None,
        window: tuple[int | Array, int] | None = None,
        step: int | Array | None = None,
    ) -> Array:
        """The outputs for a batch; pure.

        Parameters
        ----------
        params : tuple
            From `init`, of any library, one entry a block; ensembles carry a leading axis.
        X : array, shape (..., n, in_features) or (in_features,); or a dict or tuple of arrays
            Of the same library and dtype as the parameters. For an ensemble also (members, n, in_features), of each member's own.
        key : array, optional
            A key of `multimlp.random`; switches dropout on.
        window : (start, rows), optional
            Which rows of a batch ``X`` is, for the masks of dropout; see `multimlp.random.bernoulli`.
        step : int or array of shape (), optional
            The number of the step, for rates that change with it; the first by default.

        Returns
        -------
        array, shape (..., n, out_features) or (out_features,), with a leading axis of members for an ensemble

        Raises
        ------
        ShapeError, DTypeError, MixedBackendsError, InputError
            If ``X`` or ``params`` do not fit.
        """
        try:
            if not self._fits(params, X):
                self._explain(params, X)
            members = self.members(params)
            with owner(*tree.leaves(X)).scope_of(*tree.leaves(params)):
                draws = None if key is None or not self.dropout else Draws(key, window, step)
                if members is None:
                    return self.apply(params, X, draws)
                return self._of_members(members, params, X, draws)
        except Exception:  # what any library says where arrays do not fit
            self._explain(params, X)
            raise

    def _fits(self, params: Tree, X: Any) -> bool:
        leaves = tree.leaves(params)
        if not is_array(X):
            return bool(isinstance(X, (Mapping, tuple)))
        width = self.in_features
        return (width is None or X.shape[-1] == width) and (not leaves or X.dtype == leaves[0].dtype)

    def _of_members(self, members: int, params: Tree, X: Any, draws: Draws | None) -> Array:
        axis = 0 if is_array(X) and X.ndim == 3 else None
        if draws is None:
            return vmap(lambda held, x: self.apply(held, x, None), (0, axis))(params, X)
        first = tree.leaves(params)[0]
        xp = array_namespace(first)
        numbers = xp.arange(members, dtype=xp.int32, device=getattr(first, "device", None) or None)

        def one(held: Tree, x: Any, number: Array) -> Array:
            return self.apply(held, x, draws.of(number))

        return vmap(one, (0, axis, 0))(params, X, numbers)

    def _explain(self, params: Any, X: Any) -> None:
        """Say what is wrong with a call; called only when something is."""
        if isinstance(X, (Mapping, tuple)):
            self.check_params(params)
        else:
            super()._explain(params, X)

    def _shown(self) -> list[str]:
        return [repr(part) for part in self.blocks]


def _placed(named: Mapping[str, Any]) -> dict[str, Any]:
    """By where an array is in the parameters, as one writes it: ``params[0].weight``."""
    return {
        "params" + "".join(f"[{step}]" if step.isdigit() else f".{step}" for step in name.split(".")): value
        for name, value in named.items()
    }


_made = block(Chain, "chain")


def chain(*blocks: Any, block_names: Sequence[str | None] | None = None) -> Chain:
    """A model of blocks, one after the other, with ``init`` and a call as `multimlp.MLP` has.

    Parameters
    ----------
    *blocks : block, MLP, name of an activation, or function of rows
        Of `multimlp.blocks`. How many features come in is filled in from the block before; the first that must know says it itself,
        ``in_features=``.
    block_names : sequence of str or None, one per block, optional
        What the blocks are called in reports and other libraries' models; they change nothing that is computed.

    Returns
    -------
    Chain

    Raises
    ------
    InputError
        For what is no block.
    ShapeError
        If a block takes another number of features than the one before gives.

    Examples
    --------
    >>> import multimlp as mm
    >>> from multimlp import blocks
    >>> model = mm.chain(blocks.dense(8, in_features=4), blocks.layer_norm(), "gelu", blocks.dropout(0.1), blocks.dense(3))
    >>> model.in_features, model.out_features, model.num_parameters
    (4, 3, 83)
    >>> mm.predict(model, model.init(seed=0), [[0.0, 0.0, 0.0, 0.0]]).shape
    (1, 3)
    """
    return _made(blocks, block_names)
