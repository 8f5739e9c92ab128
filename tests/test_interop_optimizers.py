"""Training runs move with their optimisers: some steps in one library, the state moved, and the next ones are the same in both."""

from __future__ import annotations

import numpy as np
import pytest

import multimlp as mm
from multimlp import optimizers, tree
from multimlp.errors import InputError

torch = pytest.importorskip("torch")

from multimlp.interop.torch import (  # noqa: E402
    as_torch_module,
    from_optimizer,
    from_torch,
    to_optimizer,
    to_torch,
)

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(20, 4)), RNG.normal(size=(20, 2))
BACKENDS = ["numpy", "torch", "jax", "tensorflow"]
SLOW, QUICK = ("jax", "tensorflow"), ("momentum", "adamw", "adagrad")
TORCH = {
    "sgd": ("SGD", {"lr": 0.05}),
    "sgd with decay": ("SGD", {"lr": 0.05, "weight_decay": 0.1}),
    "momentum": ("SGD", {"lr": 0.05, "momentum": 0.9, "weight_decay": 0.01}),
    "nesterov": ("SGD", {"lr": 0.05, "momentum": 0.9, "nesterov": True}),
    "adam": ("Adam", {"lr": 0.01, "betas": (0.8, 0.95), "eps": 1e-6}),
    "adam with decay": ("Adam", {"lr": 0.01, "weight_decay": 0.1}),
    "adam decoupled": ("Adam", {"lr": 0.01, "weight_decay": 0.1, "decoupled_weight_decay": True}),
    "adamw": ("AdamW", {"lr": 0.01, "weight_decay": 0.2}),
    "rmsprop": ("RMSprop", {"lr": 0.01, "alpha": 0.9, "eps": 1e-4}),
    "rmsprop with momentum": ("RMSprop", {"lr": 0.005, "momentum": 0.8, "weight_decay": 0.01}),
    "adagrad": ("Adagrad", {"lr": 0.05, "eps": 1e-5}),
    "adagrad from 0.3": ("Adagrad", {"lr": 0.05, "initial_accumulator_value": 0.3}),
}


def network():
    """Of two activations, one learned."""
    mlp = mm.MLP(4, [6, 5], 2, activation=["tanh", {"name": "prelu", "learnable": True, "per_unit": True}])
    return mlp, mlp.init(seed=0, backend="numpy", dtype="float64")


def trained_here(mlp, params, optimizer, state, steps=4):
    first = tree.leaves(params)[0]
    backend = mm.backend.owner(first)
    with backend.scope("float64"):
        x, y = (backend.asarray(values, dtype="float64") for values in (X, Y))
        gradient = mm.grad(
            lambda p: ((mlp(p, x) - y) ** 2).mean() if backend.name != "tensorflow" else _mse(mlp(p, x), y)
        )
        for _ in range(steps):
            params, state = optimizer.update(gradient(params), state, params)
    return params, state


def _mse(outputs, targets):
    xp = mm.backend.array_namespace(outputs)
    return xp.mean((outputs - targets) ** 2)


def trained_there(model, optimizer, steps=4):
    x, y = torch.tensor(X), torch.tensor(Y)
    for _ in range(steps):
        optimizer.zero_grad()
        ((model(x) - y) ** 2).mean().backward()
        optimizer.step()


def close(a, b, rtol=1e-12):
    for one, other in zip(tree.leaves(a), tree.leaves(b), strict=True):
        one, other = (mm.backend.owner(v).to_numpy(v) for v in (one, other))
        np.testing.assert_allclose(one, other, rtol=rtol, atol=rtol * np.abs(other).max())


def in_torch(name):
    kind, options = TORCH[name]
    model = to_torch(*network())
    return model, getattr(torch.optim, kind)(model.parameters(), **options)


def some(names, *quick):
    """All of them, those that are not named only in the slow run: the libraries compile each operation anew."""
    return [name if name in quick else pytest.param(name, marks=pytest.mark.slow) for name in names]


@pytest.mark.parametrize(
    ("name", "backend"),
    [
        pytest.param(name, backend, marks=[pytest.mark.slow] if backend in SLOW and name not in QUICK else [])
        for name in TORCH
        for backend in BACKENDS
    ],
)
def test_from_torch_a_run_goes_on(name, backend):
    pytest.importorskip(backend)
    model, there = in_torch(name)
    trained_there(model, there)
    mlp, params = from_torch(model, backend)
    optimizer, state = from_optimizer(there, model, backend)
    params, _ = trained_here(mlp, params, optimizer, state)
    trained_there(model, there)
    close(params, from_torch(model, "numpy")[1])


