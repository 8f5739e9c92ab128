"""Differential equations solved by networks, and `minimize`, on every library that trains."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import equations
import numpy as np
import pytest
from libraries import TRAINING

import multimlp as mm
from multimlp import optimizers
from multimlp.errors import DTypeError, InputError, NonScalarError

GUIDE = Path(__file__).resolve().parent.parent / "docs" / "guide" / "physics.md"
ROUGH = {"poisson": 6e-3, "heat": 4e-3, "burgers": 0.3}
"""Largest errors after 60 steps; they are what the smallest run shows."""
STATED = {"poisson": 2e-4, "heat": 1e-4, "burgers": 2e-2}
"""Largest errors after 500 steps, as the guide states them."""


@pytest.mark.parametrize("equation", equations.EQUATIONS)
def test_a_few_steps(equation: str) -> None:
    error, found = equations.solve(equation, "numpy", 60)
    assert error < ROUGH[equation]
    assert found.steps == 60
    assert found.value < found.values[-1] < found.values[0]


@pytest.mark.slow
@pytest.mark.parametrize("equation", equations.EQUATIONS)
@pytest.mark.parametrize("library", TRAINING)
def test_stated_errors(library: str, equation: str) -> None:
    error, _ = equations.solve(equation, library, 500)
    assert error < STATED[equation]


@pytest.mark.parametrize("equation", equations.EQUATIONS)
def test_losses_and_gradients_are_the_same_everywhere(equation: str) -> None:
    """On torch eagerly; `test_stated_errors` runs the others, compiled."""
    loss = equations.EQUATIONS[equation][0]
    results = []
    for name in ("numpy", "torch"):
        params = equations.NETWORK.init(seed=0, backend=name, dtype="float64")
        points = mm.random.uniform(mm.random.key(1, backend=name), (20, 2), dtype="float64")
        value, gradient = mm.value_and_grad(loss)(params, points)
        host = mm.get_backend(name).to_numpy
        results.append([host(value), *map(host, mm.tree.leaves(gradient))])
    for a, b in zip(*results, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-13)


def test_the_guide_shows_what_runs() -> None:
    source = Path(equations.__file__).read_text()
    shown = re.findall(r"```python\n(.*?)```", GUIDE.read_text(), re.S)
    functions = [block for block in shown if block.lstrip().startswith("def ")]
    assert len(functions) >= 3
    for block in functions:
        for part in re.split(r"\n\n\n", block.strip()):
            assert part in source, part


# ---- minimize


def rosenbrock(p: Any, target: Any) -> Any:
    return (target - p["a"]) ** 2 + 100.0 * (p["b"] - p["a"] ** 2) ** 2


@pytest.mark.parametrize(
    "library", [n if n in ("numpy", "torch") else pytest.param(n, marks=pytest.mark.slow) for n in TRAINING]
)
@pytest.mark.parametrize("compiler", [None, "none"])
def test_minimize(library: str, compiler: str | None) -> None:
    backend = mm.get_backend(library)
    start = {k: backend.asarray(v, dtype="float64") for k, v in (("a", -1.2), ("b", 1.0))}
    target = backend.asarray(1.0, dtype="float64")
    found = optimizers.minimize(rosenbrock, start, target, compiler=compiler)
    assert found.message
    assert found.value < 1e-15
    assert len(found.values) == found.steps
    for leaf in mm.tree.leaves(found.params):
        assert backend.is_array_type(type(leaf))
        np.testing.assert_allclose(backend.to_numpy(leaf), 1.0, rtol=1e-6)
    adam = optimizers.minimize(
        rosenbrock, start, target, optimizer=optimizers.adam(learning_rate=0.05), steps=150, compiler=compiler
    )
    assert adam.steps == 150
    assert adam.value < 0.2 * adam.values[0]
    np.testing.assert_allclose(backend.to_numpy(start["a"]), -1.2)  # stays as it is


def test_minimize_takes_the_steps_of_the_optimizers() -> None:
    start = {"a": np.asarray(-1.2), "b": np.asarray(1.0)}
    method = optimizers.get("adam")
    params, state, values = start, method.init(start), []
    for _ in range(5):
        value, gradient = mm.value_and_grad(rosenbrock)(params, np.asarray(1.0))
        values.append(float(value))
        params, state = method.update(gradient, state, params)
    found = optimizers.minimize(rosenbrock, start, np.asarray(1.0), optimizer="adam", steps=5)
    assert found.values == tuple(values)
    assert mm.tree.map(float, found.params) == mm.tree.map(float, params)
    reference = optimizers.lbfgs().minimize(
        lambda p: mm.value_and_grad(rosenbrock)(p, np.asarray(1.0)), start, 8
    )
    found = optimizers.minimize(rosenbrock, start, np.asarray(1.0), steps=8)
    assert mm.tree.map(float, found.params) == mm.tree.map(float, reference.params)
    assert found.value == reference.value


@pytest.mark.parametrize("optimizer", ["lbfgs", "adam"])
def test_minimize_at_its_edges(optimizer: str) -> None:
    one = np.asarray(1.0)
    nothing = optimizers.minimize(lambda p: p * p, one, optimizer=optimizer, steps=0)
    assert (nothing.steps, nothing.value, nothing.values) == (0, 1.0, ())
    broken = optimizers.minimize(lambda p: p * math.nan, one, optimizer=optimizer, steps=500)
    assert "not finite" in broken.message
    assert broken.steps <= 100
    for error, call in (
        (InputError, lambda: optimizers.minimize(3, one, optimizer=optimizer)),
        (InputError, lambda: optimizers.minimize(lambda p: p, one, optimizer=optimizer, steps=-1)),
        (InputError, lambda: optimizers.minimize(lambda p: p, (), optimizer=optimizer)),
        (DTypeError, lambda: optimizers.minimize(lambda p: p, np.arange(3), optimizer=optimizer)),
        (NonScalarError, lambda: optimizers.minimize(lambda p: p, np.ones(3), optimizer=optimizer)),
    ):
        with pytest.raises(error):
            call()
