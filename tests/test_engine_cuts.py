"""Steps cut for threads of our own: the numbers of uncut ones, with the same bits by any number of threads."""

from __future__ import annotations

import dataclasses
import warnings
from typing import Any

import numpy as np
import pytest
from test_engine_inplace import AGAINST_PORTABLE, AGAINST_TORCH, Case, assert_near, run_inplace

from multimlp import losses, optimizers, regularizers
from multimlp.backend import load_backend
from multimlp.backends import _team
from multimlp.errors import InputError
from multimlp.training.engines import inplace, slices

CASES = [*AGAINST_TORCH, *AGAINST_PORTABLE]
PENALISED = Case(
    regularizer=regularizers.elastic_net(0.01, 0.02), optimizer=optimizers.adam(clip_norm=0.05), dropout=0.3
)
GROUPED = optimizers.grouped(optimizers.adam(0.01), {"bias": {"learning_rate": 0.1}})


@pytest.fixture
def cut(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Cut even the smallest problems; the number of threads is set by what the fixture is."""
    monkeypatch.setenv("MULTIMLP_THREADS", "own")
    for name, value in {
        "_FEWEST_EXAMPLES": 2, "_FEWEST_OPERATIONS": 1, "_ALIGNED": 1, "_FEWEST_WEIGHTS": 16
    }.items():  # fmt: skip
        monkeypatch.setattr(slices, name, value)
    return lambda count: monkeypatch.setattr(_team, "threads_available", lambda: count)


def same(found: Any, expected: Any) -> bool:
    return all(
        np.array_equal(a, b, equal_nan=True)
        for first, second in zip(found, expected, strict=True)
        for a, b in zip(first, second, strict=True)
    )


# ---- where


@pytest.mark.parametrize("members", [None, 3])
def test_slices_and_shares_cover_everything_once(members: int | None) -> None:
    rng = np.random.default_rng(0)
    for _ in range(300):
        shapes = [tuple(map(int, rng.integers(1, 900, 2))) for _ in range(rng.integers(1, 6))]
        parts = [part for share in slices.weight_shares(shapes) for part in share]
        rows = [(part.layer, i) for part in parts for i in range(part.start, part.stop)]
        assert rows == [(layer, i) for layer, (count, _) in enumerate(shapes) for i in range(count)]
        batch = int(rng.integers(1, 3000))
        found = slices.example_slices(batch, [a for a, _ in shapes] + [5], members)
        assert [i for each in found for i in range(batch)[each]] == list(range(batch))
        assert len(found) == 1 or (members is None and min(s.stop - s.start for s in found) >= 16)


def test_only_known_functions_are_cut(cut: Any) -> None:
    def parts(**change: Any) -> tuple[int, int]:
        problem = dataclasses.replace(Case().problem("numpy"), **change)
        engine: Any = inplace.build(problem, problem.model.init(dtype="float64"))
        return len(engine._cuts.examples(8)), len(engine._cuts.shares)

    assert parts() == (4, 4)
    assert parts(members=None, dtype="float32") == (4, 4)
    mine = dataclasses.replace(losses.mse, function=lambda o, y: losses.mse.function(o, y))
    assert parts(loss=mine) == (1, 1)


def test_a_problem_too_small_to_be_cut_is_one_task() -> None:
    engine: Any = inplace.build(Case().problem("numpy"), Case().params())
    engine.run(Case().chunk("numpy"), np.arange(22), 0)
    program = next(iter(engine._programs.values()))
    assert [len(phases) for phases in program._runs.phases] == [1] * program.steps
    assert [len(phase) for phase in program._runs.phases[0]] == [1]


# ---- the same numbers


@pytest.mark.parametrize("backend", ["numpy", "torch"])
@pytest.mark.parametrize("case", [*CASES, PENALISED, Case(optimizer=GROUPED)], ids=str)
def test_cut_steps_give_the_numbers_of_whole_ones(
    case: Case, backend: str, cut: Any, monkeypatch: Any
) -> None:
    cut(1)
    alone = run_inplace(case, backend, 2)
    cut(3)
    together = run_inplace(case, backend, 2)
    assert same(together, alone)
    monkeypatch.undo()
    for found, wanted in zip(alone, run_inplace(case, backend, 2), strict=True):
        assert_near(found, wanted, 1e-11)


def test_threads_that_help_overflow_as_quietly_as_the_one_that_waits(cut: Any) -> None:
    cut(3)
    case = Case(optimizer=optimizers.sgd(1e300), activation="relu")
    with warnings.catch_warnings(), load_backend("numpy").scope():
        warnings.simplefilter("error")
        params, _, _ = run_inplace(case, "numpy")
    assert not np.isfinite(params[0]).all()


@pytest.mark.parametrize("backend", ["numpy", "torch"])
def test_a_wrong_switch_is_refused_however_small_the_problem(backend: str, monkeypatch: Any) -> None:
    monkeypatch.setenv("MULTIMLP_THREADS", "mine")
    with pytest.raises(InputError, match="MULTIMLP_THREADS: expected library or own, got 'mine'"):
        run_inplace(Case(), backend)
