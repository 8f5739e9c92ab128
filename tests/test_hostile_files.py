"""Files that lie: of each format what it states and does not hold, what would run code, what would fill the memory.

Each is refused with one of the package's errors, and takes no memory out of proportion.
"""

from __future__ import annotations

import gzip
import io
import json
import pickle
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest
from damage import PIPELINE

import multimlp as mm
from multimlp import data, files
from multimlp.cli import main
from multimlp.errors import FileFormatError, InputError, MultimlpError
from multimlp.mlp import Dense

pytest.importorskip("safetensors")

MLP = mm.MLP(2, 3, 2)
PARAMS = MLP.init(seed=0, backend="numpy", dtype="float32")


class Hostile:
    """Creates a file when it is unpickled."""

    def __reduce__(self):
        return open, ("executed", "w")


def refused(read, path, says, most=32 << 20):
    """``read(path)`` raises an error that says so, runs nothing and takes little memory."""
    tracemalloc.start()
    try:
        with pytest.raises(MultimlpError, match=says or None) as raised:
            read(path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < most, f"{peak >> 20} MiB"
    assert not (path.parent / "executed").exists()
    return raised.value


# ---- .npz and .npy ----------------------------------------


def npy(array, shape=None, descr=None, trailing=b""):
    """An array in NumPy's format, with a header that may lie."""
    file = io.BytesIO()
    header = {
        "shape": array.shape if shape is None else shape,
        "fortran_order": False,
        "descr": descr or np.lib.format.dtype_to_descr(array.dtype),
    }
    np.lib.format.write_array_header_1_0(file, header)
    return file.getvalue() + array.tobytes() + trailing


def zipped(entries, compress=zipfile.ZIP_STORED):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compress) as archive:
        for name, content in entries:
            archive.writestr(name, content)
    return file.getvalue()


def encrypted(content):
    """The same archive with the flag of a password in both places."""
    changed = bytearray(content)
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = content.find(signature)
        while at >= 0:
            changed[at + offset] |= 1
            at = content.find(signature, at + 1)
    return bytes(changed)


X, Y = np.ones((4, 2)), np.arange(4) % 2
GOOD = [("X.npy", npy(X)), ("y.npy", npy(Y))]
NPZ = {
    "states more than it holds": (
        zipped([("X.npy", npy(X, (1 << 40, 2))), GOOD[1]]),
        "states .* and 64 are there",
    ),
    "states less": (zipped([("X.npy", npy(X, (1, 2))), GOOD[1]]), "states 16 bytes"),
    "a size beyond all": (zipped([("X.npy", npy(X, (1 << 62, 1 << 62))), GOOD[1]]), "states"),
    "negative": (zipped([("X.npy", npy(X, (-4, -2))), GOOD[1]]), "shape|negative"),
    "texts of no length": (
        zipped([*GOOD, ("feature_names.npy", npy(np.empty(0, "U1"), (1 << 60,), "<U0"))]),
        "dtype",
    ),
    "characters that do not exist": (
        zipped([*GOOD, ("feature_names.npy", npy(np.full(2, 2**31, "<u4"), (2,), "<U1"))]),
        "characters that do not exist",
    ),
    "half characters": (
        zipped([*GOOD, ("feature_names.npy", npy(np.full(2, 0xD800, "<u4"), (2,), "<U1"))]),
        "characters that do not exist",
    ),
    "a bomb": (
        zipped([("X.npy", npy(np.zeros((1 << 24, 1)))), GOOD[1]], zipfile.ZIP_DEFLATED),
        "unpack to .* are not unpacked",
    ),
    "encrypted": (encrypted(zipped(GOOD)), "encrypted"),
    "two of one name": (zipped([*GOOD, GOOD[0]]), "two entries of one name"),
    "objects": (
        zipped([("X.npy", npy(np.frombuffer(pickle.dumps(Hostile()), "u1"), (1,), "|O")), GOOD[1]]),
        "Python objects",
    ),
    "records": (zipped([("X.npy", npy(np.ones(4, [("a", "f8")]))), GOOD[1]]), "dtype"),
    "a header that is no header": (
        zipped([("X.npy", b"\x93NUMPY\x01\x00\x10\x00" + b"(" * 16), GOOD[1]]),
        "npz",
    ),
    "nested names": (
        zipped([*GOOD, ("feature_names.npy", npy(np.asarray([["a", "b"]])))]),
        "one different name for each",
    ),
    "cut": (zipped(GOOD)[:-40], "no zip archive"),
    "no archive": (b"PK\x03\x04" + b"\0" * 100, "no zip archive"),
    "bytes that are no text": (zipped([GOOD[0], ("y.npy", npy(np.asarray([b"\xff", b"a"] * 2)))]), "UTF-8"),
}


