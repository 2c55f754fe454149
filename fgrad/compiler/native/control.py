"""Control flow: loops and branches of the program as loops and branches of machine code.

A carry of a few elements is a variable for each of them. A larger one has two arrays, of which one
is read and the other written; after each step they change places, which costs nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..program import Node, Program
from ..scans.scan import Scan
from .bodies import Body, Rules, typed
from .loops import If, Point, Set, Swap, Value, While, const
from .places import SMALL, Memory, Root, Scalars, Storage, indexed, transposed
from .products import INLINE
from .rules import RULES as STRAIGHT
from .scalars import cast

#: So many steps are worth another copy of a matrix.
TURNED = 8


class Carry:
    """A value that a loop hands on from step to step.

    Args:
        body: around the loop.
        like: the input of the loop's body that it is.
        init: its first value.
        pick: the node that its last value is, if anybody reads that.
        steps: how many there are, if that is known.
    """

    def __init__(
        self, body: Body, like: Node, init: Node, pick: Node | None, steps: int | None
    ) -> None:
        self.body, self.like, self.pick = body, like, pick
        self.type = typed(like)
        w = body.w
        self.small = like.size <= SMALL
        if self.small:
            values: Any = np.broadcast_to(body.scalars(init), like.shape)
            self.variables = np.empty(like.shape, object)
            for index in np.ndindex(*like.shape):
                self.variables[index] = w.variable(cast(w, values[index], self.type))
            return
        # After a known number of steps, its last value is where it is wanted.
        known = pick is not None and steps is not None
        ends = body.place_for(pick) if pick and known else body.take(like.shape, self.type)
        other = body.take(like.shape, self.type)
        self.arrays = (ends, other) if steps is None or steps % 2 == 0 else (other, ends)
        body.copy(body.operand(init), self.arrays[0])
        self.names = w.name("q"), w.name("q")
        for name, x in zip(self.names, self.arrays, strict=True):
            body.state.swapped[name] = self.type
            w.emit(Point(name, x.at((0,) * len(x.shape))))
        self.steps = steps

    def before(self, counter: str = "") -> Storage:
        """Its value when a step begins."""
        if self.small:
            values = np.empty(self.like.shape, object)
            for index, variable in np.ndenumerate(self.variables):
                values[index] = self.body.w.get(variable)
            return Scalars(values, self.type)
        return self._array(0)

    def _array(self, which: int) -> Memory:
        x = self.arrays[which]
        return Memory(Root(which == 1), self.names[which], self.type, x.shape, x.strides)

    def after(self, counter: str = "") -> Memory | None:
        """Where a step writes its next value; None for scalars."""
        return None if self.small else self._array(1)

    def values(self, inner: Body, node: Node) -> Any:
        """The next value in scalars, before any is set; None for an array."""
        if not self.small:
            return None
        w = inner.w
        found: Any = np.broadcast_to(inner.scalars(node), self.like.shape)
        out = np.empty(self.like.shape, object)
        for index in np.ndindex(*self.like.shape):
            out[index] = cast(w, found[index], self.type)
        return out

    def step(self, values: Any) -> None:
        """Hand on to the next step."""
        w = self.body.w
        if values is None:
            w.emit(Swap(*self.names))
            return
        for index, variable in np.ndenumerate(self.variables):
            w.emit(Set(variable, values[index]))

    def end(self) -> None:
        """After the loop: the last value is where the pick is."""
        body, pick = self.body, self.pick
        if pick is None:
            return
        if self.small:
            body.set(pick, self.before().values)  # type: ignore[union-attr]
            return
        if self.steps is None:  # which of the two it is, only the loop knows
            body.copy(self._array(0), body.place_for(pick))


class Track(Carry):
    """A carry whose values before each step are wanted: it is made where they are kept.

    Args:
        body, like, init, pick: as above.
        stacks: the nodes that these values are.
        scan: the loop.
    """

    def __init__(
        self, body: Body, like: Node, init: Node, pick: Node | None, stacks: Sequence[Node],
        scan: Scan,
    ) -> None:  # fmt: skip
        self.body, self.like, self.pick, self.small = body, like, pick, False
        self.type, self.scan = typed(like), scan
        ends = body.grouping.last
        last = max(ends.get(x, -1) for x in (*stacks, *([pick] if pick else [])))
        n = scan.length
        self.rows = body.take((n + 1, *like.shape), self.type, last)
        body.copy(body.operand(init), self._fixed(n if scan.reverse else 0))
        kept = slice(1, None) if scan.reverse else slice(None, -1)
        for x in stacks:
            body.env[x] = indexed(self.rows, (kept,))

    def _fixed(self, row: int) -> Memory:
        out = indexed(self.rows, (row,))
        assert isinstance(out, Memory)
        return out

    def _row(self, counter: str, ahead: int) -> Memory:
        """The row of a step; of the next one, ahead by one."""
        scan, stride = self.scan, self.rows.strides[0]
        first = self._fixed(scan.length - ahead if scan.reverse else ahead)
        terms = (*first.terms, (counter, -stride if scan.reverse else stride))
        return replace(first, root=Root(bool(ahead)), terms=terms)

    def before(self, counter: str = "") -> Storage:
        return self._row(counter, 0)

    def after(self, counter: str = "") -> Memory | None:
        return self._row(counter, 1)

    def step(self, values: Any) -> None:
        """The next row is the next step's."""

    def end(self) -> None:
        if self.pick is None:
            return
        found = self._fixed(0 if self.scan.reverse else self.scan.length)
        if self.pick in self.body.target or self.pick in self.body.part_of:
            self.body.copy(found, self.body.place_for(self.pick))
        else:
            self.body.env[self.pick] = found


