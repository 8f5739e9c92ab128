"""What is installed is what is here."""

import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def test_every_package_is_listed():
    listed = set(tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"])
    found = set()
    for folder, name in (("multimlp", "multimlp"), ("backends", "multimlp.backends")):
        for init in (ROOT / folder).rglob("__init__.py"):
            found.add(".".join([name, *init.parent.relative_to(ROOT / folder).parts]))
    assert listed == found


FRAMEWORKS = ("torch", "jax", "tensorflow", "mxnet", "cupy", "keras")


@pytest.mark.parametrize(
    "path", sorted(ROOT.glob("multimlp/**/*.py")), ids=lambda p: str(p.relative_to(ROOT))
)
def test_portable_code_imports_no_framework(path):
    import ast

    if "interop" in path.parts:
        return
    for node in ast.walk(ast.parse(path.read_text())):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and node.level == 0:
            names = [node.module or ""]
        for name in names:
            assert name.partition(".")[0] not in FRAMEWORKS, f"{path}:{node.lineno} imports {name}"
