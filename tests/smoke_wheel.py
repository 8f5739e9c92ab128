"""What a bare installation must do: run by `make test-wheel` with the wheel, NumPy and array-api-compat alone, outside the repository."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import numpy as np

import multimlp as mm
from multimlp.errors import MissingDependencyError

ALLOWED_SECONDS = 0.05
"""By which importing multimlp may take longer than importing NumPy."""


def check_that_the_wheel_is_used() -> None:
    assert "site-packages" in Path(mm.__file__).parts, mm.__file__
    assert (Path(mm.__file__).parent / "py.typed").is_file()
    here = {distribution.metadata["Name"] for distribution in metadata.distributions()} - {
        "pip",
        "setuptools",
    }
    assert here == {"multimlp", "numpy", "array-api-compat"}, here


def check_gradients() -> None:
    gradient = mm.grad(lambda x: mm.array_namespace(x).sum(x**3))(np.asarray([1.0, -2.0]))
    assert np.array_equal(gradient, [3.0, 12.0]), gradient


def check_training() -> None:
    X = np.random.default_rng(0).normal(size=(200, 2))
    y = (X[:, 0] * X[:, 1] > 0).astype(int)
    result = mm.fit(mm.MLP(2, [16, 16], 2), X, y, epochs=120, progress=False, backend="numpy", seed=0)
    first, last = result.history["loss"][0], result.history["loss"][-1]
    assert last < 0.5 * first, (first, last)


def refusal(use: Callable[[], object]) -> str:
    try:
        use()
    except MissingDependencyError as error:
        return str(error)
    return "nothing"


def check_errors_of_what_is_missing() -> None:
    mlp = mm.MLP(2, [3], 1)
    assert "multimlp[torch]" in refusal(lambda: mm.get_backend("torch"))
    assert "multimlp[jax]" in refusal(lambda: mm.get_backend("jax"))
    assert "multimlp[safetensors]" in refusal(lambda: mm.save("model.safetensors", mlp, mlp.init()))
    done = subprocess.run(
        [Path(sys.executable).parent / "multimlp", "train", "digits"], capture_output=True, text=True
    )
    assert done.returncode == 2, done
    assert "multimlp[" in done.stderr, done.stderr
    assert "Traceback" not in done.stderr, done.stderr


def seconds_of(statement: str) -> float:
    """The best of 20 processes."""
    times = []
    for _ in range(20):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", statement], check=True)
        times.append(time.perf_counter() - start)
    return min(times)


def check_the_time_of_the_import() -> None:
    bare, ours = seconds_of("import numpy"), seconds_of("import multimlp")
    print(f"import numpy {bare:.3f} s, import multimlp {ours:.3f} s")
    assert ours - bare < ALLOWED_SECONDS, (bare, ours)


if __name__ == "__main__":
    check_that_the_wheel_is_used()
    check_gradients()
    check_training()
    check_errors_of_what_is_missing()
    check_the_time_of_the_import()
    print(f"the wheel of multimlp {metadata.version('multimlp')} works: 5 passed, 0 failed")
