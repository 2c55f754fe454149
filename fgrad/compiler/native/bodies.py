"""Lowering: the nodes of a program as nests of loops, calls of them, and scalars in between.

A `Body` is one run of nodes: a whole program, or the body of one of its loops. It goes through the
groups of its nodes in order, asks for space when a value is made, and gives it back when the last
group that reads it is done.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from math import prod
from typing import Any

import numpy as np

from ..program import Held, Node
from . import clusters, nests, places
from .clusters import Sharing
from .engine import NativeRefused
from .groups import VIEWS, Group, Grouping, is_elementwise, is_looped, reduction
from .loops import Operand, Writer, const, type_of
from .nests import Functions, Nest
from .places import SMALL, Arena, Memory, Root, Scalars, Storage
from .scalars import cast
from .sharing import BUSY

#: What lowers a node by its kind, or a call by its primitive's name.
Rules = Mapping[str, Callable[["Body", Node], None]]
#: The pointer to the number of what is wrong, which is 0 for nothing, and to the index that is.
FAULT = "fault"


class State:
    """What all bodies of a module share.

    Attributes:
        functions: the nests so far.
        w: the statements of the function that calls them.
        arena: the workspace.
        held: where captured arrays are, by their identity.
        checked: axis and length of each axis that is read by index, from the place 1 on.
        swapped: its pointers that are variables, and their types.
    """

    def __init__(self, rules: Rules) -> None:
        self.functions, self.w, self.arena = Functions(), Writer(), Arena()
        self.rules = rules
        self.swapped: dict[str, str] = {}
        self.held: dict[int, Memory] = {}
        self.checked: list[tuple[int, int]] = []
        self.fault = Memory(Root(True), FAULT, "i64", (2,), (1,))


class Body:
    """Some nodes, lowered in order.

    Args:
        state: of the module.
        nodes: in the order of their making.
        known: where the values are that come from outside.
        wanted: the results, each with the place to write it to; None for one that is asked for
            by `scalars`.
    """

    def __init__(
        self, state: State, nodes: Sequence[Node], known: dict[Node, Storage],
        wanted: Sequence[tuple[Node, Memory | None]],
    ) -> None:  # fmt: skip
        self.state, self.w = state, state.w
        self.env = dict(known)
        self.wanted = list(wanted)
        self.uses: dict[Node, int] = {}
        for x in (*(x for node in nodes for x in node.ins), *(y for y, _ in wanted)):
            self.uses[x] = self.uses.get(x, 0) + 1
        self.grouping = Grouping(nodes, [y for y, _ in wanted])
        self.picks: dict[Node, list[Node]] = {}
        for node in nodes:
            if node.kind == "pick":
                self.picks.setdefault(node.ins[0], []).append(node)
        self.target = _targets(nodes, self.wanted, self.uses)
        self.part_of = _parts(nodes, self.uses, self.target)
        self._expiry: dict[Root, int] = {}
        self.now = 0

    def run(self) -> None:
        """Lower all nodes, and bring the results where they are wanted."""
        for now, group in enumerate(self.grouping.groups):
            self.now = now
            if not group.members:
                continue
            if group.loops:
                self._nest(group)
            else:
                self._single(group.members[-1])
            for root in [r for r, end in self._expiry.items() if end <= self.now]:
                self._free(root)
        for node, place in self.wanted:
            if place is not None and self.target.get(node) is not place:
                self.copy(self.storage(node), place)

    def end(self) -> None:
        """Give back all space that is still in use."""
        for root in list(self._expiry):
            self._free(root)

    def _free(self, root: Root) -> None:
        del self._expiry[root]
        self.state.arena.give(root)

    # ------------------------------------------------------------------ where values are
    def storage(self, x: Node) -> Storage:
        """Where a value is."""
        found = self.env.get(x)
        if found is not None:
            return found
        if x.kind == "literal":
            held = isinstance(x.meta, Held)
            found = self.state.held[id(x.meta.value)] if held else literal(x)
        elif x.kind == "transpose":
            found = places.transposed(self.storage(x.ins[0]), x.meta)
        elif x.kind == "broadcast":
            found = places.broadcast(self.storage(x.ins[0]), x.shape)
        elif x.kind == "index":
            found = places.indexed(self.storage(x.ins[0]), x.meta.spec)
        else:
            assert x.kind == "reshape", x
            base = self.storage(x.ins[0])
            view = places.reshaped(base, x.shape)
            if view is None:  # in C order first
                packed = self.take(x.ins[0].shape, typed(x), self.grouping.last.get(x, -1))
                self.copy(base, packed)
                view = places.reshaped(packed, x.shape)
            assert view is not None
            found = view
        self.env[x] = found
        return found

    def take(self, shape: Sequence[int], type: str, last: int = -1) -> Memory:
        """New space, until the end of a group."""
        out = self.state.arena.take(tuple(shape), type)
        self._expiry[out.root] = max(last, self.now)
        return out

    def keep(self, root: Root, last: int) -> None:
        """Keep space until the end of a later group too."""
        if root in self._expiry:
            self._expiry[root] = max(self._expiry[root], last)

    def owns(self, x: Storage) -> bool:
        """Whether a value is in space that this body has asked for."""
        return isinstance(x, Memory) and x.root in self._expiry

    def place_for(self, node: Node) -> Memory:
        """Where a node is to be written."""
        place = self.target.get(node)
        if place is None and node in self.part_of:
            whole, part = self.part_of[node]
            if whole not in self.env:
                self.env[whole] = self.place_for(whole)
            base = self.env[whole]
            assert isinstance(base, Memory)
            out = places.indexed(base, part)
            assert isinstance(out, Memory)
            place = out
        if place is None:
            place = self.take(node.shape, typed(node), self.grouping.last.get(node, -1))
        self.env[node] = place
        return place

    def scalars(self, x: Node) -> Any:
        """The elements of a small value as an object array of operands."""
        found = self.storage(x)
        if isinstance(found, Memory):
            values = np.empty(x.shape, object)
            for index in np.ndindex(*x.shape):
                values[index] = self.w.load(found.at(index))
            found = self.env[x] = Scalars(values, found.type)
        return found.values

    def memory(self, x: Node) -> Memory:
        """A value in memory, put there if it isn't yet."""
        found = self.storage(x)
        return self.spilled(found) if isinstance(found, Scalars) else found

    def spilled(self, x: Scalars) -> Memory:
        """Scalars put into memory, each once; what repeats them has strides of zero."""
        every = x.values
        once = every[(*(slice(0, 1) if s == 0 else slice(None) for s in every.strides), ...)]
        place = self.take(once.shape, x.type)
        for index, value in np.ndenumerate(once):
            self.w.store(place.at(index), value)
        out = places.broadcast(place, every.shape)
        assert isinstance(out, Memory)
        return out

    def operand(self, x: Node) -> Storage:
        """A value as nests read it: memory, or one number."""
        found = self.storage(x)
        if isinstance(found, Scalars) and found.one is None:
            return self.memory(x)
        return found

    # ------------------------------------------------------------------ writing
    def call(self, nest: Nest) -> None:
        """Run a nest here."""
        self.state.functions.call(self.w, nest)

    def copy(self, source: Storage, target: Memory, add: bool = False) -> None:
        """Write one value over another, or add it to that."""
        assert target.root.mine
        if target.size > SMALL:
            if isinstance(source, Scalars) and source.one is None:
                source = self.spilled(source)
            nest = Nest()
            nests.copy(nest, places.broadcast(source, target.shape), target, add)
            self.call(nest)
            return
        w, wide = self.w, places.broadcast(source, target.shape)
        loaded = []
        for index in np.ndindex(*target.shape):
            value = wide.values[index] if isinstance(wide, Scalars) else w.load(wide.at(index))
            loaded.append((index, value))
        for index, value in loaded:
            value = cast(w, value, target.type)
            place = target.at(index)
            w.store(place, w.let("add", w.load(place), value) if add else value)

    def set(self, node: Node, values: Any) -> None:
        """Give a node its value in scalars; write it where it is wanted besides."""
        out = self.env[node] = Scalars(values, typed(node))
        if node in self.target or node in self.part_of:
            place = self.place_for(node)
            self.copy(out, place)
            self.env[node] = out

    # ------------------------------------------------------------------ groups
    def _nest(self, group: Group) -> None:
        inside = set(group.members)
        operands = {
            x: self.operand(x) for node in group.members for x in node.ins if x not in inside
        }
        sums = {y: self.place_for(y) for y in group.members if not is_elementwise(y)}
        outside = self.grouping.outside
        results = {y: self.place_for(y) for y in group.members if y in outside and y not in sums}
        nest = Nest()
        busy = prod(group.shape) * len(group.members) >= BUSY
        sharing = Sharing(self.take) if busy else None
        clusters.clustered(nest, group.members, group.shape, operands, results, sums, sharing)
        if sharing is not None and sharing.before.places:
            self.call(sharing.before)
        self.call(nest)
        for y, parts in sharing.slots.items() if sharing is not None else ():
            nest = Nest()
            clusters.added_up(nest, y, parts, sums[y])
            self.call(nest)
        for y, place in sums.items():
            found = reduction(y)
            if found is not None and found.over > 1:
                nest = Nest()
                clusters.divide(nest, place, found.over)
                self.call(nest)

    def _single(self, node: Node) -> None:
        if is_elementwise(node):
            xs: list[Any] = [np.broadcast_to(self.scalars(x), node.shape) for x in node.ins]
            out = np.empty(node.shape, object)
            for index in np.ndindex(*node.shape):
                out[index] = clusters.element(self.w, node, [x[index] for x in xs])
            self.set(node, out)
        elif reduction(node) is not None:
            self.set(node, self._gathered(node))
        else:
            name = node.meta.primitive.name if node.kind == "call" else node.kind
            self.state.rules[name](self, node)

    def _gathered(self, node: Node) -> Any:
        """A reduction of a few scalars."""
        columns = [self.scalars(x) for x in node.ins]
        shape, found = node.ins[0].shape, reduction(node)
        assert found is not None
        parts: dict[tuple[int, ...], list[list[Operand]]] = {}
        for index in np.ndindex(*shape):
            rest = tuple(i for k, i in enumerate(index) if k not in found.axes)
            parts.setdefault(rest, []).append([x[index] for x in columns])
        flat = [clusters.gathered(self.w, node, part) for part in parts.values()]
        out = np.empty(len(flat), object)
        out[:] = flat
        return out.reshape(node.shape)


