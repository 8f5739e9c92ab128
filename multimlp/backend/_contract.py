"""The adapter contract: what a library must offer so that portable code can run, differentiate, vectorise, compile and train on it.

Written for the author of an adapter. Two attributes are required, ``name`` and ``xp``; every method has a default that works on any
*eager* array-API namespace, because differentiation and ``vmap`` fall back on `multimlp.tape`, ``scan`` on a Python loop, and
``compile`` on nothing. An adapter overrides what its library does better.

Adapters never see trees: the portable transforms flatten them, so each function below takes and returns flat tuples of arrays.
The methods come in groups: arrays (values in and out, dtypes, devices), transforms (derivatives, vectorisation), programs
(compiling, loops, training in place), the settings that a library may need, and last what follows from these and is not overridden.
"""

from __future__ import annotations

import contextlib
import functools
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar, TypeAlias

import numpy as np

from multimlp import tape
from multimlp._lazy import lazy
from multimlp._typing import Array, Arrays, Namespace
from multimlp.backend._capabilities import Capabilities
from multimlp.backend._loops import Loops, stacked
from multimlp.backend._rules import OwnRules
from multimlp.distributed import Communicator, Placement, Workers
from multimlp.errors import CapabilityError, DeviceError, DTypeError, MultimlpError, value_taken
from multimlp.errors.checks import as_given
from multimlp.errors.close import did_you_mean

Function: TypeAlias = Callable[[Arrays], Arrays]
"""Arrays to arrays, as adapters see everything that they transform."""


_LARGE = 1 << 13
"""So many numbers in an array, and a second derivative of the tape is faster by forward over reverse mode than by reverse over reverse:
in two thirds of the time for 3 x 256 tanh and 64 rows, where with 3 x 16 it is 1.2 times as long."""

_NO_SCOPE: contextlib.AbstractContextManager[None] = contextlib.nullcontext()


