"""What the tests of the launcher start: each mode behaves in its way, all in the same few steps."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import numpy as np

import multimlp as mm

mode, folder = sys.argv[1], Path(sys.argv[2])
here = mm.distributed.connect("all")
tried = folder / f"tried-{here.rank}"
tries = int(tried.read_text()) if tried.exists() else 0
tried.write_text(str(tries + 1))
print(f"rank {here.rank} of {here.size}", flush=True)

if mode == "interrupted":
    (folder / f"ready-{here.rank}").touch()
    try:
        time.sleep(30)
    except KeyboardInterrupt:
        (folder / f"interrupted-{here.rank}").touch()
        sys.exit(130)

for step in range(5):
    here.sum(np.ones(10))
    if here.rank == 1 and step == 2:
        if mode == "killed" or (mode == "killed once" and tries == 0):
            os.kill(os.getpid(), signal.SIGKILL)
        if mode == "usage":
            print("this is not how it is used", file=sys.stderr)
            sys.exit(2)
        if mode == "stuck":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            time.sleep(60)
    if mode == "stuck" and step == 2:  # as a library that waits for ever
        with mm.distributed.exchange:
            time.sleep(60)
print("done", flush=True)
