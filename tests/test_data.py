"""Data sets: what the bundled ones hold, what bad files say, that splitting and scaling do as stated."""

from __future__ import annotations

import dataclasses
import gzip
import hashlib
import json
import struct
import urllib.error
from pathlib import Path

import numpy as np
import pytest

from multimlp import data
from multimlp.data import _images
from multimlp.errors import DataError, InputError, ShapeError

# ---- bundled


@pytest.mark.parametrize(
    ("name", "shape", "classes"),
    [
        ("digits", (1797, 64), 10),
        ("iris", (150, 4), 3),
        ("wine", (178, 13), 3),
        ("breast_cancer", (569, 30), 2),
        ("diabetes", (442, 10), None),
    ],
)
def test_bundled_sets_equal_scikit_learns(name, shape, classes):
    datasets = pytest.importorskip("sklearn.datasets")
    found = data.load(name)
    X, y = getattr(datasets, f"load_{name}")(return_X_y=True)
    assert found.X.shape == shape
    assert found.X.dtype == np.float32
    np.testing.assert_array_equal(found.X, X.astype(np.float32))
    np.testing.assert_array_equal(found.y, y)
    assert len(found.feature_names) == shape[1]
    assert (found.classes is None) == (found.task == "regression")
    assert classes is None or len(found.classes) == classes
    json.dumps(found.classes)


def test_unknown_name_suggests_the_closest():
    with pytest.raises(InputError, match="Did you mean 'iris'"):
        data.load("irris")


# ---- tables

GOOD = "a,b,species\n1,2,x\n3,4.5,y\n5,6,y\n7,8,x\n"


def write(folder: Path, text: str | bytes, name: str = "t.csv") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize(
    "text",
    [
        GOOD,
        GOOD.replace(",", ";"),
        GOOD.replace(",", "\t"),
        GOOD.replace("\n", "\r\n"),
        "\ufeff" + GOOD,
        GOOD + "\n\n",
        GOOD.replace("1,2", ' 1 ,"2"'),
    ],
    ids=["plain", "semicolon", "tab", "crlf", "bom", "blank lines", "quoted"],
)
def test_csv_dialects(tmp_path, text):
    found = data.read_table(write(tmp_path, text), target="species")
    np.testing.assert_array_equal(found.X, np.asarray([[1, 2], [3, 4.5], [5, 6], [7, 8]], dtype=np.float32))
    np.testing.assert_array_equal(found.y, [0, 1, 1, 0])
    assert (found.classes, found.feature_names, found.task) == (("x", "y"), ("a", "b"), "classification")


def test_csv_longer_than_a_block_equals_numpys_reader(tmp_path):
    rng = np.random.default_rng(0)
    table = rng.normal(size=(9001, 3))
    path = tmp_path / "long.csv"
    np.savetxt(path, table, delimiter=",", header="a,target,c", comments="")
    found = data.read_table(path)
    assert found.task == "regression"
    np.testing.assert_array_equal(found.X, table[:, [0, 2]].astype(np.float32))
    np.testing.assert_array_equal(found.y, table[:, 1].astype(np.float32))


@pytest.mark.parametrize(
    ("cells", "task", "expected_task", "classes"),
    [
        (["3", "7", "3", "7"], None, "classification", (3, 7)),
        (["3.0", "7.0", "3", "7"], None, "classification", (3, 7)),
        (["-1", "1", "1", "-1"], None, "classification", (-1, 1)),
        (["yes", "no", "no", "yes"], None, "classification", ("no", "yes")),
        (["1", "two", "1", "two"], None, "classification", ("1", "two")),
        (["1", "2", "3", "4"], None, "regression", None),
        (["1.5", "2", "1.5", "2"], None, "regression", None),
        (["1", "2", "3", "4"], "classification", "classification", (1, 2, 3, 4)),
        (["3", "7", "3", "7"], "regression", "regression", None),
    ],
)
def test_task_and_labels(tmp_path, cells, task, expected_task, classes):
    text = "a,y\n" + "".join(f"{i},{cell}\n" for i, cell in enumerate(cells))
    found = data.read_table(write(tmp_path, text), task=task)
    assert (found.task, found.classes) == (expected_task, classes)
    if classes is None:
        np.testing.assert_array_equal(found.y, [float(cell) for cell in cells])
    else:
        assert [str(classes[i]) for i in found.y] == [cell.removesuffix(".0") for cell in cells]


