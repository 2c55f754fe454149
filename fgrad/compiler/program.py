"""Programs: operations in the order in which they run, in a few kinds that the passes know.

A node is an array that will be computed. Nodes are values: two with equal kinds, operands and
metadata are one and the same (hash-consing), so common subexpressions are found while a program is
built, and rules that rewrite it never change a node, they make another.

    =============  =====================  ======================================================
    kind           meta                   what it stands for
    =============  =====================  ======================================================
    ``input``      its number             an argument's leaf, a captured array, a value from
                                          before a guard
    ``literal``    the value, or `Held`   a number; an array that nobody else can reach
    ``ufunc``      the ufunc              an elementwise function
    ``where``                             `numpy.where`
    ``cast``       the dtype              ``x.astype(dtype)``
    ``reduce``     ufunc, axes, keepdims  ``ufunc.reduce``
    ``transpose``  axes                   views of their operand
    ``reshape``    shape
    ``broadcast``  shape
    ``index``      a basic index
    ``dot``                               ``x.dot(y)`` of vectors and matrices
    ``matmul``     axes, or None          ``x @ y`` of stacks of them; the order in which its axes
                                          lie in memory, if it isn't C order
    ``inner``                             the sum of all products of entries, of equal shapes
    ``put``        a basic index          a copy of x with ``x[index] += y``
    ``stack``                             matrices one below the other
    ``call``       primitive, params      any other primitive, by its implementation
    ``pick``       a position             one of several answers of a call
    ``native``     a kernel               a part that runs as machine code
    ``made``       a position             one of a kernel's answers
    =============  =====================  ======================================================
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from ..arrays import is_a, is_cupy
from ..core import Params, Primitive
from ..graph import Graph

Shape = tuple[int, ...]


class Node:
    """One value of a program; made by `Builder.make`.

    Attributes:
        kind, ins, meta: what it is, see above.
        shape, dtype: of the array it stands for.
        weak: a Python number, which takes its dtype from the array beside it.
        fortran: how it lies in memory, so far as that is known: False for C order, True for
            Fortran order, None for any other.
        name: what the function's source calls it; for reading only.
        origin: where its operation was written, if somebody has asked; for reading only.
    """

    __slots__ = ("dtype", "fortran", "ins", "kind", "meta", "name", "origin", "shape", "weak")

    def __init__(
        self,
        kind: str,
        ins: tuple[Node, ...],
        meta: Any,
        shape: Shape,
        dtype: Any,
        weak: bool = False,
        fortran: bool | None = False,
    ) -> None:
        self.kind, self.ins, self.meta = kind, ins, meta
        self.shape, self.dtype, self.weak, self.fortran = shape, dtype, weak, fortran
        self.name: str | None = None
        self.origin: Any = None

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        size = 1
        for n in self.shape:
            size *= n
        return size

    @property
    def number(self) -> Any:
        """The value of a literal number; None for anything else."""
        if self.kind == "literal" and not self.shape and not isinstance(self.meta, Held):
            return self.meta
        return None

    @property
    def floating(self) -> bool:
        """Whether it has real floating-point entries."""
        return self.dtype.kind == "f"

    def __repr__(self) -> str:
        return f"<{self.kind} {self.dtype}{list(self.shape)}>"


class Held:
    """An array by identity: it may be large, and who else holds it may change it."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __hash__(self) -> int:
        return id(self.value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Held) and other.value is self.value


class Call:
    """A primitive with its params, hashed where that is possible, by identity where it is not.

    Attributes:
        effect: whether something happens besides the computing of an answer.
    """

    __slots__ = ("effect", "key", "params", "primitive")

    def __init__(self, p: Primitive, params: Params) -> None:
        self.primitive, self.params = p, params
        self.effect = happens(p, params)
        key: Hashable = (p, tuple((k, type(v), v) for k, v in sorted(params.items())))
        try:
            hash(key)
        except TypeError:
            key = id(self)
        self.key = key

    def __hash__(self) -> int:
        return hash(self.key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Call) and other.key == self.key


def happens(p: Primitive, params: Params) -> bool:
    """Whether an operation has an effect, or an operation in one of its graphs."""
    graphs = [x for x in params.values() if isinstance(x, Graph)]
    return p.effect or any(happens(e.primitive, e.params) for g in graphs for e in g.equations)


class Index:
    """A basic index, hashed by its spelling: slices have no hash before Python 3.12."""

    __slots__ = ("key", "spec")

    def __init__(self, spec: tuple[Any, ...]) -> None:
        self.spec, self.key = spec, repr(spec)

    def __hash__(self) -> int:
        return hash(self.key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Index) and other.key == self.key