def _carries(body: Body, node: Node, picks: dict[int, Node]) -> list[Carry]:
    """The carries of a loop; their stacks are taken out of the picks."""
    scan: Scan = node.meta
    inputs, outputs = scan.body.inputs[scan.front :], scan.body.outputs
    out: list[Carry] = []
    for k in range(scan.carries):
        like, init, pick = inputs[k], node.ins[k], picks.get(k)
        same = [
            j for j, x in picks.items()
            if j >= scan.carries and outputs[j] is like and x not in body.target
            and x not in body.part_of
        ]  # fmt: skip
        if same and like.size > SMALL:
            stacks = [picks.pop(j) for j in same]
            out.append(Track(body, like, init, pick, stacks, scan))
        else:
            out.append(Carry(body, like, init, pick, scan.length))
    return out


def _scan(body: Body, node: Node) -> None:
    scan: Scan = node.meta
    program, w = scan.body, body.w
    c, m, front = scan.carries, scan.slices, scan.front
    picks = {pick.meta: pick for pick in body.picks.get(node, ())}
    inputs = program.inputs
    carries = _carries(body, node, picks)
    slices = [body.memory(x) for x in node.ins[c : c + m]]
    consts = [body.storage(x) for x in node.ins[c + m :]]
    stacks = {k: body.place_for(pick) for k, pick in picks.items() if k >= c}
    turned = _turned(body, scan, dict(zip(inputs[front + c + m :], consts, strict=True)))
    with w.loop(scan.length) as counter:
        known: dict[Node, Storage] = {**turned}
        if front:
            known[inputs[0]] = _number(body, scan, counter)
        known.update(
            zip(inputs[front : front + c], [x.before(counter) for x in carries], strict=True)
        )
        rows = [x.along(counter, 0, scan.reverse) for x in slices]
        for x, place in zip(inputs[front + c :], [*rows, *consts], strict=True):
            known.setdefault(x, place)
        wanted: list[tuple[Node, Memory | None]] = [
            (y, x.after(counter)) for y, x in zip(program.outputs, carries, strict=False)
        ]
        for k, place in stacks.items():
            wanted.append((program.outputs[k], place.along(counter, 0, scan.reverse)))
        _run(body, program, known, wanted, carries)
    for carry in carries:
        carry.end()


def _turned(body: Body, scan: Scan, consts: dict[Node, Storage]) -> dict[Node, Storage]:
    """Copies in C order of matrices that large products in each step would read as transposes.

    BLAS goes through a transposed right operand at two thirds of its speed.
    """
    out: dict[Node, Storage] = {}
    for node in scan.body.nodes if scan.length >= TURNED else ():
        y = node.ins[1] if node.kind == "dot" and node.ins[0].ndim == 2 else node
        base = y.ins[0] if y.kind == "transpose" else y
        found = consts.get(base)
        if not isinstance(found, Memory) or y.ndim != 2 or y in out:
            continue
        view = transposed(found, y.meta) if y is not base else found
        assert isinstance(view, Memory)
        large = node.ins[0].shape[0] * y.size > INLINE
        if large and view.strides[0] == 1 and view.strides[1] > 1:
            place = out[y] = body.take(view.shape, view.type)
            body.copy(view, place)
    return out


