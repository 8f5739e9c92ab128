"""Wrong arguments get an error that names the argument, what was given and what was expected: a row for each kind of mistake."""

import math

import numpy as np
import pytest

import multimlp as mm
from multimlp import (
    activations,
    initializers,
    losses,
    metrics,
    optimizers,
    random,
    regularizers,
    schedules,
    structure,
    tree,
)
from multimlp.backend import is_installed, load_backend, register, select
from multimlp.errors import (
    CapabilityError,
    DataError,
    DeviceError,
    DTypeError,
    InputError,
    MixedBackendsError,
    NonScalarError,
    NotDifferentiableError,
    ShapeError,
    TracedValueError,
    UnknownBackendError,
)

X = np.zeros((4, 2))
Y = np.asarray([0, 1, 0, 1])
MLP = mm.MLP(2, 3, 2)
PARAMS = MLP.init(0)
KEY = random.key(0)


def fit(**given):
    return mm.fit(**{"mlp": MLP, "X": X, "y": Y, "epochs": 1, "validation": None, "progress": False, **given})


def updated(grads=PARAMS, state=None, params=PARAMS):
    rule = optimizers.adam()
    return rule.update(grads, rule.init(PARAMS) if state is None else state, params)


ROWS = {
    # numbers that count
    "text for a width": (
        lambda: mm.MLP("4", 3, 2),
        InputError,
        "in_features: expected a positive integer, got '4'",
    ),
    "a fraction of a unit": (lambda: mm.MLP(4, 3.5, 2), InputError, "hidden: expected a width.*got 3.5"),
    "True for a number": (lambda: mm.MLP(True, 3, 2), InputError, "in_features: .*got True"),
    "a width that no array has": (
        lambda: mm.MLP(4, 10**30, 2),
        InputError,
        "hidden: expected an integer up to 2147483647",
    ),
    "a fraction for a seed": (
        lambda: MLP.init(seed=1.5),
        InputError,
        "seed: expected an integer >= 0, got 1.5",
    ),
    "None for a seed": (lambda: MLP.init(seed=None), InputError, "seed: expected an integer >= 0, got None"),
    "text among seeds": (
        lambda: MLP.init(seed=[0, "1"]),
        InputError,
        r"seed\[1\]: expected an integer >= 0, got '1'",
    ),
    "a seed of more than two words": (
        lambda: MLP.init(seed=2**64),
        InputError,
        "seed: expected an integer up to 18446744073709551615",
    ),
    "such a seed of fit": (
        lambda: fit(seed=2**70),
        InputError,
        "seed: expected an integer up to 18446744073709551615",
    ),
    "such a seed of an order": (
        lambda: mm.random.host_permutation(2**64, 0, 3),
        InputError,
        "seed: expected an integer up to",
    ),
    "a fraction for the seed of fit": (
        lambda: fit(seed=1.5),
        InputError,
        "seed: expected an integer >= 0, got 1.5",
    ),
    "epochs below zero": (lambda: fit(epochs=-1), InputError, "epochs: expected an integer >= 0, got -1"),
    "infinitely many epochs": (lambda: fit(epochs=math.inf), InputError, "epochs: .*got inf"),
    "no batch": (
        lambda: fit(batch_size=[]),
        InputError,
        r"batch_size: expected a positive integer or None, got \[\]",
    ),
    "a float that is no one number": (lambda: random.key(1e300), InputError, "seed: .*got 1e"),
    "patience": (
        lambda: mm.callbacks.EarlyStopping(patience="5"),
        InputError,
        "patience: expected a positive integer, got '5'",
    ),
    "permutation of none": (
        lambda: random.permutation(KEY, None),
        InputError,
        "x: expected an integer.*got None",
    ),
    "shape as a number": (lambda: random.uniform(KEY, 3), InputError, "shape: expected a sequence.*got 3"),
    "an epoch below zero": (lambda: random.host_permutation(0, -1, 3), InputError, "epoch: .*got -1"),
    "regions": (
        lambda: structure.RecordGradientFlow(X, Y, every=0),
        InputError,
        "every: expected a positive integer, got 0",
    ),
    # rates
    "text for a rate": (
        lambda: mm.MLP(4, 3, 2, dropout="0.5"),
        InputError,
        "dropout: expected a number, got '0.5' of type str",
    ),
    "NaN for a rate": (
        lambda: mm.MLP(4, 3, 2, dropout=math.nan),
        InputError,
        r"dropout: expected a number in \[0, 1\), got nan",
    ),
    "an infinite rate": (lambda: optimizers.adam(math.inf), InputError, "learning_rate: .*got inf"),
    "a rate below zero": (lambda: optimizers.sgd(-0.1), InputError, "learning_rate: .*got -0.1"),
    "a complex rate": (lambda: optimizers.sgd(1j), InputError, "learning_rate: expected a number, got 1j"),
    "two rates": (lambda: optimizers.sgd(np.ones(2)), InputError, "learning_rate: expected a number"),
    "an infinite limit": (lambda: optimizers.sgd(clip_norm=math.inf), InputError, "clip_norm: .*got inf"),
    "an infinite stretch": (
        lambda: random.uniform(KEY, (2,), maxval=math.inf),
        InputError,
        "maxval: .*got inf",
    ),
    "a step of a schedule": (
        lambda: schedules.cosine(0.1, 5)(None),
        InputError,
        "step: expected a number, got None",
    ),
    # yes or no
    "a word for use_bias": (
        lambda: mm.MLP(4, 3, 2, use_bias="no"),
        InputError,
        "use_bias: expected True or False, got 'no'",
    ),
    "a word for shuffle": (
        lambda: fit(shuffle="no"),
        InputError,
        "shuffle: expected True or False, got 'no'",
    ),
    "None for progress": (
        lambda: fit(progress=None),
        InputError,
        "progress: expected True or False, got None",
    ),
    "a list for restore_best": (
        lambda: mm.callbacks.EarlyStopping(restore_best=[]),
        InputError,
        "restore_best: expected True or",
    ),
    "two for has_aux": (
        lambda: mm.grad(abs, has_aux=2),
        InputError,
        "has_aux: expected True or False, got 2",
    ),
    "a word for shared": (
        lambda: mm.data.Standardizer.fit(X, shared="no"),
        InputError,
        "shared: expected True or False",
    ),
    # names
    "a backend": (lambda: mm.get_backend("torhc"), UnknownBackendError, "did you mean 'torch'"),
    "an alias": (lambda: mm.get_backend("pytroch"), UnknownBackendError, "did you mean 'pytorch'"),
    "a data set": (lambda: mm.data.load("irsi"), InputError, "Did you mean 'iris'"),
    "an activation": (lambda: mm.MLP(2, 3, 1, activation="rleu"), InputError, "did you mean 'relu'"),
    "a final activation": (
        lambda: mm.MLP(2, 3, 1, final_activation="sigmiod"),
        InputError,
        "final_activation: .*'sigmoid'",
    ),
    "an initializer": (
        lambda: mm.MLP(2, 3, 1, kernel_init="zeors"),
        InputError,
        "kernel_init: .*Did you mean 'zeros'",
    ),
    "a loss": (lambda: fit(loss="cross_entorpy"), InputError, "Did you mean 'cross_entropy'"),
    "an optimizer": (lambda: fit(optimizer="adma"), InputError, "Did you mean 'adam'"),
    "a metric": (lambda: fit(metrics=["acuracy"]), InputError, "Did you mean 'accuracy'"),
    "an option": (lambda: losses.with_options("huber", detla=1.0), InputError, "did you mean 'delta'"),
    "a regularizer": (lambda: fit(regularizer="l22"), InputError, "regularizer: unknown name 'l22'"),
    "a dtype": (lambda: select("numpy", dtype="flaot32"), DTypeError, "did you mean 'float32'"),
    "a dtype of convert": (
        lambda: mm.convert(X, "numpy", dtype="flaot32"),
        DTypeError,
        "did you mean 'float32'",
    ),
    "a device": (lambda: select("numpy", device="cpuu"), DeviceError, "did you mean 'cpu'"),
    "a compiler": (lambda: mm.jit(abs, compiler="non")(X), CapabilityError, "did you mean 'none'"),
    "a compiler of fit": (
        lambda: fit(compile="nnoe", backend="numpy"),
        CapabilityError,
        "did you mean 'none'",
    ),
    "a word of a few": (
        lambda: fit(last_batch="kep"),
        InputError,
        "last_batch: .*got 'kep'; did you mean 'keep'",
    ),
    "a lesson": (lambda: mm.lessons.run("colapse"), InputError, "Did you mean 'collapse'"),
    "a name that is none": (lambda: mm.data.load(None), InputError, "data set: expected a name.*got None"),
    # functions and callbacks
    "a number for callbacks": (
        lambda: fit(callbacks=7),
        InputError,
        "callbacks: expected a sequence of callbacks, got 7",
    ),
    "a callback without its list": (
        lambda: fit(callbacks=mm.callbacks.Callback()),
        InputError,
        r"callbacks: .*write \[callback\]",
    ),
    "a class for a callback": (
        lambda: fit(callbacks=[mm.callbacks.EarlyStopping]),
        InputError,
        r"make one: EarlyStopping\(\)",
    ),
    "a class for a loss": (
        lambda: losses.get(int),
        InputError,
        r"loss: expected a function.*make one: int\(\)",
    ),
    "a number for a function": (
        lambda: mm.grad(3),
        InputError,
        "grad: f: expected a function of arrays, got 3",
    ),
    "no function for a tree": (lambda: tree.map(None, 1), InputError, "function: expected a function"),
    "a model that is none": (
        lambda: mm.predict("mlp", PARAMS, X),
        InputError,
        "mlp: expected an MLP, or a function",
    ),
    "a label that is no function": (
        lambda: optimizers.grouped("adam", {}, label="x"),
        InputError,
        "label: expected a function",
    ),
    "batches that are none": (
        lambda: fit(X=lambda: None, y=None),
        InputError,
        "X: the callable of batches: .*got None",
    ),
    # decorators
    "op without its parentheses": (lambda: mm.op(lambda x: x), InputError, r"write @op\(\)"),
    # paths
    "a number for a checkpoint": (
        lambda: fit(checkpoint=3),
        InputError,
        "checkpoint: expected the name of a file, got 3",
    ),
    "None for a path": (
        lambda: mm.callbacks.CSVLogger(None),
        InputError,
        "path: expected the name of a file, got None",
    ),
    "None for a folder": (
        lambda: mm.callbacks.TensorBoardLogger(None),
        InputError,
        "folder: expected the name of a folder, got None",
    ),
    "a number for a folder": (
        lambda: mm.data.load("iris", folder=3),
        InputError,
        "folder: expected the name of a folder, got 3",
    ),
    # data
    "a dict": (lambda: fit(X={"a": [1.0]}), InputError, r"X: expected an array.*pandas.DataFrame\(X\)"),
    "text": (lambda: fit(X="iris"), InputError, "X: expected an array.*got 'iris'"),
    "labels that are text": (
        lambda: fit(y=["a", "b", "a", "b"]),
        DataError,
        "y: expected numbers.*MLPClassifier.*np|numpy.unique",
    ),
    "numbers that are text": (lambda: fit(X=np.asarray([["1", "2"]] * 4)), DataError, "X: .*text.*astype"),
    "dates": (lambda: fit(X=np.zeros((4, 2), "datetime64[D]")), DataError, "X: .*dates or times"),
    "complex numbers": (lambda: fit(X=X * 1j), DataError, "X: expected real numbers, got complex128"),
    "objects": (lambda: fit(X=np.full((4, 2), object())), DataError, "X: expected numbers"),
    "rows of two lengths": (lambda: fit(y=[[1, 2], [3]]), ShapeError, "y: rows of different lengths"),
    "a fraction to validate on": (
        lambda: fit(validation="0.1"),
        InputError,
        r"validation: expected a fraction in \[0, 1\)",
    ),
    "no data set": (lambda: mm.data.split(X), InputError, "dataset: expected a Dataset"),
    "text to standardise": (lambda: mm.data.Standardizer.fit([["a"]]), DataError, "X: expected numbers"),
    # arrays and trees
    "layers in another order": (
        lambda: MLP(PARAMS[::-1], np.zeros((1, 2), np.float32)),
        ShapeError,
        r"params\[0\].weight",
    ),
    "a mapping for parameters": (
        lambda: MLP({}, np.zeros((1, 2), np.float32)),
        InputError,
        "params: expected a tuple of 2 layers",
    ),
    "a list for an array": (
        lambda: activations.relu([1.0]),
        InputError,
        "relu: x must be an array, got list",
    ),
    "integers for an activation": (
        lambda: activations.relu(np.ones(2, int)),
        DTypeError,
        "relu: x has dtype int64",
    ),
    "a number for targets": (
        lambda: losses.mse(X, 1.0),
        InputError,
        "targets: expected an array of the same library",
    ),
    "complex outputs": (
        lambda: losses.mse(X * 1j, X),
        DTypeError,
        "outputs: expected a real floating-point dtype, got complex128",
    ),
    "text as outputs": (
        lambda: losses.mse(np.asarray([["a"]]), X),
        DTypeError,
        "outputs: expected a real floating-point dtype",
    ),
    "shapes that do not fit": (
        lambda: mm.mlp.dense(X, np.zeros((3, 2))),
        InputError,
        r"dense: .*x of shape \(4, 2\)",
    ),
    "outputs that are no scores": (
        lambda: metrics.accuracy(X > 0, Y),
        DTypeError,
        "outputs: expected scores",
    ),
    "weights of another size": (
        lambda: losses.reduce(np.ones(3), np.ones(1)),
        ShapeError,
        r"sample_weight: expected shape \(3,\)",
    ),
    "a key of the wrong dtype": (
        lambda: random.bits(np.zeros(2), (3,)),
        InputError,
        "key: expected an int32 array of shape",
    ),
    "a number for a key": (
        lambda: random.normal(7, (3,)),
        InputError,
        "key: expected a key as multimlp.random.key",
    ),
    "a shape that p does not have": (
        lambda: random.bernoulli(KEY, np.ones(3), (2,)),
        ShapeError,
        "p: .*broadcasts to shape",
    ),
    "dropout of nothing": (
        lambda: regularizers.dropout(None, KEY, 0.5),
        InputError,
        "x: expected a floating array, got None",
    ),
    "weights that are words": (
        lambda: regularizers.l2(0.1)(["a"]),
        InputError,
        "params: expected weights to penalise",
    ),
    "gradients of another tree": (
        lambda: updated(grads=PARAMS[:1]),
        InputError,
        "grads: expected a tree like the parameters",
    ),
    "gradients of another shape": (
        lambda: updated(grads=tree.map(lambda a: a[:1], PARAMS)),
        ShapeError,
        "grads: expected an array of shape",
    ),
    "a state that is none": (
        lambda: updated(state=PARAMS),
        InputError,
        "state: expected the state that init",
    ),
    "parameters that are numbers": (
        lambda: optimizers.adam().init([1.0, X]),
        InputError,
        "params: expected a tree of floating",
    ),
    "initial values": (
        lambda: initializers.get(["a"]),
        InputError,
        "initializer: the values given: expected finite real numbers",
    ),
    "a shape of sizes": (
        lambda: initializers.fans(3),
        ShapeError,
        "shape: expected a sequence of sizes, got 3",
    ),
    "no generator": (
        lambda: initializers.he_normal(None, (2, 3)),
        InputError,
        "generator: expected a numpy.random.Generator",
    ),
    "leaves that are one number": (
        lambda: tree.flatten((1, 2))[1](3),
        InputError,
        "leaves: expected 2 in a sequence, got int",
    ),
    "an adapter that is none": (
        lambda: register("numpy"),
        InputError,
        "backend: expected an object of a subclass",
    ),
    "targets of no rows": (lambda: mm.gradient_flow(MLP, PARAMS, X, 3), ShapeError, "y: expected 4 rows"),
    # transforms
    "None to differentiate": (
        lambda: mm.grad(abs)(None),
        NotDifferentiableError,
        "no array in it to differentiate",
    ),
    "a function of nothing": (
        lambda: mm.grad(lambda x: None)(X),
        NonScalarError,
        "the function returned None",
    ),
    "a tangent of nothing": (
        lambda: mm.jvp(lambda x: None, (X,), (X,)),
        NotDifferentiableError,
        "jvp: .*got nothing",
    ),
    "argnums as text": (lambda: mm.grad(abs, argnums="x"), InputError, "grad: argnums: expected an integer"),
    "in_axes as text": (
        lambda: mm.vmap(abs, in_axes="0"),
        InputError,
        "vmap: in_axes: expected an integer, None or a tree",
    ),
    # arrays where a word, a number or a name is expected: comparing them with one says nothing
    **{
        f"an array for {name}": (lambda call=call: call(np.ones((2, 3))), error, words)
        for name, call, error, words in (
            (
                "devices",
                lambda given: fit(devices=given),
                InputError,
                "devices: expected 'all', a number, or a list",
            ),
            (
                "the devices of a connection",
                lambda given: mm.distributed.connect(given),
                InputError,
                "devices: expected a positive integer",
            ),
            (
                "compile",
                lambda given: fit(compile=given),
                CapabilityError,
                "compile: array.* is not one of the numpy backend's",
            ),
            (
                "a dtype of draws",
                lambda given: random.randint(KEY, (2,), 0, 5, given),
                InputError,
                "dtype: expected 'int32' or 'int64'",
            ),
            (
                "axes",
                lambda given: mm.plotting.plot_history({"loss": [1.0]}, given),
                InputError,
                "ax: expected matplotlib axes",
            ),
        )
    },
    "a rate of integers": (
        lambda: regularizers.dropout(np.ones(2), KEY, np.asarray(1)),
        InputError,
        "rate: expected a number, or a floating array",
    ),
    "a key of fractions": (
        lambda: mm.at(X)[np.ones(2)].set(0.0),
        InputError,
        "at: expected a key of integers, slices",
    ),
    "text for values": (
        lambda: mm.at(X)[0].set("a"),
        InputError,
        "at: expected numbers or an array as values, got 'a'",
    ),
    "nothing to minimise": (
        lambda: optimizers.minimize(lambda p: p.sum(), np.ones((2, 0))),
        InputError,
        "params: expected one number to change or more",
    ),
}


