"""A right call of everything public, for tests that make one argument of it wrong at a time."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import multimlp as mm
from multimlp import (
    activations,
    blocks,
    estimators,
    initializers,
    losses,
    metrics,
    optimizers,
    random,
    regularizers,
    schedules,
    structure,
    tree,
    xp,
)
from multimlp.backend import is_installed, load_backend

Call = tuple[Callable[..., Any], dict[str, Any]]
"""A function, and arguments by name that are right."""

X = np.random.default_rng(0).normal(size=(12, 4)).astype(np.float32)
Y = np.arange(12) % 3


def everything(folder: Path, libraries: Sequence[str]) -> list[dict[str, Call]]:
    """The families, with arrays of these libraries; files are in the folder."""
    families = [of_options(), of_blocks(), of_data(), of_files(folder), of_models(folder)]
    families += [of_arrays(library) for library in libraries]
    return [
        *families,
        *(of_training(library) for library in libraries if library in ("numpy", "torch", "jax")),
    ]


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
    model = mm.chain(blocks.dense(3, in_features=4), blocks.dropout(0.5))
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
        "confusion_matrix": (metrics.confusion_matrix, {"outputs": outputs, "targets": labels}),
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
        "minimize": (
            optimizers.minimize,
            {"loss": square_sum, "params": x, "optimizer": "lbfgs", "steps": 2, "compiler": "none"},
        ),
        "Chain()": (model, {"params": model.init(0, library), "X": rows, "key": key}),
    }  # fmt: skip
    calls |= _of_transforms(put) | _of_draws(key, x)
    for name in activations.names():
        function = activations.get(name)
        options = dict(activations.describe(name).options)
        data = put(X)
        calls[f"activations.{name}"] = (function, {"x": data, **options})
        calls[f"activations.derivative({name})"] = (activations.derivative(name), {"x": data, **options})
    calls["activations.erf"] = (activations.erf, {"x": x})
    calls["activations.erfc"] = (activations.erfc, {"x": x})
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


def _of_transforms(put: Callable[..., Any]) -> dict[str, Call]:
    """Transforms that came after `mm.grad`, branches and loops."""
    x, number = put(np.asarray([1.0, -2.0, 3.0])), put(np.asarray(1.0))

    def own_rule(make: Any, define: str, **rule: Any) -> Callable[..., Any]:
        """A function with a derivative of its own, differentiated."""

        def call(x: Any, nondiff_argnums: Any) -> Any:
            function = make(square_sum, nondiff_argnums=nondiff_argnums)
            getattr(function, define)(**rule)
            return mm.grad(function)(x)

        return call

    def pushed(primals: Any, tangents: Any) -> Any:
        xp = mm.array_namespace(primals[0], tangents[0])
        return square_sum(primals[0]), xp.sum(2 * xp.multiply(primals[0], tangents[0]))

    def pulled(x: Any, g: Any) -> Any:
        return (2 * x * g,)

    changed = {
        name: lambda x, index, value, name=name: getattr(mm.at(x)[index], name)(value)
        for name in ("set", "add", "multiply", "min", "max")
    }
    return {
        **{f"at {name}": (change, {"x": x, "index": slice(0, 2), "value": 1.0}) for name, change in changed.items()},
        "jacfwd": (curried(mm.jacfwd, "x"), {"f": square, "argnums": 0, "has_aux": False, "holomorphic": False, "x": x}),
        "jacrev": (curried(mm.jacrev, "x"), {"f": square, "argnums": 0, "has_aux": False, "holomorphic": False, "x": x}),
        "jet": (mm.jet, {"f": square, "primals": (x,), "series": ((x, x),)}),
        "laplacian": (curried(mm.laplacian, "x"), {"f": square_sum, "argnums": 0, "x": x}),
        "linearize": (
            lambda f, x, has_aux, tangent: mm.linearize(f, x, has_aux=has_aux)[1](tangent),
            {"f": square, "x": x, "has_aux": False, "tangent": x},
        ),
        "remat": (curried(mm.remat, "x"), {"f": square, "x": x}),
        "cond": (
            lambda pred, true_fun, false_fun, x: mm.cond(pred, true_fun, false_fun, x),
            {"pred": True, "true_fun": square, "false_fun": square, "x": x},
        ),
        "while_loop": (mm.while_loop, {"cond_fun": lambda c: c < 3.0, "body_fun": lambda c: c + 1.0, "init_val": number}),
        "fori_loop": (mm.fori_loop, {"lower": 0, "upper": 2, "body_fun": lambda i, c: c + 1.0, "init_val": number}),
        "custom_jvp": (own_rule(mm.custom_jvp, "defjvp", jvp=pushed), {"x": x, "nondiff_argnums": ()}),
        "custom_vjp": (own_rule(mm.custom_vjp, "defvjp", fwd=lambda x: (square_sum(x), x), bwd=pulled), {"x": x, "nondiff_argnums": ()}),
    }  # fmt: skip


def _of_draws(key: Any, x: Any) -> dict[str, Call]:
    """Random numbers of every distribution."""
    xp = mm.array_namespace(x)
    positive, square_ = xp.abs(x), xp.eye(3, dtype=x.dtype)
    like = {"key": key, "shape": (3,), "dtype": "float32"}
    given: dict[str, dict[str, Any]] = {
        "beta": {**like, "a": positive, "b": 2.0},
        "choice": {"key": key, "a": 5, "shape": (2,), "replace": True, "p": None, "axis": 0},
        "choice of rows": {
            "key": key,
            "a": x,
            "shape": (2,),
            "replace": False,
            "p": [0.5, 0.25, 0.25],
            "axis": 0,
        },
        "dirichlet": {**like, "alpha": positive},
        "exponential": like,
        "gamma": {**like, "a": positive},
        "gumbel": like,
        "laplace": like,
        "multivariate_normal": {**like, "mean": x, "cov": square_},
        "poisson": {"key": key, "lam": positive, "shape": (3,), "dtype": "int32"},
        "randint": {"key": key, "shape": (3,), "minval": 0, "maxval": 9, "dtype": "int32"},
        "student_t": {**like, "df": positive},
        "truncated_normal": {**like, "lower": -1.0, "upper": 1.0},
    }
    return {f"random.{label}": (getattr(random, label.split()[0]), right) for label, right in given.items()}


def of_blocks() -> dict[str, Call]:
    """What makes models of blocks."""
    needed: dict[str, dict[str, Any]] = {
        "activation": {"rule": "relu"},
        "mixed_activation": {"rule": "relu"},
        "multiply": {"factor": 2.0},
        "embedding": {"categories": (3, 2), "features": 2},
        "one_hot": {"categories": (3, 2)},
        "residual": {"inner": blocks.dense(4, in_features=4)},
        "concat": {"branches": (blocks.dense(2), blocks.fourier(2))},
        "select": {"of": (0, 2)},
        "dropout": {"rate": 0.5},
        "standardize": {"mean": (0.0, 1.0), "std": (1.0, 2.0)},
        "piecewise_linear": {"edges": ((0.0, 1.0), (0.0, 0.5, 1.0))},
    }
    calls: dict[str, Call] = {
        "blocks.get": (blocks.get, {"thing": {"name": "multiply", "options": {"factor": 2.0}}}),
        "blocks.as_block": (blocks.as_block, {"where": "block", "thing": blocks.multiply(2.0)}),
        "blocks.quantile_edges": (blocks.quantile_edges, {"X": X, "bins": 4}),
        "chain": (lambda first, second: mm.chain(first, second), {"first": blocks.dense(3, in_features=4), "second": "relu"}),
        "blocks.Chain.init": (
            mm.chain(blocks.dense(3, in_features=4)).init,
            {"seed": 0, "backend": "numpy", "dtype": "float32", "device": None},
        ),
    }  # fmt: skip
    for name in blocks.names():
        make = getattr(blocks, name, None)
        if make is None or name == "chain":
            continue
        options = {p.name: p.default for p in inspect.signature(make).parameters.values()}
        counts = {"out_features": 3, "members": 2, "count": 3}
        right = {n: counts.get(n) if v is inspect.Parameter.empty else v for n, v in options.items()}
        calls[f"blocks.{name}"] = make, {**right, **needed.get(name, {})}
    return calls


def of_files(folder: Path) -> dict[str, Call]:
    """What reads and writes; the folder is the test's own."""
    mlp, table = mm.MLP(2, 3, 2), folder / "right.csv"
    params = mlp.init(0)
    table.write_text("a,b,y\n1,2,u\n3,4,v\n5,6,u\n", encoding="utf-8")
    images = folder / "right.idx"
    images.write_bytes(bytes([0, 0, 8, 2, 0, 0, 0, 1, 0, 0, 0, 2, 3, 4]))
    saved, held = folder / "right.safetensors", folder / "right-tree.safetensors"
    mm.save(saved, mlp, params)
    mm.save_tree(held, {"a": X})
    place = {"backend": "numpy", "device": None, "dtype": "float32"}
    calls: dict[str, Call] = {
        "save": (mm.save, {"path": folder / "new", "mlp": mlp, "params": params, "extra": {"a": 1}}),
        "load": (mm.load, {"path": saved, **place}),
        "load_extra": (mm.files.load_extra, {"path": saved}),
        "save_tree": (mm.save_tree, {"path": folder / "new-tree", "tree": {"a": X, "b": (1, "c", None)}}),
        "load_tree": (mm.load_tree, {"path": held, **place, "like": None}),
        "data.read_table": (mm.data.read_table, {"path": table, "target": "y", "task": None}),
        "data.read_frame": (
            mm.data.read_frame,
            {
                "path": table,
                "target": "y",
                "task": None,
                "drop": (),
                "categorical": ("a",),
                "drop_missing": False,
            },
        ),
        "data.read_features": (mm.data.read_features, {"path": table, "names": ("a", "b")}),
        "data.is_frame_file": (mm.data.is_frame_file, {"path": table}),
        "data.read_idx": (mm.data.read_idx, {"path": images, "ndim": 2}),
        "data.table_files": (mm.data.table_files, {"path": table}),
    }
    return calls


