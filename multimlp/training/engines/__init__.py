"""Training engines: how `fit` turns data into updates. See `multimlp.training.engines.base` for the protocol."""

from __future__ import annotations

from multimlp.errors import CapabilityError
from multimlp.training.engines import full_batch, mixed
from multimlp.training.engines.base import Chunk, ChunkResult, Engine, Problem
from multimlp.training.engines.group import GroupEngine, ScaledGroupEngine
from multimlp.training.engines.mixed import master_dtype
from multimlp.training.engines.own import first_state
from multimlp.training.engines.placed import PlacedEngine
from multimlp.training.engines.portable import PortableEngine
from multimlp.training.engines.spread import ScaledSpreadEngine, SpreadEngine
from multimlp.training.engines.sums import check_threads
from multimlp.tree import Tree

__all__ = ["Chunk", "ChunkResult", "Engine", "Problem", "choose", "initial_state", "master_dtype"]


def initial_state(problem: Problem, params: Tree) -> Tree:
    """The optimiser's state before the first step, as the problem's engine keeps it."""
    return first_state(mixed.prepared(problem), params)


def choose(problem: Problem, params: Tree, optimizer_state: Tree | None = None) -> tuple[Engine, str]:
    """The engine for a problem, and one sentence that says why it is this one.

    Parameters
    ----------
    problem : Problem
    params : tree of arrays
        In `master_dtype` of the problem's.
    optimizer_state : tree, optional
        To go on from; else as `initial_state` makes it.

    Raises
    ------
    CapabilityError
        If Numba was asked for and cannot train this, or the backend cannot train at all; the message says why.
    """
    if problem.backend.capabilities.epoch == "none":
        raise CapabilityError(
            f"fit: the {problem.backend.name} backend does not train (`multimlp.get_backend({problem.backend.name!r}).capabilities`); "
            "take another one, e.g. backend='numpy', and convert the parameters: multimlp.convert(params, backend=...)"
        )
    if problem.compiler == "numba":
        return _forced(problem, params, optimizer_state), "compile='numba' was asked for"
    problem = mixed.prepared(problem)
    check_threads(problem)
    if full_batch.covers(problem.optimizer):
        why = f"{problem.optimizer.name} needs the loss of all data as a function"
        whole = _in_place(problem, params, optimizer_state)
        if not isinstance(whole, str):
            return whole[0], f"{why}, and {whole[1]}"
        return full_batch.build(problem, params, optimizer_state), f"{why}; {whole}"
    if mixed.is_scaled(problem):
        scaled, how = _summing(problem, scaled=True)
        return scaled(problem, params, optimizer_state), f"float16 needs a loss scale{how}"
    found = _in_place(problem, params, optimizer_state)
    if not isinstance(found, str):
        return found
    engine, how = _summing(problem)
    return engine(problem, params, optimizer_state), found + how


def _summing(problem: Problem, scaled: bool = False) -> tuple[type[PortableEngine], str]:
    """The kind of portable engine, and where it sums gradients."""
    group = problem.group
    if problem.placement is not None:
        return PlacedEngine, f"; {problem.placement.reason}"
    if group is None:
        return mixed.ScaledEngine if scaled else PortableEngine, ""
    if group.workers is not None:
        return ScaledSpreadEngine if scaled else SpreadEngine, f"; {group.workers.reason}"
    carrier = "" if group.size == 1 else f" by {group.communicator.name}"
    return ScaledGroupEngine if scaled else GroupEngine, f", and a group sums between two programs{carrier}"


def _in_place(problem: Problem, params: Tree, optimizer_state: Tree | None) -> tuple[Engine, str] | str:
    """An engine without automatic differentiation, on preallocated buffers, or why there is none."""
    if problem.compiler is not None:
        return f"compiler={problem.compiler!r} was asked for"
    from multimlp.training.engines import inplace, tables

    epoch, name = problem.backend.capabilities.epoch, problem.backend.name
    if full_batch.covers(problem.optimizer):
        if epoch != "inplace":
            return f"the {name} backend {'compiles it' if epoch == 'compiled' else 'trains step by step'}"
        whole = inplace.build_full_batch(problem, params, optimizer_state)
        return whole if isinstance(whole, str) else (whole, "every layer and the loss have an in-place rule")
    alone = problem.group is None and problem.placement is None
    reason = tables.not_worth(problem, params) if alone else "its tables know one process and one device"
    compiled = tables.build(problem, params, optimizer_state) if reason is None else reason
    if not isinstance(compiled, str):
        return compiled, "every layer, loss and optimiser can be compiled"
    if epoch != "inplace":
        how = "compiles whole epochs" if epoch == "compiled" else "trains step by step"
        return f"the {name} backend {how}; not Numba: {compiled}"
    built = inplace.build(problem, params, optimizer_state)
    if isinstance(built, str):
        return built
    return built, f"every layer, loss and optimiser has an in-place rule; not Numba: {compiled}"


def _forced(problem: Problem, params: Tree, optimizer_state: Tree | None) -> Engine:
    from multimlp.training.engines import tables

    if problem.group is not None or problem.placement is not None:
        raise CapabilityError(
            "compile: 'numba' makes the steps of one process on one device; leave it out, or devices= and shards="
        )
    built = tables.build(problem, params, optimizer_state)
    if isinstance(built, str):
        raise CapabilityError(f"compile: 'numba' cannot train this: {built}")
    return built
