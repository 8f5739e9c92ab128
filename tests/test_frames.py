"""Tables of pandas, polars, arrays and lists: kinds of columns, missing values, codes, and what is refused."""

from __future__ import annotations

import datetime as dt
import json

import numpy as np
import pytest

from multimlp.errors import DataError, FileFormatError, InputError, ShapeError
from multimlp.frames import Schema

NAN = np.nan
DATES = [dt.date(1970, 1, 3), None, dt.date(2020, 1, 1)]
TIMES = [dt.datetime(1970, 1, 2, 12), dt.datetime(2020, 1, 1), None]
COLUMNS = {
    "whole": [3, 1, 2],
    "real": [0.5, None, -1.0],
    "text": ["b", None, "a"],
    "truth": [True, False, None],
    "date": DATES,
    "time": TIMES,
}
KINDS = ["number", "number", "category", "boolean", "date", "date"]
NUMBERS = [[3, 0.5, 2, 1.5], [1, NAN, NAN, 18262], [2, -1, 18262, NAN]]
CODES = [[1, 1], [-1, 0], [0, -1]]


def _pandas(columns):
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("narwhals")
    frame = pandas.DataFrame(columns)
    return frame.astype({"truth": "boolean", "date": "datetime64[us]"}) if "truth" in columns else frame


def _polars(columns):
    pytest.importorskip("narwhals")
    return pytest.importorskip("polars").DataFrame(columns)


def _categories(columns):
    frame = _pandas(columns)
    return frame.astype({"text": "category"})


FORMS = {"mapping": dict, "pandas": _pandas, "polars": _polars, "pandas categories": _categories}


@pytest.mark.parametrize("form", FORMS)
def test_one_table_in_every_form(form):
    table = FORMS[form](COLUMNS)
    schema = Schema.of(table)
    assert [column.kind for column in schema.columns] == KINDS
    assert [column.missing for column in schema.columns] == [False, True, True, True, True, True]
    numbers, codes = schema.encode(table)
    np.testing.assert_array_equal(numbers, NUMBERS)
    np.testing.assert_array_equal(codes, CODES)
    assert Schema.from_spec(json.loads(json.dumps(schema.to_spec()))) == schema
    later = FORMS[form]({name: values[::-1] for name, values in reversed(COLUMNS.items())})
    np.testing.assert_array_equal(schema.encode(later).codes, CODES[::-1])


@pytest.mark.parametrize(
    ("X", "kinds", "numbers", "codes"),
    [
        (np.asarray([[1.0, NAN], [2.0, 3.0]]), ["number"] * 2, [[1, NAN], [2, 3]], np.zeros((2, 0))),
        (np.asarray([[True], [False]]), ["boolean"], np.zeros((2, 0)), [[1], [0]]),
        ([[1, "a"], [2, "b"]], ["number", "category"], [[1], [2]], [[0], [1]]),
        (
            np.asarray([[1, None], [None, "b"]], dtype=object),
            ["number", "category"],
            [[1], [NAN]],
            [[-1], [0]],
        ),
        (
            np.asarray([["1970-01-02"], ["NaT"]], dtype="datetime64[D]"),
            ["date"],
            [[1], [NAN]],
            np.zeros((2, 0)),
        ),
    ],
)
def test_arrays_and_rows(X, kinds, numbers, codes):
    schema = Schema.of(X)
    assert schema.names == tuple(f"x{j}" for j in range(len(kinds)))
    assert [column.kind for column in schema.columns] == kinds
    found = schema.encode(X)
    np.testing.assert_array_equal(found.numbers, numbers)
    np.testing.assert_array_equal(found.codes, codes)


def test_numbers_that_are_categories():
    X = np.asarray([[10.0, 1], [2.0, 2], [NAN, 3]])
    schema = Schema.of(X, categorical=[0])
    assert schema.columns[0].categories == ("2", "10")
    np.testing.assert_array_equal(schema.encode(X).codes, [[1], [0], [-1]])
    np.testing.assert_array_equal(schema.encode(np.asarray([[3.0, 0], [10, 0]])).codes, [[-1], [1]])


def test_zones_of_time_are_compared_in_utc():
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("narwhals")
    here = pandas.DataFrame({"t": pandas.to_datetime(["1970-01-02 02:00"]).tz_localize("Europe/Berlin")})
    np.testing.assert_allclose(Schema.of(here).encode(here).numbers, [[1 + 1 / 24]])


def test_what_was_whole_may_be_missing_later():
    schema = Schema.of({"n": [1.0, 2.0], "c": ["a", "b"], "b": [True, False]})
    numbers, codes = schema.encode({"n": [None], "c": [None], "b": [None]})
    assert np.isnan(numbers).all()
    np.testing.assert_array_equal(codes, [[-1, -1]])


