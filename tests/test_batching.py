"""`vmap` on the tape's backends: a function called once with arrays that hide an axis gives what a loop gives, for every function.

The rows are those of ``test_tape_rules.py`` and, for what has no derivative, those below. Each is called with all arguments
mapped and with each one alone, in value, gradient and gradient of the whole, and must be batched, not looped over.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any

import array_api_strict
import numpy as np
import pytest
import test_tape_rules as rules
from test_tape_rules import Row, apart, assert_all_close, between, fluent, normal, outputs, values

import multimlp as mm
from multimlp import tape
from multimlp.backend import array_namespace, load_backend
from multimlp.errors import TracedValueError
from multimlp.tape.batch_rules import BATCH_RULES

EXAMPLES = 3


def integers(low: int, high: int, *shape: int) -> Callable[[np.random.Generator], np.ndarray]:
    return lambda rng: rng.integers(low, high, shape)


def same(name: str, *arguments: Any, **params: Any) -> Row:
    return fluent(name, lambda xp, *xs: getattr(xp, name)(*xs, **params), *arguments)


_ROWS_APART = values([-1.0, -1.0, -1.0], [1.0, -1.0, -1.0])
_pair = (integers(0, 3, 4, 1), integers(0, 3, 5))

CONSTANT = [
    *(same(name, *_pair) for name in ["equal", "not_equal", "less", "less_equal", "greater", "greater_equal", "floor_divide"][:6]),
    same("floor_divide", integers(-9, 9, 4, 1), integers(1, 5, 5)),
    *(same(f"bitwise_{name}", *_pair) for name in ("and", "or", "xor", "left_shift", "right_shift")),
    same("bitwise_invert", integers(-9, 9, 4)),
    *(same(name, between(-2.0, 2.0, 3, 2)) for name in ["ceil", "floor", "round", "trunc", "sign", "signbit"]),
    *(same(name, values(1.0, np.nan, np.inf, -np.inf)) for name in ("isfinite", "isinf", "isnan")),
    *(
        fluent(name, lambda xp, x, y, n=name: getattr(xp, f"logical_{n}")(x > 0, y > 0), normal(4, 1), normal(3))
        for name in ("and", "or", "xor")
    ),
    fluent("logical_not", lambda xp, x: xp.logical_not(x > 0), normal(4)),
    fluent("operators of bits", lambda xp, x, y: (x & y) ^ (x | 5) ^ (3 & ~y) ^ (x << 1) ^ (y >> 1), *_pair),
    fluent("operators of booleans", lambda xp, x: ~(x > 0) & (x < 1) | (x == 0.5), normal(4)),
    *(
        fluent(f"{name} {axis}", lambda xp, x, n=name, a=axis: getattr(xp, n)(x, axis=a, keepdims=a is not None), apart(3, 4))
        for name in ("argmax", "argmin")
        for axis in (None, 0, -1)
    ),
    *(
        fluent(f"{name} {axis}", lambda xp, x, f=f, a=axis: f(xp, x, xp.asarray([[True], [False]]), a), _ROWS_APART)
        for name, f in {
            "any": lambda xp, x, first, a: xp.any((x > 0) & first, axis=a),
            "all": lambda xp, x, first, a: xp.all((x < 0) | ~first, axis=a),
            "count_nonzero": lambda xp, x, first, a: xp.count_nonzero((x > 0) & first, axis=a),
        }.items()
        for axis in (None, 0, (0, 1))
    ),
    fluent("argsort", lambda xp, x: xp.argsort(x, axis=0) + xp.argsort(x, descending=True), apart(3, 4)),
    fluent("sort integers", lambda xp, x: xp.sort(x, axis=0), integers(0, 99, 4, 2)),
    fluent("searchsorted", lambda xp, x: xp.searchsorted(xp.asarray([-1.0, 0.0, 0.5]), x), normal(5)),
    fluent("linalg.matrix_rank", lambda xp, x: xp.linalg.matrix_rank(xp.astype(x > 0.3, x.dtype)), normal(2, 3, 2)),
    fluent("astype", lambda xp, x: xp.astype(x, xp.int64) + xp.astype(x > 0, xp.int64), between(-9.0, 9.0, 4)),
    fluent("conj, real, imag", lambda xp, x: (xp.conj(x), xp.real(x), xp.imag(x + 1j * x)), normal(4)),
    fluent("empty_like", lambda xp, x: x + 0 * xp.astype(xp.isnan(xp.empty_like(x)), x.dtype), normal(4)),
    fluent("nextafter", lambda xp, x: xp.nextafter(x, 2 * x), normal(4)),
    fluent(
        "inspection",
        lambda xp, x: x * (xp.isdtype(xp.result_type(x, x), "real floating") + xp.can_cast(x, xp.float64))
        + xp.finfo(x).bits + xp.iinfo(xp.asarray(1) + xp.astype(x, xp.int64)).bits,
        normal(4),
    ),
    fluent("to_device", lambda xp, x: x.to_device(x.device) if x.device is not None else x + 0, normal(4)),
    fluent("sizes", lambda xp, x: x * (x.size + x.ndim * x.shape[-1] + len(x)), normal(3, 4)),
    fluent("squeeze all", lambda xp, x: xp.squeeze(x, axis=(0, 2)), normal(1, 3, 1)),
    *(
        fluent(f"take by {shape}", lambda xp, i: xp.take(xp.asarray([1.5, 2.5, 3.5, 9.0]), xp.reshape(i, (-1,))), integers(-4, 4, *shape))
        for shape in ((3,), ())
    ),
    fluent("take of, by", lambda xp, x, i: xp.take(x, i, axis=1), normal(2, 4, 3), integers(-4, 4, 5)),
    fluent("take 1-d of, by", lambda xp, x, i: xp.take(x, i), normal(4), integers(-4, 4, 5)),
    fluent("take_along_axis by", lambda xp, x, i: xp.take_along_axis(x, i, axis=1), normal(2, 4), integers(0, 4, 2, 3)),
    fluent("getitem by", lambda xp, x, i: x[i] + x[i, ...], normal(4, 3), integers(-4, 4)),
    fluent("getitem by array", lambda xp, x, i: x[i], normal(4, 3), integers(-4, 4, 5)),
    fluent("getitem by two", lambda xp, x, i, j: x[i, j] + x[i, 1], normal(4, 3), integers(-4, 4), integers(0, 3)),
    fluent("getitem by, slices", lambda xp, x, i: x[i, 1:, ::2], normal(4, 3, 5), integers(-4, 4)),
]  # fmt: skip

DIFFERENTIATED = [row for row in rules.ROWS if row.name != "getitem mask"]
"""A mask of numbers makes results of shapes that depend on the example: that is looped over."""

BY_INTEGERS = [row for row in CONSTANT if " by" in row.name and len(row.arguments) > 1]
"""What is differentiated with respect to the first argument alone."""

looped_on_strict = {"getitem integers"}
"""Indices that array-api-strict does not take beside a slice."""

not_of_jax = {"to_device"}

numpy_only = {"linalg.cross", "rows", *(f"linalg.matrix_power {n}" for n in (0, 1, 2, 5, -2))}
"""Which array-api-strict has with other signatures than we have on traced arrays."""


def examples(row: Row) -> list[tuple[np.ndarray, ...]]:
    """The arguments of each example."""
    seeds = [np.random.default_rng([zlib.crc32(row.name.encode()), i]) for i in range(EXAMPLES)]
    return [tuple(_turned(make(rng), i) for make in row.arguments) for i, rng in enumerate(seeds)]


def _turned(x: Any, i: int) -> np.ndarray:
    """So that numbers that are written down differ from example to example too."""
    return np.roll(x, i, axis=0) if np.ndim(x) else np.asarray(x)


def patterns(row: Row) -> list[tuple[int, ...]]:
    """Which arguments are mapped: all, and each alone; a plain array takes no batched index."""
    count = len(row.arguments)
    alone = (
        [(i,) for i in range(count) if not i or not row.name.startswith("getitem by")] if count > 1 else []
    )
    return [tuple(range(count)), *alone]


def value(row: Row) -> Callable[..., Any]:
    return lambda arrays: outputs(row, array_namespace(*arrays), arrays)


def gradient(row: Row) -> Callable[..., Any]:
    return lambda arrays: rules.gradient(row, arrays)


def by_first(row: Row) -> Callable[..., Any]:
    """The gradient with respect to the first argument; the others are integers."""

    def function(arrays: Any) -> Any:
        one = Row(row.name, lambda xp, x: row.function(xp, x, *arrays[1:]), row.arguments[:1])
        return rules.gradient(one, arrays[:1])

    return function


def mapped(function: Any, row: Row, pattern: tuple[int, ...], asarray: Any) -> tuple[Any, tuple[Any, ...]]:
    """A function of the mapped arguments alone, and these, stacked."""
    first, *_ = sets = examples(row)

    def of_mapped(arrays: Any) -> Any:
        full = [asarray(x) for x in first]
        for i, x in zip(pattern, arrays, strict=True):
            full[i] = x
        return function(tuple(full))

    return of_mapped, tuple(asarray(np.stack([one[i] for one in sets])) for i in pattern)


def looped(function: Any, arrays: Any) -> tuple[Any, ...]:
    rows = [function(tuple(x[i, ...] for x in arrays)) for i in range(EXAMPLES)]
    columns = zip(*rows, strict=True)
    return tuple(array_namespace(*column).stack(list(column)) for column in columns)


def batched(function: Any, arrays: Any) -> tuple[Any, ...]:
    """By one call; where it would need a loop the test fails."""
    found = tape.vmap(function, arrays, load_backend("strict" if _is_strict(arrays[0]) else "numpy"))
    assert found is not None, "looped over"
    return found


def _is_strict(x: Any) -> bool:
    return isinstance(tape.raw(x), type(array_api_strict.ones(())))


def host(arrays: Any) -> list[np.ndarray]:
    return [np.asarray(x) for x in arrays]


def check(make: Any, row: Row, pattern: tuple[int, ...], asarray: Any) -> None:
    function, arrays = mapped(make(row), row, pattern, asarray)
    found, wanted = host(batched(function, arrays)), host(looped(function, arrays))
    assert [x.dtype for x in found] == [x.dtype for x in wanted]
    assert_all_close(found, wanted, 1e-12)


def of_rows(rows: Any) -> Any:
    pairs = [(row, pattern) for row in rows for pattern in patterns(row)]
    names = [f"{row.name}-{''.join(map(str, pattern))}" for row, pattern in pairs]
    return pytest.mark.parametrize(("row", "pattern"), pairs, ids=names)


@of_rows([*DIFFERENTIATED, *CONSTANT])
def test_values(row: Row, pattern: Any) -> None:
    check(value, row, pattern, np.asarray)


@of_rows(DIFFERENTIATED)
def test_gradients(row: Row, pattern: Any) -> None:
    check(gradient, row, pattern, np.asarray)


@of_rows(BY_INTEGERS)
def test_gradients_of_what_is_picked(row: Row, pattern: Any) -> None:
    check(by_first, row, pattern, np.asarray)


def total(of: Any, function: Any) -> Any:
    def scalar(arrays: Any) -> Any:
        results = of(function, arrays)
        return rules.weighted_sum(array_namespace(*results), results), ()

    return tape.value_and_grad(scalar, load_backend("numpy"))


@of_rows(DIFFERENTIATED)
def test_gradients_of_batches(row: Row, pattern: Any) -> None:
    function, arrays = mapped(value(row), row, pattern, np.asarray)
    found, wanted = (host(total(of, function)(arrays)[2]) for of in (batched, looped))
    assert_all_close(found, wanted, 1e-11)


@of_rows([row for row in DIFFERENTIATED if row.strict and row.name not in numpy_only | looped_on_strict])
def test_on_array_api_strict(row: Row, pattern: Any) -> None:
    check(gradient, row, pattern, array_api_strict.asarray)


@of_rows([row for row in [*DIFFERENTIATED, *CONSTANT] if len(row.arguments) == 1])
def test_batches_of_batches(row: Row, pattern: Any) -> None:
    """An axis inside an axis: three groups of examples, each in another order."""
    function, (x,) = mapped(value(row), row, pattern, np.asarray)
    groups = np.stack([np.roll(x, k, axis=0) for k in range(EXAMPLES)])
    found = host(batched(lambda arrays: batched(function, arrays), (groups,)))
    wanted = host(looped(lambda arrays: looped(function, arrays), (groups,)))
    assert_all_close(found, wanted, 1e-12)


@pytest.mark.slow
@of_rows([row for row in [*DIFFERENTIATED, *CONSTANT] if row.name not in numpy_only | not_of_jax])
def test_values_against_jax(row: Row, pattern: Any) -> None:
    jax = pytest.importorskip("jax")
    backend = load_backend("jax")
    function, arrays = mapped(value(row), row, pattern, np.asarray)
    theirs, _ = mapped(value(row), row, pattern, lambda x: backend.asarray(x))
    with backend.scope("float64"):
        given = tuple(backend.asarray(x) for x in arrays)
        wanted = host(jax.vmap(lambda *xs: theirs(xs))(*given))
    assert_all_close(host(batched(function, arrays)), wanted, 1e-10)


class Counted(dict[str, Any]):
    """Rules that note by which name they were called."""

    def __init__(self, found: set[str]) -> None:
        super().__init__({name: self._noting(name, rule, found) for name, rule in BATCH_RULES.items()})

    @staticmethod
    def _noting(name: str, rule: Any, found: set[str]) -> Any:
        def make(record: Any, xp: Any) -> Any:
            batch = rule(record, xp)

            def noted(*args: Any, **params: Any) -> Any:
                found.add(name)
                return batch(*args, **params)

            return noted

        return make


def test_every_rule_has_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    found: set[str] = set()
    monkeypatch.setattr("multimlp.tape.batch_rules.BATCH_RULES", Counted(found))
    numpy = load_backend("numpy")

    class Fresh(type(numpy)):  # type: ignore[misc]
        """Whose traced types are made with the rules above."""

    library = Fresh()
    for row in [*DIFFERENTIATED, *CONSTANT]:

        def function(arrays: Any, row: Row = row) -> Any:
            return outputs(row, arrays[0].__array_namespace__(), arrays)

        _, arrays = mapped(function, row, patterns(row)[0], np.asarray)
        assert tape.vmap(function, arrays, library) is not None, row.name
    of_gradients = {"_put", "_add_at"}
    composed = {"std", "var", "linalg.eigvalsh", "linalg.svdvals"}
    assert BATCH_RULES.keys() - found == of_gradients | composed


@pytest.mark.parametrize(
    "row",
    [row for row in [*DIFFERENTIATED, *CONSTANT] if row.name != "linalg.matrix_power 0"],
    ids=lambda row: row.name,
)
def test_rows_differ_from_example_to_example(row: Row) -> None:
    """Else a rule that gave all examples the numbers of one would pass."""
    function, arrays = mapped(value(row), row, patterns(row)[0], np.asarray)
    assert any(
        not np.array_equal(y[0], y[1], equal_nan=True) or not np.array_equal(y[0], y[2])
        for y in looped(function, arrays)
    )


# ---- what is looped over, with the numbers of a loop


def _assigned(x: Any) -> Any:
    y = np.zeros(4)
    y[1:] = x[:3]
    return y


def _added_in_place(x: Any) -> Any:
    y = np.zeros(4)
    other = y
    other += x
    return y


def _doubled_until_large(x: Any) -> Any:
    while float(x @ x) < 10.0:
        x = 2.0 * x
    return x


def _caught(x: Any) -> Any:
    try:
        return x * float(x[0])
    except Exception:
        return x


LOOPED = {
    "if": lambda x: x * x if x[0] > 0 else -x,
    "while": _doubled_until_large,
    "int": lambda x: x * int(x[0] > 0),
    "index": lambda x: np.arange(3.0)[int(x[0] > 0)] * x,
    "a try around it": _caught,
    "NumPy's function": lambda x: np.interp(x, np.arange(3.0), np.arange(3.0) ** 2),
    "NumPy's method": lambda x: np.asarray(x.tolist()),
    "assignment": _assigned,
    "an array changed in place": _added_in_place,
    "its row changed in place": lambda x: x.__setitem__(0, 7.0) or x,
    "a mask": lambda x: array_namespace(x).sum(x[x > 0]),
    "no rule": lambda x: array_namespace(x).fft.rfft(x).real,
    "a primitive": lambda x: array_namespace(x).conj(np.linalg.eigvals(np.outer(x, x) + np.eye(4))).real,
    "a keyword": lambda x: np.add(x, x, dtype="float32"),
}

NOT_LOOPED = {
    "NumPy's function": lambda x: np.cumsum(x),
    "NumPy's method": lambda x: x.sum() * x,
    "NumPy's element-wise functions": lambda x: np.exp(x) + np.power(x, 2) + np.arctan2(x, np.ones(4)),
    "a NumPy array before it": lambda x: np.arange(4.0) * x + np.float64(2.0) / x - (np.ones((4, 4)) @ x),
    "comparison": lambda x: array_namespace(x).where(np.zeros(4) < x, x, 1.0),
    "erf": lambda x: mm.activations.gelu(x),
    "stop_gradient": lambda x: x * mm.stop_gradient(x),
    "scan": lambda x: mm.scan(lambda c, item: (c + item * c, c), x[0], x)[1],
    "jit": lambda x: mm.jit(lambda z: z * z)(x),
}


def rows_of(x: np.ndarray, f: Any) -> np.ndarray:
    return np.stack([f(row) for row in x.copy()])


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether each `vmap` was batched."""
    found: list[bool] = []
    whole = tape.vmap

    def noted(*args: Any) -> Any:
        result = whole(*args)
        found.append(result is not None)
        return result

    monkeypatch.setattr(tape, "vmap", noted)
    return found