@pytest.mark.parametrize("case", NPZ)
def test_archives_of_arrays(tmp_path, monkeypatch, case):
    monkeypatch.chdir(tmp_path)
    content, says = NPZ[case]
    (tmp_path / "t.npz").write_bytes(content)
    error = refused(data.read_table, tmp_path / "t.npz", says)
    assert isinstance(error, InputError)
    if "y" not in case and "feature" not in says:
        (tmp_path / "t.params").write_bytes(content)
        with pytest.raises(MultimlpError, match=r"t\.params"):
            mm.interop.gluon.from_gluon(tmp_path / "t.params")


def test_arrays_in_files_of_their_own(tmp_path):
    np.save(tmp_path / "y.npy", Y)
    for content, says in (
        (npy(X, (1 << 50, 2)), "states"),
        (npy(X, trailing=b"more"), "and 68 are there"),
        (npy(X)[:40], "npy"),
        (b"", "empty"),
        (b"\x93NUMPY\x09\x00", "version"),
    ):
        (tmp_path / "X.npy").write_bytes(content)
        refused(data.read_table, tmp_path / "X.npy", says)


def test_what_packs_well_is_still_read(tmp_path):
    """One in a hundred thousand cells is set: 1000 to 1, and within what any file may become."""
    X = np.zeros((100_000, 10), dtype=np.float32)
    X[0, 0] = 1
    np.savez_compressed(tmp_path / "t.npz", X=X, y=np.arange(len(X)) % 2, feature_names=list("abcdefghij"))
    np.testing.assert_array_equal(data.read_table(tmp_path / "t.npz").X, X)
    np.save(tmp_path / "X.npy", np.asfortranarray(X[:, :3], dtype=">f4"))
    np.save(tmp_path / "y.npy", np.arange(len(X)) % 2)
    np.testing.assert_array_equal(data.read_table(tmp_path / "X.npy").X, X[:, :3])


def test_images_that_unpack_to_much_or_have_impossible_axes(tmp_path):
    for axes in ((0, *[2**32 - 1] * 3), (1,) * 100, (0,) * 70):
        (tmp_path / "a").write_bytes(
            bytes([0, 0, 8, len(axes)]) + struct.pack(f">{len(axes)}I", *axes) + b"x" * (0 not in axes)
        )
        refused(data.read_idx, tmp_path / "a", "no arrays of")
    with gzip.open(tmp_path / "a.gz", "wb") as file:
        file.write(bytes([0, 0, 8, 1]) + struct.pack(">I", 100 << 20) + bytes(100 << 20))
    refused(data.read_idx, tmp_path / "a.gz", "at most 67108864 are read")


# ---- tables ----------------------------------------

TABLES = {
    "an underscore in a number": (
        "a,y\n1,0.5\n2024_01,1.5\n3,2\n",
        {},
        "column 'a', row 2: '2024_01' is not a number",
    ),
    "a missing text target": ("a,y\n1,x\n2,\n3,z\n", {}, "target in row 2 is ''"),
    "a text target that says nan": ("a,y\n1,x\n2,NaN\n3,z\n", {}, "target in row 2 is 'NaN'"),
    "a label beyond 64 bits": (
        f"a,y\n1,{2**64 + 1}\n2,{2**64 + 3}\n3,{2**64 + 1}\n4,{2**64 + 3}\n",
        {},
        "target in row 1, 18446744073709551617, is a whole number beyond 64 bits",
    ),
    "large labels as fractions": (
        f"a,y\n1,{2**53}.0\n2,{2**53 + 2}.0\n3,{2**53}.0\n4,{2**53 + 2}.0\n",
        {},
        "label 9007199254740994 is too large for float64",
    ),
    "NUL": ("a,y\n1,x\n2,y\0z\n", {}, "line 3 has a NUL"),
    "UTF-16": ("a,y\n1,2\n3,4\n".encode("utf-16-le"), {}, "line 1 has a NUL .* UTF-16"),
    "Latin-1": ("a,y\n1,é\n2,b\n".encode("latin-1"), {}, "not text in UTF-8"),
    "a huge field": ("a,y\n1,x\n2," + "z" * 200_000 + "\n", {}, r"field larger .*|line 3"),
    "a line without an end": ("a,y\n" + "1," * (9 << 20), {}, "line 2 has more than"),
    "many columns of one name": ("," * 100_000 + "\n1\n", {}, "more than one column is called ''"),
    "a number of 5000 digits": (
        "a,y\n1,2\n" + "9" * 5000 + ",3\n4,5\n",
        {},
        "column 'a' has 1 missing or infinite",
    ),
    "a target of 5000 digits": (
        "a,y\n1,2\n3," + "9" * 5000 + "\n4,5\n",
        {},
        "the target has 1 missing or infinite",
    ),
}


@pytest.mark.parametrize("case", TABLES)
def test_tables(tmp_path, case):
    content, options, says = TABLES[case]
    path = tmp_path / "t.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    refused(lambda where: data.read_table(where, **options), path, says, most=200 << 20)