SCHEMA = Schema.of({"age": [1.0, 2.0], "job": ["a", "b"], "ok": [True, False]})


@pytest.mark.parametrize(
    ("act", "error", "words"),
    [
        (lambda: Schema.of({"a": [1.0, np.inf]}), DataError, "column 'a' holds inf in row 1"),
        (lambda: Schema.of({"a": [1, "x"]}), DataError, r"'a' mixes numbers \(row 0\) and text \(row 1\)"),
        (lambda: Schema.of({"a": [[1], [2]]}), DataError, "'a' holds list in row 0"),
        (lambda: Schema.of({"a": (i for i in range(3))}), InputError, "a sequence of cells, which can be read again.*make it a list"),
        (lambda: Schema.of({"a": [1], "b": [1, 2]}), ShapeError, "different lengths: 1, 2"),
        (lambda: Schema.of(np.zeros(3)), ShapeError, r"expected shape \(n, columns\), got \(3,\)"),
        (lambda: Schema.of(np.zeros((0, 2))), DataError, "at least one row"),
        (lambda: Schema.of({}), DataError, "at least one row and one column"),
        (lambda: Schema.of(3), InputError, "X: expected a data frame"),
        (lambda: Schema.of({"a": [1]}, ["b"]), InputError, "no column 'b'"),
        (lambda: SCHEMA.encode({"age": [1], "job": ["a"]}), DataError, "missing 'ok'"),
        (lambda: SCHEMA.encode({"agee": [1], "job": ["a"], "ok": [True]}), DataError,
         "missing 'age'; did you mean 'agee'.*unexpected 'agee'"),
        (lambda: SCHEMA.encode({"age": ["x"], "job": ["a"], "ok": [True]}), DataError,
         "'age' was of the kind 'number' and is now 'category'"),
        (lambda: SCHEMA.encode({"age": [1], "job": [True], "ok": [True]}), DataError, "'job' was of the kind"),
        (lambda: SCHEMA.encode({"age": [1], "job": ["a"], "ok": ["yes"]}), DataError, "'ok' was of the kind"),
        (lambda: SCHEMA.encode({"age": [1], "job": ["a"], "ok": [2]}), DataError, "'ok' was of the kind"),
        (lambda: Schema.from_spec([{"name": 3}]), FileFormatError, "description of a column"),
        (lambda: Schema.from_spec({}), FileFormatError, "description of a table"),
    ],
)  # fmt: skip
def test_what_is_refused(act, error, words):
    with pytest.raises(error, match=words):
        act()


def test_a_frame_whose_columns_are_numbers():
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame(np.asarray([[1.0, 2.0], [3.0, 4.0]]))
    schema = Schema.of(table)
    assert schema.names == ("0", "1")
    assert schema.encode(table).numbers.tolist() == [[1, 2], [3, 4]]


def test_what_is_no_table_of_numbers_is_said():
    sparse = pytest.importorskip("scipy.sparse")
    for made in (sparse.csr_array(np.eye(3)), sparse.dok_matrix(np.eye(3))):
        with pytest.raises(InputError, match=r"got a sparse matrix; make it dense first, X.toarray\(\)"):
            Schema.of(made)
    with pytest.raises(DataError, match=r"the column 'x0' holds complex numbers"):
        Schema.of(np.ones((2, 2)) * 1j)
    with pytest.raises(DataError, match=r"0 feature\(s\)"):
        Schema.of(np.ones((2, 0)))


def test_cells_of_every_library_that_are_missing_or_times():
    """A column as a list, whatever its cells are objects of."""
    pandas = pytest.importorskip("pandas")
    day = np.datetime64("1970-01-03", "ns")
    for items, kind, expected in (
        ([1, pandas.NA, 2.5], "number", [1, NAN, 2.5]),
        ([day, np.datetime64("NaT", "ns"), None], "date", [2, NAN, NAN]),
        ([pandas.Timestamp("1970-01-03"), pandas.NaT, dt.date(1970, 1, 2)], "date", [2, NAN, 1]),
        ([dt.timedelta(hours=12), np.timedelta64(1, "D"), None], "number", [0.5, 1, NAN]),
        (
            [np.timedelta64(1, "D").astype("m8[ns]"), np.timedelta64("NaT", "ns"), pandas.NaT],
            "number",
            [1, NAN, NAN],
        ),
    ):
        for table in ({"a": items}, np.asarray([*items, None], dtype=object)[:-1, None]):
            schema = Schema.of(table)
            assert schema.columns[0].kind == kind
            np.testing.assert_array_equal(schema.encode(table).numbers[:, 0], expected)
    words = Schema.of({"a": ["x", pandas.NA, None, NAN]})
    assert words.columns[0].categories == ("x",)
    with pytest.raises(DataError, match=r"mixes numbers \(row 0\) and durations \(row 1\)"):
        Schema.of({"a": [1, dt.timedelta(1)]})
    with pytest.raises(DataError, match="beyond the years 1 to 9999"):
        Schema.of({"a": [dt.datetime(1, 1, 1, tzinfo=dt.timezone(dt.timedelta(hours=5)))]})


