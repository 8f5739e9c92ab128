"""One process of the tests of communicators: makes one, does what is asked, and prints what came of it as one line of JSON."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

import numpy as np

from multimlp.distributed import resuming_from
from multimlp.errors import MultimlpError

DTYPES = ("float64", "float32", "float16", "int64", "int32", "uint32", "complex128")
SIZES = (0, 1, 7, 1023, 20_001)


def make(kind: str, rank: int, size: int, folder: str, timeout: float):
    if kind == "mpi":
        from multimlp.distributed._mpi import MPI

        return MPI(timeout)
    from multimlp.distributed._meeting import meet

    others = meet(rank, size, folder, "secret", timeout)
    if kind == "sockets":
        return others
    from multimlp.backends.torch._communicator import TorchCommunicator

    return TorchCommunicator(others, None, timeout)


def vector(rank: int, size: int, dtype: str) -> np.ndarray:
    drawn = np.random.default_rng([rank, size]).standard_normal(size) * 100
    return drawn.astype(dtype) if dtype != "uint32" else np.abs(drawn).astype(dtype)


def values(communicator) -> dict[str, object]:
    found: dict[str, object] = {
        "rank": communicator.rank,
        "size": communicator.size,
        "name": communicator.name,
    }
    for dtype in DTYPES:
        for size in SIZES:
            total = communicator.sum(vector(communicator.rank, size, dtype))
            found[f"sum {dtype} {size}"] = [str(total.dtype), total.shape, total.tobytes().hex()[:4000]]
    for dtype in ("float64", "float16", "bool", "uint8"):
        rows = communicator.gather(vector(communicator.rank, 5, dtype))
        found[f"gather {dtype}"] = [str(rows.dtype), rows.shape, rows.tobytes().hex()]
    every_other = np.arange(20.0)[::2]
    found["strided"] = communicator.sum(every_other).tolist()
    data = [
        communicator.broadcast(text if communicator.rank == 0 else None)
        for text in (b"", b"x\0y", b"z" * 100_000)
    ]
    found["broadcast"] = [[len(one), one[:3].hex()] for one in data]
    for name, call in (
        ("matrix", lambda: communicator.sum(np.ones((2, 2)))),
        ("text", lambda: communicator.sum(np.asarray(["a"]))),
        ("objects", lambda: communicator.gather(np.asarray([None]))),
    ):
        try:
            call()
        except MultimlpError as error:
            found[name] = f"{type(error).__name__}: {error}"
    communicator.close()
    return found


def failure(communicator, what: str) -> dict[str, object]:
    """The last rank dies, sticks or does something else, and the others say what they see."""
    communicator.sum(np.ones(3))
    if communicator.rank == communicator.size - 1:
        if what == "die":
            os._exit(9)
        if what == "raise":
            raise ValueError("rank 1 is no good")
        if what == "stick":
            time.sleep(float(sys.argv[5]) + 1)
    started = time.perf_counter()
    try:
        with resuming_from("run.safetensors"):
            if what == "differ" and communicator.rank == communicator.size - 1:
                communicator.gather(np.ones(1000))
            else:
                communicator.sum(np.ones(1000))
    except MultimlpError as error:
        return {"error": f"{type(error).__name__}: {error}", "seconds": time.perf_counter() - started}
    return {"error": "none"}


if __name__ == "__main__":
    kind, rank, size, folder, timeout, what = sys.argv[1:]
    communicator = make(kind, int(rank), int(size), folder, float(timeout))
    said = json.dumps(values(communicator) if what == "values" else failure(communicator, what))
    if kind == "mpi":  # mpiexec has one pipe for all, in which they may fall into each other
        Path(folder, f"said-{communicator.rank}.json").write_text(said)
    else:
        print(said, flush=True)
    if what != "values":
        os._exit(0)
