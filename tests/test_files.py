"""Model files: what goes in comes out, on every library; damaged and foreign files are refused."""

from __future__ import annotations

import json
import os
import struct

import numpy as np
import pytest

import multimlp as mm
from multimlp import files, losses, tree
from multimlp.backend import available_backends, load_backend, owner
from multimlp.errors import DTypeError, FileFormatError, InputError, MissingDependencyError
from multimlp.files import _atomic as atomic
from multimlp.files import _model
from multimlp.files import _safetensors as tensorfile
from multimlp.mlp import MLP, Dense

safetensors = pytest.importorskip("safetensors")

MODELS = {
    "plain": MLP(3, [5, 4], 2),
    "linear": MLP(3, 0, 2),
    "no bias": MLP(3, 5, 2, use_bias=False),
    "learned activation": MLP(3, 5, 2, activation="prelu"),
    "options": MLP(3, [5, 4], 2, activation=["tanh", "gelu"], final_activation="sigmoid", dropout=0.25),
}


def host(params):
    return tree.map(lambda leaf: np.asarray(owner(leaf).to_numpy(leaf), dtype=np.float64), params)


def named(params):
    """The arrays of a model file; no activation of these is learned."""
    return {
        f"layers.{i}.{name}": array
        for i, layer in enumerate(params)
        for name, array in layer._asdict().items()
        if array is not None
    }


def assert_same(params, expected):
    assert tree.structure(params) == tree.structure(expected)
    for a, b in zip(tree.leaves(host(params)), tree.leaves(host(expected)), strict=True):
        np.testing.assert_array_equal(a, b)


# ---- round trips


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("seed", [0, range(3)], ids=["single", "ensemble"])
@pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
def test_models_come_back(tmp_path, name, seed, dtype):
    mlp, path = MODELS[name], tmp_path / "m.safetensors"
    params = mlp.init(seed=seed, backend="numpy", dtype=dtype)
    files.save(path, mlp, params)
    again, loaded = files.load(path, backend="numpy")
    assert again == mlp
    assert {leaf.dtype.name for leaf in tree.leaves(loaded)} == {dtype}
    assert_same(loaded, params)


BACKENDS = [name for name, info in available_backends().items() if info.installed and name != "mpmath"]


@pytest.mark.parametrize("backend", BACKENDS)
def test_each_backend_keeps_its_dtypes(tmp_path, backend):
    mlp, path = MODELS["learned activation"], tmp_path / "m.safetensors"
    for dtype in load_backend(backend).capabilities.dtypes:
        params = mlp.init(seed=1, backend=backend, dtype=dtype)
        files.save(path, mlp, params)
        _, loaded = files.load(path, backend=backend)
        leaf = tree.leaves(loaded)[0]
        assert owner(leaf).name == backend
        assert owner(leaf).dtype_name(leaf.dtype) == dtype
        assert_same(loaded, params)


def test_written_on_one_library_read_on_another(tmp_path):
    mlp, path = MODELS["plain"], tmp_path / "m.safetensors"
    expected = mlp.init(seed=2, backend="numpy", dtype="float32")
    for backend in BACKENDS:
        files.save(path, mlp, mlp.init(seed=2, backend=backend, dtype="float32"))
        for other in BACKENDS:
            assert_same(files.load(path, backend=other)[1], expected)


def test_the_bytes_are_those_of_the_reference_reader(tmp_path):
    """The package's own reader finds the documented names; for bfloat16, torch's."""
    mlp, path = MODELS["learned activation"], tmp_path / "m.safetensors"
    params = mlp.init(seed=0, backend="numpy")
    files.save(path, mlp, params)
    found = pytest.importorskip("safetensors.numpy").load_file(path)
    assert set(found) == {
        "layers.0.weight",
        "layers.0.bias",
        *(f"layers.0.activation.{name}" for name in params[0].activation),
        "layers.1.weight",
        "layers.1.bias",
    }
    np.testing.assert_array_equal(found["layers.1.weight"], params[1].weight)
    torch = pytest.importorskip("torch")
    half = mlp.init(seed=0, backend="torch", dtype="bfloat16")
    files.save(path, mlp, half)
    stored = pytest.importorskip("safetensors.torch").load_file(path)["layers.0.weight"]
    assert stored.dtype is torch.bfloat16
    assert torch.equal(stored, half[0].weight)


def test_bfloat16_needs_a_dtype_where_there_is_none(tmp_path):
    pytest.importorskip("torch")
    mlp, path = MODELS["plain"], tmp_path / "m.safetensors"
    params = mlp.init(seed=0, backend="torch", dtype="bfloat16")
    files.save(path, mlp, params)
    with pytest.raises(DTypeError, match=r"bfloat16.*dtype='float32'"):
        files.load(path, backend="numpy")
    assert_same(files.load(path, backend="numpy", dtype="float32")[1], params)


