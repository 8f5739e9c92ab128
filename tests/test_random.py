"""Known answers of the block function, equal bits on every library, distributions."""

from __future__ import annotations

import math
import warnings
import zlib

import numpy as np
import pytest
from libraries import COMPILED, agree, every_library, run

from multimlp import random
from multimlp.backend import load_backend
from multimlp.errors import DTypeError, InputError, ShapeError

KEY = np.asarray([0x13198A2E, 0x03707344], dtype=np.uint32).view(np.int32)

# Random123, kat_vectors, "threefry2x32 20": counter, key, result
KNOWN_ANSWERS = [
    ((0, 0), (0, 0), (0x6B200159, 0x99BA4EFE)),
    ((0xFFFFFFFF, 0xFFFFFFFF), (0xFFFFFFFF, 0xFFFFFFFF), (0x1CB996FC, 0xBB002BE7)),
    ((0x243F6A88, 0x85A308D3), (0x13198A2E, 0x03707344), (0xC4923A9C, 0x483DF7A0)),
]


@every_library
@pytest.mark.parametrize(("counter", "key", "expected"), KNOWN_ANSWERS)
def test_known_answers(library, counter, key, expected):
    words = [np.asarray([word], dtype=np.uint32).view(np.int32) for word in (*key, *counter)]
    got = run(library, random.threefry2x32, *words)
    assert tuple(int(word.view(np.uint32)[0]) for word in got) == expected


def reference_bits(key, counter1, pairs):
    """Threefry-2x32-20 in Python integers, straight from the paper."""
    k0, k1 = (int(k) & 0xFFFFFFFF for k in key)
    schedule = (k0, k1, k0 ^ k1 ^ 0x1BD11BDA)
    rows = []
    for i in range(pairs):
        x0, x1 = (i + k0) & 0xFFFFFFFF, (counter1 + k1) & 0xFFFFFFFF
        for r in range(20):
            x0 = (x0 + x1) & 0xFFFFFFFF
            turn = (13, 15, 26, 6, 17, 29, 16, 24)[r % 8]
            x1 = ((x1 << turn | x1 >> (32 - turn)) & 0xFFFFFFFF) ^ x0
            if r % 4 == 3:
                s = r // 4 + 1
                x0 = (x0 + schedule[s % 3]) & 0xFFFFFFFF
                x1 = (x1 + schedule[(s + 1) % 3] + s) & 0xFFFFFFFF
        rows.append((x0, x1))
    return np.asarray(rows, dtype=np.uint32)


BITS = reference_bits(KEY, 0, 17)
WORDS = BITS.T.ravel()

DRAWS = {
    "bits": (lambda key: random.bits(key, (33,)), WORDS[:33].view(np.int32)),
    "bits of no shape": (lambda key: random.bits(key, ()), WORDS[0:1].view(np.int32).reshape(())),
    "split": (lambda key: random.split(key, 3), reference_bits(KEY, 1, 3).view(np.int32)),
    "fold_in": (lambda key: random.fold_in(key, 4), reference_bits(KEY, 2, 5).view(np.int32)[4]),
    "float32": (lambda key: random.uniform(key, (33,)), ((WORDS[:33] >> 8) / 2.0**24).astype(np.float32)),
    "float64": (
        lambda key: random.uniform(key, (17,), "float64"),
        ((WORDS[:17] >> 6).astype(np.float64) * 2**27 + (WORDS[17:] >> 5)) / 2.0**53,
    ),
    "bernoulli": (
        lambda key: random.bernoulli(key, 0.3, (2, 17)),
        (WORDS.view(np.int32).astype(np.int64) + 2**31 < round(0.3 * 2**32)).reshape(2, 17),
    ),
    "bernoulli of 0": (lambda key: random.bernoulli(key, 0, (5,)), np.zeros(5, dtype=bool)),
    "bernoulli of 1": (lambda key: random.bernoulli(key, 1, (5,)), np.ones(5, dtype=bool)),
}


@every_library
@pytest.mark.parametrize("draw", DRAWS)
def test_bits_equal_the_reference(library, draw):
    function, expected = DRAWS[draw]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (got,) = run(library, function, KEY)
    assert got.dtype == expected.dtype
    assert np.array_equal(got, expected)


