"""NumPy's own functions, ufuncs, methods and operators where the tape differentiates.

The rows are what HIPS autograd's tests cover (functions and shapes), and what is common beyond. Each is checked in value against NumPy, in
its gradient against central differences and, where it is installed, against autograd itself, in forward mode against the gradient, and in
its second derivative against differences of gradients.
"""

from __future__ import annotations

import math
import operator
import zlib

import numpy as np
import pytest
from libraries import needs_numpy_2

import multimlp as mm
from multimlp.errors import DifferentiationError, InputError, TracedValueError

try:
    import autograd
    import autograd.numpy as anp
except ImportError:
    autograd = None

RNG = np.random.default_rng(0)


def randn(*shape):
    return RNG.standard_normal(shape)


def between(low, high, *shape):
    return RNG.uniform(low, high, shape)


A, B, C = randn(3, 4), randn(3, 4), randn(4)
POSITIVE = between(0.5, 2.0, 3, 4)
UNIT = between(-0.9, 0.9, 3, 4)
APART = RNG.permutation(np.linspace(-2.0, 2.3, 12)).reshape(3, 4)
SQUARE = randn(3, 3) + 3 * np.eye(3)
SYMMETRIC = SQUARE @ SQUARE.T
STACK = randn(2, 3, 3) + 3 * np.eye(3)

# name: (function of a namespace and arrays, arrays). With "-" in front of a name, autograd itself has no such function or derivative.
ROWS = {}


def rows(template, names, *arrays, **changed):
    for name in names.split():
        plain = name.lstrip("-")
        ROWS[f"{'-' * name.startswith('-')}{template.format(plain)}"] = (
            eval(
                f"lambda np, x, y=None, z=None: {template.format(plain)}",
                {"math": math, "operator": operator},
            ),
            changed.get(plain, arrays),
        )


def row(template, *arrays):
    name = template.lstrip("-")
    ROWS[template] = (
        eval(f"lambda np, x, y=None, z=None: {name}", {"math": math, "operator": operator}),
        arrays,
    )


rows(
    "np.{}(x)",
    "sin cos tan sinh cosh tanh exp exp2 expm1 square arctan arcsinh negative -positive conj conjugate real -real_if_close "
    "deg2rad rad2deg radians degrees sinc nan_to_num -cbrt -copy",
    UNIT,
)
rows("np.{}(x)", "log log2 log10 log1p sqrt reciprocal fabs abs absolute -angle", POSITIVE)
rows("np.{}(x)", "arcsin arccos arctanh", UNIT)
rows("np.{}(x)", "arccosh", POSITIVE + 1)
rows(
    "np.{}(x, y)", "add subtract multiply logaddexp logaddexp2 arctan2 -hypot maximum minimum fmax fmin", A, B
)
rows(
    "np.{}(x, y)", "divide true_divide power mod remainder -float_power -fmod", POSITIVE, POSITIVE[::-1] + 2.1
)
rows("operator.{}(x, y)", "add sub mul truediv mod pow", POSITIVE, POSITIVE[::-1] + 2.1)
for template in (
    "np.add(x, y)",
    "np.multiply(x, y)",
    "np.maximum(x, y)",
    "x * y - y / x",
    "np.logaddexp(x, y)",
):
    for a, b in ((C, A), (randn(3, 1), A), (randn(1), C), (np.asarray(0.7), A)):
        ROWS[f"{template} of shapes {a.shape}, {b.shape}"] = (
            eval(f"lambda np, x, y, z=None: {template}", {}),
            (a + 3.0, b + 5.0) if "/" in template else (a, b),
        )
rows("np.{}(x)", "sum mean prod var std max min amax amin ravel -sort diff fliplr flipud transpose cumsum -cumprod -ptp squeeze "
     "atleast_1d atleast_2d atleast_3d rot90 tril triu -median -nansum -nanmean", APART)  # fmt: skip
for axis in (0, 1, -1, (0, 1)):
    rows(f"np.{{}}(x, axis={axis})", "sum mean prod var std max min", APART)
    rows(f"np.{{}}(x, axis={axis}, keepdims=True)", "sum mean prod var std max min", APART)
