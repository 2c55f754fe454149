"""Pytrees: nested containers with arrays as leaves, and what one does with them.

A node is a list, tuple, dict, OrderedDict, defaultdict, namedtuple, deque, None (a node without
leaves), :class:`FrozenDict`, a class decorated with :func:`dataclass`, or one that was given to
:func:`register`. Anything else is a leaf. The leaves of a dict come in the order of its keys.
The work is done by optree, in a namespace of our own, untouched by what others register or sort.
"""

from __future__ import annotations

import builtins
import functools
import math
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, NoReturn

import numpy as np
import optree
from optree import _C, PyTreeKind

from fgrad.errors import ArgumentError, DtypeError, ShapeError, TreeError, describe
from fgrad.frozen import DICTS, MAPPINGS, NAMESPACE, at, one_level, say, steps_of
from fgrad.frozen import FrozenDict as FrozenDict
from fgrad.frozen import Path as Path
from fgrad.frozen import Structure as Structure
from fgrad.frozen import dataclass as dataclass
from fgrad.frozen import field as field
from fgrad.frozen import freeze as freeze
from fgrad.frozen import path_str as path_str
from fgrad.frozen import register as register
from fgrad.frozen import register_class as register_class
from fgrad.frozen import replace as replace
from fgrad.frozen import thaw as thaw
from fgrad.moving import to_device as to_device
from fgrad.moving import to_host as to_host
from fgrad.tracebacks import boundary

IsLeaf = Callable[[Any], bool] | None

_NUMBERS = (bool, int, float, complex)
_MISSING: Any = object()


def flatten(tree: Any, is_leaf: IsLeaf = None) -> tuple[list[Any], Structure]:
    """Split a tree into the list of its leaves and its structure.

    >>> from fgrad import tree
    >>> tree.flatten({"w": 1.0, "b": [2.0, None]})
    ([1.0, 2.0], PyTreeSpec({'w': *, 'b': [*, None]}, namespace='fgrad'))

    Args:
        tree: any pytree.
        is_leaf: called on every node; where it is true, the node is taken for a leaf.

    Returns:
        The leaves, and the structure: hashable, comparable, what :func:`unflatten` wants.
    """
    return _C.flatten(tree, is_leaf, False, NAMESPACE)


def unflatten(structure: Structure, leaves: Iterable[Any]) -> Any:
    """Build the tree of a structure from as many leaves as it has; the inverse of flatten.

    >>> from fgrad import tree
    >>> tree.unflatten(tree.structure({"w": 1.0, "b": [2.0, None]}), [3.0, 4.0])
    {'w': 3.0, 'b': [4.0, None]}

    Raises:
        TreeError: there are more leaves than places, or fewer.
    """
    try:
        return structure.unflatten(leaves)
    except ValueError as error:
        if not str(error).startswith(("Too few leaves", "Too many leaves")):
            raise
        wanted = f"unflatten wants one leaf for each of the {structure.num_leaves} places of the"
        came = f"{len(leaves)} leaves" if isinstance(leaves, list | tuple) else str(error)
        to_do = "pass the leaves of a tree with this structure"
        raise TreeError(f"{wanted} structure.", came, to_do) from error


def leaves(tree: Any, is_leaf: IsLeaf = None) -> list[Any]:
    """List the leaves of a tree.

    >>> from fgrad import tree
    >>> tree.leaves({"b": 1, "a": (2, None)})
    [1, 2]
    """
    return _C.flatten(tree, is_leaf, False, NAMESPACE)[0]


def structure(tree: Any, is_leaf: IsLeaf = None) -> Structure:
    """Return the structure of a tree: all of it but the leaves.

    >>> from fgrad import tree
    >>> tree.structure([1, 2]) == tree.structure([3, 4]), tree.structure([1, 2]).num_leaves
    (True, 2)
    """
    return _C.flatten(tree, is_leaf, False, NAMESPACE)[1]


