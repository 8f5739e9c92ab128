"""softmax, log_softmax, softmin and glu: values, matrices of derivatives, stability and errors."""

from __future__ import annotations

import functools
from typing import Any

import mpmath as mp
import numpy as np
import pytest
from libraries import COMPILED, agree, every_library, run

from multimlp import activations
from multimlp.backend import Array, array_namespace, owner
from multimlp.errors import InputError, ShapeError
from multimlp.parity import textbook

ROWS = {name: functools.partial(f, mp) for name, f in textbook.AXIS.items()}
every_name = pytest.mark.parametrize("name", ROWS)
X = np.concatenate(
    [
        np.random.default_rng(3).uniform(-8, 8, (5, 6)),
        np.zeros((1, 6)),
        np.asarray([[1e4, 0, -1e4, 3, 1e4, 2], [700, -700, 5, 0, -3, 1]]),
    ]
)


def reference(name: str, x: np.ndarray) -> np.ndarray:
    return np.asarray([_reference(name, tuple(row)) for row in x.tolist()])


@functools.cache  # thousands of digits take their time, and every library is compared with the same numbers
def _reference(name: str, row: tuple[float, ...]) -> list[float]:
    with mp.workdps(50 if max(map(abs, row)) < 1e3 else 10000):
        return [float(v) for v in ROWS[name]([mp.mpf(v) for v in row])]


@functools.cache
def reference_matrix(name: str) -> np.ndarray:
    """All partial derivatives at the rows that are near zero, by central differences with 60 digits."""
    with mp.workdps(60):
        h = mp.mpf(10) ** -20
        result = []
        for row in X[:6]:
            row = [mp.mpf(float(v)) for v in row]
            columns = []
            for j in range(len(row)):
                up, down = (ROWS[name]([v + s * h * (i == j) for i, v in enumerate(row)]) for s in (1, -1))
                columns.append([float((a - b) / (2 * h)) for a, b in zip(up, down, strict=True)])
            result.append(np.asarray(columns).T)
        return np.asarray(result)


def matrix(name: str) -> Any:
    """All partial derivatives, a row at a time, by the library's own differentiation."""
    f = activations.get(name)

    def differentiated(x: Array) -> Array:
        xp = array_namespace(x)
        (y,), pullback = owner(x).vjp(lambda xs: (f(xs[0]),), (x,))
        outputs = tuple(y.shape)[-1]
        rows = []
        for i in range(outputs):
            chosen = xp.asarray([float(k == i) for k in range(outputs)], dtype=y.dtype)
            rows.append(pullback((xp.broadcast_to(chosen, tuple(y.shape)),))[0])
        return xp.stack(rows, axis=-2)

    return differentiated


def test_every_activation_along_an_axis_has_a_definition() -> None:
    along = {name for name in activations.names() if not activations.describe(name).elementwise}
    assert along == set(ROWS), "multimlp.parity.textbook.AXIS has a row for each of them"


@every_library
@every_name
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_values(library: str, name: str, dtype: Any) -> None:
    x = X.astype(dtype)
    (got,) = run(library, activations.get(name), x)
    assert got.dtype == dtype
    agree(got, reference(name, x), 6, name)
    (along_rows,) = run(library, lambda x: activations.get(name)(x, axis=0), np.ascontiguousarray(x.T))
    agree(along_rows.T, got, 6, name)


@every_library
@every_name
def test_derivatives(library: str, name: str) -> None:
    x = X[:6]
    wanted = reference_matrix(name)
    for function in (activations.derivative(name), matrix(name)):
        (got,) = run(library, function, x)
        agree(got, wanted, 32, name)
    (far,) = run(library, activations.derivative(name), X)
    assert np.all(np.isfinite(far))


@pytest.mark.parametrize("library", COMPILED)
def test_compiled(library: str) -> None:
    got = run(
        library,
        lambda x: tuple(f(x) for n in ROWS for f in (activations.get(n), matrix(n))),
        X[:6],
        compiled=True,
    )
    for i, name in enumerate(ROWS):
        agree(got[2 * i], reference(name, X[:6]), 8, name)
        agree(got[2 * i + 1], reference_matrix(name), 32, name)


@every_library
def test_ties_share_the_derivative(library: str) -> None:
    (got,) = run(library, matrix("softmax"), np.zeros((1, 3)))
    agree(got, (np.eye(3) / 3 - 1 / 9)[None], 4)


@every_library
def test_infinities_and_nan(library: str) -> None:
    x = np.asarray(
        [
            [-np.inf, 0.0, 0.0],
            [-np.inf, -np.inf, -np.inf],
            [np.inf, 0.0, 0.0],
            [np.nan, 0.0, 0.0],
            [-np.inf, -np.inf, 1.0],
        ]
    )
    with np.errstate(invalid="ignore", divide="ignore"):
        (soft,) = run(library, activations.softmax, x)
        (log_soft,) = run(library, activations.log_softmax, x)
    nan = [np.nan] * 3
    np.testing.assert_allclose(soft, [[0, 0.5, 0.5], nan, nan, nan, [0, 0, 1]], rtol=1e-15)
    half = -np.log(2)
    np.testing.assert_allclose(
        log_soft, [[-np.inf, half, half], nan, nan, nan, [-np.inf, -np.inf, 0]], rtol=1e-15
    )


@every_name
def test_axis_of_derivatives_is_moved_to_the_end(name: str) -> None:
    x = np.random.default_rng(0).normal(size=(2, 4, 3))
    got = activations.derivative(name)(x, axis=1)
    wanted = activations.derivative(name)(np.moveaxis(x, 1, -1))
    np.testing.assert_array_equal(got, wanted)
    assert got.shape == (2, 3, 2 if name == "glu" else 4, 4)


@every_name
def test_no_such_axis(name: str) -> None:
    for f in (activations.get(name), activations.derivative(name)):
        with pytest.raises(ShapeError, match=r"no axis 2; its shape is \(4, 6\)"):
            f(np.zeros((4, 6)), axis=2)
        with pytest.raises(ShapeError, match="no axis -1"):
            f(np.asarray(1.0))
        with pytest.raises(InputError, match="axis must be an integer"):
            f(np.zeros((4, 6)), axis=1.0)


def test_glu_needs_an_even_length() -> None:
    with pytest.raises(ShapeError, match=r"even length, got shape \(2, 3\)"):
        activations.glu(np.zeros((2, 3)))
    glu = activations.parse("glu")
    assert glu.width(8) == 4
    with pytest.raises(InputError, match="must be even; got 7"):
        glu.width(7)
