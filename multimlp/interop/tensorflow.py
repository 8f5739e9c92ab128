"""TensorFlow: an MLP as a ``tf.Module`` whose parameters are variables."""

from __future__ import annotations

from typing import Any

from multimlp import tree
from multimlp.backend import convert
from multimlp.backends.quiet import quiet_tensorflow
from multimlp.errors import missing_dependency
from multimlp.errors.checks import refuse
from multimlp.interop._layers import with_dropout
from multimlp.mlp import MLP, Params, check_params

try:
    with quiet_tensorflow():
        import tensorflow as tf
except ImportError:
    raise missing_dependency("tensorflow", "multimlp.interop.tensorflow", "tensorflow") from None


class TensorFlowMLP(tf.Module):
    """An MLP as a ``tf.Module``; see `as_tf_module`."""

    def __init__(self, mlp: MLP, params: Params, name: str | None = None) -> None:
        if name is not None and not isinstance(name, str):
            raise refuse("name", "a name or None", name)
        super().__init__(name=name)
        self.mlp = mlp
        leaves, self._rebuild = tree.flatten(convert(params, "tensorflow"))
        self.weights = [tf.Variable(leaf) for leaf in leaves]

    def __repr__(self) -> str:
        return f"<TensorFlowMLP {self.name}: {self.mlp!r}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return TensorFlowMLP, (self.mlp, self.params, self.name)

    @property
    def params(self) -> Params:
        """The current values as the tree that multimlp's functions take; gradients flow to the variables."""
        return self._rebuild([tf.convert_to_tensor(variable) for variable in self.weights])

    def __call__(self, X: Any, training: bool = False) -> Any:
        drop = tf.nn.dropout if training else None
        return with_dropout(self.mlp, self.params, X, drop)


def as_tf_module(mlp: MLP, params: Params, name: str | None = None) -> TensorFlowMLP:
    """A ``tf.Module`` that computes what ``mlp(params, X)`` computes; its variables can be trained,
    checkpointed and saved.

    Every activation works, ensembles too. ``module(X, training=True)`` switches dropout on; its masks follow
    ``tf.random.set_seed``.

    Parameters
    ----------
    mlp : MLP
    params : tuple of Dense
        Of any backend; copied.
    name : str, optional

    Examples
    --------
    >>> import tensorflow as tf
    >>> import multimlp as mm
    >>> from multimlp.interop.tensorflow import as_tf_module
    >>> mlp = mm.MLP(2, 3, 1)
    >>> module = as_tf_module(mlp, mlp.init(seed=0))
    >>> with tf.GradientTape() as tape:
    ...     value = tf.reduce_sum(module(tf.ones((4, 2))))
    >>> [tuple(g.shape) for g in tape.gradient(value, module.trainable_variables)]
    [(2, 3), (3,), (3, 1), (1,)]
    """
    check_params(mlp, params)
    return TensorFlowMLP(mlp, params, name)
