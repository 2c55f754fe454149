"""Reverse mode: a flat tape, and the walk back over it.

While the function runs, each operation on a traced value appends one tuple to the tape. The
pullback walks the tape from the end, adds up cotangents in a list, and drops each record as it
leaves it. No graph to sort and no recursion: a chain of a million operations works.

A record is ``(i, j, pull_i, pull_j, ans, x, y)``: the slots of two parents (NONE for an operand
that isn't traced), the rules that pull a cotangent back to each, and what they need of the answer
and the operands. In place of j, a record of another form has its number:

    UNARY    ``pull(g, ans, x)``
    LINEAR   ``pull(g, x, **y)``, one operand with params
    GENERAL  any number of operands: ``(-1, GENERAL, p, (active, parents), ans, operands, params)``
    PART     one of several answers: adds to the cotangents of the operation's record
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from .arrays import (
    ALONE,
    PYTHON_SCALARS,
    SMALL,
    SPARE,
    Hold,
    aval,
    check_operand,
    digest,
    is_cupy,
    lock,
    lockable,
    ndarray,
    references,
    release,
    shield,
    strong,
)
from .core import (
    Params,
    Primitive,
    Refusing,
    Trace,
    Tracer,
    bind,
    evaluate,
    is_traceable,
    refuse_captured,
)
from .cotangents import Parts, fitted, join, pull_general, shape_dtype
from .errors import FgradError, describe
from .rules import Deferred
from .tracer import ArrayTracer

NONE, UNARY, LINEAR, GENERAL, PART = -1, -2, -3, -4, -5


class TapeTracer(ArrayTracer):
    """A value on a tape; `slot` is its position there."""

    __slots__ = ()


class Tape(Trace):
    """The record of one run of a function."""

    def __init__(self, name: str, fn: Callable[..., Any]) -> None:
        self.level, self.name, self.fn = Trace._serial(), name, fn
        #: The records, until the tape is finished; then they are in `record`.
        self.nodes: Any = []
        self.inputs = 0
        self.spare = SPARE
        self.holds: list[Hold] = []
        self.held: dict[int, tuple[Any, Any]] = {}

    def finish(self) -> None:
        if self.nodes is not None:
            self.record, self.nodes = self.nodes, None
        self.__class__ = FinishedTape

    # ------------------------------------------------------------------ recording
    def watch(self, leaves: Sequence[Any], owners: int | None = None) -> list[Any]:
        """Tracers for the leaves that are differentiated.

        A large leaf that only its tracer, the list and so many ``owners`` hold is locked at once:
        there is no view of it to write through, so it needs no fingerprint.
        """
        tracers: list[Any] = []
        large = []
        leaf = None
        for slot, leaf in enumerate(leaves):
            tracer = TapeTracer()
            tracer.owner, tracer.value, tracer.slot = self, leaf, slot
            tracers.append(tracer)
            if type(leaf) is ndarray:
                if leaf.nbytes > SMALL:
                    large.append(slot)
            elif is_cupy(leaf):  # nothing makes it read-only, so the tape has one of its own
                tracer.value = leaf.copy()
        self.inputs = len(tracers)
        self.nodes.extend([None] * self.inputs)
        if large and owners is not None:
            del leaf
            for slot in large:
                if references(leaves, slot) <= ALONE + 1 + owners and leaves[slot].base is None:
                    self.held[id(leaves[slot])] = (leaves[slot], None)
                    lock(leaves[slot], self.holds)
        return tracers

    def unary(self, p: Primitive, x: Tracer, params: Params | None) -> Any:
        if not p.pull:
            return self.process(p, (x,), params or {})
        a = x.value
        pull: Any = p.pull[0]
        keep = p.keep[0]
        if type(a) is ndarray or issubclass(type(a), np.generic):
            ans = p.impl(a, **params) if params else p.impl(a)
            if a.dtype is not ans.dtype:
                pull = partial(fitted, pull, a.shape, a.dtype)
        else:
            if isinstance(a, ArrayTracer):
                ans = a.owner.unary(p, a, params)
                fits = a.dtype is ans.dtype
            else:
                ans = evaluate(p, (a,), params or {})
                a, fits = strong(a), a.dtype is ans.dtype if is_cupy(a) else False
            if not fits:
                pull = partial(fitted, pull, *shape_dtype(a))
        if keep[1]:
            if type(a) is not ndarray or x.slot < self.inputs or a.base is not None:
                a = self.keep(a, None, x.slot >= self.inputs or is_cupy(a))
        else:
            a = aval(a) if p.shaped else None
        nodes = self.nodes
        out = TapeTracer()
        out.owner, out.value, out.slot = self, ans, len(nodes)
        form = UNARY if params is None else LINEAR
        nodes.append((x.slot, form, pull, None, ans if keep[0] else None, a, params))
        return out

    def binary(self, p: Primitive, x: Any, y: Any) -> Any:
        # Written out for speed: this runs for each `+`, and every 50 ns count.
        if type(x) is TapeTracer and x.owner is self:
            a, i = x.value, x.slot
            if type(y) is TapeTracer and y.owner is self:
                b, j, keep = y.value, y.slot, p.keep[2]
            else:
                if type(y) is not float and self._newer(p, y):
                    return y.owner.binary(p, x, y)
                b, j, keep = y, -1, p.keep[0]
        else:
            if type(x) is not float and self._newer(p, x):
                return x.owner.binary(p, x, y)
            a, i, b, j, keep = x, -1, y.value, y.slot, p.keep[1]
        arrays = type(b) is ndarray
        if isinstance(a, Tracer):
            ans = a.owner.binary(p, a, b)
            arrays = arrays or isinstance(b, Tracer)
        elif isinstance(b, Tracer):
            ans = b.owner.binary(p, a, b)
            arrays = type(a) is ndarray
        else:
            arrays = arrays and type(a) is ndarray
            ans = p.impl(a, b) if arrays else evaluate(p, (a, b), {})
        pull_x: Any
        pull_y: Any
        pull_x, pull_y = p.pull
        dtype = None
        if arrays and a.dtype is b.dtype and (p.shaped or a.shape == b.shape):
            pass  # by far the commonest: nothing was broadcast or promoted
        else:
            s, dtype = shape_dtype(ans)
            if dtype.kind not in "fcbiu":
                check_operand(a, p.name)
                check_operand(b, p.name)
            s_x, d_x = shape_dtype(a)
            s_y, d_y = shape_dtype(b)
            if d_x is not dtype or (s_x != s and not p.shaped) or type(a) in PYTHON_SCALARS:
                pull_x = partial(fitted, pull_x, s_x, d_x)
            if d_y is not dtype or (s_y != s and not p.shaped) or type(b) in PYTHON_SCALARS:
                pull_y = partial(fitted, pull_y, s_y, d_y)
            if type(a) in PYTHON_SCALARS and type(b) in PYTHON_SCALARS:
                a, b = strong(a), strong(b)
        if p.pull[0] is None:
            i = -1
            if j < 0:
                return ans
        elif p.pull[1] is None:
            j = -1
            if i < 0:
                return ans
        keep_ans, keep_x, keep_y = keep
        if keep_x:
            if type(a) is not ndarray or i < self.inputs or a.base is not None:
                a = self.keep(a, dtype, i >= self.inputs or (i >= 0 and is_cupy(a)))
        else:
            a = aval(a) if p.shaped else None
        if keep_y:
            if type(b) is not ndarray or j < self.inputs or b.base is not None:
                b = self.keep(b, dtype, j >= self.inputs or (j >= 0 and is_cupy(b)))
        else:
            b = aval(b) if p.shaped else None
        nodes = self.nodes
        out = TapeTracer()
        out.owner, out.value, out.slot = self, ans, len(nodes)
        nodes.append((i, j, pull_x, pull_y, ans if keep_ans else None, a, b))
        return out

    def _newer(self, p: Primitive, x: Any) -> bool:
        """Whether an operand that isn't ours belongs to a newer trace; refuse what is no array."""
        if isinstance(x, Tracer):
            return bool(x.owner.level > self.level)
        check_operand(x, p.name)
        return False

    def process(self, p: Primitive, operands: Sequence[Any], params: Params) -> Any:
        below, active, parents = [], [], []
        for i, x in enumerate(operands):
            if type(x) is TapeTracer and x.owner is self:
                active.append(i)
                parents.append(x.slot)
                below.append(x.value)
            else:
                if not isinstance(x, Tracer):
                    check_operand(x, p.name)
                below.append(x)
        if p.record is not None:
            return self._recorded(p, p.record(below, params), (active, parents), below, params)
        ans = bind(p, below, params)
        if p.vjp is None:
            return shield(ans, below)
        if ans is below[0] and (type(ans) is ndarray or is_cupy(ans)):  # np.real of real values
            ans = ans.copy()
        if all(type(x) in PYTHON_SCALARS for x in below):
            below = [strong(x) for x in below]
        keep_ans = any(p.needs(i, -1) for i in active)
        # A linear function needs the same for each operand: to ask for each of the n operands of
        # np.stack what the other n need takes n * n questions.
        asking = active[:1] if p.shaped and len(p.pull) == 1 else active
        kept = [
            (x if type(x) is not ndarray and k in active and is_cupy(x) else self.keep(x))
            if any(p.needs(i, k) for i in asking)
            else aval(x)
            for k, x in enumerate(below)
        ]
        slot = len(self.nodes)
        record = (-1, GENERAL, p, (active, parents), ans if keep_ans else None, kept, params)
        self.nodes.append(record)
        return self._parts(ans, slot) if p.several else self._tracer(ans, slot)

    def _recorded(self, p: Primitive, both: Any, sources: Any, below: Any, params: Params) -> Any:
        """Note an operation that says itself what its way back needs, besides the cotangents."""
        ans, residuals = both
        refuse_captured(p, ans, self)
        slot = len(self.nodes)
        self.nodes.append(
            (-1, GENERAL, p, sources, self.keep_all(residuals), list(map(aval, below)), params)
        )
        return (self._tracer(ans[0], slot),) if len(ans) == 1 else self._parts(ans, slot)

    def _parts(self, ans: Any, slot: int) -> tuple[Any, ...]:
        """Tracers for the answers of an operation that has several."""
        outs = []
        for k, y in enumerate(ans):
            outs.append(self._tracer(y, len(self.nodes)))
            self.nodes.append((slot, PART, None, None, None, None, k))
        return tuple(outs)

    def _tracer(self, value: Any, slot: int) -> TapeTracer:
        out = TapeTracer()
        out.owner, out.value, out.slot = self, value, slot
        return out

    # ------------------------------------------------------------------ memory
    def keep(self, x: Any, dtype: Any = None, answer: bool = False) -> Any:
        """An operand to be read on the way back, protected from being changed until then.

        The smallest program that fails without: ``c = np.ones(3)``, and in the differentiated
        function ``y = x * c; c[:] = 7; return y.sum()``.
        Small arrays are copied, which costs no more than locking; larger ones become read-only
        as long as the tape lives. An integer operand of a formula is kept in the answer's dtype,
        in which the formula doesn't overflow. The answer of an operation on this tape belongs to
        nobody else, unless it is a view.
        """
        if type(x) is ndarray:
            if dtype is not None and x.dtype is not dtype and x.dtype.kind in "biu":
                return x.astype(dtype)
            if x.nbytes <= SMALL or not lockable(x):
                return x.copy("K")
            if id(x) not in self.held:
                if x.nbytes <= self.spare:
                    self.spare -= x.nbytes
                    return x.copy("K")
                self.held[id(x)] = (x, digest(x))
                lock(x, self.holds)
            return x
        if x is None or issubclass(type(x), PYTHON_SCALARS):
            return x
        if is_cupy(x):  # an answer, as a leaf's own copy, is nobody else's
            return x if answer else x.copy()
        if dtype is not None and x.dtype.kind in "biu":
            return x.astype(dtype)
        if isinstance(x, Tracer):
            y = x.value
            mine = answer and not is_traceable(x.slot) and (type(y) is ndarray or is_cupy(y))
            if mine and y.base is None:
                return x
            y = type(x)()
            y.owner, y.slot, y.value = x.owner, self.keep(x.slot), self.keep(x.value)
            return y
        return self.keep(x.view(ndarray)) if issubclass(type(x), ndarray) else x

    def keep_all(self, residuals: Any) -> Any:
        """`keep` for each array of a list, and anything else as it is."""
        return [self.keep(x) if type(x) is ndarray or is_traceable(x) else x for x in residuals]

    def check_held(self) -> None:
        """Refuse to go back over arrays that were changed all the same, through an older view."""
        for x, before in self.held.values():
            if before is not None and digest(x) != before:
                raise FgradError(
                    f"{self.name} wants the arrays that it has saved to be as they were.",
                    f"{describe(x)} that was changed in place, through another view of its memory",
                    "change it after the gradient has been computed, or change a copy of it",
                )

    def release(self) -> None:
        """Let go of all arrays that the tape has made read-only."""
        release(self.holds)
        self.held.clear()

    # ------------------------------------------------------------------ walking back
    def backward(self, outs: Sequence[tuple[int, Any]], free: bool) -> list[Any]:
        """Cotangents of the inputs (None for zero), given pairs of slot and cotangent.

        With ``free`` the tape is consumed: each record is dropped when it has been used, so the
        memory of the backward pass never adds to that of the forward pass.
        """
        nodes = self.record if free else self.record.copy()
        cts: list[Any] = [None] * len(nodes)
        for slot, g in outs:
            cts[slot] = g if cts[slot] is None else cts[slot] + g
        for _ in range(len(nodes) - self.inputs):
            g = cts.pop()
            if g is None:
                nodes.pop()
                continue
            i, j, pull_x, pull_y, ans, x, y = nodes.pop()
            if type(g) is Deferred:
                g = g.total()
            if j >= 0:
                c = pull_y(g, ans, x, y)
                old = cts[j]
                cts[j] = c if old is None else old + c
                if i < 0:
                    continue
                c = pull_x(g, ans, x, y)
            elif j == UNARY:
                c = pull_x(g, ans, x)
            elif j == NONE:
                c = pull_x(g, ans, x, y)
            elif j == LINEAR:
                c = pull_x(g, x, **y)
            elif j == PART:
                c = Parts([(y, g)])
            else:
                active, parents = pull_y
                pull_general(cts, g, pull_x, active, parents, ans, x, y)
                continue
            old = cts[i]
            cts[i] = c if old is None else old + c if type(c) is not Deferred else join(old, c)
        return [c.total() if type(c) is Deferred else c for c in cts]


class FinishedTape(Refusing, Tape):
    """A tape that is complete: it refuses further operations and can be walked back."""