@pytest.mark.parametrize("library", COMPILED)
@pytest.mark.parametrize("draw", [*DRAWS, "permutation"])
def test_compiled_bits_equal_the_reference(library, draw):
    permutation = (
        lambda key: random.permutation(key, 2000),
        run("numpy", lambda k: random.permutation(k, 2000), KEY)[0],
    )
    function, expected = DRAWS.get(draw, permutation)
    assert np.array_equal(run(library, function, KEY, compiled=True)[0], expected)


@every_library
def test_fold_in_takes_an_array(library):
    by_array = run(library, random.fold_in, KEY, np.asarray(7, dtype=np.int32))[0]
    assert np.array_equal(by_array, random.fold_in(KEY, 7))


@every_library
def test_fold_in_inside_a_scan(library):
    backend = load_backend(library)

    def masks(key, start):
        def body(carry, _):
            at = carry[0]
            return (at + 1,), (random.bernoulli(random.fold_in(key, at), 0.5, (40,)),)

        return backend.scan(body, (start,), (), 3)[1]

    expected = [random.bernoulli(random.fold_in(KEY, i), 0.5, (40,)) for i in (5, 6, 7)]
    for compiled in {False, library in COMPILED}:
        (got,) = run(library, masks, KEY, np.asarray(5, dtype=np.int32), compiled=compiled)
        assert np.array_equal(got, np.stack(expected))


@every_library
def test_permutation_is_the_same_everywhere(library):
    (order,) = run(library, lambda key: random.permutation(key, 1000), KEY)
    assert np.array_equal(np.sort(order), np.arange(1000))
    assert np.array_equal(order, random.permutation(KEY, 1000))
    (rows,) = run(library, random.permutation, KEY, np.arange(12.0).reshape(6, 2))
    assert np.array_equal(rows, np.arange(12.0).reshape(6, 2)[random.permutation(KEY, 6)])


@every_library
@pytest.mark.parametrize(("dtype", "factor"), [("float32", 8), ("float64", 8)])
def test_normal_is_box_muller(library, dtype, factor):
    (got,) = run(library, lambda key: random.normal(key, (5, 101), dtype), KEY)
    u = random.uniform(KEY, (506,), dtype).astype(np.float64)
    radius, angle = np.sqrt(-2 * np.log1p(-u[:253])), 2 * np.pi * u[253:]
    expected = np.concatenate([radius * np.cos(angle), radius * np.sin(angle)])[:505].reshape(5, 101)
    # The angle is rounded to the dtype, and so is its cosine.
    agree(got, expected, factor)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_sixteen_bit_draws(dtype):
    library = "numpy" if dtype == "float16" else "jax"
    pytest.importorskip(library)
    (u,) = run(library, lambda key: random.uniform(key, (4096,), dtype), KEY)
    (z,) = run(library, lambda key: random.normal(key, (4096,), dtype), KEY)
    steps = u.astype(np.float64) * 2 ** {"float16": 11, "bfloat16": 8}[dtype]
    assert np.array_equal(steps, np.floor(steps))
    assert u.min() >= 0
    assert u.max() < 1
    assert abs(float(z.astype(np.float64).std()) - 1) < 0.05


def test_distributions():
    stats = pytest.importorskip("scipy.stats")

    key = random.key(12345)
    u = random.uniform(key, (100_000,), "float64")
    assert stats.kstest(u, "uniform").pvalue > 1e-3
    assert stats.kstest(random.normal(key, (100_000,), "float64"), "norm").pvalue > 1e-3
    v = random.uniform(key, (100_000,), "float64", -2.0, 6.0)
    assert stats.kstest((v + 2) / 8, "uniform").pvalue > 1e-3
    words = random.bits(key, (1 << 16,)).view(np.uint32)
    ones = np.asarray([np.count_nonzero(words >> np.uint32(i) & np.uint32(1)) for i in range(32)])
    assert np.max(np.abs(ones - 2**15)) < 5 * math.sqrt(2**16) / 2
    assert abs(np.corrcoef(u[:-1], u[1:])[0, 1]) < 5 / math.sqrt(len(u))
    hits = random.bernoulli(key, 0.1, (100_000,)).sum()
    assert stats.binomtest(int(hits), 100_000, 0.1).pvalue > 1e-3
    chosen = random.categorical(key, np.log(np.asarray([0.2, 0.5, 0.3])), (30_000,))
    assert stats.chisquare(np.bincount(chosen), np.asarray([0.2, 0.5, 0.3]) * 30_000).pvalue > 1e-3
    firsts = [int(random.permutation(random.fold_in(key, i), 6)[0]) for i in range(1200)]
    assert stats.chisquare(np.bincount(firsts, minlength=6)).pvalue > 1e-3


