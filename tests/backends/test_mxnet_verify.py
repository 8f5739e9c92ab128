"""`multimlp.interop.verify` of Gluon blocks, in MXNet's own environment."""

import pytest

import multimlp as mm
from multimlp.backend import is_installed, load_backend
from multimlp.errors import InputError

if not is_installed("mxnet"):
    pytest.skip("mxnet is not installed here; `make test-mxnet` runs these tests", allow_module_level=True)
load_backend("mxnet")  # makes NumPy fit for it
import mxnet as mx  # noqa: E402


def block(params, fused):
    """As people write it, with these parameters."""
    net = mx.gluon.nn.Sequential()
    for i, layer in enumerate(params):
        hidden = i < len(params) - 1
        net.add(mx.gluon.nn.Dense(layer.weight.shape[1], activation="tanh" if hidden and fused else None))
        if hidden and not fused:
            net.add(mx.gluon.nn.Activation("tanh"))
    net.initialize()
    net(mx.np.zeros((1, params[0].weight.shape[0])))
    dense = [layer for layer in net if isinstance(layer, mx.gluon.nn.Dense)]
    for layer, own in zip(params, dense, strict=True):
        own.weight.set_data(mx.np.array(layer.weight.T))
        own.bias.set_data(mx.np.array(layer.bias))
    return net


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("library", ["numpy", "mxnet"])
def test_a_gluon_block_is_compared_with_its_model(fused, library):
    mlp = mm.MLP(5, [7, 6], 3, activation="tanh")
    params = mlp.init(seed=0, backend="numpy", dtype="float32")
    net = block(params, fused)
    report = mm.interop.verify((mlp, mm.convert(params, library)), net)
    assert report.ok, str(report)
    assert len(report.gradients) == 7
    assert len(report.layers) == (4 if fused else 6)
    weight = params[1].weight.copy()
    weight[1, 2] += 1e-3
    other = (params[0], params[1]._replace(weight=weight), params[2])
    changed = mm.interop.verify((mlp, other), net)
    assert changed.first_difference.startswith("hidden 2 | Dense"), changed


def test_a_block_without_shapes_is_refused():
    mlp = mm.MLP(5, [7], 3)
    with pytest.raises(InputError, match="b: expected an initialised Gluon block"):
        mm.interop.verify((mlp, mlp.init(seed=0, backend="numpy", dtype="float32")), mx.gluon.nn.Dense(3))


@pytest.mark.parametrize("where", ["before", "after"])
def test_batch_norm_is_folded_and_layers_are_called_by_their_names(where, tmp_path):
    nn = mx.gluon.nn

    class Net(nn.Block):
        def __init__(self):
            super().__init__()
            self.norm, self.hidden1 = nn.BatchNorm(), nn.Dense(7)
            self.norm1, self.scores = nn.BatchNorm(), nn.Dense(3)
            self.act = nn.Activation("tanh")

        def forward(self, x):
            hidden = self.hidden1(self.norm(x))
            hidden = self.act(self.norm1(hidden)) if where == "before" else self.norm1(self.act(hidden))
            return self.scores(hidden)

    net = Net()
    net.initialize(mx.init.Normal(0.5))
    X = mx.np.random.normal(1.0, 2.0, (64, 5))
    for _ in range(20):
        with mx.autograd.record():  # gathers statistics
            net(X)
    for layer in (net.norm, net.norm1):
        layer.gamma.set_data(mx.np.random.uniform(0.5, 2.0, layer.gamma.shape))
        layer.beta.set_data(mx.np.random.normal(0.0, 1.0, layer.beta.shape))
    net.save_parameters(str(tmp_path / "net.params"))
    interop = mm.interop.gluon
    with pytest.raises(InputError, match="say whether it stands 'before' or 'after' them"):
        interop.from_gluon(tmp_path / "net.params", "tanh")
    mlp, params = interop.from_gluon(tmp_path / "net.params", "tanh", backend="numpy", batch_norm=where)
    assert mlp == mm.MLP(5, [7], 3, activation="tanh")
    assert mlp.layer_names == ("hidden1", "scores")
    report = mm.interop.verify(net, (mlp, params), X.asnumpy())
    assert report.ok, str(report)
    assert report.layers[0].name.startswith("Dense hidden1 | hidden1")
    other = interop.from_gluon(
        tmp_path / "net.params",
        "tanh",
        backend="numpy",
        batch_norm={"before": "after", "after": "before"}[where],
    )
    assert not mm.interop.verify(net, other, X.asnumpy()).ok


def test_names_of_layers_are_those_that_a_named_sequential_loads(tmp_path):
    mlp = mm.MLP(5, [7], 3, activation="tanh", layer_names=["hidden1", "scores"])
    params = mlp.init(seed=0, backend="numpy", dtype="float32")
    mm.interop.gluon.to_gluon(mlp, params, tmp_path / "net.params")
    net = mx.gluon.nn.Sequential()
    layers = mx.gluon.nn.Dense(7, activation="tanh", in_units=5), mx.gluon.nn.Dense(3, in_units=7)
    for layer, name in zip(layers, mlp.layer_names, strict=True):
        net.register_child(layer, name)
    net.load_parameters(str(tmp_path / "net.params"))
    assert mm.interop.verify((mlp, params), net).ok
    mm.interop.gluon.to_gluon(mlp.renamed(None), params, tmp_path / "plain.params")
    plain = mx.gluon.nn.Sequential()
    plain.add(*[mx.gluon.nn.Dense(7, activation="tanh"), mx.gluon.nn.Dense(3)])
    plain.load_parameters(str(tmp_path / "plain.params"))
    assert mm.interop.verify((mlp, params), plain).ok
