"""Optimizers, and the one way to apply what they return.

Every step compares gradients with parameters leaf by leaf. NumPy alone would broadcast a (3, 1)
gradient against a (3,) parameter and return (3, 3), and the loss might even fall.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fgrad import tree
from fgrad.errors import ArgumentError, DtypeError, FgradError, ShapeError, TreeError, describe

from .types import Optimizer, PyTree


def sgd(learning_rate: float) -> Optimizer:
    """Plain stochastic gradient descent: each parameter moves by -learning_rate * gradient.

    >>> params = {"w": np.array([1.0, 2.0]), "b": 0.5}
    >>> grads = {"w": np.array([10.0, -10.0]), "b": 1.0}
    >>> opt = sgd(0.1)
    >>> updates, state = opt.update(grads, opt.init(params), params)
    >>> apply_updates(params, updates)
    {'w': array([0., 3.]), 'b': 0.4}

    `grad` of a real function of complex z is dx - i*dy, as in JAX; the way down is its conjugate,
    and that is what complex parameters get (optax leaves the conjugating to the user).

    Args:
        learning_rate: a finite real number, not negative.

    Returns:
        An :class:`Optimizer`; its state is the empty tuple, for there is nothing to remember.

    Raises:
        ArgumentError: the learning rate is not such a number.
        TreeError, ShapeError, DtypeError: from `update`, where gradients don't match parameters.
    """
    rate = _learning_rate(learning_rate)

    def init(params: PyTree) -> PyTree:
        return ()

    def update(grads: PyTree, state: PyTree, params: PyTree) -> tuple[PyTree, PyTree]:
        _check_alike("gradient", grads, params)
        return tree.map(lambda g: -rate * _conjugate(g), grads), state

    return Optimizer(init, update)


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
    _check_alike("update", updates, params)
    return tree.map(lambda p, u: p + u, params, updates)


def _learning_rate(rate: Any) -> Any:
    """Check the rate; NumPy's numbers become Python floats, which leave float32 gradients alone.

    A tracer stays what it is, so that a whole training run differentiates by its learning rate.
    """
    plain = isinstance(rate, (int, float, np.integer, np.floating, np.ndarray))
    if plain and not isinstance(rate, bool) and _shape(rate) == () and _dtype(rate).kind in "iuf":
        if math.isfinite(rate) and rate >= 0:
            return float(rate)
    elif not plain and hasattr(rate, "dtype") and _shape(rate) == () and _dtype(rate).kind == "f":
        return rate
    raise ArgumentError(
        "sgd wants a learning rate: a finite real number, not negative.",
        describe(rate),
        "pass a number such as 0.01",
    )


def _conjugate(g: Any) -> Any:
    """The conjugate of a complex leaf; any other leaf as it is."""
    return np.conj(g) if _dtype(g).kind == "c" else g


def _dtype(leaf: Any) -> np.dtype[Any]:
    """The dtype of an array, or the one that NumPy gives to a Python number of this type."""
    return np.dtype(leaf.dtype if hasattr(leaf, "dtype") else type(leaf))


def _shape(leaf: Any) -> tuple[int, ...]:
    """The shape of an array; a number, or anything else that is a leaf of a tree, has none."""
    return tuple(getattr(leaf, "shape", ()))


def _check_alike(what: str, leaves: PyTree, params: PyTree) -> None:
    """Raise unless the two trees agree in structure, shapes and dtypes."""
    mine, structure = tree.flatten(params)
    theirs, other_structure = tree.flatten(leaves)
    if structure == other_structure and all(map(_alike, mine, theirs)):
        return
    wanted = f"Each {what} must have the place, shape and dtype of its parameter."
    to_do = f"make the {what}s from the same parameters, with fgrad.grad(loss)(params, ...)"

    def check(path: Any, param: Any, leaf: Any) -> None:
        if tree.structure(leaf) != tree.structure(param):
            error: type[FgradError] = TreeError  # the tree goes on where params have a leaf
        elif _shape(leaf) != _shape(param):
            error = ShapeError
        elif _dtype(leaf) != _dtype(param):
            error = DtypeError
        else:
            return  # dicts whose keys come in another order get here
        place = tree.path_str(path) or "the root"
        raise error(wanted, f"at {place}: {describe(leaf)} for {describe(param)}", to_do)

    try:
        tree.map_with_path(check, params, leaves)
    except TreeError as error:
        raise TreeError(wanted, error.came, to_do) from error


def _alike(param: Any, leaf: Any) -> bool:
    return _shape(leaf) == _shape(param) and _dtype(leaf) == _dtype(param)