@pytest.mark.parametrize("name", TORCH)
def test_to_torch_a_run_goes_on(name):
    model, there = in_torch(name)
    mlp, params = network()
    optimizer, _ = from_optimizer(there, model, "numpy")
    params, state = trained_here(mlp, params, optimizer, optimizer.init(params))
    model = to_torch(mlp, params)
    there = to_optimizer(optimizer, state, model)
    assert type(there).__name__ in {TORCH[name][0], "AdamW"}
    params, state = trained_here(mlp, params, optimizer, state)
    trained_there(model, there)
    close(params, from_torch(model, "numpy")[1])
    again, moved = from_optimizer(there, model, "numpy")
    assert again == optimizer
    close(moved.slots, state.slots)
    assert int(moved.step) == (0 if optimizer.name == "sgd" else 8)


@pytest.mark.parametrize("name", TORCH)
def test_a_run_that_has_not_begun(name):
    """torch has made no buffers yet."""
    model, there = in_torch(name)
    mlp, params = from_torch(model, "numpy")
    optimizer, state = from_optimizer(there, model, "numpy")
    assert int(state.step) == 0
    params, _ = trained_here(mlp, params, optimizer, state)
    trained_there(model, there)
    close(params, from_torch(model, "numpy")[1])


def test_groups_of_parameters_and_what_is_frozen():
    model = to_torch(*network())
    biases = [p for n, p in model.named_parameters() if n.endswith("bias")]
    weights = [p for n, p in model.named_parameters() if n in ("0.weight", "2.weight", "4.weight")]
    there = torch.optim.AdamW(
        [{"params": weights, "weight_decay": 0.3}, {"params": biases, "lr": 0.02}], lr=0.01
    )
    trained_there(model, there)
    mlp, params = from_torch(model, "numpy")
    optimizer, state = from_optimizer(there, model, "numpy")
    assert set(optimizer.groups) == {"bias", "alpha"}
    params, state = trained_here(mlp, params, optimizer, state)
    trained_there(model, there)
    close(params, from_torch(model, "numpy")[1])
    close(params[1].activation["alpha"], network()[1][1].activation["alpha"])
    back = to_optimizer(optimizer, state, to_torch(mlp, params))
    assert sorted((group["lr"], group["weight_decay"]) for group in back.param_groups) == [
        (0.0, 0.0),
        (0.01, 0.3),
        (0.02, 0.01),
    ]


def test_one_layer_with_a_rate_of_its_own():
    model = to_torch(*network())
    groups = [{"params": model[0].parameters(), "lr": 0.1}, {"params": model[2:].parameters()}]
    there = torch.optim.SGD(groups, lr=0.01, momentum=0.9)
    trained_there(model, there)
    mlp, params = from_torch(model, "numpy")
    optimizer, state = from_optimizer(there, model, "numpy")
    assert set(optimizer.groups) == {"0.weight", "0.bias"}
    assert optimizers.get(optimizer.to_spec()) == optimizer
    params, _ = trained_here(mlp, params, optimizer, state)
    trained_there(model, there)
    close(params, from_torch(model, "numpy")[1])


def test_modules_that_compute_with_multimlp_and_bare_trees():
    mlp, params = network()
    module = as_torch_module(mlp, params)
    there = torch.optim.Adam(module.parameters(), lr=0.01)
    trained_there(module, there)
    optimizer, state = from_optimizer(there, module)
    mine, _ = trained_here(mlp, tree.map(lambda p: p.detach().clone(), module.params), optimizer, state)
    trained_there(module, there)
    close(mine, module.params)
    optimizer, state = from_optimizer(there, module.params, "numpy")
    close(state.slots[0][0].weight, there.state[module.params[0].weight]["exp_avg"])


def test_a_state_in_a_file_goes_on_in_the_other_library(tmp_path):
    model, there = in_torch("adamw")
    trained_there(model, there)
    mlp, params = from_torch(model)
    optimizer, state = from_optimizer(there, model)
    mm.save_tree(
        tmp_path / "run.safetensors", {"params": params, "state": state, "optimizer": optimizer.to_spec()}
    )
    run = mm.load_tree(tmp_path / "run.safetensors", "numpy")
    params, _ = trained_here(mlp, run["params"], optimizers.get(run["optimizer"]), run["state"])
    trained_there(model, there)
    close(params, from_torch(model, "numpy")[1])