def test_tensors_and_metadata_come_back(tmp_path):
    tensors = {
        "scalar": np.asarray(2.5),
        "empty": np.zeros((0, 3), dtype=np.float32),
        "strided": np.arange(12.0).reshape(3, 4).T[::2],
        "big-endian": np.arange(3, dtype=">f8"),
        "flags": np.asarray([True, False]),
        "counts": np.asarray([[2**62, -1]]),
        "ключ": np.float16([0.5]),
    }
    files.write_tensors(tmp_path / "t", tensors, {"a": 'é\n"', "b": ""})
    found, metadata = files.read_tensors(tmp_path / "t")
    assert metadata == {"a": 'é\n"', "b": ""}
    assert set(found) == set(tensors)
    for name, array in tensors.items():
        assert found[name].shape == array.shape
        assert found[name].dtype == array.dtype.newbyteorder("=")
        np.testing.assert_array_equal(found[name], array)


def test_ml_dtypes_bfloat16_is_kept(tmp_path):
    bfloat16 = pytest.importorskip("ml_dtypes").bfloat16
    values = np.asarray([1.0, -2.5, np.inf, 1e-40], dtype=bfloat16)
    files.write_tensors(tmp_path / "t", {"x": values, "y": np.ones(2)})
    found, _ = files.read_tensors(tmp_path / "t")
    np.testing.assert_array_equal(found["x"], values.astype(np.float32))
    np.testing.assert_array_equal(found["y"], np.ones(2))


@pytest.mark.parametrize(
    ("loss", "options"),
    [
        ("quantile", {"quantiles": (0.1, 0.5, 0.9)}),
        ("gaussian_nll", {}),
        ("student_nll", {"df": 3.0}),
        ("mixture_nll", {"components": 3}),
        ("ordinal", {}),
        ("focal", {"gamma": 1.5}),
        ("binary_focal", {"alpha": 0.25}),
    ],
)
def test_a_loss_beside_a_model_comes_back(tmp_path, loss, options):
    rule, path = losses.with_options(loss, **options), tmp_path / "m.safetensors"
    mlp = mm.MLP(3, 4, rule.outputs_for(2))
    mm.save(path, mlp, mlp.init(seed=0, backend="numpy"), {"loss": rule.to_spec()})
    again, _ = mm.load(path, backend="numpy")
    assert again == mlp
    found = losses.get(mm.files.load_extra(path)["loss"])
    assert (found, found.outputs_for(2)) == (rule, again.out_features)


def test_extra_comes_back(tmp_path):
    mlp, path = MODELS["plain"], tmp_path / "m.safetensors"
    params = mlp.init(seed=0, backend="numpy")
    extra = {"features": ["a", "ß"], "mean": [0.1, 1e-300], "none": None}
    files.save(path, mlp, params, extra=extra)
    assert files.load_extra(path) == extra
    files.save(path, mlp, params)
    assert files.load_extra(path) == {}
    with pytest.raises(InputError, match="extra: only what JSON"):
        files.save(path, mlp, params, extra={"x": object()})


# ---- refused when written


@pytest.mark.parametrize(
    ("params", "message"),
    [
        (
            MLP(3, [5, 4], 3).init(backend="numpy"),
            r"params\[2\]\.weight has shape \(4, 3\), expected \(4, 2\)",
        ),
        (MLP(3, 5, 2).init(backend="numpy"), r"expected a tuple of 3 layers .* got 2 layers"),
        (
            MLP(3, [5, 4], 2, use_bias=False).init(backend="numpy"),
            r"missing params\[0\]\.bias, params\[1\]\.bias",
        ),
        ([np.ones(3)] * 3, r"params\[0\]: expected a Dense"),
        ([np.ones(3)], "expected a tuple of 3 layers .* got 1 layers"),
        (3, "expected a tuple of 3 layers .* got int"),
        (
            MLP(3, [5, 4], 2).init(backend="numpy", dtype="float32")[:2]
            + MLP(4, 0, 2).init(backend="numpy", dtype="float64"),
            r"one float dtype .* got float32 \(params\[0\]\.weight\), float64 \(params\[2\]\.weight\)",
        ),
        (
            tree.map(lambda a: a.astype(int), MLP(3, [5, 4], 2).init(backend="numpy")),
            "one float dtype .* got int64",
        ),
    ],
)
def test_foreign_parameters_are_refused(tmp_path, params, message):
    with pytest.raises(InputError, match=message):
        files.save(tmp_path / "m", MODELS["plain"], params)
    assert not list(tmp_path.iterdir())