def test_labels_above_the_whole_numbers_of_float64_stay_apart(tmp_path):
    for first, second in ((2**53, 2**53 + 1), (2**63, 2**63 + 1), (-(2**53) - 1, -(2**53))):
        (tmp_path / "t.csv").write_text(
            "a,y\n" + "".join(f"{i},{(first, second)[i % 2]}\n" for i in range(6))
        )
        found = data.read_table(tmp_path / "t.csv")
        assert found.classes == (first, second)
        assert found.y.tolist() == [0, 1] * 3
    (tmp_path / "t.csv").write_text(f"a,y\n1,{10**20}\n2,{3 * 10**20}\n3,5\n")
    assert data.read_table(tmp_path / "t.csv", task="regression").y.tolist() == pytest.approx([1e20, 3e20, 5])


def test_one_long_label_among_many_takes_its_own_length(tmp_path):
    (tmp_path / "t.csv").write_text("a,y\n" + "1,x\n" * 2000 + "2," + "z" * 100_000 + "\n")
    tracemalloc.start()
    found = data.read_table(tmp_path / "t.csv")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert [len(label) for label in found.classes] == [1, 100_000]
    assert peak < 32 << 20


def test_an_empty_line_among_rows_of_one_column_is_a_missing_value(tmp_path):
    """Passed over, it would move all predictions after it up by a row."""
    (tmp_path / "t.csv").write_text("a\n1\n\n3\n")
    refused(lambda path: data.read_features(path, ["a"]), tmp_path / "t.csv", "line 3 is empty")
    (tmp_path / "t.csv").write_text("\na\n1\n3\n\n\n")
    assert data.read_features(tmp_path / "t.csv", ["a"])[0].tolist() == [[1], [3]]


def test_underscores_in_names_and_labels_are_text(tmp_path):
    (tmp_path / "t.csv").write_text("a_1,y\n1,x_1\n2,x_2\n3,x_1\n4,x_2\n")
    found = data.read_table(tmp_path / "t.csv")
    assert (found.feature_names, found.classes) == (("a_1",), ("x_1", "x_2"))


# ---- models of our own ----------------------------------------

LIES = {
    "no task": ({"task": "ranking"}, "task: expected"),
    "a name too few": ({"feature_names": ["a"]}, "1 feature_names, 2 means"),
    "names of one text": ({"feature_names": "ab"}, "feature_names: expected a list"),
    "names that are numbers": ({"feature_names": [1, 2]}, "feature_names: expected a list"),
    "a name twice": ({"feature_names": ["a", "a"]}, "two columns have one name"),
    "a class too many": ({"classes": ["x", "y", "z"]}, "network has 2 outputs, .* has 3"),
    "one class": ({"classes": ["x"]}, "at least two"),
    "a class twice": ({"classes": ["x", "x"]}, "different labels"),
    "classes of two kinds": ({"classes": ["x", 1]}, "all texts or all whole"),
    "classes that are lists": ({"classes": [["x"], ["y"]]}, "classes: expected"),
    "classes in one text": ({"classes": "xy"}, "classes: expected"),
    "half characters": ({"classes": ["x", "\ud800"]}, "do not exist"),
    "no classes": ({"classes": None}, "classification with no classes"),
    "classes of a regression": ({"task": "regression"}, "regression with a list"),
    "no such loss": ({"loss": {"name": "none", "options": {}}}, "loss: unknown name"),
    "a loss of numbers": ({"loss": {"name": "mse", "options": {}}}, "does not decide"),
    "a loss of one output": ({"loss": {"name": "binary_cross_entropy", "options": {}}}, "has 1"),
    "a loss of no kind": ({"loss": 3}, "loss"),
    "an infinite scale": (
        {"inputs": {"mean": [0.0, 0.0], "scale": [1.0, float("inf")]}},
        "scale of column 1 is inf",
    ),
    "a scale of 0": ({"inputs": {"mean": [0.0, 0.0], "scale": [0.0, 1.0]}}, "scale of column 0 is 0"),
    "a scale of NaN": (
        {"inputs": {"mean": [0.0, 0.0], "scale": [float("nan"), 1.0]}},
        "scale of column 0 is nan",
    ),
    "a negative scale": ({"inputs": {"mean": [0.0, 0.0], "scale": [-1.0, 1.0]}}, "scale of column 0"),
    "a mean of NaN": ({"inputs": {"mean": [0.0, float("nan")], "scale": [1.0, 1.0]}}, "finite means"),
    "a mean beyond float64": ({"inputs": {"mean": [0, 10**400], "scale": [1, 1]}}, "beyond float64"),
    "a scale too few": ({"inputs": {"mean": [0.0, 0.0], "scale": [1.0]}}, "as many finite means"),
    "means that are texts": (
        {"inputs": {"mean": ["0", "0"], "scale": [1.0, 1.0]}},
        "'mean' is no list of numbers",
    ),
    "means of means": (
        {"inputs": {"mean": [[0.0, 0.0]], "scale": [1.0, 1.0]}},
        "'mean' is no list of numbers",
    ),
    "no inputs": ({"inputs": None}, "'mean' is no list of numbers"),
    "targets of classes": ({"targets": {"mean": [0.0], "scale": [1.0]}}, "targets: "),
}


