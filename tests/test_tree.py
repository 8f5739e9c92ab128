"""Trees: structure is kept, orders agree, mismatches are named."""

from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multimlp import tree
from multimlp.errors import InputError


class Pair(NamedTuple):
    first: object
    second: object


trees = st.recursive(
    st.integers() | st.none(),
    lambda children: (
        st.lists(children, max_size=3)
        | st.lists(children, max_size=3).map(tuple)
        | st.tuples(children, children).map(lambda pair: Pair(*pair))
        | st.dictionaries(st.text(max_size=2), children, max_size=3)
    ),
    max_leaves=12,
)


@given(trees)
def test_flatten_then_unflatten_is_the_identity(value):
    leaves, unflatten = tree.flatten(value)
    rebuilt = unflatten(leaves)
    assert rebuilt == value
    assert type(rebuilt) is type(value)


@given(trees)
def test_map_visits_the_leaves_in_order(value):
    seen = []
    tree.map(seen.append, value)
    assert seen == tree.leaves(value)


@given(trees)
def test_map_agrees_with_mapping_the_leaves(value):
    assert tree.leaves(tree.map(lambda x: x + 1, value)) == [x + 1 for x in tree.leaves(value)]


def test_dicts_are_matched_by_key_not_by_order():
    assert tree.map(lambda a, b: (a, b), {"x": 1, "y": 2}, {"y": 20, "x": 10}) == {"x": (1, 10), "y": (2, 20)}


@pytest.mark.parametrize(
    "other",
    [(1,), (1, 2, 3), {"a": 1, "b": 2}, 5, (1, (2, 3), None)],
    ids=["short", "long", "dict", "leaf", "three"],
)
def test_trees_of_different_structure_are_an_error(other):
    with pytest.raises(InputError, match="different structure"):
        tree.map(lambda a, b: a, (1, 2), other)


def test_unflatten_counts_its_leaves():
    _, unflatten = tree.flatten((1, [2, None]))
    with pytest.raises(InputError, match="expected 2 leaves"):
        unflatten([1])


@given(trees)
def test_a_rebuilder_puts_together_what_flatten_takes_apart(value):
    leaves, rebuild = tree.leaves(value), tree.rebuilder(value)
    for _ in range(2):
        rebuilt = rebuild(leaves)
        assert rebuilt == value
        assert type(rebuilt) is type(value)
    with pytest.raises(InputError, match=f"expected {len(leaves)}"):
        rebuild([*leaves, 0])