BAD_TABLES = {
    "empty": ("", {}, "the file is empty"),
    "only blank lines": ("\n\n", {}, "the file is empty"),
    "header only": ("a,y\n", {}, "no row below it"),
    "one row": ("a,y\n1,2\n", {}, "only one row"),
    "missing target": (GOOD, {"target": "specie"}, "no column 'specie'.*did you mean 'species'"),
    "no target named": (GOOD, {}, "which column .*'a', 'b', 'species'"),
    "text in a number column": (
        GOOD.replace("4.5", "four"),
        {"target": "species"},
        "column 'b', row 2: 'four'",
    ),
    "NaN": (
        GOOD.replace("4.5", "nan"),
        {"target": "species"},
        "column 'b' has 1 missing or infinite value, .* row 2",
    ),
    "empty cells": (
        GOOD.replace("4.5", "").replace(",8,", ",,"),
        {"target": "species"},
        "column 'b' has 2 missing or infinite values, the first in row 2",
    ),
    "inf": (GOOD.replace("1,2", "-inf,2"), {"target": "species"}, "column 'a' has 1 .* row 1"),
    "beyond float32": (
        GOOD.replace("1,2", "1e39,2"),
        {"target": "species"},
        r"column 'a', row 1: 1e\+39 is beyond float32",
    ),
    "NaN in the target": (
        "a,y\n1,2.5\n2,nan\n3,4\n",
        {},
        "the target has 1 missing or infinite value, .* row 2",
    ),
    "single class": ("a,y\n1,x\n2,x\n", {}, "same class, 'x'"),
    "text for regression": (GOOD, {"target": "species", "task": "regression"}, "text .*'x'.*regression"),
    "fractions as classes": ("a,y\n1,1.5\n2,2\n", {"task": "classification"}, "whole numbers.*1.5"),
    "unknown task": (GOOD, {"target": "species", "task": "ranking"}, "task: expected .*'ranking'"),
    "short row": (GOOD.replace("3,4.5,y", "3,y"), {"target": "species"}, "row 2 has 2 cells, the header 3"),
    "long row": (GOOD.replace("5,6,y", "5,6,y,7"), {"target": "species"}, "row 3 has 4 cells, the header 3"),
    "repeated names": (
        GOOD.replace("a,b", "a,a"),
        {"target": "species"},
        "more than one column is called 'a'",
    ),
    "no header": ("1,2\n3,4\n", {}, "first line holds numbers"),
    "target alone": ("y\n1\n2\n", {}, "0 feature columns"),
    "not text": (b"\xff\xfe\x00\x01", {}, "not text in UTF-8"),
    "open quote": ('a,y\n1,"2\n3,4\n', {}, "not a well-formed CSV"),
}


@pytest.mark.parametrize("case", BAD_TABLES)
def test_bad_tables_say_what_is_wrong(tmp_path, case):
    text, options, message = BAD_TABLES[case]
    with pytest.raises(InputError, match=message) as raised:
        data.read_table(write(tmp_path, text), **options)
    assert "\n" not in str(raised.value)


def test_missing_and_foreign_files(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        data.read_table(tmp_path / "none.csv")
    with pytest.raises(DataError, match=r"ends in \.csv"):
        data.read_table(write(tmp_path, "x", "t.parquet"))


def test_npz_and_npy_hold_the_same_as_csv(tmp_path):
    wanted = data.read_table(write(tmp_path, GOOD), target="species")
    X, y = wanted.X, np.asarray(["x", "y", "y", "x"])
    np.savez(tmp_path / "t.npz", X=X, y=y, feature_names=["a", "b"])
    np.save(tmp_path / "X_small.npy", X)
    np.save(tmp_path / "y_small.npy", y)
    for name in ("t.npz", "X_small.npy"):
        found = data.read_table(tmp_path / name)
        np.testing.assert_array_equal(found.X, wanted.X)
        np.testing.assert_array_equal(found.y, wanted.y)
        assert found.classes == wanted.classes


class _Marker:
    """Unpickling this writes to the list below."""

    seen: list[int] = []  # noqa: RUF012

    def __reduce__(self):
        return _Marker.seen.append, (1,)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"X": np.ones((3, 2))}, "no array 'y'"),
        ({"X": np.ones((3, 2)), "y": np.ones(4)}, r"shape \(3,\)"),
        ({"X": np.ones(3), "y": np.ones(3)}, r"shape \(rows, columns\)"),
        ({"X": np.full((3, 2), "a"), "y": np.ones(3)}, "features that are numbers"),
        ({"X": np.ones((3, 2)), "y": np.ones(3) * 1j}, "target of numbers or text"),
        ({"X": np.asarray([[1, _Marker()]], dtype=object), "y": np.ones(1)}, "not a readable .npz"),
        ({"X": np.ones((3, 2)), "y": np.ones(3), "feature_names": ["a"]}, "one different name"),
    ],
)
def test_bad_npz(tmp_path, arrays, message):
    np.savez(tmp_path / "t.npz", **arrays)
    with pytest.raises(DataError, match=message):
        data.read_table(tmp_path / "t.npz")
    assert not _Marker.seen


