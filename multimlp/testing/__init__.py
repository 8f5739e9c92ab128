"""What a project needs to test its own array code, or its own backend, on every library.

`assert_close` compares arrays, `check_grads` checks derivatives against finite differences, `assert_parity`
runs a function on all installed backends, `BackendContract` tests an adapter. The pytest plug-in
(``multimlp.testing.plugin``) gives the fixtures ``mm_backend`` and ``xp``.
"""

from __future__ import annotations

from typing import Any

from multimlp.testing._close import assert_close
from multimlp.testing._gradients import check_grads
from multimlp.testing._parity import assert_parity, comparable_backends

__all__ = ["BackendContract", "assert_close", "assert_parity", "check_grads", "comparable_backends"]


def __getattr__(name: str) -> Any:
    if name == "BackendContract":  # it needs pytest, which a script that checks its gradients does not
        from multimlp.testing.contract import BackendContract

        return BackendContract
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
