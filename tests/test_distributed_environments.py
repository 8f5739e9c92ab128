"""What launchers leave in the environment, a row each; nothing of it counts unless devices are asked for."""

from __future__ import annotations

import json

import numpy as np
import pytest

import multimlp as mm
from multimlp.distributed import _connecting
from multimlp.distributed._environments import Place, place, without_launchers
from multimlp.distributed._failures import gone, stuck, timeout
from multimlp.errors import InputError

TORCHRUN = {
    "RANK": "1",
    "WORLD_SIZE": "4",
    "LOCAL_RANK": "1",
    "MASTER_ADDR": "10.0.0.1",
    "MASTER_PORT": "29500",
}
SRUN = {
    "SLURM_PROCID": "3", "SLURM_STEP_NUM_TASKS": "8", "SLURM_LOCALID": "1", "SLURM_JOB_ID": "42", "SLURM_STEP_ID": "1",
    "SLURM_STEP_NODELIST": "node[07-09,12],other",
}  # fmt: skip
BATCH_SCRIPT = {"SLURM_PROCID": "0", "SLURM_NTASKS": "8", "SLURM_JOB_ID": "42"}
HYDRA = {"PMI_RANK": "1", "PMI_SIZE": "4", "MPI_LOCALRANKID": "1"}
OPEN_MPI = {"OMPI_COMM_WORLD_RANK": "2", "OMPI_COMM_WORLD_SIZE": "4", "OMPI_COMM_WORLD_LOCAL_RANK": "0"}
JAX = {"JAX_PROCESS_ID": "1", "JAX_NUM_PROCESSES": "2", "JAX_COORDINATOR_ADDRESS": "10.0.0.1:1234"}
OURS = {
    "MULTIMLP_RANK": "1", "MULTIMLP_SIZE": "2", "MULTIMLP_LOCAL_RANK": "1", "MULTIMLP_MEETING": "/tmp/x", "MULTIMLP_SECRET": "s",
}  # fmt: skip


def tf_config(kind, index, **cluster):
    return {"TF_CONFIG": json.dumps({"cluster": cluster, "task": {"type": kind, "index": index}})}


WORKERS = tf_config("worker", 1, worker=["a:1", "b:2"])

SLURM_PORT = 61_440 + (42 * 31 + 1) % 4_096


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, None),
        ({"HOME": "/root", "MASTER_ADDR": "10.0.0.1", "MASTER_PORT": "1"}, None),
        (TORCHRUN, Place("torchrun", 1, 4, 1)),
        (HYDRA, Place("mpiexec", 1, 4, 1)),
        (OPEN_MPI, Place("mpiexec", 2, 4, 0)),
        (SRUN, Place("srun", 3, 8, 1, f"node07:{SLURM_PORT}", "42.1")),
        ({**SRUN, "SLURM_STEP_NODELIST": "alone"}, Place("srun", 3, 8, 1, f"alone:{SLURM_PORT}", "42.1")),
        ({**SRUN, "SLURM_STEP_NODELIST": "a1-b,c"}, Place("srun", 3, 8, 1, f"a1-b:{SLURM_PORT}", "42.1")),
        ({**SRUN, "SLURM_STEP_NODELIST": "n[3]-ib"}, Place("srun", 3, 8, 1, f"n3-ib:{SLURM_PORT}", "42.1")),
        (
            {**SRUN, "SLURM_STEP_NODELIST": "r[1-2]n[03,5],x"},
            Place("srun", 3, 8, 1, f"r1n03:{SLURM_PORT}", "42.1"),
        ),
        (BATCH_SCRIPT, None),
        (JAX, Place("jax.distributed", 1, 2, 0, "10.0.0.1:1234")),
        (WORKERS, Place("TF_CONFIG", 1, 2, 0, "a:1")),
        (tf_config("worker", 0, worker=["b:2"], chief=["c:3"]), Place("TF_CONFIG", 1, 2, 0, "c:3")),
        (OURS, Place("multimlp", 1, 2, 1, "/tmp/x", "s")),
        ({**OURS, **TORCHRUN, **HYDRA}, Place("multimlp", 1, 2, 1, "/tmp/x", "s")),
        ({**SRUN, **TORCHRUN}, Place("torchrun", 1, 4, 1)),  # srun starts one torchrun a machine
        ({**SRUN, "PMI_RANK": "3", "PMI_SIZE": "8"}, Place("mpiexec", 3, 8)),
        ({**TORCHRUN, **HYDRA}, Place("torchrun", 1, 4, 1)),
        ({**HYDRA, "RANK": "7"}, Place("mpiexec", 1, 4, 1)),
    ],
)
def test_launchers_are_recognised(environment, expected, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name)
    assert place(environment) == expected


