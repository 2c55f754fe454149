"""Arithmetic leaf by leaf: trees walked side by side, zeros, moments, norms, roots.

Everything here is plain NumPy, works on traced values, and keeps what a leaf is: its dtype, and a
Python float stays one.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable
from typing import Any

import numpy as np

import fgrad
from fgrad import tree
from fgrad.arrays import is_a
from fgrad.core import home
from fgrad.tracebacks import boundary

from ..masks import beside
from .numbers import cast, is_plain, weak, with_numbers
from .records import PyTree, dtype_of

_STATE = "The optimizer's state must have the structure of the parameters it was made for."
_NEW = "make a state for these parameters, with opt.init(params)"


def columns(first: PyTree, *rest: PyTree) -> tuple[list[list[Any]], Any]:
    """List what trees have in the places where the first has leaves, and its structure."""
    leaves, structure = tree.flatten(first)
    lists = [leaves]
    for other in rest:
        mine, other_structure = tree.flatten(other)
        if other_structure != structure:
            mine = tree.flatten_up_to(structure, other, what=_STATE, to_do=_NEW)
        lists.append(mine)
    return lists, structure


def each(f: Callable[..., Any], first: PyTree, *rest: PyTree) -> PyTree:
    """Apply f to the leaves that stand in one place; a tree like the first."""
    lists, structure = columns(first, *rest)
    return structure.unflatten(keep_numbers(lists[0], list(map(f, *lists))))


def each_many(n: int, f: Callable[..., Any], first: PyTree, *rest: PyTree) -> list[PyTree]:
    """Like `each`, for f that returns n values: n trees."""
    lists, structure = columns(first, *rest)
    found = zip(*map(f, *lists), strict=True) if lists[0] else ((),) * n
    return [structure.unflatten(keep_numbers(lists[0], list(column))) for column in found]


def keep_numbers(leaves: list[Any], out: list[Any]) -> list[Any]:
    """Make Python numbers of what NumPy's functions made of Python numbers."""
    if float in (kinds := set(map(type, leaves))) or complex in kinds:
        for i, x in enumerate(leaves):
            if type(x) in (float, complex) and is_a(out[i], np.generic):
                out[i] = out[i].item()
    return out


def zeros(params: PyTree) -> PyTree:
    """A tree of zeros."""
    return tree.map(zero, params)


def real_zeros(params: PyTree) -> PyTree:
    """A tree of zeros, real ones for complex leaves: where squares of absolute values add up."""
    return tree.map(lambda p: zero(np.real(p) if is_complex(p) else p), params)


def full(params: PyTree, value: Any) -> PyTree:
    """A tree like `real_zeros` with another number everywhere."""
    value = weak(value)
    return tree.map(lambda z: z + cast(value, z), real_zeros(params))


def zero(leaf: Any) -> Any:
    """Zeros of the leaf's shape and type."""
    if is_a(leaf, (float, complex, int, np.generic)):
        return type(leaf)(0)
    return np.zeros_like(leaf)


def is_complex(leaf: Any) -> bool:
    """Whether a leaf is complex."""
    kind = type(leaf)
    if kind is np.ndarray:  # nearly always, and quick
        return leaf.dtype.kind == "c"
    return dtype_of(leaf).kind == "c"


def conjugate(leaf: Any) -> Any:
    """The conjugate of a complex leaf; any other leaf as it is."""
    return np.conj(leaf) if is_complex(leaf) else leaf


def abs2(leaf: Any) -> Any:
    """The square of the absolute value, which is real."""
    return np.real(leaf) ** 2 + np.imag(leaf) ** 2 if is_complex(leaf) else leaf * leaf


def _slope(t: Any, ans: Any, x: Any) -> Any:
    """The tangent of a root; 0 where the root is."""
    flat = ans == 0
    return np.where(flat, 0.0, t / np.where(flat, 1.0, 2 * ans))


_root: Callable[..., Any] = fgrad.elementwise(
    lambda x: np.sqrt(x), _slope, impl=np.sqrt, name="root"
)


def root(x: Any) -> Any:
    """The square root, with the slope 0 at 0.

    What is under the root is a mean of squares of gradients. Where all of them are 0 the root is a
    norm at its kink, and the slope of least norm is 0; that of `np.sqrt` is infinite, and a
    derivative through a training run would be NaN as soon as one gradient is exactly 0.
    """
    return np.sqrt(x) if type(x) is np.ndarray or is_plain(x) else _root(x)


def moment(decay: Any, kept: PyTree, new: PyTree) -> PyTree:
    """The moving average: decay * kept + (1 - decay) * new."""
    return each(with_numbers(_average, decay, 1 - weak(decay)), new, kept)


def _average(decay: Any, rest: Any, new: Any, kept: Any) -> Any:
    return decay * kept + rest * new


def correction(decay: Any, count: Any) -> Any:
    """The weight 1 - decay**count that an average of `count` steps has beside its zeros."""
    return 1 - power(decay, count)


def power(decay: Any, count: Any) -> Any:
    """decay**count, in Python's arithmetic where both are known: it is quicker than NumPy's."""
    return weak(decay) ** (int(count) if is_plain(count) else count)


def choose(flag: Any, yes: Any, no: Any) -> Any:
    """`np.where`, with a scalar for scalars."""
    return np.where(beside(flag, yes if home(yes) is not np else no), yes, no)[()]


def wide(x: Any) -> Any:
    """float16 as float32, for the sum of squares overflows as soon as one element is 256."""
    return x.astype(np.float32) if getattr(x, "dtype", None) == np.float16 else x


def _narrow(value: Any, x: Any) -> Any:
    return value.astype(np.float16) if getattr(x, "dtype", None) == np.float16 else value


def norm(x: Any) -> Any:
    """Euclidean norm of one leaf, in its dtype."""
    return _narrow(root(np.sum(abs2(wide(x)))), x)


def rms(x: Any) -> Any:
    """Root of the mean square of one leaf, in its dtype; 0 for an empty one."""
    return _narrow(root(np.sum(abs2(wide(x))) / max(np.size(x), 1)), x)


def square_sum(updates: PyTree) -> Any:
    """Sum of the squares of the absolute values of all elements."""
    squares = (np.sum(abs2(wide(x))) for x in tree.leaves(updates))
    return functools.reduce(operator.add, squares, 0.0)


@boundary
def global_norm(updates: PyTree) -> Any:
    """Euclidean norm of all leaves of a tree, taken as one vector.

    >>> global_norm({"w": np.array([[3.0], [0.0]]), "b": 4.0})
    np.float64(5.0)

    Args:
        updates: a pytree of numbers.

    Returns:
        A real scalar; 0 for a tree without leaves. Its slope at 0 is 0.
    """
    return root(square_sum(updates))


def vdot(x: PyTree, y: PyTree) -> Any:
    """Real part of the inner product of two trees, each taken as one vector."""
    (mine, theirs), _ = columns(x, y)
    return functools.reduce(operator.add, map(_real_dot, mine, theirs), 0.0)


def _real_dot(a: Any, b: Any) -> Any:
    if is_complex(a) or is_complex(b):
        return np.sum(np.real(a) * np.real(b) + np.imag(a) * np.imag(b))
    return np.sum(a * b)


def add_scaled(x: PyTree, factor: Any, y: PyTree) -> PyTree:
    """x + factor * y."""
    return each(with_numbers(lambda factor, y, x: x + factor * y, factor), y, x)


def as_float64(x: Any) -> Any:
    """A scalar in float64, in which numbers of a state are kept whatever the leaves are."""
    return np.float64(x) if is_plain(x) else x.astype(np.float64)
