"""The ``device`` argument: a TensorFlow device string, or None for TensorFlow's own choice."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import tensorflow as tf

from multimlp.errors import DeviceError


def devices() -> list[str]:
    """The names of the logical devices of this process, as ``x.device`` spells them."""
    return ["/job:localhost/replica:0/task:0" + d.name for d in tf.config.list_logical_devices()]


def on(device: str | None) -> AbstractContextManager[Any]:
    """A context in which operations are placed on ``device``; inside a graph a tensor's device is ``""``, which is no wish."""
    if not device:
        return nullcontext()
    try:
        wanted = tf.DeviceSpec.from_string(device)
    except ValueError:
        raise DeviceError(
            f"device must be a TensorFlow device string such as 'CPU:0', got {device!r}"
        ) from None
    kind, index = wanted.device_type, wanted.device_index
    have = [tf.DeviceSpec.from_string(name) for name in devices()]
    if not any(kind == d.device_type and index in (None, d.device_index) for d in have):
        raise DeviceError(f"TensorFlow has no device {device!r} here; it has {devices()}")
    return tf.device(device)
