"""What the names in kernels mean to Numba.

This module, which imports Numba, is imported when a kernel has to be compiled, and not when one is read from the disk.
"""

from __future__ import annotations

import math
from fractions import Fraction
from types import FunctionType
from typing import Any

import llvmlite.binding as llvm
import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.core.cgutils import alloca_once, get_or_insert_function
from numba.extending import intrinsic

from multimlp.backends._numba import elementary, kernels

_INT32 = ir.IntType(32)
OPTIONS: dict[str, Any] = {"error_model": "numpy", "fastmath": {"contract"}}
_FORMATS = {"float32": (types.float32, 32, 23, 8, 4), "float64": (types.float64, 64, 52, 14, 11)}
"""Type, bits, bits of the mantissa, terms of the series of exp and of the logarithm."""


@intrinsic
def pointer(context: Any, arguments: Any, at: Any, kind: Any) -> Any:
    """The ``at``-th argument as a pointer."""
    target = types.CPointer(kind.dtype)

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        address = builder.load(builder.gep(values[0], [values[1]]))
        return builder.inttoptr(address, context.get_value_type(target))

    return target(arguments, at, kind), generate


@intrinsic
def number(context: Any, arguments: Any, at: Any) -> Any:
    """The ``at``-th argument as a number in double precision."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return builder.bitcast(builder.load(builder.gep(values[0], [values[1]])), ir.DoubleType())

    return types.float64(arguments, at), generate


@intrinsic
def called(context: Any, address: Any, arguments: Any) -> Any:
    """Call a kernel."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        anything = ir.IntType(8).as_pointer()
        place = ir.IntType(64).as_pointer()
        kernel = builder.inttoptr(
            values[0], ir.FunctionType(ir.IntType(32), [anything, anything, place]).as_pointer()
        )
        result = builder.bitcast(alloca_once(builder, anything), anything)  # None is written there
        builder.call(kernel, [result, ir.Constant(anything, None), values[1]])
        return context.get_dummy_value()

    return types.void(address, arguments), generate


@intrinsic
def product_called(context: Any, arguments: Any) -> Any:
    """Call a function of the thirteen pointers that are the first arguments, at the address that is the next one."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        anything = ir.IntType(8).as_pointer()
        given = [builder.load(builder.gep(values[0], [ir.Constant(ir.IntType(64), i)])) for i in range(1, 15)]
        kernel = builder.inttoptr(given.pop(), ir.FunctionType(ir.VoidType(), [anything] * 13).as_pointer())
        builder.call(kernel, [builder.inttoptr(address, anything) for address in given])
        return context.get_dummy_value()

    return types.void(arguments), generate


@intrinsic
def added(context: Any, place: Any, value: Any) -> Any:
    """Add to a number that threads share; what it was before."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return builder.atomic_rmw("add", values[0], values[1], "seq_cst")

    return types.int64(place, types.int64), generate


@intrinsic
def seen(context: Any, place: Any) -> Any:
    """A number that threads share."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return builder.load_atomic(values[0], "acquire", 8)

    return types.int64(place), generate


@intrinsic
def swapped(context: Any, place: Any, old: Any, new: Any) -> Any:
    """Put a number that threads share in the place of another, if that is there; whether it was."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return builder.extract_value(builder.cmpxchg(*values, "seq_cst"), 1)

    return types.boolean(place, types.int64, types.int64), generate


@intrinsic
def yielded(context: Any, address: Any) -> Any:
    """Call the system's function without arguments that lets other threads have the core."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        function = builder.inttoptr(values[0], ir.FunctionType(ir.IntType(32), []).as_pointer())
        builder.call(function, [])
        return context.get_dummy_value()

    return types.void(address), generate


_FLUSH = 0x8040
"""Of the control register of x86: numbers below the normal ones are zero, as results and as arguments."""


@intrinsic
def flushing(context: Any) -> Any:
    """Have numbers below the normal ones flushed to zero in this thread, on x86, which computes with them a hundred times as slowly; the
    setting before, for `restored`."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        before = _control_register(builder, "st", alloca_once(builder, _INT32))
        if before is None:
            return ir.Constant(_INT32, 0)
        place = alloca_once(builder, _INT32)
        builder.store(builder.or_(builder.load(before), ir.Constant(_INT32, _FLUSH)), place)
        _control_register(builder, "ld", place)
        return builder.load(before)

    return types.int32(), generate


