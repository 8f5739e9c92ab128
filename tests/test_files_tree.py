"""`save_tree` and `load_tree`: any tree, to the bit, on any library; nothing that a file names is imported."""

from __future__ import annotations

import collections
import functools
import json
import sys
from typing import NamedTuple

import numpy as np
import pytest

import multimlp as mm
from multimlp import tree
from multimlp.errors import DataError, DTypeError, FileFormatError, InputError
from multimlp.files import read_tensors, write_tensors

RNG = np.random.default_rng(0)
ITSELF: list = []
ITSELF.append(ITSELF)


class Pair(NamedTuple):
    first: object
    second: object


TREES = {
    "a leaf": np.arange(3.0),
    "none": None,
    "empty": {"a": (), "b": [], "c": {}},
    "numbers": [1, -(10**30), 0.1, float("inf"), -0.0, True, False, "text", ""],
    "0-d and empty": (np.asarray(1.5), np.zeros((0, 3)), np.float32(2.0)),
    "keys with dots": {"a.b": np.ones(1), "a": {"b": np.zeros(1)}, 7: np.ones(2)},
    "the format's own name": {"__metadata__": np.ones(2), "__metadata__'": np.zeros(3)},
    "half a character": {"\ud800": np.ones(2), "\\ud800": np.zeros(3), "text": "\udfff"},
    "order": {"z": np.ones(1), "a": np.zeros(1)},
    "dtypes": [
        np.ones(2, dtype=d) for d in ("float16", "float32", "float64", "int8", "int64", "uint32", "bool")
    ],
    "nan": np.asarray([np.nan, -np.nan, np.inf, -0.0, 5e-324]),
    "strided": RNG.normal(size=(4, 6))[::2, ::-3].T,
}


@pytest.mark.parametrize("name", TREES)
def test_a_tree_comes_back_to_the_bit(name, tmp_path):
    mm.save_tree(tmp_path / "t.safetensors", TREES[name])
    found = mm.load_tree(tmp_path / "t.safetensors", backend="numpy")
    assert tree.structure(found) == tree.structure(TREES[name])
    if isinstance(TREES[name], dict):
        assert list(found) == list(TREES[name])
    for one, other in zip(tree.leaves(TREES[name]), tree.leaves(found), strict=True):
        if hasattr(one, "dtype"):
            assert (one.dtype, one.shape) == (other.dtype, other.shape)
            assert np.ascontiguousarray(one).tobytes() == other.tobytes()
        else:
            assert (type(one), repr(one)) == (type(other), repr(other))


@pytest.mark.parametrize("backend", ["numpy", "torch", "jax", "tensorflow"])
@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16"])
def test_arrays_of_every_library_keep_their_dtype(backend, dtype, tmp_path):
    library = pytest.importorskip(backend) and mm.get_backend(backend)
    if dtype not in library.capabilities.dtypes:
        pytest.skip(f"{backend} has no {dtype}")
    mlp = mm.MLP(3, [4], 2, activation="prelu")
    params = mlp.init(seed=0, backend=backend, dtype=dtype)
    state = mm.optimizers.adam().init(params)
    mm.save_tree(tmp_path / "t.safetensors", (params, state))
    found = mm.load_tree(tmp_path / "t.safetensors", backend=backend)
    assert type(found[0][0]) is mm.ParametricDense
    assert type(found[1]) is type(state)
    for one, other in zip(tree.leaves((params, state)), tree.leaves(found), strict=True):
        assert type(one) is type(other)
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(library.to_numpy(one), library.to_numpy(other))


LIBRARIES = ["numpy", "torch", "jax", "tensorflow"]


def a_tree(backend):
    """Of every dtype that the library has, in every kind of node."""
    library = pytest.importorskip(backend) and mm.get_backend(backend)
    dtypes = ("float64", "float32", "float16", "bfloat16", "int64", "int8", "uint8", "bool")
    arrays = {}
    for dtype in dtypes:
        with library.scope(dtype):
            if dtype in library.capabilities.dtypes or "float" not in dtype:
                arrays[dtype] = library.asarray(np.asarray([[0, 1], [1, 3]]), dtype=dtype)
    return {"arrays": arrays, "list": [1, (2.5, None)], "pair": Pair("text", [])}


