"""The guide "From one core to a cluster": each command is run as it stands there."""

from __future__ import annotations

import re
import stat
import sys
from pathlib import Path

import pytest
from processes import mpi_environment, mpi_file, outputs

PAGE = (Path(__file__).parent.parent / "docs" / "guide" / "cluster.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^```console\n(.*?)^```", PAGE, flags=re.DOTALL | re.MULTILINE)

SRUN = '''#!{python}
"""In the place of Slurm's: starts the processes of a step with the variables that srun sets, and nothing else of it."""
import os, subprocess, sys

assert sys.argv[1] == "--ntasks"
size = int(sys.argv[2])
shared = {{"SLURM_STEP_NUM_TASKS": str(size), "SLURM_STEP_NODELIST": "localhost", "SLURM_JOB_ID": str(os.getpid())}}
own = [{{"SLURM_PROCID": str(rank), "SLURM_LOCALID": str(rank)}} for rank in range(size)]
steps = [subprocess.Popen(sys.argv[3:], env=os.environ | shared | each) for each in own]
sys.exit(max(step.wait() for step in steps))
'''


def _bin(folder: Path) -> str:
    """The commands of this interpreter under their names, which need not be on the path of whoever tests."""
    folder.mkdir()
    texts = {
        "multimlp": f'#!/bin/sh\nexec {sys.executable} -m multimlp "$@"\n',
        "torchrun": f'#!/bin/sh\nexec {sys.executable} -m torch.distributed.run "$@"\n',
        "mpiexec": f'#!/bin/sh\nexec {mpi_file("mpiexec")} "$@"\n',
        "srun": SRUN.format(python=sys.executable),
    }
    for name, text in texts.items():
        (folder / name).write_text(text)
        (folder / name).chmod(stat.S_IRWXU)
    return str(folder)


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS, ids=lambda text: re.sub(r"\W+", "-", text)[:60])
def test_commands_run_as_written(command, tmp_path, monkeypatch):
    pytest.importorskip("sklearn")
    for library in re.findall(r"--backend (\w+)", command):
        pytest.importorskip(library)
    environment = mpi_environment(TF_CPP_MIN_LOG_LEVEL="3")
    environment["PATH"] = f"{_bin(tmp_path / 'bin')}:{environment['PATH']}"
    monkeypatch.chdir(tmp_path)
    ((code, out, err),) = outputs([["bash", "-c", f"set -e\n{command}\nwait"]], environment, 180)
    assert code == 0, err
    assert out.count("test accuracy") == 1, "one rank shows the results"
    assert "shared by 2 processes" in out


@pytest.mark.slow
def test_the_script_runs(tmp_path, monkeypatch):
    (script,) = re.findall(r"^```python\n(.*?)^```", PAGE, flags=re.DOTALL | re.MULTILINE)
    (tmp_path / "script.py").write_text(script)
    monkeypatch.chdir(tmp_path)
    ((code, out, err),) = outputs([[sys.executable, "script.py"]], mpi_environment(), 120)
    assert code == 0, err
    assert out == "trained by 2 processes\n"


def test_the_page_shows_every_launcher():
    shown = "".join(COMMANDS)
    for launcher in ("--processes 2", "torchrun", "mpiexec", "srun", "JAX_COORDINATOR_ADDRESS", "TF_CONFIG"):
        assert launcher in shown