def test_arguments_in_the_wrong_order(tmp_path):
    mlp = MODELS["plain"]
    with pytest.raises(InputError, match=r"mlp: expected an MLP or a multimlp.chain, got tuple"):
        files.save(tmp_path / "m", mlp.init(backend="numpy"), mlp)


def test_dtypes_without_a_code_are_refused(tmp_path):
    for array in (np.ones(2, dtype=np.complex128), np.asarray([object()]), np.asarray(["a"])):
        with pytest.raises(DTypeError, match=r"tensors\['x'\]: cannot store"):
            files.write_tensors(tmp_path / "t", {"x": array})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["__metadata__", "\ud800", 1])
def test_names_that_the_format_cannot_have_are_refused(name, tmp_path):
    with pytest.raises(InputError, match="tensors: expected names that are text other than '__metadata__'"):
        files.write_tensors(tmp_path / "a.safetensors", {name: np.ones(2)})
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize("extra", [{1: "a", "1": "b"}, {"a": [{None: 1}]}, {"a": ({"b": {2.5: 1}},)}])
def test_extra_has_text_for_keys(extra, tmp_path):
    """JSON makes text of other keys, perhaps that of another one, which would be lost."""
    mlp = mm.MLP(2, 3, 1)
    with pytest.raises(
        InputError, match="extra: only what JSON can hold can be stored: its keys are text, and"
    ):
        mm.save(tmp_path / "a.safetensors", mlp, mlp.init(seed=0), extra=extra)


def test_unwritable_places(tmp_path):
    (tmp_path / "file").write_text("")
    for path, message in (
        (tmp_path / "no" / "m", "folder .* does not exist"),
        (tmp_path / "file" / "m", "folder .* does not exist"),
        (tmp_path, "it is a folder"),
    ):
        with pytest.raises(InputError, match=f"path: cannot write .*{message}"):
            files.write_tensors(path, {"x": np.ones(2)})


def write_half(path, failure):
    with atomic.replacing(path) as beside:
        beside.write_text("half")
        raise failure


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "old"
    path.write_text("old")
    for failure, seen in ((RuntimeError(), RuntimeError), (OSError(28, "No space left"), InputError)):
        with pytest.raises(seen):
            write_half(path, failure)
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["old"]


def test_written_files_have_ordinary_permissions_and_follow_links(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "folder" / "target")
    with atomic.replacing(tmp_path / "link") as beside:
        beside.write_text("new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "folder" / "target").read_text() == "new"
    ordinary = tmp_path / "ordinary"
    ordinary.write_text("")
    assert (tmp_path / "folder" / "target").stat().st_mode == ordinary.stat().st_mode


def test_without_the_package(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "safetensors", None)
    for call in (
        lambda: files.write_tensors(tmp_path / "t", {}),
        lambda: files.read_tensors(tmp_path / "t"),
        lambda: files.load(tmp_path / "t"),
    ):
        with pytest.raises(MissingDependencyError, match=r"pip install 'multimlp\[safetensors\]'"):
            call()


# ---- damaged and hostile files


def raw(header: object, content: bytes = b"", length: int | None = None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + content


def entry(shape: list[int], start: int, stop: int, dtype: str = "F32") -> dict[str, object]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, stop]}


DAMAGED = {
    "empty": b"",
    "seven bytes": b"\0" * 7,
    "absurd header length": raw({}, length=2**63),
    "header beyond the file": raw({}, length=1000),
    "not JSON": raw(b"{nope"),
    "not an object": raw([1, 2]),
    "deeply nested": raw(b"[" * 100_000),
    "a pickle": b"\x80\x04\x95" + b"\0" * 100,
    "beyond the end": raw({"x": entry([2], 0, 8)}, b"\0" * 4),
    "overlapping": raw({"x": entry([2], 0, 8), "y": entry([2], 4, 12)}, b"\0" * 12),
    "a gap": raw({"x": entry([2], 0, 8), "y": entry([2], 12, 20)}, b"\0" * 20),
    "bytes left over": raw({"x": entry([2], 0, 8)}, b"\0" * 12),
    "shape against offsets": raw({"x": entry([3], 0, 8)}, b"\0" * 8),
    "absurd shape": raw({"x": entry([2**40, 2**40], 0, 8)}, b"\0" * 8),
    "negative shape": raw({"x": entry([-2], 0, 8)}, b"\0" * 8),
    "unknown dtype": raw({"x": entry([1], 0, 8, "OBJ")}, b"\0" * 8),
    "dtype without a NumPy type": raw({"x": entry([8], 0, 8, "F8_E4M3")}, b"\0" * 8),
    "metadata not text": raw({"__metadata__": {"a": 1}}),
}


