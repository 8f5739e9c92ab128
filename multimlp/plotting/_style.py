"""The look that all pictures share, and figures that need no display."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from multimlp.errors import InputError, missing_dependency
from multimlp.errors.checks import check_choice, check_items, check_number, check_path, check_whole, refuse
from multimlp.files import check_writable, make_folder, replacing

try:
    import matplotlib
    from cycler import cycler
    from matplotlib.figure import Figure
except ImportError:
    raise missing_dependency("matplotlib", "plotting", "plot") from None

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LINES: tuple[Any, ...] = (
    "-",
    "--",
    "-.",
    ":",
    (0, (5, 1, 1, 1, 1, 1)),
    (0, (8, 3)),
    (0, (1, 2)),
    (0, (3, 1)),
)
COLOURS = ("#14213d", "#c1440e", "#2a7f8e", "#e09f3e", "#6a4c93", "#5b8c5a", "#9c6b5a", "#8d99ae")
"""From dark to light and back, so that neighbours differ in greyscale too; the line styles go with them."""
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*", "<", ">")

_STYLE: dict[Any, Any] = {
    "axes.prop_cycle": cycler(color=COLOURS, linestyle=LINES),
    "axes.grid": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 10,
    "axes.labelsize": 9,
    "figure.dpi": 100,
    "figure.facecolor": "white",
    "font.size": 9,
    "grid.alpha": 0.35,
    "grid.linewidth": 0.6,
    "legend.fontsize": 8,
    "legend.frameon": False,
    "lines.linewidth": 1.6,
    "savefig.dpi": 144,
    "svg.fonttype": "path",
    "svg.hashsalt": "multimlp",
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
}


@contextlib.contextmanager
def style() -> Iterator[None]:
    """The common look, inside a ``with`` block; the user's own settings come back afterwards.

    Returns
    -------
    context manager

    Examples
    --------
    >>> import matplotlib
    >>> from multimlp import plotting
    >>> with plotting.style():
    ...     inside = matplotlib.rcParams["axes.grid"]
    >>> inside
    True
    """
    with matplotlib.rc_context(_STYLE):
        yield


_P = ParamSpec("_P")
_R = TypeVar("_R")


def drawn_in_style(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """A function that draws, in the common look whoever calls it: legends and second axes are made while it runs."""

    @functools.wraps(function)
    def draw(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        with style():
            return function(*args, **kwargs)

    return draw


def figure(rows: int = 1, columns: int = 1, size: tuple[float, float] = (5.6, 3.4), **options: Any) -> Any:
    """A figure and its axes, without a window, so that it works on a machine without a display.

    Parameters
    ----------
    rows, columns : int
    size : (width, height) in inches
    **options
        As for `matplotlib.figure.Figure.subplots`, e.g. ``sharex=True``.

    Returns
    -------
    figure : matplotlib.figure.Figure
    axes : Axes, or an array of them

    Examples
    --------
    >>> from multimlp import plotting
    >>> picture, axes = plotting.figure(1, 2)
    >>> axes.shape
    (2,)
    """
    rows, columns = (
        check_whole(n, v, low=1, high=_MOST_PANELS) for n, v in (("rows", rows), ("columns", columns))
    )
    inches = [
        check_number("size", side, low=0, high=_LARGEST_SIDE, low_open=True)
        for side in check_items("size", size)
    ]
    if len(inches) != 2:
        raise refuse("size", "(width, height) in inches", size)
    with style():
        made = Figure(figsize=(inches[0], inches[1]), layout="constrained")
        return made, made.subplots(rows, columns, **options)


_MOST_PANELS, _LARGEST_SIDE = 100, 500.0


def check_axes(where: str, ax: Any) -> Axes:
    """Something that can be drawn on."""
    if not hasattr(ax, "plot") or not hasattr(ax, "scatter"):
        raise InputError(f"{where}: expected matplotlib axes, got {type(ax).__name__}")
    return ax  # type: ignore[no-any-return]


def axes_or_new(ax: Axes | None) -> Axes:
    """The axes given, else new ones of pyplot, which notebooks and ``pyplot.show`` know."""
    if ax is not None:
        return check_axes("ax", ax)
    from matplotlib import pyplot

    return pyplot.subplots(figsize=(5.6, 3.4), layout="constrained")[1]


_METADATA: dict[str, dict[str, Any]] = {"png": {"Software": None}, "svg": {"Date": None, "Creator": None}}


def save(picture: Figure, folder: str | Path, name: str, kinds: Sequence[str] = ("png", "svg")) -> list[Path]:
    """Write a figure as ``name.png`` and ``name.svg``; the same figure gives the same bytes.

    Parameters
    ----------
    picture : matplotlib.figure.Figure
    folder : path
        Made if it is not there.
    name : str
    kinds : sequence of str
        One or both of ``"png"`` and ``"svg"``.

    Returns
    -------
    list of Path

    Raises
    ------
    InputError
        If the folder cannot be made or written to.

    Examples
    --------
    >>> import tempfile
    >>> from multimlp import plotting
    >>> picture, axes = plotting.figure()
    >>> [path.name for path in plotting.save(picture, tempfile.mkdtemp(), "empty")]
    ['empty.png', 'empty.svg']
    """
    target = Path(check_path("folder", folder, "folder"))
    if not isinstance(picture, Figure):
        raise refuse("picture", "a matplotlib figure", picture)
    if not isinstance(name, str) or not name:
        raise refuse("name", "the name of a file, without a suffix", name)
    chosen = [
        check_choice("kinds", kind, tuple(_METADATA))
        for kind in check_items("kinds", kinds, "of kinds of files")
    ]
    make_folder(target)
    written = []
    for kind in chosen:
        path = target / f"{name}.{kind}"
        check_writable(path)
        with replacing(path) as beside, style():
            picture.savefig(beside, format=kind, metadata=_METADATA[kind])
        written.append(path)
    return written
