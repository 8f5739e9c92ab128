"""Programs of several processes: a graph whose steps are XLA programs, and what the processes add up between them.

XLA has no collective operation on the host, so that an epoch cannot be one program of its, as it is for one process.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from multimlp.backend import Array, Arrays, Function
from multimlp.backends.tensorflow._tracing import for_xla
from multimlp.distributed import exchange

_GROUP = 1202
"""The key of all processes; that of an operation is its number in the order in which the processes make them, the same on each."""
_numbers = itertools.count(1)


class Collectives:
    """The processes of a `tf.distribute.MultiWorkerMirroredStrategy`, by TensorFlow's own collective operations.

    Parameters
    ----------
    rank, size : int
    timeout : float
        Seconds that one process waits for another.
    failed : callable ``(exception) -> exception``
        What to raise where the program fails, which it does if a process is gone.
    """

    uniform = False

    def __init__(
        self,
        rank: int = 0,
        size: int = 1,
        timeout: float = 0.0,
        failed: Callable[[Exception], Exception] | None = None,
    ) -> None:
        self.rank, self.size = rank, size
        self.reason = "the shards are added between XLA programs"
        if size > 1:
            self.reason = (
                f"TensorFlow's collectives sum the gradients of {size} processes between XLA programs"
            )
        self._timeout, self._failed = timeout, failed

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and (self.rank, self.size) == (other.rank, other.size)

    def __hash__(self) -> int:
        return hash((self.rank, self.size))

    # ---- inside a program

    def index(self, like: Array) -> int:
        return self.rank

    def sum(self, vector: Array) -> Array:
        if self.size == 1:
            return vector
        return tf.raw_ops.CollectiveReduceV2(input=vector, merge_op="Add", final_op="Id", **self._common())

    def gather(self, vector: Array) -> Array:
        if self.size == 1:
            return vector[tf.newaxis]
        return tf.raw_ops.CollectiveGatherV2(input=vector[tf.newaxis], **self._common())

    def _common(self) -> dict[str, Any]:
        return {
            "group_size": tf.constant(self.size),
            "group_key": tf.constant(_GROUP),
            "instance_key": tf.constant(next(_numbers)),
            "ordering_token": [],
            "communication_hint": "auto",
            "timeout_seconds": self._timeout,
        }

    def sealed(self, function: Function) -> Function:
        """By XLA: of a plain graph TensorFlow rewrites the order of additions."""

        def traced(*arrays: Array) -> Arrays:
            with for_xla():
                return function(arrays)

        compiled = tf.function(traced, jit_compile=True, autograph=False)
        return lambda arrays: tuple(compiled(*arrays))

    # ---- around it

    def compile(
        self, function: Function, compiler: str | None = None, state: int = 0, apart: bool = False
    ) -> Function:
        program = tf.function(lambda *arrays: function(arrays), autograph=False, reduce_retracing=False)

        def run(arrays: Arrays) -> Arrays:
            try:
                with exchange:
                    outputs: Arrays = program(*arrays)
                    outputs[-1].numpy()
            except tf.errors.OpError as error:
                if self._failed is None:
                    raise
                raise self._failed(error) from error
            return outputs

        return run

    def place(self, x: Array) -> Array:
        return x

    place_state = place

    def local(self, x: Array) -> Array:
        return x
