"""Groups of parameters against torch's parameter groups and optax's masks; in every engine; written down and resumed."""

from __future__ import annotations

import itertools
import json
import pickle
from types import SimpleNamespace

import numpy as np
import pytest
from libraries import COMPILED, NAMES, convert, every_library

import multimlp as mm
from multimlp import optimizers, schedules, tree
from multimlp.backend import load_backend
from multimlp.errors import InputError
from multimlp.mlp import Dense, ParametricDense
from multimlp.training.engines import Chunk, Problem, inplace
from multimlp.training.engines.portable import PortableEngine

RNG = np.random.default_rng(5)
STEPS = 7
O = optimizers
PARAMS = (
    ParametricDense(RNG.normal(size=(4, 3)), RNG.normal(size=3), {"negative_slope": RNG.normal(size=3)}),
    Dense(RNG.normal(size=(3, 2)), RNG.normal(size=2)),
)
LEAVES = tree.leaves(PARAMS)
GRADS = [[RNG.normal(size=p.shape) for p in LEAVES] for _ in range(STEPS)]
PATHS = ["0.weight", "0.bias", "0.activation.negative_slope", "1.weight", "1.bias"]

NO_DECAY = {"bias": {"weight_decay": 0.0}, "activation": {"weight_decay": 0.0}}
RATES = {
    "bias": {"weight_decay": 0.0, "learning_rate": 0.3},
    "activation": {"learning_rate": 0.01, "weight_decay": 0.0},
}
LAYERS = {"0": {"learning_rate": 0.0}, "1.weight": {"weight_decay": 0.5}}

# label: (the optimizer for all, its groups, what torch calls it)
CASES = {
    "sgd": (O.sgd(0.1, weight_decay=0.1), NO_DECAY, "SGD"),
    "sgd momentum": (O.sgd(0.1, momentum=0.9, nesterov=True, weight_decay=0.1), RATES, "SGD"),
    "sgd other momentum": (O.sgd(0.1, momentum=0.9), {"bias": {"momentum": 0.5}}, "SGD"),
    "adam": (O.adam(0.1, weight_decay=0.1), RATES, "Adam"),
    "adam other betas": (O.adam(0.1), {"bias": {"beta1": 0.5, "eps": 1e-3}}, "Adam"),
    "adamw": (O.adamw(0.1, weight_decay=0.2), NO_DECAY, "AdamW"),
    "adamw rates": (O.adamw(0.1, weight_decay=0.2), RATES, "AdamW"),
    "adamw layers": (O.adamw(0.1, weight_decay=0.2), LAYERS, "AdamW"),
    "rmsprop": (O.rmsprop(0.1, rho=0.9, momentum=0.5, weight_decay=0.1), RATES, "RMSprop"),
    "adagrad": (
        O.adagrad(0.1, initial_accumulator=0.5),
        {"weight": {"learning_rate": 0.02}, "bias": {"learning_rate": 0.4}},
        "Adagrad",
    ),
    "nadam": (O.nadam(0.1, weight_decay=0.1), RATES, None),
    "lion": (O.lion(0.1, weight_decay=0.1), RATES, None),
}
TO_TORCH = {
    "learning_rate": "lr",
    "rho": "alpha",
    "initial_accumulator": "initial_accumulator_value",
    "momentum": "momentum",
    "nesterov": "nesterov",
    "weight_decay": "weight_decay",
    "eps": "eps",
}


def updated(library, optimizer, compiled=False, dtype="float64"):
    """The leaves after all updates, on the host."""
    backend = load_backend(library)
    _, rebuild = tree.flatten(PARAMS)
    leaves = tuple(convert(backend, p.astype(dtype)) for p in LEAVES)
    state, rebuild_state = tree.flatten(optimizer.init(rebuild(leaves)))
    count = len(leaves)

    def step(arrays):
        p, s, g = arrays[:count], arrays[count:-count], arrays[-count:]
        return tuple(tree.leaves(optimizer.update(rebuild(g), rebuild_state(s), rebuild(p))))

    arrays = (*leaves, *state)
    with backend.scope_of(*leaves):
        run = backend.compile(step) if compiled else step
        for grads in GRADS:
            arrays = run((*arrays, *(convert(backend, g.astype(dtype)) for g in grads)))
    return [np.asarray(backend.to_numpy(a)) for a in arrays[:count]]


