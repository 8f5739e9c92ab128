"""Three quantiles at once by the pinball loss and Adam: a training loop that is one `scan` over steps.

Koenker, Bassett, Regression quantiles (1978); Kingma, Ba, Adam (2015), algorithm 1.
"""

import numpy as np

import multimlp as mm

QUANTILES = (0.1, 0.5, 0.9)
STEPS, RATE = 25, 0.05


def pinball(params, x, y):
    xp = mm.array_namespace(params["slope"], x)
    quantiles = xp.asarray(QUANTILES, dtype=x.dtype)
    lines = xp.expand_dims(x, axis=1) * params["slope"] + params["intercept"]
    short = xp.expand_dims(y, axis=1) - lines
    return xp.mean(xp.sum(xp.where(short <= 0, (quantiles - 1.0) * short, quantiles * short), axis=1))


def trained(params, x, y):
    optimizer = mm.optimizers.adam(learning_rate=RATE)

    def step(state, _):
        params, memory = state
        value, gradient = mm.value_and_grad(pinball)(params, x, y)
        return optimizer.update(gradient, memory, params), value

    (params, _), losses = mm.scan(step, (params, optimizer.init(params)), None, length=STEPS)
    return params, losses


def program(params, x, y):
    last, losses = trained(params, x, y)
    return {"params": last, "losses": losses, "gradient": mm.grad(pinball)(last, x, y)}


def inputs():
    generator = np.random.default_rng(15)
    x = np.linspace(-1, 1, 16)
    y = 2 * x + generator.normal(size=16) * (1.5 + x)
    return {"slope": np.zeros(3), "intercept": np.zeros(3)}, x, y


# ---- the truth: Adam as its paper writes it, and the loss's slope, q below and q - 1 above


def expected(params, x, y):
    q = np.asarray(QUANTILES)

    def loss_and_slope(w):
        short = y[:, None] - (x[:, None] * w[0] + w[1])
        weight = np.where(short <= 0, q - 1, q)
        return np.mean(np.sum(weight * short, axis=1)), -np.stack([x @ weight, np.sum(weight, axis=0)]) / len(
            x
        )

    w, m, v, losses = np.zeros((2, 3)), np.zeros((2, 3)), np.zeros((2, 3)), []
    for t in range(1, STEPS + 1):
        value, g = loss_and_slope(w)
        losses.append(value)
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
        w = w - RATE * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
    slope = loss_and_slope(w)[1]
    return {
        "params": {"slope": w[0], "intercept": w[1]},
        "losses": np.asarray(losses),
        "gradient": {"slope": slope[0], "intercept": slope[1]},
    }
