"""Options of their own for some of the parameters: no weight decay for biases, another rate for a layer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from multimlp import tree
from multimlp.backend import Array
from multimlp.errors import InputError
from multimlp.errors.checks import check_function
from multimlp.errors.close import did_you_mean
from multimlp.optimizers._optimizer import OPTIMIZERS, Optimizer
from multimlp.tree import Tree

Path: TypeAlias = tuple[str, ...]
Label: TypeAlias = Callable[[Path, Array], str | None]

PARTS_OF_A_LAYER = ("weight", "bias", "activation")
"""Groups that may be empty: a layer need not have a bias, nor an activation that is learned."""


def grouped(optimizer: Any, groups: Mapping[str, Mapping[str, Any]], label: Label | None = None) -> Grouped:
    """An optimiser with options of their own for groups of the parameters; all others keep the optimiser's.

    Parameters
    ----------
    optimizer : str or Optimizer
    groups : mapping of str to mapping
        What differs for a group: any options of the optimiser but ``clip_norm``, which is about the gradient of
        all arrays together. ``{"weight_decay": 0.0}`` leaves a group out of the decay; ``{"learning_rate": 0.0}``
        keeps it as it is.

        A group's name is a part of the paths of its arrays. The parameters of an `MLP` have the paths
        ``0.weight``, ``0.bias``, ``1.weight``, ..., and ``0.activation.negative_slope`` if the activation of layer 0
        is learned: so ``"bias"`` means all biases, ``"0"`` the first layer, ``"0.weight"`` its weights,
        ``"activation"`` all that activations learn. In any other tree, the keys of dicts, the fields of named
        tuples and the positions in sequences are the steps of a path. Of several groups with an array, the later
        ones in the mapping win, option by option.
    label : callable, optional
        ``label(path, leaf)`` -> the name of the leaf's group, or None: decides instead of the groups' names, for
        what a path does not tell. ``path`` is a tuple of str, ``leaf`` an array, of which shape and dtype may be
        looked at. Such an optimiser cannot be written into files.

    Returns
    -------
    Grouped
        Used as the optimiser is.

    Raises
    ------
    InputError
        For an option that the optimiser does not have or that no group can have, for L-BFGS, and, when the
        parameters are seen, for a group that is not in them: the message lists what is.

    Notes
    -----
    The state is that of the optimiser without groups. The same on every library and in every engine.

    Examples
    --------
    >>> import numpy as np
    >>> import multimlp as mm
    >>> from multimlp import optimizers
    >>> optimizer = optimizers.grouped(
    ...     optimizers.sgd(0.1, weight_decay=0.5), {"bias": {"weight_decay": 0.0}, "1": {"learning_rate": 0.2}}
    ... )
    >>> params = ({"weight": np.ones(2), "bias": np.ones(2)}, {"weight": np.ones(2)})
    >>> zero = ({"weight": np.zeros(2), "bias": np.zeros(2)}, {"weight": np.zeros(2)})
    >>> optimizer.update(zero, optimizer.init(params), params)[0]
    ({'weight': array([0.95, 0.95]), 'bias': array([1., 1.])}, {'weight': array([0.9, 0.9])})
    >>> optimizers.get(optimizer.to_spec()) == optimizer
    True
    """
    base = OPTIMIZERS.read(optimizer)
    if not isinstance(base, Optimizer):
        raise InputError(
            f"optimizer: {base.name!r} searches one step length for all parameters, so it takes no groups; "
            "use a first-order optimizer such as 'adam'"
        )
    if isinstance(base, Grouped):
        raise InputError("optimizer: it has groups already; give all groups at once")
    if not isinstance(groups, Mapping) or not all(isinstance(own, Mapping) for own in groups.values()):
        raise InputError(
            f'groups: expected a mapping of names to options, such as {{"bias": {{"weight_decay": 0.0}}}}, '
            f"got {groups!r}"
        )
    if label is not None:
        check_function("label", label, "a function (path, array) -> the name of a group or None, or None")
    parts: dict[tuple[str, ...], Optimizer] = {
        (name,): _part(base, name, own) for name, own in groups.items()
    }
    kept = {name: {option: parts[name,].options[option] for option in own} for name, own in groups.items()}
    return Grouped(base.name, base.options, base.rule, kept, label, {(): base} | parts)


def _part(base: Optimizer, name: str, own: Mapping[str, Any]) -> Optimizer:
    """The optimiser with a group's options."""
    where = f"groups[{name!r}]"
    if "clip_norm" in own:
        raise InputError(
            f"{where}: clip_norm is about the gradient of all arrays together; set it for them all"
        )
    try:
        part: Optimizer = OPTIMIZERS.make({"name": base.name, "options": {**base.options, **own}})
    except InputError as error:
        raise InputError(f"{where}: {error}") from None
    if part.rule != base.rule:
        raise InputError(
            f"{where}: with the options {dict(own)!r} {base.name} keeps other arrays, {list(part.rule.slots)!r}, "
            f"than for the other parameters, {list(base.rule.slots)!r}; set them for all"
        )
    return part


