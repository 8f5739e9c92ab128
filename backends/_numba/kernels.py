"""The kernels that are no formula of one element, as plain Python over pointers; `compiling` turns them into machine code.

Arrays are feature-major, (width, batch), and contiguous, but for gathered inputs, (batch, width). Parameters are annotated with what
they are: a pointer (`Reals` of the dtype that is trained in, `Numbers` in double precision, `Wholes`, `Labels`), all that is
given, an int or a float.
What a name such as ``exp`` means here, and `F`, the dtype, is settled when a kernel is compiled.
"""

from __future__ import annotations

from collections.abc import Callable
from math import exp, log, sqrt
from typing import Any, TypeAlias

Reals: TypeAlias = Any
Numbers: TypeAlias = Any
Wholes: TypeAlias = Any
Labels: TypeAlias = Any
Given: TypeAlias = Any

F: Callable[[float], float] = float
threefry: Any = None
called: Any = None
product_called: Any = None
word: Any = None


# ---- data


def gather(source: Reals, rows: Wholes, out: Reals, batch: int, width: int, stride: int) -> None:
    for r in range(batch):
        start, place = rows[r] * width, r * stride
        for j in range(width):
            out[place + j] = source[start + j]


def gather_columns(source: Reals, rows: Wholes, out: Reals, batch: int, width: int) -> None:
    for r in range(batch):
        start = rows[r] * width
        for j in range(width):
            out[j * batch + r] = source[start + j]


def shares(weights: Reals, rows: Wholes, out: Reals, batch: int, scale: float) -> None:
    total = F(0)
    for r in range(batch):
        out[r] = weights[rows[r]]
        total += out[r]
    for r in range(batch):
        out[r] = F(scale) * (out[r] / total)


def one_hot(labels: Labels, rows: Wholes, out: Reals, batch: int, width: int) -> None:
    for j in range(width * batch):
        out[j] = F(0)
    for r in range(batch):
        out[labels[rows[r]] * batch + r] = F(1)


def smooth(q: Reals, classes: Numbers, batch: int, width: int, smoothing: float) -> None:
    for j in range(width):
        for r in range(batch):
            q[j * batch + r] = (q[j * batch + r] * F(1 - smoothing) + F(smoothing / width)) * F(classes[j])


# ---- layers


def product(given: Given) -> None:
    """What is given is what BLAS wants, thirteen pointers, and its address."""
    product_called(given)


def multiply(a: Reals, b: Reals, out: Reals, count: int) -> None:
    for j in range(count):
        out[j] = a[j] * b[j]


def fold(key: Labels, steps: Wholes, key0: int, key1: int, layer: int) -> None:
    """The key of a layer in a step."""
    first, second = threefry(key0, key1, steps[0], 2)
    first, second = threefry(first, second, layer, 2)
    key[0], key[1] = word(first), word(second)


def draw(words: Labels, key: Labels, members: Wholes, size: int, half: int) -> None:
    """Of the words that `multimlp.random.bits` draws for all members those of one member."""
    start = members[0] * size
    for j in range(size):
        early = start + j < half
        pair = threefry(key[0], key[1], start + j if early else start + j - half, 0)
        words[j] = word(pair[0] if early else pair[1])


def mask(factors: Reals, words: Labels, batch: int, width: int, threshold: int, factor: float) -> None:
    for j in range(width):
        for r in range(batch):
            factors[j * batch + r] = F(factor) if words[r * width + j] < threshold else F(0)


# ---- the loss


def softmax(
    z: Reals, d: Reals, q: Reals, share: Reals, work: Reals, total: Numbers, batch: int, width: int
) -> None:
    """Cross-entropy with target probabilities; ``work`` has room for four numbers an example."""
    exponentials(z, d, work, batch, width)
    for r in range(batch):
        work[2 * batch + r] = F(0)
        work[3 * batch + r] = F(0)
    for j in range(width):
        for r in range(batch):
            probability = q[j * batch + r]
            work[2 * batch + r] += probability
            work[3 * batch + r] += F(0) if probability == F(0) else probability * (z[j * batch + r] - work[r])
    for r in range(batch):
        mass = work[2 * batch + r]
        total[0] += share[r] * (mass * log(work[batch + r]) - work[3 * batch + r])
        work[batch + r] = mass / work[batch + r]
    for j in range(width):
        for r in range(batch):
            d[j * batch + r] = share[r] * (d[j * batch + r] * work[batch + r] - q[j * batch + r])


def softmax_of_labels(
    z: Reals,
    d: Reals,
    labels: Labels,
    rows: Wholes,
    share: Reals,
    work: Reals,
    total: Numbers,
    batch: int,
    width: int,
) -> None:
    """Cross-entropy with class labels; ``work`` has room for two numbers an example."""
    exponentials(z, d, work, batch, width)
    for r in range(batch):
        work[r] = log(work[batch + r]) + work[r]
        work[batch + r] = share[r] / work[batch + r]
    for j in range(width):
        for r in range(batch):
            d[j * batch + r] *= work[batch + r]
    for r in range(batch):
        label = labels[rows[r]] * batch + r
        total[0] += share[r] * (work[r] - z[label])
        d[label] -= share[r]


def exponentials(z: Reals, d: Reals, work: Reals, batch: int, width: int) -> None:
    """exp(z - max z) into ``d``, the largest of each column into ``work``, and the sum behind it."""
    for r in range(batch):
        work[r] = z[r]
        work[batch + r] = F(0)
    for j in range(1, width):
        for r in range(batch):
            work[r] = work[r] if work[r] > z[j * batch + r] else z[j * batch + r]
    for j in range(width):
        for r in range(batch):
            e = exp(z[j * batch + r] - work[r])
            d[j * batch + r] = e
            work[batch + r] += e


# ---- between gradient and update


def penalty(p: Reals, g: Reals, total: Numbers, count: int, l1: float, l2: float) -> None:
    size = F(0)
    squares = F(0)
    for j in range(count):
        w = p[j]
        sign = F(w > F(0)) - F(w < F(0))
        g[j] += F(l1) * sign + F(2 * l2) * w
        size += sign * w
        squares += w * w
    total[0] += l1 * size + l2 * squares


def clip(g: Reals, count: int, limit: float) -> None:
    squares = F(0)
    for j in range(count):
        squares += g[j] * g[j]
    norm = sqrt(squares)
    if norm > F(limit):
        for j in range(count):
            g[j] *= F(limit) / norm


# ---- all steps


def steps(
    table: Wholes,
    by_step: Wholes,
    by_member: Wholes,
    arguments: Wholes,
    calls: int,
    width: int,
    count: int,
    members: int,
) -> None:
    """Run a table of calls ``count`` times for each member: the address of a kernel, then its arguments, which move on."""
    for m in range(members):
        for s in range(count):
            for i in range(calls):
                row = i * width
                for j in range(width):
                    arguments[j] = table[row + j] + s * by_step[row + j] + m * by_member[row + j]
                called(arguments[0], arguments)
