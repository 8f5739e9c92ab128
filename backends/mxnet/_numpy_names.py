"""Importing MXNet 2.0.0b1 beside the NumPy of today.

MXNet was last built against a NumPy that had some twenty names which are gone since. They are lent to NumPy
while MXNet is being imported and taken back at once; NumPy is then exactly what it was. MXNet's own modules
keep a private view of NumPy that has the names, because some of their functions use them when called.
"""

from __future__ import annotations

import contextlib
import importlib
import sys
import threading
import types
import warnings
from collections.abc import Iterator
from typing import Any, NoReturn

import numpy as np

from multimlp.errors import MissingDependencyError, missing_dependency

_lock = threading.RLock()


def _removed(*args: Any, **kwargs: Any) -> NoReturn:
    raise AttributeError("this function was removed from NumPy")


def _sort_rows(a: Any) -> np.ndarray:
    return np.sort(a, axis=0)


_NAMES: dict[str, Any] = {
    "bool": bool,
    "Inf": np.inf,
    "NAN": np.nan,
    "NaN": np.nan,
    "PINF": np.inf,
    "NINF": -np.inf,
    "PZERO": 0.0,
    "NZERO": -0.0,
    "alltrue": np.all,
    "sometrue": np.any,
    "product": np.prod,
    "round_": np.round,
    "in1d": np.isin,
    "trapz": np.trapezoid if hasattr(np, "trapezoid") else np.trapz,  # type: ignore[attr-defined]  # noqa: NPY201
    "msort": _sort_rows,
    **dict.fromkeys(("mirr", "npv", "pmt", "ppmt", "pv", "rate"), _removed),
}
"""What MXNet's modules look up in NumPy, and what it stood for."""


@contextlib.contextmanager
def lent_numpy_names() -> Iterator[None]:
    """Inside the block NumPy has the names that MXNet needs; afterwards it is as it was, whatever happened.

    `import_mxnet` needs it once. It is also the way to import a part of MXNet that ``import mxnet`` does not
    (``mxnet.gluon.contrib.estimator``). One thread at a time; other threads see the names meanwhile.

    Examples
    --------
    >>> import numpy as np
    >>> before = dict(vars(np))
    >>> with lent_numpy_names():
    ...     print(np.PINF)
    inf
    >>> vars(np) == before
    True
    """
    with _lock:
        namespace = vars(np)
        lent = [name for name in _NAMES if name not in namespace]
        namespace.update({name: _NAMES[name] for name in lent})
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                yield
        finally:
            for name in lent:
                del namespace[name]
            _give_private_view()


def import_mxnet() -> types.ModuleType:
    """The module ``mxnet``, imported with names lent to NumPy; afterwards a plain ``import mxnet`` works too.

    Raises
    ------
    MissingDependencyError
        MXNet is not installed, or cannot be imported here; the message says why and what to do.
    """
    with _lock:
        if "mxnet" in sys.modules:
            return sys.modules["mxnet"]
        before = set(sys.modules)
        try:
            with lent_numpy_names():
                return importlib.import_module("mxnet")
        except ImportError as error:
            for name in set(sys.modules) - before:  # half a package would break the next try
                if _is_mxnet(name):
                    del sys.modules[name]
            if error.name == "mxnet":
                raise missing_dependency("mxnet", "the mxnet backend", "mxnet") from None
            raise MissingDependencyError(
                f"mxnet is installed but cannot be imported: {error}. It needs the packages requests and "
                "graphviz==0.8.4, and setuptools on Python 3.12 or later (for distutils)"
            ) from error


def _is_mxnet(name: str) -> bool:
    return name.partition(".")[0] == "mxnet"


def _give_private_view() -> None:
    """Let MXNet's modules see a NumPy of their own: this one, with the names."""
    modules = [module for name, module in list(sys.modules.items()) if _is_mxnet(name)]
    users = [(vars(m), key) for m in modules for key, value in list(vars(m).items()) if value is np]
    if users:
        view = types.ModuleType("numpy")
        vars(view).update({**_NAMES, **vars(np)})
        for namespace, key in users:
            namespace[key] = view
