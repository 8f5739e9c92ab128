"""The TensorFlow adapter: GradientTape, vectorized_map, and XLA through ``tf.function(jit_compile=True)``."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, NoReturn

import numpy as np
import tensorflow as tf

from multimlp import tape
from multimlp.backend import Array, Arrays, Backend, Capabilities, Function
from multimlp.backends import _dlpack
from multimlp.backends._host_draws import on_the_host
from multimlp.backends._numba import numba_kernels
from multimlp.backends.tensorflow import _rules
from multimlp.backends.tensorflow import namespace as xp
from multimlp.backends.tensorflow._activations import kernels as activations
from multimlp.backends.tensorflow._explain import explain
from multimlp.backends.tensorflow._losses import kernels as losses
from multimlp.backends.tensorflow._program import Program
from multimlp.backends.tensorflow._slopes import with_slopes
from multimlp.backends.tensorflow._tracing import (
    NeedsLoop,
    for_vmap,
    for_xla,
    is_for_vmap,
    is_for_xla,
    is_recorded_in_vmap,
    recorded,
)
from multimlp.distributed import Communicator, Workers
from multimlp.errors import MultimlpError

_TRACED_BY_DESIGN = ("pfor", "TensorFlowBackend.compile.", "Collectives.")


def _is_no_advice_on_ours(record: logging.LogRecord) -> bool:
    """TensorFlow counts the tracings of all functions of one definition together and warns when they are many. But each program that is
    compiled here is another function, traced once for each kind of arrays; and its own `vectorized_map`, outside a `tf.function`,
    makes a new function at each call."""
    text = record.getMessage()
    return not ("triggered tf.function retracing" in text and any(name in text for name in _TRACED_BY_DESIGN))


logging.getLogger("tensorflow").addFilter(_is_no_advice_on_ours)


def _leave_to_answer(x: tape.Wrapped, dtype: Any = None, name: Any = None, as_ref: bool = False) -> NoReturn:
    """So that ``tensor * traced`` comes to the operator of the traced array."""
    raise TypeError(f"{type(x).__name__}: an array that derivatives are computed of becomes no tf.Tensor")


tf.register_tensor_conversion_function(tape.Wrapped, _leave_to_answer)


_UNROLLED = 256
"""Steps of a scan whose derivatives are vectorised: TensorFlow has no rule for those of a loop, so that it is written out."""


@contextlib.contextmanager
def _unlogged() -> Iterator[None]:
    """Without what TensorFlow logs of an operation that it cannot vectorise, before it raises."""
    logger = logging.getLogger("tensorflow")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)


class TensorFlowBackend(Backend):
    """Adapter for `tf.Tensor`, eager and symbolic."""

    name = "tensorflow"
    xp = xp
    module = "tensorflow"
    capabilities = Capabilities(
        autodiff="native",
        forward_mode="double-vjp",
        vmap="native",
        compilers=("xla", "graph"),
        scan="native",
        epoch="compiled",
        dtypes=("float64", "float32", "bfloat16", "float16"),
        while_loop="uncompiled",
        remat="arguments",
    )

    def __init__(self) -> None:
        self.kernels = {
            "by_elements": _by_elements,
            "erf": _erf,
            **losses(),
            **activations(),
        }

    def is_array_type(self, cls: type) -> bool:
        return issubclass(cls, tf.Tensor)

    # ---- arrays, dtypes, devices

    def dtype(self, name: str) -> Any:
        return tf.as_dtype(name)

    def dtype_name(self, dtype: Any) -> str:
        return tf.as_dtype(dtype).name

    def asarray(self, x: Any, *, dtype: str | None = None, device: str | None = None) -> Array:
        wanted = None if dtype is None else tf.as_dtype(dtype)
        with tf.device(_native(device)):
            if isinstance(x, (tf.Tensor, tf.Variable)):
                x = tf.convert_to_tensor(x)
                x = x if device is None else tf.identity(x)
                return x if wanted in (None, x.dtype) else tf.cast(x, wanted)
            host = np.asarray(x, dtype=None if wanted is None else wanted.as_numpy_dtype)
            return tf.constant(host)

    def share(self, x: Array) -> Array | None:
        return _dlpack.share(xp.from_dlpack, x)

    def to_numpy(self, x: Array) -> np.ndarray:
        try:
            return np.asarray(memoryview(x))  # numpy() copies
        except (TypeError, ValueError):  # of a variable, or of a dtype that buffers do not know
            host = x.numpy()
        return host.astype(np.float32) if host.dtype.name == "bfloat16" else host

    def compiled_kernels(self, dtype: str, device: str | None) -> Any | str:
        return numba_kernels(dtype, device or self.device_name(self.asarray(0.0)))

    def devices(self) -> tuple[str, ...]:
        gpus = tf.config.list_logical_devices("GPU")
        return ("cpu", *(f"cuda:{i}" for i in range(len(gpus))))

    def device_name(self, x: Array) -> str:
        place = tf.DeviceSpec.from_string(x.device) if x.device else None
        if place is None or place.device_type in (None, "CPU"):
            return "cpu"
        return f"cuda:{place.device_index or 0}"

    def synchronize(self, *arrays: Array) -> None:
        if len(self.devices()) > 1:
            tf.test.experimental.sync_devices()

    def framework_functions(self) -> dict[str, Callable[[Array], Array]]:
        return {
            "relu": tf.nn.relu,
            "relu by maximum": lambda x: tf.maximum(x, tf.zeros_like(x)),
            "abs": tf.abs,
            "hard_tanh": lambda x: tf.clip_by_value(x, -1, 1),
            "leaky_relu": tf.nn.leaky_relu,
            "elu": tf.nn.elu,
            "selu": tf.nn.selu,
            "gelu": tf.nn.gelu,
            "softplus": tf.nn.softplus,
        }

    # ---- more than one process

    def communicator(
        self, others: Communicator | None, device: str | None, timeout: float
    ) -> Communicator | None:
        from multimlp.backends.tensorflow._communicator import communicator

        return communicator(others, device, timeout)

    def workers(self, communicator: Communicator, devices: Any) -> Workers | None:
        from multimlp.backends.tensorflow._collectives import Collectives

        if communicator.size == 1:
            return Collectives()
        collectives: Any = getattr(communicator, "collectives", None)
        return None if collectives is None else collectives()

    # ---- transforms

    def value_and_grad(
        self, function: Callable[[Arrays], tuple[Array, Arrays]]
    ) -> Callable[[Arrays], tuple[Array, Arrays, Arrays]]:
        def value_and_grad(arrays: Arrays) -> tuple[Array, Arrays, Arrays]:
            arrays = _own(arrays)
            with recorded(), tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(arrays)
                value, auxiliary = function(arrays)
            return value, auxiliary, _gradient(tape, value, arrays)

        return value_and_grad

    def explain(self, error: Exception) -> MultimlpError | None:
        return explain(error) or super().explain(error)

    def vjp(self, function: Function, arrays: Arrays) -> tuple[Arrays, Callable[[Arrays], Arrays]]:
        # Persistent: the pullback may be called more than once (and is, under vmap, by jacobian).
        arrays = _own(arrays)
        with recorded(), tf.GradientTape(persistent=True, watch_accessed_variables=False) as tape:
            tape.watch(arrays)
            outputs = function(arrays)

        def pullback(cotangents: Arrays) -> Arrays:
            kept = [(o, c) for o, c in zip(outputs, cotangents, strict=True) if o.dtype.is_floating]
            return _gradient(tape, [o for o, _ in kept], arrays, [c for _, c in kept])

        return outputs, pullback

    # jvp stays the contract's, by two reverse passes: `tf.autodiff.ForwardAccumulator` is wrong, or fails, where accumulators
    # nest under a tape.

    def vmap(self, function: Function) -> Function:
        def mapped(arrays: Arrays) -> Arrays:
            seen = not tf.executing_eagerly() or _rules.is_followed(arrays)
            raised: list[Exception] = []  # TensorFlow gives them another type on their way
            unconverted = tf.autograph.experimental.do_not_convert

            def row(arrays: list[Array]) -> Arrays:
                try:
                    return function(tuple(arrays))
                except Exception as error:
                    raised.append(error)
                    raise

            try:
                with _unlogged(), for_vmap(seen):
                    return tuple(tf.vectorized_map(unconverted(row), tuple(arrays)))
            except NeedsLoop:
                pass
            except Exception as error:
                if raised:
                    raise raised[0] from None
                # What it says of operations that it cannot vectorise, and of the lists that loops keep for their derivatives.
                if not any(word in str(error) for word in ("pfor", "variant")):
                    raise
            return _rules.by_rows(function, arrays)

        return mapped

    def compile(self, function: Function, compiler: str | None = None) -> Function:
        super().compile(function, compiler)
        if compiler == "none":
            return function

        def traced(*arrays: Array) -> Arrays:
            with contextlib.nullcontext() if compiler == "graph" else for_xla():
                return function(arrays)

        return Program(
            tf.function(traced, jit_compile=compiler != "graph", autograph=False, reduce_retracing=False)
        )

    def scan(
        self,
        function: Callable[[Arrays, Arrays], tuple[Arrays, Arrays]],
        carry: Arrays,
        xs: Arrays,
        length: int,
        collect: bool = True,
    ) -> tuple[Arrays, Arrays]:
        if length <= _UNROLLED and is_recorded_in_vmap():
            return super().scan(function, carry, xs, length, collect)
        buffers: tuple[Any, ...] = ()
        carry, start = tuple(carry), 0
        if collect and length:
            # The first step runs outside the loop: it tells the shapes and dtypes of the rows that the loop collects.
            carry, first = function(carry, tuple(x[0] for x in xs))
            make: Any = _rows if is_for_xla() and is_for_vmap() else tf.TensorArray
            buffers = tuple(
                make(row.dtype, size=length, element_shape=row.shape).write(0, row) for row in first
            )
            start = 1

        def body(i: Array, carry: Arrays, buffers: Any) -> tuple[Array, Arrays, Any]:
            carry, rows = function(tuple(carry), tuple(x[i] for x in xs))
            return (
                i + 1,
                tuple(carry),
                tuple(b.write(i, row) for b, row in zip(buffers, rows, strict=collect)),
            )

        _, carry, buffers = tf.while_loop(
            lambda i, *_: i < length, body, (tf.constant(start), carry, buffers), maximum_iterations=length
        )
        return tuple(carry), tuple(buffer.stack() for buffer in buffers)

    def while_loop(
        self, condition: Callable[[Arrays], Array], body: Callable[[Arrays], Arrays], carry: Arrays
    ) -> Arrays:
        return tuple(tf.while_loop(lambda *c: condition(c), lambda *c: tuple(body(c)), tuple(carry)))

    def cond(self, condition: Array, when_true: Function, when_false: Function, arrays: Arrays) -> Arrays:
        if is_for_vmap():  # which has no rule for it where rows differ
            # The branch that is not taken gets constants: its slopes, infinite or NaN, times zero would be NaN.
            constants = tuple(map(tf.stop_gradient, arrays))
            first = when_true(_chosen(condition, arrays, constants))
            return _chosen(condition, first, when_false(_chosen(condition, constants, arrays)))
        return tuple(tf.cond(condition, lambda: tuple(when_true(arrays)), lambda: tuple(when_false(arrays))))

    def custom_vjp(
        self,
        function: Function,
        forward: Callable[[Arrays], tuple[Arrays, Arrays]],
        backward: Callable[[Arrays, Arrays], Arrays],
        arrays: Arrays,
    ) -> Arrays:
        return _rules.custom_vjp(function, forward, backward, arrays)

    def custom_jvp(
        self, function: Function, rule: Callable[[Arrays, Arrays], tuple[Arrays, Arrays]], arrays: Arrays
    ) -> Arrays:
        return _rules.custom_jvp(function, rule, arrays)

    def checkpoint(self, function: Function, arrays: Arrays) -> Arrays:
        return _rules.checkpoint(function, arrays)

    def jacobian_products(self, function: Function, arrays: Arrays) -> tuple[Arrays, Function]:
        return self.linearize(function, arrays)

    def stop_gradient(self, x: Array) -> Array:
        return tape.stop_gradient(x, tf.stop_gradient)

    def with_slopes(self, value: Array, slopes: Callable[..., Arrays], parameters: Arrays) -> Array:
        return tape.with_slopes(value, slopes, parameters, self, with_slopes)


_on_the_host = on_the_host(lambda x: x.numpy(), tf.constant)


def _by_elements(key: Array, *parameters: Array | None, **options: Any) -> Any:
    """NumPy's numbers where nothing is compiled or vectorised."""
    if not tf.executing_eagerly() or any(
        x is not None and not hasattr(x, "numpy") for x in (key, *parameters)
    ):
        return NotImplemented
    if "CPU" not in key.device:
        return NotImplemented
    return _on_the_host(key, *parameters, **options)


