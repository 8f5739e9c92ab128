"""Schedules against torch's schedulers and closed formulas; Python steps, arrays and compiled code agree."""

from __future__ import annotations

import math
import pickle

import numpy as np
import pytest
from libraries import COMPILED, every_library, run

from multimlp import schedules
from multimlp.backend import load_backend
from multimlp.errors import InputError

STEPS = 25

# schedule, and the rate at step t by a formula of its own
CASES = {
    "constant": (schedules.constant(0.3), lambda t: 0.3),
    "step": (schedules.step(0.5, every=4, factor=0.3), lambda t: 0.5 * 0.3 ** (t // 4)),
    "exponential": (schedules.exponential(0.5, 0.9, every=2), lambda t: 0.5 * 0.9 ** (t / 2)),
    "cosine": (
        schedules.cosine(0.5, steps=20, floor=0.1),
        lambda t: 0.3 + 0.2 * math.cos(math.pi * min(t, 20) / 20),
    ),
    "warm_up": (
        schedules.warm_up(5, schedules.exponential(0.5, 0.9)),
        lambda t: 0.5 * (t + 1) / 5 if t < 5 else 0.5 * 0.9 ** (t - 5),
    ),
    "flat_cosine": (
        schedules.flat_cosine(0.5, steps=20, flat=0.25),
        lambda t: 0.5 if t <= 5 else 0.25 * (1 + math.cos(math.pi * (min(t, 20) - 5) / 15)),
    ),
    "log_cosine": (
        schedules.log_cosine(0.5, steps=20),
        lambda t: 0.25 * (1 - math.cos(2 * math.pi * math.log2(1 + 15 * min(t, 20) / 20))),
    ),
    "piecewise": (
        schedules.piecewise([3, 10], [0.5, 0.2, 0.1]),
        lambda t: 0.5 if t < 3 else 0.2 if t < 10 else 0.1,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_formula(name):
    schedule, formula = CASES[name]
    assert [schedule(t) for t in range(STEPS)] == pytest.approx([formula(t) for t in range(STEPS)], rel=1e-14)


TORCH = {
    "step": (schedules.step(0.5, 4, 0.3), "StepLR", {"step_size": 4, "gamma": 0.3}),
    "exponential": (schedules.exponential(0.5, 0.9), "ExponentialLR", {"gamma": 0.9}),
    "cosine": (schedules.cosine(0.5, 24, 0.1), "CosineAnnealingLR", {"T_max": 24, "eta_min": 0.1}),
    "one_cycle": (
        schedules.one_cycle(0.5, 25, 0.4),
        "OneCycleLR",
        {"max_lr": 0.5, "total_steps": 25, "pct_start": 0.4},
    ),
}


@pytest.mark.filterwarnings("ignore:Detected call")
@pytest.mark.parametrize("name", TORCH)
def test_against_torch(name):
    torch = pytest.importorskip("torch")
    schedule, other, options = TORCH[name]
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.5)
    scheduler = getattr(torch.optim.lr_scheduler, other)(optimizer, **options)
    theirs = []
    for _ in range(STEPS):
        theirs.append(optimizer.param_groups[0]["lr"])
        if len(theirs) < STEPS:
            scheduler.step()
    assert [schedule(t) for t in range(STEPS)] == pytest.approx(theirs, rel=1e-9)


def test_the_tables_cover_every_name():
    assert {*CASES, *TORCH} == set(schedules.names())


ALL = {**{name: case[0] for name, case in CASES.items()}, **{name: case[0] for name, case in TORCH.items()}}


@every_library
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ALL)
def test_arrays_and_compiled_code_agree_with_python_steps(library, name, dtype):
    schedule, backend = ALL[name], load_backend(library)
    for compiled in {False, library in COMPILED}:
        for t in (0, 1, 7, 24):
            # The second argument carries the dtype into the compiled function.
            (got,) = run(
                library,
                lambda step, one: schedule(step, one.dtype),
                np.asarray(t, dtype=np.int32),
                np.ones((), dtype=dtype),
                compiled=compiled,
            )
            assert got.shape == ()
            assert got.dtype == dtype
            assert float(got) == pytest.approx(
                schedule(t), rel=16 * float(np.finfo(dtype).eps), abs=1e-7 * (dtype == "float32")
            )
    assert backend.name == library


@pytest.mark.parametrize("name", ALL)
def test_specs_and_pickles(name):
    schedule = ALL[name]
    assert schedules.get(schedule.to_spec()) == schedule == pickle.loads(pickle.dumps(schedule))


def test_own_callables():
    schedule = schedules.get(lambda t: 0.5 / (t + 1))
    assert schedule(3) == 0.125
    assert schedules.warm_up(2, 0.5)(9) == 0.5
    with pytest.raises(InputError, match="written down"):
        schedule.to_spec()


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: schedules.get({"name": "cosin"}), "Did you mean 'cosine'"),
        (lambda: schedules.get({"name": "cosine"}), "missing"),
        (lambda: schedules.get("cosine"), "missing"),
        (lambda: schedules.get(None), "expected a name"),
        (lambda: schedules.constant(-1), "value"),
        (lambda: schedules.cosine(0.1, steps=0), "steps"),
        (lambda: schedules.step(0.1, every=1.5), "positive integer of steps"),
        (lambda: schedules.piecewise([3, 2], [1, 2, 3]), "boundaries"),
        (lambda: schedules.piecewise([3], [1, 2, 3]), "boundaries"),
        (lambda: schedules.one_cycle(0.1, 3), "rising"),
    ],
)
def test_bad_input(call, words):
    with pytest.raises(InputError, match=words):
        call()
