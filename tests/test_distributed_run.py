"""`multimlp.distributed.run`: results by rank, and every way in which it can fail, in bounded time."""

from __future__ import annotations

import math
import os
import subprocess
import sys
import time

import numpy as np
import pytest
from processes import environment

import multimlp as mm
from multimlp.errors import DistributedError, InputError, UnknownBackendError

SLOW = pytest.mark.slow


class UnsendableError(Exception):
    def __init__(self, one, two):
        super().__init__(one)


def everything(scale, what):
    """Many checks in one start of processes, which takes longest."""
    here = mm.distributed.current()
    total = here.sum(scale * np.arange(3.0) * (mm.distributed.rank() + 1))
    addresses = mm.distributed.addresses(here)
    return {
        "rank": mm.distributed.rank(),
        "size": mm.distributed.size(),
        "main": mm.distributed.is_main(),
        "local": mm.distributed.local_rank(),
        "backend": mm.get_backend().name,
        "kept": mm.distributed.connect("all") is here and mm.distributed.connect(2) is here,
        "alone": mm.distributed.connect(1).size,
        "wrong": refused(lambda: mm.distributed.connect(3)),
        "total": total.tolist(),
        "addresses": addresses,
        "threads": os.environ["OMP_NUM_THREADS"],
        "stray": [name for name in ("RANK", "PMI_RANK", "TF_CONFIG") if name in os.environ],
        "what": what,
    }


def refused(call):
    try:
        call()
    except InputError as error:
        return str(error)
    return "nothing"


def failing(how):
    if mm.distributed.rank() == 1:
        if how == "raise":
            raise ZeroDivisionError("one is no good")
        if how == "unsendable":
            raise UnsendableError("one", "two")
        if how == "die":
            os._exit(7)
        if how == "exit":
            sys.exit(0)
        if how == "lambda":
            return lambda: 0
        time.sleep(60)
    mm.distributed.current().sum(np.ones(2))


def test_results_come_by_rank(monkeypatch):
    for name, value in {"RANK": "5", "PMI_RANK": "7", "TF_CONFIG": "{}"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    first, second = mm.distributed.run(everything, args=(2.0, {"any": [1]}), timeout=60)
    assert (first.pop("rank"), second.pop("rank")) == (0, 1)
    assert (first.pop("main"), second.pop("main")) == (True, False)
    assert (first.pop("local"), second.pop("local")) == (0, 1)
    assert first == second
    assert first["size"] == 2
    assert first["backend"] == "numpy"
    assert first["kept"] is True
    assert first["alone"] == 1
    assert first["wrong"].startswith(
        "devices: expected 3 processes, but 2 processes were started; start as many"
    )
    assert first["total"] == [0.0, 6.0, 12.0]
    assert [address.partition(":")[0] for address in first["addresses"]] == ["127.0.0.1"] * 2
    assert len({*first["addresses"]}) == 2
    assert int(first["threads"]) == max(1, len(os.sched_getaffinity(0)) // 2)
    assert first["stray"] == []
    assert first["what"] == {"any": [1]}
    assert (mm.distributed.rank(), mm.distributed.size(), mm.distributed.is_main()) == (0, 1, True)


@pytest.mark.parametrize(
    ("how", "error", "says"),
    [
        ("raise", ZeroDivisionError, "one is no good"),
        pytest.param(
            "die", DistributedError, "rank 1 of 2 ended with exit code 7, before it returned", marks=SLOW
        ),
        pytest.param(
            "exit", DistributedError, "rank 1 of 2 raised an error:(?s:.*)SystemExit: 0", marks=SLOW
        ),
        pytest.param("unsendable", DistributedError, "rank 1 of 2 raised an error:\nTraceback", marks=SLOW),
        pytest.param("lambda", TypeError, "what the function returned cannot be sent", marks=SLOW),
        pytest.param("hang", DistributedError, "after 3 s rank", marks=SLOW),
    ],
)
def test_an_error_in_one_process_is_raised_here_and_ends_the_others(how, error, says):
    begun = time.perf_counter()
    with pytest.raises(error, match=says) as caught:
        mm.distributed.run(failing, args=(how,), timeout=3 if how == "hang" else 60)
    assert time.perf_counter() - begun < 30
    if how == "raise":
        (note,) = caught.value.__notes__
        assert note.startswith("rank 1 of 2 raised an error:\nTraceback")
        assert "in failing" in note


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (
            {"function": lambda: 0},
            "function: .* cannot be sent to other processes .* at the top level of a module",
        ),
        ({"function": 3}, "function: expected a callable, got 3"),
        ({"args": (lambda: 0,)}, "function: .* or its arguments cannot be sent"),
        ({"args": "ab"}, "args: expected a sequence of arguments, got 'ab'"),
        ({"args": 3}, "args: expected a sequence of arguments, got 3"),
        ({"processes": 0}, "processes: expected a positive integer, got 0"),
        ({"processes": 2.5}, "processes: expected a positive integer"),
        ({"backend": 3}, "backend: expected the name of a backend, got 3"),
        ({"timeout": 0}, "timeout: expected a number in"),
        ({"timeout": "long"}, "timeout: expected a number"),
    ],
)
def test_wrong_arguments_start_nothing(change, says):
    call = {"function": refused, "timeout": 60, **change}
    with pytest.raises(InputError, match=says):
        mm.distributed.run(call.pop("function"), **call)


@pytest.mark.slow
def test_an_unknown_backend():
    with pytest.raises(UnknownBackendError, match="torhc"):
        mm.distributed.run(refused, processes=1, backend="torhc", timeout=60)


UNGUARDED = """
import multimlp as mm

def rank():
    return mm.distributed.rank()

{guard}print(mm.distributed.run(rank, processes=2, timeout=60))
"""


@pytest.mark.parametrize(
    ("guard", "from_file", "says"),
    [
        pytest.param('if __name__ == "__main__": ', True, "[0, 1]", marks=SLOW),
        pytest.param("", True, 'put what starts them under: if __name__ == "__main__":', marks=SLOW),
        pytest.param("", False, "[0, 1]", marks=SLOW),
    ],
    ids=["script", "unguarded", "session"],
)
def test_scripts_and_sessions(guard, from_file, says, tmp_path):
    """A session, like a notebook, has no file that other processes could import."""
    if not from_file:
        pytest.importorskip("cloudpickle")
    text = UNGUARDED.format(guard=guard)
    (tmp_path / "script.py").write_text(text)
    done = subprocess.run(
        [sys.executable, str(tmp_path / "script.py") if from_file else "-"],
        input=None if from_file else text,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert says in done.stdout + done.stderr
    assert (done.returncode == 0) == says.startswith("[")


def test_modules_of_the_current_folder_do_not_stand_for_those_of_the_library(tmp_path, monkeypatch):
    for name in ("random", "queue", "multimlp"):
        (tmp_path / f"{name}.py").write_text("raise RuntimeError('not this one')")
    monkeypatch.chdir(tmp_path)
    assert mm.distributed.run(math.sqrt, 1, args=(9.0,), timeout=60) == [3.0]
