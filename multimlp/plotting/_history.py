"""The figures of a training run, epoch by epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from multimlp.errors import InputError
from multimlp.errors.checks import check_items, check_names, check_number, refuse
from multimlp.plotting._style import COLOURS, LINES, axes_or_new, drawn_in_style

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@drawn_in_style
def plot_history(
    history: Mapping[str, Sequence[float]], ax: Axes | None = None, keys: Sequence[str] | None = None
) -> Axes:
    """Losses against the epoch; other figures, such as accuracy, on an axis of their own at the right.

    Parameters
    ----------
    history : mapping of str to sequence of float
        ``result.history`` of `multimlp.fit`.
    ax : matplotlib axes, optional
    keys : sequence of str, optional
        Which figures; default: all.

    Returns
    -------
    matplotlib axes
        Those of the losses.

    Examples
    --------
    >>> from multimlp import plotting
    >>> picture, axes = plotting.figure()
    >>> drawn = plotting.plot_history({"loss": [1.0, 0.5], "val_accuracy": [0.6, 0.8]}, axes)
    >>> drawn.get_xlabel(), len(picture.axes)
    ('epoch', 2)
    """
    if not isinstance(history, Mapping):
        raise refuse("history", "a mapping of names to figures, as result.history", history)
    chosen = check_names("history", list(history)) if keys is None else check_names("keys", keys)
    missing = [key for key in chosen if key not in history]
    if missing or not chosen:
        raise InputError(f"keys: {missing or chosen!r} is not in the history; there is {', '.join(history)}")
    figures = {
        key: [
            check_number(f"history[{key!r}]", value, infinite=True, nan=True)
            for value in check_items(f"history[{key!r}]", history[key])
        ]
        for key in chosen
    }
    axes = axes_or_new(ax)
    losses = [key for key in chosen if key.endswith("loss")]
    others = [key for key in chosen if key not in losses]
    places = [(axes, losses or others)]
    if losses and others:
        right = axes.twinx()
        right.grid(False)
        places.append((right, others))
    lines = []
    for place, names in places:
        for key in names:
            i = chosen.index(key) % len(COLOURS)
            epochs = range(1, len(figures[key]) + 1)
            marker = "." if len(figures[key]) < 12 else None
            lines += place.plot(
                epochs, figures[key], color=COLOURS[i], linestyle=LINES[i], marker=marker, label=key
            )
        kinds = {key.removeprefix("val_") for key in names}
        place.set_ylabel(", ".join(sorted(kinds)))
    axes.set_xlabel("epoch")
    axes.legend(lines, [str(line.get_label()) for line in lines], loc="center right")
    return axes
