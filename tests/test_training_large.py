"""Data of more rows than an order of them should take: orders in parts, memory maps in blocks, rows held out, and all in bounded memory."""

import subprocess
import sys
import tracemalloc

import numpy as np
import pytest

from multimlp import distributed, files, tree
from multimlp.backend import load_backend
from multimlp.errors import InputError
from multimlp.mlp import MLP
from multimlp.optimizers import adam
from multimlp.random import HostPermutation
from multimlp.training import InMemory, Ordering, _on_disk, _orders, fit
from multimlp.training._on_disk import OnDisk
from multimlp.training._orders import BlockOrdering, Kept, held_out
from multimlp.training.engines import Chunk

RNG = np.random.default_rng(0)
X = RNG.standard_normal((150, 6))
Y = (X[:, 0] * X[:, 1] + X[:, 2] > 0).astype(int) + (X[:, 3] > 1)
WEIGHTS = RNG.uniform(1, 2, 150)


@pytest.fixture
def small_is_large(monkeypatch):
    """150 rows are many, blocks of 5 rows, 4 of them together, chunks of 64 rows."""
    monkeypatch.setattr(_orders, "LARGE_ROWS", 100)
    monkeypatch.setattr(_orders, "_PART_ROWS", 64)
    monkeypatch.setattr(_orders, "_BLOCK_NUMBERS", 30)
    monkeypatch.setattr(_orders, "_STRETCH_BLOCKS", 4)
    monkeypatch.setattr(_on_disk, "STREAM_BYTES", 64 * X[:1].nbytes)


@pytest.fixture
def mapped(tmp_path):
    np.save(tmp_path / "X.npy", X)
    return np.load(tmp_path / "X.npy", mmap_mode="r")


def leaves(result):
    return [load_backend(result.backend).to_numpy(leaf) for leaf in tree.leaves(result.params)]


def trained(X, y, backend="numpy", **options):
    settings = dict(
        epochs=1, batch_size=32, validation=None, backend=backend, dtype="float64", progress=False
    )
    return fit(MLP(6, 5, 3), X, y, **(settings | options))


def agree(first, second, tolerance=0.0):
    for a, b in zip(leaves(first), leaves(second), strict=True):
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)
    for name, values in first.history.items():
        np.testing.assert_allclose(values, second.history[name], rtol=max(tolerance, 1e-13))


def rows_of(source, epoch):
    """What a source of ``X = numbers of rows`` hands out, chunk by chunk."""
    return [chunk.inputs[order, 0].astype(int) for chunk, order in source.epoch(epoch)]


def on_disk(count, width=1, held=(), batch_size=7, shuffle=True, drop_last=False):
    numbers = np.repeat(np.arange(count, dtype=np.float64)[:, None], width, axis=1)
    ordering = Ordering(3, batch_size, shuffle, drop_last)
    held = np.asarray(held, dtype=np.int64)
    return OnDisk(numbers, np.arange(count), np.arange(count), held, ordering, Chunk)


