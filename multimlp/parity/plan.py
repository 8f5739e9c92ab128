"""What to compare, and in which modes."""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence
from dataclasses import dataclass

from multimlp.backend import Backend
from multimlp.parity.cases import Aspect, Case
from multimlp.parity.formats import Format

TRACING = ("eager", "fx")
"""The compilers that run what they have traced as it is."""


REFUSED = frozenset({("mlx", "squareplus", "autodiff"), ("mlx", "grad of cond", "value")})
"""What a compiler cannot compile, and says so: compiler, function and aspect. MLX's fails on the first (an error inside of it), and has no
conditions."""


@dataclass(frozen=True)
class Job:
    """One aspect of one case."""

    case: Case
    aspect: Aspect


@dataclass(frozen=True)
class Plan:
    """What to compare.

    Attributes
    ----------
    backends : sequence of str
    functions : sequence of str
        Names or patterns such as ``"gelu*"``; empty: all.
    dtypes : sequence of str
    device : str or None
        None: every device that a backend has.
    quick : bool
        Fewer points, float64 and float32 only where nothing else is asked for.
    eager, compiled : bool
        The modes.
    compilers : sequence of str
        Compile with these alone, where a backend has them; empty: see `compilers_of`.
    """

    backends: Sequence[str]
    functions: Sequence[str] = ()
    dtypes: Sequence[str] = ("float64", "float32")
    device: str | None = None
    quick: bool = False
    eager: bool = True
    compiled: bool = True
    compilers: Sequence[str] = ()

    def runs_eagerly(self, job: Job, form: Format, backend: Backend) -> bool:
        """What XLA compiles operation by operation is kept to the essentials in a quick run and in 16 bits; if quick, in
        float64 alone, since compiled programs have float32."""
        essential = job.case.grid > 0 and job.aspect.name in ("value", "autodiff")
        if self.quick and form.name == "float32" and "xla" in self.compilers_of(backend, form):
            return False
        lean = self.quick or form.name in ("bfloat16", "float16")
        return self.eager and (essential or not (lean and has_xla(backend)))

    def compilers_of(self, backend: Backend, form: Format) -> tuple[str, ...]:
        """The compilers that programs are compiled with.

        All that the backend has in float64 and float32, but those that only trace and compile nothing in float64 alone; in 16
        bits XLA alone; in a quick run XLA in float32 alone, because inductor takes minutes."""
        if not self.compiled:
            return ()
        if self.compilers:
            return tuple(c for c in backend.capabilities.compilers if c in self.compilers)
        return tuple(c for c in backend.capabilities.compilers if form.name in self._dtypes_under(c))

    def _dtypes_under(self, compiler: str) -> Sequence[str]:
        if self.quick:
            return ("float32",) if compiler == "xla" else ()
        if compiler == "xla":
            return self.dtypes
        return ("float64",) if compiler in TRACING else ("float64", "float32")

    def compiles(self, job: Job, compiler: str) -> bool:
        """Whether a job is part of compiled programs; closed forms of derivatives are not if quick."""
        if job.aspect.eager_only or (compiler, job.case.function, job.aspect.name) in REFUSED:
            return False
        return not (self.quick and job.aspect.name == "derivative")

    def wants(self, function: str) -> bool:
        """Whether a function is to be compared; options in brackets need not be given."""
        name = function.partition("(")[0]
        return not self.functions or any(
            fnmatch.fnmatch(function, p) or fnmatch.fnmatch(name, p) for p in self.functions
        )


def mode_of(compiler: str) -> str:
    """What rows call it: torch's compiler ``"eager"`` is not the mode."""
    return "traced" if compiler == "eager" else compiler


def has_xla(backend: Backend) -> bool:
    return "xla" in backend.capabilities.compilers