X = np.asarray([[0.5, -1.0, 2.0, 0.25], [-0.5, 1.5, 0.75, -2.0], [1.25, -0.1, -3.0, 0.6]])


@pytest.mark.parametrize("name", LOOPED)
def test_what_needs_single_rows_is_looped_over(name: str, taken: list[bool]) -> None:
    f = LOOPED[name]
    if name == "its row changed in place":
        assert np.array_equal(mm.vmap(f)(X.copy()), rows_of(X, f))
    else:
        np.testing.assert_array_equal(mm.vmap(f)(X), rows_of(X, f))
    assert taken == [False]


@pytest.mark.parametrize("name", NOT_LOOPED)
def test_what_is_batched(name: str, taken: list[bool]) -> None:
    f = NOT_LOOPED[name]
    np.testing.assert_allclose(mm.vmap(f)(X), rows_of(X, f), rtol=1e-14, atol=1e-300)
    assert taken == [True]


def test_a_choice_inside_a_gradient_and_in_an_inner_vmap(taken: list[bool]) -> None:
    def f(x: Any) -> Any:
        return array_namespace(x).sum(x * x) if x[0] > 0 else array_namespace(x).sum(x)

    np.testing.assert_allclose(mm.vmap(mm.grad(f))(X), rows_of(X, mm.grad(f)), rtol=1e-15)
    taken.clear()
    pairs = np.stack([X, X[::-1]])
    np.testing.assert_array_equal(mm.vmap(mm.vmap(f))(pairs), np.stack([rows_of(x, f) for x in pairs]))
    assert not any(taken)


