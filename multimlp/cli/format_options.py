"""What ``export``, ``import`` and ``convert`` ask about formats: their options, what does not go together, and remarks."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from multimlp import activations, files
from multimlp.cli.common import note
from multimlp.cli.formats import (
    COMBINING,
    OURS,
    READERS,
    WITH_ACTIVATIONS,
    WITH_CHAINS,
    Model,
    Reading,
    Writing,
)
from multimlp.cli.pipeline import meaning
from multimlp.errors import InputError
from multimlp.mlp import DEFAULT_ACTIVATION, MLP


def check_target(target: str, mlp: Any) -> None:
    """Raise where a chain of blocks would go to a format that holds weights alone, or networks alone."""
    if not isinstance(mlp, MLP) and target not in WITH_CHAINS:
        raise InputError(
            f"--to: {target} files hold plain networks alone, and this model is {mlp!r}; formats for it: {', '.join(WITH_CHAINS)}"
        )


def read_foreign(path: str, args: argparse.Namespace, source: str) -> Model:
    """The model and the parameters of a file of this format, and a note if its activations are taken to be the default."""
    found = READERS[source](Path(path), _reading_of(args, source))
    if source not in WITH_ACTIVATIONS and args.activation is None:
        note(
            f"{source} files hold weights and tell no activations: {DEFAULT_ACTIVATION} is taken; say another by --activation"
        )
    return found


def check_source_options(args: argparse.Namespace, source: str) -> None:
    """`InputError` for activations, or a place of BatchNorm, of a format that says its own."""
    if (source in WITH_ACTIVATIONS or source == OURS) and (args.activation or args.final_activation):
        raise InputError(
            f"--activation, --final-activation: {source} models tell their activations themselves; leave both out"
        )
    if args.batch_norm is not None and source != "gluon":
        raise InputError(
            f"--batch-norm: {source} models say themselves where it stands, or hold none; it is for gluon, so leave it out"
        )


def _reading_of(args: argparse.Namespace, source: str) -> Reading:
    """How to read a model of this format, from ``--activation``, ``--final-activation`` and where it shall be.

    Raises
    ------
    InputError
        As `check_source_options`; for activations that there are not.
    """
    check_source_options(args, source)
    rules = [activations.describe(name).name for name in args.activation or [DEFAULT_ACTIVATION]]
    if args.final_activation is not None:
        activations.describe(args.final_activation)
    return Reading(
        rules[0] if len(rules) == 1 else rules,
        args.final_activation,
        args.backend,
        args.device,
        args.dtype,
        args.batch_norm,
        args.combine if source in COMBINING else "members",
    )


def add_source_options(parser: argparse.ArgumentParser) -> None:
    """``--activation``, ``--final-activation`` and ``--batch-norm``, for files that hold weights alone."""
    add = parser.add_argument
    add(
        "--activation",
        nargs="+",
        metavar="NAME",
        help=f"of the hidden layers, for files of weights alone: one, or one for each (default: {DEFAULT_ACTIVATION})",
    )
    add(
        "--final-activation",
        metavar="NAME",
        help="of the last layer, for files of weights alone (default: none)",
    )
    add(
        "--batch-norm",
        choices=("before", "after"),
        metavar="WHERE",
        help="where BatchNorm (of eps 1e-5) stands in a gluon file: before or after the activations",
    )


def read_ours(path: str, args: argparse.Namespace) -> Writing:
    """A model that `multimlp.save` wrote."""
    mlp, params = files.load(path, args.backend or "numpy", args.device, args.dtype)
    extra = files.load_extra(path)
    task, classes, prepared = meaning(path, extra, mlp)
    return Writing(mlp, params, task, classes, prepared, extra=extra or None)


def check_opset(args: argparse.Namespace, target: str) -> None:
    """`InputError` for an ``--opset`` of anything but an ONNX model."""
    if args.opset is not None and target != "onnx":
        raise InputError(
            f"--opset: {target} models have none, got {args.opset}; it is for onnx, so leave it out"
        )


def add_combine(parser: argparse.ArgumentParser) -> None:
    """``--combine``."""
    parser.add_argument(
        "--combine",
        choices=("members", "mean", "probabilities", "vote"),
        default="members",
        metavar="HOW",
        help="what an ensemble puts out, in onnx and keras: members (the outputs of each, default), mean, probabilities (as "
        "predict_proba), or, in onnx, vote; a model that is read must make the same of them",
    )


def add_target_options(parser: argparse.ArgumentParser) -> None:
    """``--opset``, ``--combine`` and ``--task``."""
    parser.add_argument(
        "--opset",
        type=int,
        metavar="N",
        help="version of ONNX's operators to write (default: 20; 23 with RMS normalisation)",
    )
    add_combine(parser)
    parser.add_argument(
        "--task",
        choices=("classification", "regression"),
        metavar="TASK",
        help="of a scikit-learn model: classification or regression, where MODEL does not tell",
    )


def with_target_options(model: Writing, args: argparse.Namespace, target: str, source: str = OURS) -> Writing:
    """The model with what `add_target_options` has asked for; of ``source`` too, which may tell what is made of members' outputs where
    the target, of multimlp itself, holds all of them.

    Raises
    ------
    InputError
        For an option that the target does not have.
    """
    known = target in COMBINING or (target == OURS and source in COMBINING)
    if args.combine != "members" and not known:
        raise InputError(
            f"--combine: {target} files hold the weights of the members alone, got {args.combine!r}; it is for onnx and keras, so leave it "
            "out"
        )
    if args.task is not None and target != "sklearn":
        raise InputError(
            f"--task: {target} models have none, got {args.task!r}; it is for sklearn, so leave it out"
        )
    model = model._replace(opset=args.opset, combine=args.combine)
    if args.task is not None:
        return model._replace(task=args.task, classes=model.classes if args.task == model.task else None)
    if target == "sklearn" and source not in (OURS, "sklearn"):
        note(
            f"{source} models do not tell what they are for: {model.task} is taken; say --task regression if it is that"
        )
    return model


def read_with_meaning(path: str, args: argparse.Namespace, source: str) -> Writing:
    """A model of any format, with its task and its classes where the format tells them."""
    if source == OURS:
        check_source_options(args, source)
        return read_ours(path, args)
    mlp, params = read_foreign(path, args, source)
    if source != "sklearn":
        return Writing(mlp, params, "classification", None)
    from multimlp.interop.sklearn import read_npz

    classes = getattr(read_npz(path), "classes_", None)
    if classes is None:
        return Writing(mlp, params, "regression", None)
    return Writing(mlp, params, "classification", np.asarray(classes).tolist())


def beside(source: str, model: Writing) -> dict[str, Any] | None:
    """What a file of multimlp says of a model beside its numbers: all that its source, of this format, says."""
    if source != "sklearn":
        return model.extra
    classes = model.classes
    if classes is not None and not all(isinstance(label, (str, int)) for label in classes):
        note(f"the file does not tell the classes, which are no text and no whole numbers: {classes}")
        classes = None
    return {"task": model.task, "classes": classes}


def remark(model: Writing) -> None:
    """What is to be said when a model has been written."""
    if model.prepared:
        note(
            "the file holds the network alone: standardise inputs as `multimlp train` did "
            "(multimlp.files.load_extra), or export an ONNX model with --whole"
        )