def _number(body: Body, scan: Scan, counter: str) -> Scalars:
    """The number of a step."""
    w, n = body.w, Value(counter, "i64")
    assert scan.start is not None
    values = np.empty((), object)
    if scan.reverse:
        values[()] = w.let("sub", const(scan.start + scan.length - 1, "i64"), n)
    else:
        values[()] = w.let("add", const(scan.start, "i64"), n)
    return Scalars(values, "i64")


def _run(
    body: Body, program: Program, known: dict[Node, Storage],
    wanted: Sequence[tuple[Node, Memory | None]], carries: Sequence[Carry],
) -> None:  # fmt: skip
    """One step, whose first results are the next carries."""
    inner = Body(body.state, program.nodes, known, wanted)
    inner.run()
    new = [x.values(inner, y) for y, x in zip(program.outputs, carries, strict=False)]
    for carry, values in zip(carries, new, strict=True):
        carry.step(values)
    inner.end()


def program_of(code: Any) -> Program | None:
    """The program of a graph that was compiled as the body of a loop or branch."""
    segment = getattr(code.body, "segment", None)
    return None if segment is None else segment.program


def _while(body: Body, node: Node) -> None:
    params = node.meta.params
    test, step = program_of(params["cond"]), program_of(params["body"])
    assert test is not None
    assert step is not None
    c, w = params["carries"], body.w
    picks = {pick.meta: pick for pick in body.picks.get(node, ())}
    carries = [Carry(body, step.inputs[k], node.ins[k], picks.get(k), None) for k in range(c)]
    consts = [body.storage(x) for x in node.ins[c:]]
    asked: list[Any] = []
    with w.inside(asked):
        known = dict(zip(test.inputs, [*(x.before() for x in carries), *consts], strict=True))
        inner = Body(body.state, test.nodes, known, [(test.outputs[0], None)])
        inner.run()
        holds = cast(w, inner.scalars(test.outputs[0])[()], "i1")
        inner.end()
    done: list[Any] = []
    with w.inside(done):
        known = dict(zip(step.inputs, [*(x.before() for x in carries), *consts], strict=True))
        wanted = [(y, x.after()) for y, x in zip(step.outputs, carries, strict=True)]
        _run(body, step, known, wanted, carries)
    if body.state.checked:  # what was read by a wrong index may hold for ever
        with w.inside(asked):
            good = w.let("eq", w.load(body.state.fault.at((0,))), const(0, "i64"), type="i1")
            holds = w.let("and", holds, good)
    w.emit(While(asked, holds, done))
    for carry in carries:
        carry.end()


def _choose(body: Body, node: Node) -> None:
    """A branch: the results of all are written to the same places."""
    index, *xs = node.ins
    branches = list(node.meta.params.values())
    w = body.w
    which = body.scalars(index)[()]
    operands = [body.storage(x) for x in xs]
    results: list[tuple[int, Node, Memory | None, Any]] = []
    for pick in body.picks.get(node, ()):
        if pick.size <= SMALL:
            variables = np.empty(pick.shape, object)
            for at in np.ndindex(*pick.shape):
                variables[at] = w.variable(const(0, typed(pick)))
            results.append((pick.meta, pick, None, variables))
        else:
            results.append((pick.meta, pick, body.place_for(pick), None))

    def taken(number: int) -> None:
        program = program_of(branches[number])
        assert program is not None
        known = dict(zip(program.inputs, operands, strict=True))
        wanted = [(program.outputs[k], place) for k, _, place, _ in results]
        inner = Body(body.state, program.nodes, known, wanted)
        inner.run()
        for k, pick, _, variables in results:
            if variables is not None:
                values: Any = np.broadcast_to(inner.scalars(program.outputs[k]), pick.shape)
                for at, variable in np.ndenumerate(variables):
                    w.emit(Set(variable, cast(w, values[at], typed(pick))))
        inner.end()

    def ask(number: int) -> None:
        """Go one way if the index is this number, else ask on."""
        if number == len(branches) - 1:
            taken(number)
            return
        here = w.let("eq", cast(w, which, "i64"), const(number, "i64"), type="i1")
        yes: list[Any] = []
        no: list[Any] = []
        with w.inside(yes):
            taken(number)
        with w.inside(no):
            ask(number + 1)
        w.emit(If(here, yes, no))

    ask(0)
    for _, pick, _, variables in results:
        if variables is not None:
            body.set(pick, _read(body, variables))


def _read(body: Body, variables: Any) -> Any:
    values = np.empty(variables.shape, object)
    for at, variable in np.ndenumerate(variables):
        values[at] = body.w.get(variable)
    return values


RULES: Rules = {
    **STRAIGHT, "scan": _scan, "while": _while, "cond": _choose, "switch": _choose,
}  # fmt: skip
