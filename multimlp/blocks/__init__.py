"""Building blocks of models beyond the plain `multimlp.MLP`, and `chain`, which makes a model of them.

A block is a value: what it is made of, its widths, no arrays. It is portable, written on the array API standard alone, so that it runs,
differentiates and trains on every backend with the same numbers.

Examples
--------
>>> import multimlp as mm
>>> from multimlp import blocks
>>> model = mm.chain(blocks.dense(8, "relu", in_features=4), blocks.layer_norm(), blocks.dense(3))
>>> params = model.init(seed=0)
"""

from multimlp.blocks._batch_ensemble import batch_ensemble, heads, replicate
from multimlp.blocks._block import BLOCKS, Block, Parameter, block
from multimlp.blocks._categories import embedding, one_hot
from multimlp.blocks._chain import Chain, chain
from multimlp.blocks._choosing import as_block, get
from multimlp.blocks._combinations import concat, residual, select
from multimlp.blocks._dense import Dense, dense, weight_norm_dense
from multimlp.blocks._draws import Draws
from multimlp.blocks._dropout import dropout
from multimlp.blocks._fourier import fourier
from multimlp.blocks._normalization import layer_norm, rms_norm, standardize
from multimlp.blocks._periodic import periodic
from multimlp.blocks._piecewise import piecewise_linear, quantile_edges
from multimlp.blocks._pointwise import activation, mixed_activation, multiply, scale, smooth_clip

__all__ = [
    "BLOCKS",
    "Block",
    "Chain",
    "Dense",
    "Draws",
    "Parameter",
    "activation",
    "as_block",
    "batch_ensemble",
    "block",
    "chain",
    "concat",
    "dense",
    "dropout",
    "embedding",
    "fourier",
    "get",
    "heads",
    "layer_norm",
    "mixed_activation",
    "multiply",
    "names",
    "one_hot",
    "periodic",
    "piecewise_linear",
    "quantile_edges",
    "replicate",
    "residual",
    "rms_norm",
    "scale",
    "select",
    "smooth_clip",
    "standardize",
    "weight_norm_dense",
]


def names() -> tuple[str, ...]:
    """The names of the blocks.

    Returns
    -------
    tuple of str

    Examples
    --------
    >>> from multimlp import blocks
    >>> "layer_norm" in blocks.names()
    True
    """
    return BLOCKS.names()