def test_bernoulli_with_an_array_of_probabilities():
    p = np.asarray([[0.0], [0.25], [1.0]], dtype=np.float32)
    drawn = random.bernoulli(random.key(3), p, (3, 20_000))
    assert not drawn[0].any()
    assert drawn[2].all()
    assert abs(drawn[1].mean() - 0.25) < 0.02


@every_library
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("rows", [None, (0, 3)])
def test_bernoulli_compares_with_probabilities_as_they_are(library, dtype, rows):
    if dtype == "float16" and library in ("strict", "paddle"):
        pytest.skip("neither the standard nor Paddle's adapter has float16")
    u = ((WORDS[:33] >> 8) / 2.0**24).reshape(3, 11)
    p = u.astype(dtype)
    p[1:] = np.nextafter(p[1:], np.asarray(1, dtype=dtype))
    (got,) = run(library, lambda key, p: random.bernoulli(key, p, (3, 11), window=rows), KEY, p)
    assert np.array_equal(got, u < p.astype(np.float64))


def test_keys_made_from_a_key_share_nothing_with_its_bits():
    key = random.key(0)
    drawn = set(random.bits(key, (2000,)).tolist())
    made = {*random.split(key, 100)[:, 0].tolist(), *(int(random.fold_in(key, i)[0]) for i in range(100))}
    assert len(made) == 200
    assert not made & drawn


def test_host_streams_are_those_of_numpy():
    expected = np.random.Generator(
        np.random.Philox(np.random.SeedSequence(5, spawn_key=(zlib.crc32(b"order"), 2)))
    ).permutation(50)
    assert np.array_equal(random.host_permutation(5, 2, 50), expected)
    assert not np.array_equal(random.host_permutation(5, 3, 50), expected)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: random.key(-1), InputError, "seed"),
        (lambda: random.key(1.5), InputError, "seed"),
        (lambda: random.bits(np.zeros((3, 2), dtype=np.int32), (3,)), InputError, "key"),
        (lambda: random.bits(7, (3,)), InputError, "key"),
        (lambda: random.bits(KEY, (-1,)), ShapeError, "shape"),
        (lambda: random.bits(KEY, (1 << 20, 1 << 20)), ShapeError, "split the key"),
        (lambda: random.uniform(KEY, (3,), "int32"), DTypeError, "dtype"),
        (lambda: random.uniform(KEY, (3,), minval=1.0, maxval=1.0), InputError, "minval"),
        (lambda: random.uniform(KEY, (3,), "float16", -4e4, 4e4), InputError, "float16 ends there"),
        (lambda: random.uniform(KEY, (3,), "float64", -1e308, 1e308), InputError, "float64 ends there"),
        (lambda: random.bernoulli(KEY, 1.5, (3,)), InputError, "p: expected"),
        (lambda: random.fold_in(KEY, "a"), InputError, "i: expected"),
        (lambda: random.host_generator(-3), InputError, "seed"),
    ],
)
def test_bad_input(call, error, words):
    with pytest.raises(error, match=words):
        call()


@pytest.mark.parametrize("size", [1, 2, 33])
def test_the_kernel_for_numpy_gives_the_portable_bits(size):
    from multimlp.backends._host_threefry import threefry2x32

    counter, purpose = np.arange(size, dtype=np.int32) - 7, np.asarray([2], dtype=np.int32)
    arguments = (KEY[:1], KEY[1:], counter, purpose)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        kernel = threefry2x32(*arguments)
    for got, expected in zip(kernel, random.threefry2x32.portable(*arguments), strict=True):
        assert got.dtype == np.int32
        assert np.array_equal(got, expected)
