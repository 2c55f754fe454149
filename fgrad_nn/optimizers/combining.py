"""Optimizers are made of simple steps: how they are put one after another, and applied."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fgrad import cond
from fgrad.errors import ArgumentError, describe
from fgrad.tracebacks import boundary

from .leaves import each, keep_numbers, zeros
from .numbers import FRACTION, real, whole, with_numbers
from .records import (
    GradientTransformation,
    PyTree,
    empty_state,
    fit,
    pair_up,
    rule_of,
    transformation,
)


@boundary
def apply_updates(params: PyTree, updates: PyTree) -> PyTree:
    """Return params + updates, leaf by leaf, as a new tree; nothing is written into the old one.

    >>> apply_updates([np.array([1.0, 2.0])], [np.array([0.5, -2.0])])
    [array([1.5, 0. ])]

    Args:
        params: a pytree of arrays or numbers.
        updates: a pytree of the same structure, with leaves of the same shapes and dtypes.

    Returns:
        A pytree like `params`.

    Raises:
        TreeError: the structures differ; the message holds the path of the first difference.
        ShapeError: a leaf has another shape than its parameter.
        DtypeError: a leaf has another dtype than its parameter.
    """
    mine, theirs, structure, _ = pair_up("update", updates, params)
    return structure.unflatten(keep_numbers(mine, list(map(np.add, mine, theirs))))


@boundary
def identity() -> GradientTransformation:
    """Leave the gradients as they are.

    >>> opt = identity()
    >>> opt.update([1.0], opt.init([2.0]), [2.0])
    ([1.0], EmptyState())
    """
    return transformation(empty_state, lambda updates, state, params, **extra: (updates, state))


@boundary
def set_to_zero() -> GradientTransformation:
    """Make every update zero, so that parameters stay.

    >>> opt = set_to_zero()
    >>> opt.update([1.0], opt.init([2.0]), [2.0])
    ([0.0], EmptyState())
    """

    def rule(updates: PyTree, state: PyTree, params: PyTree, **extra: Any) -> Any:
        # not 0 * update: a frozen parameter stays where its gradient is infinite or NaN
        return zeros(updates), state

    return transformation(empty_state, rule)


@boundary
def stateless(f: Callable[[PyTree, PyTree], PyTree]) -> GradientTransformation:
    """Make a transformation of a function of the updates and the parameters.

    >>> opt = stateless(lambda updates, params: [np.sign(updates[0])])
    >>> opt.update([-3.0], opt.init([2.0]), [2.0])
    ([np.float64(-1.0)], EmptyState())

    Args:
        f: called as `f(updates, params)`; returns a tree like them.
    """

    def rule(updates: PyTree, state: PyTree, params: PyTree, **extra: Any) -> Any:
        return f(updates, params), state

    return transformation(empty_state, rule)


@boundary
def stateless_with_tree_map(f: Callable[[Any, Any], Any]) -> GradientTransformation:
    """Make a transformation of a function of one leaf of the updates and its parameter.

    >>> opt = stateless_with_tree_map(lambda update, param: update / (1 + abs(param)))
    >>> opt.update([6.0], opt.init([2.0]), [2.0])
    ([2.0], EmptyState())
    """
    return stateless(lambda updates, params: each(f, updates, params))


@boundary
def chain(*transformations: GradientTransformation) -> GradientTransformation:
    """Do one transformation after another; each gets the updates that the one before returned.

    >>> from fgrad_nn.optimizers import clip, sgd
    >>> opt = chain(clip(1.0), sgd(0.1))
    >>> updates, state = opt.update([30.0], opt.init([2.0]), [2.0])
    >>> updates
    [-0.1]

    Args:
        *transformations: pairs (init, update).

    Returns:
        A transformation whose state is the tuple of their states. Keyword arguments of its
        `update` go to all of them.

    Raises:
        ArgumentError: one of them is no transformation; from `update`, the state isn't that of
            this chain.
    """
    rules = [rule_of(t) for t in transformations]

    def init(params: PyTree) -> PyTree:
        return tuple(t[0](params) for t in transformations)

    def rule(updates: PyTree, state: PyTree, params: PyTree, **extra: Any) -> Any:
        if not isinstance(state, tuple) or len(state) != len(rules):
            raise ArgumentError(
                f"A chain of {len(rules)} wants a tuple of {len(rules)} states.",
                f"{type(state).__name__} of length {len(state)}"
                if isinstance(state, (tuple, list, dict))
                else describe(state),
                "pass the state that init or the last update of this chain returned",
            )
        new = []
        for step, inner in zip(rules, state, strict=True):
            updates, inner = step(updates, inner, params, **extra)
            new.append(inner)
        return updates, tuple(new)

    return transformation(init, rule)


@boundary
def named_chain(*pairs: tuple[str, GradientTransformation]) -> GradientTransformation:
    """Like `chain`, with a name for each transformation, under which its state is found.

    >>> from fgrad_nn.optimizers import sgd, trace
    >>> opt = named_chain(("momentum", trace(0.9)), ("step", sgd(0.1)))
    >>> opt.init([2.0])
    {'momentum': TraceState(trace=[0.0]), 'step': EmptyState()}

    Args:
        *pairs: (name, transformation).

    Raises:
        ArgumentError: two names are equal.
    """
    names = [name for name, _ in pairs]
    if len(set(names)) < len(names):
        raise ArgumentError(
            "The names of a named_chain must differ.", str(names), "give each a name of its own"
        )
    inner = chain(*(t for _, t in pairs))
    rule = rule_of(inner)

    def init(params: PyTree) -> PyTree:
        return dict(zip(names, inner.init(params), strict=True))

    def named(updates: PyTree, state: PyTree, params: PyTree, **extra: Any) -> Any:
        if not isinstance(state, dict) or set(state) != set(names):
            raise ArgumentError(
                f"This named_chain wants a dict of states with the keys {names}.",
                f"a dict with the keys {list(state)}"
                if isinstance(state, dict)
                else describe(state),
                "pass the state that init or the last update of this chain returned",
            )
        updates, new = rule(updates, tuple(state[n] for n in names), params, **extra)
        return updates, dict(zip(names, new, strict=True))

    return transformation(init, named)


@boundary
def incremental_update(new: PyTree, old: PyTree, step_size: Any) -> PyTree:
    """Move old values a part of the way to new ones: a target network, an average of parameters.

    >>> incremental_update([10.0], [0.0], 0.25)
    [2.5]

    Args:
        new, old: pytrees of one structure.
        step_size: between 0 (old) and 1 (new).

    Returns:
        step_size * new + (1 - step_size) * old.
    """
    step_size = real("step_size", step_size, FRACTION)
    mix = with_numbers(lambda a, b, n, o: a * n + b * o, step_size, 1.0 - step_size)
    return each(mix, fit("new value", new, old), old)


@boundary
def periodic_update(new: PyTree, old: PyTree, steps: Any, update_period: int) -> PyTree:
    """Take new values every so many steps, and keep the old ones in between.

    >>> [periodic_update([1.0], [0.0], step, 2) for step in range(3)]
    [[1.0], [0.0], [1.0]]

    Args:
        new, old: pytrees of one structure.
        steps: how many steps were made.
        update_period: how many steps the old values stay.
    """
    period = whole("update_period", update_period, 1)
    new = fit("new value", new, old)
    return cond(steps % period == 0, lambda new, old: new, lambda new, old: old, new, old)
