"""The launcher of one machine: what it shows, how it ends, whom it blames, and that it starts again."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from processes import environment, mpi_environment, mpi_file, outputs, python, started

from multimlp.cli import main, train
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


@pytest.mark.slow
def test_bad_usage_is_not_tried_again(tmp_path, capfd):
    code, notes, out, err = _launched("usage", tmp_path, capfd, restarts=5, timeout=30)
    assert code == 2
    assert notes == ["rank 1 of 2 ended with exit code 2; all processes were ended"]
    assert out == "rank 0 of 2\n"
    assert "[rank 1] this is not how it is used" in err


@pytest.mark.slow
def test_a_process_without_progress_ends_all_and_is_named(tmp_path, capfd):
    begun = time.monotonic()
    code, notes, _, _ = _launched("stuck", tmp_path, capfd, timeout=2)
    assert code == 1
    assert notes == [
        "rank 1 made no progress for 2.5 s; if it was at work, raise MULTIMLP_TIMEOUT; all processes were ended"
    ]
    assert time.monotonic() - begun < 20


@pytest.mark.slow
def test_one_that_others_miss_is_named_not_who_misses_it(tmp_path, capfd):
    code, notes, _, err = _launched("silent", tmp_path, capfd, timeout=5)
    assert code == 1
    assert "rank 1 has not answered for 5 s, during sum number 4" in err
    assert notes == ["rank 1 did not answer the others; all processes were ended"]


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
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
        [[*command, *python("launched_worker.py", "fine", tmp_path)[1:]]], environment(), 300
    )
    assert code == 0, err
    # both write to one pipe, and their lines may fall into each other
    assert sorted(re.findall(r"done|rank \d of 2", out)) == ["done", "done", "rank 0 of 2", "rank 1 of 2"]


def _by_hand(tmp_path, variables):
    """Two processes that somebody started with these variables, all of which may hold the rank."""
    commands = python("launched_worker.py", "fine", tmp_path)
    shared = {name: str(value) for name, value in variables.items() if not callable(value)}
    own = [
        {name: str(value(rank)) for name, value in variables.items() if callable(value)} for rank in (0, 1)
    ]
    with contextlib.ExitStack() as all_of_them:
        both = [
            all_of_them.enter_context(started([commands], environment(**shared, **each)))[0] for each in own
        ]
        return [(process.communicate(timeout=60), process.returncode) for process in both]


def _free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@pytest.mark.slow
@pytest.mark.parametrize("launcher", ["srun", "TF_CONFIG", "jax"])
def test_processes_started_by_others_find_each_other(launcher, tmp_path):
    """As the launchers leave their environments; none of the libraries is needed."""
    workers = [f"127.0.0.1:{_free_port()}", f"127.0.0.1:{_free_port()}"]
    variables = {
        "srun": {
            "SLURM_PROCID": lambda rank: rank, "SLURM_LOCALID": lambda rank: rank, "SLURM_STEP_NUM_TASKS": 2,
            "SLURM_STEP_NODELIST": "localhost", "SLURM_JOB_ID": os.getpid(), "SLURM_STEP_ID": 0,
        },
        "TF_CONFIG": {
            "TF_CONFIG": lambda rank: json.dumps(
                {"cluster": {"worker": workers}, "task": {"type": "worker", "index": rank}}
            )
        },
        "jax": {
            "JAX_PROCESS_ID": lambda rank: rank, "JAX_NUM_PROCESSES": 2, "JAX_COORDINATOR_ADDRESS": workers[0],
        },
    }[launcher]  # fmt: skip
    found = _by_hand(tmp_path, variables)
    assert [code for _, code in found] == [0, 0], found
    assert [out for (out, _), _ in found] == [f"rank {rank} of 2\ndone\n" for rank in (0, 1)]


TRAIN = [
    sys.executable,
    "-m",
    "multimlp",
    "train",
    "digits",
    "--backend",
    "numpy",
    "--dtype",
    "float64",
    "--json",
    "--no-progress",
]


def _trained(*more, **variables):
    ((code, out, err),) = outputs([[*TRAIN, *more]], environment(**variables), 300)
    return code, json.loads(out)["runs"][0] if out else None, err


@pytest.mark.slow
def test_the_command_trains_in_processes_and_goes_on_after_one_was_killed(tmp_path):
    pytest.importorskip("sklearn")
    epochs = ["--epochs", "40"]
    code, alone, err = _trained(*epochs)
    assert code == 0, err
    command = [
        *TRAIN,
        *epochs,
        "--processes",
        "2",
        "--checkpoint",
        str(tmp_path / "run.safetensors"),
        "--restarts",
        "1",
    ]
    with started([command], environment()) as (process,):
        end = time.monotonic() + 60
        while not (tmp_path / "run.safetensors").exists() and time.monotonic() < end:
            time.sleep(0.01)
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        os.kill(int(children[1]), signal.SIGKILL)
        out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    assert "rank 1 of 2 was killed by SIGKILL; starting all again (1 of 1)" in err
    (shared,) = json.loads(out)["runs"]
    assert shared["group"]["processes"] == 2
    assert shared["epochs"] == 40
    np.testing.assert_allclose(shared["history"]["loss"], alone["history"]["loss"], rtol=1e-12)


@pytest.mark.slow
def test_the_command_under_mpiexec(tmp_path):
    pytest.importorskip("sklearn")
    command = [mpi_file("mpiexec"), "-n", "2", *TRAIN, "--epochs", "2", "--devices", "all"]
    ((code, out, err),) = outputs([command], mpi_environment(), 300)
    assert code == 0, err
    assert json.loads(out)["runs"][0]["group"]["carrier"] == "mpi"
    ((code, out, err),) = outputs([[*command, "--test-size", "7"]], mpi_environment(), 200)
    assert code == 2, err
    assert out == ""


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (["--restarts", "1"], "--restarts: starts the processes of --processes again"),
        (["--processes", "2", "--restarts", "1"], "--restarts: needs --checkpoint FILE"),
        (["--processes", "0"], "--processes: expected a positive integer, got 0"),
        (["--processes", "2", "--devices", "3"], "--devices: all 2 processes of --processes share the work"),
        (["--devices", "2"], "devices: expected 2, one per process, but this process is alone"),
        (["--devices", "some", "--device", "cpu"], "device, devices: both say where training runs"),
        (
            ["--checkpoint", "c.safetensors", "--backend", "numpy,strict"],
            "--checkpoint: belongs to one run, but 2 would be trained",
        ),
    ],
)
def test_wrong_options_of_the_command(more, says, capsys, tmp_path, monkeypatch):
    pytest.importorskip("sklearn")
    monkeypatch.chdir(tmp_path)
    assert main(["train", "iris", "--backend", "numpy", "--epochs", "1", *more]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert says in err


def test_the_options_of_the_launcher_are_not_passed_on():
    given = [
        "train",
        "digits",
        "--processes",
        "2",
        "--restarts=3",
        "--hidden",
        "8",
        "--devices",
        "all",
        "--json",
    ]
    left = train._without(given, "--processes", "--restarts", "--devices")
    assert left == ["train", "digits", "--hidden", "8", "--json"]


@pytest.mark.slow
@pytest.mark.parametrize("library", ["torch", "jax"])
def test_processes_that_a_program_has_joined_itself_are_used_as_they_are(library, tmp_path):
    pytest.importorskip(library)
    address = f"127.0.0.1:{_free_port()}"
    files = [tmp_path / f"{rank}.npz" for rank in (0, 1)]
    commands = [python("joined_worker.py", library, address, rank, files[rank]) for rank in (0, 1)]
    found = outputs(commands, environment(), 200)
    assert [code for code, *_ in found] == [0, 0], found
    import data_parallel_cases as cases

    vector, history = cases.fitted("dropout", library)
    first, second = map(np.load, files)
    assert np.array_equal(first["vector"], second["vector"])
    assert np.abs(first["vector"] - vector).max() < 1e-12
    assert np.abs(first["loss"] - history["loss"]).max() < 1e-12
