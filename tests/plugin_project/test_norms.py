"""Runs on every backend that the command line or the machine offers."""

import numpy as np
import pytest
from norms import norm, ramp

import multimlp as mm
from multimlp.backend import select
from multimlp.testing import assert_close, assert_parity, check_grads, ulp_table


def test_norm(xp, mm_backend):
    x = mm_backend.asarray([3.0, 4.0], dtype="float64")
    assert_close(norm(x), np.asarray(5.0))
    assert xp is mm_backend.xp


def test_norm_has_the_right_derivatives(mm_backend):
    check_grads(norm, (mm_backend.asarray([3.0, 4.0], dtype="float64"),))


@pytest.mark.mm_xfail("tensorflow", reason="all of the derivative at a tie instead of half of it")
@pytest.mark.mm_xfail("mlx", reason="none of the derivative at a tie")
def test_the_slope_at_the_kink_is_one_half(mm_backend):
    slope = mm.elementwise_grad(ramp)(mm_backend.asarray([0.0], dtype="float32"))
    assert float(slope[0]) == 0.5


@pytest.mark.mm_skip("torch", "strict", reason="only to show how")
def test_skipped_on_two(mm_backend):
    assert mm_backend.name not in ("torch", "strict")


def test_options_are_in_force(mm_backend):
    target = select()
    assert target.backend is mm_backend
    assert target.dtype in ("float32", "float64")


def test_ramp_is_exact(mm_backend):
    table = ulp_table(ramp, backends=[mm_backend.name], derivative=False, dtypes=["float32"])
    assert table.worst == 0, table


def test_without_fixtures():
    assert_parity(norm, np.asarray([3.0, 4.0]), backends=["numpy", "strict"])
