"""Steps that are recorded and replayed, as on a GPU, against steps that are run: on the CPU, with a stand-in for the graph."""

from __future__ import annotations

import itertools
import warnings
from typing import Any

import numpy as np
import pytest

import multimlp as mm
from multimlp import optimizers, schedules
from multimlp.backend import Kernels, Recorder, load_backend
from multimlp.training.engines import inplace
from multimlp.training.engines.inplace.runs import parts

torch = pytest.importorskip("torch")
from recorded import RecordedOnCpu  # noqa: E402 - it needs torch
from test_engine_inplace import (  # noqa: E402
    AGAINST_PORTABLE,
    AGAINST_TORCH,
    SCHEDULED,
    Case,
    assert_near,
    run_inplace,
    trained,
)

EPOCHS = 6
"""Each part of an epoch warms up in the first, is recorded in the second, and replayed from then on."""


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> RecordedOnCpu:
    """All of torch's kernels record with this one."""
    from multimlp.backends.torch._inplace import TorchKernels

    found = RecordedOnCpu()
    monkeypatch.setattr(TorchKernels, "recorder", found)
    return found


def compared(case: Case, recorder: RecordedOnCpu, tolerance: float) -> None:
    found = run_inplace(case, "torch", EPOCHS)
    assert recorder.recorded == 2, "whole batches and the ragged one"
    assert recorder.replayed == 2 * (EPOCHS - 1)
    recorder.recorded = recorder.replayed = 0
    recorder.usable = False
    for ours, wanted in zip(found, run_inplace(case, "numpy", EPOCHS), strict=True):
        assert_near(ours, wanted, tolerance)
    recorder.usable = True


CASES = [
    pytest.param(case, id=str(case), marks=pytest.mark.slow if i % 5 or case.hidden == () else ())
    for i, case in enumerate(AGAINST_TORCH + AGAINST_PORTABLE)
] + [Case(optimizer=SCHEDULED, dropout=0.3, members=2), Case(loss="huber", weighted=True, activation="gelu")]
"""All that the engine's own tests compare; a fifth of them by default."""


@pytest.mark.parametrize("case", CASES, ids=str)
def test_replayed_steps_are_the_steps(case: Case, recorder: RecordedOnCpu) -> None:
    compared(case, recorder, 1e-10)


def test_in_float32_too(recorder: RecordedOnCpu) -> None:
    """There torch's fused updates read the learning rate from a tensor."""
    for optimizer in (SCHEDULED, optimizers.sgd(schedules.cosine(0.1, 20), momentum=0.9, nesterov=True)):
        compared(Case(optimizer=optimizer, dtype="float32", dropout=0.3), recorder, 2e-4)


@pytest.mark.parametrize(
    "case",
    [
        Case(optimizer=optimizers.sgd(schedules.cosine(0.3, 20))),
        Case(optimizer=optimizers.nadam(0.05)),
        Case(optimizer=optimizers.adam(0.05)),
        Case(dropout=0.3),
    ],
    ids=str,
)
def test_numbers_of_python_that_change_would_be_noticed(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same program without the arrays that its numbers are to be read from: the stand-in replays those of the first time."""
    problem, recorder = case.problem("torch"), RecordedOnCpu()
    engine: Any = inplace.build(problem, case.params("torch"))
    update, first = engine._update, case.dropout == 0
    program_of = engine._program

    def program(*args: Any) -> Any:
        found = program_of(*args)  # made for steps that are run ...
        engine._kernels.recorder = recorder  # ... and then recorded
        return found

    monkeypatch.setattr(engine, "_program", program)
    assert update._live is None
    found, _, _ = trained(engine, case, "torch", EPOCHS)
    assert recorder.recorded, first
    wanted, _, _ = run_inplace(case, "numpy", EPOCHS)
    assert max(np.abs(a - b).max() for a, b in zip(found, wanted, strict=True)) > 1e-6


def test_the_arrays_are_all_that_is_read_on_any_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """The primitives that CuPy uses, on NumPy's arrays: rates, corrections and step numbers in arrays of shape ()."""
    from multimlp.backends.numpy.adapter import NumpyBackend

    numpy = load_backend("numpy")
    cases = [
        Case(optimizer=SCHEDULED, dropout=0.2, loss="huber"),
        Case(optimizer=optimizers.nadam(0.01), members=2),
    ]
    wanted = [run_inplace(case, "numpy", EPOCHS) for case in cases]

    def kernels(self: Any, dtype: str, device: str | None) -> Kernels:
        found = Kernels(numpy, dtype, device, np)
        found.recorder = Recorder()
        found.recorder.record = lambda run: run  # type: ignore[method-assign]
        return found

    monkeypatch.setattr(NumpyBackend, "inplace_kernels", kernels)
    for case, expected in zip(cases, wanted, strict=True):
        for ours, theirs in zip(run_inplace(case, "numpy", EPOCHS), expected, strict=True):
            assert_near(ours, theirs, 1e-11)


def test_a_recording_that_fails_is_reported_once_and_steps_are_run() -> None:
    class Broken(Recorder):
        name = "the broken one"

        def record(self, run: Any) -> Any:
            raise RuntimeError("operation not permitted when stream is capturing")

    kernels, calls = Kernels(load_backend("numpy"), "float64", None, np), []
    kernels.recorder = Broken()
    first, second = (kernels.capture([lambda name=name: calls.append(name)]) for name in "ab")
    first()
    with pytest.warns(RuntimeWarning, match="the broken one could not record .*not permitted when stream"):
        first()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for run in (first, second, second, second):
            run()
    assert calls == ["a"] * 3 + ["b"] * 3


def test_parts_cover_every_number_of_steps_and_are_few() -> None:
    seen = set()
    for whole, steps in itertools.product((1, 2, 23, 64), range(65)):
        if steps <= whole:
            found = list(parts(steps, whole))
            assert [i for start, stop in found for i in range(start, stop)] == list(range(steps))
            assert len(found) <= max(1, steps.bit_length())
            seen |= {part for part in found if whole == 64}
    assert len(seen) <= 64


def test_kernels_record_on_cuda_alone() -> None:
    torch = load_backend("torch")
    assert torch.inplace_kernels("float32", None).recorder is None
    assert torch.inplace_kernels("float32", "cpu").recorder is None


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_gpu_replays_what_the_cpu_computes(dtype: str) -> None:
    """No warning either, so that nothing fell back to single steps."""
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((600, 5)), rng.integers(0, 4, 600)
    for optimizer, dropout in ((SCHEDULED, 0.0), (optimizers.sgd(0.1, momentum=0.9, clip_norm=1.0), 0.3)):
        found = []
        for device in ("cpu", "cuda:0"):
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                result = mm.fit(
                    mm.MLP(5, (16, 16), 4, dropout=dropout), X, y, optimizer=optimizer, epochs=12, batch_size=16, validation=None,
                    backend="torch", device=device, dtype=dtype, progress=False,
                )  # fmt: skip
            assert result.engine == "inplace"
            found.append(result.history["loss"])
        np.testing.assert_allclose(*found, rtol=1e-9 if dtype == "float64" else 1e-3)
