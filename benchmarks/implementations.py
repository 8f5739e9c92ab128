"""Who takes part: every implementation, the library whose group it runs in, and what it can do."""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from multimlp.backend import BUILTIN, is_installed, load_backend

BACKENDS = ("numpy", "torch", "jax", "tensorflow", "cupy")

ROLES: dict[str, str] = {
    "ours": "multimlp",
    "ours-jit": "multimlp under mm.jit",
    "ours-relu": "multimlp with relu",
    "ours-inplace": "multimlp without Numba",
    "loop": "hand-written loop",
    "best": "best loop known",
    "keras": "Keras 3",
    "sklearn": "scikit-learn",
    "native": "the library's own",
    "autograd": "HIPS autograd",
    "products": "matrix products alone",
    "copy": "a copy",
}


@dataclass(frozen=True)
class Implementation:
    """One way to do a kind of work.

    Attributes
    ----------
    backend : str
        The group that it is compared in.
    role : str
        A key of `ROLES`.
    kinds : tuple of str
        ``training``, ``smooth`` (training with another activation than relu), ``ensemble``, ``inference``, ``activation``,
        ``transform``, ``cold``, ``growth``.
    target : str
        ``module:function`` under `benchmarks.peers`.
    packages : tuple of str
        Modules that must be installed beside the backend.
    takes_backend : bool
        Whether the function's first argument is the name of the backend.
    transforms : tuple of str or None
        The only transforms that it has; None: all.
    """

    backend: str
    role: str
    kinds: tuple[str, ...]
    target: str
    packages: tuple[str, ...] = ()
    takes_backend: bool = False
    transforms: tuple[str, ...] | None = None

    @property
    def name(self) -> str:
        return f"{self.backend}/{self.role}"

    @property
    def environment(self) -> dict[str, str]:
        """Variables that its process needs."""
        given = {"keras": {"KERAS_BACKEND": self.backend}, "ours-inplace": {"MULTIMLP_NUMBA": "never"}}
        return given.get(self.role, {})

    def load(self) -> Callable[..., Any]:
        """The function; imports its libraries."""
        importlib.import_module(BUILTIN[self.backend].module)
        module, _, function = self.target.partition(":")
        found = getattr(importlib.import_module(f"benchmarks.peers.{module}"), function)
        if self.takes_backend:
            load_backend(self.backend)
            return functools.partial(found, self.backend)
        return found

    def is_installed(self) -> bool:
        return is_installed(self.backend) and all(
            importlib.util.find_spec(package) is not None for package in self.packages
        )


TRAINING = ("training", "cold")
LOOP = ("training", "ensemble", "cold")
SMOOTH = (*LOOP, "smooth")
CALLS = ("inference", "activation", "transform")


def _all() -> tuple[Implementation, ...]:
    found: list[Implementation] = []
    for backend in BACKENDS:
        found += [
            Implementation(backend, "ours", (*SMOOTH, "growth"), "ours:training", (), True),
            Implementation(backend, "ours-relu", ("smooth",), "ours:training", (), True),
            Implementation(backend, "ours", CALLS, "ours:call", (), True),
        ]
    for backend in BACKENDS[:-1]:
        found.append(
            Implementation(backend, "ours-inplace", ("training",), "ours:training", ("numba",), True)
        )
    for backend in ("jax", "tensorflow"):
        found += [
            Implementation(backend, "ours-jit", ("activation",), "ours:compiled_activation", (), True),
            Implementation(backend, "products", ("training",), "products:compiled", (), True),
        ]
    for backend in ("numpy", "torch"):
        found.append(Implementation(backend, "products", ("training",), f"products:{backend}"))
    for backend in ("numpy", "cupy"):
        found.append(Implementation(backend, "loop", LOOP, "numpy_loops:idiomatic", (), True))
    found += [
        Implementation("numpy", "best", ("training",), "numpy_loops:best"),
        Implementation("torch", "loop", SMOOTH, "torch_loops:idiomatic"),
        Implementation("torch", "best", ("training",), "torch_loops:best"),
        Implementation("numpy", "sklearn", TRAINING, "sklearn_fit:training", ("sklearn",)),
        Implementation("numpy", "sklearn", ("inference",), "sklearn_fit:inference", ("sklearn",)),
        Implementation("numpy", "native", CALLS, "calls:numpy", ("scipy",), transforms=("grad",)),
    ]
    for backend in ("jax", "tensorflow"):
        found += [
            Implementation(backend, "loop", SMOOTH, f"{backend}_loops:idiomatic"),
            Implementation(backend, "best", ("training", "ensemble"), f"{backend}_loops:best"),
        ]
    for backend in ("torch", "jax", "tensorflow"):
        found += [
            Implementation(backend, "native", CALLS, f"calls:{backend}"),
            Implementation(backend, "keras", TRAINING, "keras_fit:training", ("keras",)),
            Implementation(backend, "keras", ("inference",), "keras_fit:inference", ("keras",)),
        ]
    for backend in BACKENDS[:-1]:
        found.append(Implementation(backend, "copy", ("activation",), "calls:copy", (), True))
    return tuple(found)


IMPLEMENTATIONS = _all()


def taking_part(backend: str, kind: str, name: str) -> list[Implementation]:
    """The installed implementations of a kind of work in a group, ours first."""
    return [
        one
        for one in IMPLEMENTATIONS
        if one.backend == backend
        and kind in one.kinds
        and (kind != "transform" or one.transforms is None or name in one.transforms)
        and one.is_installed()
    ]
