"""A trained network inside an estimator: on its backend while it is in use, NumPy arrays when it is
pickled."""

from __future__ import annotations

from typing import Any

import numpy as np

from multimlp import tree
from multimlp.backend import Array, Target, owner, select
from multimlp.errors import BackendError, DTypeError, InputError
from multimlp.mlp import MLP, Model, Params
from multimlp.training import predict
from multimlp.tree import Tree


class Network:
    """A model with its parameters.

    Unpickled where its backend (or device) does not exist, it computes on NumPy (or on the default device).

    Parameters
    ----------
    mlp : MLP or Chain
    params : tree of arrays
        On the backend that trained them.
    dtype : str, optional
        What it was trained in, if that is not the parameters' dtype: 16 bits.
    """

    def __init__(self, mlp: Model[Any], params: Tree, dtype: str | None = None) -> None:
        leaf = tree.leaves(params)[0]
        backend = owner(leaf)
        self.mlp: Any = mlp
        self._params = params
        self._home = backend.name, backend.device_name(leaf), dtype or backend.dtype_name(leaf.dtype)
        self._is_host = False

    @property
    def target(self) -> Target:
        """Where it was trained and in what dtype, or what comes closest here."""
        name, device, dtype = self._home
        for backend, place in ((name, device), (name, None), ("numpy", None)):
            try:
                return select(backend, place, dtype)
            except (BackendError, InputError, ImportError):
                continue
        return select("numpy", None, "float32")

    @property
    def params(self) -> Params:
        """The parameters where they compute."""
        if self._is_host:
            self._params, self._is_host = self.moved(self._params), False
        return self._params

    @property
    def host_params(self) -> Params:
        """The parameters as NumPy arrays."""
        return tree.map(lambda leaf: np.array(owner(leaf).to_numpy(leaf)), self._params)

    @property
    def exported_dtype(self) -> str:
        """The dtype that the network computes in; `DTypeError` if it is none that models for elsewhere are written in."""
        kinds = {leaf.dtype.name for leaf in tree.leaves(self.host_params)}
        if not kinds <= {"float32", "float64"}:
            raise DTypeError(
                f"estimator: its network computes in {', '.join(sorted(kinds))}, which is not exported; fit or load it with "
                "dtype='float32'"
            )
        return str(kinds.pop())

    def outputs(self, X: Array) -> Array:
        """The network's outputs for validated inputs of any library: (n, k), or (members, n, k)."""
        params = self.params
        here, given = owner(*tree.leaves(params)), owner(X)
        with here.scope(
            here.dtype_name(tree.leaves(params)[0].dtype)
        ):  # whoever looks at the results says what overflowed
            return predict(self.mlp, params, X if given is here else given.to_numpy(X))

    def moved(self, params: Params) -> Params:
        """NumPy arrays where the network computes, in their own dtype."""
        target = self.target
        return tree.map(
            lambda leaf: target.backend.asarray(leaf, dtype=leaf.dtype.name, device=target.device), params
        )

    def __getstate__(self) -> dict[str, Any]:
        try:
            described: Any = self.mlp.to_spec() if isinstance(self.mlp, MLP) else self.mlp
        except InputError:  # it holds callables of the user's, which may be picklable themselves
            described = self.mlp
        return {"mlp": described, "params": self.host_params, "home": self._home}

    def __setstate__(self, state: dict[str, Any]) -> None:
        described = state["mlp"]
        self.mlp = MLP.from_spec(described) if isinstance(described, dict) else described
        self._params, self._home, self._is_host = state["params"], state["home"], True
