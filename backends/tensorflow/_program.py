"""What ``tf.function`` has made, called in half of the time."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from multimlp.backend import Arrays

_EAGER = tf.__internal__.EagerTensor  # from a tensor of one's own nothing could be set up afterwards


class Program:
    """A ``tf.function`` of some tensors, as a function of a tuple of them.

    At each call TensorFlow works out anew which of its graphs is meant. Here that is looked up by shapes and dtypes, which is all that
    it can depend on where the tensors are eager ones and there is no device but the CPU.
    """

    def __init__(self, function: Any) -> None:
        self._function = function
        self._graphs: dict[Any, Any] = {}

    def __call__(self, arrays: Arrays) -> Arrays:
        key = []
        for array in arrays:
            if type(array) is not _EAGER:
                return self._called(arrays)
            key.append((array.shape, array.dtype))
        graph = self._graphs.get(tuple(key))
        if graph is None or not tf.executing_eagerly() or tf.config.functions_run_eagerly():
            return self._called(arrays)
        results: Arrays = graph(*arrays)
        return results

    def _called(self, arrays: Arrays) -> Arrays:
        results: Arrays = self._function(*arrays)
        if tf.executing_eagerly() and not tf.config.list_logical_devices("GPU"):
            self._graphs[tuple([(a.shape, a.dtype) for a in arrays])] = self._function.get_concrete_function(
                *arrays
            )
        return results
