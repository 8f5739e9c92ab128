"""How chaos grows: the orbit of x -> r x (1 - x), its slopes in start and rate, forward and in reverse, and its Lyapunov exponent.

May, Simple mathematical models with very complicated dynamics (1976).
"""

import mpmath
import numpy as np

import multimlp as mm

STEPS = 12


def orbit(start, rate):
    def step(x, _):
        x = rate * x * (1.0 - x)
        return x, x

    return mm.scan(step, start, None, length=STEPS)


def exponent(start, rate):
    """The mean of log |f'| along the orbit, f' by automatic differentiation."""
    xp = mm.array_namespace(start, rate)
    places = orbit(start, rate)[1]
    stretch = mm.vmap(mm.grad(lambda x: rate * x * (1.0 - x)))(places)
    return xp.mean(xp.log(xp.abs(stretch)))


def program(start, rate):
    xp = mm.array_namespace(start, rate)
    last, reverse = mm.value_and_grad(lambda *point: orbit(*point)[0], argnums=(0, 1))(start, rate)
    unit, none = xp.ones_like(start), xp.zeros_like(start)
    forward = tuple(
        mm.jvp(lambda *point: orbit(*point)[0], (start, rate), tangents)[1]
        for tangents in ((unit, none), (none, unit))
    )
    value, slope = mm.value_and_grad(exponent, argnums=1)(start, rate)
    return {"last": last, "reverse": reverse, "forward": forward, "exponent": value, "slope": slope}


def inputs():
    return np.asarray(0.3), np.asarray(3.6)


# ---- the truth: differences of 60-digit numbers


def expected(start, rate):
    with mpmath.workdps(60):
        step = mpmath.mpf(10) ** -20

        def places(start, rate):
            found = [start]
            for _ in range(STEPS):
                found.append(rate * found[-1] * (1 - found[-1]))
            return found[1:]

        def lyapunov(start, rate):
            return mpmath.fsum(mpmath.log(abs(rate * (1 - 2 * x))) for x in places(start, rate)) / STEPS

        x, r = mpmath.mpf(float(start)), mpmath.mpf(float(rate))
        last = places(x, r)[-1]
        slopes = (
            float((places(x + step, r)[-1] - places(x - step, r)[-1]) / (2 * step)),
            float((places(x, r + step)[-1] - places(x, r - step)[-1]) / (2 * step)),
        )
        slope = (lyapunov(x, r + step) - lyapunov(x, r - step)) / (2 * step)
        return {
            "last": float(last),
            "reverse": slopes,
            "forward": slopes,
            "exponent": float(lyapunov(x, r)),
            "slope": float(slope),
        }
