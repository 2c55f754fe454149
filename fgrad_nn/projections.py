"""Projections: the nearest point of a set, for parameters that must stay in it.

After each step, `params = projection_simplex(params)`. The names are optax's, and as there a tree
is taken for one vector where the set isn't a product. All of them can be differentiated.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fgrad import tree
from fgrad.core import home
from fgrad.errors import ArgumentError
from fgrad.tracebacks import boundary

from .optimizers.leaves import choose, each, global_norm, vdot
from .optimizers.numbers import NOT_NEGATIVE, POSITIVE, cast, is_plain, real, weak, with_numbers
from .optimizers.records import fit

PyTree = Any


@boundary
def projection_non_negative(params: PyTree) -> PyTree:
    """Replace negative elements by 0.

    >>> projection_non_negative([np.array([-1.0, 2.0])])
    [array([0., 2.])]
    """
    return each(lambda x: np.maximum(x, 0.0), params)


@boundary
def projection_box(params: PyTree, lower: Any, upper: Any) -> PyTree:
    """Clip each element to [lower, upper].

    >>> projection_box([np.array([-1.0, 2.0, 5.0])], 0.0, 3.0)
    [array([0., 2., 3.])]

    Args:
        params: a pytree of real arrays.
        lower, upper: numbers, or trees like `params` of what broadcasts to its leaves.

    Raises:
        ArgumentError: a lower bound is above the upper one.
    """
    low, high = _bound(lower, params), _bound(upper, params)
    for a, b in zip(tree.leaves(low), tree.leaves(high), strict=True):
        if is_plain(a) and is_plain(b) and np.any(a > b):
            raise ArgumentError(
                "A box wants lower bounds that are not above the upper ones.",
                f"lower {np.max(a)}, upper {np.min(b)}",
                "exchange them",
            )
    return each(lambda x, a, b: np.clip(x, cast(a, x), cast(b, x)), params, low, high)


def _bound(bound: PyTree, params: PyTree) -> PyTree:
    """A bound for each leaf; one number is that of all."""
    same = tree.structure(bound) == tree.structure(params)
    return bound if same else tree.map(lambda x: weak(bound), params)


@boundary
def projection_hypercube(params: PyTree, scale: Any = 1.0) -> PyTree:
    """Clip each element to [0, scale].

    >>> projection_hypercube([np.array([-1.0, 0.5, 5.0])])
    [array([0. , 0.5, 1. ])]

    Args:
        params: a pytree of real arrays.
        scale: a positive number.
    """
    return projection_box(params, 0.0, real("scale", scale, POSITIVE))


@boundary
def projection_simplex(params: PyTree, scale: Any = 1.0) -> PyTree:
    """Project onto the vectors without negative elements whose sum is `scale`.

    >>> projection_simplex(np.array([0.5, 1.0, -2.0]))
    array([0.25, 0.75, 0.  ])

    Args:
        params: a pytree of real arrays, taken as one vector.
        scale: a positive number.

    Source: Held, Wolfe and Crowder, Validation of subgradient optimization (1974).
    """
    scale = real("scale", scale, POSITIVE)
    vector, unravel = tree.ravel(params)
    return unravel(_simplex(vector, cast(weak(scale), vector)))


def _simplex(x: Any, scale: Any) -> Any:
    ordered = np.sort(x)[::-1]
    excess = np.cumsum(ordered) - scale
    ranks = home(x).arange(1, len(x) + 1).astype(x.dtype)
    active = np.sum(ordered - excess / ranks > 0)  # how many elements stay above 0
    inside = home(x).arange(len(x)) < active
    threshold = (np.sum(np.where(inside, ordered, 0.0)) - scale) / active.astype(x.dtype)
    return np.maximum(x - threshold, 0.0)


@boundary
def projection_l1_sphere(params: PyTree, scale: Any = 1.0) -> PyTree:
    """Project onto the vectors whose absolute values add up to `scale`.

    >>> projection_l1_sphere(np.array([0.5, -1.0]))
    array([ 0.25, -0.75])

    Args:
        params: a pytree of real arrays, taken as one vector.
        scale: a positive number.
    """
    size = projection_simplex(each(np.abs, params), scale)
    return each(lambda x, s: choose(x < 0, -s, s), params, size)


@boundary
def projection_l1_ball(params: PyTree, scale: Any = 1.0) -> PyTree:
    """Project onto the vectors whose absolute values add up to `scale` at most.

    >>> projection_l1_ball(np.array([0.5, -1.0])), projection_l1_ball(np.array([0.2, 0.1]))
    (array([ 0.25, -0.75]), array([0.2, 0.1]))

    Args:
        params: a pytree of real arrays, taken as one vector.
        scale: a positive number.

    Source: Duchi et al., Efficient projections onto the l1-ball for learning in high dimensions
    (2008).
    """
    inside = sum(np.sum(np.abs(x)) for x in tree.leaves(params)) <= real("scale", scale, POSITIVE)
    return each(lambda x, y: choose(inside, x, y), params, projection_l1_sphere(params, scale))


@boundary
def projection_l2_sphere(params: PyTree, scale: Any = 1.0) -> PyTree:
    """Scale to the norm `scale`.

    >>> projection_l2_sphere([3.0, 4.0], 10.0)
    [6.0, 8.0]

    Args:
        params: a pytree of arrays, taken as one vector that is not 0.
        scale: a positive number.
    """
    factor = real("scale", scale, POSITIVE) / weak(global_norm(params))
    return each(with_numbers(lambda f, x: f * x, factor), params)


@boundary
def projection_l2_ball(params: PyTree, scale: Any = 1.0) -> PyTree:
    """Scale down to the norm `scale`, if it is greater.

    >>> projection_l2_ball([3.0, 4.0], 10.0), projection_l2_ball([30.0, 40.0], 10.0)
    ([3.0, 4.0], [6.0, 8.0])

    Args:
        params: a pytree of arrays, taken as one vector.
        scale: a positive number.
    """
    scale, length = real("scale", scale, POSITIVE), global_norm(params)
    long = ~(length <= scale)
    factor = choose(long, scale / choose(long, length, 1.0), 1.0)
    return each(with_numbers(lambda f, x: f * x, factor), params)


@boundary
def projection_linf_ball(params: PyTree, scale: Any = 1.0) -> PyTree:
    """Clip each element to [-scale, scale].

    >>> projection_linf_ball([np.array([-3.0, 0.5])])
    [array([-1. ,  0.5])]

    Args:
        params: a pytree of real arrays.
        scale: a number, not negative.
    """
    scale = real("scale", scale, NOT_NEGATIVE)
    return projection_box(params, -scale, scale)


@boundary
def projection_hyperplane(params: PyTree, normal: PyTree, offset: Any = 0.0) -> PyTree:
    """Project onto the vectors x with <normal, x> = offset.

    >>> projection_hyperplane([3.0, 4.0], [1.0, 0.0], 1.0)
    [1.0, 4.0]

    Args:
        params, normal: pytrees of one structure, shapes and dtypes, taken as vectors; the normal
            is not 0.
        offset: a number.

    Raises:
        TreeError, ShapeError, DtypeError: the normal doesn't fit.
    """
    normal = fit("normal", normal, params)
    excess = vdot(normal, params) - real("offset", offset)
    return _along(params, normal, excess)


@boundary
def projection_halfspace(params: PyTree, normal: PyTree, offset: Any = 0.0) -> PyTree:
    """Project onto the vectors x with <normal, x> <= offset.

    >>> projection_halfspace([3.0, 4.0], [1.0, 0.0], 1.0)
    [1.0, 4.0]
    >>> projection_halfspace([3.0, 4.0], [-1.0, 0.0], 1.0)
    [3.0, 4.0]

    Args:
        params, normal: pytrees of one structure, shapes and dtypes, taken as vectors; the normal
            is not 0.
        offset: a number.

    Raises:
        TreeError, ShapeError, DtypeError: the normal doesn't fit.
    """
    normal = fit("normal", normal, params)
    excess = vdot(normal, params) - real("offset", offset)
    return _along(params, normal, np.maximum(excess, 0.0))


def _along(params: PyTree, normal: PyTree, excess: Any) -> PyTree:
    part = weak(excess) / weak(vdot(normal, normal))
    return each(with_numbers(lambda part, x, n: x - part * n, part), params, normal)