def of_models(folder: Path) -> dict[str, Call]:
    """What makes models of other libraries, and reads theirs; of those that are installed."""
    mlp = mm.MLP(4, 5, 3)
    params, place = mlp.init(0), {"backend": "numpy", "device": None, "dtype": "float32"}
    here, shape = {"mlp": mlp, "params": params}, {"activation": "relu", "final_activation": None, **place}
    rule = optimizers.adam()
    state = rule.init(params)
    calls: dict[str, Call] = {}
    if is_installed("torch"):
        from multimlp.interop import torch

        module, values = torch.to_torch(mlp, params), torch.to_state_dict(mlp, params)
        calls |= {
            "as_torch_module": (torch.as_torch_module, {**here, "device": None}),
            "interop.torch.to_torch": (torch.to_torch, {**here, "device": None}),
            "interop.torch.from_torch": (torch.from_torch, {"model": module, **place}),
            "interop.torch.to_state_dict": (torch.to_state_dict, here),
            "interop.torch.from_state_dict": (torch.from_state_dict, {"state": values, **shape}),
            "interop.torch.to_optimizer": (
                torch.to_optimizer,
                {"optimizer": rule, "state": state, "model": module},
            ),
            "interop.torch.from_optimizer": (
                torch.from_optimizer,
                {
                    "optimizer": torch.to_optimizer(rule, state, module),
                    "model": module,
                    **place,
                    "learning_rate": None,
                },
            ),
        }
    if is_installed("tensorflow"):
        from multimlp.interop import keras, tensorflow

        model, theirs = keras.to_keras(mlp, params), optimizers.adam(0.25, eps_hat=True)
        moments = theirs.init(params)
        calls |= {
            "interop.keras.to_optimizer": (
                keras.to_optimizer,
                {"optimizer": theirs, "state": moments, "model": model},
            ),
            "interop.keras.from_optimizer": (
                keras.from_optimizer,
                {
                    "optimizer": keras.to_optimizer(theirs, moments, model),
                    "model": model,
                    **place,
                    "learning_rate": None,
                },
            ),
            "as_keras_layer": (keras.as_keras_layer, here),
            "as_tf_module": (tensorflow.as_tf_module, {**here, "name": None}),
            "interop.keras.to_keras": (keras.to_keras, here),
            "interop.keras.from_keras": (keras.from_keras, {"model": model, **place}),
        }
    if is_installed("jax"):
        from multimlp.interop import equinox, flax, optax

        linen, variables = flax.to_flax(mlp, params)
        made = optax.to_optimizer(rule)
        calls |= {
            "interop.flax.to_flax": (flax.to_flax, here),
            "interop.flax.to_nnx": (flax.to_nnx, here),
            "interop.flax.from_flax": (flax.from_flax, {"module": linen, "variables": variables, **place}),
            "interop.flax.from_nnx": (flax.from_nnx, {"model": flax.to_nnx(mlp, params), **place}),
            "interop.flax.from_variables": (flax.from_variables, {"variables": variables, **shape}),
            "interop.equinox.to_equinox": (equinox.to_equinox, here),
            "interop.equinox.from_equinox": (
                equinox.from_equinox,
                {"model": equinox.to_equinox(mlp, params), **place, "state": None},
            ),
            "interop.equinox.from_leaves": (
                equinox.from_leaves,
                {"leaves": [part for layer in params for part in (layer.weight.T, layer.bias)], **shape},
            ),
            "interop.optax.to_optimizer": (optax.to_optimizer, {"optimizer": rule}),
            "interop.optax.to_state": (
                optax.to_state,
                {"transformation": made, "optimizer": rule, "state": state, "params": params, "layout": None},
            ),
            "interop.optax.from_state": (
                optax.from_state,
                {
                    "transformation": made,
                    "state": optax.to_state(made, rule, state, params),
                    "optimizer": rule,
                    "params": params,
                    "layout": None,
                },
            ),
        }
    from multimlp.interop import gluon, onnx, sklearn

    gluon.to_gluon(mlp, params, folder / "right.params")
    calls |= {
        "interop.gluon.to_gluon": (gluon.to_gluon, {**here, "path": folder / "new.params"}),
        "interop.gluon.from_gluon": (gluon.from_gluon, {"path": folder / "right.params", **shape}),
        "interop.onnx.to_onnx": (onnx.to_onnx, {**here, "path": None, "opset": None}),
        "interop.onnx.record": (
            onnx.record,
            {
                "function": lambda given: {"y": xp.exp(given["x"])},
                "inputs": {"x": onnx.Input("float32", 2)},
                "path": None,
                "opset": None,
            },
        ),
        "estimators.to_onnx": (
            estimators.to_onnx,
            {
                "estimator": estimators.MLPClassifier(3, max_iter=1).fit(np.eye(4), [0, 1, 2, 0]),
                "path": None,
                "opset": None,
            },
        ),
        "interop.onnx.from_onnx": (onnx.from_onnx, {"model": onnx.to_onnx(mlp, params), **place}),
        "interop.sklearn.to_sklearn": (
            sklearn.to_sklearn,
            {**here, "task": "classification", "classes": None},
        ),
        "interop.sklearn.from_sklearn": (
            sklearn.from_sklearn,
            {"estimator": sklearn.to_sklearn(mlp, params), **place},
        ),
    }
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
        "available_backends": (mm.available_backends, {}),
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
        "tree.leaves_like": (tree.leaves_like, {"tree": (1, 2), "other": (3, 4)}),
        "tree.size_of": (tree.size_of, {"value": (1, 2)}),
        "tree.paths": (tree.paths, {"tree": (1, 2)}),
        "tree.flatten": (lambda t, new: tree.flatten(t)[1](new), {"t": (1, 2), "new": (1, 2)}),
        "tree.structure": (tree.structure, {"tree": (1, 2)}),
        "tree.keyed": (tree.keyed, {"tree": (1, 2)}),
        "tree.rebuilder": (lambda t, new: tree.rebuilder(t)(new), {"t": (1, 2), "new": (1, 2)}),
        "lessons.run": (
            lambda name: (isinstance(name, str) and name == "collapse") or mm.lessons.run(name),
            {"name": "collapse"},
        ),
        "lessons.question": (mm.lessons.question, {"name": "collapse"}),
        "lessons.text": (mm.lessons.text, {"name": "collapse"}),
        "lessons.what_to_see": (mm.lessons.what_to_see, {"name": "collapse"}),
        "lessons.module": (mm.lessons.module, {"name": "collapse"}),
        "lessons.title": (mm.lessons.title, {"name": "collapse"}),
        "bench.find_case": (_bench().find_case, {"name": "tiny"}),
    }
    makers = {
        "optimizers": (optimizers, optimizers.names()),
        "schedules": (schedules, schedules.names()),
        "initializers": (
            initializers,
            ("orthogonal", "normal", "truncated_normal", "uniform", "constant", "siren", "signs"),
        ),
        "regularizers": (regularizers, regularizers.names()),
    }
    needed = {
        "constant": {"value": 0.1},
        "step": {"initial": 0.1, "every": 2},
        "exponential": {"initial": 0.1, "rate": 0.5},
        "cosine": {"initial": 0.1, "steps": 5},
        "flat_cosine": {"initial": 0.1, "steps": 5},
        "log_cosine": {"peak": 0.1, "steps": 5},
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
    for name in initializers.names():
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
        "EachEpoch": (mm.callbacks.EachEpoch, {"function": lambda run: None}),
        "as_callbacks": (mm.callbacks.as_callbacks, {"callbacks": [mm.callbacks.Callback()]}),
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
        "EnsembleMLPClassifier": (
            estimator(estimators.EnsembleMLPClassifier),
            {**given(estimators.EnsembleMLPClassifier), "n_members": 2},
        ),
        "EnsembleMLPRegressor": (
            estimator(estimators.EnsembleMLPRegressor),
            {**given(estimators.EnsembleMLPRegressor), "n_members": 2},
        ),
        **{
            kind.__name__: (
                estimator(kind),
                {**kind().get_params(), **small, "X": X, "y": Y, "sample_weight": None},
            )
            for kind in (
                estimators.RealMLPClassifier,
                estimators.RealMLPRegressor,
                estimators.TabMClassifier,
                estimators.TabMRegressor,
            )
            for small in [
                {
                    "hidden_layer_sizes": (4,),
                    "n_epochs": 1,
                    "validation_fraction": 0.5,
                    **({"n_members": 2} if "TabM" in kind.__name__ else {}),
                }
            ]
        },
        "MLPSearchCV": (
            estimator(estimators.MLPSearchCV),
            {
                **estimators.MLPSearchCV(estimators.MLPClassifier((3,), max_iter=1)).get_params(deep=False),
                "param_grid": {"alpha": [0.1, 0.01]},
                "cv": 2,
                "X": X,
                "y": Y,
                "sample_weight": None,
            },
        ),
        "verify": (
            mm.interop.verify,
            {"a": (mlp, flat), "b": (mlp, flat), "X": X[:, :2], "rows": 4, "seed": 0, "tolerance": None},
        ),
        "ulp_table": (
            testing.ulp_table,
            {
                "fn": "exp",
                "reference": None,
                "points": X[0],
                "backends": ("numpy",),
                "dtypes": ("float32",),
                "derivative": True,
            },
        ),
        "plot_agreement": (
            lambda **rest: plotting.plot_agreement(**rest),
            {
                "activation": "relu",
                "backends": ("numpy",),
                "axes": list(plotting.figure(3, 1)[1]),
                "x": X[0],
                "dtype": "float32",
            },
        ),
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
