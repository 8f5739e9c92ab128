"""CUDA graphs: a block of training steps as one launch."""

from __future__ import annotations

from typing import Any

import torch

from multimlp.backend import Call, Recorder


class CudaGraphs(Recorder):
    """Records on a stream of its own; all recordings share one pool of memory, since they are replayed one after the other."""

    name = "torch's CUDA graphs"

    def __init__(self, device: str) -> None:
        self._device = torch.device(device)
        self._pool: Any = None

    def warm_up(self, run: Call) -> None:
        with torch.cuda.device(self._device):
            stream, current = torch.cuda.Stream(), torch.cuda.current_stream()
            stream.wait_stream(current)
            with torch.cuda.stream(stream):
                run()
            current.wait_stream(stream)

    def record(self, run: Call) -> Call:
        with torch.cuda.device(self._device):
            if self._pool is None:
                self._pool = torch.cuda.graph_pool_handle()
            graph = torch.cuda.CUDAGraph()
            # Other threads, such as the one that fetches the next data, may go on allocating.
            with torch.cuda.graph(graph, pool=self._pool, capture_error_mode="thread_local"):
                run()
        return graph.replay
