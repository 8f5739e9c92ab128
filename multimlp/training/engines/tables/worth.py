"""When the engine of tables is taken without being asked for: by the problem and the environment, never by what lies on the disk, so
that the same call has the same bits on a second day."""

from __future__ import annotations

import os

from multimlp._processors import processors
from multimlp.errors import InputError
from multimlp.errors.checks import as_given
from multimlp.training.engines.base import Problem
from multimlp.training.engines.slices import MOST_OPERATIONS, example_slices
from multimlp.tree import Tree

SWITCH = "MULTIMLP_NUMBA"
"""``never``, ``always`` (wherever it can), or ``auto``, the default."""

_WORTH_SECONDS = 0.5
_CALLS_SAVED = 1e-5
"""Seconds of a step that go into calls of small networks (measured: 12 us on 8-16-2, 38 us on 64-128-10)."""
_SECONDS_SAVED_PER_OPERATION = 2e-12
"""Seconds for each operation of the products, which take about 1e-11 (measured: 0.7 of 2.6 ms on 16 x 128)."""
_SECONDS_SAVED_PER_OWN_WEIGHT = 1e-8
"""Where members have options of their own, whose updates in place have temporaries (measured: 11 us on 64-8-10, 65 us on 64-64-10)."""
_SMALL_BESIDE_A_PROGRAM = 1 << 20
"""Operations of a step of one network up to which a library's own program is slower whatever BLAS is like: what is around its products
counts (measured, JAX: 8-16-2 takes 0.3 of its program's time on a Xeon, 0.5 on an EPYC)."""
_MOST_ON_ONE_THREAD = 1 << 22
"""Up to which a program gains nothing from a second thread either (64-128-10 takes 0.55 and 0.74)."""


def not_worth(problem: Problem, params: Tree) -> str | None:
    """Why a problem that may be covered is left to the in-place engine, or None.

    Raises
    ------
    InputError
        If the environment says none of the three.
    """
    choice = os.environ.get(SWITCH) or "auto"
    if choice not in ("auto", "always", "never"):
        raise InputError(f"{SWITCH}: expected auto, always or never, got {as_given(choice)}")
    if choice == "never":
        return f"{SWITCH}=never"
    if choice == "always":
        return None
    if problem.steps is None:
        return "nobody knows how many steps there will be, and few are not worth compiling"
    sizes = [layer.weight.shape[-2] * layer.weight.shape[-1] for layer in params if hasattr(layer, "weight")]
    if sizes and 2 * problem.batch_size * max(sizes) >= MOST_OPERATIONS:
        return "the time of products this large is the library's"
    weights = sum(sizes)
    operations = 6 * problem.batch_size * weights
    if sizes and problem.backend.capabilities.epoch == "compiled" and operations >= _SMALL_BESIDE_A_PROGRAM:
        reason = _quicker_in_a_program(problem, params, operations)
        if reason:
            return f"products of this size may be quicker in the library's own program: {reason}"
    operations *= problem.members or 1
    saved = _CALLS_SAVED + (_SECONDS_SAVED_PER_OWN_WEIGHT * weights if problem.own else 0.0)
    seconds = problem.steps * (saved * (problem.members or 1) + _SECONDS_SAVED_PER_OPERATION * operations)
    if seconds < _WORTH_SECONDS:
        return f"at most {problem.steps} steps are too few to be worth compiling"
    return None


def _quicker_in_a_program(problem: Problem, params: Tree, operations: int) -> str:
    """Why a library's own program may be quicker than tables; "" if it is not (measured, JAX, two cores of an EPYC: 784-256-10 takes 0.85
    of its program's time, 16 x 128 0.7, eight networks of the former 0.65; on a Xeon 0.9 and 0.75)."""
    kernels = problem.backend.compiled_kernels(problem.dtype, problem.device)
    if isinstance(kernels, str):
        return kernels
    shapes = [layer.weight.shape[-2:] for layer in params if hasattr(layer, "weight")]
    widths = [shapes[0][0], *(fan_out for _, fan_out in shapes)]
    slices = example_slices(problem.batch_size, widths, problem.members, problem.dtype)
    threads = problem.members or len(slices)
    if operations > _MOST_ON_ONE_THREAD and processors() > threads:
        return f"it has {processors()} processors for them, and tables have work for {threads}"
    reason: str = kernels.slow_products()
    return reason
