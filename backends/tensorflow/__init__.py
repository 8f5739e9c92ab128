"""TensorFlow: a namespace of its own (array-api-compat has none) and an adapter over GradientTape and XLA."""

from multimlp.backends.tensorflow._quiet import quiet_stderr

with quiet_stderr():
    from multimlp.backends.tensorflow.adapter import TensorFlowBackend

__all__ = ["TensorFlowBackend"]
