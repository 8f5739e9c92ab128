"""Threads of our own: every task once, phases in order, errors of any thread, Ctrl-C, forks, callers side by
side."""

from __future__ import annotations

import contextvars
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from typing import Any

import numpy as np
import pytest
from test_threads import together

from multimlp.backends import _team
from multimlp.backends._team import Team, run_alone


@pytest.fixture(autouse=True)
def three_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_team, "threads_available", lambda: 3)


def recorded(phases: int, most: int, log: list[tuple[int, int]], pause: float = 0.0) -> list[Any]:
    """Phases of up to so many tasks that write down when they are made."""

    def task(i: int, j: int) -> tuple[Any, ...]:
        return (lambda: time.sleep(random.random() * pause), lambda: log.append((i, j)))

    return [tuple(task(i, j) for j in range(1 + i % most)) for i in range(phases)]


@pytest.mark.parametrize("pause", [0.0, 1e-4])
def test_each_task_is_made_once_and_phases_do_not_overlap(pause: float) -> None:
    team = Team(lambda: None)
    for most in (1, 2, 3, 7):
        log: list[tuple[int, int]] = []
        team.run(recorded(100, most, log, pause))
        assert [i for i, _ in log] == sorted(i for i, _ in log)
        assert Counter(log) == Counter((i, j) for i in range(100) for j in range(1 + i % most))
    team.run([])


def test_callers_side_by_side_do_not_share_helpers() -> None:
    team = Team(lambda: None)
    logs: list[list[tuple[int, int]]] = [[] for _ in range(4)]
    expected: list[tuple[int, int]] = []
    run_alone(recorded(50, 5, expected))

    def work(log: list[tuple[int, int]]) -> bool:
        for _ in range(20):
            log.clear()
            team.run(recorded(50, 5, log, 1e-5))
            assert sorted(log) == expected
        return True

    assert all(together(*[lambda log=log: work(log) for log in logs]))
    assert len(team._helpers) == 2


def met() -> tuple[list[str], Any]:
    """A task that two threads must make at the same time, and their names."""
    barrier, names = threading.Barrier(2, timeout=20), []

    def task() -> None:
        barrier.wait()
        names.append(threading.current_thread().name)

    return names, (task,)


@pytest.mark.parametrize("where", ["the caller", "a helper", "both"])
def test_an_error_of_any_thread_is_raised_when_all_have_come_to_rest(where: str) -> None:
    team, main, after = Team(lambda: None), threading.current_thread(), []
    names, meeting = met()

    def fail() -> None:
        mine = threading.current_thread() is main
        if where == "both" or mine == (where == "the caller"):
            raise KeyError(where)
        time.sleep(0.02)
        after.append("rest")

    with pytest.raises(KeyError, match=where):
        team.run([((*meeting, fail),) * 2, ((lambda: after.append("next phase"),),) * 2])
    assert len(set(names)) == 2
    assert after == ([] if where == "both" else ["rest"])
    log: list[tuple[int, int]] = []
    team.run(recorded(20, 3, log))
    assert len(log) == sum(1 + i % 3 for i in range(20))


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no timer signals here")
def test_an_interrupt_at_any_moment_leaves_nobody_at_work() -> None:
    """Ctrl-C as a second one is: an exception anywhere in the caller, while it works, waits or opens a phase."""
    team, active = Team(lambda: None), []

    def work() -> None:
        active.append(1)
        np.dot(A, A)
        active.pop()

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    A = np.ones((60, 60))
    phases = [((work,),) * (1 + j % 3) for j in range(20_000)]
    previous = signal.signal(signal.SIGALRM, interrupt)
    try:
        for i in range(60):
            active.clear()
            try:
                signal.setitimer(signal.ITIMER_REAL, 1e-4 * (1 + i))
                team.run(phases)
            except KeyboardInterrupt:
                pass
            before = len(active)
            time.sleep(0.001)
            assert len(active) == before <= 1  # the caller's own, which was cut short
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
    log: list[tuple[int, int]] = []
    team.run(recorded(20, 3, log))
    assert len(log) == sum(1 + i % 3 for i in range(20))


def test_helpers_have_the_context_of_the_caller_and_settings_of_their_own() -> None:
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="none")
    local = threading.local()
    team, seen = Team(lambda: setattr(local, "set", True)), []
    for value in ("first", "second"):
        variable.set(value)
        _, meeting = met()
        look = lambda: seen.append((variable.get(), getattr(local, "set", False)))  # noqa: E731
        team.run([((*meeting, look),) * 2])
    assert [value for value, _ in seen] == ["first", "first", "second", "second"]
    assert sorted(is_set for _, is_set in seen) == [False, False, True, True]


FORKED = """
import os
import numpy as np
import multimlp as mm
from multimlp import tree
from multimlp.backends import _team

_team.threads_available = lambda: 2
X = np.random.default_rng(0).standard_normal((128, 64)).astype("f")

def fit():
    mlp = mm.MLP(64, (400, 400), 2)
    result = mm.fit(mlp, X, (X[:, 0] > 0).astype(int), epochs=1, batch_size=128, backend="numpy", progress=False)
    return b"".join(leaf.tobytes() for leaf in tree.leaves(result.params))

before = fit()
child = os.fork()
if not child:
    os._exit(0 if fit() == before else 3)
raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) or fit() != before)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_forked_child_trains_with_helpers_of_its_own() -> None:
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", FORKED], timeout=120, check=False)
    assert done.returncode == 0