@dataclass(frozen=True, eq=False, repr=False)
class Grouped(Optimizer):
    """An optimiser with groups; made by `grouped`.

    Attributes
    ----------
    name, options, rule
        Of the optimiser, for all arrays that are in no group.
    groups : mapping of str to mapping
    label : callable or None
    """

    groups: Mapping[str, Mapping[str, Any]]
    label: Label | None
    _parts: dict[tuple[str, ...], Optimizer] = field(default_factory=dict)
    """By the names of the groups that an array is in."""

    def for_leaves(self, params: Tree) -> list[Optimizer]:
        """The optimiser of each leaf of the parameters.

        Raises
        ------
        InputError
            If a group is not among the parameters.
        """
        paths = tree.paths(params)
        if self.label is None:
            memberships = [tuple(name for name in self.groups if _is_part(name, path)) for path in paths]
            self._require_found(memberships, paths)
        else:
            memberships = [
                self._labelled(self.label(path, leaf), path)
                for path, leaf in zip(paths, tree.leaves(params), strict=True)
            ]
        return [self._of(names) for names in memberships]

    def with_own(self, options: Mapping[str, Array]) -> Grouped:
        """The same optimiser for an ensemble whose members have options of their own, where no group has said otherwise."""
        found = super().with_own(options)
        object.__setattr__(found, "_parts", _WithOwn(self._of, self._options_of, options))
        return found  # type: ignore[return-value]

    def _of(self, names: tuple[str, ...]) -> Optimizer:
        if names not in self._parts:
            self._parts[names] = _part(self._parts[()], " and ".join(names), self._options_of(names))
        return self._parts[names]

    def _options_of(self, names: tuple[str, ...]) -> dict[str, Any]:
        own: dict[str, Any] = {}
        for name in names:
            own.update(self.groups[name])
        return own

    def _labelled(self, name: Any, path: Path) -> tuple[str, ...]:
        if name is None:
            return ()
        if not isinstance(name, str) or name not in self.groups:
            raise InputError(
                f"label: expected a group ({', '.join(self.groups)}) or None for the array {'.'.join(path)!r}, "
                f"got {name!r}"
            )
        return (name,)

    def _require_found(self, memberships: list[tuple[str, ...]], paths: list[Path]) -> None:
        found = {*PARTS_OF_A_LAYER, *(name for names in memberships for name in names)}
        for name in self.groups:
            if name not in found:
                steps = list(dict.fromkeys(step for path in paths for step in path))
                hint = did_you_mean(name, steps).replace("; did", " Did")
                listed = ", ".join(".".join(path) or "(one array, without a name)" for path in paths)
                raise InputError(f"groups: no parameter is in {name!r}.{hint} The parameters: {listed}")

    def to_spec(self) -> dict[str, Any]:
        """The optimiser as plain values, from which `multimlp.optimizers.get` makes it again."""
        if self.label is not None:
            raise InputError(
                "optimizer: groups with a label function cannot be written down; name them by parts of the paths"
            )
        groups = {
            name: {option: getattr(value, "to_spec", lambda v=value: v)() for option, value in own.items()}
            for name, own in self.groups.items()
        }
        return {**super().to_spec(), "groups": groups}

    def _identity(self) -> tuple[Any, ...]:
        return (*super()._identity(), self.groups, self.label)

    def _shown(self) -> list[str]:
        return [*super()._shown(), f"groups={dict(self.groups)!r}"]

    def __reduce__(self) -> tuple[Any, ...]:
        return grouped, (self._parts[()], self.groups, self.label)


class _WithOwn(dict[tuple[str, ...], Optimizer]):
    """The parts of a grouped optimiser, each made when it is first asked for, with what members have of their own."""

    def __init__(
        self,
        part_of: Callable[[tuple[str, ...]], Optimizer],
        options_of: Callable[[tuple[str, ...]], Mapping[str, Any]],
        own: Mapping[str, Array],
    ) -> None:
        super().__init__()
        self._part_of, self._options_of, self._own = part_of, options_of, own

    def __contains__(self, names: object) -> bool:
        return True

    def __missing__(self, names: tuple[str, ...]) -> Optimizer:
        said = self._options_of(names)
        own = {name: value for name, value in self._own.items() if name not in said}
        part = self[names] = self._part_of(names).with_own(own)
        return part


def _is_part(name: str, path: Path) -> bool:
    """Whether the steps of a name follow one another somewhere in a path."""
    steps = tuple(name.split("."))
    return any(path[i : i + len(steps)] == steps for i in range(len(path)))