def test_mpi_that_is_not_installed_does_not_count_under_srun(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert place({**SRUN, "PMI_RANK": "3", "PMI_SIZE": "8"}).launcher == "srun"
    assert place(HYDRA).launcher == "mpiexec"  # nothing else is there, so that the error says what to install


@pytest.mark.parametrize(
    ("environment", "says"),
    [
        (
            {"WORLD_SIZE": "4"},
            "WORLD_SIZE is set, as by torchrun, but RANK, MASTER_ADDR, MASTER_PORT are not",
        ),
        ({"PMI_RANK": "0"}, "PMI_RANK is set, as by mpiexec, but PMI_SIZE is not; set all of them, or none"),
        ({**TORCHRUN, "RANK": "4"}, "RANK: expected a number below WORLD_SIZE=4, got 4"),
        ({**TORCHRUN, "WORLD_SIZE": "four"}, "WORLD_SIZE: expected an integer >= 0, got 'four'"),
        (
            {**TORCHRUN, **OPEN_MPI},
            "process 1 of 4 by RANK and WORLD_SIZE, but 2 of 4 by OMPI_COMM_WORLD_RANK",
        ),
        (
            {**TORCHRUN, **WORKERS},
            "1 of 4 by RANK and WORLD_SIZE, but 1 of 2 by TF_CONFIG; unset those of the launcher",
        ),
        ({**SRUN, "SLURM_STEP_NODELIST": ",a"}, "SLURM_STEP_NODELIST: expected names of machines"),
        ({"TF_CONFIG": "{"}, "TF_CONFIG: expected JSON with a cluster of workers"),
        (tf_config("ps", 0, worker=["a:1"], ps=["b:2"]), "a task that is one of them"),
        (tf_config("worker", 2, worker=["a:1", "b:2"]), "a task that is one of them"),
    ],
)
def test_contradictions_are_clear_errors(environment, says):
    with pytest.raises(InputError, match=says.replace("[", r"\[").replace("{", r"\{")):
        place(environment)


@pytest.mark.parametrize("environment", [TORCHRUN, HYDRA, JAX, WORKERS, OURS, {"WORLD_SIZE": "4"}])
def test_nothing_counts_unless_devices_are_asked_for(environment, monkeypatch):
    monkeypatch.setattr(_connecting, "_made", {})
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert mm.distributed.connect(1).size == 1
    assert (mm.distributed.rank(), mm.distributed.size(), mm.distributed.is_main()) == (0, 1, True)
    result = mm.fit(mm.MLP(1, 2, 1), np.zeros((4, 1)), np.zeros((4, 1)), loss="mse", epochs=1, progress=False)
    assert result.epochs == 1
    assert _connecting._made == {}


def test_processes_of_a_run_of_their_own_do_not_see_the_launchers():
    there = {
        **TORCHRUN,
        **HYDRA,
        **OPEN_MPI,
        **JAX,
        **WORKERS,
        **OURS,
        "PMI_FD": "3",
        "HOME": "/root",
        "SLURM_JOB_ID": "1",
    }
    assert without_launchers(there) == {"HOME": "/root", "SLURM_JOB_ID": "1"}


@pytest.mark.parametrize("devices", [0, -1, 1.5, "two", "2", "", True, [2], None])
def test_wrong_devices(devices):
    with pytest.raises(InputError, match="devices: expected"):
        mm.distributed.connect(devices)


def test_more_devices_than_processes():
    with pytest.raises(
        InputError, match="devices: expected 2 processes, but this process is alone; start as many"
    ):
        mm.distributed.connect(2)
    mm.distributed.disconnect()


def test_the_timeout_has_one_default(monkeypatch):
    assert timeout() == mm.distributed.TIMEOUT
    monkeypatch.setenv("MULTIMLP_TIMEOUT", " 12.5 ")
    assert timeout() == 12.5
    assert timeout(3) == 3
    for wrong in ("soon", "-1", "0", "nan", "inf"):
        monkeypatch.setenv("MULTIMLP_TIMEOUT", wrong)
        with pytest.raises(InputError, match="environment variable MULTIMLP_TIMEOUT: expected"):
            timeout()


def test_errors_name_the_checkpoint_once_it_is_known(tmp_path):
    assert "with checkpoint=... a run can be resumed" in str(gone("rank 1", "sum"))
    with mm.distributed.resuming_from(tmp_path / "run"):
        text = str(stuck("rank 1", "sum", 5.0))
    assert text.startswith(
        "rank 1 has not answered for 5 s, during sum; start all processes again with checkpoint="
    )
    assert str(tmp_path / "run") in text
    assert "raise MULTIMLP_TIMEOUT" in text
    with mm.distributed.resuming_from(None):
        assert "checkpoint=..." in str(gone("rank 1", "sum"))