def test_columns_of_a_mapping_may_be_arrays_and_series_of_any_library():
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("narwhals")
    torch = pytest.importorskip("torch")
    numbers = [1.0, NAN, 3.0]
    for column in (
        torch.tensor(numbers), pandas.Series(numbers), pandas.Series([1, None, 3], dtype="Int64"),
        pytest.importorskip("polars").Series([1, None, 3]), np.ma.masked_array([1.0, 9.0, 3.0], [False, True, False]),
    ):  # fmt: skip
        schema = Schema.of({"a": column})
        assert schema.columns[0].kind == "number"
        np.testing.assert_array_equal(schema.encode({"a": column}).numbers[:, 0], numbers)
    truth = Schema.of(
        {"a": pandas.Series([True, None], dtype="boolean"), "c": pandas.Series(["x", None], dtype="category")}
    )
    assert [column.kind for column in truth.columns] == ["boolean", "category"]
    with pytest.raises(ShapeError, match=r"X\['a'\]: expected a column of shape \(n,\), got \(2, 1\)"):
        Schema.of({"a": np.zeros((2, 1))})


def test_numbers_that_are_categories_have_one_name_in_every_form():
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("narwhals")
    values = [2.0, 10.0, 2.5, 2.0]
    frames = (
        pandas.DataFrame({"a": pandas.Categorical(values)}), pandas.DataFrame({"a": values}),
        {"a": ["2", "10", "2.5", "2"]},
    )  # fmt: skip
    schema = Schema.of(frames[1], categorical=["a"])
    assert schema.columns[0].categories == ("2", "2.5", "10")
    for frame in frames:
        assert schema.encode(frame).codes[:, 0].tolist() == [0, 2, 1, 0]
        assert set(Schema.of(frame, categorical=["a"]).columns[0].categories) == {"2", "2.5", "10"}


@pytest.mark.parametrize("later", [["x"], [1], [True], [dt.date(2020, 1, 1)], [None]])
def test_what_was_missing_throughout_is_of_no_kind(later):
    schema = Schema.of({"a": [1, 2], "nothing": [None, None]})
    assert schema.columns[1].categories == ()
    np.testing.assert_array_equal(schema.encode({"a": [1], "nothing": later}).codes, [[-1]])


def test_frames_that_are_no_tables_yet_are_said():
    pandas = pytest.importorskip("pandas")
    polars = pytest.importorskip("polars")
    pytest.importorskip("narwhals")
    with pytest.raises(InputError, match="two columns are called 'a'"):
        Schema.of(pandas.DataFrame([[1, 2]], columns=["a", "a"]))
    with pytest.raises(InputError, match=r"collect it first, X.collect\(\)"):
        Schema.of(polars.DataFrame({"a": [1]}).lazy())
    with pytest.raises(InputError, match="expected rows that are sequences, got mappings"):
        Schema.of([{"a": 1}, {"a": 2}])


@pytest.mark.parametrize("unit", ["Y", "M", "D", "h", "s", "ms", "us", "ns"])
def test_days_of_every_unit_of_time(unit):
    days = np.asarray(["1969-12-31", "2024-02-01", "NaT"], dtype="M8[D]").astype(f"M8[{unit}]")
    expected = days.astype("M8[D]").astype(float)
    expected[2] = NAN
    np.testing.assert_array_equal(Schema.of({"t": days}).encode({"t": days}).numbers[:, 0], expected)
    half = np.asarray(["1969-12-31T12:00", "2024-02-01T18:00"], dtype=f"M8[{unit}]")
    if unit not in "YMD":
        assert Schema.of({"t": half}).encode({"t": half}).numbers[:, 0].tolist() == [-0.5, 19754.75]


def test_dates_beyond_the_range_of_microseconds_are_no_others():
    far = np.asarray(["300000-01-01", "-300000-01-01", "1970-01-02"], dtype="M8[D]")
    assert Schema.of({"t": far}).encode({"t": far}).numbers[:, 0].tolist() == far.astype(int).tolist()
    spans = np.asarray([10**9, -(10**9), 1], dtype="m8[D]")
    assert Schema.of({"t": spans}).encode({"t": spans}).numbers[:, 0].tolist() == [1e9, -1e9, 1]


# ---- a column that is of another kind than where the schema was made