@pytest.mark.parametrize("row", ROWS)
def test_what_is_wrong_is_said(row):
    call, error, words = ROWS[row]
    with pytest.raises(error, match=words):
        call()


ENVIRONMENT = {
    "MULTIMLP_BACKEND": ("torhc", UnknownBackendError, "did you mean 'torch'"),
    "MULTIMLP_DEVICE": ("cuda:77", DeviceError, "'cuda:77' is not available"),
    "MULTIMLP_DTYPE": ("flaot32", DTypeError, "did you mean 'float32'"),
}


@pytest.mark.parametrize("variable", ENVIRONMENT)
def test_a_wrong_environment_is_named(variable, monkeypatch):
    value, error, words = ENVIRONMENT[variable]
    monkeypatch.setenv(variable, value)
    with pytest.raises(error, match=f"environment variable {variable}: .*{words}"):
        MLP.init(0)
    # An argument goes before, and is not blamed on the environment.
    with pytest.raises((DeviceError, DTypeError, UnknownBackendError), match="^(?!environment)"):
        select("nmpy" if variable == "MULTIMLP_BACKEND" else "numpy", "nowhere", "float32")


def test_a_folder_of_the_environment_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("MULTIMLP_DATA", str(tmp_path))
    with pytest.raises(DataError, match="environment variable MULTIMLP_DATA"):
        mm.data.load("mnist")


