"""Threads side by side: the same bits as one after the other, everything global given back, and each thread's own choices its own."""

import asyncio
import os
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import multimlp as mm
from multimlp import tree
from multimlp.backend import get_backend, load_backend
from multimlp.backends import _threads
from multimlp.backends._turns import Turns

LIBRARIES = ["numpy", "torch", "jax", "tensorflow"]


def together(*functions):
    """Their results, all begun at once, each in a thread of its own."""
    barrier = threading.Barrier(len(functions))

    def run(function):
        barrier.wait()
        return function()

    with ThreadPoolExecutor(len(functions)) as pool:
        return [future.result(60) for future in [pool.submit(run, function) for function in functions]]


# ---- turns -------------------------------------------------------------------------------------------------------------


def test_a_limit_is_lifted_by_the_last_and_never_beside_another():
    turns, held, seen = Turns(), [], []
    limits = {"one": [], "all": []}

    def set_up():
        seen.append("set")
        return lambda: seen.append("lifted")

    def work(way):
        for _ in range(200):
            with turns.taking(way, set_up if way == "one" else None):
                limits[way].append(None)
                held.append(way)
                others = {*held}
                held.remove(way)
                assert others == {way}

    together(*[lambda way=way: work(way) for way in ("one", "all", "one", "all")])
    assert {way: len(counts) for way, counts in limits.items()} == {"one": 400, "all": 400}
    assert seen == ["set", "lifted"] * (len(seen) // 2)


@pytest.mark.parametrize("alone", [False, True])
def test_turns_survive_errors_and_nest(alone):
    turns, lifted = Turns(), []
    with pytest.raises(KeyError), turns.taking(1, lambda: lambda: lifted.append(1), alone), turns.taking(2):
        raise KeyError
    assert lifted == [1]
    with pytest.raises(ZeroDivisionError), turns.taking(1, lambda: 1 // 0):
        pass
    with turns.taking(2):
        pass
    assert (turns._active, list(turns._waiting)) == (0, [])


def limits_now():
    info = pytest.importorskip("threadpoolctl").threadpool_info()
    return [pool["num_threads"] for pool in info if pool["user_api"] == "blas"]


def test_blas_has_its_threads_again_whoever_ends_first():
    before = limits_now()
    order = threading.Event(), threading.Event()

    def first():
        with _threads.blas_threads(1):
            order[0].set()
            order[1].wait(10)

    def second():
        order[0].wait(10)
        with _threads.blas_threads(1):
            order[1].set()
            threads[0].join(10)
            assert limits_now() == [1] * len(before)

    threads = [threading.Thread(target=first), threading.Thread(target=second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert limits_now() == before


def test_torch_has_its_threads_again_in_every_thread():
    torch = pytest.importorskip("torch")
    from multimlp.backends.torch._threads import torch_threads

    count = torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        counts = []

        def begun_beside_a_limit():
            counts.append(torch.get_num_threads())
            limited.set()
            with torch_threads(None):
                counts.append(torch.get_num_threads())
            with torch_threads(1):
                counts.append(torch.get_num_threads())
            counts.append(torch.get_num_threads())

        limited = threading.Event()
        thread = threading.Thread(target=begun_beside_a_limit)
        with torch_threads(1):
            thread.start()
            limited.wait(10)
        thread.join(10)
        assert counts == [1, 3, 1, 3]
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(count)


# ---- fits --------------------------------------------------------------------------------------------------------------

RNG = np.random.default_rng(0)
X = RNG.standard_normal((300, 784)).astype(np.float32)
Y = (X[:, 0] > 0).astype(int)


def trained(library, activation="relu", hidden=65):
    result = mm.fit(
        mm.MLP(784, hidden, 2, activation=activation, dropout=0.1), X, Y, epochs=3, batch_size=100, backend=library, progress=False
    )  # fmt: skip
    arrays = [load_backend(library).to_numpy(leaf) for leaf in tree.leaves(result.params)]
    return result.history, [array.tobytes() for array in arrays]


FITS = {
    "two alike": [("numpy",), ("numpy",)],
    "one limited and one not": [("numpy",), ("numpy", "relu", 800)],
    "with and without in-place rules": [("numpy",), ("numpy", "softmax")],
    "torch, limited and not": [("torch",), ("torch", "relu", 400), ("torch", "softmax")],
    "every library": [(name,) for name in LIBRARIES],
}


@pytest.mark.parametrize("case", FITS)
def test_fits_side_by_side_have_the_bits_of_fits_in_a_row(case):
    for library, *_ in FITS[case]:
        pytest.importorskip(library)
    calls = [lambda call=call: trained(*call) for call in FITS[case]]
    before, state = [call() for call in calls], (np.geterr(), list(warnings.filters))
    limits = limits_now()
    assert together(*calls) == before
    assert (np.geterr(), list(warnings.filters)) == state
    assert limits_now() == limits


def test_each_thread_and_task_selects_its_own_backend():
    names = [name for name in LIBRARIES if mm.available_backends()[name].installed]

    def in_thread(name):
        with mm.use_backend(name, dtype="float32"):
            for seed in range(5):
                params = mm.MLP(2, 3, 1).init(seed=seed)
                assert mm.get_backend().name == name
                assert mm.backend.owner(params[0].weight, mm.random.key(seed)).name == name
                value = mm.grad(lambda w: mm.array_namespace(w).sum(w * w))(params[0].weight)
                np.testing.assert_array_equal(
                    get_backend(name).to_numpy(value), 2 * get_backend(name).to_numpy(params[0].weight)
                )
        return mm.get_backend().name

    assert together(*[lambda name=name: in_thread(name) for name in names]) == ["numpy"] * len(names)

    async def in_task(name):
        with mm.use_backend(name):
            for _ in range(3):
                await asyncio.sleep(0)
                assert mm.get_backend().name == name
                assert await asyncio.to_thread(lambda: mm.get_backend().name) == name

    async def tasks():
        await asyncio.gather(*map(in_task, names))

    asyncio.run(tasks())


def test_batches_are_made_under_the_backend_of_the_fit():
    pytest.importorskip("torch")
    seen = set()

    def batches():
        for _ in range(2):
            seen.add(mm.get_backend().name)
            yield X[:10, :4], Y[:10]

    with mm.use_backend("torch"):
        mm.fit(mm.MLP(4, 3, 2), batches, epochs=2, progress=False)
    assert seen == {"torch"}


def test_threads_load_and_differentiate_at_once():
    """The tape's levels, the registry and the memory of compiled predictions under many threads."""
    mlps = [mm.MLP(2, width, 1) for width in range(1, 90)]

    def work():
        for mlp in mlps:
            params = mlp.init(seed=0, backend="numpy")
            mm.predict(mlp, params, [[1.0, 2.0]])
            mm.value_and_grad(lambda p, mlp=mlp: mm.array_namespace(p[0].weight).sum(p[0].weight))(params)
        return True

    assert all(together(*[work] * 4))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_turns_begin_anew_in_a_forked_child():
    turns, inside, go_on = Turns(), threading.Event(), threading.Event()

    def hold():
        with turns.taking(1):
            inside.set()
            go_on.wait(10)

    thread = threading.Thread(target=hold)
    thread.start()
    inside.wait(10)
    turns._begin()  # what a fork calls in the child
    with turns.taking(2):
        pass
    go_on.set()
    thread.join()
    with turns.taking(3):
        assert turns._active == 1