# ---- orders ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 3, 4, 5, 16, 17, 99, 130])
def test_every_row_is_read_once_in_blocks(monkeypatch, count):
    monkeypatch.setattr(_orders, "_STRETCH_BLOCKS", 4)
    monkeypatch.setattr(_orders, "_BLOCK_NUMBERS", 8)
    seen = []
    for width in (1, 3, 100):
        ordering = BlockOrdering(Ordering(3, 7, True, False), count, width)
        assert ordering.block == min(count, max(1, 8 // width))
        for epoch in range(2):
            rows = []
            for ranges, order in ordering.stretches(epoch):
                read = np.concatenate([np.arange(*cut) for cut in ranges])
                assert len(ranges) <= 4 + 2, "a block more for the rest, and one that goes around"
                assert len(read) <= ordering.largest
                assert np.all(np.diff(read) > 0), "the disk is read forwards"
                np.testing.assert_array_equal(np.sort(order), np.arange(len(read)))
                rows.append(read[order])
            np.testing.assert_array_equal(np.sort(np.concatenate(rows)), np.arange(count))
            seen.append(tuple(np.concatenate(rows).tolist()))
    if count > 90:
        assert len(set(seen)) == len(seen), "other epochs and widths are other orders"


def test_blocks_are_far_apart_and_rows_of_a_stretch_are_mixed():
    ordering = BlockOrdering(Ordering(0, 32, True, False), 10**7, 64)
    first, second = (next(ordering.stretches(epoch)) for epoch in (0, 1))
    starts = np.asarray([start for start, _ in first.ranges])
    counts = np.bincount(starts * 8 // 10**7, minlength=8)
    assert counts.min() > 10, "from all parts of the file"
    assert first.ranges != second.ranges
    halves = np.add.reduceat(first.order, [0, len(first.order) // 2])
    assert abs(halves[0] / halves[1] - 1) < 0.01
    assert not np.any(np.diff(first.order[:1000]) == 0)


@pytest.mark.parametrize(
    ("count", "held"), [(1, []), (6, [1, 4]), (6, [0, 1, 2]), (6, [3, 4, 5]), (50, range(1, 50, 2))]
)
def test_rows_that_are_kept(count, held):
    held = np.asarray([*held], dtype=np.int64)
    kept, expected, numbers = Kept(count, held), np.delete(np.arange(count), held), np.arange(count) * 10
    np.testing.assert_array_equal(kept.rows(np.arange(kept.count)), expected)
    for start in range(kept.count):
        for stop in range(start + 1, kept.count + 1):
            out = np.empty(stop - start, dtype=np.int64)
            kept.copy(numbers, start, stop, out)
            np.testing.assert_array_equal(out, expected[start:stop] * 10)


def test_rows_held_out_of_many_are_random_ones():
    few, many = held_out(4, 1000, 100), held_out(4, _orders.LARGE_ROWS, 1000)
    np.testing.assert_array_equal(few, np.sort(np.random.Generator(_philox(4)).permutation(1000)[:100]))
    assert len(np.unique(many)) == 1000
    assert np.all(np.diff(many) > 0)
    counts = np.bincount(many * 10 // _orders.LARGE_ROWS, minlength=10)
    assert np.all(np.abs(counts - 100) < 50)


def _philox(seed):
    import zlib

    return np.random.Philox(np.random.SeedSequence(seed, spawn_key=(zlib.crc32(b"validation"),)))


@pytest.mark.parametrize("shuffle", [True, False])
def test_an_order_in_parts_is_the_whole_one(small_is_large, shuffle):
    for drop_last in (False, True):
        for batch_size in (1, 7, 64, 65, 150):
            ordering = Ordering(3, batch_size, shuffle, drop_last)
            parts = [*ordering.parts(2, 150)]
            whole = np.concatenate(parts)
            assert all(len(part) % batch_size == 0 for part in parts[:-1])
            assert max(map(len, parts)) == min(len(whole), 64 // batch_size * batch_size or batch_size)
            np.testing.assert_array_equal(whole, ordering.rows(2, 150))
            expected = HostPermutation(150, 3, "order", 2).rows(0, 150) if shuffle else np.arange(150)
            np.testing.assert_array_equal(whole, expected[: len(whole)])
            assert len(whole) == (150 - 150 % batch_size if drop_last else 150)


@pytest.mark.parametrize("held", [(), (0, 1, 2, 77, 149)])
def test_chunks_from_a_file_are_of_one_size_and_hold_every_row(small_is_large, held):
    for width, batch_size, shuffle, drop_last in (
        (1, 7, True, False),
        (6, 32, True, True),
        (6, 145, True, True),
        (2, 7, False, False),
    ):
        source = on_disk(150, width, held, batch_size, shuffle, drop_last)
        kept = np.delete(np.arange(150), held).tolist()
        taken = len(kept) - len(kept) % batch_size if drop_last else len(kept)
        for epoch in range(2):
            chunks = rows_of(source, epoch)
            assert len({len(chunk) for chunk in chunks[:-1]}) <= 1
            assert all(len(chunk) % batch_size == 0 for chunk in chunks[:-1])
            rows = np.concatenate(chunks).tolist()
            assert len(rows) == len(set(rows)) == taken
            assert set(rows) <= set(kept)
            if not shuffle:
                assert rows == kept
        assert not shuffle or rows != np.concatenate(rows_of(source, 0)).tolist()


def test_inputs_targets_and_weights_stay_together(small_is_large):
    for chunk, order in on_disk(150, 2, [5, 140]).epoch(1):
        assert np.array_equal(chunk.inputs[order, 1], chunk.targets[order])
        assert np.array_equal(chunk.targets, chunk.weights)


# ---- training ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "backend",
    ["numpy", *(pytest.param(name, marks=pytest.mark.slow) for name in ("torch", "jax", "tensorflow"))],
)
def test_a_file_in_blocks_trains_like_the_same_rows_in_memory(small_is_large, mapped, backend):
    pytest.importorskip(backend)
    options = {"sample_weight": WEIGHTS, "validation": 0.1, "seed": 3, "backend": backend}
    held = held_out(3, 150, 15)
    rows = np.concatenate(rows_of(on_disk(150, 6, held, 32), 0))
    streamed = trained(mapped, Y, **options)
    options |= {
        "sample_weight": WEIGHTS[rows],
        "validation": (X[held], Y[held], WEIGHTS[held]),
        "shuffle": False,
    }
    agree(streamed, trained(X[rows], Y[rows], **options), 1e-12)


def test_a_fraction_of_a_short_memory_map_is_that_of_an_array(mapped):
    options = {"validation": 0.2, "sample_weight": WEIGHTS, "epochs": 3}
    agree(trained(mapped, Y, **options), trained(X, Y, **options))


def test_many_rows_in_memory_are_visited_by_the_permutation_in_parts(small_is_large):
    rows = HostPermutation(150, 0, "order", 0).rows(0, 150)
    assert [
        len(order) for _, order in InMemory(Chunk(X, Y, None), Ordering(0, 32, True, False)).epoch(0)
    ] == [64, 64, 22]
    agree(trained(X, Y), trained(X[rows], Y[rows], shuffle=False))
    source = InMemory(Chunk(np.arange(150)[:, None], None, None), Ordering(0, 32, True, False))
    for epoch in (0, 1, 2, 1):  # the first part of the next epoch is drawn ahead
        rows = HostPermutation(150, 0, "order", epoch).rows(0, 150)
        np.testing.assert_array_equal(np.concatenate(rows_of(source, epoch)), rows)


def test_checkpoints_say_which_order_they_are_of(small_is_large, mapped, tmp_path, monkeypatch):
    pytest.importorskip("safetensors")
    path = tmp_path / "run.safetensors"
    whole = trained(mapped, Y, epochs=4, validation=0.1)
    trained(mapped, Y, epochs=2, validation=0.1, checkpoint=path)
    settings = files.read_tensors(path)[1]["multimlp.run"]
    assert '"blocks of 5 rows, 4 together, by a Feistel network"' in settings
    agree(trained(mapped, Y, epochs=4, validation=0.1, checkpoint=path), whole)
    with pytest.raises(InputError, match=r"shuffle='blocks of 5 rows.*'by a Feistel network'"):
        trained(X, Y, epochs=5, validation=0.1, checkpoint=path)
    monkeypatch.setattr(_orders, "LARGE_ROWS", 1000)
    with pytest.raises(InputError, match=r"shuffle='blocks of 5 rows.*this one has True"):
        trained(mapped, Y, epochs=5, validation=0.1, checkpoint=path)


def on_all_processes(path):
    """What a process of a run ends with; the limits are those of `small_is_large`."""
    _orders.LARGE_ROWS, _orders._BLOCK_NUMBERS, _orders._STRETCH_BLOCKS = 100, 30, 4
    _on_disk.STREAM_BYTES = 64 * X[:1].nbytes
    options = {"validation": 0.1, "epochs": 2, "sample_weight": WEIGHTS, "devices": "all"}
    result = trained(np.load(path, mmap_mode="r"), Y, **options)
    return leaves(result), result.history


def test_two_processes_read_the_file_in_the_order_of_one(mapped, small_is_large):
    alone, history = on_all_processes(mapped.filename)
    for params, theirs in distributed.run(on_all_processes, processes=2, args=(mapped.filename,), timeout=60):
        for a, b in zip(params, alone, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)
        for name, values in history.items():
            np.testing.assert_allclose(theirs[name], values, rtol=1e-12)


# ---- memory ------------------------------------------------------------------------------------------------------------


def test_a_file_is_trained_from_in_less_memory_than_an_order_of_its_rows(tmp_path, monkeypatch):
    monkeypatch.setattr(_orders, "LARGE_ROWS", 1 << 18)
    monkeypatch.setattr(_orders, "_BLOCK_NUMBERS", 1 << 10)
    monkeypatch.setattr(_orders, "_STRETCH_BLOCKS", 32)
    monkeypatch.setattr(_on_disk, "STREAM_BYTES", 1 << 17)
    monkeypatch.setattr("multimlp.training._rows._AT_ONCE", 1 << 14)
    count = 1 << 19
    data = np.lib.format.open_memmap(tmp_path / "X.npy", "w+", np.float32, (count, 4))
    labels = np.lib.format.open_memmap(tmp_path / "y.npy", "w+", np.int8, (count,))
    data[:] = np.arange(4 * count, dtype=np.float32).reshape(count, 4) % 7 - 3
    labels[:] = data[:, 0] > 0
    data, labels = (np.load(tmp_path / f"{name}.npy", mmap_mode="r") for name in "Xy")
    mlp, options = (
        MLP(4, 2, 2),
        {
            "batch_size": 4096,
            "backend": "numpy",
            "validation": 0.001,
            "progress": False,
            "optimizer": adam(0.02),
        },
    )
    fit(mlp, data[:9000], labels[:9000], epochs=1, **options)  # what is made once
    tracemalloc.start()
    result = fit(mlp, data, labels, epochs=1, **options)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert result.history["val_loss"][0] < 0.7
    assert peak < 2.5 * 2**20 < 8 * count, f"{peak / 2**20:.1f} MiB"


LIMITED = """
import resource, sys
import numpy as np
import multimlp as mm
rows = 1 << 25
X = np.lib.format.open_memmap(sys.argv[1] + "/X.npy", "w+", np.float32, (rows, 4))
y = np.lib.format.open_memmap(sys.argv[1] + "/y.npy", "w+", np.int8, (rows,))
for start in range(0, rows, 1 << 20):
    part = np.random.default_rng(start).standard_normal((1 << 20, 4), np.float32)
    X[start : start + len(part)] = part
    y[start : start + len(part)] = part[:, 0] > 0
X, y = (np.load(f"{sys.argv[1]}/{name}.npy", mmap_mode="r") for name in "Xy")
mlp, options = mm.MLP(4, 8, 2), dict(batch_size=1 << 16, backend="numpy", validation=0.001, progress=False)
mm.fit(mlp, np.asarray(X[: 1 << 17]), y[: 1 << 17], epochs=1, **options)
held = next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmData")) * 1024
resource.setrlimit(resource.RLIMIT_DATA, (held + (384 << 20),) * 2)
result = mm.fit(mlp, X, y, epochs=1, **options)
assert result.history["val_accuracy"][0] > 0.95, result.history
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the limit is Linux's")
def test_33_million_rows_within_a_limit_on_memory(tmp_path):
    """384 MiB: the files have 544, and the orders of an epoch and of the next would have 512; a chunk of 32 MiB is there several times."""
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(tmp_path)], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr[-3000:]
