"""The documentation: formulas are readable everywhere, and the code of all pages runs."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pages
import pytest

pytest.importorskip("matplotlib")

from multimlp.backend import BUILTIN

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.parametrize("path", pages.PAGES, ids=pages.name)
def test_formulas_are_readable_where_the_repository_is_hosted_too(path):
    """There Markdown unescapes before the formula is set, and some macros are refused."""
    text = re.sub(r"```.*?```|`[^`]*`", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    for formula in re.findall(r"\$\$(.+?)\$\$|\$(.+?)\$", text, flags=re.DOTALL):
        assert not re.search(r"\\[^A-Za-z\n]|\\operatorname|\\DeclareMathOperator", "".join(formula)), formula


CLUSTERS = re.compile(r"^(import ray|from dask|shapes\.)", flags=re.MULTILINE)
"""Code of the guide that starts processes."""


@pytest.mark.parametrize("path", pages.CODE, ids=pages.name)
def test_the_code_in_the_guide_runs(path, tmp_path, monkeypatch):
    code = pages.code(path)
    for name in BUILTIN:
        if f'backend="{name}"' in "".join(code):
            pytest.importorskip(BUILTIN[name].module)
    monkeypatch.chdir(tmp_path)
    for file in (path.parent / path.stem).glob("*"):  # what a page speaks of
        shutil.copy(file, tmp_path)
    namespace = {}
    for block in code:
        if not CLUSTERS.search(block):
            exec(block, namespace)


@pytest.mark.slow
def test_the_script_in_the_readme_runs_on_two_processes(tmp_path):
    script = tmp_path / "two.py"
    script.write_text(pages.code(pages.README)[-1], encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(script)], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr
    first, second = eval(done.stdout)
    assert first == second
    assert len(first) == 10


@pytest.mark.slow
@pytest.mark.parametrize("name", ["dask", "ray"])
def test_the_code_in_the_guide_runs_on_a_local_cluster(name, tmp_path):
    pytest.importorskip("distributed" if name == "dask" else name)
    text = (ROOT / "docs" / "guide" / "many-models.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE)
    other = {"dask": "import ray", "ray": "from dask"}[name]
    needed = [block for block in blocks if other not in block and "mm.sweep" not in block]
    assert any(CLUSTERS.search(block) for block in needed)
    script = tmp_path / "page.py"
    body = "".join(f"    {line}\n" if line else "\n" for block in needed for line in block.splitlines())
    script.write_text(
        f"if __name__ == '__main__':\n{body}    print('fitted', len(shapes.cv_results_['params']))\n"
    )
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "RAY_USAGE_STATS_ENABLED": "0",
        "MULTIMLP_BACKEND": "numpy",
    }
    done = subprocess.run(
        [sys.executable, str(script)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        env=environment,
    )
    assert done.returncode == 0, done.stderr
    assert "fitted 4" in done.stdout
