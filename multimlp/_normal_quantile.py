"""The quantile of the normal distribution, from both tails."""

from __future__ import annotations

from multimlp._polynomials import ratio
from multimlp._typing import Array, Namespace

# Wichura's coefficients, numerators and denominators, highest power first.
_CENTRE = (
    (
        2.5090809287301226727e3,
        3.3430575583588128105e4,
        6.7265770927008700853e4,
        4.5921953931549871457e4,
        1.3731693765509461125e4,
        1.9715909503065514427e3,
        1.3314166789178437745e2,
        3.3871328727963666080,
    ),
    (
        5.2264952788528545610e3,
        2.8729085735721942674e4,
        3.9307895800092710610e4,
        2.1213794301586595867e4,
        5.3941960214247511077e3,
        6.8718700749205790830e2,
        4.2313330701600911252e1,
        1.0,
    ),
)
_TAIL = (
    (
        7.74545014278341407640e-4,
        2.27238449892691845833e-2,
        2.41780725177450611770e-1,
        1.27045825245236838258,
        3.64784832476320460504,
        5.76949722146069140550,
        4.63033784615654529590,
        1.42343711074968357734,
    ),
    (
        1.05075007164441684324e-9,
        5.47593808499534494600e-4,
        1.51986665636164571966e-2,
        1.48103976427480074590e-1,
        6.89767334985100004550e-1,
        1.67638483018380384940,
        2.05319162663775882187,
        1.0,
    ),
)
_FAR = (
    (
        2.01033439929228813265e-7,
        2.71155556874348757815e-5,
        1.24266094738807843860e-3,
        2.65321895265761230930e-2,
        2.96560571828504891230e-1,
        1.78482653991729133580,
        5.46378491116411436990,
        6.65790464350110377720,
    ),
    (
        2.04426310338993978564e-15,
        1.42151175831644588870e-7,
        1.84631831751005468180e-5,
        7.86869131145613259100e-4,
        1.48753612908506148525e-2,
        1.36929880922735805310e-1,
        5.99832206555887937690e-1,
        1.0,
    ),
)
_CENTRE_END = 0.425
_TAIL_END = 5.0


def normal_quantile(xp: Namespace, below: Array, above: Array) -> Array:
    """The x with P(X < x) = ``below`` and P(X > x) = ``above``, in float64, to about an ulp down to chances of 1e-316.

    Both are given, since of one alone the other's small values could not be had.

    References
    ----------
    Wichura, Algorithm AS 241: the percentage points of the normal distribution, Applied Statistics 37 (1988).
    """
    centre = 0.5 * (below - above)
    near = centre * ratio(_CENTRE, _CENTRE_END * _CENTRE_END - centre * centre)
    r = xp.sqrt(-xp.log(xp.minimum(below, above)))
    tail = xp.where(r <= _TAIL_END, ratio(_TAIL, r - 1.6), ratio(_FAR, r - _TAIL_END))
    return xp.where(xp.abs(centre) <= _CENTRE_END, near, xp.where(centre < 0, -tail, tail))
