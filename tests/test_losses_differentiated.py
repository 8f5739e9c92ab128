"""Losses of few and of many numbers, differentiated by every library, against the closed form in float64; and derivatives that meet the
targets, of which kernels with a gradient of their own must know."""

from __future__ import annotations

import numpy as np
import pytest
from libraries import NAMES, every_library, run
from loss_data import outputs_and_targets

import multimlp as mm
from multimlp import losses, xp

OF_NUMBERS = ("binary_cross_entropy", "hinge", "huber", "log_cosh", "mae", "mse", "poisson", "quantile")


@pytest.mark.parametrize("columns", [1, 2, 3, 4, 10])
@pytest.mark.parametrize("rows", [0, 30, 70_001])
@pytest.mark.parametrize("library", [name for name in NAMES if name != "strict"])
def test_values_and_gradients_of_few_and_of_many(library, rows, columns):
    for name in ("cross_entropy", *OF_NUMBERS):
        loss = losses.get(name)
        o, t = outputs_and_targets(loss, rows, columns)
        for weights in (np.full(rows, 0.3), np.random.default_rng(1).normal(size=rows)):

            def weighted(o, t, w, loss=loss):
                per_example = loss(o, t)
                return xp.sum(per_example * w), per_example

            differentiated = mm.value_and_grad(weighted, has_aux=True)
            got, slopes = run(
                library,
                lambda o, t, w, f=differentiated: (lambda a, b: (a[1], b))(*f(o, t, w)),
                o,
                t,
                weights,
            )
            expected = loss.function.portable(o, t)
            np.testing.assert_allclose(got, expected, rtol=1e-13, atol=1e-14, err_msg=name)
            closed = loss.gradient_function.portable(o, t) * weights[:, None]
            np.testing.assert_allclose(slopes, closed, rtol=1e-12, atol=1e-14, err_msg=name)


@every_library
@pytest.mark.parametrize("name", OF_NUMBERS)
def test_gradients_differentiated_in_the_targets(library, name):
    loss = losses.get(name)
    o, t = outputs_and_targets(loss, 3, 2)
    t, w, h = t + 0.17, np.random.default_rng(1).normal(size=o.shape), 1e-5

    def seen(t, o, w):
        return xp.sum(w * mm.grad(lambda o: xp.sum(loss(o, t)))(o))

    (got,) = run(library, mm.grad(seen), t, o, w)
    for i in np.ndindex(t.shape):
        step = np.zeros(t.shape)
        step[i] = h
        ahead, behind = (np.sum(w * loss.gradient_function.portable(o, t + s)) for s in (step, -step))
        assert got[i] == pytest.approx((ahead - behind) / (2 * h), abs=1e-7)


@every_library
@pytest.mark.parametrize("name", OF_NUMBERS)
def test_both_gradients_at_once(library, name):
    loss = losses.get(name)
    o, t = outputs_and_targets(loss, 3, 2)
    t, h = t + 0.17, 1e-5
    _, in_targets = run(library, mm.grad(lambda o, t: xp.sum(loss(o, t)), argnums=(0, 1)), o, t)
    for i in np.ndindex(t.shape):
        step = np.zeros(t.shape)
        step[i] = h
        ahead, behind = (np.sum(loss.function.portable(o, t + s)) for s in (step, -step))
        assert in_targets[i] == pytest.approx((ahead - behind) / (2 * h), abs=1e-7)


@pytest.mark.parametrize("library", [name for name in NAMES if name != "strict"])
@pytest.mark.parametrize("rows", [3, 70_001])
@pytest.mark.parametrize("name", ["binary_cross_entropy", "huber", "log_cosh", "mae", "mse", "poisson"])
def test_what_is_no_number_has_no_gradient(library, name, rows):
    loss = losses.get(name)
    o, t = outputs_and_targets(loss, rows, 2)
    o[1, 0] = np.nan
    (slopes,) = run(library, mm.grad(lambda o, t: xp.sum(loss(o, t))), o, t)
    assert np.argwhere(np.isnan(slopes)).tolist() == [[1, 0]]


@every_library
@pytest.mark.parametrize("scale", [5e-324, 1e-310, 1e300])
def test_the_slope_of_the_absolute_error_is_one_at_any_distance(library, scale):
    o, t = np.asarray([[scale, -scale, 0.0]]), np.zeros((1, 3))
    (slopes,) = run(library, mm.grad(lambda o, t: xp.sum(losses.mae(o, t))), o, t)
    if library in ("jax", "tensorflow", "mlx") and scale < 1e-300:
        assert slopes.tolist() in (
            [[1 / 3, -1 / 3, 0]],
            [[0, 0, 0]],
        )  # they may take subnormal numbers for zero
    else:
        assert slopes.tolist() == [[1 / 3, -1 / 3, 0]]
