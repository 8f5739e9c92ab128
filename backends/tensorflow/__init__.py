"""TensorFlow: a namespace of its own (array-api-compat has none) and an adapter over GradientTape and XLA."""

from multimlp.backends.quiet import quiet_tensorflow

with quiet_tensorflow():
    import tensorflow as _tensorflow

    from multimlp.backends.tensorflow.adapter import TensorFlowBackend

    _tensorflow.config.list_physical_devices()  # looks for GPUs, and complains as of an error where there are none

__all__ = ["TensorFlowBackend"]
