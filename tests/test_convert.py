"""`multimlp.convert`: values, dtypes, trees, and which hand-overs share memory."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from libraries import NAMES, needs_numpy_2

import multimlp as mm
from multimlp.backend import load_backend, owner
from multimlp.errors import DeviceError, DifferentiationError, DTypeError, UnknownBackendError

PAIRS = list(itertools.product(NAMES, NAMES))
DTYPES = ("float64", "float32", "int64", "int32", "bool")
PAGE = Path(__file__).parents[1] / "docs" / "exchanging-arrays.md"


def address(x) -> int:
    x = getattr(x, "_array", x)  # what array-api-strict wraps
    if isinstance(x, np.ndarray):
        return x.ctypes.data
    from multimlp.backends._dlpack import layout

    return layout(x.__dlpack__()).address


def buffer(values, *, offset: int = 0) -> np.ndarray:
    """A copy whose first element lies ``offset`` bytes after a multiple of 64."""
    values = np.ascontiguousarray(values)
    memory = np.zeros(values.nbytes + 128, dtype=np.uint8)
    start = -memory.ctypes.data % 64 + offset
    result = memory[start : start + values.nbytes].view(values.dtype).reshape(values.shape)
    result[...] = values
    return result


def array(library: str, dtype: str = "float32", *, offset: int = 0):
    """The values 0 to 23 in an array of the library; libraries that read NumPy's memory read this one."""
    host = buffer(np.arange(24).reshape(4, 6).astype(dtype), offset=offset)
    if library == "torch":
        import torch

        return torch.from_numpy(host)
    return host if library == "numpy" else load_backend(library).asarray(host)


def values(x) -> np.ndarray:
    return np.asarray(owner(x).to_numpy(x))


