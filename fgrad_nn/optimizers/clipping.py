"""Limits for gradients: by element, by leaf, all together, by example."""

from __future__ import annotations

from typing import Any

import numpy as np

from fgrad import tree
from fgrad.errors import ShapeError, describe
from fgrad.tracebacks import boundary

from .leaves import abs2, choose, each, global_norm, is_complex, rms, root
from .numbers import POSITIVE, real, with_numbers
from .records import GradientTransformation, PyTree, empty_state, shape_of, transformation


@boundary
def clip(max_delta: Any) -> GradientTransformation:
    """Clip each element to [-max_delta, max_delta].

    >>> opt = clip(1.0)
    >>> opt.update([-3.0, 0.5], opt.init([1.0, 1.0]), [1.0, 1.0])[0]
    [-1.0, 0.5]

    Args:
        max_delta: a positive number. A complex element gets at most this absolute value.
    """
    limit = real("max_delta", max_delta, POSITIVE)

    def leaf(limit: Any, u: Any) -> Any:
        if is_complex(u):
            return u / np.maximum(np.abs(u) / limit, 1.0)
        return np.clip(u, -limit, limit)

    return _leafwise(with_numbers(leaf, limit))


@boundary
def clip_by_block_rms(threshold: Any) -> GradientTransformation:
    """Scale each leaf down to a root mean square of at most `threshold`.

    >>> opt = clip_by_block_rms(1.0)
    >>> opt.update([-3.0, 0.5], opt.init([1.0, 1.0]), [1.0, 1.0])[0]
    [-1.0, 0.5]

    Args:
        threshold: a positive number.
    """
    threshold = real("threshold", threshold, POSITIVE)
    return _leafwise(with_numbers(lambda t, u: u / np.maximum(rms(u) / t, 1.0), threshold))


def _leafwise(f: Any) -> GradientTransformation:
    def rule(updates: PyTree, state: PyTree, params: PyTree, **extra: Any) -> Any:
        return each(f, updates), state

    return transformation(empty_state, rule)


@boundary
def clip_by_global_norm(max_norm: Any) -> GradientTransformation:
    """Scale all updates down together, so that as one vector they have at most this norm.

    >>> opt = clip_by_global_norm(5.0)
    >>> opt.update([6.0, 8.0], opt.init([1.0, 1.0]), [1.0, 1.0])[0]
    [3.0, 4.0]

    Args:
        max_norm: a positive number.

    Source: Pascanu, Mikolov and Bengio, On the difficulty of training recurrent neural networks
    (2013), algorithm 1.
    """
    max_norm = real("max_norm", max_norm, POSITIVE)

    def leaf(factor: Any, u: Any) -> Any:
        return u * factor

    def rule(updates: PyTree, state: PyTree, params: PyTree, **extra: Any) -> Any:
        length = global_norm(updates)
        long = ~(length < max_norm)  # so that NaN is not hidden
        factor = choose(long, max_norm / choose(long, length, 1.0), 1.0)
        return each(with_numbers(leaf, factor), updates), state

    return transformation(empty_state, rule)


@boundary
def adaptive_grad_clip(clipping: Any, eps: Any = 1e-3) -> GradientTransformation:
    """Scale the gradient of each unit down to a fraction of the norm of its weights.

    >>> opt = adaptive_grad_clip(0.5)
    >>> params = [np.array([[3.0, 1.0], [4.0, 0.0]])]
    >>> opt.update([np.array([[10.0, 0.1], [0.0, 0.0]])], opt.init(params), params)[0]
    [array([[2.5, 0.1],
           [0. , 0. ]])]

    A unit is what has one index along the last axis, as in weights of shape (inputs, outputs) and
    (..., inputs, outputs) of convolutions; vectors and numbers are one unit. Stacks of matrices
    (3 axes) have units along the last two axes.

    Args:
        clipping: the greatest norm of a gradient, divided by that of the weights.
        eps: the least value that the norm of the weights gets.

    Source: Brock et al., High-performance large-scale image recognition without normalization
    (2021), equation 3.
    """
    clipping, eps = real("clipping", clipping, POSITIVE), real("eps", eps, POSITIVE)

    def unit_norm(x: Any) -> Any:
        axes = sum(n != 1 for n in np.shape(x))
        if axes <= 1:
            return root(np.sum(abs2(x), keepdims=True))
        reduced = (0,) if np.ndim(x) in (2, 3) else tuple(range(np.ndim(x) - 1))
        return root(np.sum(abs2(x), axis=reduced, keepdims=True))

    def leaf(clipping: Any, eps: Any, u: Any, p: Any) -> Any:
        size, limit = unit_norm(u), clipping * np.maximum(unit_norm(p), eps)
        long = ~(size < limit)
        clipped = u * np.where(long, limit / np.where(long, np.maximum(size, 1e-6), 1.0), 1.0)
        return clipped if np.ndim(u) else np.reshape(clipped, ())[()]

    f = with_numbers(leaf, clipping, eps)

    def rule(updates: PyTree, state: PyTree, params: PyTree, **extra: Any) -> Any:
        return each(f, updates, params), state

    return transformation(empty_state, rule)


@boundary
def per_example_global_norm_clip(grads: PyTree, l2_norm_clip: Any) -> tuple[PyTree, Any]:
    """Clip the gradient of each example by its global norm, and add them up.

    >>> grads = {"w": np.array([[3.0, 0.0], [0.3, 0.0]]), "b": np.array([4.0, 0.4])}
    >>> per_example_global_norm_clip(grads, 1.0)
    ({'w': array([0.9, 0. ]), 'b': np.float64(1.2000000000000002)}, np.int64(1))

    Args:
        grads: a pytree of arrays with the examples along the first axis, such as `vmap(grad(f))`
            returns.
        l2_norm_clip: the greatest norm of an example.

    Returns:
        The sum of the clipped gradients, and how many were clipped.

    Raises:
        ShapeError: the leaves don't have the same number of examples.

    Source: Abadi et al., Deep learning with differential privacy (2016), algorithm 1.
    """
    limit = real("l2_norm_clip", l2_norm_clip, POSITIVE)
    leaves = tree.leaves(grads)
    if len({shape_of(x)[:1] for x in leaves}) != 1 or not shape_of(leaves[0]):
        raise ShapeError(
            "All leaves must have the examples along the first axis.",
            ", ".join(map(describe, leaves[:4])) or "no leaves",
            "make the gradients with fgrad.vmap(fgrad.grad(loss), in_axes=(None, 0))",
        )
    size = root(sum(np.sum(abs2(x), axis=tuple(range(1, np.ndim(x)))) for x in leaves))
    long = ~(size <= limit)
    factor = np.where(long, limit / np.where(long, size, 1.0), 1.0)
    summed = each(lambda x: np.tensordot(factor.astype(x.real.dtype), x, axes=1)[()], grads)
    return summed, np.sum(long)