def test_errors_are_those_of_one_row() -> None:
    with pytest.raises(ValueError, match="different from"):
        mm.vmap(lambda x: array_namespace(x).matmul(x, np.ones(3)))(X)
    with pytest.raises(ZeroDivisionError, match="mine"):
        mm.vmap(lambda x: (_ for _ in ()).throw(ZeroDivisionError("mine")))(X)
    with pytest.raises(IndexError):
        mm.vmap(lambda x, i: array_namespace(x).take(x, i), in_axes=(0, 0))(X, np.asarray([[1], [4], [0]]))


def test_an_array_that_was_kept_is_refused() -> None:
    kept: list[Any] = []
    mm.vmap(lambda x: kept.append(x) or x)(X)
    with pytest.raises(TracedValueError, match="kept from inside a vmap"):
        bool(kept[0][0] > 0)


def test_results_have_memory_of_their_own() -> None:
    given = X.copy()
    for f in (
        lambda x: x,
        lambda x: x[::-1],
        lambda x: np.arange(3.0),
        lambda x: array_namespace(x).broadcast_to(x[:1], (5,)),
    ):
        found = mm.vmap(f)(given)
        found += 1.0
    assert np.array_equal(given, X)


def test_numbers_from_keys_are_those_of_a_loop(taken: list[bool]) -> None:
    keys = mm.random.split(mm.random.key(3), 5)
    draws = {
        "bits": lambda k: mm.random.bits(k, (3, 2)),
        "uniform": lambda k: mm.random.uniform(k, (3,), "float64"),
        "normal": lambda k: mm.random.normal(k, (5,)),
        "bernoulli": lambda k: mm.random.bernoulli(k, 0.3, (9,)),
        "permutation": lambda k: mm.random.permutation(k, 7),
        "categorical": lambda k: mm.random.categorical(k, np.zeros(5), (3,)),
        "split": lambda k: mm.random.fold_in(mm.random.split(k, 3)[1], 7),
    }
    for name, draw in draws.items():
        found, wanted = mm.vmap(draw)(keys), np.stack([draw(k) for k in keys])
        assert found.dtype == wanted.dtype
        if name == "normal":
            np.testing.assert_allclose(found, wanted, rtol=1e-6)
        else:
            np.testing.assert_array_equal(found, wanted)
    assert all(taken)