@pytest.mark.parametrize("target", LIBRARIES)
@pytest.mark.parametrize("source", LIBRARIES)
def test_what_one_library_has_written_every_other_reads(source, target, tmp_path):
    value = a_tree(source)
    library = pytest.importorskip(target) and mm.get_backend(target)
    mm.save_tree(tmp_path / "t.safetensors", value)
    if "bfloat16" in value["arrays"] and "bfloat16" not in library.capabilities.dtypes:
        with pytest.raises(DTypeError, match="bfloat16"):
            mm.load_tree(tmp_path / "t.safetensors", target)
        found = mm.load_tree(tmp_path / "t.safetensors", target, dtype="float32")
        expected = dict.fromkeys(("float64", "float16", "bfloat16"), "float32")
    else:
        found, expected = mm.load_tree(tmp_path / "t.safetensors", target), {}
    assert (found["list"], found["pair"].first, found["pair"].second) == ([1, (2.5, None)], "text", [])
    for name, array in found["arrays"].items():
        assert mm.backend.owner(array) is library
        assert library.dtype_name(array.dtype) == expected.get(name, name)
        assert np.asarray(library.to_numpy(array)).tolist() == [[0, 1], [1, name == "bool" or 3]]


def test_the_same_tree_gives_the_same_bytes(tmp_path):
    """Of whatever library its arrays are."""
    files = []
    for backend in LIBRARIES:
        library = pytest.importorskip(backend) and mm.get_backend(backend)
        value = {
            "b": [library.asarray(np.arange(6.0).reshape(2, 3), dtype="float32"), 1],
            "a": Pair(None, 2.5),
        }
        mm.save_tree(tmp_path / backend, value)
        files.append((tmp_path / backend).read_bytes())
    assert len(set(files)) == 1


@pytest.mark.parametrize("backend", LIBRARIES)
def test_a_dtype_is_asked_for(backend, tmp_path):
    library = pytest.importorskip(backend) and mm.get_backend(backend)
    value = {"w": np.asarray([1.5]), "n": np.asarray([3]), "x": 2.5}
    mm.save_tree(tmp_path / "t.safetensors", value)
    found = mm.load_tree(tmp_path / "t.safetensors", backend, dtype="float16")
    names = [library.dtype_name(found[key].dtype) for key in ("w", "n")]
    assert (names, found["x"]) == (["float16", "int64"], 2.5)
    with pytest.raises(DTypeError, match="float8"):
        mm.load_tree(tmp_path / "t.safetensors", backend, dtype="float8")


def test_other_kinds_of_the_same_nodes(tmp_path):
    """A list of a class of its own comes back as a list, a dict as a dict."""

    class Rows(list):
        pass

    mm.save_tree(tmp_path / "t.safetensors", [Rows([1, 2]), collections.OrderedDict(b=1, a=2)])
    found = mm.load_tree(tmp_path / "t.safetensors", backend="numpy")
    assert found == [[1, 2], {"b": 1, "a": 2}]
    assert [type(node) for node in found] == [list, dict]


def test_a_run_goes_on_from_a_tree(tmp_path):
    """Two updates, with a file between them, are the two updates."""
    optimizer = mm.optimizers.adam(0.1)
    params = mm.MLP(2, [3], 1).init(seed=0, backend="numpy", dtype="float64")
    gradients = tree.map(lambda leaf: leaf + 1, params)
    once, state = optimizer.update(gradients, optimizer.init(params), params)
    mm.save_tree(tmp_path / "t.safetensors", {"params": once, "state": state})
    again = mm.load_tree(tmp_path / "t.safetensors", backend="numpy")
    for start in ((once, state), (again["params"], again["state"])):
        result = optimizer.update(gradients, start[1], start[0])
        if start[0] is once:
            expected = result
    for one, other in zip(tree.leaves(expected), tree.leaves(result), strict=True):
        np.testing.assert_array_equal(one, other)


def test_named_tuples_of_others(tmp_path):
    """Without `like` a new class of the same fields; with it, that of `like`. optax's states are such."""
    value = Pair(np.ones(2), {"inner": Pair(1, None)})
    mm.save_tree(tmp_path / "t.safetensors", value)
    found = mm.load_tree(tmp_path / "t.safetensors", backend="numpy")
    assert type(found).__name__ == "Pair"
    assert type(found) is not Pair
    assert found.second["inner"].first == 1
    like = mm.load_tree(tmp_path / "t.safetensors", backend="numpy", like=value)
    assert type(like) is Pair
    assert type(like.second["inner"]) is Pair
    with pytest.raises(InputError, match="trees of different structure"):
        mm.load_tree(tmp_path / "t.safetensors", backend="numpy", like={"a": 1})


