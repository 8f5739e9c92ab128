"""Processes by TensorFlow's own cluster, whose operations sum inside of a graph; what is exchanged between graphs goes as copies of the
host."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from multimlp.backends.tensorflow._collectives import Collectives
from multimlp.distributed import Communicator, addresses, failed


class ClusterCommunicator:
    """The processes of a `tf.distribute.MultiWorkerMirroredStrategy`.

    Parameters
    ----------
    others : Communicator
        What carries copies between graphs.
    timeout : float
        Seconds that an operation may take.
    """

    name = "tensorflow"

    def __init__(self, others: Communicator, timeout: float) -> None:
        self._others, self._timeout = others, timeout
        self.rank, self.size = others.rank, others.size
        self.sum, self.gather, self.broadcast = others.sum, others.gather, others.broadcast
        self._strategy = _cluster(addresses(others), others.rank)

    def collectives(self) -> Collectives:
        """The processes as what runs a graph."""
        return Collectives(
            self.rank, self.size, self._timeout, lambda error: failed("a compiled epoch", error)
        )

    def close(self) -> None:
        """The cluster ends with the process; what carries copies is closed by those who made it."""
        global _cluster_of_process
        _cluster_of_process = None


_cluster_of_process: ClusterCommunicator | None = None


def communicator(others: Communicator | None, device: str | None, timeout: float) -> Communicator | None:
    """The cluster that this process belongs to; else one of the others, as long as TensorFlow has computed in none of them: afterwards it
    refuses."""
    global _cluster_of_process
    if others is None:
        return _cluster_of_process
    computed = others.gather(np.asarray([_has_computed()], dtype=np.int32))
    if not computed.any():
        _cluster_of_process = ClusterCommunicator(others, timeout)
        return _cluster_of_process
    return None


def _cluster(workers: list[str], rank: int) -> Any:
    resolver = tf.distribute.cluster_resolver.SimpleClusterResolver(
        tf.train.ClusterSpec({"worker": workers}), task_type="worker", task_id=rank, rpc_layer="grpc"
    )
    try:
        return tf.distribute.MultiWorkerMirroredStrategy(cluster_resolver=resolver)
    except (RuntimeError, tf.errors.OpError) as error:
        raise failed("the start of TensorFlow's cluster", error) from None


def _has_computed() -> bool:
    from tensorflow.python.eager import context  # TensorFlow tells it nowhere else

    return context.context()._context_handle is not None
