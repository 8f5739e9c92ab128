"""A deep ensemble: a `vmap` over keys draws, trains and asks five networks at once; where they disagree the model does not know.

Lakshminarayanan, Pritzel, Blundell, Simple and scalable predictive uncertainty estimation using deep ensembles (2017).
"""

import numpy as np

import multimlp as mm

MEMBERS, WIDTH, STEPS, RATE = 5, 4, 4, 0.1


def network(params, x):
    xp = mm.array_namespace(x, params["outer"])
    hidden = xp.tanh(xp.expand_dims(x, axis=1) * params["inner"] + params["bias"])
    return xp.matmul(hidden, params["outer"])


def objective(params, x, y):
    xp = mm.array_namespace(x, params["outer"])
    return xp.mean((network(params, x) - y) ** 2)


def member(key, x, y, places):
    keys = mm.random.split(key, 3)
    names = ("inner", "bias", "outer")
    params = {name: mm.random.normal(keys[i, :], (WIDTH,), "float64") for i, name in enumerate(names)}

    def step(params, _):
        value, gradient = mm.value_and_grad(objective)(params, x, y)
        return mm.tree.map(lambda p, g: p - RATE * g, params, gradient), value

    params, losses = mm.scan(step, params, None, length=STEPS)
    return network(params, places), losses


def mean_prediction(places, keys, x, y):
    predictions, losses = mm.vmap(member, in_axes=(0, None, None, None))(keys, x, y, places)
    xp = mm.array_namespace(predictions)
    mean, spread = xp.mean(predictions, axis=0), xp.std(predictions, axis=0)
    return xp.mean(mean), (mean, spread, losses)


def program(key, x, y, places):
    keys = mm.random.split(key, MEMBERS)
    slope, (mean, spread, losses) = mm.grad(mean_prediction, has_aux=True)(places, keys, x, y)
    return {"mean": mean, "spread": spread, "losses": losses, "slope": slope}


def inputs():
    x = np.linspace(-1, 1, 6)
    return mm.random.key(16, xp=np), x, x**2, np.linspace(-2, 2, 5)


# ---- the truth: member by member, backpropagation by hand


def expected(key, x, y, places):
    predictions, losses, slopes = [], [], []
    for row in mm.random.split(key, MEMBERS):
        inner, bias, outer = (mm.random.normal(k, (WIDTH,), "float64") for k in mm.random.split(row, 3))
        history = []
        for _ in range(STEPS):
            hidden = np.tanh(np.outer(x, inner) + bias)
            error = hidden @ outer - y
            history.append(np.mean(error**2))
            back = 2 * error[:, None] / len(x) * outer * (1 - hidden**2)
            grad_outer = 2 * hidden.T @ error / len(x)
            inner, bias, outer = (
                inner - RATE * x @ back,
                bias - RATE * np.sum(back, 0),
                outer - RATE * grad_outer,
            )
        hidden = np.tanh(np.outer(places, inner) + bias)
        predictions.append(hidden @ outer)
        slopes.append((1 - hidden**2) @ (outer * inner))
        losses.append(history)
    return {
        "mean": np.mean(predictions, axis=0),
        "spread": np.std(predictions, axis=0),
        "losses": np.asarray(losses),
        "slope": np.mean(slopes, axis=0) / len(places),
    }