def test_a_function_is_called_once() -> None:
    calls: list[int] = []
    mm.vmap(lambda x: calls.append(1) or x * x)(X)
    assert len(calls) == 1


def test_gradients_of_examples_of_a_network(taken: list[bool]) -> None:
    """Trees, unmapped arguments, closed-over keyword arguments, one call."""
    mlp = mm.MLP(4, 5, 3, activation="tanh")
    params = mlp.init(seed=0, dtype="float64")
    labels = np.asarray([0, 2, 1])

    def loss(params: Any, x: Any, label: Any, *, scale: float) -> Any:
        xp = array_namespace(x)
        scores = mlp(params, x)
        return scale * (xp.log(xp.sum(xp.exp(scores))) - xp.take(scores, xp.reshape(label, (1,)))[0])

    found = mm.vmap(mm.grad(loss), in_axes=(None, 0, 0))(params, X, labels, scale=2.0)
    rows = [mm.grad(loss)(params, x, label, scale=2.0) for x, label in zip(X, labels, strict=True)]
    mm.tree.map(
        lambda whole, *parts: np.testing.assert_allclose(whole, np.stack(parts), rtol=1e-12), found, *rows
    )
    assert taken == [True]


@pytest.mark.parametrize("piece", [1, 7, 20, 1000])
def test_jacobians_in_pieces(piece: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def f(x: Any) -> Any:
        xp = array_namespace(x)
        return {"a": xp.sin(x) * xp.sum(x), "b": xp.sum(x * x)}

    wanted = mm.jacobian(f)(X[0]), mm.hessian(lambda x: f(x)["b"] ** 2)(X[0])
    monkeypatch.setattr("multimlp.transforms._jacobian._PIECE", piece)
    found = mm.jacobian(f)(X[0]), mm.hessian(lambda x: f(x)["b"] ** 2)(X[0])
    mm.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-14), found, wanted)


def test_running_sums_of_matrices_need_an_axis():
    """As outside of `vmap`."""
    for name in ("cumulative_sum", "cumulative_prod"):
        with pytest.raises(ValueError, match="axis"):
            mm.vmap(lambda x, n=name: getattr(array_namespace(x), n)(x))(np.ones((2, 2, 2)))
        found = mm.vmap(lambda x, n=name: getattr(array_namespace(x), n)(x))(np.full((2, 3), 2.0))
        np.testing.assert_array_equal(found[1], [2, 4, 6] if name == "cumulative_sum" else [2, 4, 8])
