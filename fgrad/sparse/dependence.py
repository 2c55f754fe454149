"""Dependence: an interpreter in which each value travels with the inputs that its tangent reads.

It is forward mode with sets in the place of tangents. No primitive has a rule of its own here:
what it is declared as says what depends on what.

    ===========  ================================================================================
    elementwise  a result depends on the entries in its place
    linear       on what its function, called on numbered or random arguments, shows (`probes`)
    multilinear  the same for each operand; zeros of a known operand count, unknown ones don't
    constant     on nothing, but its values vary with the inputs
    others       on what the operations of its jvp rule depend on, values being unknown
    ===========  ================================================================================

Where none of this says enough, each result depends on all that any operand depends on.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import numpy as np
from scipy.sparse import csr_array

from ..arrays import INEXACT, Aval, aval, check_operand, shape_of, shield
from ..broadcasting import line_up
from ..core import Params, Primitive, Trace, Tracer, bind, home, refuse_captured
from ..errors import ArgumentError, FgradError, TracerConversionError
from ..moving import to_host
from ..tracer import ArrayTracer
from .contractions import contraction_pattern, labels_of
from .probes import is_linear, linear_pattern, selection

#: How many rules may run within each other: a function of the user's may have one without end.
DEPTH = 8

#: Places of one dependence at most, some octets each.
ENTRIES = 1 << 29


class DependenceTracer(ArrayTracer):
    """A value that varies with the inputs; `slot` is the boolean matrix of what it depends on.

    The matrix has a row for each number of the value and a column for each input. It is None
    where nothing has a derivative.
    """

    __slots__ = ()


class RuleTracer(DependenceTracer):
    """A value inside of a rule, which must hold for all values."""

    __slots__ = ()
    HIDES = True

    def __bool__(self) -> NoReturn:
        raise TracerConversionError(
            "A rule that asks for values depends on them.", repr(self), "choose with np.where"
        )


class Dependence(Trace):
    """The interpreter.

    Args:
        count: the number of inputs.
        strict: whether counts, places and comparisons vary; if not, they are as they are now.
    """

    def __init__(self, name: str, fn: Callable[..., Any], count: int, strict: bool) -> None:
        super().__init__(name, fn)
        self.count, self.strict = count, strict
        #: The primitives whose rules are running.
        self.inside: list[Primitive] = []

    def tracer(self, value: Any, needs: Any) -> Any:
        """A value and what it depends on."""
        x = RuleTracer() if self.inside else DependenceTracer()
        x.owner, x.value, x.slot = self, value, needs
        return x

    def mine(self, x: Any) -> bool:
        """Whether a value is one of this trace."""
        return isinstance(x, DependenceTracer) and x.owner is self

    def process(self, p: Primitive, operands: Sequence[Any], params: Params) -> Any:
        varies = [self.mine(x) for x in operands]
        below = []
        for x, mine in zip(operands, varies, strict=True):
            if not isinstance(x, Tracer):
                check_operand(x, p.name)
            below.append(x.value if mine else x)
        inside = opened(p, operands, params)
        if inside is not None:
            return inside
        needs = [x.slot if mine else None for x, mine in zip(operands, varies, strict=True)]
        ans = bind(p, below, params)
        if p.both is not None:
            refuse_captured(p, ans, self)
        answers = ans if p.several else (ans,)
        constant = p.jvp is None or all(need is None for need in needs)
        if constant and p.jvp is None and not self.strict and not self.inside:
            return shield(ans, below)
        found: Sequence[Any] = [None] * len(answers)
        if not constant:
            found = self.needs_of(p, below, varies, needs, params, answers)
        outs = tuple(
            self.tracer(y, need if aval(y).dtype.kind in INEXACT else None)
            for y, need in zip(answers, found, strict=True)
        )
        return outs if p.several else outs[0]

    # ------------------------------------------------------------------ by kind
    def needs_of(
        self, p: Primitive, xs: Any, varies: Any, needs: Any, params: Params, answers: Any
    ) -> Sequence[Any]:
        """What each answer depends on."""
        shapes = [shape_of(x) for x in xs]
        if is_elementwise(p, xs, params, answers):
            shape = shape_of(answers[0])
            parts = [
                stretched(need, s, shape)
                for need, s in zip(needs, shapes, strict=True)
                if need is not None
            ]
            return [union(parts)] * len(answers)
        if p.shaped and not p.several:
            need = self._linear(p, to_host(list(xs)), varies, needs, params, answers[0])
        elif p in self.inside:
            # The rule of p by means of p, which is often linear in its tangents: solve(a, t).
            moving = [k for k, need in enumerate(needs) if need is not None]
            need = None
            if not p.several and not any(v and needs[k] is None for k, v in enumerate(varies)):
                xs = to_host(list(xs))
                need = self._tried(p, xs, moving, needs, params, answers[0], certain=False)
        elif len(self.inside) == DEPTH:
            need = None
        else:
            return self._by_rule(p, xs, varies, needs, params, answers)
        if need is None:
            return self.everything(needs, answers)
        return [need]

    def everything(self, needs: Sequence[Any], answers: Sequence[Any]) -> list[Any]:
        """All that any operand depends on, for each number of each answer."""
        columns = np.unique(np.concatenate([n.indices for n in needs if n is not None]))
        row = csr_array(
            (np.ones(len(columns), bool), columns, np.array([0, len(columns)])),
            shape=(1, self.count),
        )
        sizes = [math.prod(shape_of(y)) for y in answers]
        return [spread(selection(np.zeros(size, np.intp), 1), row) for size in sizes]

    def _linear(
        self, p: Primitive, xs: Any, varies: Any, needs: Any, params: Params, ans: Any
    ) -> Any:
        """For functions that are linear in their operands together, or in each of them."""
        moving = [k for k, need in enumerate(needs) if need is not None]
        if len(p.pull) == 1:
            fixed = [k for k in range(len(xs)) if p.needs(0, k)]
            if any(varies[k] for k in fixed):
                return None
            moving = [k for k in moving if k not in fixed]
            return self._tried(p, xs, moving, needs, params, ans) if moving else None
        known = [
            None if varied or isinstance(x, Tracer) else x
            for x, varied in zip(xs, varies, strict=True)
        ]
        labels = labels_of(p, [len(shape_of(x)) for x in xs], params)
        if labels is not None:
            shapes = [*map(shape_of, xs), shape_of(ans)]
            patterns = [contraction_pattern(labels, shapes, known, k) for k in moving]
            if any(pattern is None for pattern in patterns):
                return None
            return union([spread(a, needs[k]) for a, k in zip(patterns, moving, strict=True)])
        rng = np.random.default_rng(2)
        generic = [
            rng.uniform(1, 2, shape_of(x)) if value is None else x
            for x, value in zip(xs, known, strict=True)
        ]
        return union([self._tried(p, generic, [k], needs, params, ans) for k in moving])

    def _tried(
        self, p: Primitive, xs: Any, moving: Sequence[int], needs: Any, params: Params, ans: Any,
        certain: bool = True,
    ) -> Any:  # fmt: skip
        """For a function that is linear in some operands together: what its calls show.

        If that isn't certain, it is tried too; None if it isn't so.
        """
        if any(isinstance(x, Tracer) for k, x in enumerate(xs) if k not in moving):
            return None
        shapes = [shape_of(xs[k]) for k in moving]
        sizes = [math.prod(s) for s in shapes]
        kinds = [np.dtype(complex if aval(x).dtype.kind == "c" else float) for x in xs]
        dtype = np.result_type(np.float64, *(kinds[k] for k in moving))
        zeros = [
            np.zeros(shape_of(x), kind) if need is not None or _inexact(x) else x
            for x, need, kind in zip(xs, needs, kinds, strict=True)
        ]
        single = len(p.pull) == 1
        fixed = [z if single and not p.needs(0, k) else x
                 for k, (z, x) in enumerate(zip(zeros, xs, strict=True))]  # fmt: skip

        def fn(v: Any) -> Any:
            operands = list(fixed)
            parts = np.split(v, np.cumsum(sizes)[:-1])
            for k, part, shape in zip(moving, parts, shapes, strict=True):
                part = part if kinds[k].kind == "c" else part.real
                operands[k] = part.reshape(shape)
            return np.ravel(np.asarray(p.impl(*operands, **params)))

        def pull(g: Any) -> Any:
            operands = [
                Aval(shape_of(x), np.dtype(float)) if k in moving else x
                for k, x in enumerate(fixed)
            ]
            assert p.vjp is not None
            cts = p.vjp(moving, g.reshape(shape_of(ans)), None, operands, params)
            return np.concatenate([_whole(c, size) for c, size in zip(cts, sizes, strict=True)])

        transpose = pull if p.shaped and single and dtype.kind == "f" else None
        n, m = sum(sizes), math.prod(shape_of(ans))
        if not certain and not is_linear(fn, n, dtype):
            return None
        pattern = linear_pattern(fn, transpose, n, m, dtype)
        return spread(pattern, stacked([needs[k] for k in moving]))

    def _by_rule(
        self, p: Primitive, xs: Any, varies: Any, needs: Any, params: Params, answers: Any
    ) -> Sequence[Any]:
        """For a function with a jvp rule: what the rule's operations depend on."""
        assert p.jvp is not None
        self.inside.append(p)
        try:
            with np.errstate(all="ignore"):
                operands = [
                    self.tracer(x, None) if varied else x
                    for x, varied in zip(xs, varies, strict=True)
                ]
                tangents = [
                    None
                    if need is None
                    else self.tracer(home(x).ones(shape_of(x), aval(x).dtype), need)
                    for x, need in zip(xs, needs, strict=True)
                ]
                outs = [self.tracer(y, None) for y in answers]
                ts = p.jvp(tuple(outs) if p.several else outs[0], operands, tangents, params)
        except FgradError:  # it asks for values, or there is none
            return self.everything(needs, answers)
        finally:
            self.inside.pop()
        if ts is None:
            return [None] * len(answers)
        found = []
        for t, y in zip(ts if p.several else (ts,), answers, strict=True):
            need = t.slot if self.mine(t) else None
            found.append(None if need is None else stretched(need, shape_of(t), shape_of(y)))
        return found