@pytest.mark.parametrize(("source", "target"), PAIRS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_values_and_dtype_are_kept(source, target, dtype):
    given = array(source, dtype)
    narrow = load_backend(target).narrowing(dtype)  # JAX: tests/test_jax_64_bits.py
    result = mm.convert(given, backend=target, dtype=dtype if narrow and source != target else None)
    assert owner(result) is load_backend(target)
    assert load_backend(target).dtype_name(result.dtype) == dtype
    assert np.array_equal(values(result), np.arange(24).reshape(4, 6).astype(dtype))


def stated() -> dict[tuple[str, str], str]:
    rows = [
        line.strip("| \n").split(" | ")
        for line in PAGE.read_text().partition("\n## ")[0].splitlines()
        if line.startswith("|")
    ]
    head, body = rows[0][1:], rows[2:]
    return {(row[0], to): cell for row in body for to, cell in zip(head, row[1:], strict=True)}


@needs_numpy_2
@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_memory_is_shared_where_the_documentation_says_so(source, target):
    def shared(given) -> bool:
        return address(given) == address(mm.convert(given, backend=target))

    claim = stated().get((source, target)) or PADDLES.get((source, target), "copied")
    assert shared(array(source)) == (claim != "copied")
    if source in ("numpy", "torch", "strict") and target not in (source, "paddle"):
        unaligned = array("numpy", offset=4) if source == "strict" else array(source, offset=4)
        given = load_backend("strict").xp.from_dlpack(unaligned) if source == "strict" else unaligned
        assert address(given) % 64 == 4
        assert shared(given) == (claim == "shared")
        assert np.array_equal(values(mm.convert(given, backend=target)), np.arange(24).reshape(4, 6))
    else:
        assert claim in ("shared", "copied")  # what these libraries allocate is always aligned


PADDLES = {("paddle", "numpy"): "shared", ("paddle", "paddle"): "shared"}
"""The sentence below the table; everything else is copied."""

AWKWARD = {
    "negative strides": lambda x: x[::-1, ::-1],
    "one negative stride": lambda x: x[:, ::-2],
    "columns first": lambda x: np.asfortranarray(x),
    "every second row": lambda x: x[::2],
    "read-only": lambda x: _frozen(x),
    "big-endian": lambda x: x.astype(">f4"),
    "broadcast": lambda x: np.broadcast_to(x[0], (3, 6)),
    "no rows": lambda x: x[:0],
    "0-d": lambda x: x[1, 1].reshape(()),
}


def _frozen(x):
    x = x.copy()
    x.flags.writeable = False
    return x


@pytest.mark.parametrize("target", [name for name in NAMES if name != "numpy"])
@pytest.mark.parametrize("name", AWKWARD)
def test_awkward_arrays_arrive_whole_and_can_be_computed_with(name, target):
    """Two of these would end the process if they were handed over as they are."""
    given = AWKWARD[name](array("numpy"))
    sources = [given] if name == "big-endian" else [given, load_backend("strict").asarray(given)]
    for source in sources:
        result = mm.convert(source, backend=target)
        assert np.array_equal(values(result), given)
        assert float(load_backend(target).xp.sum(result * 2)) == 2 * given.sum()


@pytest.mark.parametrize(
    ("source", "target"), list(itertools.permutations(["torch", "jax", "tensorflow"], 2))
)
def test_bfloat16_is_shared_and_needs_a_dtype_to_become_numpys(source, target):
    if {source, target} - set(NAMES):
        pytest.skip("both libraries are needed")
    given = load_backend(source).asarray(np.asarray([1.0, 2.5, -3.0]), dtype="bfloat16")
    result = mm.convert(given, backend=target)
    assert load_backend(target).dtype_name(result.dtype) == "bfloat16"
    assert address(given) == address(result)
    with pytest.raises(
        DTypeError, match=r"'bfloat16' is not supported by the numpy backend .* choose one with"
    ):
        mm.convert(given, backend="numpy")
    host = mm.convert(given, backend="numpy", dtype="float32")
    assert host.dtype == np.float32
    assert host.tolist() == [1.0, 2.5, -3.0]
    assert (
        load_backend(target).dtype_name(mm.convert(host, backend=target, dtype="bfloat16").dtype)
        == "bfloat16"
    )


@pytest.mark.parametrize("target", NAMES)
def test_params_and_everything_that_is_no_array_stay_in_their_tree(target):
    params = mm.MLP(3, [4], 2, use_bias=False).init(seed=0, backend="numpy", dtype="float64")
    given = {"params": params, "name": "net", "none": None, "step": 3}
    moved = mm.convert(given, backend=target, dtype="float64")
    assert (moved["name"], moved["none"], moved["step"]) == ("net", None, 3)
    assert type(moved["params"][0]) is type(params[0])
    assert moved["params"][0].bias is None
    assert all(owner(leaf) is load_backend(target) for leaf in mm.tree.leaves(moved["params"]))
    back = mm.convert(moved["params"], backend="numpy")
    assert all(
        np.array_equal(a, b) for a, b in zip(mm.tree.leaves(back), mm.tree.leaves(params), strict=True)
    )


def test_a_tensor_that_requires_gradients_is_detached():
    torch = pytest.importorskip("torch")
    given = torch.ones(3, requires_grad=True)
    for target in NAMES:
        if target != "torch":
            result = mm.convert(given * 2, backend=target)
            assert values(result).tolist() == [2.0, 2.0, 2.0]
    assert given.requires_grad


def test_jaxs_switch_is_neither_needed_nor_moved():
    jax = pytest.importorskip("jax")
    before = jax.config.jax_enable_x64
    result = mm.convert(np.asarray([1e300, 2**-1000]), backend="jax", dtype="float64")
    assert (str(result.dtype), values(result).tolist()) == ("float64", [1e300, 2**-1000])
    assert jax.config.jax_enable_x64 == before


def test_another_dtype_is_rounded_once():
    given = np.asarray([1 / 3, 1e-40, 70000.0])
    for target in ("torch", "jax", "tensorflow"):
        if target in NAMES:
            result = mm.convert(given, backend=target, dtype="float16")
            with np.errstate(over="ignore"):
                assert np.array_equal(values(result), given.astype(np.float16))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: mm.convert(np.ones(2), backend="nothing"), UnknownBackendError, "unknown backend 'nothing'"),
        (lambda: mm.convert(np.ones(2), "numpy", device="cuda:7"), DeviceError, "'cuda:7' is not available"),
        (lambda: mm.convert(np.ones(2), "numpy", dtype="bfloat16"), DTypeError, "not supported"),
        (lambda: mm.grad(lambda x: mm.convert(x, "strict"))(np.asarray(1.0)), DifferentiationError, "lost"),
    ],
)  # fmt: skip
def test_bad_input_gets_one_clear_error(call, error, message):
    with pytest.raises(error, match=message):
        call()


@pytest.mark.parametrize("target", NAMES)
@pytest.mark.parametrize("spelling", ["cpu", "CPU", " cpu "])
def test_one_spelling_of_devices_serves_all(target, spelling):
    result = mm.convert(np.ones(2, dtype=np.float32), backend=target, device=spelling)
    assert load_backend(target).device_name(result) == "cpu"


@pytest.mark.parametrize("target", NAMES)
@pytest.mark.parametrize("wanted", ["cuda", "gpu", "cuda:1", "cuda:99", "tpu:3", "nowhere"])
def test_devices_that_are_there_are_used_and_others_refused(target, wanted):
    backend = load_backend(target)
    here = backend.devices()
    kinds = [d for d in here if d == wanted or (wanted in ("cuda", "gpu") and d.startswith("cuda"))]
    if kinds:
        assert backend.device_name(mm.convert(np.ones(2), backend=target, device=wanted)) == kinds[0]
    else:
        with pytest.raises(
            DeviceError, match=f"{wanted!r} is not available to the {target} backend here; available: cpu"
        ):
            mm.convert(np.ones(2), backend=target, device=wanted)
