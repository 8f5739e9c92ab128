"""What selects one thing as a block."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from multimlp.activations import Activation
from multimlp.blocks._block import BLOCKS, Block
from multimlp.blocks._network import Network
from multimlp.blocks._pointwise import activation
from multimlp.errors.checks import refuse
from multimlp.mlp import MLP


def as_block(where: str, thing: Any) -> Block:
    """The block that is meant.

    Parameters
    ----------
    where : str
        The argument that it was given as, for the error.
    thing : Block, MLP, str, callable or mapping
        An activation by its name, a function of rows, or what ``to_spec`` of a block returned.

    Returns
    -------
    Block

    Raises
    ------
    InputError
        For anything else.

    Examples
    --------
    >>> from multimlp import blocks
    >>> blocks.as_block("inner", "gelu")
    activation(rule=<activation gelu>)
    """
    if isinstance(thing, Block):
        return thing
    if isinstance(thing, MLP):
        return Network(thing)
    if isinstance(thing, Mapping) and "options" in thing:
        made: Block = BLOCKS.make(thing)
        return made
    if callable(thing) and any(thing is BLOCKS.find(name) for name in BLOCKS.names()):
        raise refuse(where, "a block", thing, f"make one: {thing.__name__}(...)")
    if isinstance(thing, (str, Mapping, Activation)) or (callable(thing) and not isinstance(thing, type)):
        rule: Any = thing
        return activation(rule)
    raise refuse(
        where, "a block (multimlp.blocks), an MLP, the name of an activation, or a function of rows", thing
    )


@BLOCKS.reader
def get(thing: Any) -> Block:
    """The block that is meant.

    Parameters
    ----------
    thing : Block, MLP, str, callable or mapping
        As for `as_block`.

    Returns
    -------
    Block

    Raises
    ------
    InputError
        For anything else.

    Examples
    --------
    >>> from multimlp import blocks
    >>> blocks.get({"name": "multiply", "options": {"factor": 30.0}})
    multiply(factor=30.0)
    """
    return as_block("block", thing)
