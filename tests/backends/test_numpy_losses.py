"""NumPy's kernels of the losses: against the portable bodies, at kinks and limits, in blocks, and on the tape."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import multimlp as mm
from multimlp import losses, tape
from multimlp.backend import load_backend

NUMBERS = np.asarray([0.0, -0.0, 0.5, 1.0, -1.0, 1e-8, -1e-20, 3.0, 19.5, 20.5, -30.0, 88.0, 5e-324])
INFINITE = np.asarray([np.inf, -np.inf, np.nan])
CASES = {
    "mse": {},
    "mae": {},
    "huber": {},
    "huber delta": {"delta": 0.25},
    "log_cosh": {},
    "poisson": {},
    "binary_cross_entropy": {},
    "hinge": {},
    "cross_entropy": {},
}
every_loss = pytest.mark.parametrize("case", CASES)
every_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def loss_of(case: str) -> Any:
    return losses.with_options(case.partition(" ")[0], **CASES[case])


def data(case: str, dtype: Any, rows: int, k: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(7)
    outputs = random.normal(scale=4, size=(rows, k)).astype(dtype)
    if case == "cross_entropy":
        return outputs, random.integers(0, k, rows)
    if case in ("binary_cross_entropy", "hinge"):
        return outputs, random.integers(0, 2, (rows, k)).astype(dtype)
    return outputs, random.poisson(2, (rows, k)).astype(dtype)


def portable(loss: Any, gradient: bool = False) -> Any:
    body = (loss.gradient_function if gradient else loss.function).portable
    return lambda outputs, targets: body(outputs, targets, **loss.options)


def agree(got: np.ndarray, wanted: np.ndarray, k: float = 6) -> None:
    assert got.shape == wanted.shape
    assert got.dtype == wanted.dtype
    tolerance = k * np.finfo(got.dtype).eps
    np.testing.assert_allclose(got, wanted, rtol=tolerance, atol=tolerance)


@every_loss
@every_dtype
@pytest.mark.parametrize("shape", [(1, 1), (7, 3), (30000, 10)], ids=str)
def test_kernels_agree_with_the_portable_bodies(case: str, dtype: Any, shape: tuple[int, int]) -> None:
    loss, (outputs, targets) = loss_of(case), data(case, dtype, *shape)
    before = outputs.copy()
    with np.errstate(all="raise", under="ignore"):
        agree(loss(outputs, targets), portable(loss)(outputs, targets), 12)
        agree(loss.gradient(outputs, targets), portable(loss, True)(outputs, targets))
    np.testing.assert_array_equal(outputs, before)
    for view in (outputs[::-1], np.asfortranarray(outputs), np.stack([outputs, outputs[::-1]])):
        agree(loss(view, targets), portable(loss)(view, targets), 12)
        agree(loss.gradient(view, targets), portable(loss, True)(view, targets))


@every_loss
def test_kinks_limits_and_nan(case: str) -> None:
    loss, n = loss_of(case), len(NUMBERS) + len(INFINITE)
    outputs = np.repeat(np.concatenate([NUMBERS, INFINITE]), 3)[:, None]
    targets = np.tile([0.0, 1.0, 0.25], n)[:, None]
    if case == "cross_entropy":
        outputs, targets = np.concatenate([outputs, np.zeros_like(outputs)], axis=1), np.tile([0, 1, 0], n)
    with np.errstate(all="ignore"):
        for rows in (slice(None), slice(0, 3 * len(NUMBERS))):
            o, t = outputs[rows], targets[rows]
            agree(loss(o, t), portable(loss)(o, t))
            agree(loss.gradient(o, t), portable(loss, True)(o, t))


@every_loss
def test_other_targets_are_cast_or_portable(case: str) -> None:
    loss, (outputs, targets) = loss_of(case), data(case, np.float32, 5, 1)
    column = targets if targets.ndim == 1 else targets[:, 0]
    for other in (targets.astype(np.int32), targets.astype(np.float64), column):
        if case == "cross_entropy" and other.dtype.kind == "f":
            continue
        agree(loss(outputs, other), portable(loss)(outputs, other))
        agree(loss.gradient(outputs, other), portable(loss, True)(outputs, other))


def test_labels_out_of_range_and_probabilities_are_the_portable_bodys() -> None:
    outputs = np.asarray([[1.0, 2.0], [0.5, -1.0]])
    for targets in (np.asarray([2, -1]), np.asarray([[0.25, 0.75], [1.0, 0.0]])):
        loss = losses.cross_entropy
        np.testing.assert_array_equal(loss(outputs, targets), portable(loss)(outputs, targets))
    smooth = losses.with_options("cross_entropy", label_smoothing=0.1)
    np.testing.assert_array_equal(
        smooth(outputs, np.asarray([0, 1])), portable(smooth)(outputs, np.asarray([0, 1]))
    )


# ---- on the tape -----------------------------------------------------------------------------------------------------------


@every_loss
def test_the_tape_records_one_operation_with_the_derivatives_of_the_portable_body(case: str) -> None:
    loss, (outputs, targets) = loss_of(case), data(case, np.float64, 6, 3)
    leaf = tape.traced_type(load_backend("numpy"))(outputs, 1)
    assert [parent is leaf.node for parent in loss(leaf, targets).node[2]] == [True]

    def total(function: Any) -> Any:
        return lambda o: losses.reduce(function(o, targets) * np.arange(1.0, 7.0))

    ours, reference = total(loss), total(portable(loss))
    agree(mm.grad(ours)(outputs), mm.grad(reference)(outputs), 20)
    agree(mm.hessian(ours)(outputs), mm.hessian(reference)(outputs), 60)
    members = np.stack([outputs, outputs[::-1]])
    agree(mm.grad(lambda o: mm.array_namespace(o).sum(loss(o, targets)))(members)[1], mm.grad(
        lambda o: mm.array_namespace(o).sum(loss(o, targets)))(members[1]))  # fmt: skip


@pytest.mark.parametrize("case", [case for case in CASES if case != "cross_entropy"])
def test_targets_are_differentiated_too(case: str) -> None:
    loss, (outputs, targets) = loss_of(case), data(case, np.float64, 4, 2)
    for argnums in (1, (0, 1)):
        got, wanted = (
            mm.grad(lambda o, t, f=f: losses.reduce(f(o, t)), argnums=argnums)(outputs, targets)
            for f in (loss, portable(loss))
        )
        np.testing.assert_allclose(got, wanted, rtol=1e-13)
