"""The page that says what is proved names tests that exist, and has a row for all that the README promises in bold."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "proof.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`((?:backends/)?\w+\.py)(?:::(\w+))?`", PAGE)))
IN_BOLD = re.findall(r"\*\*(.+?)\*\*", (ROOT / "README.md").read_text(encoding="utf-8"))


@cache
def functions(file):
    tree = ast.parse((ROOT / "tests" / file).read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize(("file", "function"), NAMED, ids="::".join)
def test_what_the_page_names_exists(file, function):
    assert not function or function in functions(file)


def test_the_page_names_tests():
    assert len(NAMED) > 30


@pytest.mark.parametrize("promise", IN_BOLD)
def test_each_promise_of_the_readme_has_a_row(promise):
    assert f"**{promise}**" in PAGE
