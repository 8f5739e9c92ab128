"""The kernels that are no formula of one element, as plain Python over pointers; `compiling` turns them into machine code.

Arrays are feature-major, (width, batch), and may be columns of wider ones, whose lines are ``stride`` long; but for gathered inputs,
(batch, width). Parameters are annotated with what
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
INF = float("inf")
threefry: Any = None
called: Any = None
product_called: Any = None
word: Any = None
added: Any = None
seen: Any = None
swapped: Any = None
yielded: Any = None
flushing: Any = None
restored: Any = None


# ---- data


def gather(source: Reals, rows: Wholes, out: Reals, batch: int, width: int, stride: int) -> None:
    for r in range(batch):
        start, place = rows[r] * width, r * stride
        for j in range(width):
            out[place + j] = source[start + j]


def gather_columns(source: Reals, rows: Wholes, out: Reals, width: int, batch: int, stride: int) -> None:
    for r in range(batch):
        start = rows[r] * width
        for j in range(width):
            out[j * stride + r] = source[start + j]


def shares(
    weights: Reals, rows: Wholes, out: Reals, first: int, count: int, batch: int, scale: float
) -> None:
    """Those of some examples, beginning with ``first``, of a batch."""
    total = F(0)
    for r in range(batch):
        total += weights[rows[r]]
    if total == 0:  # as `losses.total_weight`: such a batch teaches nothing
        total = F(1)
    for r in range(count):
        out[r] = F(scale) * (weights[rows[first + r]] / total)


def one_hot(labels: Labels, rows: Wholes, out: Reals, width: int, batch: int, stride: int) -> None:
    for j in range(width):
        for r in range(batch):
            out[j * stride + r] = F(0)
    for r in range(batch):
        out[labels[rows[r]] * stride + r] = F(1)


def smooth(q: Reals, classes: Numbers, width: int, batch: int, stride: int, smoothing: float) -> None:
    for j in range(width):
        factor = F(classes[j])
        for r in range(j * stride, j * stride + batch):
            q[r] = (q[r] * F(1 - smoothing) + F(smoothing / width)) * factor


# ---- layers


def product(given: Given) -> None:
    """What is given is what BLAS wants, thirteen pointers, and its address."""
    product_called(given)


def multiply(a: Reals, b: Reals, out: Reals, width: int, batch: int, stride: int) -> None:
    for j in range(width):
        for r in range(j * stride, j * stride + batch):
            out[r] = a[r] * b[r]


def scale(a: Reals, b: Reals, width: int, batch: int, stride: int) -> None:
    """`multiply` in place: of three addresses, two of them equal, vector code cannot be sure."""
    for j in range(width):
        for r in range(j * stride, j * stride + batch):
            a[r] *= b[r]


def fold(key: Labels, steps: Wholes, key0: int, key1: int, layer: int) -> None:
    """The key of a layer in a step."""
    first, second = threefry(key0, key1, steps[0], 2)
    first, second = threefry(first, second, layer, 2)
    key[0], key[1] = word(first), word(second)


def draw(words: Labels, key: Labels, members: Wholes, first: int, count: int, size: int, half: int) -> None:
    """Of the words that `multimlp.random.bits` draws for all members, ``size`` for each, some of one member's."""
    start = members[0] * size + first
    for j in range(count):
        early = start + j < half
        pair = threefry(key[0], key[1], start + j if early else start + j - half, 0)
        words[j] = word(pair[0] if early else pair[1])


def mask(
    factors: Reals, words: Labels, width: int, batch: int, stride: int, kept: Wholes, factor: Numbers
) -> None:
    """Of ``factor`` where a word is at most ``kept``, else 0."""
    largest = kept[0]
    own = F(factor[0])
    for j in range(width):
        for r in range(batch):
            factors[j * stride + r] = own if words[r * width + j] <= largest else F(0)


# ---- the loss


def softmax(
    z: Reals,
    d: Reals,
    q: Reals,
    share: Reals,
    work: Reals,
    total: Numbers,
    width: int,
    batch: int,
    stride: int,
) -> None:
    """Cross-entropy with target probabilities; ``work`` has room for four numbers an example."""
    exponentials(z, d, work, width, batch, stride)
    for r in range(batch):
        work[2 * batch + r] = F(0)
        work[3 * batch + r] = F(0)
    for j in range(width):
        for r in range(batch):
            probability, relative = q[j * stride + r], z[j * stride + r] - work[r]
            work[2 * batch + r] += probability
            work[3 * batch + r] += F(0) if probability == F(0) else probability * relative
    for r in range(batch):
        mass = work[2 * batch + r]
        total[0] += share[r] * (mass * log(work[batch + r]) - work[3 * batch + r])
        work[batch + r] = mass / work[batch + r]
    for j in range(width):
        for r in range(batch):
            at = j * stride + r
            d[at] = share[r] * (d[at] * work[batch + r] - q[at])


