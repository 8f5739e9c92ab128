"""What the structure of a network says about the function it computes, and the other way round.

`collapse` turns a network of affine maps into one; `to_sigmoid` and `to_tanh` write the same function with
the other sigmoidal unit; `linear_regions` finds where a piecewise linear network bends; `gradient_flow`
shows how much of the gradient reaches each layer; `summary` is the table of layers.
"""

from multimlp.mlp import summary
from multimlp.structure._collapse import collapse
from multimlp.structure._gradient_flow import GradientFlow, RecordGradientFlow, gradient_flow
from multimlp.structure._line import LineRegions
from multimlp.structure._pieces import PIECEWISE_LINEAR
from multimlp.structure._plane import PlaneRegions
from multimlp.structure._regions import linear_regions
from multimlp.structure._sigmoidal import to_sigmoid, to_tanh

__all__ = [
    "PIECEWISE_LINEAR",
    "GradientFlow",
    "LineRegions",
    "PlaneRegions",
    "RecordGradientFlow",
    "collapse",
    "gradient_flow",
    "linear_regions",
    "summary",
    "to_sigmoid",
    "to_tanh",
]