class Backend(Loops, OwnRules):
    """An adapter. Subclass it, set ``name`` and ``xp``, override what your library does better.

    Attributes
    ----------
    name : str
        The name users select it by.
    xp : namespace
        An array-API namespace (2022.12 or later).
    kernels : mapping of str to callable
        The library's own functions by the name of the `multimlp.backend.Op` that they replace: ``"relu"``, or
        ``"package.module.function"`` for an operation of somebody else's. A kernel has the operation's signature, agrees with its
        portable body in value and derivative, and may return ``NotImplemented`` for arguments it does not cover. Users add their
        own with `multimlp.backend.Op.kernel`.
    functions : mapping of str to callable
        By the standard's name (``"sum"``), what does the same as the function of ``xp`` and is called faster: the tape calls it.
    capabilities : Capabilities
        What is printed and asked; must be true.
    scatter_add : callable or None
        ``scatter_add(target, index, values)``: ``target[index] += values`` in place, counting repeated indices, which the
        standard lacks; the target comes back.
    follows_numpy : bool
        Whether operators of its plain arrays hand over to ``__array_ufunc__`` of what stands on the other side, as NumPy's and CuPy's do.
        Then NumPy's own functions and methods work where the tape records: ``numpy.sum(x)``, ``x.sum()``.
    module : str
        Top-level module of the library, for its version and for the types of its arrays. Default: that of ``xp``.

    Examples
    --------
    >>> import array_api_strict
    >>> from multimlp.backend import Backend
    >>> class StrictBackend(Backend):
    ...     name = "my-strict"
    ...     xp = array_api_strict
    >>> backend = StrictBackend()
    >>> value, _, (gradient,) = backend.value_and_grad(lambda xs: (xs[0] * xs[0], ()))((backend.asarray(3.0),))
    >>> float(gradient)
    6.0
    """

    name: ClassVar[str]
    xp: Namespace
    kernels: Mapping[str, Callable[..., Any]] = {}
    functions: Mapping[str, Callable[..., Any]] = {}
    capabilities: Capabilities = Capabilities()
    scatter_add: Callable[[Array, Any, Array], Array] | None = None
    follows_numpy: bool = False

    @property
    def module(self) -> str:
        return getattr(self.xp, "__name__", type(self.xp).__module__).partition(".")[0]

    def __repr__(self) -> str:
        return f"<backend {getattr(self, 'name', type(self).__name__)}>"

    # ---- arrays: what they are, values in and out, dtypes, devices -----------------------------------------------------

    def is_array_type(self, cls: type) -> bool:
        """Whether instances of ``cls`` are arrays of this library. Called once per type."""
        return hasattr(cls, "__array_namespace__") and cls.__module__.partition(".")[0] == self.module

    def dtype(self, name: str) -> Any:
        """The library's dtype of that name (``"float32"``, ``"int64"``, ``"bool"``, ``"bfloat16"``, ...).

        Raises
        ------
        DTypeError
            If the library has none of that name.
        """
        found = getattr(self.xp, name, None)
        if found is None:
            raise DTypeError(f"dtype: {name!r} does not exist on the {self.name} backend")
        return found

    def dtype_name(self, dtype: Any) -> str:
        """The inverse of `dtype`: ``"float32"`` for the library's float32."""
        text = str(getattr(dtype, "name", dtype))
        return text.rpartition(".")[2].rstrip("'>").strip()

    def asarray(self, x: Any, *, dtype: str | None = None, device: str | None = None) -> Array:
        """An array of this library with the values of ``x``: a NumPy array, nested lists, numbers, or one of its own arrays.

        Values that are not of this library reach it through NumPy, cast there, so that every backend gets the same bits.

        Parameters
        ----------
        x : array_like
        dtype : str, optional
            Default: that of ``x``, as NumPy sees it.
        device : str, optional
            One of `devices`. Default: where ``x`` is if it is the library's own, else the library's choice.
        """
        if self.is_array_type(type(x)):
            return x if dtype is None else self.xp.astype(x, self.dtype(dtype), copy=False)
        host = np.asarray(x) if dtype is None else np.asarray(x, dtype=dtype)
        return self.xp.asarray(host.tolist(), dtype=self.dtype(host.dtype.name))

    def narrowing(self, dtype: str) -> tuple[str, str] | None:
        """Where arrays of that dtype are unsafe in a user's own hands, since the library's operators narrow them in silence:
        the dtype that values get unless the wide one was asked for, and a sentence that says how to keep it. Else None."""
        return None

    def share(self, x: Array) -> Array | None:
        """An array of this library for one of another, with the same memory; None where that cannot be, or not safely."""
        return None

    def to_numpy(self, x: Array) -> np.ndarray:
        """The values on the host, outside any graph. The result may share memory with ``x`` and must not be written to."""
        return np.from_dlpack(x)

    def devices(self) -> tuple[str, ...]:
        """The devices here, in multimlp's spelling: ``("cpu",)``, ``("cpu", "cuda:0")``."""
        return ("cpu",)

    def device_name(self, x: Array) -> str:
        """Where the array lives, in multimlp's spelling."""
        return "cpu"

    def resize_rows(self, x: Array, rows: int) -> Array:
        """``x`` of shape (..., n, k) with so many rows: its first ones, or all and rows of zeros after them.

        Override it where each new size would compile."""
        *lead, n, k = tuple(x.shape)
        if rows <= n:
            return x[..., :rows, :]
        place = getattr(x, "device", None)  # the standard has it, MLX has not
        filling = self.xp.zeros((*lead, rows - n, k), dtype=x.dtype, device=place)
        return self.xp.concat([x, filling], axis=-2)

    def synchronize(self, *arrays: Array) -> None:
        """Wait until the arrays are computed; for timing."""

    # ---- transforms: derivatives and vectorisation; all of the library's own or all of the tape's ------------------------

    def value_and_grad(
        self, function: Callable[[Arrays], tuple[Array, Arrays]]
    ) -> Callable[[Arrays], tuple[Array, Arrays, Arrays]]:
        """Reverse mode for a scalar: ``arrays -> (value, auxiliary outputs, gradients)``.

        ``function`` returns ``(scalar, auxiliary arrays)``. An array that the value does not depend on gets zeros.
        """
        return tape.value_and_grad(function, self)

    def final_value_and_grad(
        self, function: Callable[[Arrays], tuple[Array, Arrays]]
    ) -> Callable[[Arrays], tuple[Array, Arrays, Arrays]]:
        """As `value_and_grad`, for results that nobody differentiates again: training steps. Override it if that is cheaper."""
        return self.value_and_grad(function)

    def vjp(self, function: Function, arrays: Arrays) -> tuple[Arrays, Callable[[Arrays], Arrays]]:
        """``(outputs, pullback)``, where ``pullback(cotangents of the outputs)`` are the cotangents of the inputs.

        The pullback may be called more than once, also under `vmap`."""
        return tape.vjp(function, arrays, self)

    def jvp(self, function: Function, arrays: Arrays, tangents: Arrays) -> tuple[Arrays, Arrays]:
        """``(outputs, tangents of the outputs)``; where `vjp` is the library's own, by two reverse passes of it, unless the library's
        forward mode is better."""
        if type(self).vjp is not Backend.vjp:
            return tape.jvp_by_pullbacks(function, arrays, tangents, self)
        return tape.jvp(function, arrays, tangents, self)

    def hessian_products(self, gradient: Function, arrays: Arrays) -> Callable[[Arrays], Arrays]:
        """``v -> H v``, where H is the derivative of ``gradient``, the gradient of a scalar function; also called under `vmap`.

        H is symmetric, so that the pullback of the gradient has these products. On the tape forward mode is faster where arrays are large.
        Override it where it is faster anyway."""
        large = math.prod(max((tuple(x.shape) for x in arrays), key=math.prod)) >= _LARGE
        if large and type(self).vjp is Backend.vjp:
            return lambda tangents: self.jvp(gradient, arrays, tangents)[1]
        return self.vjp(gradient, arrays)[1]

    def stop_gradient(self, x: Array) -> Array:
        """The same values, as a constant to every derivative."""
        return tape.stop_gradient(x)

    def with_slopes(self, value: Array, slopes: Callable[..., Arrays], parameters: Arrays) -> Array:
        """``value`` as an element-wise function of ``parameters``, arrays of its shape and dtype, with the derivatives
        ``slopes(value, *parameters)``, one for each; ``value`` itself is a constant. `multimlp.random` needs it where numbers are found by
        rejection. Whoever differentiates by means of its own overrides it; ``slopes`` is called where a derivative is asked for."""
        return tape.with_slopes(value, slopes, parameters, self)

    def vmap(self, function: Function) -> Function:
        """Vectorise: the result takes arrays with one more leading axis, the same size on each, and returns such arrays.

        The function is called once, with arrays that hide the axis; where that cannot be, once for each row.
        """

        def mapped(arrays: Arrays) -> Arrays:
            found = tape.vmap(function, arrays, self) if arrays[0].shape[0] > 1 else None
            return loop(arrays) if found is None else found

        def loop(arrays: Arrays) -> Arrays:
            arrays = tape.constants_for(self, arrays)
            rows = [function(tuple(a[i, ...] for a in arrays)) for i in range(arrays[0].shape[0])]
            return stacked(self, rows)

        return mapped

    def explain(self, error: Exception) -> MultimlpError | None:
        """The library's own error about a traced array, in words that say what to do: `multimlp.errors.value_taken`,
        `multimlp.errors.shape_unknown`. None for any other error."""
        about_ufuncs = isinstance(error, TypeError) and "__array_ufunc__=None" in str(error)
        return value_taken("a NumPy function", self.name) if about_ufuncs else None

    # ---- programs: compiled functions, training in place; loops are in `Loops` ----------------------------------------------------------

    def compile(self, function: Function, compiler: str | None = None) -> Function:
        """A faster function of the same values, specialised to shapes and dtypes when first called with them.

        Parameters
        ----------
        function : callable
        compiler : str, optional
            One of ``capabilities.compilers``, of which the first is the default, or ``"none"``: the function as it is.

        Raises
        ------
        CapabilityError
            For any other compiler. An adapter that overrides this calls ``super().compile`` for the check.
        """
        self.check_compiler(compiler)
        return function

    def check_compiler(self, compiler: object, where: str = "compiler") -> None:
        """`CapabilityError` unless `compile` takes this for the name of a compiler; ``where`` is the argument's name."""
        if compiler is not None and (
            not isinstance(compiler, str) or compiler not in ("none", *self.capabilities.compilers)
        ):
            choices = ", ".join(("none", *self.capabilities.compilers))
            close = did_you_mean(compiler, ("none", *self.capabilities.compilers))
            raise CapabilityError(
                f"{where}: {as_given(compiler)} is not one of the {self.name} backend's: {choices}{close}"
            )

    def compile_in_place(self, function: Function, compiler: str | None = None, state: int = 0) -> Function:
        """As `compile`, for a function whose first ``state`` inputs are given away: nobody but the caller holds them, and
        they are not used again, since its first ``state`` outputs take their place. Override it where that saves copies,
        and `protect` with it."""
        return self.compile(function, compiler)

    def protect(self, x: Array) -> Array:
        """``x``, safe from being overwritten by functions of `compile_in_place`: a copy where those do so."""
        return x

    def program_input(self, x: np.ndarray, *, dtype: str, device: str | None = None) -> Any:
        """A host array as compiled functions take it; override it where they take NumPy arrays faster than `asarray` does."""
        return self.asarray(x, dtype=dtype, device=device)

    def compile_operation(self, portable: Callable[..., Any], arrays: int) -> Callable[..., Any]:
        """A portable operation of ``arrays`` leading arrays, and options after them, for plain arrays of this library. Override
        it where functions are faster put together than called one by one."""
        return self.wrap(portable)

    def inplace_kernels(self, dtype: str, device: str | None) -> Any | None:
        """The `multimlp.backend.Kernels` with which `fit` trains in place, or None. A library whose functions
        take ``out=`` brings them; then its ``capabilities.epoch`` is ``"inplace"``."""
        return None

    def compiled_kernels(self, dtype: str, device: str | None) -> Any | str:
        """The `multimlp.backend.CompiledKernels` with which `fit` makes an epoch one call, or one sentence why there are none here."""
        return f"the {self.name} backend brings no compiled kernels"

    # ---- more than one process -------------------------------------------------------------------------------------------

    def communicator(
        self, others: Communicator | None, device: str | None, timeout: float
    ) -> Communicator | None:
        """The library's own way between the processes of a run, for computing on that device; None, the default: copies on the host are
        carried by others.

        It is asked twice: without ``others``, for a run that the library has joined already, or that its own launcher started; then
        with what carries copies, over which addresses may be agreed upon (`multimlp.distributed.addresses`). All processes make it at
        once. An operation that takes longer than ``timeout`` seconds is an error (`multimlp.distributed.failed`), and happens ``with
        multimlp.distributed.exchange:``."""
        return None

    def workers(self, communicator: Communicator, devices: Any) -> Workers | None:
        """Who runs the compiled steps of one training together, with their sums inside: several devices of this process, or the processes
        of a communicator that the library's programs can use. None, the default: steps are summed between programs.

        Parameters
        ----------
        communicator : Communicator
        devices : "all", int or tuple of str
            As given; where processes were started, what each of them has.
        """
        return None

    def members_on(self, devices: Any, members: int) -> Placement | None:
        """Several devices of this process, each for as many members of an ensemble; None where there are not, or where the members cannot
        be dealt out evenly. ``devices`` as for `workers`."""
        return None

    def summed(self, communicator: Communicator, flat: Array) -> Array:
        """The sum of a flat array over the processes of a run, on each; ``flat`` may be written to. Through the host, unless the library
        has means of its own that the communicator stands for."""
        total = communicator.sum(np.array(self.to_numpy(flat)))
        return self.asarray(total, dtype=self.dtype_name(flat.dtype), device=self.device_name(flat))

    def gathered(self, communicator: Communicator, flat: Array) -> Array:
        """The flat arrays of all processes, shape (processes, n), in the order of their ranks, on each."""
        rows = communicator.gather(np.array(self.to_numpy(flat)))
        return self.asarray(rows, dtype=self.dtype_name(flat.dtype), device=self.device_name(flat))

    # ---- settings and reports --------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def scope(self, dtype: str | None = None) -> Iterator[None]:
        """Settings of the library under which computations in ``dtype`` are right; undone at the end."""
        yield

    def scope_of(self, *arrays: Array) -> contextlib.AbstractContextManager[None]:
        """`scope` for computing with these arrays, and whatever stands between them. Called on hot paths."""
        return _NO_SCOPE

    def all_threads(self) -> contextlib.AbstractContextManager[None]:
        """A part of training that runs on all of the library's threads: it waits while another thread of this process computes under
        a limit of `Kernels.threads`, and the other way round, so that fits side by side have the bits of fits on their own."""
        return _NO_SCOPE

    def one_thread(self) -> contextlib.AbstractContextManager[None]:
        """A part of training that runs on one thread of the library's, as far as it can be held to one."""
        return _NO_SCOPE

    def framework_functions(self) -> Mapping[str, Callable[[Array], Array]]:
        """The library's own neural-network functions of one array, with the library's defaults, by multimlp's names.

        Nothing computes with them: the report on where frameworks disagree calls them.
        """
        return {}

    # ---- what follows ----------------------------------------------------------------------------------------------------

    @property
    def version(self) -> str:
        """The library's version, for reports."""
        return str(getattr(__import__(self.module), "__version__", "unknown"))

    def resolve_device(self, device: str | None) -> str | None:
        """A device of `devices` for what a user asked (``"gpu"``, ``"cuda"``, ``"cuda:1"``, ``"cpu"``); None is the default.

        Raises
        ------
        DeviceError
            If this backend has no such device here.
        """
        if device is None:
            return None
        wanted = str(device).strip().lower()
        here = self.devices()
        if wanted in here:
            return wanted
        kinds = ("cuda", "rocm", "gpu", "metal", "tpu", "xpu") if wanted == "gpu" else (wanted,)
        for name in here:
            if name.partition(":")[0] in kinds:
                return name
        known = wanted.partition(":")[0] in ("cpu", "gpu", "cuda", "rocm", "metal", "tpu", "xpu")
        close = "" if known else did_you_mean(wanted, here)
        raise DeviceError(
            f"device: {as_given(device)} is not available to the {self.name} backend here; available: {', '.join(here)}{close}"
        )

    def is_floating(self, x: Array) -> bool:
        """Whether an array is of a real floating-point dtype; some namespaces do not count bfloat16 among them."""
        dtype = x.dtype
        known = self._floating.get(dtype)
        if known is None:  # asking takes as long as a small loss
            known = self.xp.isdtype(dtype, "real floating") or self.dtype_name(dtype) == "bfloat16"
            self._floating[dtype] = known
        return known

    @lazy
    def _floating(self) -> dict[Any, bool]:
        """By dtypes of this library alone: a compiler of one must not have to look at those of another."""
        return {}

    def wrap(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """A portable function to be called with this library's arrays: under their `scope_of`, where the adapter has one."""
        if type(self).scope_of is Backend.scope_of:
            return function

        @functools.wraps(function)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            with self.scope_of(*args):
                return function(*args, **kwargs)

        return wrapped
