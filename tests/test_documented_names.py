"""Every path such as ``multimlp.x.y`` or ``mm.x.y`` that documentation, README and docstrings name leads somewhere."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from multimlp.errors import MissingDependencyError

ROOT = Path(__file__).resolve().parent.parent
PATH = re.compile(r"(?<![\w./-])(?:multimlp|mm)(?:\.[A-Za-z_]\w*)+(?![\w/(-]*\.(?:py|md|toml))")
CODE = re.compile(r"^(`{3,}).*?^\1|``(.+?)``|`([^`]+)`", re.DOTALL | re.MULTILINE)
"""What stands in code blocks and between backticks."""

FILE_KEYS = {
    f"multimlp.{key}"
    for key in ("checkpoint", "estimator", "extra", "format_version", "run", "tree", "tree_version")
}
"""Not Python: keys in the header of a saved file."""

PAGES = [
    path
    for path in (*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md")))
    if "_build" not in path.parts and path.name != "CHANGELOG.md"  # which names what is gone
]
API = sorted((ROOT / "docs" / "api").glob("*.rst"))
MODULES = sorted([*(ROOT / "multimlp").rglob("*.py"), *(ROOT / "backends").rglob("*.py")])


def _named(text: str) -> Iterator[str]:
    """The paths in the code of a page or docstring."""
    for found in CODE.finditer(text):
        yield from PATH.findall(found[0])


def _in_strings(path: Path) -> Iterator[str]:
    """The paths in the docstrings of a module, in the backticks of its messages and in its examples."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from _named(node.value)
            for line in node.value.splitlines():
                if line.lstrip().startswith((">>>", "...")):
                    yield from PATH.findall(line)


def _exists(path: str) -> bool:
    """Whether a path leads to a module, or to an attribute of one or of a class."""
    parts = ["multimlp", *path.split(".")[1:]]
    for depth in range(len(parts), 0, -1):
        try:
            found: object = importlib.import_module(".".join(parts[:depth]))
        except MissingDependencyError:
            return True  # an optional library is not here to tell
        except ModuleNotFoundError as error:
            if not (error.name or "").startswith("multimlp"):
                return True
            continue
        for part in parts[depth:]:
            if not hasattr(found, part) and part not in getattr(found, "__annotations__", {}):
                return False
            found = getattr(found, part, None)
        return True
    return False


def _missing(paths: Iterator[str]) -> list[str]:
    return sorted(path for path in set(paths) - FILE_KEYS if not _exists(path))


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_pages_name_what_exists(page):
    assert _missing(_named(page.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize("page", API, ids=lambda path: path.name)
def test_reference_pages_name_what_exists(page):
    assert _missing(iter(PATH.findall(page.read_text(encoding="utf-8")))) == []


def test_docstrings_name_what_exists():
    named = (path for module in MODULES for path in _in_strings(module))
    assert _missing(named) == []


def test_what_moved_is_where_the_change_log_says():
    rows = re.findall(r"^ *\|.*?\|(.*)\|$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    named = [path for row in rows for path in _named(row)]
    assert "multimlp.backend.load_backend" in named
    assert _missing(iter(named)) == []


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        ("see `multimlp.backend.Backend` and ``mm.tree.map``", []),
        ("see `multimlp.registry`", ["multimlp.registry"]),
        ("```python\nmm.activations.rleu(x)\n```", ["mm.activations.rleu"]),
        ("`multimlp.errors.InputErorr`", ["multimlp.errors.InputErorr"]),
        ("the module multimlp.registry, in prose", []),
    ],
)
def test_missing_names_are_seen(text, missing):
    assert _missing(_named(text)) == missing