@pytest.mark.parametrize("case", LIES)
def test_what_prepares_the_inputs_lies(tmp_path, monkeypatch, capsys, case):
    monkeypatch.chdir(tmp_path)
    changes, says = LIES[case]
    files.save("m.safetensors", MLP, PARAMS, {**PIPELINE, **changes})
    (tmp_path / "new.csv").write_text("a,b\n1,2\n")
    for arguments in (
        ["predict", "m.safetensors", "new.csv", "--backend", "numpy", "-o", "out.csv"],
        ["export", "m.safetensors", "--to", "gluon", "-o", "m.params"],
    ):
        assert main(arguments) == 2
        error = capsys.readouterr().err
        assert "'m.safetensors'" in error
        assert error.count("\n") == 1
        assert says.split(".*")[0] in error
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m.safetensors", "new.csv"]


@pytest.mark.parametrize(
    "extra", [{"pipeline": 3}, {"classes": 7}, {"task": ["x"]}, {"classes": [[1], [2, 3]]}]
)
def test_what_goes_with_a_model_makes_no_sense(tmp_path, monkeypatch, capsys, extra):
    monkeypatch.chdir(tmp_path)
    files.save("m.safetensors", MLP, PARAMS, extra)
    assert main(["export", "m.safetensors", "--to", "gluon", "-o", "m.params"]) == 2
    assert "'m.safetensors'" in capsys.readouterr().err


