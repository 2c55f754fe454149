"""Equal eigenvalues or singular values: which basis to take, and what its derivative is.

Vectors of equal values are any basis of their space: which one is ours to choose.

Forward mode takes the basis that the direction t fixes, in which v^H t v is diagonal for equal
values. Along the line a + h t, values and vectors are then smooth functions of h (F. Rellich,
Perturbation theory of eigenvalue problems, 1969, chapter 1), and the rules are their derivatives.

Reverse mode knows no direction. A function that does not depend on the basis has a derivative, but
what reaches a rule does not always tell it: of v f(w) v^H the rule sees f, and the derivative has
f' in it. The rules give the derivative where it is certain: for functions of the values alone; of
vectors alone; of other values and vectors than the equal ones; and for v w v^H itself. Else they
give NaN. They tell by necessary conditions, in a basis that has nothing to do with the matrix, in
which these hold by chance as little as for a random one.

What a rule says holds at this matrix alone: its own derivative, where it moves, is NaN.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..arrays import is_cupy, namespace, shape_of
from ..core import Array, Params, Primitive, Tracer, bind, full_lower
from ..graph import Var
from ..rules import leading
from .casts import stop_gradient_leaf
from .contract import mT


# ------------------------------------------------------------------ tools
def mH(x: Array) -> Array:
    """The conjugate transpose."""
    return np.conj(mT(x)) if x.dtype.kind == "c" else mT(x)


def product(*xs: Array) -> Array:
    """The product of matrices, from the left."""
    out = xs[0]
    for x in xs[1:]:
        out = np.matmul(out, x)
    return out


def hermitian(x: Array) -> Array:
    """The Hermitian part."""
    return (x + mH(x)) / 2


def columns(x: Array, s: Array) -> Array:
    """x times the diagonal matrix of s."""
    return x * np.expand_dims(s, -2)


def diagonal_of(x: Array) -> Array:
    """The diagonal of the last two axes."""
    return np.diagonal(x, 0, -2, -1)


def eye(x: Array) -> Array:
    """Where the diagonal of a square matrix is."""
    return namespace(full_lower(x)).eye(shape_of(x)[-1], dtype=bool)


def spread(s: Array, like: Array) -> Array:
    """The diagonal matrix of s, shaped like a square matrix."""
    return np.where(eye(like), np.expand_dims(s, -1), 0)


def given(g: Any, ans: Any, i: int) -> Array:
    """G of one of several answers."""
    return np.conj(g[i]) if i in g else np.zeros_like(ans[i])


# ------------------------------------------------------------------ equal values
def rounding(s: Array) -> float:
    """What is 0 beside 1, after as many operations as a decomposition takes."""
    return 8 * shape_of(s)[-1] * float(np.finfo(s.dtype).eps)


def most(x: Array, axes: Any = (-2, -1)) -> Array:
    """The largest size."""
    size = np.abs(x)
    empty = 0 in [shape_of(x)[i] for i in (axes if isinstance(axes, tuple) else (axes,))]
    return (np.sum if empty else np.max)(size, axis=axes, keepdims=True)  # a sum of nothing is 0


def gaps(s: Array) -> Array:
    """s_j - s_i."""
    return np.expand_dims(s, -2) - np.expand_dims(s, -1)


def equal_pairs(s: Array) -> Array:
    """Which pairs of two different values are equal up to rounding."""
    gap = gaps(s)
    same = np.less_equal(np.abs(gap), rounding(s) * np.expand_dims(most(s, -1), -1))
    return np.logical_and(same, np.logical_not(eye(gap)))


def blocks(s: Array) -> Array:
    """Numbers for values in their order, the same for those that are equal up to rounding."""
    limit = rounding(s) * most(s, -1)
    apart = np.greater(np.abs(s[..., 1:] - s[..., :-1]), limit)
    return np.cumsum(np.concatenate([np.zeros_like(s)[..., :1], apart], axis=-1), axis=-1)


def block_pairs(s: Array) -> Array:
    """Which pairs of two different values, given in their order, are of one block."""
    gap = gaps(blocks(s))
    return np.logical_and(np.equal(gap, 0), np.logical_not(eye(gap)))


def nowhere(mask: Any) -> bool:
    """Whether it is known that a mask is false everywhere: not of a graph, of a batch it is.

    It isn't of CuPy's arrays, for which the host would have to wait.
    """
    while isinstance(mask, Tracer):
        if isinstance(mask.slot, Var):
            return False
        mask = mask.value
    return not is_cupy(mask) and not np.any(mask)


def over_gaps(s: Array, x: Array) -> Array:
    """x_ij / (s_j - s_i), the speed at which vectors i and j turn into each other.

    Where the two values are equal it is 0 if x_ij is, for then the basis is the right one in this
    direction, else NaN. The next derivative, which does depend on the speed, is NaN there.
    """
    one, pairs = eye(x), equal_pairs(s)
    if nowhere(pairs):
        return np.where(one, 0, x) / np.where(one, 1, gaps(s))
    gap = gaps(s)
    lost = np.logical_and(pairs, np.abs(x) > rounding(s) * most(x))
    still = np.logical_or(one, pairs)
    turn = np.where(still, 0, x) / np.where(still, 1, gap)
    out = np.where(pairs, np.sqrt(np.where(pairs, 0 * gap, 1)), turn)
    # Not a NaN that stands still: its derivative would be 0.
    return out + np.where(lost, np.nan, 0).astype(out.dtype)


def silent(g_s: Array, *parts: Array) -> Array:
    """Pairs i, j neither of which a function reads: all G of their values and vectors are 0."""
    read = np.logical_not(np.abs(g_s) <= rounding(g_s) * most(g_s, -1))
    for x in parts:
        some = np.logical_not(np.abs(x) <= rounding(x) * most(x))
        read = np.logical_or(read, np.any(some, axis=-2))
    return np.logical_not(np.logical_or(np.expand_dims(read, -1), np.expand_dims(read, -2)))


# ------------------------------------------------------------------ what holds here alone
def _moves(t: Array, still: Array) -> Array:
    """NaN for a matrix that moves at all, else 0; ``still`` is 0, and moves as the matrix does."""
    moving = np.any(np.not_equal(t, 0), axis=(-2, -1), keepdims=True)
    # The derivative of a NaN that is written down would be 0; that of this root at 0 is NaN.
    lost = np.nan * np.sqrt(np.where(moving, still, 1))
    return np.where(moving, lost, bind(_ONCE, (t,), {}))


def _once_jvp(ans: Array, xs: Any, ts: Any, params: Params) -> Array:
    return _moves(ts[0], 0 * xs[0])


def _once_vjp(active: Any, g: Array, ans: Any, xs: Any, params: Params) -> list[Any]:
    # The next derivative is lost too where the matrix moves and the cotangent does not.
    return [_moves(g, 0 * g + 0 * xs[0])]


_ONCE = Primitive(
    "once", lambda x: x.copy(), _once_jvp, _once_vjp, leading, needs=lambda i, k: k == 0
)


def once(*parts: Array) -> list[Array]:
    """The same matrices, of as many columns; if any moves, the derivative of all is NaN."""
    whole = bind(_ONCE, (np.concatenate(parts, axis=-2),), {})
    ends = np.cumsum([shape_of(x)[-2] for x in parts])[:-1].tolist()
    return list(np.split(whole, ends, axis=-2))


# ------------------------------------------------------------------ choosing a basis
def generic(like: Array) -> Array:
    """A Hermitian matrix that has nothing to do with any other."""
    host, n = namespace(full_lower(like)), shape_of(like)[-1]
    i = host.arange(1.0, n + 1)
    j = i[:, None]
    x = host.sin(0.7 + 1.618 * i * j + 0.371 * (i + j) ** 2)
    if like.dtype.kind == "c":
        x = x + 1j * host.sin(2.236 * (i - j) * (1 + i + j))
    return x.astype(like.dtype)


def basis(s: Array, b: Array) -> Array:
    """A unitary matrix that turns the vectors in each block so that b becomes diagonal there."""
    s, b = stop_gradient_leaf(s), stop_gradient_leaf(b)
    same = np.logical_or(block_pairs(s), eye(b))
    b = np.where(np.logical_and(same, np.isfinite(b)), b, 0)
    size = most(b)
    # Blocks are moved apart by more than they are wide, so each keeps its place.
    step = np.where(np.equal(size, 0), 1, 4 * shape_of(s)[-1] * size)
    places = spread(blocks(s) * step[..., 0], b)
    return np.where(same, np.linalg.eigh(hermitian(b) + places)[1], 0)


def standing(s: Array, x: Array) -> Array:
    """x, a matrix between the vectors, whose derivative in blocks of equal values is NaN."""
    pairs = block_pairs(s)
    if nowhere(pairs):
        return x
    some = np.logical_or(pairs, np.logical_and(eye(x), np.any(pairs, axis=-2, keepdims=True)))
    return np.where(some, once(np.where(some, x, 0))[0], x)


def rates(s: Array, x: Array, second: Any) -> Array:
    """x_ij / (s_j - s_i), the speed at which vectors i and j turn into each other.

    For equal values, in the basis in which x is diagonal there, the speed is that of second order:
    ``second(x)_ij`` over the difference of the slopes x_ii, if these differ, else 0. It matters
    to functions alone that depend on the basis.
    """
    one, pairs, gap = eye(x), block_pairs(s), gaps(s)
    if nowhere(pairs):
        return np.where(one, 0, x) / np.where(one, 1, gap)
    still = np.logical_or(one, pairs)
    inverse = np.where(still, 0, 1 / np.where(still, 1, gap))
    slopes = gaps(np.real(diagonal_of(x)))
    alike = np.abs(slopes) <= float(np.finfo(s.dtype).eps) ** 0.5 * most(x)
    alike = np.logical_or(alike, np.logical_not(pairs))
    within = np.where(alike, 0, second(x, -inverse) / np.where(alike, 1, slopes))
    within = np.where(np.abs(x) <= 16 * rounding(s) * most(x), once(within)[0], np.nan)
    return np.where(pairs, within, inverse * x)


def within_blocks(s: Array, x: Array, g_s: Any) -> Array:
    """G of the turning of equal vectors, from x = v^H G: certain, or NaN.

    Turning the basis changes nothing, so x is Hermitian. If all g_s of a block are equal, G is a
    multiple of 1; if they are those of v s v^H, as x says, up to such a multiple, it is that.
    """
    one, pairs = eye(x), block_pairs(s)
    h, turn = hermitian(x), (x - mH(x)) / 2
    limit = 8 * rounding(s) * most(x)
    wrong = np.any(
        np.logical_and(pairs, np.logical_not(np.abs(turn) <= limit)), axis=-1, keepdims=True
    )
    zero = np.zeros_like(h)
    if g_s is None:  # a function of the space alone
        out = np.where(_anywhere(pairs, wrong), np.nan, zero)
        return once(out, np.where(pairs, x, 0))[0]
    some = np.abs(s) > rounding(s) * most(s, -1)
    total = np.expand_dims(s, -2) + np.expand_dims(s, -1)
    valid = np.logical_and(pairs, np.expand_dims(some, -2))
    own = np.real(diagonal_of(h)) / np.where(some, 2 * s, 1)
    rest = g_s - own
    unequal, other = _uneven(pairs, g_s, g_s), _uneven(pairs, rest, np.abs(g_s) + np.abs(own))
    other = np.logical_or(other, np.logical_not(np.expand_dims(some, -1)))
    linear = np.where(valid, h, 0) / np.where(valid, total, 1)
    out = np.where(_anywhere(pairs, unequal), linear, zero)
    bad = np.logical_or(wrong, np.logical_and(unequal, other))
    out = np.where(_anywhere(pairs, bad), np.nan, out)
    some = np.logical_or(pairs, np.logical_and(one, np.any(pairs, axis=-2, keepdims=True)))
    return once(out, np.where(some, x, 0), np.where(some, spread(g_s, x), 0).astype(x.dtype))[0]


def _anywhere(pairs: Array, bad: Array) -> Array:
    """Pairs of blocks in which something is true of a value."""
    also = np.any(np.logical_and(pairs, np.swapaxes(bad, -1, -2)), axis=-1, keepdims=True)
    return np.logical_and(pairs, np.logical_or(bad, also))


def _uneven(pairs: Array, x: Array, size: Array) -> Array:
    """Values that differ from another one of their block, beside the size of all."""
    limit = np.expand_dims(8 * rounding(x) * most(size, -1), -1)
    apart = np.logical_and(pairs, np.logical_not(np.abs(gaps(x)) <= limit))
    return np.any(apart, axis=-1, keepdims=True)


def shared(s: Array, x: Array, *read: Array) -> Array:
    """x, one for each value, but those of equal values share it evenly.

    That is the subgradient of least norm. What a function of the values makes of their slopes is
    unknown to second order, so derivatives are NaN there if any of ``read`` moves.
    """
    pairs = block_pairs(s)
    equal = np.any(pairs, axis=-1)
    if nowhere(equal):
        return x
    block = np.logical_or(pairs, eye(pairs))
    size = np.sum(block, axis=-1)
    mean = np.sum(np.where(block, np.expand_dims(x, -2), 0), axis=-1) / size
    still = once(np.expand_dims(mean, -2), np.expand_dims(x, -2), *read)[0]
    return np.where(equal, np.real(still[..., 0, :]), x).astype(x.dtype)
