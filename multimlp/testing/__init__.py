"""What a project needs to test its own array code, or its own backend, on every library.

`assert_close` compares arrays, `check_grads` checks derivatives against values alone, `assert_parity` runs a function on all installed
backends, `ulp_table` says how far a function is off against mpmath, `BackendContract` tests an adapter. The pytest plug-in
(``multimlp.testing.plugin``) gives the fixtures ``mm_backend`` and ``xp``.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from multimlp.testing._close import assert_close
from multimlp.testing._gradients import check_grads
from multimlp.testing._parity import assert_parity, comparable_backends

if TYPE_CHECKING:
    from multimlp.testing._ulp import UlpRow, UlpTable, ulp_table
    from multimlp.testing.contract import BackendContract

__all__ = [
    "BackendContract",
    "UlpRow",
    "UlpTable",
    "assert_close",
    "assert_parity",
    "check_grads",
    "comparable_backends",
    "ulp_table",
]


def __getattr__(name: str) -> Any:
    if name == "BackendContract":  # it needs pytest, which a script that checks its gradients does not
        from multimlp.testing.contract import BackendContract

        return BackendContract
    if name in ("UlpRow", "UlpTable", "ulp_table"):  # they need mpmath
        return getattr(importlib.import_module("multimlp.testing._ulp"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