def test_predict_takes_no_ensemble(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    files.save("m.safetensors", MLP, MLP.init(seed=range(3), backend="numpy"), PIPELINE)
    (tmp_path / "new.csv").write_text("a,b\n1,2\n")
    assert main(["predict", "m.safetensors", "new.csv"]) == 2
    assert "ensemble of 3" in capsys.readouterr().err


@pytest.mark.parametrize(
    "changes",
    [
        {"dropout": 10**400},
        {"dropout": "x"},
        {"dropout": None},
        {"in_features": 10**400},
        {"activation": [{"name": "elu", "alpha": 10**400}]},
        {"activation": [{"name": "elu", "alpha": None}]},
        {"activation": [{"name": []}]},
        {"activation": [[]]},
        {"activation": {"name": "relu", "learnable": 7}},
        {"final_activation": {"name": "softmax", "axis": {}}},
        {"kernel_init": {"name": "normal", "options": []}},
        {"kernel_init": True},
        {"hidden": {"a": 1}},
        {"use_bias": "no"},
    ],
    ids=str,
)
def test_an_architecture_that_is_none(tmp_path, changes):
    spec = {**MLP.to_spec(), **changes}
    metadata = {"multimlp.format_version": "1", "multimlp.mlp": json.dumps(spec)}
    named = {
        f"layers.{i}.{part}": array
        for i, layer in enumerate(PARAMS)
        for part, array in layer._asdict().items()
    }
    files.write_tensors(tmp_path / "m.safetensors", named, metadata)
    refused(files.load, tmp_path / "m.safetensors", r"m\.safetensors")


def test_an_ensemble_of_nobody(tmp_path):
    params = tuple(
        Dense(np.ones((0, *shape), np.float32), np.ones((0, shape[1]), np.float32))
        for shape in ((2, 3), (3, 2))
    )
    metadata = {"multimlp.format_version": "1", "multimlp.mlp": json.dumps(MLP.to_spec())}
    named = {f"layers.{i}.{p}": a for i, layer in enumerate(params) for p, a in layer._asdict().items()}
    files.write_tensors(tmp_path / "m.safetensors", named, metadata)
    refused(files.load, tmp_path / "m.safetensors", "no member")


# ---- models of other libraries ----------------------------------------


def test_torch_files(tmp_path, monkeypatch):
    torch = pytest.importorskip("torch")
    from multimlp.interop.torch import from_state_dict, read_state

    monkeypatch.chdir(tmp_path)
    path = tmp_path / "m.pt"
    weight, one = torch.ones(2, 2), torch.ones(1)
    many = {f"{i}.weight": torch.ones(1 << 20) for i in range(1)}
    states = {
        "empty": ({}, "found nothing"),
        "sparse": ({"0.weight": weight.to_sparse()}, "'0.weight' is a sparse_coo tensor"),
        "compressed": ({"0.weight": weight.to_sparse_csr()}, "'0.weight' is a sparse_csr tensor"),
        "meta": ({"0.weight": weight.to("meta")}, "'0.weight' is a meta tensor"),
        "8 bits": ({"0.weight": weight.to(torch.float8_e4m3fn)}, "float8_e4m3fn"),
        "complex": ({"0.weight": weight * 1j}, "complex64"),
        "integers": ({"0.weight": weight.long()}, "int64"),
        "three axes": ({"0.weight": torch.ones(2, 2, 2)}, "'0.weight' of shape .2, 2, 2. has no bias"),
        "four axes": ({"0.weight": torch.ones(2, 2, 2, 2)}, "found '0.weight'"),
        "members of two kinds": (
            {"0.weight": torch.ones(2, 2, 2), "0.bias": torch.ones(3, 1, 2)},
            "does not fit together",
        ),
        "no rows": ({"0.weight": torch.ones(0, 2)}, "none of them empty"),
        "two dtypes": (
            {"0.weight": weight, "0.bias": torch.ones(2).double()},
            "float32 and float64; say which",
        ),
        "16 bits and 32": ({"0.weight": weight.bfloat16(), "0.bias": torch.ones(2)}, "bfloat16 and float32"),
        "a number as a name": ({0: weight}, "0 is Tensor"),
        "a list": ([weight], "holds list"),
        "more than weights": ({"state": {"0.weight": weight}, "epoch": 3}, "'state' is dict"),
        "one number seen as many": ({"0.weight": one.expand(1 << 15, 1 << 15)}, "views that take"),
        "one tensor seen often": (
            many | {f"{i}.weight": many["0.weight"] for i in range(1, 40)},
            "views that take",
        ),
    }
    for state, says in states.values():
        torch.save(state, path)
        refused(lambda where: from_state_dict(read_state(where)), path, says)
    torch.save({"0.weight": weight}, path)
    good = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        entries = [(name, archive.read(name)) for name in archive.namelist()]
    for content, says in (
        (good[: len(good) // 2], "state_dict"),
        (encrypted(good), "encrypted"),
        (pickle.dumps(Hostile()), "state_dict"),
        (
            zipped([(n, pickle.dumps(Hostile()) if n.endswith("data.pkl") else c) for n, c in entries]),
            "state_dict",
        ),
        (zipped([*entries, ("archive/bomb", bytes(80 << 20))], zipfile.ZIP_DEFLATED), "unpack"),
        (b"", "state_dict"),
    ):
        path.write_bytes(content)
        refused(read_state, path, says, most=200 << 20)


def test_states_in_memory_and_models_of_two_dtypes():
    torch = pytest.importorskip("torch")
    from multimlp.interop.torch import from_state_dict, from_torch

    with pytest.raises(InputError, match="'0.weight' is a sparse_coo"):
        from_state_dict({"0.weight": torch.ones(2, 2).to_sparse()})
    model = torch.nn.Sequential(torch.nn.Linear(2, 2).bfloat16(), torch.nn.Linear(2, 2).double())
    with pytest.raises(InputError, match="mixes the dtypes bfloat16 and float64"):
        from_torch(model)
    assert from_torch(model, dtype="float32")[1][0].weight.dtype == torch.float32


def test_safetensors_of_a_torch_state(tmp_path):
    pytest.importorskip("torch")
    from multimlp.interop.torch import from_state_dict, read_state

    path = tmp_path / "m.safetensors"
    for tensors, says in (
        ({"0.weight": np.ones((2, 2), np.int64)}, "int64"),
        ({"0.weight": np.ones((2, 2)), "0.bias": np.ones(3)}, "does not fit together"),
        ({}, "found nothing"),
    ):
        files.write_tensors(path, tensors)
        refused(lambda where: from_state_dict(read_state(where)), path, says)


def test_flax_files(tmp_path):
    serialization = pytest.importorskip("flax.serialization")
    from multimlp.interop.flax import from_variables, read_variables

    path = tmp_path / "m.msgpack"
    array = np.ones((2, 2), np.float32)
    for variables, says in (
        ({"params": 3}, "variables: expected"),
        ({"params": {"a": 3}}, "variables: expected"),
        ({"params": {"a": {"kernel": None}}}, "'a.kernel' is NoneType"),
        ({"params": {"a": {"kernel": 3.0}}}, "'a.kernel' is float"),
        ({"params": {"a": {"kernel": array.astype(complex)}}}, "complex128"),
        ({"params": {"a": {"kernel": array.astype(int)}}}, "int64"),
        ({"params": {"a": {"kernel": array[0]}}}, "found 'a.kernel'"),
        ({"params": {}}, "found nothing"),
        ({}, "found nothing"),
        ([1], "not Flax variables"),
    ):
        path.write_bytes(serialization.msgpack_serialize(variables))
        refused(lambda where: from_variables(read_variables(where)), path, says)
    good = serialization.msgpack_serialize({"params": {"a": {"kernel": array}}})
    for content in (
        b"",
        good[:-3],
        b"\x81\xa1a" * 5000,
        b"\xdf\xff\xff\xff\xff",
        b"\x81\x01\x02",
        b"\xc7\x04\x01\x93\x90\xa1O",
    ):
        path.write_bytes(content)
        refused(lambda where: from_variables(read_variables(where)), path, "")


def test_equinox_files(tmp_path):
    """Arrays of NumPy's format, one after the other."""
    pytest.importorskip("equinox")
    from multimlp.interop.equinox import from_leaves, read_leaves

    def saved(*arrays):
        file = io.BytesIO()
        for array in arrays:
            np.save(file, array)
        return file.getvalue()

    path, weight = tmp_path / "m.eqx", np.ones((3, 4))
    good = saved(weight, np.ones(3))
    huge = good.replace(b"(3, 4), }", b"(3, 40000000), }")[: len(good)]
    for content, says in (
        (b"", "found nothing"),
        (b"PK", "is no sequence of plain arrays"),
        (good[:-1], "states 24 bytes"),
        (good + b"x", "is no sequence of plain arrays"),
        (huge, "is no sequence of plain arrays|states 960000000 bytes"),
        (saved(np.asarray([None])), "Python objects"),
        (saved(np.ones((2, 3, 4))), "'0.weight' of shape .2, 3, 4. has no bias"),
        (saved(np.ones((2, 3, 4, 5))), "found '0'"),
        (saved(weight, np.ones(3), np.ones(3)), "found '2'"),
        (saved(weight, np.float64(0.5)), "found '1'"),
        (saved(weight.astype(complex)), "complex128"),
        (saved(weight, np.ones(2)), "shape"),
    ):
        path.write_bytes(content)
        refused(lambda where: from_leaves(read_leaves(where)), path, says)


def test_onnx_files(tmp_path):
    onnx = pytest.importorskip("onnx")
    from multimlp.interop.onnx import from_onnx, to_onnx

    path = tmp_path / "m.onnx"

    def changed(change):
        model = onnx.ModelProto()
        model.CopyFrom(to_onnx(MLP, PARAMS))
        change(model.graph)
        return model

    def weight_dims(graph):
        graph.initializer[0].dims[:] = [1 << 40, 1 << 20]

    def weight_kind(graph):
        graph.initializer[0].data_type = onnx.TensorProto.INT4

    def weight_axes(graph):
        graph.initializer[0].dims[:] = [1, 2, 3]

    def elsewhere(graph):
        graph.initializer[0].ClearField("raw_data")
        graph.initializer[0].data_location = onnx.TensorProto.EXTERNAL
        entry = graph.initializer[0].external_data.add()
        entry.key, entry.value = "location", "/etc/passwd"

    def foreign(graph):
        graph.node[0].domain = "ai.onnx.ml"

    def few_inputs(graph):
        del graph.node[0].input[1:]

    def no_output(graph):
        del graph.node[0].output[:]

    def circle(graph):
        graph.node[1].output[0] = graph.node[0].input[0]

    def options(graph):
        graph.node[1].op_type = "Elu"
        graph.node[1].attribute.append(onnx.helper.make_attribute("alpha", "x"))

    def divided_by_itself(graph):
        graph.node[0].op_type = "MatMul"
        del graph.node[0].input[2:]
        graph.node[1].op_type = "Div"
        graph.node[1].input.append(graph.node[1].input[0])

    for change, says in (
        (weight_dims, "tensor 'layers.0.weight' cannot be read|onnx"),
        (weight_kind, "no floating-point numbers"),
        (weight_axes, "expected 2 axes"),
        (elsewhere, "stored in another file|external"),
        (foreign, r"ai\.onnx\.ml"),
        (few_inputs, "not well formed|onnx"),
        (no_output, "not well formed|onnx"),
        (circle, "in a circle|onnx"),
        (options, "alpha|onnx"),
        (divided_by_itself, "cannot convert the layer Div"),
    ):
        model = changed(change)
        refused(lambda _, model=model: from_onnx(model), path, "")
        path.write_bytes(model.SerializeToString())
        refused(from_onnx, path, says)
    good = changed(lambda graph: None).SerializeToString()
    for content in (b"", good[:50], b"\x0a" * 100, b"\xff" * 10):
        path.write_bytes(content)
        refused(from_onnx, path, "")


@pytest.mark.slow
def test_keras_files_of_functional_models(tmp_path):
    keras = pytest.importorskip("keras")
    from multimlp.interop.keras import from_keras

    path = tmp_path / "m.keras"
    inputs = keras.Input((4,))
    hidden = keras.layers.Dense(4, "relu")(keras.layers.Rescaling(2.0)(inputs))
    summed = keras.layers.Add()([hidden, keras.layers.Dense(4)(hidden)]) * 0.5
    outputs = keras.layers.Dense(1)(keras.Sequential([keras.layers.Dense(3)])(summed))
    keras.Model(inputs, outputs).save(path)
    assert from_keras(path)[0].in_features == 4
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}

    def config(change):
        value = json.loads(parts["config.json"])
        change({layer["name"]: layer for layer in value["config"]["layers"]}, value["config"]["layers"])
        return {**parts, "config.json": json.dumps(value).encode()}

    def wide(layers, order):
        """The last layer first takes what comes out of a layer that is as wide as can be."""
        layers[order[-1]["name"]]["inbound_nodes"].append(layers[order[1]["name"]]["inbound_nodes"][0])

    kinds = {
        layer["class_name"]: layer["name"] for layer in json.loads(parts["config.json"])["config"]["layers"]
    }
    cases = (
        (config(lambda layers, order: order[-1]["config"].update(units=10**9)), "numbers, and there are"),
        (config(lambda layers, order: order[0]["config"].update(batch_shape=[None, 10**9])), "takes 4 inputs"),
        (config(lambda layers, order: order.insert(0, order.pop())), "cannot be read"),
        (config(wide), "takes inputs of the shapes"),
        (config(lambda layers, order: layers[kinds["Multiply"]].update(class_name="Einsum")), "not Keras's own"),
        (config(lambda layers, order: layers[kinds["Multiply"]].update(registered_name="evil")), "not Keras's own"),
        (config(lambda layers, order: layers[kinds["Add"]].update(class_name="Dot")), "cannot convert the layer Dot"),
        (
            config(lambda layers, order: layers[kinds["Sequential"]]["config"]["layers"][-1]["config"].update(units=10**9)),
            "numbers, and there are|inputs",
        ),
    )  # fmt: skip
    for changed, says in cases:
        path.write_bytes(zipped(changed.items()))
        refused(from_keras, path, says)


def test_a_long_chain_is_read_in_a_moment(tmp_path):
    onnx = pytest.importorskip("onnx")
    from multimlp.interop.onnx import from_onnx, to_onnx

    model = to_onnx(MLP, PARAMS)
    last = model.graph.node[-1]
    for i in range(20_000):
        model.graph.node.append(onnx.helper.make_node("Dropout", [last.output[0]], [f"d{i}"]))
        last = model.graph.node[-1]
    model.graph.output[0].name = last.output[0]
    assert from_onnx(model)[0] == MLP


def gluon_array(shape=(1, 2), values=b"\0" * 8, names=(b"0.weight",), count=1):
    return (
        struct.pack("<QQQ", 0x112, 0, count)
        + struct.pack(f"<IiI{len(shape)}q", 0xF993FAC9, 0, len(shape), *shape)
        + struct.pack("<iii", 1, 0, 0)
        + values
        + struct.pack("<Q", len(names))
        + b"".join(struct.pack("<Q", len(name)) + name for name in names)
    )


@pytest.mark.parametrize(
    "content",
    [
        gluon_array((1 << 40, 1 << 40)),
        gluon_array((-1, -2)),
        gluon_array((0, 1 << 62), b""),
        gluon_array(names=(b"\xff",)),
        gluon_array(names=()),
        gluon_array(count=1 << 60),
        gluon_array((1,) * 32, b"\0" * 4),
        gluon_array(names=(b"0.bias",)),
        b"",
    ],
)
def test_gluon_files(tmp_path, content):
    (tmp_path / "m.params").write_bytes(content)
    refused(mm.interop.gluon.from_gluon, tmp_path / "m.params", r"m\.params")


def test_sklearn_files(tmp_path):
    pytest.importorskip("sklearn")
    from multimlp.interop import sklearn as interop

    path = tmp_path / "m.npz"
    classifier = interop.to_sklearn(MLP, PARAMS)
    interop.write_npz(path, classifier)
    with np.load(path) as archive:
        good = dict(archive)

    def description(**changes):
        return np.asarray(json.dumps({**json.loads(str(good["description"])), **changes}))

    for changes, says in (
        ({"description": None}, "no array 'description'"),
        ({"description": np.asarray("[" * 5000)}, "is no model"),
        ({"description": np.asarray("3")}, "no JSON object|not a JSON object"),
        ({"description": np.ones((2, 2))}, "is no model"),
        ({"description": description(activation=[])}, "is no model"),
        ({"description": description(activation="gelu")}, "activation 'gelu'"),
        ({"description": description(task=3)}, "task"),
        ({"coefs_1": None}, "coefs_1|fit together|classes"),
        ({"intercepts_0": None}, "no array 'intercepts_0'"),
        ({"intercepts_0": np.ones(7, np.float32)}, "does not fit together"),
        ({"coefs_0": np.ones(3, np.float32)}, "expected 2 axes"),
        ({"coefs_0": np.ones((2, 3), int)}, "dtype int64"),
        ({"coefs_0": np.full((2, 3), "a")}, "dtype"),
        ({"classes": None}, "classes"),
        ({"classes": np.asarray([1, 1])}, "different labels"),
        ({"classes": np.arange(5)}, "different labels"),
        ({"classes": np.ones((2, 2))}, "different labels"),
    ):
        arrays = {name: value for name, value in {**good, **changes}.items() if value is not None}
        np.savez(path, **arrays)
        error = refused(interop.read_npz, path, says)
        assert isinstance(error, FileFormatError)


@pytest.mark.slow
def test_keras_files(tmp_path):
    keras = pytest.importorskip("keras")
    h5py = pytest.importorskip("h5py")
    from multimlp.interop.keras import from_keras, to_keras

    path = tmp_path / "m.keras"
    to_keras(
        mm.MLP(2, 3, 2, activation="prelu", dropout=0.1), mm.MLP(2, 3, 2, activation="prelu").init(seed=0)
    ).save(path)
    assert from_keras(path)[0].hidden == (3,)
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}

    def config(change):
        value = json.loads(parts["config.json"])
        change(value, value["config"]["layers"])
        return {**parts, "config.json": json.dumps(value).encode()}

    def weights(change):
        file = io.BytesIO(parts["model.weights.h5"])
        with h5py.File(file, "r+") as opened:
            change(opened)
        return {**parts, "model.weights.h5": file.getvalue()}

    def replaced(make):
        def change(opened):
            del opened["layers/dense/vars/0"]
            make(opened)

        return weights(change)

    place, downloading = "layers/dense/vars/0", {"module": "keras.utils", "class_name": "get_file"}
    cases = (
        (config(lambda c, layers: layers[1]["config"].update(units=10**9)), "numbers, and there are|inputs"),
        (config(lambda c, layers: layers[-1]["config"].update(units=10**9)), "numbers, and there are"),
        (config(lambda c, layers: layers[-1]["config"].update(units=-1)), "-1 units"),
        (config(lambda c, layers: layers[1]["build_config"].update(input_shape=[None, 10**9])), "takes 1000000000 inputs"),
        (config(lambda c, layers: layers[1].update(class_name="Embedding")), "Embedding"),
        (config(lambda c, layers: layers[1].update(class_name="Lambda")), "Lambda"),
        (config(lambda c, layers: layers[1].update(module="os", class_name="system")), "os.system"),
        (config(lambda c, layers: layers[1].update(registered_name="evil>Dense")), "not Keras's own"),
        (config(lambda c, layers: layers[1]["config"].update(kernel_initializer=downloading)), "get_file"),
        (config(lambda c, layers: c.update(class_name="Functional")), "cannot be read"),
        (config(lambda c, layers: c.update(config=3)), "cannot be read"),
        (config(lambda c, layers: layers.insert(0, 3)), "cannot be read"),
        ({**parts, "config.json": b"[" * 100_000}, "cannot be read"),
        ({**parts, "config.json": b"{}"}, "expected keras.Sequential"),
        ({**parts, "assets/../../x": b"x"}, "expected an archive of"),
        ({**parts, "model.weights.h5": b"nonsense"}, "cannot be read"),
        ({**parts, "model.weights.h5": parts["model.weights.h5"][:4000]}, "cannot be read"),
        (replaced(lambda f: f.create_dataset(place, (10**6, 10**6), "f4", chunks=(10, 10))), "unpack to more than"),
        (replaced(lambda f: f.__setitem__(place, h5py.ExternalLink("other.h5", "/x"))), "a link to somewhere else"),
        (replaced(lambda f: f.__setitem__(place, h5py.SoftLink("/layers/dense/vars/1"))), "a link to somewhere else"),
        (replaced(lambda f: f.create_dataset(place, (2, 3), "f4", external=[("/etc/passwd", 0, 24)])), "no numbers of their own"),
    )  # fmt: skip
    for changed, says in cases:
        path.write_bytes(zipped(changed.items()))
        refused(from_keras, path, says)
    path.write_bytes(zipped([*parts.items(), ("config.json", b"{}")]))
    refused(from_keras, path, "two entries")
    path.write_bytes(encrypted(zipped(parts.items())))
    refused(from_keras, path, "encrypted")
    keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]).save(tmp_path / "m.h5")
    refused(from_keras, tmp_path / "m.h5", r"does not end in \.keras")