REFUSED = [
    (lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, dampening=0.5), "dampening=0.5"),
    (lambda p: torch.optim.Adam(p, amsgrad=True), "amsgrad=True"),
    (lambda p: torch.optim.AdamW(p, maximize=True), "maximize=True"),
    (lambda p: torch.optim.RMSprop(p, centered=True), "centered=True"),
    (lambda p: torch.optim.Adagrad(p, lr_decay=0.1), "lr_decay=0.1"),
    (lambda p: torch.optim.NAdam(p), "got NAdam"),
    (lambda p: torch.optim.LBFGS(p), "got LBFGS"),
    (lambda p: "adam", "got str"),
]


@pytest.mark.parametrize(("make", "message"), REFUSED, ids=[row[1] for row in REFUSED])
def test_what_there_is_nothing_for_is_refused(make, message):
    model = to_torch(*network())
    with pytest.raises(InputError, match=message):
        from_optimizer(make(list(model.parameters())), model)


def test_schedulers_are_refused_unless_the_rate_is_said():
    model, there = in_torch("adam")
    torch.optim.lr_scheduler.StepLR(there, 2)
    with pytest.raises(InputError, match=r"a scheduler .* give learning_rate="):
        from_optimizer(there, model)
    rate = mm.schedules.step(0.01, 2, 0.1) if hasattr(mm.schedules, "step") else 0.01
    assert from_optimizer(there, model, learning_rate=rate)[0].options["learning_rate"] == rate


def test_models_that_are_not_one_to_one_are_refused():
    nn = torch.nn
    uneven = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2, bias=False))
    with pytest.raises(InputError, match="not one to one"):
        from_optimizer(torch.optim.Adam(uneven.parameters()), uneven)
    model, there = in_torch("adam")
    with pytest.raises(InputError, match="a parameter that is not among the model's"):
        from_optimizer(there, to_torch(*network()))
    with pytest.raises(InputError, match="expected a torch.nn.Module or a tree of tensors"):
        from_optimizer(there, network()[1])
    for i, parameter in enumerate(model.parameters()):
        there.state[parameter] = {
            "step": torch.tensor(float(i)),
            "exp_avg": torch.zeros_like(parameter),
            "exp_avg_sq": torch.zeros_like(parameter),
        }
    with pytest.raises(InputError, match="different numbers of steps"):
        from_optimizer(there, model)


@pytest.mark.parametrize(
    ("optimizer", "message"),
    [
        (optimizers.lion(), "lion has no equivalent in torch"),
        (optimizers.nadam(), "nadam has no equivalent in torch"),
        (optimizers.lbfgs(), "lbfgs has no equivalent in torch"),
        (optimizers.adam(clip_norm=1.0), "clip_grad_norm_"),
        (optimizers.sgd(mm.schedules.cosine(0.1, 10)), "learning_rate is a schedule"),
    ],
)
def test_what_torch_has_not_is_refused(optimizer, message):
    mlp, params = network()
    state = optimizers.adam().init(params)
    with pytest.raises(InputError, match=message):
        to_optimizer(optimizer, state, to_torch(mlp, params))


def test_a_state_of_another_model_is_refused():
    mlp, params = network()
    other = mm.MLP(4, [6, 7], 2).init(seed=0, backend="numpy")
    with pytest.raises(InputError, match="state:"):
        to_optimizer(optimizers.adam(), optimizers.adam().init(other), to_torch(mlp, params))
    with pytest.raises(InputError, match="state: sgd keeps"):
        to_optimizer(optimizers.sgd(), optimizers.adam().init(params), to_torch(mlp, params))


# ---- optax

OURS = {
    "sgd": optimizers.sgd(0.05, weight_decay=0.1),
    "momentum": optimizers.sgd(0.05, momentum=0.9, clip_norm=0.5),
    "nesterov": optimizers.sgd(0.05, momentum=0.9, nesterov=True),
    "adam": optimizers.adam(0.01, beta1=0.8, eps=1e-6),
    "adam with decay": optimizers.adam(0.01, weight_decay=0.1),
    "adam with a schedule": optimizers.adam(mm.schedules.cosine(0.05, 20)),
    "adamw": optimizers.adamw(0.01, weight_decay=0.2),
    "nadam": optimizers.nadam(0.01),
    "rmsprop": optimizers.rmsprop(0.01, rho=0.9, eps=1e-5),
    "rmsprop with momentum": optimizers.rmsprop(0.005, momentum=0.8),
    "adagrad": optimizers.adagrad(0.05, eps=0.0, initial_accumulator=0.1),
    "lion": optimizers.lion(0.002, weight_decay=0.1),
}


