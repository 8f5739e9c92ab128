"""`multimlp train --model realmlp` and ``tabm``: the estimators for tables, trained on a file."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from multimlp import callbacks, estimators, files
from multimlp._terminal import print_table, print_text, progress
from multimlp.cli import INTERRUPTED, card, tables
from multimlp.cli.common import note, print_json
from multimlp.cli.curve import check_plot, draw_curves
from multimlp.data import Frame
from multimlp.errors import InputError
from multimlp.errors.checks import check_number, check_whole

_CLASSES = {
    ("realmlp", "classification"): estimators.RealMLPClassifier,
    ("realmlp", "regression"): estimators.RealMLPRegressor,
    ("tabm", "classification"): estimators.TabMClassifier,
    ("tabm", "regression"): estimators.TabMRegressor,
}
_FOREIGN = ("loss", "l2", "processes", "restarts", "devices", "shards", "checkpoint", "reference")
"""Options of the plain network."""
_OTHERS = {"activation": "--activation", "optimizer": "--optimizer", "dropout": "--dropout"}


def run(args: argparse.Namespace) -> int:
    """Train, judge by the test part, save, and report."""
    _check(args)
    train, test = tables.read(args)
    estimator = _CLASSES[args.model, train.task](**_options(args), **_said(args, train.task))
    labels = _labels(train)
    started = time.perf_counter()
    with _shown(args, estimator.n_epochs) as watchers:
        estimator.set_params(callbacks=watchers).fit(train.columns, labels)
    seconds = time.perf_counter() - started
    metric = "accuracy" if train.task == "classification" else "R2"
    scores: dict[str, dict[str, float]] = {
        "train": {metric: float(estimator.score(train.columns, labels))},
        "validation": {},
        "test": {metric: float(estimator.score(test.columns, _labels(test)))},
    }
    if hasattr(estimator, "predict_quantiles"):
        scores["test"] |= _covered(estimator, test)
    (losses,), (errors,) = estimator.loss_curves_, estimator.validation_curves_
    if errors:
        scores["validation"] = {_error(estimator): errors[estimator.best_epochs_[0] - 1]}
    chain, _ = estimator.to_chain()
    target = estimator._target()
    if args.save is not None:
        estimator.save(args.save)
    model = {
        "kind": args.model,
        "estimator": type(estimator).__name__,
        "parameters": chain.num_parameters,
        "epochs": len(losses),
        "best_epoch": estimator.best_epochs_[0],
        "dtype": target.dtype,
        "settings": {k: v for k, v in estimator.get_params().items() if k != "callbacks"},
    }
    rows = {"train": len(train), "test": len(test)}
    data = card.described(
        estimator.schema_, rows, target=train.target, task=train.task, classes=train.classes
    )
    history = {"loss": losses, "val_error": errors}
    if args.plot is not None:
        draw_curves(args.plot, {args.model: history}, train.description)
    written = card.write_card(args, target.backend.name, data, model, scores, history, (*_FOREIGN, *_OTHERS))
    found = {
        "data": train.description,
        "task": train.task,
        "rows": rows,
        "model": model,
        "scores": scores,
        "history": history,
        "backend": target.backend.name,
        "seconds": seconds,
        "saved": args.save,
        "plot": args.plot,
        "card": written,
    }
    if args.json:
        print_json(found)
    else:
        _print_report(found, metric)
    if estimator.interrupted_:
        note(f"interrupted; {'nothing was saved' if args.save is None else f'saved {args.save}'}")
    return INTERRUPTED if estimator.interrupted_ else 0


def _check(args: argparse.Namespace) -> None:
    given = {word.partition("=")[0] for word in args.given}
    for name in _FOREIGN:
        if f"--{name}" in given:
            raise InputError(
                f"--{name}: is for --model mlp; {args.model} brings its own, or does without. Leave it out"
            )
    for option in _OTHERS.values():
        if option in given:
            raise InputError(f"{option}: is for --model mlp; {args.model} brings its own. Leave it out")
    if args.levels is not None:
        tables.levels_of(args.levels)
        if args.output not in ("quantile", "gaussian"):
            raise InputError(
                "--levels: is for --output quantile or gaussian; give one of them too, or leave it out"
            )
    if args.backend is not None and "," in args.backend:
        raise InputError(f"--backend: {args.model} is trained on one backend, got {args.backend!r}")
    if args.save is not None:
        files.require_package()
        files.check_writable(args.save, "--save")
        files.check_apart(args.save, args.data, what="--save")
    if args.plot is not None:
        check_plot(args.plot, args.data)
    card.check_card(args, args.data)


def _options(args: argparse.Namespace) -> dict[str, Any]:
    fraction = 0.2 if args.validation is None else args.validation
    check_number("--validation", fraction, low=0, high=1, high_open=True)
    options: dict[str, Any] = {
        "random_state": check_whole("--seed", args.seed, low=0, high=2**32 - 1),
        "validation_fraction": fraction,
        "backend": args.backend,
        "device": args.device,
        "dtype": args.dtype,
    }
    chosen = {
        "hidden_layer_sizes": args.hidden,
        "n_epochs": args.epochs,
        "batch_size": args.batch_size,
        "learning_rate": args.learning_rate,
        "patience": args.patience,
    }
    return options | {name: value for name, value in chosen.items() if value is not None}


def _said(args: argparse.Namespace, task: str) -> dict[str, Any]:
    """What is learned of a number."""
    chosen = {
        "output": args.output,
        "quantiles": None if args.levels is None else tables.levels_of(args.levels),
    }
    if args.output is not None and task == "classification":
        raise InputError(
            f"--output: {args.output} is for numbers, and the column to predict holds classes; leave it out, or give --task regression"
        )
    return {name: value for name, value in chosen.items() if value is not None}


def _labels(frame: Frame) -> np.ndarray:
    """Targets as the file has them."""
    return frame.y if frame.classes is None else np.asarray(frame.classes)[frame.y]


def _covered(estimator: Any, test: Frame) -> dict[str, float]:
    """The share of the test rows between the lowest and the highest quantile, and the share that there should be."""
    found = estimator.predict_quantiles(test.columns)
    inside = (found[:, 0] <= test.y) & (test.y <= found[:, -1])
    return {
        "inside": float(np.mean(inside)),
        "expected_inside": estimator.quantiles[-1] - estimator.quantiles[0],
    }


def _error(estimator: Any) -> str:
    """What the best epoch has least of."""
    return str(estimator.metric) if hasattr(estimator, "metric") else _ERRORS[estimator.output]


_ERRORS = {
    "mean": "rmse, in deviations of the target",
    "quantile": "pinball loss, in deviations of the target",
    "gaussian": "-log density, of the target in deviations",
}


@contextmanager
def _shown(args: argparse.Namespace, epochs: int) -> Iterator[list[Any]]:
    """Callbacks that show each epoch."""
    with progress(epochs, f"training {args.model}", not args.no_progress and not args.verbose) as bar:

        def show(run: callbacks.Run) -> None:
            if args.verbose:
                figures = "  ".join(f"{name} {value:.6g}" for name, value in run.latest().items())
                print(f"epoch {run.epoch}/{run.epochs}  {figures}", file=sys.stderr)
            bar.advance(1, **run.latest())

        yield [show]


def _print_report(found: dict[str, Any], metric: str) -> None:
    model, scores, rows = found["model"], found["scores"], found["rows"]
    print_text(f"{found['data']}: {rows['train']} rows to train, {rows['test']} to test")
    print_text(f"{model['estimator']}: {model['parameters']} parameters, on {found['backend']}")
    columns = ["epochs", "best", f"train {metric}", f"test {metric}", "seconds"]
    row = [
        model["epochs"], model["best_epoch"], scores["train"][metric], scores["test"][metric], found["seconds"],
    ]  # fmt: skip
    for name, value in scores["validation"].items():
        columns.insert(2, f"val {name.partition(',')[0]}")
        row.insert(2, value)
    print_table(columns, [row])
    if "inside" in scores["test"]:
        low, *_, high = model["settings"]["quantiles"]
        print_text(
            f"{scores['test']['inside']:.1%} of the test rows lie between the quantiles {low:g} and {high:g}; "
            f"{scores['test']['expected_inside']:.1%} should"
        )
    if found["plot"] is not None:
        print(f"drew the learning curves in {found['plot']}")
    if found["card"] is not None:
        print(f"wrote the model card {found['card']}")
    if found["saved"] is not None:
        print(f"saved {found['saved']}; predict with:")
        print(f"  multimlp predict {found['saved']} NEW.csv -o predictions.csv")
