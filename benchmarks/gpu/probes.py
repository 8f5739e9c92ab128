"""What a device does at best, measured through one library: products, copies, and how long a launch takes.

``python -m benchmarks.gpu.probes torch cuda`` prints the figures as JSON; it is a process of its own, so that nothing stays on the device.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.process import ROOT, environment
from multimlp.backend import load_backend

SIZES, QUICK_SIZES = (128, 512, 2048, 8192), (64, 256)
BYTES, QUICK_BYTES = 1 << 28, 1 << 22
LAUNCHES = 1000
PATIENCE = 300.0
_SECONDS = 0.3
_FEWEST = 3


def measure(backend: str, device: str, threads: int, quick: bool, tf32: bool) -> dict[str, Any]:
    """The figures, or what went wrong under ``"problem"``."""
    command = [sys.executable, "-m", "benchmarks.gpu.probes", backend, device, *(["quick"] if quick else [])]
    try:
        done = subprocess.run(
            command, cwd=ROOT, env=environment(threads, device, tf32), capture_output=True, text=True, timeout=PATIENCE,
            check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return {"problem": f"no answer within {PATIENCE:.0f} s"}
    lines = done.stdout.strip().splitlines()
    if done.returncode or not lines:
        words = done.stderr.strip().splitlines()
        return {"problem": words[-1] if words else f"the process ended with code {done.returncode}"}
    found: dict[str, Any] = json.loads(lines[-1])
    return found


def probe(backend: str, device: str, quick: bool) -> dict[str, Any]:
    """Products in GFLOP/s by size, a copy in GB/s (read and written), a launch in microseconds."""
    library = load_backend(backend)
    where = None if device == "cpu" else next(name for name in library.devices() if name != "cpu")
    xp = library.xp
    generator = np.random.default_rng(0)

    def put(x: np.ndarray) -> Any:
        return library.asarray(x, dtype="float32", device=where)

    def seconds(call: Callable[[], Any]) -> float:
        library.synchronize(call())
        times: list[float] = []
        began = time.perf_counter()
        while len(times) < _FEWEST or time.perf_counter() - began < _SECONDS:
            started = time.perf_counter()
            library.synchronize(call())
            times.append(time.perf_counter() - started)
        return statistics.median(times)

    def launches() -> Any:
        x = one
        for _ in range(LAUNCHES):
            x = xp.add(x, one)
        return x

    found: dict[str, Any] = {"product": {}}
    for n in QUICK_SIZES if quick else SIZES:
        a, b = (put(generator.standard_normal((n, n))) for _ in range(2))
        repeats = min(
            200, max(1, int(2e9 / n**3))
        )  # small ones in a row, so that they are not timed with their waiting

        def products(a: Any = a, b: Any = b, repeats: int = repeats) -> Any:
            for _ in range(repeats - 1):
                xp.matmul(a, b)
            return xp.matmul(a, b)

        taken = seconds(products) / repeats
        found["product"][str(n)] = 2e-9 * n**3 / taken
    size = (QUICK_BYTES if quick else BYTES) // 4
    large, one = put(np.ones(size)), put(np.ones(1))
    found["copy"] = 8e-9 * size / seconds(lambda: xp.add(large, one))
    found["launch"] = 1e6 * seconds(launches) / LAUNCHES
    found["device"] = library.device_name(one)
    return found


if __name__ == "__main__":
    print(json.dumps(probe(sys.argv[1], sys.argv[2], "quick" in sys.argv[3:])))