NOTHING = {
    "None": [None, None],
    "NaN": np.full(2, NAN),
    "NaT": np.full(2, np.datetime64("NaT"), dtype="datetime64[s]"),
    "no duration": np.full(2, np.timedelta64("NaT"), dtype="timedelta64[s]"),
    "masked": np.ma.masked_array([True, False], [True, True]),
}
LEARNED = {
    "number": [1.5, 2.0],
    "date": [dt.date(2020, 1, 1), dt.date(2020, 1, 2)],
    "boolean": [True, False],
    "category": ["a", "b"],
}


@pytest.mark.parametrize("form", NOTHING)
def test_where_nothing_is_there_the_kind_does_not_matter(form):
    for kind, values in LEARNED.items():
        schema = Schema.of({"c": values})
        numbers, codes = schema.encode({"c": NOTHING[form]})
        assert np.isnan(numbers).all()
        assert (codes == -1).all()
        assert numbers.shape[1] == (kind in ("number", "date"))
    nothing = Schema.of({"c": NOTHING[form]})
    assert nothing.columns[0].kind == "category"
    for values in LEARNED.values():
        assert (nothing.encode({"c": values}).codes == -1).all()


@pytest.mark.parametrize("learned", LEARNED)
@pytest.mark.parametrize("given", LEARNED)
def test_one_kind_is_not_taken_for_another(learned, given):
    schema = Schema.of({"c": LEARNED[learned]})
    if learned == given or (learned, given) == ("number", "boolean"):
        schema.encode({"c": LEARNED[given]})
        return
    with pytest.raises(DataError, match=f"was of the kind '{learned}' and is now '{given}'"):
        schema.encode({"c": LEARNED[given]})


@pytest.mark.parametrize(
    ("learned", "given", "codes"),
    [
        ([1.0, 2.5, None], ["1", "2.5", "2.50"], [0, 1, -1]),  # text is text
        (["1.0", "x", "2.50"], [1, 2.5, None], [0, 1, -1]),
        (["007", "7.5"], [7, 7.5], [-1, 1]),
        (["1", "1.0"], [1.0, 1], [0, 0]),
        (["true", "false", "never"], [True, False, None], [2, 0, -1]),
        ([dt.date(2020, 1, 1), dt.datetime(2020, 1, 2, 12)], ["2020-01-01", "2020-01-02T12:00:00"], [0, 1]),
        (
            ["2020-01-01 00:00:00", "2020-01-01T12:30"],
            [dt.datetime(2020, 1, 1), dt.datetime(2020, 1, 1, 12, 30)],
            [0, 1],
        ),
    ],
)
def test_categories_are_found_by_what_they_mean(learned, given, codes):
    schema = Schema.of({"c": learned}, ["c"])
    assert schema.columns[0].kind == "category"
    assert schema.encode({"c": given}).codes[:, 0].tolist() == codes


def test_categories_that_are_dates_are_no_numbers():
    schema = Schema.of({"c": [1, 2]}, ["c"])
    with pytest.raises(DataError, match="is now 'date'"):
        schema.encode({"c": [dt.date(1970, 1, 2)]})
    schema = Schema.of({"c": [True, False]})
    with pytest.raises(DataError, match="is now 'date'"):
        schema.encode({"c": [dt.date(1970, 1, 2)]})


def test_bytes_that_are_no_text_stay_apart():
    assert len(Schema.of({"c": [b"\xff", b"\xfe", b"a"]}).columns[0].categories) == 3


def test_rows_that_are_arrays_of_dates():
    rows = [np.asarray([day], dtype="datetime64[ns]") for day in ("1970-01-02", "1970-01-03")]
    schema = Schema.of(rows)
    assert schema.columns[0].kind == "date"
    assert schema.encode(rows).numbers[:, 0].tolist() == [1, 2]
    with pytest.raises(InputError, match="^X: expected rows that are sequences, got mappings"):
        Schema.of([{"a": 1}])


def test_times_finer_than_nanoseconds():
    times = np.asarray(["1970-01-02", "NaT"], dtype="datetime64[ps]")
    assert Schema.of({"c": times}).encode({"c": times}).numbers[0, 0] == 1


@pytest.mark.parametrize("form", ["array", "pandas", "nullable", "polars"])
def test_whole_numbers_that_float64_does_not_tell_apart(form):
    def table(whole):
        if form == "array":
            return {"id": whole}
        if form == "polars":
            return _polars({"id": whole.tolist()})
        return _pandas({"id": whole}).astype({"id": "Int64"} if form == "nullable" else {})

    close = 2**60 + np.arange(80)
    with pytest.raises(DataError, match="column 'id' holds whole numbers beyond 2.53.*column - column.min"):
        Schema.of(table(close))
    nanoseconds = 1_700_000_000_000_000_000 + 10**9 * np.arange(80)
    schema = Schema.of(table(nanoseconds))
    assert schema.encode(table(close[:1])).numbers.shape == (1, 1)
    assert len(np.unique(schema.encode(table(nanoseconds)).numbers)) == 80
