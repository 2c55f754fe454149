"""Unpacking: code that takes arguments apart and checks that a program was made for such ones.

A program holds for arguments of one structure, with leaves of the same types, shapes and dtypes.
The checks are written out for that structure: lists, tuples, dicts and arrays cost a comparison
each; optree is asked only for what else is registered as a pytree.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import tree
from ..arrays import is_a, is_cupy, ndarray
from ..core import Tracer
from ..errors import DtypeError, describe
from .scope import Scope

#: Leaves that are traced; of any other leaf the program holds for one value.
NUMBERS = (float, int, complex)


def is_dynamic(x: Any) -> bool:
    """Whether a leaf is computed with: arrays and numbers, but no bools, which are flags."""
    if type(x) in NUMBERS:
        return True
    return (is_a(x, (ndarray, np.generic)) or is_cupy(x)) and x.dtype.kind in "fciub"


@dataclass
class Leaf:
    """A traced leaf: its path in the arguments, its value, and its name in the code.

    When the value is not needed any more, what is said of it is left.
    """

    path: str
    value: Any
    name: str
    said: str = ""


def _is_comparable(x: Any) -> bool:
    """Whether a value is to be told by equality: one that says so by having a hash."""
    try:
        hash(x)
    except TypeError:
        return isinstance(x, (set, bytearray))
    same = x == x  # nan is not equal to itself
    return same is True or (is_a(same, np.bool_) and bool(same))


class Unpacker:
    """Writes the code for some arguments.

    Attributes:
        lines: statements; a check that fails goes to ``otherwise``.
        leaves: the traced leaves, in order.
        fixed: the values that are not traced.
    """

    def __init__(self, scope: Scope, otherwise: str) -> None:
        self.scope, self.otherwise = scope, otherwise
        self.lines: list[str] = []
        self.leaves: list[Leaf] = []
        self._checks: list[str] = []
        self._count = 0
        self._taken: set[str] = set()
        self.fixed: list[Any] = []

    def flush(self) -> None:
        """Write the checks collected so far."""
        if self._checks:
            self.lines.append(f"if not ({' and '.join(self._checks)}): {self.otherwise}")
            self._checks.clear()

    def name(self, path: str) -> str:
        """A name like a path: params[0] is params_0."""
        stem = "".join(c if c.isalnum() and c.isascii() else "_" for c in path).strip("_")
        while "__" in stem:
            stem = stem.replace("__", "_")
        stem = stem if stem and not stem[0].isdigit() else f"x_{stem}"
        name = f"{stem}_"
        while name in self._taken:
            name += "_"
        self._taken.add(name)
        return name

    def static(self, value: Any, name: str) -> None:
        """Check that an argument is the one that the program was made for."""
        self.fixed.append(value)
        kind = self._type(value)
        bound = self.scope.bind(value, "static")
        if value is None or isinstance(value, type) or not _is_comparable(value):
            self._checks.append(f"{name} is {bound}")
            return
        self._checks.append(f"type({name}) is {kind} and {name} == {bound}")
        if type(value) is float and value == 0:  # 0.0 == -0.0
            self._checks.append(f"str({name}) == '{value}'")

    def _type(self, value: Any) -> str:
        return self.scope.bind(type(value), type(value).__name__)

    def check(self, condition: str) -> None:
        """Check a condition before anything that follows."""
        self._checks.append(condition)

    def take(
        self, value: Any, name: str, path: str, dynamic: Callable[[Any], bool] = is_dynamic
    ) -> None:
        """Take one argument apart; leaves that are not dynamic must be what they are now."""
        kind = type(value)
        if kind is list or kind is tuple:
            self._checks.append(f"type({name}) is {kind.__name__} and len({name}) == {len(value)}")
            self._parts(name, [(f"{path}[{i}]", v) for i, v in enumerate(value)], dynamic)
        elif kind is dict:
            self._checks.append(f"type({name}) is dict and len({name}) == {len(value)}")
            keys = list(value)
            # Insertion order is a part of the structure, as it is for all pytrees here.
            if keys:
                order = self.scope.bind(tuple(keys), "keys")
                self._checks.append(f"(*{name},) == {order}")
            parts = [(f"{path}[{key!r}]", v) for key, v in value.items()]
            self._parts(f"{name}.values()", parts, dynamic)
        elif dynamic(value):
            self._check_plain(value, path)
            self._leaf(value, name, path)
        elif value is None or not self._is_node(value):
            self._check_static(value, path)
            self.static(value, name)
        else:
            self._registered(value, name, path, dynamic)

    def _check_static(self, value: Any, path: str) -> None:
        if is_a(value, (ndarray, Tracer)) or hasattr(value, "__next__"):
            raise DtypeError(
                "jit wants arrays of numbers, or values by which its programs can be told apart.",
                f"{describe(value)} at {path}",
                "convert it before: np.asarray(x, dtype=float), list(x)",
            )

    def _check_plain(self, value: Any, path: str) -> None:
        if isinstance(value, (np.matrix, np.ma.MaskedArray)):
            raise DtypeError(
                "jit wants plain arrays: for this class the same operators do something else.",
                f"{type(value).__name__} at {path}",
                "pass np.asarray(x); for a mask, values and mask apart, with np.where",
            )

    @staticmethod
    def _is_node(value: Any) -> bool:
        leaves = tree.leaves(value)
        return not (len(leaves) == 1 and leaves[0] is value)

    def _parts(
        self, expression: str, parts: Sequence[tuple[str, Any]], dynamic: Callable[[Any], bool]
    ) -> None:
        if not parts:
            return
        self.flush()
        names = [self.name(path) for path, _ in parts]
        self.lines.append(f"{', '.join(names)}{',' if len(names) == 1 else ''} = {expression}")
        for part, (path, v) in zip(names, parts, strict=True):
            self.take(v, part, path, dynamic)

    def _registered(self, value: Any, name: str, path: str, dynamic: Callable[[Any], bool]) -> None:
        """A registered class, a namedtuple, a dataclass: what optree makes of it."""
        structure = tree.structure(value)
        flatten = self.scope.bind(tree.flatten, "flatten")
        self._checks.append(f"type({name}) is {self._type(value)}")
        self.flush()
        parts, same = self.name(f"{path}_leaves"), self.name(f"{path}_structure")
        self.lines.append(f"{parts}, {same} = {flatten}({name})")
        self._checks.append(f"{same} == {self.scope.bind(structure, 'structure')}")
        pairs = [(f"{path}{tree.path_str(p)}", v) for p, v in tree.leaves_with_path(value)]
        self._parts(parts, pairs, dynamic)

    def _leaf(self, value: Any, name: str, path: str) -> None:
        kind = self._type(value)
        if is_a(value, ndarray) or is_cupy(value):
            dtype = value.dtype
            same = "is" if dtype is np.dtype(dtype.char) else "=="
            bound = self.scope.bind(dtype, dtype.name)
            self._checks.append(
                f"type({name}) is {kind} and {name}.shape == {value.shape} "
                f"and {name}.dtype {same} {bound}"
            )
            if is_cupy(value):
                self._checks.append(f"{name}.data.device_id == {value.data.device_id}")
        else:
            self._checks.append(f"type({name}) is {kind}")
        self.leaves.append(Leaf(path, value, name))


def packed(structure: Any, expressions: Sequence[str], scope: Scope) -> str:
    """An expression that builds a result of expressions for its leaves."""
    whole = tree.unflatten(structure, [_Text(e) for e in expressions])
    text = _packed(whole)
    if text is not None:
        return text
    unflatten = scope.bind(tree.unflatten, "unflatten")
    return f"{unflatten}({scope.bind(structure, 'structure')}, [{', '.join(expressions)}])"


class _Text(str):
    __slots__ = ()


def _packed(x: Any) -> str | None:
    if type(x) is _Text:
        return str(x)
    if x is None:
        return "None"
    if type(x) in (list, tuple):
        parts = [_packed(y) for y in x]
        if None in parts:
            return None
        inner = ", ".join(map(str, parts))
        if type(x) is list:
            return f"[{inner}]"
        return f"({inner}{',' if len(parts) == 1 else ''})"
    if type(x) is dict:
        parts = [_packed(y) for y in x.values()]
        if None in parts or not all(type(k) in (str, int) for k in x):
            return None
        pairs = zip(x, parts, strict=True)
        return "{" + ", ".join(f"{k!r}: {p}" for k, p in pairs) + "}"
    return None