class _Rows(NamedTuple):
    """What a `tf.TensorArray` does, in one tensor: XLA has no list of the tensors that vectorising makes of its items."""

    rows: Array

    def write(self, i: Any, row: Array) -> _Rows:
        return _Rows(tf.tensor_scatter_nd_update(self.rows, [[i]], row[tf.newaxis]))

    def stack(self) -> Array:
        return self.rows


def _rows(dtype: Any, size: int, element_shape: Any) -> _Rows:
    return _Rows(tf.zeros((size, *element_shape), dtype))


def _erf(x: Array) -> Array:
    """``tf.math.erf``, which is NaN at infinity; at 30 its derivative, too, is zero in every format."""
    bound = tf.constant(30.0, x.dtype)
    return tf.math.erf(tf.where(x > bound, bound, tf.where(x < -bound, -bound, x)))


def _chosen(condition: Array, first: Arrays, second: Arrays) -> Arrays:
    return tuple([tf.where(condition, a, b) for a, b in zip(first, second, strict=True)])


def _own(arrays: Arrays) -> Arrays:
    """Tensors of this call's own: a tape watches tensors by identity, so one that is given twice, or that an outer derivative
    watches too, would otherwise be taken for the other."""
    return tuple([tf.raw_ops.Identity(input=a) for a in arrays])  # half the time of tf.identity


def _gradient(tape: Any, target: Any, sources: Arrays, cotangents: Any = None) -> Arrays:
    if cotangents is not None and not target:
        return tuple(tf.zeros_like(s) for s in sources)
    if len(sources) == 1:  # no list that TensorFlow would take apart and put together
        gradients = [tape.gradient(target, sources[0], cotangents)]
    else:
        gradients = tape.gradient(target, list(sources), cotangents)
    return tuple([_dense(g, s) for g, s in zip(gradients, sources, strict=True)])


def _dense(gradient: Any, source: Array) -> Array:
    """Gathers give `tf.IndexedSlices`, and what the target does not depend on None."""
    if isinstance(gradient, tf.Tensor):
        return gradient
    return tf.zeros_like(source) if gradient is None else tf.convert_to_tensor(gradient)


def _native(device: str | None) -> str | None:
    if device is None:
        return None
    kind, _, index = device.partition(":")
    return "/CPU:0" if kind == "cpu" else f"/GPU:{index or 0}"
