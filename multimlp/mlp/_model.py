"""What training, files and predictions ask of a model: `MLP` and `multimlp.chain` are such."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Generic, TypeVar

import numpy as np

from multimlp import tree
from multimlp.backend import Array, Backend, is_array, owner, select
from multimlp.errors import DTypeError, InputError, MixedBackendsError, ShapeError
from multimlp.errors.checks import check_items, check_seed

T = TypeVar("T")
"""The tree of parameters."""


class Model(Generic[T]):
    """A description of a function of parameters and rows. Subclasses are frozen and hashable: compiled programs are kept by them.

    Attributes
    ----------
    in_features, out_features : int or None
        Numbers an example; None where the model does not say.
    dropout : float
        Above 0 it needs a key while it learns.
    """

    in_features: Any
    out_features: Any
    dropout: Any

    @property
    def rows_apart(self) -> bool:
        """Whether it is known that an output row hangs on its own input row alone, masks of dropout by windows included."""
        raise NotImplementedError

    def init(
        self,
        seed: int | Sequence[int] = 0,
        backend: str | Backend | None = None,
        dtype: Any = None,
        device: str | None = None,
    ) -> T:
        """Fresh parameters, drawn on the host, so that a seed gives the same bits on every backend.

        Parameters
        ----------
        seed : int or sequence of int
            A sequence makes an ensemble: each parameter gets a leading axis with one member per seed, member i equal to ``init(seed[i])``.
        backend, dtype, device
            Where the parameters live; by the usual order of precedence when not given.

        Examples
        --------
        >>> import multimlp as mm
        >>> mm.MLP(2, 3, 1).init(seed=range(4))[0].weight.shape
        (4, 2, 3)
        """
        target = select(backend, device, dtype)
        single, seeds = _seeds(seed)
        members = [self.host_params(s) for s in seeds]

        def place(*leaves: np.ndarray) -> Array:
            host = leaves[0] if single else np.stack(leaves)
            return target.backend.asarray(host, dtype=target.dtype, device=target.device)

        params: T = tree.map(place, members[0], *members[1:])
        return params

    def host_params(self, seed: int) -> T:
        """Fresh parameters of one network as float64 arrays on the host."""
        raise NotImplementedError

    def members(self, params: T) -> int | None:
        """The number of members if the parameters carry a leading axis of members, else None."""
        raise NotImplementedError

    def check_params(self, params: Any) -> None:
        """Raise unless ``params`` are parameters of this model, or of an ensemble of it."""
        raise NotImplementedError

    def _explain(self, params: Any, X: Any) -> None:
        """Say what is wrong with a call on an array ``X``; called only when something is."""
        if not is_array(X):
            raise InputError(f"X: expected an array, got {type(X).__name__}; make one, e.g. numpy.asarray(X)")
        self.check_params(params)
        width, shape = self.in_features, tuple(X.shape)
        if width is not None and (not shape or shape[-1] != width):
            raise ShapeError(f"X: expected shape (..., {width}), got {shape}")
        for leaf in tree.leaves(params)[:1]:
            backend, other = owner(X), owner(leaf)
            if backend is not other:
                raise MixedBackendsError(
                    f"X is a {backend.name} array, params are {other.name} arrays. "
                    f"Convert one: multimlp.convert(X, backend={other.name!r})"
                )
            if X.dtype != leaf.dtype:
                kind, wanted = backend.dtype_name(X.dtype), backend.dtype_name(leaf.dtype)
                raise DTypeError(
                    f"X has dtype {kind}, params have {wanted}; convert X first, e.g. xp.astype(X, xp.{wanted})"
                )

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of each parameter of one network, by the name that files have for it."""
        raise NotImplementedError

    def named(self, params: T) -> dict[str, Array]:
        """The arrays of parameters that fit, by the names of `shapes`."""
        raise NotImplementedError

    def from_named(self, arrays: Mapping[str, Any]) -> T:
        """The parameters of arrays by the names of `shapes`."""
        raise NotImplementedError

    def to_spec(self) -> dict[str, Any]:
        """The description as plain values (JSON), for files; `InputError` if it holds callables of your own."""
        raise NotImplementedError

    def __call__(self, params: T, X: Any, key: Array | None = None) -> Array:
        """The outputs for a batch."""
        raise NotImplementedError


def _seeds(seed: Any) -> tuple[bool, list[int]]:
    """Whether one network is meant, and the seed of each."""
    if isinstance(seed, (str, Mapping)) or not is_sequence(seed):
        return True, [check_seed("seed", seed)]
    seeds = [check_seed(f"seed[{i}]", item) for i, item in enumerate(check_items("seed", seed, "of seeds"))]
    if not seeds:
        raise InputError("seed: an ensemble needs at least one seed, got an empty sequence")
    return False, seeds


def is_sequence(value: Any) -> bool:
    """Whether it holds several things: an array of shape () does not."""
    return hasattr(value, "__iter__") and getattr(value, "shape", None) != ()
