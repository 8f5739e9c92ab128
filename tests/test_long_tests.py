"""The table of tests that wait names tests that there are."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from long_tests import LONG, is_long


@pytest.mark.parametrize("file", sorted({name.partition("::")[0] for name in LONG}))
def test_every_entry_is_a_test(file):
    tree = ast.parse((Path(__file__).parent / file).read_text(encoding="utf-8"))
    functions = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    missing = [
        name for name in LONG if name.startswith(f"{file}::") and name.partition("::")[2] not in functions
    ]
    assert not missing


def test_the_pattern_is_looked_for_between_the_brackets():
    file, function = "test_sweep.py", "test_backends"
    assert is_long(file, f"{function}[jax-adam]")
    assert not is_long(file, f"{function}[jax-sgd]")
    assert is_long("test_parity_mutants.py", "test_a_mutant_of_compiled_programs_is_found[any]")
