"""The heat equation on a ring by explicit differences: which conductivity and which start explain what was measured at the end?

Richtmyer, Morton, Difference methods for initial-value problems (1967); the gradient goes back through all steps of the `scan`.
"""

import numpy as np

import multimlp as mm

STEPS = 12


def final(conductivity, start):
    xp = mm.array_namespace(conductivity, start)

    def step(u, _):
        return u + conductivity * (xp.roll(u, 1) + xp.roll(u, -1) - 2.0 * u), None

    return mm.scan(step, start, None, length=STEPS)[0]


def misfit(conductivity, start, measured):
    u = final(conductivity, start)
    xp = mm.array_namespace(u, measured)
    return 0.5 * xp.sum((u - measured) * (u - measured)), u


def program(conductivity, start, measured):
    (value, u), gradients = mm.value_and_grad(misfit, argnums=(0, 1), has_aux=True)(
        conductivity, start, measured
    )
    outputs, pullback = mm.vjp(lambda start: final(conductivity, start), start)
    return {"value": value, "final": u, "gradients": gradients, "adjoint": pullback(outputs)[0]}


def inputs():
    places = 2 * np.pi * np.arange(12) / 12
    return np.asarray(0.2), np.exp(np.cos(places)), np.exp(np.cos(places) / 3)


# ---- the truth: waves are the eigenvectors, so the Fourier transform solves it


def expected(conductivity, start, measured):
    eigenvalues = -4 * np.sin(np.pi * np.arange(12) / 12) ** 2

    def apply(factors, u):
        return np.fft.ifft(factors * np.fft.fft(u)).real

    powers = (1 + conductivity * eigenvalues) ** STEPS
    slope = STEPS * eigenvalues * (1 + conductivity * eigenvalues) ** (STEPS - 1)
    u = apply(powers, start)
    error = u - measured
    return {
        "value": np.sum(error**2) / 2,
        "final": u,
        "gradients": (error @ apply(slope, start), apply(powers, error)),
        "adjoint": apply(powers, u),
    }
