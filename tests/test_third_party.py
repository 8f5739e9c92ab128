"""A backend by somebody else: the example package, installed as a package and found by its entry point."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "examples" / "multimlp-dask"
SOURCE = PACKAGE / "multimlp_dask.py"

needs_dask = pytest.mark.skipif(
    importlib.util.find_spec("dask") is None, reason="dask is not installed here: pip install 'dask[array]'"
)


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A folder with the package, installed from a copy so that the checkout stays clean."""
    where = tmp_path_factory.mktemp("site")
    source = tmp_path_factory.mktemp("source")
    for name in ("multimlp_dask.py", "pyproject.toml"):
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
        "assert 'dask' in mm.available_backends()\n"
        "assert 'dask' not in sys.modules\n"
        "print(mm.available_backends()['dask'].version)",
    )
    assert output == "0.1.0\n"


@needs_dask
def test_it_differentiates_late_and_does_not_train(installed):
    output = run(
        installed,
        "-c",
        """
import dask.array as da
import numpy as np
import multimlp as mm
from multimlp import xp

x = da.from_array(np.asarray([0.0, 1.0, 2.0]), chunks=2)
gradient = mm.grad(lambda v: xp.sum(mm.activations.gelu(v)))(x)
assert isinstance(gradient, da.Array)  # no backend named: the array decides
wanted = mm.activations.derivative("gelu")(np.asarray([0.0, 1.0, 2.0]))
assert np.allclose(gradient.compute(), wanted, rtol=1e-14), gradient.compute()
try:
    mm.fit(mm.MLP(1, 2, 2), np.ones((4, 1)), np.ones(4, dtype=int), backend="dask", progress=False)
except mm.errors.CapabilityError as error:
    print(error)
""",
    )
    assert "the dask backend does not train" in output


@needs_dask
def test_it_fulfils_the_contract(installed):
    run(installed, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(PACKAGE / "tests"))