def test_damaged_archives(tmp_path):
    for name in ("t.npz", "X.npy"):
        with pytest.raises(DataError, match="not a readable"):
            data.read_table(write(tmp_path, b"PK\x03\x04 nonsense", name))


def test_features_are_found_by_name(tmp_path):
    X, ignored = data.read_features(write(tmp_path, "note,b,a\nhm,2,1\nha,4,3\n"), ["a", "b"])
    np.testing.assert_array_equal(X, [[1, 2], [3, 4]])
    assert ignored == ["note"]
    with pytest.raises(DataError, match="missing columns 'c', 'd'"):
        data.read_features(tmp_path / "t.csv", ["a", "c", "d"])
    np.save(tmp_path / "X.npy", X)
    with pytest.raises(DataError, match=r"expected 3 columns \('a', 'b', 'c'\), got 2"):
        data.read_features(tmp_path / "X.npy", ["a", "b", "c"])


# ---- MNIST


def idx(array: np.ndarray) -> bytes:
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


def image_files(rng: np.random.Generator) -> dict[str, bytes]:
    return {
        "train-images-idx3-ubyte": idx(rng.integers(0, 256, (7, 4, 5), dtype=np.uint8)),
        "train-labels-idx1-ubyte": idx(np.arange(7, dtype=np.uint8)),
        "t10k-images-idx3-ubyte": idx(rng.integers(0, 256, (3, 4, 5), dtype=np.uint8)),
        "t10k-labels-idx1-ubyte": idx(np.arange(7, 10, dtype=np.uint8)),
    }


@pytest.mark.parametrize("packed", [False, True])
def test_images_from_a_folder(tmp_path, packed, monkeypatch):
    files = image_files(np.random.default_rng(0))
    for name, content in files.items():
        path = tmp_path / (f"{name}.gz" if packed else name)
        path.write_bytes(gzip.compress(content) if packed else content)
    monkeypatch.setenv("MULTIMLP_DATA", str(tmp_path))
    for found in (data.load("mnist"), data.load("fashion-mnist", folder=tmp_path)):
        assert found.X.shape == (10, 20)
        assert (found.held_out, found.image_shape) == (3, (4, 5))
        pixels = np.frombuffer(files["t10k-images-idx3-ubyte"][16:], dtype=np.uint8)
        np.testing.assert_array_equal(found.X[7:].ravel(), pixels.astype(np.float32) / np.float32(255))
        train, test = data.split(found)
        np.testing.assert_array_equal(test.y, [7, 8, 9])
        np.testing.assert_array_equal(train.y, np.arange(7))
    assert data.load("fashion_mnist", tmp_path).classes[9] == "Ankle boot"


LABELS = idx(np.arange(5, dtype=np.uint8))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "starts with nothing"),
        (b"\x01" + LABELS[1:], "not with 00 00"),
        (LABELS[:2] + b"\x0d" + LABELS[3:], "type 0x0d"),
        (LABELS[:3] + b"\x03" + LABELS[4:], "has 3 axes, expected 1"),
        (LABELS[:6], "ends inside its header"),
        (LABELS[:-1], "5 bytes .* only 4"),
        (LABELS + b"x", "5 bytes .* more"),
        (LABELS[:4] + b"\xff" * 4, "at most"),
    ],
)
def test_damaged_idx_files(tmp_path, content, message):
    for path, stored in ((tmp_path / "l", content), (tmp_path / "l.gz", gzip.compress(content))):
        path.write_bytes(stored)
        with pytest.raises(DataError, match=message):
            data.read_idx(path, ndim=1)


