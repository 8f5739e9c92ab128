"""Tables in files: what the cells of a column are, the command on them, and estimators that are written and read."""

from __future__ import annotations

import contextlib
import datetime
import gzip
import json
import math
import os
import random
import re
import signal
import struct

import numpy as np
import pytest

import multimlp as mm
from multimlp import data, estimators, files
from multimlp.cli import main
from multimlp.errors import DataError, DTypeError, FileFormatError
from multimlp.frames import Features, Schema

pytest.importorskip("sklearn")
pytest.importorskip("safetensors")

TABLE = '''age,job,since,member,zip,y
31,cook,2020-01-31 12:30,true,007,yes
?,"nurse, head",2021-03-01,false,7,no
54,NA,2019-05-06T10:00:00+02:00,,123,yes
40,"of the
""night""",null,True,7,no
'''
EXPECTED = {
    "age": [31.0, math.nan, 54.0, 40.0],
    "job": ["cook", "nurse, head", None, 'of the\n"night"'],
    "since": ["2020-01-31T12:30", "2021-03-01", "2019-05-06T08:00", "NaT"],
    "member": [True, False, None, True],
    "zip": ["007", "7", "123", "7"],
}


def same(found: dict, expected: dict) -> None:
    assert list(found) == list(expected)
    for name, values in expected.items():
        if name == "since":
            np.testing.assert_array_equal(found[name], np.asarray(values, dtype="datetime64[us]"))
        elif name == "age":
            np.testing.assert_array_equal(found[name], values)
        else:
            assert found[name] == values


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("packed", [False, True])
def test_cells_become_what_they_are(tmp_path, separator, packed):
    text = TABLE if separator == "," else TABLE.replace("nurse, head", "nurse; head").replace(",", separator)
    if separator != ",":
        text = text.replace(f"nurse{separator} head", "nurse, head").replace("nurse; head", "nurse, head")
    path = tmp_path / ("t.csv.gz" if packed else "t.csv")
    content = text.encode("utf-8-sig")
    path.write_bytes(gzip.compress(content) if packed else content)
    found = data.read_frame(path, categorical=["zip"])
    same(found.columns, EXPECTED)
    assert found.classes == ("no", "yes")
    assert found.y.tolist() == [1, 0, 1, 0]
    assert [c.kind for c in Schema.of(found.columns).columns] == [
        "number", "category", "date", "boolean", "category",
    ]  # fmt: skip


def test_blocks_of_a_long_file_agree_on_what_a_column_is(tmp_path):
    """The first word in a column comes behind the first block of rows."""
    rows = [f"{i},{i if i < 5000 else 'x'},{i % 2}" for i in range(5000)] + ["1,a,0", "2,b,1"] * 6000
    path = tmp_path / "long.csv"
    path.write_text("\n".join(["n,text,y", *rows]) + "\n")
    found = data.read_frame(path)
    assert found.columns["n"].dtype == np.float64
    assert found.columns["text"][0] == "0"
    assert found.columns["text"][-1] == "b"


def test_parquet_and_arrow_hold_the_same_as_csv(tmp_path):
    polars = pytest.importorskip("polars")
    (tmp_path / "t.csv").write_text(TABLE)
    read = data.read_frame(tmp_path / "t.csv", categorical=["zip"])
    frame = polars.DataFrame(
        {**{k: v if isinstance(v, list) else polars.Series(v).fill_nan(None) if k == "age" else v for k, v in read.columns.items()},
         "y": ["yes", "no"] * 2}
    )  # fmt: skip
    frame.write_parquet(tmp_path / "t.parquet")
    frame.write_ipc(tmp_path / "t.arrow")
    for name in ("t.parquet", "t.arrow"):
        found = data.read_frame(tmp_path / name)
        same(found.columns, EXPECTED)
        assert found.y.tolist() == read.y.tolist()
    (tmp_path / "cut.parquet").write_bytes((tmp_path / "t.parquet").read_bytes()[:99])
    with pytest.raises(DataError, match=r"cut.parquet: not a readable .parquet file"):
        data.read_frame(tmp_path / "cut.parquet")


