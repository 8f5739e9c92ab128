"""Hamiltonian Monte Carlo with the draws of `mm.random`: a `scan` of leapfrog steps inside a `scan` of proposals.

Neal, MCMC using Hamiltonian dynamics (2011), figure 2; the density is Rosenbrock's valley, made gentle.
"""

import numpy as np
from complex_step import slopes

import multimlp as mm

PROPOSALS, LEAPS = 4, 3


def energy(place):
    x, y = place[0], place[1]
    return 0.5 * (1.0 - x) ** 2 + 2.0 * (y - x * x) ** 2


def leapfrog(place, momentum, length):
    def leap(state, _):
        place, momentum = state
        momentum = momentum - 0.5 * length * mm.grad(energy)(place)
        place = place + length * momentum
        return (place, momentum - 0.5 * length * mm.grad(energy)(place)), None

    return mm.scan(leap, (place, momentum), None, length=LEAPS)[0]


def chain(length, start, key):
    xp = mm.array_namespace(length, start)

    def propose(place, key):
        keys = mm.random.split(key)
        momentum = mm.random.normal(keys[0, :], (2,), "float64")
        moved, last = leapfrog(place, momentum, length)
        gain = energy(place) - energy(moved) + 0.5 * xp.sum(momentum * momentum - last * last)
        accepted = xp.log(mm.random.uniform(keys[1, :], (), "float64")) < gain
        place = xp.where(accepted, moved, place)
        return place, (place, accepted)

    return mm.scan(propose, start, mm.random.split(key, PROPOSALS))[1]


def mean_energy(length, start, key):
    places, accepted = chain(length, start, key)
    xp = mm.array_namespace(places)
    return xp.mean(mm.vmap(energy)(places)), (places, accepted)


def program(length, start, key):
    (value, (places, accepted)), gradients = mm.value_and_grad(mean_energy, argnums=(0, 1), has_aux=True)(
        length, start, key
    )
    return {"value": value, "places": places, "accepted": accepted, "gradients": gradients}


def inputs():
    return np.asarray(0.3), np.asarray([-0.5, 0.8]), mm.random.key(11, xp=np)


# ---- the truth: loops and the energy's slope by hand, complex steps; the draws are those of NumPy


def expected(length, start, key):
    def slope(place):
        x, y = place
        return np.asarray([x - 1 - 8 * x * (y - x * x), 4 * (y - x * x)])

    def run(point):
        length, place = point
        rows, taken = [], []
        for row in mm.random.split(key, PROPOSALS):
            for_momentum, for_choice = mm.random.split(row)
            first = momentum = mm.random.normal(for_momentum, (2,), "float64")
            moved, momentum = place, momentum - length / 2 * slope(place)
            for _ in range(LEAPS):
                moved = moved + length * momentum
                momentum = momentum - length * slope(moved)
            momentum = momentum + length / 2 * slope(moved)
            before, after = energy(place) + first @ first / 2, energy(moved) + momentum @ momentum / 2
            taken.append(bool(mm.random.uniform(for_choice, (), "float64") < np.exp(before - after).real))
            place = moved if taken[-1] else place
            rows.append(place)
        return np.mean([energy(row) for row in rows]), np.asarray(rows), np.asarray(taken)

    value, places, accepted = run((length, start))
    gradients = slopes(lambda point: run(point)[0], (length, start))
    return {"value": value, "places": places, "accepted": accepted, "gradients": gradients}
