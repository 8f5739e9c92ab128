"""ONNX: export and import of MLPs.

What is written: opset 20, or another from 13 on, one ``Gemm`` a layer with weights (in, out), inputs ``X`` of shape
(N, in), outputs ``Y``. What is read: a chain of ``Gemm`` or ``MatMul`` and ``Add``, activations,
``Identity``, ``Dropout``, from opset 7 on. Weights are equal to the bit.
"""

from multimlp.errors import missing_dependency

try:
    import onnx  # noqa: F401 - the modules below need it
except ImportError:
    raise missing_dependency("onnx", "multimlp.interop.onnx", "onnx") from None

from multimlp.interop.onnx._operators import supported_activations
from multimlp.interop.onnx._reading import from_onnx
from multimlp.interop.onnx._writing import OLDEST_OPSET, OPSET, to_onnx

__all__ = ["OLDEST_OPSET", "OPSET", "from_onnx", "supported_activations", "to_onnx"]