@intrinsic
def restored(context: Any, setting: Any) -> Any:
    """Undo `flushing`."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        place = alloca_once(builder, _INT32)
        builder.store(values[0], place)
        _control_register(builder, "ld", place)
        return context.get_dummy_value()

    return types.void(types.int32), generate


def _control_register(builder: Any, way: str, place: Any) -> Any:
    """Load it from a place or store it there; the place, or None where the processor has no such register."""
    if not llvm.get_process_triple().startswith("x86_64"):
        return None
    anything = ir.IntType(8).as_pointer()
    kind = ir.FunctionType(ir.VoidType(), [anything])
    function = get_or_insert_function(builder.module, kind, f"llvm.x86.sse.{way}mxcsr")
    builder.call(function, [builder.bitcast(place, anything)])
    return place


@intrinsic
def word(context: Any, bits: Any) -> Any:
    """32 bits as a signed number."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return values[0]

    return types.int32(types.uint32), generate


@intrinsic
def threefry(context: Any, key0: Any, key1: Any, counter0: Any, counter1: Any) -> Any:
    """The words of `multimlp.random.threefry2x32`."""
    word32, pair = ir.IntType(32), types.UniTuple(types.uint32, 2)

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        def constant(value: int) -> Any:
            return ir.Constant(word32, value)

        k0, k1, x0, x1 = (v if v.type == word32 else builder.trunc(v, word32) for v in values)
        keys = (k0, k1, builder.xor(builder.xor(k0, k1), constant(0x1BD11BDA)))
        x0, x1 = builder.add(x0, k0), builder.add(x1, k1)
        for turn in range(20):
            count = (13, 15, 26, 6, 17, 29, 16, 24)[turn % 8]
            x0 = builder.add(x0, x1)
            x1 = builder.or_(builder.shl(x1, constant(count)), builder.lshr(x1, constant(32 - count)))
            x1 = builder.xor(x1, x0)
            if turn % 4 == 3:
                block = turn // 4 + 1
                x0 = builder.add(x0, keys[block % 3])
                x1 = builder.add(x1, builder.add(keys[(block + 1) % 3], constant(block)))
        return context.make_tuple(builder, pair, (x0, x1))

    return pair(key0, key1, counter0, counter1), generate


_TAIL = 0.35
_TAIL_SERIES = [
    0.197472348, 0.197353127, 0.186174304, 0.159010342, 0.124039281, 0.126949466, -0.0745649192, 0.215820426, -0.17324115, 0.0409867844
]  # fmt: skip
"""Of exp(z^2) erfc(z) / t in t = 1 / (1 + 0.35 z) for z from 0 to 12; by least squares, weighted until the errors were even."""
LOG_2 = Fraction("0.6931471805599453094172321214581765680755001343602553")


_FUNCTIONS = ("sign", "exp_of_sum", "exp", "expm1", "bell", "normal", "normal_slope", "log", "log1p", "tanh")
"""Of `multimlp.backends._numba.elementary`, each after those that it calls."""
_PARTS: tuple[Any, ...] = (
    pointer,
    number,
    called,
    product_called,
    threefry,
    word,
    flushing,
    restored,
    added,
    seen,
    swapped,
    yielded,
)