def softmax_of_labels(
    z: Reals, d: Reals, labels: Labels, rows: Wholes, share: Reals, work: Reals, total: Numbers,
    width: int, batch: int, stride: int,
) -> None:  # fmt: skip
    """Cross-entropy with class labels; ``work`` has room for two numbers an example."""
    exponentials(z, d, work, width, batch, stride)
    for r in range(batch):
        work[r] = log(work[batch + r]) + work[r]
        work[batch + r] = share[r] / work[batch + r]
    for j in range(width):
        for r in range(batch):
            d[j * stride + r] *= work[batch + r]
    for r in range(batch):
        label = labels[rows[r]] * stride + r
        total[0] += share[r] * (work[r] - z[label])
        d[label] -= share[r]


def exponentials(z: Reals, d: Reals, work: Reals, width: int, batch: int, stride: int) -> None:
    """exp(z - max z) into ``d``, the largest of each column into ``work``, and the sum behind it."""
    for r in range(batch):
        work[r] = z[r]
        work[batch + r] = F(0)
    for j in range(1, width):
        for r in range(batch):
            work[r] = work[r] if work[r] > z[j * stride + r] else z[j * stride + r]
    for j in range(width):
        for r in range(batch):
            e = exp(z[j * stride + r] - work[r])
            d[j * stride + r] = e
            work[batch + r] += e


# ---- between gradient and update


def penalty(p: Reals, g: Reals, total: Numbers, count: int, strengths: Numbers) -> None:
    l1 = strengths[0]
    l2 = strengths[1]
    size = F(0)
    squares = F(0)
    for j in range(count):
        w = p[j]
        sign = F(w > F(0)) - F(w < F(0))
        g[j] += F(l1) * sign + F(2 * l2) * w
        size += sign * w
        squares += w * w
    total[0] += l1 * size + l2 * squares


def clip(g: Reals, count: int, most: Numbers) -> None:
    limit = most[0]
    squares = F(0)
    for j in range(count):
        squares += g[j] * g[j]
    norm = sqrt(squares)
    if norm > F(1e18):  # the squares may overflow: in units of the largest number
        unit = F(0)
        for j in range(count):
            size = g[j] if g[j] > F(0) else -g[j]
            unit = size if size > unit else unit
        unit = F(1) if unit == INF else unit
        squares = F(0)
        for j in range(count):
            squares += (g[j] / unit) * (g[j] / unit)
        norm = sqrt(squares)
        if norm * unit > F(limit):
            for j in range(count):
                g[j] = (g[j] / unit) * (F(limit) / norm)
    elif norm > F(limit):
        for j in range(count):
            g[j] *= F(limit) / norm


SUMS = (penalty, clip)
"""Kernels whose sums may be made in any order, as a processor's vectors want them."""


# ---- all steps


def in_turn(
    table: Wholes, by_step: Wholes, by_member: Wholes, arguments: Wholes, taken: Wholes, calls: int, width: int, count: int, members: int
) -> None:  # fmt: skip
    """Run a table of calls ``count`` times for each member: the address of a kernel, then its arguments, which move on. Threads that run
    tables of their own count in ``taken`` how many members have begun."""
    setting = flushing()
    m = added(taken, 1)
    while m < members:
        for s in range(count):
            for row in range(0, calls * width, width):
                for j in range(width):
                    arguments[j] = table[row + j] + s * by_step[row + j] + m * by_member[row + j]
                called(arguments[0], arguments)
        m = added(taken, 1)
    restored(setting)


def in_phases(
    table: Wholes, by_step: Wholes, arguments: Wholes, ends: Wholes, opens: Wholes, taken: Wholes, done: Wholes,
    width: int, count: int, tasks: int, patience: int, give_way: int,
) -> None:  # fmt: skip
    """Run the tasks of ``count`` steps, together with other threads that do the same: the calls of task t are those from ``ends[t]`` to
    ``ends[t + 1]``, and it may begin when ``opens[t]`` tasks of its step are done. Nobody holds a task that may not begin."""
    setting = flushing()
    tries = 0
    number = seen(taken)
    while number < count * tasks:
        s, task = number // tasks, number % tasks
        if seen(done) < s * tasks + opens[task]:
            tries += 1
            if tries > patience:
                yielded(give_way)
        elif swapped(taken, number, number + 1):
            tries = 0
            for row in range(ends[task] * width, ends[task + 1] * width, width):
                for j in range(width):
                    arguments[j] = table[row + j] + s * by_step[row + j]
                called(arguments[0], arguments)
            added(done, 1)
        number = seen(taken)
    restored(setting)
