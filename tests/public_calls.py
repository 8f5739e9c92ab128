"""A right call of everything public, for tests that make one argument of it wrong at a time."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

import multimlp as mm
from multimlp import (
    activations,
    initializers,
    losses,
    metrics,
    optimizers,
    random,
    regularizers,
    schedules,
    structure,
    tree,
)
from multimlp.backend import load_backend

Call = tuple[Callable[..., Any], dict[str, Any]]
"""A function, and arguments by name that are right."""

X = np.random.default_rng(0).normal(size=(12, 4)).astype(np.float32)
Y = np.arange(12) % 3


def square_sum(x: Any) -> Any:
    return mm.array_namespace(x).sum(x * x)


def square(x: Any) -> Any:
    return mm.array_namespace(x).multiply(x, x)


def curried(transform: Callable[..., Any], *arguments: str) -> Callable[..., Any]:
    """``transform(...)(x, ...)`` as one function: those of these names go to what it returns."""

    def call(**given: Any) -> Any:
        inner = [given.pop(name) for name in arguments]
        return transform(**given)(*inner)

    return call


def method(make: Callable[[], Any], name: str) -> Callable[..., Any]:
    """A method of something that is made anew for each call."""
    return lambda **given: getattr(make(), name)(**given)


def settled(function: Callable[..., Any], host: Callable[..., Any] = lambda x: x) -> Callable[..., Any]:
    """The selection that a call makes is taken back."""

    def call(**given: Any) -> Any:
        from multimlp.backend import _selection

        before = _selection._process
        try:
            return function(**given)
        finally:
            _selection._process = before

    return call


def entered(**given: Any) -> None:
    with mm.use_backend(**given):
        pass


def of_arrays(library: str) -> dict[str, Call]:
    """Functions of arrays, with arrays of this library."""
    backend = load_backend(library)
    put = functools.partial(backend.asarray, dtype="float32")
    x, rows = put(np.asarray([1.0, -2.0, 3.0])), put(X)
    mlp = mm.MLP(4, 5, 3, dropout=0.5)
    params = mlp.init(0, library)
    key = random.key(0, like=x)
    labels, values = backend.asarray(Y, dtype="int32"), put(np.ones((12, 3)))
    outputs = put(X[:, :3])
    calls: dict[str, Call] = {
        "MLP()": (mlp, {"params": params, "X": rows, "key": key}),
        "grad": (curried(mm.grad, "x"), {"f": square_sum, "argnums": 0, "has_aux": False, "x": x}),
        "value_and_grad": (
            curried(mm.value_and_grad, "x"),
            {"f": square_sum, "argnums": 0, "has_aux": False, "x": x},
        ),
        "elementwise_grad": (
            curried(mm.elementwise_grad, "x"),
            {"f": activations.tanh, "argnums": 0, "x": x},
        ),
        "jacobian": (curried(mm.jacobian, "x"), {"f": square, "argnums": 0, "x": x}),
        "hessian": (curried(mm.hessian, "x"), {"f": square_sum, "argnums": 0, "x": x}),
        "jvp": (mm.jvp, {"f": square, "primals": (x,), "tangents": (x,)}),
        "hvp": (mm.hvp, {"f": square_sum, "primals": (x,), "tangents": (x,)}),
        "vjp": (
            lambda f, x, has_aux, cotangents: mm.vjp(f, x, has_aux=has_aux)[1](cotangents),
            {"f": square, "x": x, "has_aux": False, "cotangents": x},
        ),
        "vmap": (curried(mm.vmap, "x"), {"f": lambda x: x, "in_axes": 0, "out_axes": 0, "x": x}),
        "jit": (
            curried(mm.jit, "x"),
            {"f": lambda x: x, "static_argnums": (), "compiler": "none", "x": x},
        ),
        "scan": (
            mm.scan,
            {"f": lambda c, x: (c, x), "init": put(np.asarray(0.0)), "xs": x, "length": 3},
        ),
        "stop_gradient": (mm.stop_gradient, {"x": x}),
        "convert": (mm.convert, {"x": x, "backend": "numpy", "device": None, "dtype": None}),
        "predict": (mm.predict, {"mlp": mlp, "params": params, "X": X, "batch_size": 5}),
        "key": (random.key, {"seed": 0, "like": x, "xp": None}),
        "key of xp": (random.key, {"seed": 0, "xp": backend.xp}),
        "split": (random.split, {"key": key, "n": 2}),
        "fold_in": (random.fold_in, {"key": key, "i": 1}),
        "bits": (random.bits, {"key": key, "shape": (2,)}),
        "uniform": (
            random.uniform,
            {"key": key, "shape": (2,), "dtype": "float32", "minval": 0.0, "maxval": 1.0},
        ),
        "normal": (random.normal, {"key": key, "shape": (2,), "dtype": "float32"}),
        "bernoulli": (random.bernoulli, {"key": key, "p": 0.5, "shape": (2,)}),
        "permutation": (random.permutation, {"key": key, "x": 3}),
        "categorical": (random.categorical, {"key": key, "logits": x, "shape": (2,)}),
        "dropout": (regularizers.dropout, {"x": x, "key": key, "rate": 0.5}),
        "l2()": (regularizers.l2(0.1), {"params": params}),
        "weights_of": (regularizers.weights_of, {"params": params}),
        "reduce": (
            losses.reduce,
            {"per_example": x, "sample_weight": x, "reduction": "mean"},
        ),
        "batch_mean": (losses.batch_mean, {"per_example": x, "sample_weight": x}),
        "total_weight": (losses.total_weight, {"weights": x}),
        "schedule()": (schedules.cosine(0.1, 5), {"step": 1, "dtype": None}),
        "predicted_classes": (metrics.predicted_classes, {"outputs": outputs}),
        "mlp.dense": (mm.mlp.dense, {"x": rows, "weight": params[0].weight, "bias": params[0].bias}),
        "check_params": (mm.mlp.check_params, {"mlp": mlp, "params": params}),
        "collapse": (mm.collapse, {"mlp": mm.MLP(4, 5, 3, activation="identity"), "params": params}),
        "to_sigmoid": (mm.to_sigmoid, {"mlp": mm.MLP(4, 5, 3, activation="tanh"), "params": params}),
        "to_tanh": (mm.to_tanh, {"mlp": mm.MLP(4, 5, 3, activation="sigmoid"), "params": params}),
        "linear_regions": (mm.linear_regions, {"mlp": mlp, "params": params, "points": X[:2]}),
        "gradient_flow": (
            mm.gradient_flow,
            {"mlp": mlp, "params": params, "X": X, "y": Y, "loss": "cross_entropy"},
        ),
        "array_namespace": (lambda x: mm.array_namespace(x), {"x": x}),
    }
    for name in activations.names():
        function = activations.get(name)
        options = dict(activations.describe(name).options)
        data = put(X)
        calls[f"activations.{name}"] = (function, {"x": data, **options})
        calls[f"activations.derivative({name})"] = (activations.derivative(name), {"x": data, **options})
    calls["activations.erf"] = (activations.erf, {"x": x})
    for name in losses.names():
        loss = losses.get(name)
        targets = labels if loss.decides in ("class", "rank") else values
        scores, width = outputs, 3
        if loss.parts is not None and loss.outputs_for(3) != 3:
            width = loss.outputs_for(3)
            scores = put(np.linspace(-1.0, 1.0, 12 * width).reshape(12, width))
        given = {"outputs": scores, "targets": targets}
        calls[f"losses.{name}"] = (loss, given)
        calls[f"losses.{name}.gradient"] = (loss.gradient, given)
        calls[f"losses.{name}.predict"] = (loss.predict, {"outputs": scores})
        calls[f"losses.{name}.activation"] = (loss.activation, {"outputs": scores})
        calls[f"losses.{name}.validate"] = (
            loss.validate,
            {"outputs_shape": (12, width), "targets": targets},
        )
    for name in metrics.names():
        metric = metrics.with_options(name, k=2) if name == "top_k_accuracy" else metrics.get(name)
        given = {"outputs": outputs, "targets": labels}
        if name in ("mae", "rmse", "r2", "pinball", "crps_quantile"):
            given["targets"] = values
        elif name in ("crps_gaussian", "interval_coverage"):
            given = {"outputs": put(np.linspace(-1.0, 1.0, 72).reshape(12, 6)), "targets": values}
        calls[f"metrics.{name}"] = (metric, given)
    for name in ("sgd", "adam"):
        rule = optimizers.get({"name": name, "options": {"clip_norm": 1.0}})
        calls[f"optimizers.{name}.init"] = (rule.init, {"params": params})
        calls[f"optimizers.{name}.update"] = (
            rule.update,
            {"grads": params, "state": rule.init(params), "params": params},
        )
        calls[f"optimizers.{name}.scalars"] = (rule.scalars, {"step": 1})
    return calls


def of_options() -> dict[str, Call]:
    """What makes named things, networks, trees and selections."""
    calls: dict[str, Call] = {
        "MLP": (
            mm.MLP,
            {
                "in_features": 4,
                "hidden": 5,
                "out_features": 3,
                "activation": "relu",
                "final_activation": None,
                "use_bias": True,
                "kernel_init": "zeros",
                "bias_init": "zeros",
                "dropout": 0.0,
            },
        ),
        "MLP.init": (
            mm.MLP(4, 5, 3).init,
            {"seed": 0, "backend": "numpy", "dtype": "float32", "device": None},
        ),
        "MLP.from_spec": (mm.MLP.from_spec, {"spec": mm.MLP(4, 5, 3).to_spec()}),
        "set_backend": (settled(mm.set_backend), {"name": "numpy", "device": None, "dtype": None}),
        "use_backend": (entered, {"name": "numpy", "device": None, "dtype": None}),
        "get_backend": (mm.get_backend, {"name": "numpy"}),
        "canonical_name": (mm.backend.canonical_name, {"name": "numpy"}),
        "select": (
            mm.backend.select,
            {"backend": "numpy", "device": None, "dtype": None, "arrays": (), "default_dtype": "float32"},
        ),
        "op": (lambda arrays, f: mm.op(arrays)(f), {"arrays": 1, "f": square_sum}),
        "register": (mm.backend.register, {"backend": load_backend("numpy")}),
        "activations.get": (activations.get, {"name": "relu"}),
        "activations.parse": (activations.parse, {"spec": "relu"}),
        "activations.describe": (activations.describe, {"name": "relu"}),
        "activations.derivative": (activations.derivative, {"name": "relu"}),
        "activations.configured": (activations.configured, {"name": "elu", "alpha": 1.0}),
        "activations.learnable": (activations.learnable, {"name": "prelu", "per_unit": False, "alpha": 0.1}),
        "losses.get": (losses.get, {"loss": "mse"}),
        "losses.with_options": (losses.with_options, {"loss": "huber", "delta": 1.0}),
        "losses.with_options smoothing": (
            losses.with_options,
            {"loss": "cross_entropy", "label_smoothing": 0.1, "class_weights": [1.0, 2.0]},
        ),
        "losses.scaled": (losses.mse.scaled, {"factor": 1.0}),
        "metrics.get": (metrics.get, {"metric": "mae"}),
        "metrics.with_options": (metrics.with_options, {"metric": "top_k_accuracy", "k": 2}),
        "metrics.with_options f1": (metrics.with_options, {"metric": "f1", "average": "macro"}),
        "optimizers.get": (optimizers.get, {"optimizer": "adam"}),
        "optimizers.grouped": (
            optimizers.grouped,
            {"optimizer": "adam", "groups": {"bias": {"weight_decay": 0.0}}, "label": None},
        ),
        "schedules.get": (schedules.get, {"schedule": 0.1}),
        "initializers.get": (initializers.get, {"initializer": "zeros"}),
        "initializers.to_spec": (initializers.to_spec, {"initializer": "zeros"}),
        "initializers.fans": (initializers.fans, {"shape": (2, 3)}),
        "regularizers.get": (regularizers.get, {"regularizer": None}),
        "host_generator": (random.host_generator, {"seed": 0}),
        "host_generator stream": (
            lambda seed, stream: random.host_generator(seed, stream),
            {"seed": 0, "stream": 1},
        ),
        "host_permutation": (random.host_permutation, {"seed": 0, "epoch": 0, "n": 4}),
        "HostPermutation": (random.HostPermutation, {"n": 4, "seed": 0}),
        "HostPermutation.rows": (
            method(lambda: random.HostPermutation(4, 0), "rows"),
            {"start": 0, "stop": 4},
        ),
        "tree.map": (
            lambda function, tree_, other: tree.map(function, tree_, other),
            {"function": lambda a, b: a, "tree_": (1, [2]), "other": (1, [2])},
        ),
        "tree.leaves": (tree.leaves, {"tree": (1, 2)}),
        "tree.paths": (tree.paths, {"tree": (1, 2)}),
        "tree.flatten": (lambda t, new: tree.flatten(t)[1](new), {"t": (1, 2), "new": (1, 2)}),
        "tree.structure": (tree.structure, {"tree": (1, 2)}),
        "tree.keyed": (tree.keyed, {"tree": (1, 2)}),
        "tree.rebuilder": (lambda t, new: tree.rebuilder(t)(new), {"t": (1, 2), "new": (1, 2)}),
        "lessons.run": (
            lambda name: (isinstance(name, str) and name == "collapse") or mm.lessons.run(name),
            {"name": "collapse"},
        ),
        "lessons.title": (mm.lessons.title, {"name": "collapse"}),
        "bench.find_case": (_bench().find_case, {"name": "tiny"}),
    }
    makers = {
        "optimizers": (optimizers, optimizers.names()),
        "schedules": (schedules, schedules.names()),
        "initializers": (initializers, ("orthogonal", "normal", "truncated_normal", "uniform", "constant")),
        "regularizers": (regularizers, regularizers.names()),
    }
    needed = {
        "constant": {"value": 0.1},
        "step": {"initial": 0.1, "every": 2},
        "exponential": {"initial": 0.1, "rate": 0.5},
        "cosine": {"initial": 0.1, "steps": 5},
        "warm_up": {"steps": 2, "then": 0.1},
        "one_cycle": {"peak": 0.1, "steps": 9},
        "piecewise": {"boundaries": [2], "values": [0.1, 0.2]},
        "l1": {"c": 0.1},
        "l2": {"c": 0.1},
        "elastic_net": {"l1": 0.1, "l2": 0.1},
    }
    for family, (module, names) in makers.items():
        for name in names:
            make = getattr(module, name)
            calls[f"{family}.{name}"] = make, {**make.known.defaults, **needed.get(name, {})}
    for name in ("he_normal", "orthogonal", "uniform"):
        draw = initializers.get(name)
        calls[f"initializers.{name}()"] = (
            lambda generator, shape, draw=draw: draw(generator, shape),
            {"generator": random.host_generator(0), "shape": (2, 3)},
        )
    return calls


def _bench() -> Any:
    from multimlp import bench

    return bench


def of_training(library: str) -> dict[str, Call]:
    """`fit` and what belongs to it."""
    fit = {
        "mlp": mm.MLP(4, 5, 3), "X": X, "y": Y, "loss": "cross_entropy", "optimizer": "adam", "epochs": 1,
        "batch_size": 6, "validation": 0.25, "seed": 0, "params": None, "backend": library, "device": None,
        "dtype": "float32", "callbacks": (), "progress": False, "sample_weight": None, "regularizer": None,
        "metrics": None, "shuffle": True, "last_batch": "keep", "compile": None, "checkpoint": None,
    }  # fmt: skip
    sweep = {name: value for name, value in fit.items() if name not in ("params", "callbacks", "checkpoint")}
    sweep |= {
        "grid": {"seed": [0, 1], "learning_rate": [0.1, 0.01]}, "score": None, "keep": None, "members_per_program": None,
        "devices": None,
    }  # fmt: skip
    stopping = {"monitor": "val_loss", "patience": 1, "min_delta": 0.0, "restore_best": True, "mode": "min"}
    calls: dict[str, Call] = {
        "fit": (mm.fit, fit),
        "sweep": (mm.sweep, sweep),
        "EarlyStopping": (mm.callbacks.EarlyStopping, stopping),
        "as_callback": (mm.callbacks.as_callback, {"callback": mm.callbacks.Callback()}),
        "CSVLogger": (mm.callbacks.CSVLogger, {"path": "/nowhere/x.csv"}),
        "JSONLinesLogger": (mm.callbacks.JSONLinesLogger, {"path": "/nowhere/x.json"}),
        "TensorBoardLogger": (mm.callbacks.TensorBoardLogger, {"folder": "/nowhere"}),
        "RecordGradientFlow": (
            structure.RecordGradientFlow,
            {"X": X, "y": Y, "loss": "cross_entropy", "every": 1},
        ),
    }
    return calls


def of_data() -> dict[str, Call]:
    """Data sets, estimators, pictures, tests."""
    from multimlp import estimators, plotting, testing

    iris = mm.data.load("iris")
    table = np.arange(6.0).reshape(3, 2)
    standardizer = mm.data.Standardizer.fit(table)

    def estimator(kind: Any) -> Callable[..., Any]:
        def call(X: Any, y: Any, sample_weight: Any, **parameters: Any) -> Any:
            return kind(**parameters).fit(X, y, sample_weight).predict(X)

        return call

    def given(kind: Any) -> dict[str, Any]:
        return {**kind().get_params(), "max_iter": 2, "X": X, "y": Y, "sample_weight": None}

    mlp = mm.MLP(2, 3, 2)
    flat = mlp.init(0)
    swept = mm.sweep(mlp, {"seed": [0, 1]}, X[:, :2], Y % 2, epochs=1, progress=False)
    calls: dict[str, Call] = {
        "data.load": (mm.data.load, {"name": "iris", "folder": None}),
        "data.load mnist": (mm.data.load, {"name": "mnist", "folder": "/nowhere"}),
        "data.is_name": (mm.data.is_name, {"name": "iris"}),
        "data.split": (mm.data.split, {"dataset": iris, "test": 0.2, "seed": 0}),
        "Standardizer.fit": (mm.data.Standardizer.fit, {"X": table, "shared": False}),
        "Standardizer()": (standardizer, {"X": table}),
        "Standardizer.inverse": (standardizer.inverse, {"Z": table}),
        "Standardizer.from_dict": (mm.data.Standardizer.from_dict, {"plain": standardizer.to_dict()}),
        "assert_close": (
            testing.assert_close,
            {
                "actual": table,
                "expected": table,
                "ulp": None,
                "rtol": 0.1,
                "atol": 0.0,
                "equal_nan": True,
                "check_dtype": True,
                "check_shape": True,
                "check_device": True,
                "check_namespace": True,
                "label": "",
            },
        ),
        "assert_close ulp": (testing.assert_close, {"actual": table, "expected": table, "ulp": 1}),
        "assert_parity": (
            lambda fn, x, **rest: testing.assert_parity(fn, x, **rest),
            {
                "fn": square_sum,
                "x": table,
                "backends": ("numpy",),
                "reference": "numpy",
                "dtype": "float64",
                "rtol": None,
                "gradients": True,
                "compiled": False,
            },
        ),
        "check_grads": (
            testing.check_grads,
            {
                "f": square_sum,
                "args": (table,),
                "order": 1,
                "modes": ("rev", "fwd"),
                "rtol": 1e-6,
                "atol": 1e-6,
                "step": 1e-3,
                "seed": 0,
            },
        ),
        "MLPClassifier": (estimator(estimators.MLPClassifier), given(estimators.MLPClassifier)),
        "MLPRegressor": (estimator(estimators.MLPRegressor), given(estimators.MLPRegressor)),
        "activation_curve": (
            plotting.activation_curve,
            {"activation": "relu", "x": X[0], "backend": "numpy", "dtype": "float32"},
        ),
        "plot_activation": (
            plotting.plot_activation,
            {
                "activation": "relu",
                "backend": "numpy",
                "ax": None,
                "x": X[0],
                "derivative": True,
                "dtype": None,
            },
        ),
        "plot_decision_boundary": (
            plotting.plot_decision_boundary,
            {"mlp": mlp, "params": flat, "X": X[:, :2], "y": Y % 2, "ax": None, "resolution": 5},
        ),
        "plot_history": (plotting.plot_history, {"history": {"loss": [1.0, 2.0]}, "ax": None, "keys": None}),
        "plot_sweep": (plotting.plot_sweep, {"result": swept, "settings": None, "axes": None}),
        "plot_network": (plotting.plot_network, {"mlp": mlp, "params": flat, "ax": None, "max_units": 3}),
        "plot_regions": (
            plotting.plot_regions,
            {"regions": mm.linear_regions(mlp, flat, X[:2, :2]), "ax": None, "output": 0},
        ),
        "plot_gradient_flow": (
            plotting.plot_gradient_flow,
            {"flows": mm.gradient_flow(mlp, flat, X[:, :2], Y % 2), "ax": None},
        ),
        "plotting.figure": (plotting.figure, {"rows": 1, "columns": 1, "size": (3.0, 2.0)}),
    }
    return calls