for text in (
    "np.var(x, ddof=1)", "np.std(x, axis=0, ddof=1)", "np.cumsum(x, axis=1)", "-np.average(x, axis=0, weights=[1.0, 2.0, 3.0])",
    "-np.sort(x, axis=0)", "-np.partition(x, 2)", "-np.median(x, axis=1)", "-np.linalg.vector_norm(x)",
    "-np.add.reduce(x)", "-np.multiply.reduce(x, axis=1)", "-np.maximum.reduce(x)", "-np.add.accumulate(x)", "-np.add.outer(x, x)",
    "np.reshape(x, (2, 6))", "np.reshape(x, -1)", "np.transpose(x, (1, 0))", "np.swapaxes(x, 0, 1)", "np.moveaxis(x, 0, 1)",
    "np.rollaxis(x, 1)", "np.expand_dims(x, 1)", "-np.expand_dims(x, (0, 3))", "-np.broadcast_to(x, (2, 3, 4))", "np.roll(x, 2)",
    "np.roll(x, 1, axis=1)", "np.tile(x, (2, 1))", "-np.tile(x, 3)", "np.repeat(x, 2)", "np.repeat(x, 2, axis=1)", "-np.flip(x, 0)",
    "np.rot90(x, 3)", "np.pad(x, 1, 'constant')", "np.pad(x, ((0, 1), (2, 0)), 'constant')", "np.diff(x, axis=0)", "np.diff(x, n=2)",
    "-np.gradient(x, axis=0)", "-np.gradient(x, 0.5, axis=1)", "-np.trapezoid(x, dx=0.1)",
    "np.concatenate([x, x], axis=1)", "np.concatenate((x, x * x))", "np.stack([x, x * x], axis=1)", "np.vstack([x, x])",
    "np.hstack([x, x * x])", "-np.dstack([x, x])", "np.column_stack([x[:, 0], x[:, 1]])", "np.append(x, x)",
    "np.array_split(x, 3, axis=1)[0]", "np.split(x, 2, axis=1)[1]", "np.vsplit(x, 3)[2]", "np.hsplit(x, [1, 2])[1]",
    "np.where(x > 0, x, x * x)", "-np.select([x > 1, x > 0], [x, x * x], 0.5)", "np.clip(x, -1.0, 0.5)", "np.full_like(x, 2.0) * x",
    "-np.take(x, [0, 2, 0], axis=0)", "-np.take(x, [[0, 5], [5, 1]])", "-np.take_along_axis(x, np.argsort(x, axis=1), axis=1)",
    "np.trace(x)", "np.trace(x, offset=1)", "-np.diagonal(x)", "-np.diagonal(x, -1)", "np.diag(x[0])", "-np.diag(x[0], 1)",
    "-np.diag(x)", "np.tril(x, -1)", "np.triu(x, 1)", "-np.unstack(x)[1]", "-np.meshgrid(x[0], x[:, 0])[0]",
    "-np.broadcast_arrays(x, x[0])[1]", "-np.count_nonzero(x > 0) * x", "-np.round(x) * x",
    "np.real(np.exp(1j * x))", "-np.abs(x * (1.0 + 2.0j) + 1j)", "np.imag(1j * x * x + x)", "np.real(np.conj(x * 1j) * np.sin(1j * x))",
    "-np.angle(x + 2.0 + 1j)", "-np.real(np.sign(x + 1j))", "-(1j * x * x).imag", "-np.sum(x, out=None)",
    # operators, indices, methods
    "2.0 * x + x / 3.0 - 1.0 / (x + 4.0)", "x ** 2", "x ** 3.0", "2.0 ** x", "-x", "abs(x)", "x % 0.7", "np.float64(2.0) * x",
    "np.ones((3, 4)) * x", "np.arange(4) * x", "np.ones((3, 3)) @ x", "x @ np.ones(4)", "x.T @ x", "x[0]", "x[:, 1]", "x[::2, 1:3]",
    "x[[0, 2]]", "x[np.asarray([0, 0, 1])]", "x[x > 0]", "x[..., None]", "x[1, 2]", "x[-1]", "x.T",
    "x.sum()", "x.sum(axis=0)", "x.mean(1)", "x.std()", "x.var(0)", "x.max()", "x.min(axis=1)", "-x.prod()", "x.reshape(4, 3)",
    "x.reshape((2, -1))", "x.ravel()", "x.flatten()", "x.transpose()", "-x.transpose(1, 0)", "x.swapaxes(0, 1)", "x.squeeze()",
    "x.cumsum(axis=0)", "-x.dot(np.ones(4))", "x.clip(-1.0, 1.0)", "-x.diagonal()", "x.trace()", "x.repeat(2)", "x.astype(float)",
    "-x.copy()", "-x.take([0, 2], axis=1)", "-x.conj()", "-x.real", "sum(x)", "-x.round() * x", "len(x) * x * x.shape[0] * x.ndim * x.size",
):  # fmt: skip
    row(text, APART)