# ---- reports ----------------------------------------

REPORT = {
    "multimlp_parity": 1,
    "versions": {"torch": "2"},
    "settings": {},
    "rows": [],
    "special": [],
    "grids": {},
    "results": {},
}
ROW = {
    **dict.fromkeys(("function", "family", "aspect", "backend", "device", "dtype", "mode"), "x"),
    **dict.fromkeys(("worst_error_in_k", "limit_in_k", "worst_ulp", "at"), 1.0),
    "passed": True,
}


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        "3",
        json.dumps({**REPORT, "versions": []}),
        json.dumps({**REPORT, "versions": {"torch": 2}}),
        json.dumps({**REPORT, "settings": {"compilers": 3}}),
        json.dumps({**REPORT, "settings": {"compilers": {"torch": [[]]}}}),
        json.dumps({**REPORT, "rows": [{**ROW, "backend": 3}]}),
        json.dumps({**REPORT, "rows": [{**ROW, "passed": "yes"}]}),
        json.dumps({**REPORT, "rows": [3]}),
        json.dumps({**REPORT, "results": {"a|b": ""}}),
        json.dumps(
            {**REPORT, "results": {"f|value|float32|torch": "AAAAAAAA8D8="}, "grids": {"f|float32": ""}}
        ),
        json.dumps({**REPORT, "results": {"f|value|float32|torch": ""}, "grids": {"f|float32": ""}}),
    ],
)
def test_reports(tmp_path, capsys, text):
    (tmp_path / "r.json").write_text(text)
    assert main(["parity", "--against", str(tmp_path / "r.json")]) == 2
    error = capsys.readouterr().err
    assert "r.json" in error
    assert error.count("\n") == 1
