"""What an optimizer is: two pure functions, and the check that gradients fit their parameters.

NumPy alone would broadcast a (3, 1) gradient against a (3,) parameter and return (3, 3), and the
loss might even fall. So `update` compares gradients with parameters before it does anything.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from fgrad import tree
from fgrad.errors import ArgumentError, DtypeError, FgradError, ShapeError, TreeError, describe
from fgrad.tracebacks import boundary

PyTree = Any
"""Any nesting of lists, tuples, dicts and registered classes, with arrays as leaves."""

Schedule = Callable[[Any], Any]
"""A function of the number of steps that were made, which gives a number."""


class GradientTransformation(NamedTuple):
    """A rule that turns gradients into updates; its memory is a value that you carry.

    The contract is optax's, except that `update` always wants the parameters, because it compares
    the gradients with them.

    >>> from fgrad_nn.optimizers import apply_updates, sgd
    >>> opt = sgd(0.5)
    >>> params = [1.0, 2.0]
    >>> state = opt.init(params)
    >>> updates, state = opt.update([4.0, 2.0], state, params)
    >>> apply_updates(params, updates)
    [-1.0, 1.0]
    """

    init: Callable[[PyTree], PyTree]
    """`init(params) -> state`."""
    update: Callable[..., tuple[PyTree, PyTree]]
    """`update(grads, state, params, **extra) -> (updates, state)`; a few rules want `extra`."""


Optimizer = GradientTransformation
"""A transformation whose updates are steps downhill, ready for `apply_updates`."""


_MISSING = object()


class EmptyState(NamedTuple):
    """The state of a rule that has nothing to remember."""


def empty_state(params: PyTree) -> EmptyState:
    """`init` of a rule that has nothing to remember."""
    return EmptyState()


class Checked:
    """An `update` that compares gradients with parameters first; `rule` is what it does then."""

    __slots__ = ("init", "rule")

    def __init__(
        self, init: Callable[[PyTree], PyTree], rule: Callable[..., tuple[PyTree, PyTree]]
    ) -> None:
        self.init, self.rule = init, rule

    @boundary
    def __call__(
        self, grads: PyTree, state: PyTree, params: PyTree = _MISSING, **extra: Any
    ) -> tuple[PyTree, PyTree]:
        if params is _MISSING:
            raise ArgumentError(
                "update wants the parameters, to compare the gradients with them.",
                "gradients and a state alone",
                "call opt.update(grads, state, params)",
            )
        grads = fit("gradient", grads, params)
        try:
            return self.rule(grads, state, params, **extra)
        except (AttributeError, TypeError, ValueError) as error:
            if isinstance(error, FgradError):
                raise
            self.explain(state, params, error)
            raise

    def explain(self, state: PyTree, params: PyTree, error: Exception) -> None:
        """Say that the state is to blame, if it is: checking it each time would cost time."""
        what = "The state, and what init(params) of this optimizer returns,"
        to_do = "pass the state that init or the last update of this optimizer returned"
        new = self.init(params)
        try:
            tree.check_same_structure(new, state, what=what, to_do=to_do)
        except TreeError as wrong:
            raise wrong from error
        pairs = zip(tree.leaves_with_path(new), tree.leaves(state), strict=True)
        for (path, want), came in pairs:
            if shape_of(want) != shape_of(came):
                raise ShapeError(
                    f"{what} must have the same shapes.",
                    f"at {tree.path_str(path)}: {describe(came)} for {describe(want)}",
                    to_do,
                ) from error


def transformation(
    init: Callable[[PyTree], PyTree], rule: Callable[..., tuple[PyTree, PyTree]]
) -> GradientTransformation:
    """Make a transformation of its rule, which may rely on gradients that fit the parameters."""
    return GradientTransformation(init, Checked(init, rule))


def rule_of(inner: Any) -> Callable[..., tuple[PyTree, PyTree]]:
    """The update of a transformation as a part of another one that has done the check.

    Of the keyword arguments a function that was written without `**extra` gets those it names.

    Raises:
        ArgumentError: it is no transformation.
    """
    if not isinstance(inner, GradientTransformation):
        pair = isinstance(inner, tuple) and len(inner) == 2 and all(map(callable, inner))
        if not pair:
            raise ArgumentError(
                "A transformation is wanted: a pair (init, update) of functions.",
                describe(inner),
                "pass what sgd(...), adam(...) or chain(...) return",
            )
        inner = GradientTransformation(*inner)
    update = inner.update
    if isinstance(update, Checked):
        return update.rule
    named = inspect.signature(update).parameters
    if any(p.kind is inspect.Parameter.VAR_KEYWORD for p in named.values()):
        return update
    return lambda grads, state, params, **extra: update(
        grads, state, params, **{k: v for k, v in extra.items() if k in named}
    )


def fit(what: str, leaves: PyTree, params: PyTree) -> PyTree:
    """Return the tree with the structure of params, if leaf by leaf shape and dtype agree.

    Raises:
        TreeError, ShapeError, DtypeError: as `pair_up`.
    """
    _, theirs, structure, same = pair_up(what, leaves, params)
    return leaves if same else structure.unflatten(theirs)


def pair_up(what: str, leaves: PyTree, params: PyTree) -> tuple[list[Any], list[Any], Any, bool]:
    """List the leaves of params and of a tree that must fit them, in one order.

    Returns:
        Both lists, the structure of params, and whether that is the other tree's, too.

    Raises:
        TreeError: the structures differ; the message holds the path of the first difference.
        ShapeError: a leaf has another shape than its parameter.
        DtypeError: a leaf has another dtype than its parameter.
    """
    mine, structure = tree.flatten(params)
    theirs, other = tree.flatten(leaves)
    same = structure == other
    if same and all(map(_alike, mine, theirs)):
        return mine, theirs, structure, True
    wanted = f"Each {what} must have the place, shape and dtype of its parameter."
    to_do = f"make the {what}s from the same parameters, with fgrad.grad(loss)(params, ...)"
    theirs = tree.flatten_up_to(structure, leaves, what=wanted, to_do=to_do)
    for i, (param, leaf) in enumerate(zip(mine, theirs, strict=True)):
        if tree.structure(leaf) != tree.structure(param):
            error: type[FgradError] = TreeError  # the tree goes on where params have a leaf
        elif shape_of(leaf) != shape_of(param):
            error = ShapeError
        elif dtype_of(leaf) != dtype_of(param):
            error = DtypeError
        else:
            continue
        place = tree.path_str(structure.accessors()[i]) or "the root"
        raise error(wanted, f"at {place}: {describe(leaf)} for {describe(param)}", to_do)
    return mine, theirs, structure, False  # dicts whose keys come in another order


def dtype_of(leaf: Any) -> np.dtype[Any]:
    """The dtype of an array, or the one that NumPy gives to a Python number of this type."""
    return np.dtype(leaf.dtype if hasattr(leaf, "dtype") else type(leaf))


def shape_of(leaf: Any) -> tuple[int, ...]:
    """The shape of an array; a number, or anything else that is a leaf of a tree, has none."""
    return tuple(getattr(leaf, "shape", ()))


def _alike(param: Any, leaf: Any) -> bool:
    if type(param) is np.ndarray and type(leaf) is np.ndarray:  # nearly always, and quick
        return param.shape == leaf.shape and param.dtype == leaf.dtype
    return shape_of(leaf) == shape_of(param) and dtype_of(leaf) == dtype_of(param)
