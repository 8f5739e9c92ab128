"""CuPy: on a machine with CUDA the contract and the fused kernels; elsewhere, what a user is told."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

import multimlp as mm
from multimlp.backend import OPS, is_installed, load_backend
from multimlp.errors import DeviceError
from multimlp.testing import BackendContract


def _why_not() -> str:
    """Why CuPy's own tests cannot run here, or nothing."""
    if not is_installed("cupy"):
        return "cupy is not installed here: pip install 'multimlp[cupy]'"
    try:
        load_backend("cupy")
    except DeviceError as error:
        return str(error)
    return ""


REASON = _why_not()
needs_cuda = pytest.mark.skipif(bool(REASON), reason=REASON)

STAND_IN = """
class runtime:
    @staticmethod
    def getDeviceCount():
        {body}

class cuda:
    runtime = runtime
"""


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("raise RuntimeError('CUDA driver version is insufficient')", "CUDA driver version is insufficient"),
        ("return 0", "the driver lists no device"),
    ],
)
def test_a_machine_without_cuda_is_told_so_and_other_backends_work(tmp_path, body, reason):
    package = tmp_path / "cupy"
    package.mkdir()
    package.joinpath("__init__.py").write_text(STAND_IN.format(body=body))
    script = (
        "import multimlp as mm\n"
        "try:\n"
        "    mm.get_backend('cupy')\n"
        "except mm.errors.DeviceError as error:\n"
        "    print(error)\n"
        "print(mm.MLP(2, 3, 1).init(backend='numpy')[0].weight.shape)\n"
    )
    path = os.pathsep.join(p for p in (str(tmp_path), os.environ.get("PYTHONPATH", "")) if p)
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True, text=True, check=True, env={**os.environ, "PYTHONPATH": path},
    )  # fmt: skip
    message, shape = done.stdout.splitlines()
    assert message == (
        f"backend: 'cupy' needs a CUDA GPU and finds none here ({reason}). "
        "Use backend='numpy', which computes the same on the CPU"
    )
    assert shape == "(2, 3)"


@needs_cuda
class TestCuPy(BackendContract):
    backend = "cupy"


@needs_cuda
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_the_fused_adam_step_is_the_portable_one(dtype):
    backend = load_backend("cupy")
    rng = np.random.default_rng(0)
    arrays = [backend.asarray(np.abs(rng.normal(size=(33, 7))), dtype=dtype) for _ in range(4)]
    scalars = {"learning_rate": 1e-3, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8}
    scalars |= {"correction1": 0.1, "correction2": 0.001}
    operation = OPS["adam_update"]
    for got, expected in zip(
        operation(*arrays, **scalars), operation.portable(*arrays, **scalars), strict=True
    ):
        eps = np.finfo(dtype).eps
        np.testing.assert_allclose(backend.to_numpy(got), backend.to_numpy(expected), rtol=8 * eps, atol=eps)


@needs_cuda
def test_training_follows_numpys_trajectory():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(64, 4)), rng.integers(0, 3, size=64)
    settings = {"epochs": 5, "batch_size": 16, "dtype": "float64", "progress": False, "validation": None}
    ours, numpys = (mm.fit(mm.MLP(4, [8], 3), X, y, backend=n, **settings) for n in ("cupy", "numpy"))
    np.testing.assert_allclose(ours.history["loss"], numpys.history["loss"], rtol=1e-9)
    assert ours.device == "cuda:0"