@pytest.fixture
def optax():
    pytest.importorskip("jax")
    return pytest.importorskip("optax")


def trained_by_optax(optax, mlp, params, transformation, state, steps=4):
    jax = pytest.importorskip("jax")
    with mm.get_backend("jax").scope("float64"):
        x, y = jax.numpy.asarray(X, "float64"), jax.numpy.asarray(Y, "float64")
        for _ in range(steps):
            gradients = jax.grad(lambda p: ((mlp(p, x) - y) ** 2).mean())(params)
            updates, state = transformation.update(gradients, state, params)
            params = optax.apply_updates(params, updates)
    return params, state


@pytest.mark.parametrize("name", some(OURS, "momentum", "adam", "adamw", "rmsprop with momentum"))
def test_to_optax_and_back_a_run_goes_on(name, optax):
    from multimlp.interop import optax as interop

    mlp, params = network()
    optimizer = OURS[name]
    params, state = trained_here(mlp, params, optimizer, optimizer.init(params))
    transformation = interop.to_optimizer(optimizer)
    there = mm.convert(params, "jax", dtype="float64")
    moved = interop.to_state(transformation, optimizer, state, there)
    params, state = trained_here(mlp, params, optimizer, state)
    there, moved = trained_by_optax(optax, mlp, there, transformation, moved)
    close(there, params, 1e-11)
    back = interop.from_state(transformation, moved, optimizer, there)
    close(back.slots, state.slots, 1e-10)
    counted = "sgd" not in optimizer.name and optimizer.name not in ("rmsprop", "adagrad")
    assert int(back.step) == (8 if counted else 0)
    params, _ = trained_here(mlp, params, optimizer, state)
    here, _ = trained_here(
        mlp, mm.convert(there, "numpy"), optimizer, mm.convert(back, "numpy")._replace(step=state.step)
    )
    close(here, params, 1e-11)


@pytest.mark.parametrize(
    "make",
    [
        lambda o: (o.rmsprop(0.01, 0.99, 1e-4, eps_in_sqrt=False, momentum=0.8), optimizers.rmsprop(0.01, 0.99, 1e-4, momentum=0.8)),
        lambda o: (o.chain(o.clip_by_global_norm(0.3), o.adamw(0.01, weight_decay=0.01)), optimizers.adamw(0.01, clip_norm=0.3)),
        lambda o: (o.inject_hyperparams(o.adam)(learning_rate=0.01), optimizers.adam(0.01)),
        lambda o: (
            o.adamw(0.01, weight_decay=0.2, mask=lambda p: tree.map(lambda leaf: leaf.ndim > 1, p)),
            optimizers.grouped(optimizers.adamw(0.01, weight_decay=0.2), {name: {"weight_decay": 0.0} for name in ("bias", "activation")}),
        ),
    ],
    ids=["optax's velocity has the rate inside", "clipped", "hyperparameters in the state", "masked decay"],
)  # fmt: skip
def test_transformations_of_ones_own(make, optax):
    from multimlp.interop import optax as interop

    transformation, optimizer = make(optax)
    mlp, params = network()
    there = mm.convert(params, "jax", dtype="float64")
    with mm.get_backend("jax").scope("float64"):
        state = transformation.init(there)
    there, state = trained_by_optax(optax, mlp, there, transformation, state)
    moved = mm.convert(interop.from_state(transformation, state, optimizer, there), "numpy")
    here, moved = trained_here(mlp, mm.convert(there, "numpy"), optimizer, moved)
    back = interop.to_state(transformation, optimizer, moved, there)
    theirs, state = trained_by_optax(optax, mlp, there, transformation, state)
    close(here, theirs, 1e-11)
    import jax

    for one, other in zip(jax.tree.leaves(back), jax.tree.leaves(state), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-12)


