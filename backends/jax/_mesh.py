"""Programs that several devices run together, of this process or of many: `jax.shard_map` around the whole of a program.

Every device holds all inputs and all outputs. What differs is `Mesh.index`, from which a program knows its rows, and what is added
up: one vector a step, since XLA's collectives on the host take as long for an array of four numbers as for one of four thousand.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec

from multimlp.backend import Array, Arrays, Function
from multimlp.distributed import exchange

AXIS = "workers"
_OPTIONS = {"xla_allow_excess_precision": False}
"""Else numbers of 16 bits are rounded or not, as XLA merges operations, which it does in another way for each number of devices."""

_APART = {"xla_disable_hlo_passes": "fusion,algsimp"}
"""XLA takes barriers away before it merges what is left of a step; and in a program of several devices it does not see some of the forms
that it rewrites in that of one, such as a division by what was broadcast."""


class Mesh:
    """Devices that run the same program, each on its own part of the rows.

    Parameters
    ----------
    devices : sequence of jax.Device
        In the order of the rows that they take; those of other processes among them.
    who : str
        For reports.
    failed : callable ``(exception) -> exception``, optional
        What to raise where the program fails, which it does if a process is gone.
    """

    uniform = True

    def __init__(
        self, devices: Sequence[Any], who: str, failed: Callable[[Exception], Exception] | None = None
    ) -> None:
        self._mesh = jax.sharding.Mesh(np.asarray(devices), (AXIS,))
        self._everywhere = NamedSharding(self._mesh, PartitionSpec())
        self._failed = failed
        self.size = len(devices)
        self.reason = f"XLA sums the gradients of {who} inside"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Mesh) and self._mesh == other._mesh

    def __hash__(self) -> int:
        return hash(self._mesh)

    # ---- inside a program

    def index(self, like: Array) -> Array:
        return jax.lax.axis_index(AXIS)

    def sum(self, vector: Array) -> Array:
        return jax.lax.psum(vector, AXIS)

    def gather(self, vector: Array) -> Array:
        return jax.lax.all_gather(vector, AXIS)

    def sealed(self, function: Function) -> Function:
        barrier: Any = jax.lax.optimization_barrier  # it has no types
        return lambda arrays: barrier(tuple(function(barrier(tuple(arrays)))))

    # ---- around it

    def compile(
        self, function: Function, compiler: str | None = None, state: int = 0, apart: bool = False
    ) -> Function:
        def whole(given: Arrays, rest: Arrays) -> Arrays:
            return function((*given, *rest))

        shared = jax.shard_map(
            whole, mesh=self._mesh, in_specs=PartitionSpec(), out_specs=PartitionSpec(), check_vma=False
        )
        everywhere = self._everywhere
        program = (
            shared
            if compiler == "none"
            else jax.jit(
                shared,
                in_shardings=everywhere,
                out_shardings=everywhere,
                donate_argnums=0,
                compiler_options=_OPTIONS | _APART if apart else _OPTIONS,
            )
        )

        def run(arrays: Arrays) -> Arrays:
            outputs: Arrays = program(tuple(arrays[:state]), tuple(arrays[state:]))
            return outputs

        return run if self._failed is None else self._watched(run, self._failed)

    @staticmethod
    def _watched(run: Function, failed: Callable[[Exception], Exception]) -> Function:
        """Another process can be lost: that is said here, and not where somebody reads a number."""

        def watched(arrays: Arrays) -> Arrays:
            try:
                with exchange:
                    return tuple(jax.block_until_ready(run(arrays)))
            except jax.errors.JaxRuntimeError as error:
                raise failed(error) from error

        return watched

    def place(self, x: Any) -> Array:
        """An array on all devices, from the same values in each process."""
        host = np.asarray(x)
        return jax.make_array_from_callback(host.shape, self._everywhere, lambda index: host[index])

    place_state = place

    def local(self, x: Array) -> Array:
        """An output as an ordinary array of this process."""
        return x.addressable_data(0)