def by_hand(base, groups):
    """Each leaf by itself, by the ungrouped optimiser with the options that its path asks for."""
    found = []
    for i, path in enumerate(PATHS):
        options = dict(base.options)
        for name, own in groups.items():
            if f".{name}." in f".{path}.":
                options.update(own)
        one = optimizers.get({"name": base.name, "options": options})
        p, state = LEAVES[i], one.init(LEAVES[i])
        for grads in GRADS:
            p, state = one.update(grads[i], state, p)
        found.append(p)
    return found


def near(got, expected, tolerance):
    assert len(got) == len(expected)
    for a, b in zip(got, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


@every_library
@pytest.mark.parametrize("case", CASES)
def test_each_array_is_updated_as_by_an_optimizer_of_its_own(library, case):
    base, groups, _ = CASES[case]
    expected = by_hand(base, groups)
    for compiled in {False, library in COMPILED}:
        near(updated(library, optimizers.grouped(base, groups), compiled), expected, 1e-12)


def in_torch(options):
    betas = {"betas": (options["beta1"], options["beta2"])} if "beta1" in options else {}
    return {TO_TORCH[k]: v for k, v in options.items() if k in TO_TORCH} | betas


@pytest.mark.parametrize("case", [case for case in CASES if CASES[case][2]])
def test_against_the_parameter_groups_of_torch(case):
    torch = pytest.importorskip("torch")
    base, groups, name = CASES[case]
    params = [torch.tensor(p, requires_grad=True) for p in LEAVES]
    given = []
    for p, path in zip(params, PATHS, strict=True):
        own = [options for group, options in groups.items() if f".{group}." in f".{path}."]
        given.append(
            {"params": [p], **in_torch({**base.options, **{k: v for o in own for k, v in o.items()}})}
        )
    theirs = getattr(torch.optim, name)(given, **in_torch(base.options))
    for grads in GRADS:
        for p, g in zip(params, grads, strict=True):
            p.grad = torch.tensor(g)
        theirs.step()
    near(updated("numpy", optimizers.grouped(base, groups)), [p.detach().numpy() for p in params], 1e-12)


LABELS = [{"bias": "b", "negative_slope": "a"}.get(path.rpartition(".")[2], "w") for path in PATHS]
OPTAX = {
    "a mask of the decay": (
        lambda o: o.adamw(0.1, weight_decay=0.2, mask=[label == "w" for label in LABELS]),
        O.grouped(O.adamw(0.1, weight_decay=0.2), NO_DECAY),
    ),
    "multi_transform": (
        lambda o: o.multi_transform(
            {"w": o.adamw(0.1, weight_decay=0.2), "b": o.adamw(0.3, weight_decay=0.0), "a": o.adam(0.01)},
            LABELS,
        ),
        O.grouped(O.adamw(0.1, weight_decay=0.2), RATES),
    ),
    "clipped together, and a schedule": (
        lambda o: o.chain(
            o.clip_by_global_norm(0.5),
            o.multi_transform(
                {
                    "w": o.adam(0.1),
                    "b": o.adam(lambda t: 0.1 * 0.5**t),
                    "a": o.adam(0.1),
                },
                LABELS,
            ),
        ),
        O.grouped(O.adam(0.1, clip_norm=0.5), {"bias": {"learning_rate": schedules.exponential(0.1, 0.5)}}),
    ),
}


@pytest.mark.parametrize("case", OPTAX)
def test_against_optax(case):
    optax, jax = pytest.importorskip("optax"), pytest.importorskip("jax")
    make, ours = OPTAX[case]
    with jax.enable_x64(True):
        theirs, params = make(optax), [jax.numpy.asarray(p) for p in LEAVES]
        state = theirs.init(params)
        for grads in GRADS:
            updates, state = theirs.update([jax.numpy.asarray(g) for g in grads], state, params)
            params = optax.apply_updates(params, updates)
        expected = [np.asarray(p) for p in params]
    for library in NAMES:
        near(updated(library, ours), expected, 1e-12)


def test_a_frozen_layer_keeps_its_bits():
    after = updated("numpy", optimizers.grouped(O.adamw(0.1), {"0": {"learning_rate": 0.0}}))
    assert all(np.array_equal(a, b) for a, b in zip(after[:3], LEAVES[:3], strict=True))
    assert not np.any(after[3] == LEAVES[3])


def test_later_groups_win_option_by_option():
    optimizer = O.grouped(
        O.sgd(0.1), {"bias": {"weight_decay": 0.5, "learning_rate": 0.2}, "1": {"learning_rate": 0.3}}
    )
    options = [
        (part.options["learning_rate"], part.options["weight_decay"]) for part in optimizer.for_leaves(PARAMS)
    ]
    assert options == [(0.1, 0.0), (0.2, 0.5), (0.1, 0.0), (0.3, 0.0), (0.3, 0.5)]


def test_labels_of_your_own_for_any_tree():
    params = {"scale": np.ones(3), "inner": [np.ones((3, 2)), np.ones((2, 2))]}
    zero = tree.map(np.zeros_like, params)

    def matrices(path, leaf):
        return "matrices" if leaf.ndim == 2 and path[0] == "inner" else None

    optimizer = O.grouped("sgd", {"matrices": {"weight_decay": 0.5, "learning_rate": 1.0}}, matrices)
    after, _ = optimizer.update(zero, optimizer.init(params), params)
    assert [float(leaf.ravel()[0]) for leaf in tree.leaves(after)] == [1.0, 0.5, 0.5]
    by_path = O.grouped("sgd", {"inner": {"weight_decay": 0.5, "learning_rate": 1.0}})
    again, _ = by_path.update(zero, by_path.init(params), params)
    assert all(np.array_equal(a, b) for a, b in zip(tree.leaves(after), tree.leaves(again), strict=True))
    with pytest.raises(InputError, match="label function cannot be written down"):
        optimizer.to_spec()


def test_written_down_pickled_and_compared():
    optimizer = O.grouped(
        O.adamw(schedules.cosine(0.1, 9)), {"bias": {"learning_rate": schedules.step(0.1, 2)}, "1": {}}
    )
    spec = optimizer.to_spec()
    assert spec["groups"] == {
        "bias": {"learning_rate": {"name": "step", "options": {"initial": 0.1, "every": 2, "factor": 0.1}}},
        "1": {},
    }
    again = optimizers.get(json.loads(json.dumps(spec)))
    for same in (again, pickle.loads(pickle.dumps(optimizer))):
        assert same == optimizer
        assert hash(same) == hash(optimizer)
    assert optimizer != O.adamw(schedules.cosine(0.1, 9))
    assert O.adamw(schedules.cosine(0.1, 9)) != optimizer
    assert optimizer != O.grouped(O.adamw(schedules.cosine(0.1, 9)), {"bias": {}, "1": {}})
    assert "groups={'bias'" in repr(optimizer)
    state, plain = optimizer.init(PARAMS), O.adamw(0.1).init(PARAMS)
    assert tree.structure(state) == tree.structure(plain)


BAD = {
    "an unknown option": (
        lambda: O.grouped("adam", {"bias": {"decay": 0}}),
        r"groups\['bias'\].*no option 'decay'",
    ),
    "a bad value": (
        lambda: O.grouped("adam", {"bias": {"weight_decay": -1}}),
        r"groups\['bias'\]: weight_decay",
    ),
    "a norm of a group's own": (
        lambda: O.grouped("adam", {"bias": {"clip_norm": 1.0}}),
        "clip_norm is about",
    ),
    "other slots": (
        lambda: O.grouped("sgd", {"bias": {"momentum": 0.5}}),
        "keeps other arrays, \\['velocity'\\]",
    ),
    "no mapping": (lambda: O.grouped("sgd", ["bias"]), "groups: expected a mapping"),
    "no options": (lambda: O.grouped("sgd", {"bias": 0.5}), "groups: expected a mapping"),
    "L-BFGS": (lambda: O.grouped("lbfgs", {"bias": {}}), "'lbfgs' searches one step length"),
    "twice": (lambda: O.grouped(O.grouped("sgd", {}), {}), "give all groups at once"),
    "a wrong name": (
        lambda: O.grouped("sgd", {"bais": {}}).init(PARAMS),
        r"no parameter is in 'bais'\. Did you mean 'bias'\? The parameters: 0\.weight, 0\.bias, 0\.activation\.negative_slope",
    ),
    "a wrong layer": (lambda: O.grouped("sgd", {"2": {}}).init(PARAMS), "no parameter is in '2'"),
    "a wrong label": (
        lambda: O.grouped("sgd", {"a": {}}, lambda path, leaf: path[-1]).init(PARAMS),
        r"label: expected a group \(a\) or None for the array '0.weight', got 'weight'",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_what_is_wrong_is_said(case):
    call, words = BAD[case]
    with pytest.raises(InputError, match=words):
        call()


def test_parts_of_a_layer_need_not_be_there():
    O.grouped("adamw", NO_DECAY).init((Dense(np.ones((2, 2)), None),))


# ---- in training


X = RNG.normal(size=(60, 5))
Y = RNG.integers(0, 3, 60)
SHARED = {
    "bias": {"weight_decay": 0.0, "learning_rate": 0.03},
    "1": {"learning_rate": schedules.step(0.02, 5)},
    "activation": {"weight_decay": 0.0},
}
SETTINGS = {"epochs": 4, "batch_size": 16, "validation": None, "progress": False, "dtype": "float64"}
TRAINED = {
    "adamw": O.grouped(O.adamw(0.01, weight_decay=0.3), SHARED),
    "sgd": O.grouped(O.sgd(0.1, momentum=0.9, weight_decay=0.1, clip_norm=0.5), SHARED),
    "rmsprop": O.grouped(O.rmsprop(0.01, weight_decay=0.1), SHARED),
    "lion": O.grouped(O.lion(0.01, weight_decay=0.1), SHARED),
}
MODELS = {
    "dense": {"mlp": mm.MLP(5, (6, 4), 3, activation="tanh")},
    "learned": {"mlp": mm.MLP(5, (6, 4), 3, activation="prelu")},
    "ensemble": {"mlp": mm.MLP(5, (6,), 3, activation="tanh"), "seeds": range(3)},
}
FITTED = [name for name in ("numpy", "torch", "jax", "tensorflow") if name in NAMES]


def fitted(library, model, optimizer, **options):
    given = MODELS[model]
    mlp = given["mlp"]
    params = mlp.init(seed=given.get("seeds", 0), backend=library, dtype=options.get("dtype", "float64"))
    result = mm.fit(mlp, X, Y, optimizer=optimizer, params=params, backend=library, **{**SETTINGS, **options})
    backend = load_backend(library)
    return result, [np.asarray(backend.to_numpy(p)) for p in tree.leaves(result.params)]


FITS = [
    pytest.param(optimizer, model, marks=() if model == "dense" or optimizer == "adamw" else pytest.mark.slow)
    for optimizer in TRAINED
    for model in MODELS
]


@pytest.mark.parametrize(("optimizer", "model"), FITS)
def test_fit_gives_the_same_on_every_library(optimizer, model):
    rule = TRAINED[optimizer]
    plain, alone = fitted("numpy", model, optimizers.get({"name": rule.name, "options": rule.options}))
    expected = None
    for library in FITTED:
        result, got = fitted(library, model, rule)
        assert result.engine == (
            "compiled" if library in COMPILED else "steps" if model == "learned" else "inplace"
        )
        expected = expected or got
        near(got, expected, 1e-10)
    assert plain.engine == fitted("numpy", model, rule)[0].engine
    assert all(np.max(np.abs(a - b)) > 1e-4 for a, b in zip(alone, expected, strict=True) if b.ndim < 2)


@pytest.mark.parametrize("backend", [name for name in ("numpy", "torch") if name in NAMES])
@pytest.mark.parametrize("members", [None, 3])
@pytest.mark.parametrize("optimizer", TRAINED)
def test_in_place_and_step_by_step_are_the_same(backend, members, optimizer):
    adapter = load_backend(backend)
    mlp = mm.MLP(5, (6, 4), 3, activation="tanh")
    problem = Problem(
        mlp, mm.losses.cross_entropy, TRAINED[optimizer], mm.regularizers.l2(1e-3), adapter, None, "float64", members,
        batch_size=16, seed=0,
    )  # fmt: skip
    params = mlp.init(seed=0 if members is None else range(members), backend=backend, dtype="float64")
    chunk = Chunk(adapter.asarray(X, dtype="float64"), adapter.asarray(Y, dtype="int32"), None)
    found = []
    for engine in (inplace.build(problem, params), PortableEngine(problem, params)):
        assert not isinstance(engine, str), engine
        for epoch in range(3):
            engine.run(chunk, np.random.default_rng(epoch).permutation(60), 4 * epoch)
        trees = (engine.params(), engine.optimizer_state())
        found.append([np.array(adapter.to_numpy(leaf)) for leaf in tree.leaves(trees)])
    near(*found, 1e-12)


HALVES = [
    (library, dtype)
    for library in FITTED
    for dtype in ("bfloat16", "float16")
    if dtype in load_backend(library).capabilities.dtypes
]


@pytest.mark.parametrize(("library", "dtype"), HALVES)
def test_sixteen_bits(library, dtype):
    frozen = O.grouped(O.adam(0.02), {"1": {"learning_rate": 0.0}})
    mlp = MODELS["dense"]["mlp"]
    start = [np.asarray(p) for p in tree.leaves(mlp.init(seed=0, backend="numpy", dtype="float32"))]
    params = mlp.init(seed=0, backend=library, dtype="float32")
    result = mm.fit(
        mlp, X, Y, optimizer=frozen, params=params, backend=library, **{**SETTINGS, "dtype": dtype}
    )
    after = [np.asarray(load_backend(library).to_numpy(p)) for p in tree.leaves(result.params)]
    assert [np.array_equal(a, b) for a, b in zip(after, start, strict=True)] == [
        False,
        False,
        True,
        True,
        False,
        False,
    ]


@pytest.mark.parametrize("library", FITTED)
def test_a_checkpoint_resumes(library, tmp_path):
    rule, path = TRAINED["adamw"], tmp_path / "run.safetensors"
    whole, expected = fitted(library, "dense", rule)
    fitted(library, "dense", rule, epochs=2, checkpoint=path)
    resumed, got = fitted(library, "dense", rule, checkpoint=path)
    assert resumed.history == whole.history
    assert all(np.array_equal(a, b) for a, b in zip(got, expected, strict=True))
    with pytest.raises(InputError, match="belongs to a run with optimizer"):
        fitted(library, "dense", O.adamw(0.01, weight_decay=0.3), checkpoint=path)


def test_a_group_that_is_not_there_stops_a_fit_before_it_trains():
    with pytest.raises(InputError, match="no parameter is in 'head'"):
        fitted("numpy", "dense", O.grouped("adam", {"head": {"learning_rate": 0.0}}))


def test_one_piece_of_the_buffer_for_neighbours_of_one_group():
    """Flat slices as long as can be: the fused kernels run on them."""
    from multimlp.training.engines.inplace.layout import Layout

    adapter = load_backend("numpy")
    kernels = adapter.inplace_kernels("float64", None)
    params = mm.MLP(5, (6, 4), 3).init(dtype="float64")
    layout = Layout(params, kernels)
    flat = layout.packed(params)
    a, b = SimpleNamespace(), SimpleNamespace()
    pieces = layout.pieces([a, a, a, b, b, b], [flat, flat])
    assert [(label is a, start, [view.shape for view in views]) for label, start, views in pieces] == [
        (True, 0, [(60,), (60,)]),
        (False, 60, [(19,), (19,)]),
    ]
    ((label, start, views),) = layout.pieces([a] * 6, [flat])
    assert (label is a, start) == (True, 0)
    assert views[0].shape == flat.shape
    assert all(np.shares_memory(view, flat) for view in itertools.chain(*(views for *_, views in pieces)))
    cut = layout.pieces([a, a, a, b, b, b], [flat], [0, 50, 70])
    assert [(label is a, start, *views[0].shape) for label, start, views in cut] == [
        (True, 0, 50),
        (True, 50, 10),
        (False, 60, 10),
        (False, 70, 9),
    ]