WRONG = {
    "eps inside": lambda o: (o.rmsprop(0.01, 0.99, 1e-8), optimizers.rmsprop(0.01)),
    "another eps": lambda o: (o.adam(0.01, eps=1e-7), optimizers.adam(0.01)),
    "another rate": lambda o: (o.adam(0.011), optimizers.adam(0.01)),
    "a rate that falls late": lambda o: (
        o.adam(o.piecewise_constant_schedule(0.01, {500: 0.1})),
        optimizers.adam(0.01),
    ),
    "coupled decay": lambda o: (
        o.chain(o.add_decayed_weights(0.01), o.adam(0.01)),
        optimizers.adamw(0.01, weight_decay=0.01),
    ),
    "clipped": lambda o: (o.chain(o.clip_by_global_norm(100.0), o.sgd(0.01)), optimizers.sgd(0.01)),
    "nesterov": lambda o: (o.sgd(0.01, 0.9, True), optimizers.sgd(0.01, 0.9)),
    "amsgrad": lambda o: (o.amsgrad(0.01), optimizers.adam(0.01)),
    "centered": lambda o: (o.rmsprop(0.01, centered=True), optimizers.rmsprop(0.01)),
    "adagrad": lambda o: (o.adagrad(0.01), optimizers.adagrad(0.01, eps=1e-7, initial_accumulator=0.1)),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_transformation_that_steps_otherwise_is_refused(name, optax):
    from multimlp.interop import optax as interop

    transformation, optimizer = WRONG[name](optax)
    params = network()[1]
    with pytest.raises(InputError, match="their options differ|no equivalent"):
        interop.from_state(
            transformation, transformation.init(mm.convert(params, "jax", dtype="float32")), optimizer, params
        )


@pytest.mark.parametrize(
    ("optimizer", "message"),
    [
        (optimizers.adagrad(), "eps=1e-10 outside the root"),
        (optimizers.lbfgs(), "lbfgs cannot be made"),
        (optimizers.grouped("adam", {"bias": {"learning_rate": 0.0}}), "groups cannot be made"),
        (optimizers.sgd(weight_decay=mm.schedules.cosine(0.1, 10)), "weight_decay is a schedule"),
    ],
)
def test_what_optax_has_not_is_refused(optimizer, message, optax):
    from multimlp.interop.optax import to_optimizer as made

    with pytest.raises(InputError, match=message):
        made(optimizer)


def test_from_torch_to_optax(optax):
    """A run of three libraries."""
    from multimlp.interop import optax as interop

    model, there = in_torch("adamw")
    trained_there(model, there)
    mlp, params = from_torch(model, "jax")
    optimizer, state = from_optimizer(there, model, "jax")
    transformation = interop.to_optimizer(optimizer)
    moved = interop.to_state(transformation, optimizer, state, params)
    params, moved = trained_by_optax(optax, mlp, params, transformation, moved)
    trained_there(model, there)
    close(params, from_torch(model, "numpy")[1], 1e-11)
    back = to_optimizer(optimizer, interop.from_state(transformation, moved, optimizer, params), model)
    assert float(back.state[model[0].weight]["step"]) == 8
    averages = [tuple(run.state[p]["exp_avg"] for p in model.parameters()) for run in (back, there)]
    close(*averages, 1e-10)


def test_optax_on_parameters_of_flax(optax):
    """Another tree, with biases first: `layout` says how the two hang together."""
    pytest.importorskip("flax")
    from multimlp.interop import optax as interop
    from multimlp.interop.flax import from_flax, to_flax

    mlp = mm.MLP(4, [6, 5], 2, activation="tanh")
    params = mlp.init(seed=0, backend="jax", dtype="float32")
    module, variables = to_flax(mlp, params)
    transformation, optimizer = optax.adam(0.01), optimizers.adam(0.01)
    theirs = variables["params"]
    state = transformation.init(theirs)
    _, state = transformation.update(theirs, state, theirs)
    mine = interop.from_state(
        transformation, state, optimizer, params, lambda p: from_flax(module, {"params": p})[1]
    )
    close(mine.slots[0][1].weight, theirs["layers_2"]["kernel"] * np.float32(0.1), 1e-6)
    back = interop.to_state(transformation, optimizer, mine, params, lambda p: to_flax(mlp, p)[1]["params"])
    import jax

    assert jax.tree.structure(back) == jax.tree.structure(state)
    for one, other in zip(jax.tree.leaves(back), jax.tree.leaves(state), strict=True):
        np.testing.assert_array_equal(one, other)
    with pytest.raises(InputError, match="give layout="):
        interop.from_state(transformation, state, optimizer, params)
