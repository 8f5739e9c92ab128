"""TensorFlow's errors about symbolic tensors, and XLA's about operations that it lacks, in words that say what to do."""

from __future__ import annotations

import re

import tensorflow as tf

from multimlp.errors import CapabilityError, MultimlpError, value_taken

_LACKING = re.compile(
    r"unsupported operations|No registered '(\w+)' OpKernel|not compilable|must be a compile-time constant"
)
_OPERATIONS = re.compile(r"(?:unsupported operations.*?: |No registered ')(\w+)", re.DOTALL)


def explain(error: Exception) -> MultimlpError | None:
    """The error in our words, or None if it is about something else."""
    text = str(error)
    if isinstance(error, tf.errors.OperatorNotAllowedInGraphError):
        return value_taken("bool(), if or a loop over an array", "tensorflow")
    if isinstance(error, NotImplementedError) and "to a numpy array" in text:
        return value_taken("a NumPy function", "tensorflow")
    if isinstance(error, TypeError) and "SymbolicTensor" in text:
        return value_taken("float(), int() or range()", "tensorflow")
    if isinstance(error, tf.errors.OpError) and "Set the max number of elements" in text:
        return CapabilityError(
            "tensorflow: compiled by XLA, reverse mode does not go through while_loop, nor through fori_loop between array bounds: "
            "how many steps there are is unknown. Use scan, or fori_loop between Python integers; or jit(f, compiler='graph')"
        )
    if isinstance(error, tf.errors.OpError) and "TensorList crossing the XLA/TF boundary" in text:
        return CapabilityError(
            "tensorflow: a loop that XLA compiled cannot be differentiated from outside of the compiled function: compile the gradient, "
            "jit(grad(f)), or jit(f, compiler='graph')"
        )
    if isinstance(error, tf.errors.OpError) and _LACKING.search(text):
        found = _OPERATIONS.search(text)
        name = f"the operation {found[1]!r}" if found else "an operation of the function"
        return CapabilityError(
            f"{name} cannot be compiled by XLA on the tensorflow backend. Call it outside of the compiled function, or compile by "
            "jit(f, compiler='graph'); jit(f, compiler='none') runs f as it is"
        )
    return None