NUMBERS = {
    "NumPy's integer": np.int64(3),
    "NumPy's unsigned integer": np.uint8(3),
    "an array of shape ()": np.asarray(3),
    "a whole float": np.float64(3.0),
}


@pytest.mark.parametrize("number", NUMBERS.values(), ids=NUMBERS)
def test_a_number_may_be_of_another_type(number):
    assert mm.MLP(number, number, number) == mm.MLP(3, 3, 3)
    assert type(mm.MLP(number, [number], 3).hidden[0]) is int
    assert tree.map(np.ndarray.tolist, MLP.init(number)) == tree.map(np.ndarray.tolist, MLP.init(3))
    assert optimizers.adam(number * 0.5).options["learning_rate"] == 1.5
    assert len(fit(epochs=number, backend="numpy").history["loss"]) == 3
    assert random.split(KEY, number).shape == (3, 2)
    assert mm.scan(lambda c, x: (c, x), np.asarray(0.0), np.zeros(3), length=number)[1].shape == (3,)


def test_gradients_are_found_by_their_keys_in_any_order():
    params = {"w": np.ones(2), "b": np.zeros(2)}
    grads = {"b": np.zeros(2), "w": np.ones(2)}
    new = optimizers.sgd(0.5).update(grads, optimizers.sgd(0.5).init(params), params)[0]
    assert new["w"].tolist() == [0.5, 0.5]
    assert new["b"].tolist() == [0.0, 0.0]


