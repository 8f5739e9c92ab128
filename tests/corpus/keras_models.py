"""Of Keras: its examples and guides, TensorFlow's quickstart and its tutorial on regression."""

from __future__ import annotations

import keras
import numpy as np
from keras import layers

from corpus import Row


def settled(model):
    """With statistics, scales and shifts that are not those at the start."""
    generator = np.random.default_rng(0)
    for layer in model._flatten_layers():
        if isinstance(layer, (layers.BatchNormalization, layers.LayerNormalization)):
            for variable in layer.weights:
                variable.assign(generator.uniform(0.5, 1.5, variable.shape))
    return model


def quickstart():
    return keras.Sequential([
        keras.Input((8, 8)), layers.Flatten(), layers.Dense(16, activation="relu"), layers.Dropout(0.2), layers.Dense(10),
    ])  # fmt: skip


def mnist():
    return keras.Sequential([
        keras.Input((64,)), layers.Dense(32, activation="relu"), layers.Dropout(0.2), layers.Dense(32, activation="relu"),
        layers.Dropout(0.2), layers.Dense(10, activation="softmax"),
    ])  # fmt: skip


def functional():
    inputs = keras.Input(shape=(64,), name="digits")
    x = layers.Dense(16, activation="relu", name="dense_1")(inputs)
    x = layers.Dense(16, activation="relu", name="dense_2")(x)
    return keras.Model(inputs, layers.Dense(10, name="predictions")(x))


def fuel():
    normalizer = layers.Normalization(axis=-1)
    normalizer.adapt(np.random.default_rng(0).normal(2.0, 3.0, (64, 5)))
    body = [layers.Dense(16, activation="relu"), layers.Dense(16, activation="relu"), layers.Dense(1)]
    return keras.Sequential([keras.Input((5,)), normalizer, *body])


def images():
    return keras.Sequential([
        keras.Input((6, 6, 1)), layers.Rescaling(1.0 / 255), layers.Flatten(), layers.Dense(12, activation="selu"),
        layers.Dense(4, activation="softmax"),
    ])  # fmt: skip


def batch_norm():
    parts = [keras.Input((6,))]
    for units in (12, 9):
        parts += [layers.Dense(units, use_bias=False), layers.BatchNormalization(), layers.Activation("relu")]
    return settled(keras.Sequential([*parts, layers.Dense(1, activation="sigmoid")]))


def leaky():
    return keras.Sequential([keras.Input((5,)), layers.Dense(8, activation="leaky_relu"), layers.Dense(3)])


def toy_resnet():
    inputs = keras.Input((5,))
    x = layers.Dense(8, activation="relu")(inputs)
    for _ in range(2):
        y = layers.Dense(8, activation="relu")(x)
        y = layers.Dense(8)(y)
        x = layers.add([x, y])
    x = layers.Activation("relu")(x)
    return keras.Model(inputs, layers.Dense(2)(x))


def mixer():
    inputs = keras.Input((6,))
    x = layers.LayerNormalization(epsilon=1e-6)(inputs)
    x = layers.Dense(12, activation="gelu")(x)
    x = layers.Dropout(0.1)(x)
    x = layers.Dense(6)(x)
    x = x + inputs
    return settled(keras.Model(inputs, layers.Dense(3)(layers.LayerNormalization()(x))))


def autoencoder():
    inputs = keras.Input((12,))
    encoder = keras.Model(
        inputs, layers.Dense(4, activation="relu")(layers.Dense(8, activation="relu")(inputs))
    )
    decoder = keras.Sequential(
        [keras.Input((4,)), layers.Dense(8, activation="relu"), layers.Dense(12, activation="sigmoid")]
    )
    return keras.Model(inputs, decoder(encoder(inputs)))


def wide_dropout():
    return keras.Sequential([
        keras.Input((7,)), layers.Dense(16, activation="relu"), layers.Dropout(0.3), layers.Dense(16, activation="relu"),
        layers.Dropout(0.5), layers.Dense(1, activation="sigmoid"),
    ])  # fmt: skip


def arithmetic():
    inputs = keras.Input((3,))
    x = (inputs - 0.5) / 2.0
    x = keras.ops.tanh(layers.Dense(6)(x))
    return keras.Model(inputs, 4.0 * layers.Dense(1)(x) + 1.0)


ROWS = [
    Row("keras quickstart", quickstart, (16,)),
    Row("keras mnist", mnist, (32, 32)),
    Row("keras functional", functional, (16, 16)),
    Row("keras fuel efficiency", fuel, (16, 16)),
    Row("keras images", images, (12,)),
    Row("keras batch norm", batch_norm, (12, 9)),
    Row("keras leaky_relu by name", leaky, (8,)),
    Row("keras toy resnet", toy_resnet, None),
    Row("keras mixer block", mixer, None),
    Row("keras autoencoder", autoencoder, (8, 4, 8)),
    Row("keras dropout of two rates", wide_dropout, (16, 16)),
    Row("keras arithmetic", arithmetic, (6,)),
]