# ------------------------------------------------------------------ kinds
def opened(p: Primitive, operands: Sequence[Any], params: Params) -> tuple[Any, ...] | None:
    """The answers of an operation that stands for a function, by its parts; None for another."""
    if p.name == "checkpoint" and "body" in params:
        return tuple(params["body"].body(operands))
    if p.name == "jit" and "flat" in params:
        flat = params["flat"]
        leaves, flat.rest = flat.function()(*operands)
        return tuple(leaves)
    return None


def is_elementwise(p: Primitive, xs: Any, params: Params, answers: Any) -> bool:
    """Whether each result depends on the entries in its own place alone.

    So it is for ufuncs, and for all that takes numbers and is declared to be mapped by NumPy's
    broadcasting: an array is many numbers to be mapped over.
    """
    if p.shaped or params or p.batch is not line_up or p.both is not None:
        return False
    try:
        shape = np.broadcast_shapes(*map(shape_of, xs))
    except ValueError:
        return False
    if any(shape_of(y) != shape for y in answers):
        return False
    if isinstance(p.impl, np.ufunc):
        return p.impl.signature is None
    try:
        with np.errstate(all="ignore"):
            out = p.impl(*(np.ones((), aval(x).dtype)[()] for x in xs))
    except (TypeError, ValueError, IndexError):  # it wants more than a number
        return False
    return all(np.shape(y) == () for y in (out if p.several else (out,)))


