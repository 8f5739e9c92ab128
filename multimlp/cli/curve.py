"""The learning curves of a training as a picture: ``--plot FILE``."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from pathlib import Path

from multimlp.errors import InputError, missing_dependency
from multimlp.files import check_apart, check_writable

KINDS = (".png", ".svg")


def check_plot(path: str, *others: str) -> None:
    """Refuse, before anything is trained, a picture that could not be written; ``others`` are files that it may not replace."""
    if importlib.util.find_spec("matplotlib") is None:
        raise missing_dependency("matplotlib", "--plot", "plot")
    if Path(path).suffix.lower() not in KINDS:
        raise InputError(f"--plot: expected a name that ends in {' or '.join(KINDS)}, got {path!r}")
    check_writable(path, "--plot")
    check_apart(path, *others, what="--plot")


def draw_curves(path: str, histories: Mapping[str, Mapping[str, Sequence[float]]], title: str) -> None:
    """Training losses against the epoch, and validation losses where there are any.

    Parameters
    ----------
    path : str
        Checked by `check_plot`.
    histories : mapping of label to history
        Those of `multimlp.fit`; the label stands before each line's name if there are several.
    title : str
    """
    from multimlp import plotting

    shown = {
        f"{label} {key}" if len(histories) > 1 else key: history[key]
        for label, history in histories.items()
        for key in ("loss", "val_loss")
        if key in history
    }
    with plotting.style():
        picture, axes = plotting.figure()
        plotting.plot_history(shown, axes)
        axes.set_ylabel("loss")
        axes.set_title(title)
    plotting.save(picture, Path(path).parent, Path(path).stem, [Path(path).suffix[1:].lower()])