for text, *arrays in (
    ("np.dot(x, y)", np.asarray(1.5), np.asarray(0.3)), ("np.dot(x, y)", np.asarray(1.5), C), ("np.dot(x, y)", C, randn(4)),
    ("np.dot(x, y)", A, C), ("np.dot(x, y)", randn(3), A), ("np.dot(x, y)", A, randn(4, 2)), ("np.dot(x, y)", A, np.asarray(0.3)),
    ("np.dot(x, y)", randn(2, 3, 4), randn(4, 2)), ("-np.dot(x, y)", randn(2, 3, 4), randn(2, 4, 2)),
    ("np.matmul(x, y)", A, randn(4, 2)), ("np.matmul(x, y)", C, randn(4)), ("np.matmul(x, y)", randn(2, 3, 4), randn(4, 2)),
    ("np.matmul(x, y)", randn(2, 3, 4), randn(2, 4, 2)), ("x @ y", A, C), ("x @ y", randn(3), A),
    ("np.inner(x, y)", C, randn(4)), ("np.inner(x, y)", A, randn(2, 4)), ("-np.vdot(x, y)", A, B), ("np.outer(x, y)", C, randn(3)),
    ("np.kron(x, y)", randn(2, 3), randn(3, 2)), ("-np.kron(x, y)", randn(2), randn(2, 2)), ("np.cross(x, y)", randn(2, 3), randn(2, 3)),
    ("np.tensordot(x, y, axes=[(1,), (0,)])", randn(1, 3), randn(3, 1)), ("np.tensordot(x, y, axes=1)", randn(4, 2, 2), randn(2, 2, 4)),
    ("np.tensordot(x, y, axes=2)", randn(4, 2, 2), randn(2, 2, 4)), ("np.tensordot(x, y, axes=0)", randn(2), randn(3)),
    ("np.tensordot(x, y, axes=[(0, 1), (1, 2)])", randn(2, 3, 4), randn(1, 2, 3)),
    ("np.einsum('ij->ji', x)", A), ("np.einsum('ij,jk->ik', x, y)", A, randn(4, 2)), ("np.einsum('ij,jk', x, y)", A, randn(4, 2)),
    ("np.einsum('ijk,lji->lki', x, y)", randn(3, 4, 4), randn(4, 4, 3)), ("np.einsum('...jk,...lj->...lk', x, y)", STACK, STACK + 1),
    ("np.einsum('...,...->...', x, y)", A, B), ("-np.einsum('ii->i', x)", SQUARE), ("-np.einsum('ii', x)", SQUARE),
    ("-np.einsum('ijk,lji,lli->lki', x, y, z)", randn(3, 4, 4), randn(4, 4, 3), randn(4, 4, 3)), ("np.einsum('ij->', x)", A),
    ("np.einsum('bi,i,ij->bj', x, y, z)", A, C, randn(4, 2)),
    ("np.linalg.inv(x)", SQUARE), ("np.linalg.inv(x)", STACK), ("np.linalg.det(x)", SQUARE), ("np.linalg.det(x)", STACK),
    ("np.linalg.slogdet(x)[1]", SQUARE), ("np.linalg.solve(x, y)", SQUARE, randn(3)), ("np.linalg.solve(x, y)", SQUARE, randn(3, 2)),
    ("np.linalg.solve(x, y)", STACK, randn(2, 3, 2)), ("np.linalg.cholesky(x @ x.T + 3.0 * np.eye(3))", SQUARE),
    ("np.linalg.eigh(x + x.T)[0]", SQUARE), ("-np.linalg.eigvalsh(x + x.T)", SQUARE), ("np.linalg.svd(x, full_matrices=False)[1]", A),
    ("-np.linalg.svd(x, compute_uv=False)", A), ("np.linalg.pinv(x)", A), ("-np.linalg.qr(x)[1]", SQUARE),
    ("-np.linalg.matrix_power(x, 3)", SQUARE),
    ("-np.linalg.multi_dot([x, y, z])", A, randn(4, 2), randn(2, 3)), ("-np.linalg.cond(x)", SQUARE),
    ("np.linalg.norm(x)", C), ("np.linalg.norm(x)", A), ("np.linalg.norm(x, axis=0)", A), ("np.linalg.norm(x, ord=3, axis=1)", A),
    ("np.linalg.norm(x, 'fro')", A), ("np.linalg.norm(x, 'nuc')", A), ("-np.linalg.norm(x, 2)", A), ("-np.linalg.norm(x, 1)", A),
    ("-np.linalg.norm(x, np.inf)", C), ("np.linalg.norm(x, axis=(0, 1))", A), ("-np.linalg.norm(x, axis=1, keepdims=True)", A),
    ("-np.polyval(x, y)", C, randn(3)), ("-np.vecdot(x, y)", A, B), ("-np.multiply.outer(x, y)", C, randn(2, 2)),
    ("-np.trapezoid(x, y)", C, np.sort(randn(4))), ("-np.divmod(x, y)[1]", POSITIVE, POSITIVE + 1), ("-np.modf(x)[0]", POSITIVE),
    ("-np.copysign(x, y)", A, B), ("-np.heaviside(x, 0.5) * x", A),
    ("-np.trapezoid(x, y, axis=0)", SQUARE, np.sort(STACK[0], axis=0)), ("-np.fmod(x, y)", 7 * A, B + np.sign(B)), ("-np.fmod(x, 0.1)", A),
    ("-np.median(x)", randn(5)), ("-np.median(x)", randn(6)), ("-np.round(x, -2) * x", 1e4 * A),
    ("-x[(0, 0), :]", A), ("-x[((0, 0, 1),)]", A), ("-np.median(x, axis=(0, 2))", STACK), ("-np.median(x, axis=(0, 1), keepdims=True)", A),
    ("-np.take_along_axis(x, np.argsort(x.ravel())[:5], None)", A),
    ("-np.where([[True], [False], [True]], x, x * x)", A),
    ("-np.diff(x, prepend=0.0, axis=1)", A), ("-np.diff(x, append=x[:, :1])", A), ("-np.linalg.qr(x, 'r')", SQUARE),
    ("-np.polyval([1.0, 2.0, 3.0], x)", A), ("-np.cbrt(x)", 8 * A), ("-np.full_like(x, y)", A, C),
    ("-np.linalg.solve(x, y)", STACK, randn(3)),
    ("-np.einsum('...i,i', x, y)", randn(1, 2, 3), randn(3)), ("-np.einsum('ij,kj->ik', x, y)", randn(3, 1), randn(2, 1)),
):  # fmt: skip
    ROWS[f"{text} of shapes {', '.join(str(a.shape) for a in arrays)}"] = (
        eval(f"lambda np, x, y=None, z=None: {text.lstrip('-')}", {"operator": operator}),
        tuple(arrays),
    )