WRONG = {
    "a word among numbers": ("a,y\n1,0\n2,1\nx,0\n3,1\n", r"column 'a', row 3: 'x' is not a number, as most.*--categorical 'a'"),
    "a word among dates": ("a,y\n2020-01-01,0\n2020-01-02,1\nsoon,0\n", r"column 'a', row 3: 'soon' is not a date"),
    "dates of two orders": ("a,y\n1/2/2020,0\n3/4/2020,1\n", r"column 'a', row 1: '1/2/2020' is not a date such as"),
    "infinite": ("a,y\n1,0\n1e999,1\n", r"column 'a', row 2: inf is not finite"),
    "underscores": ("a,y\n1,0\n2,1\n2_0,0\n", r"column 'a', row 3: '2_0' is not a number"),
    "nothing else": ("y\n1\n2\n", "no column to predict 'y' from"),
    "no target": ("a,b\n1,2\n", "which column to predict"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_with_a_file_is_named(tmp_path, case):
    text, message = WRONG[case]
    path = tmp_path / "t.csv"
    path.write_text(text)
    with pytest.raises(DataError, match=message):
        data.read_frame(path)


def test_a_schema_says_how_cells_are_read(tmp_path):
    schema = Schema.of({"n": [1.0], "code": np.asarray([7.0])}, categorical=["code"])
    path = tmp_path / "new.csv"
    path.write_text("code,n,more\n7.0,1\n".replace("1\n", "1,2\n"))
    found, ignored = data.read_columns(path, schema)
    assert (found["code"], ignored) == (["7"], ["more"])
    path.write_text("code,n\n7,one\n")
    with pytest.raises(
        DataError, match=r"column 'n', row 1: 'one' is not a number, as the column was in training"
    ):
        data.read_columns(path, schema)
    path.write_text("cod,n\n7,1\n")
    with pytest.raises(DataError, match=r"missing column 'code' \(category\).*did you mean 'cod'"):
        data.read_columns(path, schema)


def test_features_are_those_of_their_description():
    table = {"a": [1.0, None, 3.0], "b": ["u", "v", None]}
    schema = Schema.of(table)
    features = Features.of(schema, schema.encode(table))
    expected = [[1, 0, 1, 0], [2, 1, 0, 1], [3, 0, 0, 0]]
    np.testing.assert_array_equal(features.matrix(schema.encode(table)), expected)
    assert Features.from_spec(json.loads(json.dumps(features.to_spec()))) == features
    for change in ({"gaps": [1]}, {"fill": [math.inf]}, {"fill": []}, {"schema": []}):
        with pytest.raises(FileFormatError):
            Features.from_spec({**features.to_spec(), **change})
    twice = {"b": ["u", "v"], "b = u": [1.0, 2.0]}
    schema = Schema.of(twice)
    with pytest.raises(DataError, match="two features would be called 'b = u'"):
        Features.of(schema, schema.encode(twice))
    many = {"id": [str(i) for i in range(1001)]}
    schema = Schema.of(many)
    with pytest.raises(DataError, match="1001 different texts.*--model realmlp"):
        Features.of(schema, schema.encode(many))


# ---- the command


@pytest.fixture
def people(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("BACKEND", "DEVICE", "DTYPE"):
        monkeypatch.delenv(f"MULTIMLP_{name}", raising=False)
    rng = random.Random(0)
    lines = ["age,job,since,member,y"]
    for i in range(200):
        age, job = rng.randint(15, 80), rng.choice(["cook", "nurse", "pilot", ""])
        y = "yes" if age > 45 and job != "pilot" else "no"
        lines.append(
            f"{'' if i % 9 == 0 else age},{job},2020-0{i % 9 + 1}-11,{'true' if i % 3 else 'NA'},{y}"
        )
    (tmp_path / "people.csv").write_text("\n".join(lines) + "\n")
    (tmp_path / "new.csv").write_text(
        "member,job,age,since,id\ntrue,astronaut,70,,1\nfalse,pilot,,2020-01-01,2\n"
    )
    return tmp_path


def ran(capsys, *arguments: str) -> tuple[int, str, str]:
    code = main(list(arguments))
    return code, *capsys.readouterr()


@pytest.mark.parametrize("model", ["mlp", "realmlp", "tabm"])
def test_one_command_trains_and_another_predicts(people, capsys, model):
    more = ["--backend", "numpy", "--epochs", "40", "--hidden", "32", "--no-progress", "--validation", "0.2"]
    code, out, err = ran(capsys, "train", "people.csv", "--model", model, "--save", "m.safetensors", *more)
    assert (code, err) == (0, "")
    assert "people.csv: 160 rows to train, 40 to test" in out
    card = json.loads((people / "m.card.json").read_text())
    assert card["data"]["rows"] == {"train": 160, "test": 40}
    assert [column["kind"] for column in card["data"]["columns"]] == ["number", "category", "date", "boolean"]
    assert card["scores"]["test"]["accuracy"] > 0.7
    assert card["scores"]["validation"]
    assert 17 <= len(card["history"]["loss"]) <= 40
    assert card["settings"]["hidden"] == [32]
    code, out, err = ran(capsys, "predict", "m.safetensors", "new.csv", "--proba", "-o", "p.json")
    assert code == 0
    assert "ignored the column 'id'" in err
    assert "the column 'job': 1 rows hold categories that training had not ('astronaut')" in err
    assert "the column 'since': 1 values are missing, and training had none" in err
    found = json.loads((people / "p.json").read_text())
    assert np.sum(found["probabilities"], axis=1) == pytest.approx([1, 1])
    assert found["predictions"][1] == "no"
    (people / "new.csv").write_text("member,job,age,since\ntrue,cook,old,\n")
    code, out, err = ran(capsys, "predict", "m.safetensors", "new.csv")
    assert (code, out) == (2, "")
    assert "new.csv: column 'age', row 1: 'old' is not a number" in err


@pytest.mark.parametrize(
    ("model", "options", "columns"),
    [
        (
            "realmlp",
            ["--output", "quantile", "--levels", "0.1,0.5,0.9"],
            ["quantile_0.1", "quantile_0.5", "quantile_0.9"],
        ),
        ("tabm", ["--output", "gaussian"], ["quantile_0.05", "quantile_0.5", "quantile_0.95", "deviation"]),
    ],
)
def test_how_sure_predictions_are(people, capsys, model, options, columns):
    small = ["--backend", "numpy", "--epochs", "3", "--hidden", "8", "--no-progress", "--drop", "y"]
    rows = (people / "people.csv").read_text().splitlines()
    (people / "people.csv").write_text("\n".join(row for row in rows if not row.startswith(",")) + "\n")
    code, out, err = ran(
        capsys,
        "train",
        "people.csv",
        "--target",
        "age",
        "--model",
        model,
        "--save",
        "m.safetensors",
        *options,
        *small,
    )
    assert (code, err) == (0, "")
    assert re.search(r"\d% of the test rows lie between the quantiles 0.\d+ and 0.\d+; \d+.\d% should", out)
    assert json.loads((people / "m.card.json").read_text())["scores"]["test"].keys() == {
        "R2",
        "inside",
        "expected_inside",
    }
    (people / "new.csv").write_text("member,job,since\ntrue,cook,\nfalse,pilot,2020-01-01\n")
    code, out, err = ran(capsys, "predict", "m.safetensors", "new.csv", "--interval", "0.8")
    assert code == 0
    header, *rows = [line.split(",") for line in out.splitlines()]
    assert header == ["prediction", *columns, "low", "high"]
    loaded = estimators.load(people / "m.safetensors", backend="numpy")
    table = {
        "member": [True, False],
        "job": ["cook", "pilot"],
        "since": np.asarray(["NaT", "2020-01-01"], dtype="M8[D]"),
    }
    expected = [loaded.predict(table)[:, None], loaded.predict_quantiles(table)]
    if "deviation" in columns:
        expected.append(loaded.predict_distribution(table)[1][:, None])
    expected.append(loaded.predict_interval(table, 0.8))
    np.testing.assert_allclose(np.asarray(rows, dtype=float), np.hstack(expected), rtol=1e-12)
    if model == "realmlp":
        assert ran(capsys, "predict", "m.safetensors", "new.csv", "--interval", "0.9")[0] == 2


def test_patience_ends_training_and_the_rows_that_judge_are_held_out(people, capsys):
    more = [
        "--backend",
        "numpy",
        "--epochs",
        "500",
        "--no-progress",
        "--patience",
        "3",
        "--learning-rate",
        "0.05",
        "--json",
    ]
    code, out, _ = ran(capsys, "train", "people.csv", *more)
    (run,) = json.loads(out)["runs"]
    assert code == 0
    assert run["epochs"] < 500
    assert len(run["history"]["val_loss"]) == run["epochs"]


REFUSED = {
    "a set": (["iris", "--model", "realmlp"], "--model: realmlp is for files with named columns"),
    "columns of a set": (["iris", "--drop", "a"], "--drop: is for files with named columns"),
    "no such column": (
        ["people.csv", "--drop", "jb"],
        r"drop \(--drop\): no column 'jb'; did you mean 'job'",
    ),
    "the target": (["people.csv", "--drop", "y"], "'y' is the column to predict"),
    "a loss": (["people.csv", "--model", "tabm", "--loss", "mse"], "--loss: is for --model mlp"),
    "two backends": (["people.csv", "--model", "tabm", "--backend", "numpy,torch"], "on one backend"),
    "nobody judges": (["people.csv", "--validation", "0", "--patience", "3"], "--patience: needs rows"),
    "no place": (["people.csv", "--card", "no/card.json"], "folder .* does not exist"),
    "quantiles of a plain network": (
        ["people.csv", "--output", "quantile"],
        "--output: is for --model realmlp and tabm",
    ),
    "quantiles of classes": (
        ["people.csv", "--model", "tabm", "--output", "quantile"],
        "--output: quantile is for numbers",
    ),
    "levels of means": (
        ["people.csv", "--model", "tabm", "--levels", "0.1,0.9"],
        "--levels: is for --output quantile",
    ),
    "levels that fall": (
        ["people.csv", "--target", "age", "--model", "tabm", "--output", "quantile", "--levels", "0.9,0.1"],
        "--levels: expected numbers that rise",
    ),
    "levels above the median": (
        ["people.csv", "--target", "age", "--model", "tabm", "--output", "quantile", "--levels", "0.8,0.9"],
        "on both sides of 0.5",
    ),
    "levels that are no numbers": (
        ["people.csv", "--target", "age", "--model", "tabm", "--output", "quantile", "--levels", "low"],
        "numbers with commas between them",
    ),
    "over the data": (["people.csv", "--model", "tabm", "--card", "people.csv"], "--card"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_options_that_cannot_be_followed(people, capsys, case):
    arguments, message = REFUSED[case]
    before = {path.name: path.read_bytes() for path in people.iterdir()}
    code, out, err = ran(capsys, "train", "--no-progress", *arguments)
    assert (code, out) == (2, "")
    assert re.search(message, err), err
    assert {path.name: path.read_bytes() for path in people.iterdir()} == before


@pytest.mark.parametrize("model", ["mlp", "realmlp"])
def test_a_column_whose_only_text_is_in_the_test_part(people, capsys, model):
    lines = (people / "people.csv").read_text().splitlines()
    numbered = [f"{line},{i}" for i, line in enumerate(lines[1:])]
    (people / "people.csv").write_text("\n".join([f"{lines[0]},id", *numbered]) + "\n")
    _, test = data.read_frame("people.csv").split(None, 0)
    there = int(test.columns["id"][0])
    noted = [f"{line},{'late' if i == there else ''}" for i, line in enumerate(lines[1:])]
    (people / "people.csv").write_text("\n".join([f"{lines[0]},note", *noted]) + "\n")
    small = ["--backend", "numpy", "--epochs", "2", "--hidden", "8", "--no-progress", "--model", model]
    code, _, err = ran(capsys, "train", "people.csv", *small, "--save", "m.safetensors")
    assert (code, err) == (0, "")
    code, _, err = ran(capsys, "predict", "m.safetensors", "people.csv")
    assert code == 0
    assert "the column 'note': 1 rows hold categories that training had not ('late')" in err


def test_a_column_of_empty_cells_may_hold_anything_later(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a,note,y\n1,,0\n2,NA,1\n3,,0\n")
    found = data.read_frame(path)
    assert found.columns["note"] == [None] * 3
    polars = pytest.importorskip("polars")
    polars.DataFrame({"a": [1, 2], "note": [None, None], "y": [0, 1]}).write_parquet(tmp_path / "t.parquet")
    assert data.read_frame(tmp_path / "t.parquet").columns["note"] == [None] * 2
    path.write_text("a,note\n1,words\n2,3\n")
    later, _ = data.read_columns(path, Schema.of(found.columns))
    assert later["note"] == ["words", "3"]
    path.write_text("a,y\n,0\n,1\n,0\n")
    nothing = Schema.of(data.read_frame(path).columns)
    with pytest.raises(DataError, match="no column holds a value"):
        Features.of(nothing, nothing.encode({"a": [None]}))


def test_rows_without_a_target_are_left_out_where_it_is_asked_for(tmp_path, capsys, monkeypatch):
    polars = pytest.importorskip("polars")
    monkeypatch.chdir(tmp_path)
    targets = {
        "number": ["1.5", "", "2.5", "NA"], "whole": ["9007199254740993", "", "9007199254740992", ""],
        "text": ["u", "NA", "v", ""], "truth": ["true", "", "false", ""],
    }  # fmt: skip
    kinds = {"number": float, "whole": int, "text": str, "truth": lambda cell: cell == "true"}
    rows = 12
    for name, cells in targets.items():
        cells = cells * (rows // 4)
        (tmp_path / "t.csv").write_text(
            "\n".join(["a,y", *(f"{i},{cell}" for i, cell in enumerate(cells))]) + "\n"
        )
        typed = [None if cell in ("", "NA") else kinds[name](cell) for cell in cells]
        polars.DataFrame({"a": range(rows), "y": typed}).write_parquet(tmp_path / "t.parquet")
        for file in ("t.csv", "t.parquet"):
            with pytest.raises(DataError, match=r"missing in 6 of 12 rows, first in row 2.*--drop-missing"):
                data.read_frame(file)
            found = data.read_frame(file, drop_missing=True)
            assert found.left_out == 6
            assert np.asarray(found.columns["a"]).tolist() == [0, 2, 4, 6, 8, 10]
            if name == "number":
                assert found.y.tolist() == [1.5, 2.5] * 3
            else:
                assert len(found.classes) == 2
                assert found.y.tolist() in ([0, 1] * 3, [1, 0] * 3)
    options = ["--backend", "numpy", "--epochs", "1", "--no-progress", "--hidden", "4"]
    for model in ("mlp", "realmlp"):
        code, _, err = ran(capsys, "train", "t.csv", *options, "--model", model, "--drop-missing")
        assert (code, err) == (0, "multimlp: left out 6 rows whose target, 'y', is missing\n")
    assert ran(capsys, "train", "iris", "--drop-missing")[0] == 2
    (tmp_path / "t.csv").write_text("a,y\n1,\n2,NA\n")
    with pytest.raises(DataError, match="missing in every row"):
        data.read_frame("t.csv", drop_missing=True)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")
def test_ctrl_c_is_told(people, capsys, monkeypatch):
    @contextlib.contextmanager
    def shown(args, epochs):
        yield [lambda run: run.epoch == 2 and os.kill(os.getpid(), signal.SIGINT)]

    monkeypatch.setattr("multimlp.cli.tabular._shown", shown)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        code, _, err = ran(
            capsys, "train", "people.csv", "--model", "realmlp", "--backend", "numpy", "--hidden", "8",
            "--epochs", "9", "--save", "m.safetensors",
        )  # fmt: skip
    finally:
        signal.signal(signal.SIGINT, before)
    assert code == 130
    assert "interrupted; saved m.safetensors" in err
    assert len(estimators.load("m.safetensors").loss_curves_[0]) == 2


def test_several_numbers_a_row_are_no_column(people, capsys):
    fitted("TabMRegressor").save("two.safetensors")
    code, out, err = ran(capsys, "predict", "two.safetensors", "new.csv")
    assert (code, out) == (2, "")
    assert "predicts 2 numbers a row" in err


# ---- estimators in files

X = {
    "a": [1.0, 2.0, None, 8.0, 9.0, 7.5] * 6,
    "s": ["round", "flat"] * 18,
    "many": [f"v{i % 12}" for i in range(36)],
    "b": [True, False, None] * 12,
    "d": np.arange(36).astype("M8[D]"),
}
FITTED = {
    "RealMLPClassifier": (["u", "v"] * 18, {"n_folds": 2, "calibrate": True}),
    "RealMLPRegressor": (np.arange(36.0), {"version": "TD-S"}),
    "TabMClassifier": ([1, 2, 3] * 12, {"n_members": 3}),
    "TabMRegressor": (np.arange(72.0).reshape(36, 2), {"n_members": 3, "validation_fraction": 0}),
    "RealMLPRegressor quantile": (np.arange(36.0), {"output": "quantile", "quantiles": (0.1, 0.5, 0.9)}),
    "RealMLPRegressor gaussian": (np.arange(36.0), {"output": "gaussian", "version": "TD-S"}),
    "TabMRegressor gaussian": (np.arange(36.0), {"output": "gaussian", "n_members": 3}),
}


def fitted(name):
    y, options = FITTED[name]
    return getattr(estimators, name.split()[0])(
        n_epochs=3, hidden_layer_sizes=[8], random_state=0, backend="numpy", dtype="float64", **options
    ).fit(X, y)


@pytest.mark.parametrize("name", FITTED)
def test_an_estimator_comes_back_on_every_backend(tmp_path, name, backend):
    model, path = fitted(name), tmp_path / "m.safetensors"
    model.save(path)
    first = path.read_bytes()
    model.save(path)
    assert path.read_bytes() == first
    if "float64" not in backend.capabilities.dtypes:
        with pytest.raises(DTypeError, match="float64"):
            estimators.load(path, backend=backend.name)
        return
    again = estimators.load(path, backend=backend.name)
    said = "predict_proba" if hasattr(model, "predict_proba") else "predict"
    np.testing.assert_allclose(getattr(again, said)(X), getattr(model, said)(X), rtol=1e-9, atol=1e-12)
    if name.endswith(("quantile", "gaussian")):
        ends, expected = again.predict_interval(X, 0.8), model.predict_interval(X, 0.8)
        np.testing.assert_allclose(ends, expected, rtol=1e-9, atol=1e-12)
    np.testing.assert_array_equal(again.feature_names_in_, model.feature_names_in_)
    assert again.best_epochs_ == model.best_epochs_
    assert again.validation_curves_ == model.validation_curves_
    again.save(tmp_path / "again.safetensors")
    assert (tmp_path / "again.safetensors").read_bytes() == first


def rewritten(path, change) -> None:
    """The same file with another description."""
    content = path.read_bytes()
    length = struct.unpack("<Q", content[:8])[0]
    header = json.loads(content[8 : 8 + length])
    described = json.loads(header["__metadata__"][files.ESTIMATOR_KEY])
    change(described)
    header["__metadata__"][files.ESTIMATOR_KEY] = json.dumps(described)
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + content[8 + length :])


def put(*place_and_value):
    *place, last, value = place_and_value

    def change(described):
        node = described
        for step in place:
            node = node[step]
        node[last] = value

    return change


LIES = {
    "another class": put("estimator", "Pipeline"),
    "parameters of its own": put("parameters", "callbacks", ["os.system"]),
    "parameters that cannot be": put("parameters", "n_epochs", -1),
    "no columns": put("schema", []),
    "a column less": lambda d: d["schema"].pop(),
    "two columns of one name": put("schema", 1, "name", "a"),
    "no networks": put("members", []),
    "no chain": put("members", 0, "chain", {"name": "dense", "options": {"out_features": 2}}),
    "other blocks": lambda d: d["members"][0]["chain"]["options"]["blocks"].pop(),
    "a column beyond": put("members", 0, "preparation", "numbers", [0, 7]),
    "a column twice": put("members", 0, "preparation", "numbers", [0, 0]),
    "places that are no numbers": put("members", 0, "preparation", "gaps", [True]),
    "no median": put("members", 0, "preparation", "fill", [1.0]),
    "a unit less": put("members", 0, "preparation", "unit", [1.0]),
    "a unit of nothing": put("members", 0, "preparation", "unit", [0.0, 1.0]),
    "a unit below all": put("members", 0, "preparation", "unit", [5e-324, 1.0]),
    "categories beyond": put("members", 0, "preparation", "absent", [[2], [], []]),
    "categories of a column less": put("members", 0, "preparation", "absent", [[]]),
    "categories that are text": put("members", 0, "preparation", "absent", [["0"], [], []]),
    "an infinite median": put("members", 0, "preparation", "fill", [math.inf, 1.0]),
    "ranks that are not there": put("members", 0, "ranks", False),
    "another temperature": put("members", 0, "after", {"temperature": 0.0}),
    "a temperature that is text": put("members", 0, "after", {"temperature": "1"}),
    "curves of text": put("members", 0, "losses", ["x"]),
    "one class": put("targets", "classes", [1]),
    "classes twice": put("targets", "classes", [1, 1, 2]),
    "classes that are lists": put("targets", "classes", [[1], [2], [3]]),
    "a class more": put("targets", "classes", [1, 2, 3, 4]),
    "a kind of class that is none": put("targets", "kind", "V"),
}


def test_a_file_that_lies_is_refused(tmp_path):
    path = tmp_path / "m.safetensors"
    fitted("TabMClassifier").save(path)
    sound = path.read_bytes()
    for case, change in LIES.items():
        path.write_bytes(sound)
        rewritten(path, change)
        with pytest.raises(FileFormatError, match="does not hold an estimator"):
            print(case, estimators.load(path, backend="numpy"))
    path.write_bytes(sound[:-5])
    with pytest.raises(FileFormatError, match="damaged"):
        estimators.load(path)
    path.write_bytes(sound)
    with pytest.raises(FileFormatError, match="read it with multimlp.estimators.load"):
        files.load(path)


def test_a_network_alone_is_no_estimator(tmp_path):
    mlp = mm.MLP(2, 3, 1)
    mm.save(tmp_path / "m.safetensors", mlp, mlp.init(seed=0, backend="numpy"))
    with pytest.raises(FileFormatError, match="read it with multimlp.load"):
        estimators.load(tmp_path / "m.safetensors")


def test_a_target_with_commas_for_points_is_numbers(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a;price\n1,5;3,25\n2,5;4\n3;1.5\n")
    found = data.read_frame(path, "price")
    assert found.task == "regression"
    assert found.y.tolist() == [3.25, 4.0, 1.5]
    path.write_text("a;kind\n1,5;3,25\n2,5;low\n3;3,25\n4;low\n")
    assert data.read_frame(path, "kind").classes == ("3,25", "low")
    path.write_text('a,price\n1,"3,25"\n2,"4,5"\n3,"3,25"\n4,"4,5"\n')
    with pytest.raises(DataError, match="the target in row 1, '3,25', is not a number as it is read"):
        data.read_frame(path, "price")
    assert data.read_frame(path, "price", "classification").classes == ("3,25", "4,5")


# ---- what is written otherwise than it is read

OTHERWISE = {
    "thousands": ("1,234", "12,345.5"),
    "thousands by points": ("1.234,50", "12.345.678"),
    "thousands by spaces": ("1 234", "12\u202f345"),
    "per cent": ("5%", "12.5 %"),
    "money": ("$5", "-$1,234.50", "(3 €)"),
    "commas for points": ("0,5", "1,25"),
    "days first": ("31.12.2024", "1.2.2024"),
    "years of two digits": ("12/31/24", "1/2/24"),
    "with a time": ("12/31/2024 11:59 PM", "1/2/2024 08:00"),
    "names of months": ("31-Dec-2024", "Dec 31, 2024", "1 January 2024 08:00"),
}
LIKE_IT = {
    "versions": ("1.2.3-a", "10.0.0-b"),
    "numbers of versions": ("1.10.2", "2.0.1"),
    "addresses": ("192.168.0.1", "10.0.0.255"),
    "parts": ("3 of 4", "1 of 2"),
    "names": ("may", "march hare"),
    "sizes": ("10 kg", "5 kg"),
}


@pytest.mark.parametrize("case", [*OTHERWISE, *LIKE_IT])
def test_cells_that_mean_numbers_or_dates_are_no_categories(tmp_path, case):
    cells = [*(OTHERWISE | LIKE_IT)[case]] * 6
    path = tmp_path / "t.csv"

    def write(cells):
        lines = [f'"{cell}"\t{i % 2}' for i, cell in enumerate(cells)]
        path.write_text("\n".join(["when\ty", *lines]), encoding="utf-8")

    for some in (cells, ["unknown", "", *cells]):
        write(some)
        if case in LIKE_IT:
            assert data.read_frame(path).columns["when"][-1] == cells[-1]
        else:
            with pytest.raises(
                DataError, match=r"column 'when', row [13]: '.*' is not a (number|date).*--categorical 'when'"
            ):
                data.read_frame(path)
    write(["unknown", "other"] * len(cells) + cells)
    assert data.read_frame(path).columns["when"][-1] == cells[-1]
    assert data.read_frame(path, categorical=["when"]).columns["when"][-1] == cells[-1]


@pytest.mark.parametrize("case", OTHERWISE)
def test_targets_that_mean_numbers_or_dates_are_no_classes(tmp_path, case):
    cells = [*OTHERWISE[case]] * 6
    path = tmp_path / "t.csv"
    path.write_text("\n".join(["a|y", *(f"{i}|{cell}" for i, cell in enumerate(cells))]), encoding="utf-8")
    with pytest.raises(
        DataError, match="target in row 1.*(is not a number|is a date).*--task classification"
    ):
        data.read_frame(path)
    assert len(data.read_frame(path, task="classification").classes) == len(set(cells))
    with pytest.raises(
        DataError, match="target in row 1.*(is not a number|is a date)[^;]*; correct the cells$"
    ):
        data.read_frame(path, task="regression")


@pytest.mark.parametrize("separator", [",", ";"])
def test_one_word_makes_no_classes_of_numbers(tmp_path, separator):
    path = tmp_path / "t.csv"
    point = "," if separator == ";" else "."
    cells = [f"{i}{point}5" for i in range(30)]
    cells[7] = "unknown"
    path.write_text("\n".join([f"a{separator}y", *(f"{i}{separator}{cell}" for i, cell in enumerate(cells))]))
    readers = [data.read_frame, *([data.read_table] if separator == "," else [])]
    for read in readers:
        for task in (None, "regression"):
            with pytest.raises(DataError, match="the target in row 8, 'unknown', is not a number"):
                read(path, task=task)
        assert "unknown" in read(path, task="classification").classes
    names = [f"name {i}" for i in range(30)]
    path.write_text("\n".join(["a,y", *(f"{i},{name}" for i, name in enumerate(names))]))
    for read in (data.read_frame, data.read_table):
        with pytest.raises(DataError, match="30 different texts in 30 rows"):
            read(path)


def test_a_class_in_each_row_cannot_be_tested(tmp_path):
    (tmp_path / "t.csv").write_text("a,y\n1,u\n2,v\n3,w\n")
    with pytest.raises(DataError, match="each of the 3 rows has a class of its own"):
        data.read_frame(tmp_path / "t.csv").split(0.5, 0)


def test_the_line_in_which_spreadsheets_say_the_separator(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text('"sep=;"\r\na;y\r\n1,5;0\r\n2,5;1\r\n')
    assert data.read_frame(path).columns["a"].tolist() == [1.5, 2.5]
    path.write_text("sep=|\na,b|y\n1|0\n2|1\n")
    assert list(data.read_frame(path).columns) == ["a,b"]


def test_categories_of_parquet_files_are_those_of_csv_files(tmp_path):
    polars = pytest.importorskip("polars")
    days = [datetime.date(2024, 1, 1), datetime.date(2024, 1, 2), None, datetime.date(2024, 1, 1)]
    columns = {
        "whole": [1, 2, None, 1],
        "real": [1.0, 2.5, None, 1.0],
        "truth": [True, False, None, True],
        "day": days,
        "time": [None if day is None else datetime.datetime(day.year, 1, day.day, 12) for day in days],
    }
    frame = polars.DataFrame({**columns, "y": [0, 1, 0, 1]})
    frame.write_parquet(tmp_path / "t.parquet")
    frame.write_csv(tmp_path / "t.csv", datetime_format="%Y-%m-%d %H:%M:%S")
    found = {
        name: data.read_frame(tmp_path / f"t.{name}", categorical=list(columns))
        for name in ("parquet", "csv")
    }
    assert found["parquet"].columns["real"] == ["1", "2.5", None, "1"]
    assert found["parquet"].columns["day"] == ["2024-01-01", "2024-01-02", None, "2024-01-01"]
    frame[:1].write_parquet(tmp_path / "new.parquet")
    frame[:1].write_csv(tmp_path / "new.csv")
    for one in found.values():
        schema = Schema.of(one.columns)
        assert {column.kind for column in schema.columns} == {"category"}
        expected = schema.encode(one.columns).codes
        assert (expected[2] == -1).all()
        assert (expected[[0, 1, 3]] >= 0).all()
        assert np.array_equal(schema.encode(columns).codes, expected)
        for name in ("new.parquet", "new.csv"):
            later, _ = data.read_columns(tmp_path / name, schema)
            assert np.array_equal(schema.encode(later).codes, expected[:1])


def test_truth_values_may_be_digits_later(tmp_path):
    schema = Schema.of({"b": [True, False]})
    path = tmp_path / "t.csv"
    path.write_text("b\n1\n0\nTRUE\n?\n")
    later, _ = data.read_columns(path, schema)
    assert later["b"] == [True, False, True, None]
    path.write_text("b\n2\n")
    with pytest.raises(DataError, match="'2' is not true or false, as the column was in training"):
        data.read_columns(path, schema)


def test_a_column_that_counts_the_rows_is_told(people, capsys):
    lines = (people / "people.csv").read_text().splitlines()
    (people / "counted.csv").write_text(
        "\n".join([f",{lines[0]}", *(f"{i},{line}" for i, line in enumerate(lines[1:]))])
    )
    options = [
        "--target",
        "y",
        "--model",
        "realmlp",
        "--epochs",
        "1",
        "--hidden",
        "4",
        "--no-progress",
        "--card",
        "card.json",
    ]
    code, _, remarks = ran(capsys, "train", "counted.csv", *options)
    assert code == 0
    assert "the column '' counts the rows" in remarks
    code, _, remarks = ran(capsys, "train", "counted.csv", "--drop", "", *options)
    assert (code, "counts the rows" in remarks) == (0, False)
    settings = json.loads((people / "card.json").read_text())["settings"]
    assert settings["drop"] == [""]
    assert not {"optimizer", "activation", "dropout", "l2", "loss", "processes"} & settings.keys()