def literal(x: Node) -> Scalars:
    """A number."""
    assert not isinstance(x.meta, Held)
    values = np.empty((), object)
    type = typed(x)
    if x.dtype.kind == "i" and abs(int(x.number)) > 2**53:
        raise NativeRefused("a large integer")
    values[()] = const(x.number, type)
    return Scalars(values, type)


def zero(x: Node) -> Scalars:
    """A zero of a node's type."""
    values = np.empty((), object)
    values[()] = const(0, typed(x))
    return Scalars(values, typed(x))


def typed(x: Node) -> str:
    """The type of a node's elements."""
    type = type_of(x.dtype)
    assert type is not None, x
    return type


# ------------------------------------------------------------------ where results may be made
def _targets(
    nodes: Sequence[Node], wanted: Iterable[tuple[Node, Memory | None]], uses: dict[Node, int]
) -> dict[Node, Memory]:
    """The places in which results are made; those of additions into one array begin there."""
    out: dict[Node, Memory] = {}
    made = {node for node in nodes if node.kind not in VIEWS}
    for node, place in wanted:
        if place is None or node not in made or node in out:
            continue
        if place.shape == node.shape and place.type == type_of(node.dtype):
            out[node] = place
    for node in reversed(nodes):
        x = node.ins[0] if node.kind == "put" else node
        if node in out and x.kind == "put" and x in made and uses[x] == 1 and x not in out:
            out[x] = out[node]
    return out


Part = tuple[Node, tuple[Any, ...]]


def _parts(
    nodes: Sequence[Node], uses: dict[Node, int], target: dict[Node, Memory]
) -> dict[Node, Part]:
    """Values that are made where they are joined, and never read elsewhere."""
    out: dict[Node, Part] = {}
    made = {node for node in nodes if is_looped(node) or node.kind in ("dot", "matmul")}
    for node in nodes:
        if is_join(node):
            for x, part in joined(node):
                if x in made and uses[x] == 1 and x not in target and x.dtype == node.dtype:
                    out[x] = node, part
    return out


def is_join(node: Node) -> bool:
    """Whether a node joins arrays along an axis."""
    return node.kind == "stack" or (
        node.kind == "call" and node.meta.primitive.name == "concatenate"
    )


def joined(node: Node) -> list[Part]:
    """The operands of a concatenation, and where they go."""
    axis = 0 if node.kind == "stack" else node.meta.params["axis"] % node.ndim
    out, start = [], 0
    for x in node.ins:
        part = (*(slice(None),) * axis, slice(start, start + x.shape[axis]))
        out.append((x, part))
        start += x.shape[axis]
    return out