#: A rule: ``rule(builder, ins, meta, shape, dtype)``, a better node, or None.
Rule = Callable[["Builder", tuple[Node, ...], Any, Shape, Any], Any]


class Program:
    """Inputs, nodes in the order of their making, the truth values asked for, and results."""

    def __init__(
        self, inputs: Sequence[Node], nodes: Sequence[Node], outputs: Sequence[Node]
    ) -> None:
        self.inputs, self.nodes, self.outputs = tuple(inputs), tuple(nodes), tuple(outputs)

    def uses(self) -> dict[Node, int]:
        """How often each node is read."""
        count: dict[Node, int] = dict.fromkeys(self.nodes, 0)
        for node in self.nodes:
            for x in node.ins:
                count[x] = count.get(x, 0) + 1
        for x in self.outputs:
            count[x] = count.get(x, 0) + 1
        return count


class Builder:
    """Makes nodes: equal ones once, better ones where a rule knows any.

    Args:
        rules: for each kind of node, the rules to try, in order.
        share: whether equal operations become one.
        single: nodes that are read once, by which rules that would otherwise compute something
            twice find out whether they may.

    Attributes:
        origin: that of the nodes that it makes from now on.
    """

    def __init__(self, rules: dict[str, list[Rule]], share: bool = True) -> None:
        self.rules, self.share = rules, share
        self.nodes: list[Node] = []
        self.single: set[Node] = set()
        self.origin: Any = None
        self.replaced: dict[str, int] = {}
        self._made: dict[Hashable, Node] = {}
        self._of: dict[Any, list[Rule]] = {}

    def input(self, number: int, like: Node) -> Node:
        """A value from outside."""
        node = Node("input", (), number, like.shape, like.dtype, like.weak, like.fortran)
        node.name, node.origin = like.name, like.origin
        return node

    def literal(self, value: Any) -> Node:
        """A number, or an array as it stands."""
        weak = not hasattr(value, "dtype")
        if is_a(value, np.ndarray):
            if value.ndim == 0 and not value.dtype.hasobject:
                return self._literal(value[()], value[()].dtype, False)
            fortran = _order(value)
            return self._cons("literal", (), Held(value), value.shape, value.dtype, False, fortran)
        if is_cupy(value):
            return self._cons("literal", (), Held(value), value.shape, value.dtype, False, None)
        return self._literal(value, np.result_type(type(value)) if weak else value.dtype, weak)

    def _literal(self, value: Any, dtype: Any, weak: bool) -> Node:
        # 0.0 == -0.0, 1 == 1.0 == True, nan != nan: the key spells them out.
        key = ("literal", type(value), repr(value))
        node = self._made.get(key)
        if node is None:
            node = self._made[key] = Node("literal", (), value, (), dtype, weak)
        return node

    def scalar(self, value: Any, dtype: Any) -> Node:
        """A literal number of a dtype."""
        return self.literal(np.dtype(dtype).type(value))

    def make(
        self, kind: str, ins: Iterable[Node], meta: Any, shape: Shape, dtype: Any,
        weak: bool = False,
    ) -> Node:  # fmt: skip
        """The node, or a better one."""
        ins = tuple(ins)
        for rule in self._rules_of(meta) if kind == "ufunc" else self.rules.get(kind, ()):
            better = rule(self, ins, meta, shape, dtype)
            if better is not None:
                name = rule.__name__
                self.replaced[name] = self.replaced.get(name, 0) + 1
                return better
        return self._cons(kind, ins, meta, shape, dtype, weak, None)

    def _rules_of(self, f: Any) -> list[Rule]:
        """The rules for a ufunc."""
        rules = self._of.get(f)
        if rules is None:
            every = self.rules.get("ufunc", ())
            rules = self._of[f] = [r for r in every if f in getattr(r, "ufuncs", (f,))]
        return rules

    def known(self, kind: str, ins: tuple[Node, ...], meta: Any) -> Node | None:
        """Such a node, if there is one already."""
        return self._made.get((kind, ins, meta))

    def _cons(
        self, kind: str, ins: tuple[Node, ...], meta: Any, shape: Shape, dtype: Any,
        weak: bool, fortran: bool | None,
    ) -> Node:  # fmt: skip
        key: Hashable = (kind, ins, meta)
        if kind == "ufunc" and meta in COMMUTATIVE and id(ins[0]) > id(ins[1]):
            key = (kind, ins[::-1], meta)
        node = self._made.get(key) if self.share else None
        if node is not None:
            self.replaced["share"] = self.replaced.get("share", 0) + 1
            return node
        node = Node(kind, ins, meta, shape, dtype, weak, fortran)
        node.origin = self.origin
        if kind != "literal":
            node.fortran = lay_out(node)
            self.nodes.append(node)
        self._made[key] = node
        return node

    # ------------------------------------------------------------------ the usual nodes
    def ufunc(self, f: Any, *ins: Node) -> Node:
        """``f(*ins)``."""
        shape = np.broadcast_shapes(*[x.shape for x in ins])
        dtype, weak = result_of(f, tuple(map(_kind_of, ins)))
        return self.make("ufunc", ins, f, shape, dtype, weak)

    def reshape(self, x: Node, shape: Shape) -> Node:
        """``x.reshape(shape)``."""
        return self.make("reshape", (x,), tuple(shape), tuple(shape), x.dtype)

    def broadcast(self, x: Node, shape: Shape) -> Node:
        """``np.broadcast_to(x, shape)``."""
        return self.make("broadcast", (x,), tuple(shape), tuple(shape), x.dtype)

    def transpose(self, x: Node, axes: Sequence[int]) -> Node:
        """``x.transpose(axes)``, with axes counted from the front."""
        axes = tuple(axes)
        return self.make("transpose", (x,), axes, tuple(x.shape[i] for i in axes), x.dtype)

    def reduce(self, f: Any, x: Node, axes: Sequence[int], keepdims: bool) -> Node:
        """``f.reduce(x, axes, keepdims=keepdims)``, with axes counted from the front."""
        axes = tuple(sorted(axes))
        shape = reduced(x.shape, axes, keepdims)
        return self.make("reduce", (x,), (f, axes, keepdims), shape, x.dtype)

    def dot(self, x: Node, y: Node) -> Node:
        """``x.dot(y)`` of vectors and matrices."""
        return self.make("dot", (x, y), None, (*x.shape[:-1], *y.shape[1:]), x.dtype)