@pytest.mark.parametrize("case", DAMAGED)
def test_damaged_files_are_refused(tmp_path, case):
    path = tmp_path / "t.safetensors"
    path.write_bytes(DAMAGED[case])
    for read in (files.read_tensors, files.load, files.load_extra):
        with pytest.raises(FileFormatError, match=r"t\.safetensors"):
            read(path)


def test_every_truncation_is_refused(tmp_path):
    path = tmp_path / "m.safetensors"
    mlp = MODELS["plain"]
    files.save(path, mlp, mlp.init(seed=0, backend="numpy"))
    whole = path.read_bytes()
    for length in [*range(0, len(whole), 37), len(whole) - 1]:
        path.write_bytes(whole[:length])
        with pytest.raises(FileFormatError):
            files.load(path, backend="numpy")


def test_a_long_header_is_refused_unread(tmp_path):
    path = tmp_path / "t"
    with path.open("wb") as file:
        file.write(struct.pack("<Q", tensorfile.MAX_HEADER_BYTES + 1))
        os.truncate(file.fileno(), tensorfile.MAX_HEADER_BYTES + 100)
    with pytest.raises(FileFormatError, match="at most"):
        files.read_tensors(path)


def test_missing_file():
    for read in (files.read_tensors, files.load, files.load_extra):
        with pytest.raises(InputError, match=r"cannot read .*no such file"):
            read("no/such/file")


SPEC = MODELS["plain"].to_spec()
GOOD = {_model.VERSION_KEY: "1", _model._MLP_KEY: json.dumps(SPEC)}


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ({}, "is not in its metadata"),
        ({**GOOD, _model.VERSION_KEY: "2"}, "format version '2'; this multimlp reads '1'"),
        ({_model.VERSION_KEY: "1"}, r"multimlp\.mlp is not JSON"),
        ({**GOOD, _model._MLP_KEY: "[" * 100_000}, "is not JSON"),
        ({**GOOD, _model._MLP_KEY: "[]"}, "is not a JSON object"),
        ({**GOOD, _model._MLP_KEY: "{}"}, r"multimlp\.mlp"),
        ({**GOOD, _model._MLP_KEY: json.dumps({**SPEC, "hidden": [-1, 4]})}, "positive integer"),
        ({**GOOD, _model._MLP_KEY: json.dumps({**SPEC, "activation": ["no", "such"]})}, r"multimlp\.mlp"),
        ({**GOOD, _model._MLP_KEY: json.dumps({**SPEC, "activation": 3})}, r"multimlp\.mlp"),
        ({**GOOD, _model._MLP_KEY: json.dumps({**SPEC, "surprise": 1})}, "surprise"),
        ({**GOOD, _model._MLP_KEY: json.dumps({**SPEC, "hidden": [5, 10**9]})}, "has shape"),
    ],
)
def test_models_of_another_kind_are_refused(tmp_path, metadata, message):
    params = MODELS["plain"].init(seed=0, backend="numpy")
    files.write_tensors(tmp_path / "m", named(params), metadata)
    with pytest.raises(FileFormatError, match=message):
        files.load(tmp_path / "m")


def test_arrays_that_do_not_belong_are_refused(tmp_path):
    params = MODELS["plain"].init(seed=0, backend="numpy")
    arrays = named(params)
    for changed, message in (
        ({**arrays, "more": np.ones(2)}, "unexpected more"),
        ({k: v for k, v in arrays.items() if k != "layers.1.bias"}, r"missing layers\.1\.bias"),
        ({**arrays, "layers.0.bias": np.ones(5)}, "float32, float64"),
        ({k: v.astype(np.int32) for k, v in arrays.items()}, "int32"),
        ({**arrays, "layers.0.weight": np.ones((2, 3, 5), np.float32)}, r"layers\.0\.bias has shape"),
    ):
        files.write_tensors(tmp_path / "m", changed, GOOD)
        with pytest.raises(FileFormatError, match=message):
            files.load(tmp_path / "m")


def test_extra_that_is_not_an_object_is_refused(tmp_path):
    params = (Dense(np.ones((1, 1)), None),)
    files.write_tensors(tmp_path / "m", named(params), {**GOOD, _model._EXTRA_KEY: "3"})
    with pytest.raises(FileFormatError, match="not a JSON object"):
        files.load_extra(tmp_path / "m")