def test_truncated_gzip(tmp_path):
    path = write(tmp_path, gzip.compress(LABELS)[:-6], "l.gz")
    with pytest.raises(DataError, match="damaged"):
        data.read_idx(path)
    with pytest.raises(DataError, match="damaged"):
        data.read_idx(write(tmp_path, b"not gzip", "m.gz"))


def test_images_and_labels_must_agree(tmp_path):
    for name, content in image_files(np.random.default_rng(0)).items():
        (tmp_path / name).write_bytes(LABELS if name.startswith("train-labels") else content)
    with pytest.raises(DataError, match="7 images"):
        data.load("mnist", tmp_path)


def test_without_the_files_the_error_says_what_to_get(tmp_path, monkeypatch):
    with pytest.raises(
        DataError, match=r"train-images-idx3-ubyte\.gz.*download .* from https.*MULTIMLP_DATA"
    ):
        data.load("mnist", tmp_path)

    def offline(url, timeout):
        raise urllib.error.URLError("no network")

    monkeypatch.setattr(_images.urllib.request, "urlopen", offline)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("MULTIMLP_DATA", raising=False)
    with pytest.raises(DataError, match=r"cannot download.*no network.*name their folder"):
        data.load("mnist")
    assert not (tmp_path / "cache").exists()


class _Answer:
    def __init__(self, content: bytes) -> None:
        self._content = content

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        return None

    def read(self, limit):
        return self._content[:limit]


def test_downloads_are_verified_cached_and_not_repeated(tmp_path, monkeypatch):
    packed = {name: gzip.compress(c) for name, c in image_files(np.random.default_rng(1)).items()}
    mirror, good = _images.SOURCES["mnist"].urls
    asked: list[str] = []

    def serve(url, timeout):
        asked.append(url)
        content = packed[url.rpartition("/")[2].removesuffix(".gz")]
        return _Answer(content if url.startswith(good) else content[:-1] + b"?")

    monkeypatch.setattr(_images.urllib.request, "urlopen", serve)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("MULTIMLP_DATA", raising=False)
    with pytest.raises(DataError, match="checksum"):
        data.load("mnist")
    source = _images.SOURCES["mnist"]
    sums = {name: hashlib.md5(content).hexdigest() for name, content in packed.items()}
    monkeypatch.setitem(_images.SOURCES, "mnist", dataclasses.replace(source, md5=sums))
    asked.clear()
    assert len(data.load("mnist")) == 10
    assert len(asked) == 8, "each file from the mirror that damages it, then from the good one"
    assert asked[0].startswith(mirror)
    assert len(data.load("mnist")) == 10
    assert len(asked) == 8
    assert sorted(path.name for path in (tmp_path / "multimlp" / "mnist").iterdir()) == sorted(
        f"{name}.gz" for name in packed
    )


# ---- split and scale


@pytest.mark.parametrize("name", ["iris", "digits", "diabetes"])
@pytest.mark.parametrize("test", [0.2, 0.37, 0.9])
def test_split_is_a_stratified_partition(name, test):
    dataset = data.load(name)
    first, second = data.split(dataset, test, seed=3)
    assert len(second) == round(len(dataset) * test)
    whole = np.concatenate([np.column_stack([part.X, part.y]) for part in (first, second)])
    expected = np.column_stack([dataset.X, dataset.y])
    np.testing.assert_array_equal(whole[np.lexsort(whole.T)], expected[np.lexsort(expected.T)])
    if dataset.classes is not None:
        counts = np.bincount(dataset.y) * test
        assert np.all(np.abs(np.bincount(second.y) - counts) < 1 + 1e-9)


def test_split_depends_on_the_seed_alone():
    iris = data.load("iris")
    same, again, other = (data.split(iris, seed=seed)[1] for seed in (1, 1, 2))
    np.testing.assert_array_equal(same.X, again.X)
    assert not np.array_equal(same.X, other.X)


def test_split_keeps_rare_classes_in_training(tmp_path):
    text = "a,y\n" + "".join(f"{i},{'rare' if i == 3 else 'common'}\n" for i in range(20))
    train, _ = data.split(data.read_table(write(tmp_path, text)), test=0.5)
    assert set(train.y) == {0, 1}