def _inexact(x: Any) -> bool:
    return aval(x).dtype.kind in INEXACT


def _whole(c: Any, size: int) -> Any:
    """A cotangent as a vector; zeros for a missing one."""
    if c is None:
        return np.zeros(size)
    return np.ravel(c.total() if hasattr(c, "finish") else c)


# ------------------------------------------------------------------ sets
def spread(pattern: Any, need: Any) -> Any:
    """What results depend on, by where they depend on values and what these depend on.

    Raises:
        ArgumentError: that would be too much for the memory.
    """
    entries = int(np.sum(np.diff(need.indptr)[pattern.indices], dtype=np.int64))
    if entries > ENTRIES:
        raise ArgumentError(
            "fgrad.sparse wants functions whose values depend on few arguments each.",
            f"a value of {pattern.shape[0]} numbers which depends on {need.shape[1]} arguments in "
            f"{entries} places",
            "multiply with the matrix by fgrad.jvp, vjp or hvp; or pass the pattern as sparsity=, "
            "if only what is in between depends on so many",
        )
    return pattern @ need


def union(parts: Sequence[Any]) -> Any:
    """The union of several dependences of a value; None if one of them isn't known."""
    out = None
    for part in parts:
        if part is None:
            return None
        out = part if out is None or out is part else out + part
    return out


def stacked(parts: Sequence[Any]) -> Any:
    """The dependences of several values, one below the other."""
    if len(parts) == 1:
        return parts[0]
    starts = np.cumsum([0, *(p.nnz for p in parts)])
    return csr_array(
        (
            np.ones(starts[-1], bool),
            np.concatenate([p.indices for p in parts]),
            np.concatenate([[0], *(p.indptr[1:] + s for p, s in zip(parts, starts, strict=False))]),
        ),
        shape=(sum(p.shape[0] for p in parts), parts[0].shape[1]),
    )


def stretched(need: Any, shape: tuple[int, ...], new: tuple[int, ...]) -> Any:
    """The dependence of a value that is broadcast."""
    if shape == new:
        return need
    n = math.prod(shape)
    places = np.broadcast_to(np.arange(n).reshape(shape), new).ravel()
    return spread(selection(places, n), need)