def namespace(dtype: str) -> dict[str, Any]:
    """What the names in kernels and in `multimlp.backends._numba.elementary` mean for a dtype."""
    F, bits, mantissa, terms, odd_terms = _FORMATS[dtype]
    real = ir.FloatType() if bits == 32 else ir.DoubleType()
    rounding = float(3 << (mantissa - 1))  # adding it leaves a whole number, in the lowest bits
    names = {
        name: np.dtype(dtype).type(value) for name, value in _constants(dtype, mantissa, rounding).items()
    }
    names |= {"F": F, "sqrt": math.sqrt, "floor": np.floor, "sin": math.sin, "cos": math.cos}
    names |= {part.__name__: part for part in _PARTS}
    names |= _pieces(F, real, ir.IntType(bits), mantissa, rounding)
    names |= {"OPTIONS": OPTIONS, "float64": types.float64, "int64": types.int64, "int32": types.int32}
    names["exp_series"] = _polynomial(F, [1 / math.factorial(k) for k in range(2, terms)])
    names["log_series"] = _polynomial(F, [2 / (2 * k + 1) for k in range(1, odd_terms + 1)])
    names["tail_series"] = _polynomial(F, _TAIL_SERIES)

    def compiled(function: Any, loose: bool = False) -> Any:
        options = {**OPTIONS, "fastmath": {"contract", "reassoc"}} if loose else OPTIONS
        return numba.njit(**options)(FunctionType(function.__code__, names, function.__name__))

    for name in _FUNCTIONS:
        names[name] = compiled(getattr(elementary, name))
    names["exponentials"] = compiled(kernels.exponentials)
    names["compiled"] = compiled
    return names


def _constants(dtype: str, mantissa: int, rounding: float) -> dict[str, float]:
    info = np.finfo(dtype)
    high = round(LOG_2 * 2 ** (mantissa - 12)) / 2 ** (mantissa - 12)  # whole numbers times it are exact
    return {
        "INF": math.inf,
        "NAN": math.nan,
        "LOG2E": 1 / math.log(2),
        "HIGH": high,
        "LOW": float(LOG_2 - Fraction(high)),
        "ROUNDING": rounding,
        "TINY": float(info.tiny),
        "SHIFT": 2.0 ** (mantissa + 2),
        "SHIFTED": mantissa + 2.0,
        "LARGEST": math.log(float(info.max)) + 1,
        "SMALLEST": math.log(float(info.tiny)) - 40,
        "BELL_END": 17.0,
        "DENSITY": (2 * math.pi) ** -0.5,
        "TAIL": _TAIL * 0.5**0.5,
    }


def _polynomial(F: Any, coefficients: list[float]) -> Any:
    """Horner's rule; the constant coefficient first."""
    text = f"F({coefficients[-1]!r})"
    for coefficient in coefficients[-2::-1]:
        text = f"({text}) * x + F({coefficient!r})"
    names = {"F": F}
    exec(f"def polynomial(x): return {text}", names)
    return numba.njit(**OPTIONS)(names["polynomial"])


def _pieces(F: Any, real: Any, integer: Any, mantissa: int, rounding: float) -> dict[str, Any]:
    """Powers of two by the bits of numbers."""
    kind = "float32" if integer.width == 32 else "float64"

    def bits_of(value: float) -> Any:
        return constant(int(np.asarray(value, kind).view(f"int{integer.width}")))

    def constant(value: int) -> Any:
        return ir.Constant(integer, value)

    def exponent_of(builder: Any, value: Any) -> Any:
        return builder.ashr(
            builder.sub(builder.bitcast(value, integer), bits_of(0.5**0.5)), constant(mantissa)
        )

    bias = constant((1 << (integer.width - mantissa - 2)) - 1)

    @intrinsic
    def scaled(context: Any, x: Any, rounded: Any) -> Any:
        """``x`` times 2^n for the n in the lowest bits of ``rounded``; in two steps, so that it may under- or overflow."""

        def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            power = builder.sub(builder.bitcast(values[1], integer), bits_of(rounding))
            half = builder.ashr(power, constant(1))
            result = values[0]
            for part in (half, builder.sub(power, half)):
                factor = builder.shl(builder.add(part, bias), constant(mantissa))
                result = builder.fmul(result, builder.bitcast(factor, real))
            return result

        return F(F, F), generate

    @intrinsic
    def exponent(context: Any, x: Any) -> Any:
        """The whole number e for which x / 2^e is between the roots of 1/2 and 2."""

        def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            return builder.sitofp(exponent_of(builder, values[0]), real)

        return F(F), generate

    @intrinsic
    def fraction(context: Any, x: Any) -> Any:
        """That x / 2^e."""

        def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            shifted = builder.shl(exponent_of(builder, values[0]), constant(mantissa))
            return builder.bitcast(builder.sub(builder.bitcast(values[0], integer), shifted), real)

        return F(F), generate

    return {"scaled": scaled, "exponent": exponent, "fraction": fraction}
