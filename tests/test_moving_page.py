"""docs/guide/moving.md: its code and its commands, in the order of the page, on the files that go with it."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import pytest

from multimlp.cli import main

PAGE = Path(__file__).resolve().parents[1] / "docs" / "guide" / "moving.md"
FILES = PAGE.parent / "moving"


@pytest.mark.slow
def test_code_and_commands_run_in_the_order_of_the_page(tmp_path, monkeypatch, capsys):
    for package in ("torch", "jax", "keras", "flax", "sklearn", "onnxruntime", "optax"):
        pytest.importorskip(package)
    for file in FILES.iterdir():
        shutil.copy(file, tmp_path)
    monkeypatch.chdir(tmp_path)
    namespace = {}
    commands = 0
    blocks = re.findall(
        r"^```(python|console)\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
    )
    for kind, text in blocks:
        if kind == "python":
            exec(text, namespace)
            continue
        lines = text.splitlines()
        for line in (line for line in lines if line.startswith("$ multimlp ")):
            capsys.readouterr()
            assert main(shlex.split(line)[2:]) == 0, line
            said = " ".join(capsys.readouterr().out.split())
            assert "compute the same" in said or "--verify" not in line
            commands += 1
        shown = [line for line in lines if not line.startswith("$")]
        assert " ".join(shown) in said
    assert commands == 6
    assert namespace["report"].ok


def test_the_files_of_the_page_are_small():
    sizes = {file.name: file.stat().st_size for file in FILES.iterdir()}
    assert set(sizes) == {"lecture.params", "rows.csv", "outputs.csv"}
    assert sum(sizes.values()) < 50_000
