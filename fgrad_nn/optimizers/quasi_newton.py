"""L-BFGS: steps of Newton's method with curvature measured along the last steps."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from fgrad import tree
from fgrad.tracebacks import boundary

from .combining import chain, identity
from .leaves import choose, conjugate, is_complex, root
from .numbers import COUNT, whole
from .records import GradientTransformation, PyTree, transformation
from .scaling import Rate, scale_by_learning_rate
from .zoom import scale_by_zoom_linesearch


class ScaleByLBFGSState(NamedTuple):
    """Steps; last point and gradient as vectors; their last differences, oldest first; weights."""

    count: Any
    params: Any
    updates: Any
    diff_params_memory: Any
    diff_updates_memory: Any
    weights_memory: Any


@boundary
def scale_by_lbfgs(
    memory_size: int = 10, scale_init_precond: bool = True
) -> GradientTransformation:
    """Multiply the gradient by an estimate of the inverse Hessian.

    >>> opt = scale_by_lbfgs()
    >>> x = np.array([3.0, 4.0])
    >>> updates, state = opt.update(2 * x, opt.init(x), x)
    >>> new = x - updates
    >>> np.allclose(opt.update(2 * new, state, new)[0], new)  # of sum(x**2) it is exact now
    True

    A pair of differences without positive curvature has no weight, so the updates always lead
    down (optax leaves out only those with none); nor has one whose curvature is below the least
    normal number, as beside a minimum.

    Args:
        memory_size: how many pairs of differences are kept.
        scale_init_precond: begin with the last pair's curvature, and at the first step with a
            step of length 1 at most; else with the identity.

    Source: Liu and Nocedal, On the limited memory BFGS method for large scale optimization (1989);
    Nocedal and Wright, Numerical optimization (2006), algorithm 7.4 and equation 7.20.
    """
    size = whole("memory_size", memory_size, 1)

    def init(params: PyTree) -> ScaleByLBFGSState:
        x = np.zeros_like(tree.ravel(params)[0])
        memory = np.zeros_like(x, shape=(size, *x.shape))
        weights = np.zeros_like(x.real, shape=(size,))
        return ScaleByLBFGSState(COUNT, x, x, memory, memory, weights)

    def rule(updates: PyTree, state: Any, params: PyTree, **extra: Any) -> Any:
        point = tree.ravel(params)[0]
        vector, unravel = tree.ravel(updates)
        g = conjugate(vector)  # the gradient of x + iy is dx - i dy
        later = state.count > 0
        s = choose(later, point - state.params, 0.0)
        y = choose(later, g - state.updates, 0.0)
        curvature = _dot(s, y)
        # less than this has no finite inverse
        bends = curvature >= np.finfo(curvature.dtype).tiny
        weight = choose(bends, 1.0 / choose(bends, curvature, 1.0), 0.0)
        new = (
            np.concatenate([state.diff_params_memory[1:], s[None]]),
            np.concatenate([state.diff_updates_memory[1:], y[None]]),
            np.concatenate([state.weights_memory[1:], np.reshape(weight, (1,))]),
        )
        first: Any = 1.0
        if scale_init_precond:
            square, length = _dot(y, y), root(_dot(g, g))
            known = bends & (square >= np.finfo(square.dtype).tiny)
            measured = choose(known, curvature / choose(known, square, 1.0), 1.0)
            capped = 1.0 / np.maximum(length, 1.0)
            first = choose(later, measured, capped)
        direction = _two_loops(g, *new, first)
        return unravel(conjugate(direction)), ScaleByLBFGSState(state.count + 1, point, g, *new)

    return transformation(init, rule)


def _dot(a: Any, b: Any) -> Any:
    """The real part of the inner product."""
    return np.real(np.conj(a) @ b) if is_complex(a) else a @ b


def _two_loops(v: Any, steps: Any, changes: Any, weights: Any, first: Any) -> Any:
    """Nocedal and Wright, algorithm 7.4."""
    alphas = []
    for i in reversed(range(len(weights))):
        alpha = weights[i] * _dot(steps[i], v)
        v = v - alpha * changes[i]
        alphas.append(alpha)
    v = first * v
    for i, alpha in enumerate(reversed(alphas)):
        v = v + (alpha - weights[i] * _dot(changes[i], v)) * steps[i]
    return v


_ONE = scale_by_zoom_linesearch(20, initial_guess_strategy="one")


@boundary
def lbfgs(
    learning_rate: Rate | None = None,
    memory_size: int = 10,
    scale_init_precond: bool = True,
    linesearch: GradientTransformation | None = _ONE,
) -> GradientTransformation:
    """L-BFGS with a line search: few, long steps for smooth functions without noise.

    >>> from fgrad import value_and_grad
    >>> from fgrad_nn.optimizers import apply_updates
    >>> f = lambda x: 100 * (x[1] - x[0] ** 2) ** 2 + (1 - x[0]) ** 2  # Rosenbrock's
    >>> opt, x = lbfgs(), np.array([-1.0, 1.0])
    >>> state = opt.init(x)
    >>> for _ in range(40):
    ...     value, grad = value_and_grad(f)(x)
    ...     updates, state = opt.update(grad, state, x, value=value, grad=grad, value_fn=f)
    ...     x = apply_updates(x, updates)
    >>> x.round(6)
    array([1., 1.])

    :func:`value_and_grad_from_state` saves the evaluation of what the line search has seen.

    Args:
        learning_rate: a factor of the direction; None for 1.
        memory_size, scale_init_precond: as for :func:`scale_by_lbfgs`.
        linesearch: finds the length of the step; None for none, and then `update` wants no
            keyword arguments.
    """
    down = scale_by_learning_rate(1.0 if learning_rate is None else learning_rate)
    search = identity() if linesearch is None else linesearch
    return chain(scale_by_lbfgs(memory_size, scale_init_precond), down, search)
