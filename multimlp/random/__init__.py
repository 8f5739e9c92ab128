"""Random numbers with the same bits on every library, eager or compiled, on any device.

The generator is Threefry-2x32 with 20 rounds (Salmon, Moraes, Dror, Shaw, Parallel random numbers: as easy
as 1, 2, 3, SC'11), counter-based: a key and a counter give 64 bits, without state. It is written in
wrapping int32 additions, xors and shifts, which every array library has. One key makes one draw; `split`
and `fold_in` make new keys.

**Bit-identical on every library**: `bits`, `bernoulli`, `permutation`, `uniform` on [0, 1), `split`,
`fold_in`. **Equal to a few units in the last place**: `normal`, `categorical`'s noise and `uniform` on
other ranges, which call the library's logarithm, cosine or fused multiply-add.

The counter of a draw is (i, purpose): word pairs i = 0, 1, ...; purpose 0 for `bits`, 1 for `split`, 2 for
`fold_in`, so that the keys made from a key never share a block with numbers drawn from it.

Draws on the host, for initial weights and for the order of examples, come from NumPy's Philox
(`host_generator`).
"""

from multimlp.random._draws import (
    bernoulli,
    bits,
    categorical,
    host_generator,
    host_permutation,
    normal,
    permutation,
    uniform,
)
from multimlp.random._threefry import fold_in, key, split, threefry2x32

__all__ = [
    "bernoulli",
    "bits",
    "categorical",
    "fold_in",
    "host_generator",
    "host_permutation",
    "key",
    "normal",
    "permutation",
    "split",
    "threefry2x32",
    "uniform",
]