def test_the_state_of_optax_goes_on(tmp_path):
    optax, jnp = pytest.importorskip("optax"), pytest.importorskip("jax.numpy")
    optimizer = optax.adam(1e-2)
    params = {"w": jnp.arange(3.0)}
    updates, state = optimizer.update(params, optimizer.init(params), params)
    mm.save_tree(tmp_path / "t.safetensors", state)
    again = mm.load_tree(tmp_path / "t.safetensors", backend="jax", like=state)
    for one, other in zip(
        *(optimizer.update(updates, s, params)[0]["w"] for s in (state, again)), strict=True
    ):
        assert one == other


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        (
            {"a": [1, object()]},
            InputError,
            r"tree\.a\[1\]: expected an array, a number, text or None, got <object",
        ),
        ({"a": {1.5: 2}}, InputError, r"tree\.a: expected keys that are text or whole numbers, got 1\.5"),
        ({"a": {True: 2}}, InputError, "got True"),
        ([1j], InputError, r"tree\[0\]: expected an array"),
        (np.ones(2, dtype=complex), DTypeError, "complex128"),
        (np.asarray(["a"]), DTypeError, "str"),
        (
            {"a": np.ma.masked_array([1.0, 2.0], [0, 1])},
            DataError,
            r"tree\.a: 1 values of a masked array are masked",
        ),
        ([10**5000], InputError, r"tree\[0\]: expected whole numbers of at most 4300 digits"),
        (
            functools.reduce(lambda inner, _: [inner], range(3000), 1),
            InputError,
            "tree: it holds itself, or is nested too deep",
        ),
        (ITSELF, InputError, "tree: it holds itself, or is nested too deep"),
    ],
)
def test_what_cannot_be_kept_is_refused(value, error, message, tmp_path):
    with pytest.raises(error, match=message):
        mm.save_tree(tmp_path / "t.safetensors", value)
    assert not list(tmp_path.iterdir())


DAMAGED = [
    {"array": "b"},
    {"named": "multimlp.mlp.Dense", "fields": ["weight"], "items": [1, 2]},
    {"named": "os.system", "fields": ["not a name"], "items": [1]},
    {"dict": [[1.5, None]]},
    {"tuple": 1},
    {"set": []},
    {"int": "x"},
    {"float": "0x1p99999"},
    {"tuple": [], "list": []},
    7.5,
]


@pytest.mark.parametrize("described", DAMAGED, ids=str)
def test_a_damaged_tree_is_refused(described, tmp_path):
    path = tmp_path / "t.safetensors"
    write_tensors(
        path, {"a": np.ones(1)}, {"multimlp.tree_version": "1", "multimlp.tree": json.dumps(described)}
    )
    with pytest.raises(FileFormatError, match=r"t\.safetensors' is damaged"):
        mm.load_tree(path, backend="numpy")


@pytest.mark.parametrize(
    ("described", "message"),
    [
        ({"list": [{"array": "a"}, {"array": "b"}, {"array": "a"}]}, "its tree: 'a'"),
        ({"list": [{"array": "a"}]}, "nothing in it is the array 'b'"),
    ],
)
def test_each_array_is_in_the_tree_once(described, message, tmp_path):
    """A header of a few bytes that names one array a million times would make a million of it."""
    metadata = {"multimlp.tree_version": "1", "multimlp.tree": json.dumps(described)}
    write_tensors(tmp_path / "t.safetensors", {"a": np.ones(2), "b": np.ones(2)}, metadata)
    with pytest.raises(FileFormatError, match=message):
        mm.load_tree(tmp_path / "t.safetensors")


def test_other_files_are_refused(tmp_path):
    mlp = mm.MLP(2, 3, 1)
    mm.save(tmp_path / "model.safetensors", mlp, mlp.init(seed=0, backend="numpy"))
    with pytest.raises(FileFormatError, match="is no tree that multimlp.save_tree wrote"):
        mm.load_tree(tmp_path / "model.safetensors")
    mm.save_tree(tmp_path / "t.safetensors", {"a": 1})
    arrays, metadata = read_tensors(tmp_path / "t.safetensors")
    write_tensors(tmp_path / "t.safetensors", arrays, metadata | {"multimlp.tree_version": "9"})
    with pytest.raises(FileFormatError, match="has version '9'"):
        mm.load_tree(tmp_path / "t.safetensors")


@pytest.mark.parametrize("name", ["antigravity.Dense", "multimlp.cli.__main__.Dense", "this.Pair"])
def test_nothing_that_a_file_names_is_imported(name, tmp_path):
    described = {"named": name, "fields": ["weight", "bias"], "items": [{"int": "1"}, None]}
    path = tmp_path / "t.safetensors"
    write_tensors(path, {}, {"multimlp.tree_version": "1", "multimlp.tree": json.dumps(described)})
    for module in ("antigravity", "this", "multimlp.cli.__main__"):
        sys.modules.pop(module, None)
    assert mm.load_tree(path, backend="numpy")._fields == ("weight", "bias")
    assert not {"antigravity", "this", "multimlp.cli.__main__"} & sys.modules.keys()