NEWER = ("unstack", "vecdot", "vector_norm", "trapezoid")
"""Names that NumPy 1 has not."""


def weighted(name, np_):
    """The row as a scalar function: a sum of squares with weights, so that second derivatives do not vanish."""
    function, arrays = ROWS[name]

    def scalar(*arrays):
        y = function(np_, *arrays)
        weights = np.cos(1.0 + np.arange(math.prod(y.shape))).reshape(y.shape)
        return np_.sum(weights * y * y + y)

    return scalar, arrays


def difference(f, arrays, directions, step=1e-6):
    return sum(
        (f(*(_moved(arrays, i, step * d))) - f(*(_moved(arrays, i, -step * d)))) / (2 * step)
        for i, d in enumerate(directions)
    )


def _moved(arrays, i, by):
    return tuple(a + by if j == i else a for j, a in enumerate(arrays))


def directions_of(name, arrays):
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    return tuple(rng.standard_normal(a.shape) for a in arrays)


def inner(arrays, others):
    return sum(float(np.sum(np.asarray(a) * b)) for a, b in zip(arrays, others, strict=True))


@pytest.mark.parametrize("name", ROWS)
def test_a_function_of_numpy(name):
    if any(new in name for new in NEWER) and np.lib.NumpyVersion(np.__version__) < "2.1.0":
        pytest.skip("NumPy 1 has no such function")
    f, arrays = weighted(name, np)
    directions, positions = directions_of(name, arrays), tuple(range(len(arrays)))
    value, gradients = mm.value_and_grad(f, positions)(*arrays)
    np.testing.assert_allclose(value, f(*arrays), rtol=1e-12)
    along = inner(gradients, directions)
    scale = 1.0 + abs(along)
    assert abs(along - difference(f, arrays, directions)) <= 2e-6 * scale * max(
        1.0, abs(float(value)) * 1e-2
    ), name
    assert abs(float(mm.jvp(f, arrays, directions)[1]) - along) <= 1e-10 * scale
    gradient = lambda *xs: inner(mm.grad(f, positions)(*xs), directions)  # noqa: E731
    second = mm.hvp(f, arrays, directions)
    second = inner(second if len(arrays) > 1 else (second,), directions)
    forward = float(mm.jvp(lambda *xs: mm.jvp(f, xs, directions)[1], arrays, directions)[1])
    tolerance = 5e-6 * (1.0 + abs(second)) * max(1.0, scale * 1e-1)
    assert abs(second - difference(gradient, arrays, directions)) <= tolerance, name
    assert abs(forward - second) <= 1e-9 * (1.0 + abs(second)), name
    if autograd is not None and not name.startswith("-") and not any(new in name for new in NEWER):
        theirs = autograd.grad(weighted(name, anp)[0], positions)(*arrays)
        for ours, other in zip(gradients, theirs, strict=True):
            np.testing.assert_allclose(ours, other, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("name", [name for name in ROWS if "x > 0]" not in name])
def test_under_vmap(name):
    """The table once more for batched arrays, of which each row is the function of one example."""
    if any(new in name for new in NEWER) and np.lib.NumpyVersion(np.__version__) < "2.1.0":
        pytest.skip("NumPy 1 has no such function")
    function, arrays = ROWS[name]
    batch = tuple(np.stack([a, a[..., ::-1] if a.ndim and "linalg" not in name else a]) for a in arrays)
    found = mm.vmap(lambda *xs: function(np, *xs))(*batch)
    for i in range(2):
        np.testing.assert_allclose(found[i], function(np, *(a[i] for a in batch)), rtol=1e-12, atol=1e-12)


REFUSED = {
    "numpy.fft.fft": lambda x: np.fft.fft(x),
    "numpy.interp": lambda x: np.interp(x, [0.0, 1.0], [0.0, 1.0]),
    "numpy.convolve": lambda x: np.convolve(x, x),
    "numpy.linalg.eig": lambda x: np.linalg.eig(np.outer(x, x)),
    "numpy.unique": lambda x: np.unique(x),
    "numpy.sum with these arguments": lambda x: np.sum(x, where=x > 0),
    "numpy.add.reduceat": lambda x: np.add.reduceat(x, [0, 1]),
    "numpy.frexp": lambda x: np.frexp(x),
    "ufunc sin with where": lambda x: np.sin(x, where=x > 0),
    "into a plain array": lambda x: np.add(x, x, out=np.zeros(3)),
    "into a plain array ": lambda x: operator.iadd(np.zeros(3), x),
    "plain array": lambda x: np.array([x[0], x[1]]),
    "plain array ": lambda x: np.asarray(x),
    "plain array  ": lambda x: np.zeros(3).__setitem__(0, x[0]),
    "in place": lambda x: x.sort(),
    "in place ": lambda x: operator.setitem(x, 0, 1.0),
    "x.item": lambda x: x.item(),
    "stands twice": lambda x: np.einsum("ii", np.outer(x, x[:2])),
    "one axis or two": lambda x: np.linalg.norm(np.reshape(x, (1, 1, 3)), 1),
    "linalg.vector_norm": lambda x: mm.grad(lambda x: np.linalg.norm(1j * x))(x),
    "var": lambda x: np.var(1j * x),
    "order='F'": lambda x: np.reshape(x, (3, 1), order="F"),
    "mode='edge'": lambda x: np.pad(x, 1, mode="edge"),
    "order='K'": lambda x: np.outer(x, x).T.ravel(order="K"),
    "order='A'": lambda x: np.ravel(np.outer(x, x).T, order="A"),
    "hermitian=True": lambda x: np.linalg.svd(np.outer(x, x), hermitian=True),
    "hermitian=True ": lambda x: np.linalg.pinv(np.outer(x, x), hermitian=True),
    "stands for": lambda x: np.einsum("b...i->bi", np.ones((2, 2, 3)) * x),
    "no two elements": lambda x: np.gradient(x[:1]),
    "does not fit": lambda x: np.rollaxis(x, 5),
    "does not fit ": lambda x: np.gradient(x, axis=3),
    "erf": lambda x: pytest.importorskip("scipy.special").erf(x),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_in_no_table_is_refused_by_name(name):
    with pytest.raises((DifferentiationError, InputError), match=name.strip().replace(".", r"\.")):
        mm.grad(lambda x: (REFUSED[name](x), np.sum(x))[1])(np.asarray([1.0, 2.0, 3.0]))


SPECIAL = {
    "np.fmod(x, 0.1)": [6.0, -6.0, 0.3, 1e17],
    "np.fmod(x, np.inf)": [1.0, -2.5],
    "np.fmod(7.0, x)": [3.0, -3.0, np.inf],
    "np.heaviside(x, 0.5)": [np.nan, -1.0, 0.0, 2.0],
    "np.modf(x)[0]": [np.inf, -np.inf, -1.5, 2.25],
    "np.linalg.pinv(np.diag(x))": [1.0, 2.0, 1e-13],
    "np.round(x, -1)": [12345675.0, 29.0, 35.0],
}


@pytest.mark.parametrize("name", SPECIAL)
@pytest.mark.parametrize("kind", ["float64", "float32"])
def test_values_where_the_formula_is_not_the_function(name, kind):
    """A rounded quotient, infinities, NaN, and NumPy's own bound of a rank."""
    f, x = eval(f"lambda x: {name}", {"np": np}), np.asarray(SPECIAL[name], dtype=np.float64)
    x = x.astype(kind)
    found, wanted = mm.jvp(f, (x,), (np.ones_like(x),))[0], f(x)
    np.testing.assert_array_equal(found, wanted)
    assert np.asarray(found).dtype == wanted.dtype


OF_SINGLE_PRECISION = (
    "np.fmax(x, 0.0)", "np.fmin(0.5, x)", "np.heaviside(x, 0.5)", "np.fmod(x, 0.7)", "np.float_power(x, 2)", "np.float_power(2.0, x)",
    "np.polyval([1.0, 2.0], x)", "np.polyval(x, 2.0)", "np.full_like(x, np.arange(3.0))", "np.full_like(x, [1.0, 2.0, 3.0])", "np.cbrt(x)",
    "np.where(x > 0, x, 0.0)", "np.clip(x, 0.0, 1.0)", "np.diff(x, prepend=0.0)", "np.median(x)", "np.dot(2.0, x)", "np.sinc(x)",
)  # fmt: skip


@needs_numpy_2
@pytest.mark.parametrize("name", OF_SINGLE_PRECISION)
def test_dtypes_beside_numbers_and_lists_are_those_of_numpy(name):
    f, x = eval(f"lambda x: {name}", {"np": np}), np.asarray([0.5, 1.5, 2.25], dtype=np.float32)
    found, wanted = mm.jvp(f, (x,), (x,))[0], f(x)
    np.testing.assert_allclose(found, wanted, rtol=1e-6)
    assert found.dtype == wanted.dtype
    assert np.asarray(mm.vmap(f)(np.stack([x, x]))).dtype == wanted.dtype


def test_the_slope_of_a_cube_root_at_0_is_infinite():
    with np.errstate(divide="ignore"):  # NumPy warns of 1 / 0
        for x in (0.0, -0.0):
            assert mm.grad(np.cbrt)(np.asarray(x)) == np.inf
            assert mm.jvp(np.cbrt, (np.asarray(x),), (np.asarray(1.0),))[1] == np.inf
        assert np.signbit(mm.value_and_grad(np.cbrt)(np.asarray(-0.0))[0])


@needs_numpy_2
def test_dtypes_are_those_of_numpy():
    x = np.asarray([1.0, 2.0], dtype=np.float32)
    for f in (lambda x: np.sum(x * 2.0), lambda x: np.float32(2.0) * x[0], lambda x: np.mean(np.sin(x))):
        assert mm.grad(f)(x).dtype == np.float32
        assert mm.jvp(f, (x,), (x,))[1].dtype == np.float32
    mixed = mm.grad(lambda x: np.sum(x * np.ones(2)))(x)
    assert mixed.dtype == np.float32


def test_other_libraries_keep_their_own_functions():
    """NumPy's protocols are those of NumPy's arrays: elsewhere the same call is refused."""
    strict = pytest.importorskip("array_api_strict")
    with pytest.raises((TypeError, TracedValueError)):
        mm.grad(lambda x: np.sum(np.sin(x)))(strict.asarray([1.0, 2.0]))
