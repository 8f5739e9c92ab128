"""Whether two models compute the same: outputs, gradients, and the first layer that differs, each model run by the library that
it belongs to.

`run` says what a library must bring: one function. `opened` finds the library of a model, `verifying` compares, `report` is what
comes out.
"""

from multimlp.interop._verify.report import Row, Verification, WorstInput
from multimlp.interop._verify.verifying import verify

__all__ = ["Row", "Verification", "WorstInput", "verify"]
