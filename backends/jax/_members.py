"""The members of an ensemble on several devices of this process."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec

from multimlp.backend import Array, Arrays, Function


class MemberMesh:
    """Devices of this process, each with some of the members of an ensemble: nothing travels between them.

    The program is that of one device, which XLA divides as its inputs are.
    """

    def __init__(self, devices: Sequence[Any], members: int) -> None:
        self._mesh, self._members = jax.sharding.Mesh(np.asarray(devices), ("members",)), members
        self.size = len(devices)
        self.reason = f"the members lie on {self.size} devices"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, MemberMesh) and (self._mesh, self._members) == (other._mesh, other._members)

    def __hash__(self) -> int:
        return hash((self._mesh, self._members))

    def compile(self, function: Function, compiler: str | None = None, state: int = 0) -> Function:
        def members(given: Arrays, rest: Arrays) -> Arrays:
            return function((*given, *rest))

        program = members if compiler == "none" else jax.jit(members, donate_argnums=0)
        return lambda arrays: program(tuple(arrays[:state]), tuple(arrays[state:]))

    def place(self, x: Any) -> Array:
        return jax.device_put(x, NamedSharding(self._mesh, PartitionSpec()))

    def place_state(self, x: Any) -> Array:
        divided = x.ndim > 0 and x.shape[0] == self._members
        return jax.device_put(x, NamedSharding(self._mesh, PartitionSpec(*["members"] * divided)))

    def local(self, x: Array) -> Array:
        return jax.device_put(x, self._mesh.devices.flat[0])
