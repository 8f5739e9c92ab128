"""`array_api_compat.numpy`, without two submodules of NumPy that it would import to have them too: they take most of the time.

``array_api_compat.numpy.testing`` and ``.f2py`` are still there, imported when somebody asks for them.
"""

from __future__ import annotations

import sys
import types
from typing import Any

import numpy as np

from multimlp.backend import Namespace

_HEAVY = ("f2py", "testing")


def _on_demand(name: str) -> Any:
    if name in _HEAVY:
        return getattr(np, name)
    raise AttributeError(f"module 'array_api_compat.numpy' has no attribute {name!r}")


def _imported() -> Any:
    late = [name for name in _HEAVY if f"numpy.{name}" not in sys.modules]
    stand_in = types.ModuleType("numpy")
    for name in late:
        setattr(np, name, stand_in)
    try:
        import array_api_compat.numpy as found
    finally:
        for name in late:
            if vars(np).get(name) is stand_in:  # another thread may have imported it meanwhile
                delattr(np, name)
    copied = [name for name in late if vars(found).get(name) is stand_in]
    for name in copied:
        delattr(found, name)
    if copied:
        vars(found)["__getattr__"] = _on_demand
    return found


xp: Namespace = _imported()