@pytest.mark.parametrize("test", [0, 1, -0.1, 1.5, "x", float("nan")])
def test_split_refuses_fractions_outside(test):
    with pytest.raises(InputError, match="test"):
        data.split(data.load("iris"), test)


def test_split_of_too_few_rows(tmp_path):
    with pytest.raises(DataError, match="too few"):
        data.split(data.read_table(write(tmp_path, "a,y\n1,x\n2,y\n")), 0.2)


def test_standardizer_equals_scikit_learns():
    scaler = pytest.importorskip("sklearn.preprocessing").StandardScaler()
    X = data.load("digits").X.astype(np.float64)
    scale = data.Standardizer.fit(X)
    np.testing.assert_allclose(scale(X), scaler.fit_transform(X), rtol=1e-12, atol=1e-12)
    constant = np.ptp(X, axis=0) == 0
    assert constant.any()
    np.testing.assert_array_equal(scale.scale[constant], 1)


def test_standardizer_round_trips_and_keeps_the_dtype():
    X = np.random.default_rng(0).normal(3, 5, (50, 4)).astype(np.float32)
    X[:, 2] = 0.1  # the mean of many 0.1 is not quite 0.1
    scale = data.Standardizer.from_dict(json.loads(json.dumps(data.Standardizer.fit(X).to_dict())))
    assert scale(X).dtype == np.float32
    np.testing.assert_allclose(scale(X)[:, 2], 0, atol=1e-6)
    np.testing.assert_allclose(scale.inverse(scale(X)), X, rtol=1e-5, atol=1e-5)
    shared = data.Standardizer.fit(X, shared=True)(X)
    assert abs(shared.mean()) < 1e-6
    assert abs(shared.std() - 1) < 1e-6
    assert np.ptp(shared[:, 2]) == 0


def test_standardizer_measures_numbers_whose_squares_overflow():
    X = np.asarray([[1e200, 1.0, -1e308], [-1e200, 2.0, 1e308], [3e200, 4.0, 1e308]])
    scale = data.Standardizer.fit(X)
    expected = np.asarray([[0.0, 0.0, -(2**0.5)], [-(1.5**0.5), 0.0, 0.5**0.5], [1.5**0.5, 0.0, 0.5**0.5]])
    np.testing.assert_allclose(scale(X)[:, ::2], expected[:, ::2], rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(scale.scale[0], (8 / 3) ** 0.5 * 1e200, rtol=1e-12)
    np.testing.assert_allclose(scale(X)[:, 1], (X[:, 1] - 7 / 3) / (14 / 9) ** 0.5, rtol=1e-12)


def test_standardizer_refuses_foreign_shapes_and_dicts():
    scale = data.Standardizer.fit(np.eye(3))
    with pytest.raises(ShapeError, match=r"\(\.\.\., 3\), got \(2, 4\)"):
        scale(np.ones((2, 4)))
    for plain in (
        {},
        {"mean": [0.0], "scale": [0.0]},
        {"mean": [0.0, 1.0], "scale": [1.0]},
        {"mean": "x", "scale": 1},
    ):
        with pytest.raises(InputError, match="Standardizer"):
            data.Standardizer.from_dict(plain)


@pytest.mark.parametrize("unit", [1e-200, 1e-160, 1.0, 1e160, 1e200])
def test_numbers_far_from_1_are_standardised_as_others(unit):
    rows = np.asarray([[1.0], [2.0], [4.0]])
    found = data.Standardizer.fit(unit * rows)(unit * rows)
    np.testing.assert_allclose(found, data.Standardizer.fit(rows)(rows), rtol=1e-14)


def test_numbers_beyond_float32_are_no_missing_ones(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a,y\n1e200,0\n2,1\n3,0\n4,1\n")
    with pytest.raises(DataError, match=r"column 'a', row 1: 1e\+200 is beyond float32"):
        data.read_table(path)
    path.write_text("a,y\n1,1e200\n2,2e200\n3,-1e200\n")
    assert data.read_table(path).y.tolist() == [1e200, 2e200, -1e200]
    path.write_text("a,y\n1e-200,1\n2e-200,2\n3e-200,3\n")
    assert data.read_table(path).X[:, 0].tolist() == [1e-200, 2e-200, 3e-200]
