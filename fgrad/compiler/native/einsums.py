"""`numpy.einsum`: sums of products over named axes, as a matrix product or as one nest.

Of two operands whose labels make matrices of some size, a product by BLAS: the labels of both and
of the result number the matrices, those of one operand and the result its rows or columns, and the
others are summed over. All else is a nest of a loop for each label.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import prod

from ..program import Node
from . import places
from .bodies import Body, Rules
from .loops import Operand, Place, Set, Writer, const
from .nests import Loops, Nest
from .places import Memory, c_strides
from .products import INLINE, Product, multiply

#: An array by its labels: how far it is from one number of a label to the next.
Steps = dict[str, int]


def _steps(x: Memory, labels: str) -> Steps:
    """The strides of an array by label; equal labels go along a diagonal."""
    out: Steps = {}
    for label, n, stride in zip(labels, x.shape, x.strides, strict=True):
        out[label] = out.get(label, 0) + (stride if n != 1 else 0)
    return out


def _sizes(node: Node) -> dict[str, int]:
    sizes: dict[str, int] = {}
    for labels, x in zip(node.meta.params["inputs"], node.ins, strict=True):
        for label, n in zip(labels, x.shape, strict=True):
            sizes[label] = max(sizes.get(label, 1), n)
    return sizes


def _einsum(body: Body, node: Node) -> None:
    params, sizes = node.meta.params, _sizes(node)
    xs = [body.memory(x) for x in node.ins]
    out = body.place_for(node)
    if len(xs) == 2 and _by_matrices(body, xs, params["inputs"], out, params["output"], sizes):
        return
    nest = Nest()
    inner = [nest.inside(x) for x in xs]
    steps = [_steps(x, labels) for x, labels in zip(inner, params["inputs"], strict=True)]
    target = nest.inside(out, True)
    _looped(nest.w, inner, steps, target, _steps(target, params["output"]), sizes)
    body.call(nest)


# ------------------------------------------------------------------ as a product of matrices
def _by_matrices(
    body: Body, xs: Sequence[Memory], inputs: Sequence[str], c: Memory, output: str,
    sizes: dict[str, int],
) -> bool:  # fmt: skip
    """Multiply matrices, if there are such; whether there are."""
    a, b = (_steps(x, labels) for x, labels in zip(xs, inputs, strict=True))
    here, there = ({k for k, s in part.items() if s} for part in (a, b))
    stack = [k for k in output if k not in here ^ there]
    rows = [k for k in output if k in here - there]
    columns = [k for k in output if k in there - here]
    summed = [k for k in dict.fromkeys("".join(inputs)) if k not in output]
    m, n, k = (prod(sizes[x] for x in part) for part in (rows, columns, summed))
    if min(m, n, k) == 1 or m * n * k <= INLINE:
        return False
    left = _matrices(body, xs[0], a, (stack, rows, summed), sizes)
    right = _matrices(body, xs[1], b, (stack, summed, columns), sizes)
    shape = (*(sizes[x] for x in stack), m, n)
    if [*stack, *rows, *columns] == [*output]:
        multiply(body, Product(shape[:-2], m, n, k, left, right, _reshaped(c, shape)))
        return True
    made = body.take(shape, c.type)
    multiply(body, Product(shape[:-2], m, n, k, left, right, made))
    order = [*stack, *rows, *columns]
    apart = replace(made, shape=tuple(sizes[x] for x in order),
                    strides=c_strides(tuple(sizes[x] for x in order)))  # fmt: skip
    body.copy(places.transposed(apart, [order.index(x) for x in output]), c)
    return True


def _matrices(
    body: Body, x: Memory, steps: Steps, parts: tuple[list[str], ...], sizes: dict[str, int]
) -> Memory:
    """An array as matrices: its labels in three parts, the last two of which are one axis each."""
    stack, rows, columns = parts
    order = [*stack, *rows, *columns]
    shape = tuple(sizes[k] for k in order)
    view = replace(x, shape=shape, strides=tuple(steps.get(k, 0) for k in order))
    wanted = (*shape[: len(stack)], prod(sizes[k] for k in rows), prod(sizes[k] for k in columns))
    found = places.reshaped(view, wanted)
    if isinstance(found, Memory):
        return found
    packed = body.take(shape, x.type)
    body.copy(view, packed)
    return _reshaped(packed, wanted)


def _reshaped(x: Memory, shape: Sequence[int]) -> Memory:
    """Another shape of an array in C order."""
    return replace(x, shape=tuple(shape), strides=c_strides(tuple(shape)))


# ------------------------------------------------------------------ as loops
def _looped(
    w: Writer, xs: Sequence[Memory], steps: Sequence[Steps], c: Memory, out: Steps,
    sizes: dict[str, int],
) -> None:  # fmt: skip
    """A loop for each label; the innermost goes along neighbours in memory, if any does."""
    kept = [k for k in out if sizes[k] > 1]
    summed = [k for k in sizes if k not in out and sizes[k] > 1]

    def near(k: str) -> int:
        """How many arrays go along a label without a jump."""
        return sum(part.get(k, 0) in (0, 1) for part in (*steps, out))

    by_rows = bool(kept and summed) and max(map(near, kept)) > max(map(near, summed))
    if by_rows:  # a row of the result is a sum of rows
        inner = max(kept, key=near)
        kept.remove(inner)
        loops = Loops(w, [sizes[k] for k in kept])
        at = dict(zip(kept, loops.counters, strict=True))
        with w.loop(sizes[inner]) as i:
            w.store(_at(c, out, {**at, inner: i}), const(0, c.type))
        for k in summed:
            loops.enter(sizes[k])
        at = dict(zip([*kept, *summed], loops.counters, strict=True))
        with w.loop(sizes[inner]) as i:
            here = {**at, inner: i}
            place = _at(c, out, here)
            w.store(place, w.let("add", w.load(place), _product(w, xs, steps, here), loose=True))
        loops.end()
        return
    loops = Loops(w, [sizes[k] for k in kept])
    if not summed:
        at = dict(zip(kept, loops.counters, strict=True))
        w.store(_at(c, out, at), _product(w, xs, steps, at))
        loops.end()
        return
    total = w.variable(const(0, c.type))
    order = sorted(summed, key=near)
    for k in order:
        loops.enter(sizes[k])
    at = dict(zip([*kept, *order], loops.counters, strict=True))
    w.emit(Set(total, w.let("add", w.get(total), _product(w, xs, steps, at), loose=True)))
    for _ in order:
        loops.leave()
    w.store(_at(c, out, dict(zip(kept, loops.counters, strict=True))), w.get(total))
    loops.end()


def _product(
    w: Writer, xs: Sequence[Memory], steps: Sequence[Steps], at: dict[str, str]
) -> Operand:
    first, *rest = (w.load(_at(x, part, at)) for x, part in zip(xs, steps, strict=True))
    out: Operand = first
    for y in rest:
        out = w.let("mul", out, y, loose=True)
    return out


def _at(x: Memory, steps: Steps, at: dict[str, str]) -> Place:
    """An element of an array, by the counters of labels."""
    terms = [(at[k], s) for k, s in steps.items() if s and k in at]
    return Place(x.base, x.type, x.offset, (*x.terms, *terms))


RULES: Rules = {"einsum": _einsum}
