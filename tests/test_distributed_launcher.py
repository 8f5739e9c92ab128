"""The launcher of one machine: what it shows, how it ends, whom it blames, and that it starts again."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import pytest
from processes import environment, outputs, python

from multimlp.distributed import _launcher, _processes
from multimlp.distributed._launcher import launch

PROGRAM = """
import sys
from multimlp.distributed._launcher import launch
sys.exit(launch(sys.argv[1:], 2, timeout=60, note=lambda text: print("note:", text, file=sys.stderr)))
"""


def _launched(mode, folder, capfd, **options):
    notes = []
    code = launch(python("launched_worker.py", mode, folder), 2, note=notes.append, **options)
    out, err = capfd.readouterr()
    return code, notes, out, err


@pytest.fixture(autouse=True)
def _surroundings(monkeypatch):
    for name, value in environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(_launcher, "MARGIN", 0.5)
    monkeypatch.setattr(_processes, "SECONDS_TO_END", 1.0)


def test_a_process_that_is_killed_ends_all_and_all_are_started_again(tmp_path, capfd):
    code, notes, out, err = _launched("killed once", tmp_path, capfd, restarts=2, timeout=30)
    assert code == 0
    assert notes == ["rank 1 of 2 was killed by SIGKILL; starting all again (1 of 2)"]
    assert out.splitlines() == ["rank 0 of 2", "rank 0 of 2", "done"]
    assert "DistributedError: rank 1 is gone, during sum number" in err


@pytest.mark.slow
def test_no_restart_is_left(tmp_path, capfd):
    code, notes, _, _ = _launched("killed", tmp_path, capfd, restarts=1, timeout=30)
    assert code == 128 + signal.SIGKILL
    assert notes == [
        "rank 1 of 2 was killed by SIGKILL; starting all again (1 of 1)",
        "rank 1 of 2 was killed by SIGKILL; all processes were ended",
    ]


def test_bad_usage_is_not_tried_again(tmp_path, capfd):
    code, notes, out, err = _launched("usage", tmp_path, capfd, restarts=5, timeout=30)
    assert code == 2
    assert notes == ["rank 1 of 2 ended with exit code 2; all processes were ended"]
    assert out == "rank 0 of 2\n"
    assert "[rank 1] this is not how it is used" in err


def test_a_process_without_progress_ends_all_and_is_named(tmp_path, capfd):
    begun = time.monotonic()
    code, notes, _, _ = _launched("stuck", tmp_path, capfd, timeout=2)
    assert code == 1
    assert notes == [
        "rank 1 made no progress for 2.5 s; if it was at work, raise MULTIMLP_TIMEOUT; all processes were ended"
    ]
    assert time.monotonic() - begun < 20


@pytest.mark.parametrize("number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)])
def test_signals_are_passed_on_once(number, tmp_path):
    command = [sys.executable, "-c", PROGRAM, *python("launched_worker.py", "interrupted", tmp_path)]
    with subprocess.Popen(
        command, env=environment(), text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        try:
            end = time.monotonic() + 30
            while len(list(tmp_path.glob("ready-*"))) < 2 and time.monotonic() < end:
                time.sleep(0.05)
            process.send_signal(number)
            _, err = process.communicate(timeout=20)
        finally:
            process.kill()
    assert process.returncode == 128 + number, err
    assert len(list(tmp_path.glob("interrupted-*"))) == (2 if number == signal.SIGINT else 0)
    assert "note:" not in err


@pytest.mark.slow
def test_processes_end_with_the_one_that_started_them(tmp_path):
    command = [sys.executable, "-c", PROGRAM, *python("launched_worker.py", "interrupted", tmp_path)]
    with subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE) as process:
        end = time.monotonic() + 30
        while len(list(tmp_path.glob("ready-*"))) < 2 and time.monotonic() < end:
            time.sleep(0.05)
        process.kill()
        assert process.stdout is not None
        begun = time.monotonic()
        process.stdout.read()  # its end is that of the last who could write to it
        assert time.monotonic() - begun < 10


@pytest.mark.slow
def test_a_launcher_of_others_starts_them_too(tmp_path):
    """torchrun, as its documentation has it."""
    pytest.importorskip("torch")
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--standalone"]
    ((code, out, err),) = outputs(
        [[*command, *python("launched_worker.py", "fine", tmp_path)[1:]]], environment(), 120
    )
    assert code == 0, err
    assert sorted(out.splitlines()) == ["done", "done", "rank 0 of 2", "rank 1 of 2"]
