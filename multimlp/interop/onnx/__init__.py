"""ONNX: export and import of MLPs.

What is written: opset 20, or another from 13 on, one ``Gemm`` a layer with weights (in, out), inputs ``X`` of shape
(N, in), outputs ``Y``. What is read: a chain of ``Gemm`` or ``MatMul`` and ``Add``, activations,
``Identity``, ``Dropout``, from opset 7 on. Weights are equal to the bit. Any other function of arrays becomes a graph by `record`.
"""

from multimlp.errors import missing_dependency

try:
    import onnx  # noqa: F401 - the modules below need it
except ImportError:
    raise missing_dependency("onnx", "multimlp.interop.onnx", "onnx") from None

from multimlp.interop.onnx._operators import supported_activations
from multimlp.interop.onnx._reading import from_onnx
from multimlp.interop.onnx._recording import RECORDING_OPSET, Input, held, lookup, record
from multimlp.interop.onnx._tables import encode_table, table_inputs
from multimlp.interop.onnx._writing import OLDEST_OPSET, OPSET, to_onnx

__all__ = [
    "OLDEST_OPSET",
    "OPSET",
    "RECORDING_OPSET",
    "Input",
    "encode_table",
    "from_onnx",
    "held",
    "lookup",
    "record",
    "supported_activations",
    "table_inputs",
    "to_onnx",
]
