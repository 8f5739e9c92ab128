"""A stand-in for a CUDA graph on the CPU: torch's operations are recorded with the tensors and the numbers that they were given, and
replayed on them. As in a graph, a Python number is frozen, a tensor is an address, and nothing reaches the host in between."""

from __future__ import annotations

from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from multimlp.backend import Call, Recorder

REFUSED = {"_local_scalar_dense", "equal", "is_nonzero", "lift_fresh", "masked_select", "nonzero", "_unique2"}
"""Operations that wait for the device, or bring numbers to it from the host: none may be in a graph."""


def _is_nan(x: torch.Tensor) -> bool:
    """``y[mask] = nan``, which is a kernel on a GPU, where on the CPU it makes a tensor first."""
    return x.ndim == 0 and x.is_floating_point() and x.numpy() != x.numpy()


class _Recording(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()
        self.steps: list[tuple[Any, Any, Any, Any]] = []

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = function.overloadpacket.__name__
        if name in REFUSED and not _is_nan(args[0]):
            raise RuntimeError(f"{name} cannot be recorded")
        result = function(*args, **(kwargs or {}))
        self.steps.append((function, args, kwargs or {}, result))
        return result

    def replay(self) -> None:
        for function, args, kwargs, result in self.steps:
            again = function(*args, **kwargs)
            for old, new in zip(tree_leaves(result), tree_leaves(again), strict=True):
                if isinstance(old, torch.Tensor) and old.data_ptr() != new.data_ptr():
                    old.copy_(new)


class RecordedOnCpu(Recorder):
    """See the module. Recording runs the operations, so that the first replay has nothing left to do."""

    name = "the stand-in"

    def __init__(self) -> None:
        self.recorded = self.replayed = 0

    def record(self, run: Call) -> Call:
        recording = _Recording()
        with recording:
            run()
        self.recorded += 1
        due = iter([False])

        def replay() -> None:
            self.replayed += 1
            if next(due, True):
                recording.replay()

        return replay
