"""JAX: its transforms are the model for ours. The x64 switch is scoped: on while float64 arrays are at work, never globally."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from multimlp import tape
from multimlp.backend import Array, Arrays, Backend, Capabilities, Function
from multimlp.backends import _dlpack
from multimlp.backends._numba import numba_kernels
from multimlp.backends.jax import _rules, namespace
from multimlp.backends.jax._rules import ordinary as _ordinary
from multimlp.backends.jax._slopes import with_closed_slope
from multimlp.backends.jax._wide import NARROWER, WIDE, switch_is_on
from multimlp.distributed import Communicator, Placement, Workers
from multimlp.errors import MultimlpError, shape_unknown, value_taken

_NO_SCOPE: contextlib.AbstractContextManager[None] = contextlib.nullcontext()


class JaxBackend(Backend):
    """Adapter for `jax.Array`, tracers included."""

    name = "jax"
    xp = namespace
    module = "jax"
    capabilities = Capabilities(
        autodiff="native",
        forward_mode="native",
        vmap="native",
        compilers=("xla",),
        scan="native",
        epoch="compiled",
        dtypes=("float64", "float32", "bfloat16", "float16"),
        while_loop="forward",
        custom_vjp="reverse",
    )

    def __init__(self) -> None:
        self.kernels = {
            "erf": jax.scipy.special.erf,
            "erfc": jax.scipy.special.erfc,
        }

    def is_array_type(self, cls: type) -> bool:
        return issubclass(cls, (jax.Array, jax.core.Tracer))

    def compile_operation(self, portable: Callable[..., Any], arrays: int) -> Callable[..., Any]:
        """Compiled, as the functions of `jax.nn` are: one call of the device in place of one for each step."""
        definition = with_closed_slope(portable)
        plain = jax.jit(definition)  # options, though none are given, would take a microsecond

        @functools.partial(jax.jit, static_argnums=(0, 1))
        def compiled(positional: tuple[Any, ...], named: tuple[tuple[str, Any], ...], *given: Array) -> Any:
            return definition(*given, *positional, **dict(named))

        def run(*args: Any, **options: Any) -> Any:
            scope = self.scope_of(*args)
            if scope is _NO_SCOPE and len(args) == arrays and not options:
                return plain(*args)
            positional, named = args[arrays:], tuple(options.items())
            with scope:
                try:
                    hash((positional, named))
                except TypeError:  # an option is an array, or a list
                    return definition(*args, **options)
                return compiled(positional, named, *args[:arrays])

        return functools.wraps(portable)(run)

    def scope_of(self, *arrays: Array) -> contextlib.AbstractContextManager[None]:
        """x64 where an array is 64 bits wide, so that JAX does not narrow it in silence."""
        for a in arrays:
            if getattr(a, "dtype", None) in WIDE:
                return _NO_SCOPE if switch_is_on() else jax.enable_x64(True)
        return _NO_SCOPE

    @contextlib.contextmanager
    def scope(self, dtype: str | None = None) -> Iterator[None]:
        if dtype == "float64" and not switch_is_on():
            with jax.enable_x64(True):
                yield
        else:
            yield

    # ---- arrays, dtypes, devices

    def dtype(self, name: str) -> Any:
        return jnp.dtype(name)

    def dtype_name(self, dtype: Any) -> str:
        return jnp.dtype(dtype).name

    def asarray(self, x: Any, *, dtype: str | None = None, device: str | None = None) -> Array:
        wanted = None if dtype is None else jnp.dtype(dtype)
        if not isinstance(x, (jax.Array, jax.core.Tracer)):
            x = np.asarray(x, dtype=wanted)
        place = None if device is None else _device(device)
        with self.scope("float64" if x.dtype in WIDE or wanted in WIDE else None):
            if isinstance(x, np.ndarray):
                return jax.device_put(x, place)  # a quarter of the time of jnp.asarray
            return jnp.asarray(x, dtype=wanted, device=place)

    def narrowing(self, dtype: str) -> tuple[str, str] | None:
        """While the switch is off, ``x + 1`` of a float64 array is float32, without a word."""
        if switch_is_on() or dtype not in NARROWER:
            return None
        return NARROWER[dtype], (
            f'To keep 64 bits give dtype="{dtype}" (operators such as x + 1 still narrow it: use mm.array_namespace(x)), '
            'or switch them on everywhere: jax.config.update("jax_enable_x64", True)'
        )

    def share(self, x: Array) -> Array | None:
        with jax.enable_x64(True):  # an array of 64 bits would be narrowed on the way
            return _dlpack.share(jnp.from_dlpack, x)

    def to_numpy(self, x: Array) -> np.ndarray:
        host = np.asarray(x)
        return host.astype(np.float32) if host.dtype.name == "bfloat16" else host

    def compiled_kernels(self, dtype: str, device: str | None) -> Any | str:
        return numba_kernels(dtype, device or self.device_name(self.asarray(0.0)))

    def devices(self) -> tuple[str, ...]:
        here = tuple(_name(device) for device in jax.local_devices())
        return here if "cpu" in here else (*here, "cpu")

    def device_name(self, x: Array) -> str:
        return "cpu" if isinstance(x, jax.core.Tracer) else _name(next(iter(x.devices())))

    def resize_rows(self, x: Array, rows: int) -> Array:
        """On the host: every new size of a device operation is a compilation."""
        if isinstance(x, jax.core.Tracer):
            return super().resize_rows(x, rows)
        *lead, n, k = x.shape
        resized = np.asarray(x)[..., :rows, :]
        if rows > n:
            resized = np.zeros((*lead, rows, k), dtype=x.dtype)
            resized[..., :n, :] = x
        return jax.device_put(resized, x.sharding)

    def synchronize(self, *arrays: Array) -> None:
        jax.block_until_ready(arrays)

    def framework_functions(self) -> dict[str, Callable[[Array], Array]]:
        return {
            "relu": jax.nn.relu,
            "relu by maximum": lambda x: jnp.maximum(x, 0),
            "abs": jnp.abs,
            "hard_tanh": jax.nn.hard_tanh,
            "leaky_relu": jax.nn.leaky_relu,
            "elu": jax.nn.elu,
            "selu": jax.nn.selu,
            "gelu": jax.nn.gelu,
            "softplus": jax.nn.softplus,
        }

    # ---- more than one device

    def communicator(
        self, others: Communicator | None, device: str | None, timeout: float
    ) -> Communicator | None:
        from multimlp.backends.jax._communicator import communicator

        return communicator(others, device, timeout)

    def workers(self, communicator: Communicator, devices: Any) -> Workers | None:
        from multimlp.backends.jax._mesh import Mesh

        if communicator.size > 1:
            mesh: Any = getattr(communicator, "mesh", None)
            return None if mesh is None else mesh(devices == "all")
        found = self._local(devices)
        return Mesh(found, f"{len(found)} devices" if len(found) > 1 else "one device")

    def members_on(self, devices: Any, members: int) -> Placement | None:
        from multimlp.backends.jax._members import MemberMesh

        found = self._local(devices)
        return MemberMesh(found, members) if len(found) > 1 and members % len(found) == 0 else None

    def _local(self, wanted: Any) -> list[Any]:
        """Devices of this process: all of JAX's default kind, the first few of them, or those of these names."""
        if isinstance(wanted, tuple):
            return [_device(str(self.resolve_device(name))) for name in wanted]
        here = jax.local_devices()
        return here if wanted == "all" else here[:wanted]

    # ---- transforms

    def explain(self, error: Exception) -> MultimlpError | None:
        if isinstance(error, jax.errors.NonConcreteBooleanIndexError):
            return shape_unknown("x[mask]", self.name)
        if isinstance(error, jax.errors.TracerArrayConversionError):
            return value_taken("a NumPy function", self.name)
        if isinstance(error, (jax.errors.ConcretizationTypeError, jax.errors.TracerIntegerConversionError)):
            return value_taken("float(), int(), bool() or if", self.name)
        return _rules.explain(error) or super().explain(error)

    def value_and_grad(
        self, function: Callable[[Arrays], tuple[Array, Arrays]]
    ) -> Callable[[Arrays], tuple[Array, Arrays, Arrays]]:
        transformed = jax.value_and_grad(function, has_aux=True)

        def value_and_grad(arrays: Arrays) -> tuple[Array, Arrays, Arrays]:
            (value, auxiliary), gradients = transformed(arrays)
            return value, auxiliary, gradients

        return value_and_grad

    def vjp(self, function: Function, arrays: Arrays) -> tuple[Arrays, Callable[[Arrays], Arrays]]:
        return jax.vjp(lambda *xs: function(xs), *arrays)

    def jvp(self, function: Function, arrays: Arrays, tangents: Arrays) -> tuple[Arrays, Arrays]:
        outputs, derivatives = jax.jvp(lambda *xs: function(xs), tuple(arrays), tuple(tangents))
        return outputs, tuple(map(_ordinary, derivatives, outputs))

    def hessian_products(self, gradient: Function, arrays: Arrays) -> Callable[[Arrays], Arrays]:
        """Forward over reverse: XLA runs a Hessian of 100 columns five times as fast as reverse over reverse."""

        def products(tangents: Arrays) -> Arrays:
            try:
                return self.jvp(gradient, arrays, tangents)[1]
            except TypeError as error:
                if not _rules.has_no_jvp(error):
                    raise
                return self.vjp(gradient, arrays)[1](tuple(tangents))

        return products

    def vmap(self, function: Function) -> Function:
        return jax.vmap(function)

    def compile(self, function: Function, compiler: str | None = None) -> Function:
        super().compile(function, compiler)
        return function if compiler == "none" else jax.jit(function)

    def compile_in_place(self, function: Function, compiler: str | None = None, state: int = 0) -> Function:
        if compiler == "none":
            return self.compile(function, compiler)
        super().compile(function, compiler)
        program = jax.jit(lambda given, rest: function((*given, *rest)), donate_argnums=0)
        return lambda arrays: program(tuple(arrays[:state]), tuple(arrays[state:]))

    def protect(self, x: Array) -> Array:
        with self.scope_of(x):
            return jnp.array(x, copy=True)

    def program_input(self, x: np.ndarray, *, dtype: str, device: str | None = None) -> Any:
        # With the compiler off nothing makes arrays of JAX's of what it is given.
        if jax.config.jax_disable_jit:  # type: ignore[attr-defined]
            return self.asarray(x, dtype=dtype, device=device)
        return np.asarray(x, dtype=jnp.dtype(dtype))

    def scan(
        self,
        function: Callable[[Arrays, Arrays], tuple[Arrays, Arrays]],
        carry: Arrays,
        xs: Arrays,
        length: int,
        collect: bool = True,
    ) -> tuple[Arrays, Arrays]:
        return jax.lax.scan(function, tuple(carry), tuple(xs), length=length)

    def while_loop(
        self, condition: Callable[[Arrays], Array], body: Callable[[Arrays], Arrays], carry: Arrays
    ) -> Arrays:
        return jax.lax.while_loop(condition, body, tuple(carry))

    def cond(self, condition: Array, when_true: Function, when_false: Function, arrays: Arrays) -> Arrays:
        def branch(function: Function, taken: Array) -> Function:
            """Under `vmap` both are computed: the slopes of the other one, infinite or NaN, times zero would be NaN."""

            def guarded(x: Array) -> Array:
                smooth = jnp.issubdtype(x.dtype, jnp.inexact)
                return jnp.where(taken, x, jax.lax.stop_gradient(x)) if smooth else x

            return lambda xs: function(tuple(map(guarded, xs)))

        return jax.lax.cond(
            condition,
            branch(when_true, condition),
            branch(when_false, jnp.logical_not(condition)),
            tuple(arrays),
        )

    def checkpoint(self, function: Function, arrays: Arrays) -> Arrays:
        return jax.checkpoint(lambda *xs: function(xs))(*arrays)

    def jacobian_products(self, function: Function, arrays: Arrays) -> tuple[Arrays, Function]:
        return self.linearize(function, arrays)

    def linearize(self, function: Function, arrays: Arrays) -> tuple[Arrays, Function]:
        outputs, push = jax.linearize(lambda *xs: function(xs), *arrays)
        return outputs, lambda tangents: tuple(map(_ordinary, push(*tangents), outputs))

    custom_vjp = _rules.custom_vjp
    custom_jvp = _rules.custom_jvp

    def stop_gradient(self, x: Array) -> Array:
        return tape.stop_gradient(x, jax.lax.stop_gradient)

    def with_slopes(self, value: Array, slopes: Callable[..., Arrays], parameters: Arrays) -> Array:
        return tape.with_slopes(value, slopes, parameters, self, self._with_own_slopes)

    def _with_own_slopes(self, value: Array, slopes: Callable[..., Arrays], parameters: Arrays) -> Array:
        @jax.custom_jvp
        def known(value: Array, *parameters: Array) -> Array:
            return value

        @known.defjvp
        def _(primals: Arrays, tangents: Arrays) -> tuple[Array, Array]:
            value = known(*primals)
            with self.scope_of(value):
                terms = map(jnp.multiply, slopes(value, *primals[1:]), tangents[1:])
                return value, functools.reduce(jnp.add, terms)

        return known(jax.lax.stop_gradient(value), *parameters)


@functools.cache
def _name(device: Any) -> str:
    """``cpu``, ``cpu:1``, ``cuda:0``: numbered within the process, whatever JAX calls a device of one among many."""
    number = [d.id for d in jax.local_devices(backend=device.platform)].index(device.id)
    if device.platform == "cpu":
        return f"cpu:{number}" if number else "cpu"
    return f"{'cuda' if device.platform == 'gpu' else device.platform}:{number}"


def _device(name: str) -> Any:
    for platform in (None, "cpu"):
        for device in jax.local_devices(backend=platform):
            if _name(device) == name:
                return device
    raise ValueError(name)
