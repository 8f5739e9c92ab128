"""A variational autoencoder of binary data: the evidence bound with reparametrised draws, and its gradient.

Kingma, Welling, Auto-encoding variational Bayes (2014), equation 10 and appendix C.1.
"""

import numpy as np
from complex_step import slopes

import multimlp as mm

LATENT = 2
encoder, decoder = mm.MLP(6, 5, 2 * LATENT, activation="tanh"), mm.MLP(LATENT, 5, 6, activation="tanh")


def negative_bound(params, X, key):
    xp = mm.array_namespace(X, params["encoder"][0].weight)
    codes = encoder(params["encoder"], X)
    means, log_variances = codes[:, :LATENT], codes[:, LATENT:]
    noise = mm.random.normal(key, (X.shape[0], LATENT), "float64")
    z = means + xp.exp(0.5 * log_variances) * noise
    logits = decoder(params["decoder"], z)
    reconstruction = xp.sum(mm.activations.softplus(logits) - X * logits, axis=-1)
    divergence = 0.5 * xp.sum(means * means + xp.exp(log_variances) - log_variances - 1.0, axis=-1)
    return xp.mean(reconstruction + divergence)


def program(params, X, key):
    value, gradient = mm.value_and_grad(negative_bound)(params, X, key)
    return {"value": value, "gradient": gradient}


def inputs():
    params = {
        "encoder": encoder.init(seed=3, backend="numpy", dtype="float64"),
        "decoder": decoder.init(seed=4, backend="numpy", dtype="float64"),
    }
    X = (np.random.default_rng(3).uniform(size=(4, 6)) < 0.5).astype(np.float64)
    return params, X, np.asarray([17, 42], dtype=np.int32)


# ---- the truth: the formulas without stable forms; the draws are those of NumPy, whose bits test_random.py proves


def expected(params, X, key):
    noise = mm.random.normal(key, (4, LATENT), "float64")

    def forward(layers, x):
        return np.tanh(x @ layers[0].weight + layers[0].bias) @ layers[1].weight + layers[1].bias

    def value(params):
        codes = forward(params["encoder"], X)
        means, deviations = codes[:, :LATENT], np.exp(codes[:, LATENT:] / 2)
        p = 1 / (1 + np.exp(-forward(params["decoder"], means + deviations * noise)))
        likelihood = np.sum(X * np.log(p) + (1 - X) * np.log(1 - p), axis=-1)
        divergence = np.sum(means**2 + deviations**2 - 2 * np.log(deviations) - 1, axis=-1) / 2
        return np.mean(divergence - likelihood)

    return {"value": value(params), "gradient": slopes(value, params)}
