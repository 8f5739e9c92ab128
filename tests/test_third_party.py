"""A backend by somebody else: the example package, installed as a package and found by its entry point."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "examples" / "multimlp-mlx"
SOURCE = PACKAGE / "multimlp_mlx.py"

needs_mlx = pytest.mark.skipif(
    importlib.util.find_spec("mlx") is None, reason="mlx is not installed here: pip install 'mlx[cpu]'"
)


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A folder with the package, installed from a copy so that the checkout stays clean."""
    where = tmp_path_factory.mktemp("site")
    source = tmp_path_factory.mktemp("source")
    for name in ("multimlp_mlx.py", "pyproject.toml"):
        (source / name).write_bytes((PACKAGE / name).read_bytes())
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    subprocess.run([*command, "--target", str(where), str(source)], check=True, capture_output=True)
    return where


def run(installed: Path, *arguments: str) -> str:
    path = os.pathsep.join(p for p in (str(installed), os.environ.get("PYTHONPATH", "")) if p)
    environment = {**os.environ, "PYTHONPATH": path}
    done = subprocess.run(
        [sys.executable, *arguments],
        capture_output=True, text=True, check=False, env=environment, cwd=installed,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_it_is_short():
    assert len(SOURCE.read_text().splitlines()) < 60


def test_the_documentation_shows_the_very_code():
    page = (ROOT / "docs" / "adding-a-backend.md").read_text()
    for file in (SOURCE, PACKAGE / "pyproject.toml", PACKAGE / "tests" / "test_contract.py"):
        assert file.read_text().strip() in page, (
            f"docs/adding-a-backend.md does not hold {file.name} as it is"
        )


def test_the_entry_point_is_found_without_an_import_of_the_package(installed):
    output = run(
        installed,
        "-c",
        "import sys, multimlp as mm\n"
        "assert 'mlx' in mm.available_backends()\n"
        "assert 'mlx' not in sys.modules\n"
        "print(mm.available_backends()['mlx'].version)",
    )
    assert output == "0.1.0\n"


@needs_mlx
def test_it_trains_digits_as_numpy_does(installed):
    output = run(
        installed,
        "-c",
        """
import mlx.core as mx
import numpy as np
import multimlp as mm

data = mm.data.load("digits")
X, y = np.asarray(data.X, dtype=np.float32), data.y
mlp = mm.MLP(X.shape[1], [64], 10)
mlx, numpy = (
    mm.fit(mlp, X, y, backend=name, optimizer=mm.optimizers.adam(3e-3), epochs=20, progress=False)
    for name in ("mlx", "numpy")
)
assert mlx.backend == "mlx" and isinstance(mlx.params[0].weight, mx.array)
assert abs(mlx.history["loss"][-1] - numpy.history["loss"][-1]) < 1e-4, (mlx.history, numpy.history)
gradient = mm.grad(lambda v: mm.array_namespace(v).sum(mm.activations.gelu(v)))(mx.array([0.0, 1.0]))
assert isinstance(gradient, mx.array)  # no backend named: the array decides
print(mlx.history["val_accuracy"][-1])
""",
    )
    assert float(output) >= 0.95


@needs_mlx
def test_it_fulfils_the_contract(installed):
    run(installed, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(PACKAGE / "tests"))