def reduced(shape: Shape, axes: Sequence[int], keepdims: bool) -> Shape:
    """The shape that a reduction leaves."""
    if keepdims:
        return tuple(1 if i in axes else n for i, n in enumerate(shape))
    return tuple(n for i, n in enumerate(shape) if i not in axes)


#: Rows of fewer entries are short: NumPy's inner loop has as many steps.
SHORT = 8

#: Arrays of so many entries are gone over in blocks; smaller ones are in the cache anyway.
BLOCKED = 1 << 17

#: Ufuncs that give the same bits if their operands change places.
COMMUTATIVE = frozenset({np.add, np.multiply})


def _kind_of(x: Node) -> Any:
    """What result_of needs to know of an operand."""
    return type(x.meta) if x.weak and x.kind == "literal" else x.dtype, x.weak


@lru_cache(maxsize=4096)
def result_of(f: Any, kinds: tuple[tuple[Any, bool], ...]) -> tuple[Any, bool]:
    """The dtype of a ufunc's answer, and whether it is a Python number; found by calling it."""
    xs = []
    for dtype, weak in kinds:
        one = np.ones((), dtype)[()]
        xs.append(one.item() if weak else one)
    with np.errstate(all="ignore"):
        out = f(*xs)
    return np.result_type(out), False


def _order(x: Any) -> bool | None:
    flags = x.flags
    return False if flags.c_contiguous else True if flags.f_contiguous else None


def lay_out(node: Node) -> bool | None:
    """How the array will lie in memory: as its operands do, in C order if they differ."""
    kind, ins = node.kind, node.ins
    if kind in ("ufunc", "where", "cast"):
        full = [x.fortran for x in ins if x.shape == node.shape and node.ndim > 1]
        if True in full and False in full:
            # Columns, if the rows are so short that a loop over each would cost more.
            return node.ndim == 2 and node.shape[1] <= SHORT and node.shape[0] >= 8 * node.shape[1]
        return True in full
    if kind == "matmul":
        return False if node.meta is None else None
    if kind == "transpose":
        x = ins[0]
        if x.kind == "matmul" and x.meta == node.meta:
            return False
        if node.meta == tuple(range(node.ndim))[::-1] and x.fortran is not None:
            return not x.fortran if node.ndim > 1 else x.fortran
        return None
    if kind == "reshape":
        # A view of what lies in C order; for the rest NumPy copies, where it must, in C order.
        return False
    if kind == "index":
        return None if not _leading(node) else ins[0].fortran
    return None if kind == "broadcast" else False


def _leading(node: Node) -> bool:
    """Whether an index takes a run of rows, which lie as the whole does."""
    x, spec = node.ins[0], node.meta.spec
    if x.fortran is not False or not spec or any(s is None or s is Ellipsis for s in spec):
        return False
    first, rest = spec[0], spec[1:]
    if any(s != slice(None) for s in rest):
        return False
    return is_a(first, int) or first.step in (None, 1)