@boundary
def map(f: Callable[..., Any], tree: Any, *rest: Any, is_leaf: IsLeaf = None) -> Any:
    """Apply a function to each leaf, or to the leaves that stand at the same place in many trees.

    >>> from fgrad import tree
    >>> tree.map(lambda p, g: p - g, {"w": 1.0, "b": (2.0,)}, {"b": (0.5,), "w": 0.25})
    {'w': 0.75, 'b': (1.5,)}

    Args:
        f: called as ``f(leaf, *others)``; its errors pass through unchanged.
        tree: the tree that gives the result its structure.
        *rest: trees that have at least the structure of the first; where the first has a leaf,
            ``f`` gets whatever subtree they have there. Dicts are matched by key, in any order.
        is_leaf: as in :func:`flatten`, for the first tree.

    Raises:
        TreeError: the trees do not match; it names the path of the first difference.
    """
    first, struct = _C.flatten(tree, is_leaf, False, NAMESPACE)
    if not rest:
        return struct.unflatten([f(x) for x in first])
    columns = [flatten_up_to(struct, other) for other in rest]
    return struct.unflatten([f(*xs) for xs in zip(first, *columns, strict=True)])


@boundary
def map_with_path(f: Callable[..., Any], tree: Any, *rest: Any, is_leaf: IsLeaf = None) -> Any:
    """Like :func:`map`, with ``f(path, leaf, *others)``.

    >>> from fgrad import tree
    >>> tree.map_with_path(lambda path, x: f"{tree.path_str(path)} is {x}", {"layers": [1, 2]})
    {'layers': ["['layers'][0] is 1", "['layers'][1] is 2"]}
    """
    first, struct = _C.flatten(tree, is_leaf, False, NAMESPACE)
    columns = [struct.accessors(), first, *(flatten_up_to(struct, other) for other in rest)]
    return struct.unflatten([f(*xs) for xs in zip(*columns, strict=True)])


def leaves_with_path(tree: Any, is_leaf: IsLeaf = None) -> list[tuple[Path, Any]]:
    """List the leaves with their paths, which are tuples with an entry for each step down."""
    first, struct = _C.flatten(tree, is_leaf, False, NAMESPACE)
    return list(zip(struct.accessors(), first, strict=True))


@boundary
def reduce(f: Callable[[Any, Any], Any], tree: Any, initializer: Any = _MISSING) -> Any:
    """Fold the leaves from the left.

    >>> from fgrad import tree
    >>> tree.reduce(lambda total, x: total + x, (1, [2, 3])), tree.reduce(max, (), 0)
    (6, 0)

    Raises:
        ArgumentError: the tree has no leaves and there is no initializer.
    """
    first = leaves(tree) if initializer is _MISSING else [initializer, *leaves(tree)]
    if not first:
        wanted = "reduce wants a tree with leaves, or an initializer."
        raise ArgumentError(wanted, describe(tree), "pass initializer=, the answer for no leaves")
    return functools.reduce(f, first)


def all(tree: Any) -> bool:
    """Tell whether every leaf is true; a tree without leaves is.

    >>> from fgrad import tree
    >>> tree.all({"a": True, "b": [1, None]}), tree.all([True, 0])
    (True, False)
    """
    return builtins.all(leaves(tree))


def check_same_structure(expected: Any, got: Any, *, what: str, to_do: str) -> None:
    """Raise an error that names the first difference, if two trees differ in structure.

    >>> from fgrad import tree
    >>> tree.check_same_structure([1, {"a": 2}], [3, {"a": (4, 5)}],
    ...     what="the tangents and the primals", to_do="pass one tangent for each primal")
    Traceback (most recent call last):
    ...
    fgrad.errors.TreeError: the tangents and the primals must have the same structure.
      It got: at [1]['a']: a tuple of 2 items, where a leaf was wanted
      To do: pass one tangent for each primal

    Unlike :func:`map` it wants the same type of dict with the keys in the same order, so that the
    leaves of both trees come in the same order.

    Args:
        expected: a tree, or the structure of one.
        got: the tree to check.
        what: which two things must agree, for the first line of the message.
        to_do: what the user can do, for the last.

    Raises:
        TreeError: the structures differ.
    """
    want = expected if isinstance(expected, Structure) else structure(expected)
    if structure(got) == want:
        return
    came = _difference(want, got, (), exact=True) or f"{structure(got)}, not {want}"
    raise TreeError(f"{what} must have the same structure.", came, to_do)


