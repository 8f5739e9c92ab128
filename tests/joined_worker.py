"""A process whose program has joined the others itself, by its library's own call, before multimlp is asked."""

from __future__ import annotations

import sys

import numpy as np

library, address, rank, out = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]

if library == "torch":
    import torch.distributed

    torch.distributed.init_process_group("gloo", f"tcp://{address}", rank=rank, world_size=2)
else:
    import jax

    jax.distributed.initialize(address, 2, rank)

import data_parallel_cases as cases  # noqa: E402 - the library joins first

import multimlp as mm  # noqa: E402

assert (mm.distributed.rank(), mm.distributed.size()) == (0, 1), "nobody has asked yet"
alone = cases.small_fit(backend=library, devices=None)
assert alone.group is None
vector, history = cases.fitted("dropout", library, devices="all")
assert (mm.distributed.rank(), mm.distributed.size()) == (rank, 2)
np.savez(out, vector=vector, loss=history["loss"])
