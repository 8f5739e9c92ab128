"""Importing Paddle as a library should be: it advises a compiler's cache, and has everybody's log records printed from then on."""

from __future__ import annotations

import logging
import warnings


def import_paddle() -> None:
    """Import it; logging and warnings are left as they were."""
    root = logging.getLogger()
    level, handlers = root.level, root.handlers[:]
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="No ccache found")
            import paddle  # noqa: F401
    finally:
        root.setLevel(level)
        root.handlers[:] = handlers