def flatten_up_to(
    want: Structure,
    tree: Any,
    *,
    what: str = "tree.map wants trees that have the structure of the first.",
    to_do: str = "pass trees of one structure, in the order of f",
) -> list[Any]:
    """List what a tree has in the places where a structure has leaves.

    >>> from fgrad import tree
    >>> tree.flatten_up_to(tree.structure({"a": 0, "b": 0}), {"b": [1, 2], "a": None})
    [None, [1, 2]]

    Args:
        want: the structure; dicts are matched by key, in any order.
        tree: has at least that structure; below its leaves it may have anything.
        what, to_do: the first and the third part of the error.

    Raises:
        TreeError: the tree doesn't match; it names the path of the first difference.
    """
    try:
        return want.flatten_up_to(tree)
    except ValueError as error:
        came = _difference(want, tree, (), exact=False)
        if came is None:  # then the error is from the flatten function of a registered class
            raise
        raise TreeError(what, came, to_do) from error


def broadcast_prefix(prefix: Any, tree: Any) -> list[Any]:
    """List, for each leaf of a tree, what a prefix of the tree has for it; None is a leaf there.

    Dicts are matched by key, in any order.

    >>> from fgrad import tree
    >>> tree.broadcast_prefix((0, None), ([1, 2], {"a": 3}))
    [0, 0, None]

    Raises:
        ValueError: the prefix doesn't fit.
    """
    struct = structure(tree)
    numbered = _thaw_mappings(struct.unflatten(range(struct.num_leaves)))
    prefix = _thaw_mappings(prefix)
    values, prefix_struct = optree.tree_flatten(prefix, none_is_leaf=True, namespace=NAMESPACE)
    out: list[Any] = [None] * struct.num_leaves
    for value, part in zip(values, prefix_struct.flatten_up_to(numbered), strict=True):
        for i in leaves(part):
            out[i] = value
    return out


def _thaw_mappings(tree: Any) -> Any:
    """The tree with dicts for frozen mappings, which optree compares by the order of their keys."""
    parts, struct = optree.tree_flatten(
        tree, lambda x: isinstance(x, FrozenDict), none_is_leaf=True, namespace=NAMESPACE
    )
    return struct.unflatten(
        {k: _thaw_mappings(v) for k, v in x.items()} if isinstance(x, FrozenDict) else x
        for x in parts
    )


def _difference(want: Structure, got: Any, path: Path, *, exact: bool) -> str | None:
    """Describe the first place where a tree differs from a structure.

    Without `exact` the rules are those of optree's flatten_up_to: a leaf stands for any subtree,
    the kinds of dict are alike, and the order of their keys is free.
    """
    parts, level = one_level(got)
    place = at(path)
    if want.is_leaf():
        if level.is_leaf() or not exact:
            return None
        return f"{place}: {say(level, got)}, where a leaf was wanted"
    want_level = want.one_level()
    assert want_level is not None
    alike = not exact and want.type in DICTS and level.type in DICTS
    if want.type is not level.type and not alike:
        return f"{place}: {say(level, got)}, where {say(want_level)} was wanted"
    steps, keys, here = steps_of(want_level), want_level.entries(), level.entries()
    if want.type in MAPPINGS:
        for key, step in zip(keys, steps, strict=True):
            if key not in here:
                return f"{at((*path, step))}: key missing"
        for key in here:
            if key not in keys:
                return f"{place}: the key {key!r}, which is not in the other tree"
        if keys != here and not alike:
            return f"{place}: the keys in the order {here}, where {keys} was wanted"
        parts = [parts[here.index(key)] for key in keys]
    elif len(keys) != len(here):
        return f"{place}: {say(level, got)}, where {say(want_level)} was wanted"
    if level != want_level and (exact or level.kind == PyTreeKind.CUSTOM):
        return f"{place}: {say(level)} with {_rest(level)}, where {_rest(want_level)} was wanted"
    for child, part, step in zip(want.children(), parts, steps, strict=True):
        found = _difference(child, part, (*path, step), exact=exact)
        if found is not None:
            return found
    return None


def _rest(level: Structure) -> str:
    """What a node holds beside its children: static fields, a default factory, a maxlen."""
    return f"the static data {level.walk(level.entries(), lambda _, rest, __: rest)!r}"


