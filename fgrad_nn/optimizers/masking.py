"""Transformations of a part of the parameters: masks, groups, what stays frozen.

A mask is a tree of bools that is a prefix of the parameters' (one bool may stand for a subtree),
or a function that makes it of the parameters, such as `match_paths` returns.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import Any, NamedTuple

import numpy as np

from fgrad import tree
from fgrad.arrays import is_a
from fgrad.errors import ArgumentError, DtypeError, TreeError, describe
from fgrad.tracebacks import boundary

from .combining import set_to_zero
from .records import GradientTransformation, PyTree, rule_of, transformation

Mask = PyTree | Callable[[PyTree], PyTree] | None


class MaskedNode(NamedTuple):
    """Stands in a tree where a parameter was left out; a node without leaves."""


class MaskedState(NamedTuple):
    """The state of the inner transformation, for the parameters that it sees."""

    inner_state: PyTree


class PartitionState(NamedTuple):
    """The state of each group."""

    inner_states: dict[Any, PyTree]


def spread(what: str, prefix: PyTree, params: PyTree) -> list[Any]:
    """List what a prefix of the parameters' tree has for each of them.

    Raises:
        TreeError: it is no prefix.
    """
    try:
        return tree.broadcast_prefix(prefix, params)
    except ValueError as error:
        raise TreeError(
            f"The {what} must have the structure of the parameters, or of their upper part.",
            f"{tree.structure(prefix)} for {tree.structure(params)}",
            f"make the {what} with fgrad.tree.map_with_path over the parameters, or pass "
            "match_paths or label_paths",
        ) from error


def mask_of(mask: Mask, params: PyTree) -> PyTree:
    """The mask as a tree of bools like the parameters.

    Raises:
        TreeError: the mask doesn't fit.
        DtypeError: it has other things than bools.
    """
    structure = tree.structure(params)
    flags = spread("mask", mask(params) if callable(mask) else mask, params)
    for i, flag in enumerate(flags):
        if not is_a(flag, (bool, np.bool_)):
            place = tree.path_str(structure.accessors()[i]) or "the root"
            raise DtypeError(
                "A mask must be of bools.",
                f"at {place}: {describe(flag)}",
                "write True for what is transformed, and False for what is not",
            )
    return structure.unflatten(map(bool, flags))


@boundary
def masked(inner: GradientTransformation, mask: Mask) -> GradientTransformation:
    """Transform the updates where a mask is True, and pass the others through.

    >>> from fgrad_nn.optimizers import scale
    >>> opt = masked(scale(2.0), {"w": True, "b": False})
    >>> params = {"w": 1.0, "b": 1.0}
    >>> opt.update({"w": 5.0, "b": 5.0}, opt.init(params), params)[0]
    {'w': 10.0, 'b': 5.0}

    Args:
        inner: sees only the parameters where the mask is True, with a `MaskedNode` for others.
        mask: a tree of bools, or a function that makes it of the parameters.

    Raises:
        TreeError, DtypeError: from `init` and `update`, the mask doesn't fit, or has other things
            than bools.
    """
    rule = rule_of(inner)

    def init(params: PyTree) -> MaskedState:
        return MaskedState(inner[0](_part(params, mask_of(mask, params))))

    def update(updates: PyTree, state: Any, params: PyTree, **extra: Any) -> Any:
        flags = mask_of(mask, params)
        seen, inner_state = rule(
            _part(updates, flags), state.inner_state, _part(params, flags), **extra
        )
        return tree.map(lambda on, new, old: new if on else old, flags, seen, updates), MaskedState(
            inner_state
        )

    return transformation(init, update)


def _part(params: PyTree, flags: PyTree) -> PyTree:
    return tree.map(lambda on, x: x if on else MaskedNode(), flags, params)


@boundary
def freeze(mask: Mask) -> GradientTransformation:
    """Make the updates zero where a mask is True; those parameters stay.

    >>> from fgrad_nn.optimizers import chain, sgd
    >>> opt = chain(sgd(0.5), freeze({"w": False, "b": True}))
    >>> params = {"w": 1.0, "b": 1.0}
    >>> opt.update({"w": 4.0, "b": 4.0}, opt.init(params), params)[0]
    {'w': -2.0, 'b': 0.0}

    Args:
        mask: a tree of bools, or a function that makes it of the parameters.
    """
    return masked(set_to_zero(), mask)


@boundary
def selective_transform(
    inner: GradientTransformation, *, freeze_mask: Mask
) -> GradientTransformation:
    """Transform the updates where a mask is False, and make the others zero.

    >>> from fgrad_nn.optimizers import sgd
    >>> opt = selective_transform(sgd(0.5), freeze_mask={"w": False, "b": True})
    >>> params = {"w": 1.0, "b": 1.0}
    >>> opt.update({"w": 4.0, "b": 4.0}, opt.init(params), params)[0]
    {'w': -2.0, 'b': 0.0}

    Args:
        inner: keeps no state for parameters that are frozen.
        freeze_mask: True where parameters stay.
    """

    def labels(params: PyTree) -> PyTree:
        return tree.map(lambda on: "frozen" if on else "free", mask_of(freeze_mask, params))

    return partition({"free": inner, "frozen": set_to_zero()}, labels)


@boundary
def partition(
    transforms: Mapping[Hashable, GradientTransformation],
    param_labels: PyTree | Callable[[PyTree], PyTree],
) -> GradientTransformation:
    """Transform groups of parameters, each by a transformation of its own.

    >>> from fgrad_nn.optimizers import adam, label_paths, sgd
    >>> labels = label_paths({"*.bias": "slow", "*": "fast"})
    >>> opt = partition({"slow": sgd(0.1), "fast": sgd(1.0)}, labels)
    >>> params = {"w": 1.0, "bias": 1.0}
    >>> opt.update({"w": 4.0, "bias": 4.0}, opt.init(params), params)[0]
    {'w': -4.0, 'bias': -0.4}

    optax calls it `partition` and `multi_transform`.

    Args:
        transforms: a transformation for each label.
        param_labels: a tree of labels that is a prefix of the parameters', or a function that
            makes it of the parameters, such as :func:`label_paths` returns.

    Raises:
        ArgumentError: from `init` and `update`, a label has no transformation.
        TreeError: from the same, the labels don't fit the parameters.
    """
    rules = {label: rule_of(inner) for label, inner in transforms.items()}

    def groups(params: PyTree) -> PyTree:
        structure = tree.structure(params)
        labels = param_labels(params) if callable(param_labels) else param_labels
        found = spread("labels", labels, params)
        for i, label in enumerate(found):
            if label not in rules:
                place = tree.path_str(structure.accessors()[i]) or "the root"
                raise ArgumentError(
                    f"Each label must be one of {', '.join(map(repr, rules))}.",
                    f"at {place}: {describe(label)}",
                    "add a transformation for this label to `transforms`",
                )
        return structure.unflatten(found)

    def init(params: PyTree) -> PartitionState:
        labels = groups(params)
        states = {}
        for name, inner in transforms.items():
            states[name] = inner[0](_part(params, _those(name, labels)))
        return PartitionState(states)

    def update(updates: PyTree, state: Any, params: PyTree, **extra: Any) -> Any:
        labels, new, states = groups(params), updates, {}
        for name, rule in rules.items():
            flags = _those(name, labels)
            part, states[name] = rule(
                _part(updates, flags), state.inner_states[name], _part(params, flags), **extra
            )
            new = tree.map(lambda on, mine, rest: mine if on else rest, flags, part, new)
        return new, PartitionState(states)

    return transformation(init, update)


multi_transform = partition


def _those(name: Hashable, labels: PyTree) -> PyTree:
    return tree.map(lambda label: label == name, labels)
