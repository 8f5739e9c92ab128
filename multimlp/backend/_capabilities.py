"""What an adapter says that its library can do."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Capabilities:
    """What a backend can do and how, as `multimlp backends` prints it."""

    autodiff: str = "tape"
    """Who differentiates: ``"native"`` or ``"tape"``."""
    higher_order: bool = True
    """Whether derivatives of derivatives work."""
    forward_mode: str = "tape"
    """``"native"``, ``"tape"``, or ``"double-vjp"`` (the derivative of the library's reverse mode in its cotangent)."""
    vmap: str = "tape"
    """``"native"`` or ``"tape"`` (one call with arrays that hide an axis; where that cannot be, one per element, results stacked)."""
    compilers: tuple[str, ...] = ()
    """Names for ``jit(..., compiler=)``, the default first; empty: ``jit`` returns the function as it is."""
    scan: str = "loop"
    """``"native"`` (compiled) or ``"loop"`` (a Python loop)."""
    epoch: str = "steps"
    """How `fit` runs an epoch: ``"compiled"`` (one program), ``"inplace"`` (flat preallocated buffers), ``"steps"``; ``"none"`` refuses."""
    dtypes: tuple[str, ...] = ("float64", "float32")
    """The real floating-point dtypes that work."""
    while_loop: str = "all"
    """The derivatives through `while_loop`: ``"all"``, ``"uncompiled"`` (none of reverse mode where it is compiled), or ``"forward"``."""
    custom_vjp: str = "all"
    """The derivatives through `custom_vjp`: ``"all"`` (forward mode transposes the rule), ``"reverse"``, or ``"none"``: refused, and
    so is `custom_jvp`."""
    remat: str = "all"
    """Where `remat` saves memory: ``"all"``, ``"outermost"`` (not in derivatives of derivatives, nor under `vmap`), or ``"arguments"``
    (not where the function closes over what is differentiated, nor under `vmap`)."""
