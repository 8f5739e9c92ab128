"""How pictures of results are drawn and written: the same bytes for the same results."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from multimlp.errors import missing_dependency


def pyplot() -> Any:
    """matplotlib without a screen.

    Raises
    ------
    MissingDependencyError
        If it is not installed.
    """
    try:
        import matplotlib
    except ImportError:
        raise missing_dependency("matplotlib", "drawing benchmarks", "plot") from None
    matplotlib.use("Agg")
    matplotlib.rcParams.update({"svg.hashsalt": "multimlp", "svg.fonttype": "none", "font.size": 10})
    import matplotlib.pyplot as plt

    return plt


def write_svg(figure: Any, path: Path) -> Path:
    """Into a folder that need not be there yet."""
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, bbox_inches="tight", facecolor="white", metadata={"Date": None})
    return path