class _Slot(NamedTuple):
    """Where a leaf lies in the flat vector, and what it was."""

    start: int
    stop: int
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    kind: type


def ravel(tree: Any) -> tuple[Any, Callable[[Any], Any]]:
    """Lay all leaves of a tree out in one flat vector.

    >>> import numpy as np
    >>> from fgrad import tree
    >>> vector, unravel = tree.ravel({"w": np.float32([[1, 2], [3, 4]]), "b": 0.5})
    >>> vector
    array([1. , 2. , 3. , 4. , 0.5], dtype=float32)
    >>> unravel(vector * 2)
    {'w': array([[2., 4.],
           [6., 8.]], dtype=float32), 'b': 1.0}

    Args:
        tree: leaves are arrays of numbers of any shape, traced values, or Python numbers.

    Returns:
        The vector of shape (total size,), and the function that makes a tree of such a vector.
        The dtype is ``np.result_type`` of the leaves, so Python numbers take the dtype of arrays
        beside them. `unravel` restores shape, dtype and Python type of each leaf; a leaf that has
        the vector's dtype is a view of the vector.

    Raises:
        DtypeError: a leaf is no number; from `unravel`, the vector is complex and a leaf is real.
        ShapeError: from `unravel`, the vector has another shape.
    """
    parts, struct = flatten(tree)
    slots: list[_Slot] = []
    size = 0
    for i, x in enumerate(parts):
        dtype = np.dtype(type(x)) if type(x) in _NUMBERS else getattr(x, "dtype", None)
        if dtype is None or dtype.kind not in "biufc":
            came = f"{at(struct.accessors()[i])}: {describe(x)}"
            to_do = "make it a static field of a tree.dataclass, or leave it out"
            raise DtypeError("ravel wants leaves that are arrays of numbers.", came, to_do)
        shape = tuple(getattr(x, "shape", ()))
        slots.append(_Slot(size, size + math.prod(shape), shape, dtype, type(x)))
        size = slots[-1].stop
    weak = [kind() for kind in {slot.kind for slot in slots} if kind in _NUMBERS]
    strong = {slot.dtype for slot in slots if slot.kind not in _NUMBERS}
    common = np.result_type(*strong, *weak) if slots else np.dtype(float)

    def unravel(vector: Any) -> Any:
        if getattr(vector, "shape", None) != (size,):
            wanted = f"unravel wants a vector of shape ({size},), the total size of the leaves."
            raise ShapeError(wanted, describe(vector), "pass a vector that ravel could have made")
        new = []
        for i, slot in enumerate(slots):
            x = vector[slot.start : slot.stop]
            if x.dtype.kind == "c" and slot.dtype.kind != "c":
                if common.kind != "c" or (issubclass(type(x), np.ndarray) and np.any(x.imag)):
                    _refuse_complex(struct, i, slot, vector)
                x = np.real(x)
            new.append(_restore(np.reshape(x, slot.shape), slot))
        return struct.unflatten(new)

    near = next((x for x in parts if type(x) not in _NUMBERS), None)
    flat = [_segment(x, common, near) for x in parts]
    return (np.concatenate(flat) if flat else np.zeros(0, common)), unravel


def _segment(x: Any, dtype: np.dtype[Any], near: Any) -> Any:
    """A leaf's part of the vector; a Python number's is where the arrays beside it are."""
    if type(x) in _NUMBERS:
        return np.full(1, x, dtype) if near is None else np.full_like(near, x, dtype, shape=(1,))
    x = np.ravel(x)
    return x if x.dtype == dtype else x.astype(dtype)


def _restore(x: Any, slot: _Slot) -> Any:
    if slot.kind in _NUMBERS:
        return slot.kind(x.item()) if issubclass(type(x), np.ndarray) else x
    x = x if x.dtype == slot.dtype else x.astype(slot.dtype)
    return x[()] if issubclass(type(x), np.ndarray) and issubclass(slot.kind, np.generic) else x


def _refuse_complex(struct: Structure, i: int, slot: _Slot, vector: Any) -> NoReturn:
    wanted = f"unravel wants real numbers for the {slot.dtype} leaf {at(struct.accessors()[i])}."
    raise DtypeError(wanted, describe(vector), "pass np.real(vector), if that is what you mean")
