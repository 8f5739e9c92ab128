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
    assert report.ok, report
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