def test_nothing_has_its_derivatives_and_its_draws():
    assert mm.jacobian(lambda x: x * x)(np.zeros((0,))).shape == (0, 0)
    assert activations.softmax(np.zeros((2, 0))).shape == (2, 0)
    assert random.uniform(KEY, (0, 2)).shape == (0, 2)
    assert random.permutation(KEY, 0).shape == (0,)


def test_arrays_of_operations_may_be_given_by_name():
    assert losses.mse.function(outputs=X, targets=X).tolist() == [0.0] * 4
    assert activations.erf(x=np.zeros(1)).tolist() == [0.0]


# ---- a function of another library where an array is traced --------------------------------------------------------------

FOREIGN = {
    "numpy": ["np.interp", "torch.sum", "jnp.sum"],
    "torch": ["np.sum", "np.sin", "jnp.sum"],
    "jax": ["np.sin", "torch.sum"],
    "strict": ["np.sum", "torch.sum", "method"],
    "tensorflow": ["torch.sum", "method"],
}


def foreign(name):
    if name == "np.interp":
        return lambda x: np.sum(np.interp(x, [0.0, 1.0], [0.0, 1.0]))
    if name == "method":
        return lambda x: x.sum()
    library, _, function = name.partition(".")
    module = {"np": np}.get(library) or pytest.importorskip({"torch": "torch", "jnp": "jax.numpy"}[library])
    called = getattr(module, function)
    return called if function == "sum" else lambda x: mm.array_namespace(x).sum(called(x))


@pytest.mark.parametrize(
    ("library", "name"), [(library, name) for library, names in FOREIGN.items() for name in names]
)
def test_a_function_of_another_library_says_what_to_use(library, name):
    if not is_installed(library):
        pytest.skip(f"{library} is not installed")
    x = load_backend(library).asarray(np.ones(2), dtype="float32")
    with pytest.raises(
        (MixedBackendsError, TracedValueError, NonScalarError, mm.errors.DifferentiationError)
    ) as caught:
        mm.grad(foreign(name))(x)
    assert "array_namespace" in str(caught.value)


@pytest.mark.parametrize("transform", [mm.jit, mm.vmap, mm.hessian])
def test_other_transforms_say_it_as_well(transform):
    torch = pytest.importorskip("torch")
    traced = transform if transform is not mm.jit else lambda f: mm.grad(mm.jit(f))
    with pytest.raises(MixedBackendsError, match=r"array_namespace\(x\)"):
        traced(torch.sum)(np.ones((2, 2)))
