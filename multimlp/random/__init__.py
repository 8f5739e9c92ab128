"""Random numbers that are the same on every library, eager or compiled, on any device.

The generator is Threefry-2x32 with 20 rounds (Salmon, Moraes, Dror, Shaw, Parallel random numbers: as easy
as 1, 2, 3, SC'11), counter-based: a key and a counter give 64 bits, without state. It is written in
wrapping int32 additions, xors and shifts, which every array library has. One key makes one draw; `split`
and `fold_in` make new keys.

**Bit-identical on every library**: `bits`, `bernoulli`, `permutation`, `randint`, `choice`, `uniform` on [0, 1),
`split`, `fold_in`, and `poisson` of a number up to 10^7. `categorical`, `gamma` of shapes from 1 on in float64 and `poisson`
of arrays are so up to comparisons that hang on the last bit of a logarithm in float64, once in some 10^14 draws.
**Equal to two units in the last place** of max(1, abs(x)): the other real numbers, in float32 and float64; each says where it is not.
They are computed in float64 whatever dtype is asked for, with the library's logarithm and exponential, and rounded at the end.

The first argument is the key, as in `jax.random`; then come parameters, numbers or arrays, then the shape and the
dtype. Without a shape a draw has that of its parameters. A number out of range is an error; an array is
not looked at, since that would not compile, and what comes of it is NaN. Draws are differentiated in
parameters that are arrays: `gamma`, `beta`, `dirichlet`, `student_t`, `truncated_normal`, `multivariate_normal`; the others have
none but location and scale, which are outside: ``m + s * normal(key, shape)``.

The counter of a draw is (i, purpose): i = 0, 1, ... is the number of the element or of a pair of them; purpose 0 for the first
words of a draw, 1 for `split`, 2 for `fold_in`, so that the keys made from a key never share a block with numbers drawn from it,
3 for further numbers, 16 and on for the candidates of rejection sampling. Two kinds of draw make keys of theirs, and after them the
same ones are spent: `permutation`, and `choice` without replacement, ``fold_in(key, 0)``, ``fold_in(key, 1)``, ..., and `beta`
``split(key)``.

Draws on the host, for initial weights and for the order of examples, come from NumPy's Philox
(`host_generator`); `HostPermutation` makes any part of an order without the rest of it.
"""

from multimlp.random._beta import beta, dirichlet
from multimlp.random._choice import categorical, choice
from multimlp.random._draws import bernoulli, bits, host_generator, host_permutation, permutation, uniform
from multimlp.random._exponential import exponential, gumbel, laplace
from multimlp.random._feistel import HostPermutation
from multimlp.random._gamma import gamma
from multimlp.random._integers import randint
from multimlp.random._multivariate import multivariate_normal
from multimlp.random._normal import normal
from multimlp.random._poisson import poisson
from multimlp.random._student import student_t
from multimlp.random._threefry import fold_in, key, split, threefry2x32
from multimlp.random._truncated import truncated_normal

__all__ = [
    "HostPermutation",
    "bernoulli",
    "beta",
    "bits",
    "categorical",
    "choice",
    "dirichlet",
    "exponential",
    "fold_in",
    "gamma",
    "gumbel",
    "host_generator",
    "host_permutation",
    "key",
    "laplace",
    "multivariate_normal",
    "normal",
    "permutation",
    "poisson",
    "randint",
    "split",
    "student_t",
    "threefry2x32",
    "truncated_normal",
    "uniform",
]
