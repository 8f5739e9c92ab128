"""A SIREN, a network of sines, fitted to the slopes of a picture: derivatives in the coordinates inside the loss.

Sitzmann et al., Implicit neural representations with periodic activation functions (2020), section 4.1.
"""

import numpy as np
from complex_step import slopes

import multimlp as mm

FREQUENCY = 5.0


def network(params, place):
    xp = mm.array_namespace(place, params["first"])
    hidden = xp.sin(FREQUENCY * xp.matmul(place, params["first"]))
    return xp.sum(params["last"] * xp.sin(xp.matmul(hidden, params["second"]) + params["bias"]))


def objective(params, places, wanted):
    xp = mm.array_namespace(places, params["first"])
    found = mm.vmap(mm.grad(network, argnums=1), in_axes=(None, 0))(params, places)
    return xp.mean(xp.sum((found - wanted) * (found - wanted), axis=-1))


def program(params, places, wanted):
    value, gradient = mm.value_and_grad(objective)(params, places, wanted)
    laplacian = mm.vmap(
        lambda place: mm.array_namespace(place).linalg.trace(
            mm.hessian(lambda place: network(params, place))(place)
        )
    )(places)
    return {"value": value, "laplacian": laplacian, "gradient": gradient}


def inputs():
    generator = np.random.default_rng(5)
    shapes = {"first": (2, 4), "second": (4, 3), "bias": (3,), "last": (3,)}
    params = {name: generator.uniform(-0.6, 0.6, shape) for name, shape in shapes.items()}
    places = generator.uniform(-1, 1, (5, 2))
    return params, places, np.cos(places)


# ---- the truth: the chain rule by hand, complex steps in the parameters and for the second derivatives


def expected(params, places, wanted):
    def slope(p, places):
        inner = FREQUENCY * places @ p["first"]
        outer = np.sin(inner) @ p["second"] + p["bias"]
        back = (p["last"] * np.cos(outer)) @ p["second"].T * np.cos(inner)
        return FREQUENCY * back @ p["first"].T

    def value(p):
        return np.mean(np.sum((slope(p, places) - wanted) ** 2, axis=-1))

    laplacian = [np.trace(slopes(lambda place: slope(params, place), place)) for place in places]
    return {"value": value(params), "laplacian": np.asarray(laplacian), "gradient": slopes(value, params)}
