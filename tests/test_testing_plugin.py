"""The pytest plug-in, through the entry point, in a process and a project of its own."""

import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parent / "plugin_project"
_LISTING = "from importlib.metadata import entry_points as e; print(*(p.value for p in e(group='pytest11')))"
_FOUND = subprocess.run(
    [sys.executable, "-c", _LISTING], cwd=PROJECT, capture_output=True, text=True, check=True
)
LOADED = [] if "multimlp.testing.plugin" in _FOUND.stdout.split() else ["-p", "multimlp.testing.plugin"]
"""Nothing where the package is installed with its entry point, as a process elsewhere sees it."""


def pytest_in(folder, *options):
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *LOADED, "-rA", *options]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, check=False)


def test_the_project_passes_on_several_backends():
    done = pytest_in(PROJECT, "--mm-backends", "np,torch,strict,tensorflow")
    assert done.returncode == 0, done.stdout + done.stderr
    for line in (
        "PASSED test_norms.py::test_norm[numpy]",
        "PASSED test_norms.py::test_norm[tensorflow]",
        "PASSED test_norms.py::test_skipped_on_two[numpy]",
        "XFAIL test_norms.py::test_the_slope_at_the_kink_is_one_half[tensorflow] - tensorflow: all of the",
        "PASSED test_norms.py::test_the_slope_at_the_kink_is_one_half[torch]",
    ):
        assert line in done.stdout, (line, done.stdout)
    assert "2 skipped" in done.stdout
    assert "[jax]" not in done.stdout


def test_dtype_and_device(tmp_path):
    (tmp_path / "test_it.py").write_text(
        "from multimlp.backend import select\n"
        "def test_it(xp):\n"
        "    assert select().dtype == 'float64' and select().device == 'cpu'\n"
    )
    done = pytest_in(tmp_path, "--mm-backends", "numpy", "--mm-dtype", "float64", "--mm-device", "cpu")
    assert done.returncode == 0, done.stdout
    assert pytest_in(tmp_path, "--mm-backends", "numpy").returncode == 1


ON_NUMPY = ["--mm-backends", "numpy"]
WRONG = {
    "an unknown backend": ("def test_it(xp): pass\n", ["--mm-backends", "nympy"], "nympy"),
    "a mark without reason": (
        "import pytest\n@pytest.mark.mm_skip('numpy')\ndef test_it(xp): pass\n",
        ON_NUMPY,
        "a reason is needed",
    ),
    "a fixture that is asked for late": (
        "def test_it(request): request.getfixturevalue('xp')\n",
        ON_NUMPY,
        "among its arguments",
    ),
    "a mark without backend": (
        "import pytest\n@pytest.mark.mm_xfail(reason='no')\ndef test_it(xp): pass\n",
        ON_NUMPY,
        "names of backends",
    ),
    "an xfail that passes": (
        "import pytest\n@pytest.mark.mm_xfail('numpy', reason='no')\ndef test_it(xp): pass\n",
        ON_NUMPY,
        "XPASS",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_use_is_refused(case, tmp_path):
    source, options, message = WRONG[case]
    (tmp_path / "test_it.py").write_text(source)
    done = pytest_in(tmp_path, *options)
    assert done.returncode != 0
    assert message in done.stdout + done.stderr


def test_nothing_is_imported_for_a_project_that_does_not_use_it(tmp_path):
    (tmp_path / "test_it.py").write_text(
        "import sys\n"
        "def test_it():\n"
        "    frameworks = {'torch', 'jax', 'tensorflow', 'mxnet', 'array_api_strict', 'mpmath'}\n"
        "    assert not frameworks & set(sys.modules)\n"
    )
    done = pytest_in(tmp_path)
    assert done.returncode == 0, done.stdout
