"""`scan`: a loop over the slices of arrays, and the ways in which such a loop runs."""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain
from typing import Any

import numpy as np

from .. import tree
from ..arrays import aval, is_a, shape_of
from ..closures import example
from ..core import bind, is_traceable, refuse_finished, rerun
from ..errors import (
    ArgumentError,
    DtypeError,
    ShapeError,
    TracerConversionError,
    describe,
    name_of,
)
from ..tracebacks import boundary
from .bodies import Code, Recorded, answers_of, captured_by, check_leaf, element, is_staged
from .carries import Carry
from .folds import SCAN, stacked
from .schedules import Schedule, schedule_of


@boundary
def scan(
    f: Callable[..., Any],
    init: Any,
    xs: Any = None,
    length: int | None = None,
    reverse: bool = False,
    unroll: int | bool = 1,
    *,
    checkpoint_every: int | str | None = None,
    checkpoint_memory: int | None = None,
) -> Any:
    """Carry a value through the slices of arrays: ``carry, y = f(carry, x)`` for each ``x``.

    >>> import numpy as np
    >>> scan(lambda total, x: (total + x, total * x), 0.0, np.array([1.0, 2.0, 3.0]))
    (np.float64(6.0), array([0., 2., 9.]))

    Outside of graphs ``f`` runs as Python code, once for each step, and may ask for values. In
    one, and with checkpoints, it is recorded once, for any values; the graph has one operation.

    Args:
        f: a function of a carry and of a slice; returns the next carry, which has the same
            structure, shapes and dtypes, and a pytree of arrays (None for no results).
        init: the first carry. A Python number takes the dtype that the first step gives it; if
            that is another than its own, the first step runs again with it, for its results.
        xs: a pytree of arrays, to be sliced along their first axis; None for none, with `length`.
        length: the number of steps; needed only without ``xs``.
        reverse: start with the last slice. Results are in the order of the slices all the same.
        unroll: accepted for JAX's sake, and without effect: there is nothing to unroll.
        checkpoint_every: for reverse mode keep the carry only before each so many steps, and run
            the steps between again on the way back; "auto" for the root of the length. JAX has
            no such argument: there one nests scans of `jax.checkpoint`.
        checkpoint_memory: the same with a number of bytes for carries and recorded steps
            together. Where it takes, checkpoints move along by the binomial schedule of
            Griewank and Walther (Algorithm 799: revolve, ACM TOMS 26, 2000). In a graph that is
            being made, it is taken for "auto".

    Returns:
        The last carry, and the results of all steps, stacked along a first axis.

    Raises:
        ShapeError, DtypeError, TreeError: the carry changes; lengths differ.
        ArgumentError: there is no length, or a negative one; ``f`` doesn't return a pair.
    """
    check_step("scan", f)
    if not is_a(unroll, int) or (unroll < 1 and unroll is not False):
        raise ArgumentError(
            "scan wants unroll as a positive integer or a bool.", describe(unroll), "leave it away"
        )
    columns, slices = tree.flatten(xs)
    n = length_of(columns, xs, length)
    carry = Carry("scan", f, init)

    def step(c: Any, x: Any) -> tuple[Any, Any]:
        return _pair(f(c, x), f)

    if checkpoint_every is None and checkpoint_memory is None:
        if stages(f, carry.leaves, columns):
            try:
                return fold(carry, step, columns, slices, n, reverse)
            except TracerConversionError:
                pass  # it asks for values, and may do so if these are known
        return _loop(carry, step, columns, slices, n, reverse)
    return fold(
        carry, step, columns, slices, n, reverse, every=checkpoint_every, memory=checkpoint_memory
    )


# ------------------------------------------------------------------ what goes in
def check_step(name: str, f: Any) -> None:
    """Refuse what is no function."""
    if not callable(f):
        raise ArgumentError(
            f"{name} wants a function of one step.",
            describe(f),
            f"pass the function itself: {name}(f, ...)",
        )


def _pair(out: Any, f: Any) -> tuple[Any, Any]:
    if not (isinstance(out, tuple) and len(out) == 2):
        raise ArgumentError(
            f"scan wants a function that returns a pair (carry, y); {name_of(f)} does not.",
            f"a tuple of {len(out)}" if isinstance(out, tuple) else describe(out),
            "return carry, None where a step has no result of its own",
        )
    return out


def length_of(columns: list[Any], xs: Any, length: Any, name: str = "scan") -> int:
    """The number of steps."""
    if length is not None and (
        is_a(length, bool) or not is_a(length, (int, np.integer)) or length < 0
    ):
        raise ArgumentError(
            f"{name} wants length as a number of steps, not negative.",
            describe(length),
            "give an integer from 0, or leave it away where there are arrays to slice",
        )
    n, first = length, "length"
    for path, x in tree.leaves_with_path(xs):
        refuse_finished(x, name)
        where = f"xs{tree.path_str(path)}"
        if not is_traceable(x) or not shape_of(x):
            raise (ShapeError if is_traceable(x) else DtypeError)(
                f"{name} wants arrays with an axis to slice along as {where}.",
                describe(x),
                "let the function close over what is the same for all steps",
            )
        if n is None:
            n, first = shape_of(x)[0], where
        elif shape_of(x)[0] != n:
            raise ShapeError(
                f"{name} wants all arrays of one length: {n}, as {first} has it.",
                f"length {shape_of(x)[0]} of {where} ({describe(x)})",
                "pass arrays of equal length along their first axes",
            )
    if n is None:
        raise ArgumentError(
            f"{name} wants to know the number of steps.",
            "neither arrays to slice nor length=",
            "give length=, or arrays as xs",
        )
    return int(n)


def stages(f: Any, *groups: Any) -> bool:
    """Whether a loop is recorded as one operation of a graph."""
    return any(map(is_staged, chain(*groups, captured_by(f))))


# ------------------------------------------------------------------ the two ways
def _loop(carry: Carry, step: Any, columns: Any, slices: Any, n: int, reverse: bool) -> Any:
    """The loop as Python runs it."""
    if n == 0:
        return fold(carry, step, columns, slices, n, reverse)
    leaves, structure, results, first = carry.leaves, None, [], None
    single, nothing = slices == tree.structure(0), tree.structure(None)
    for k in range(n):
        i = n - 1 - k if reverse else k
        x = columns[0][i] if single else tree.unflatten(slices, [x[i] for x in columns])
        out, y = step(carry.tree(leaves), x)
        leaves = carry.next(out)
        if k == 0 and y is not None and (settled := carry.settled()) is not None:
            # As in graphs, results have the dtypes that they have of the carry that goes on.
            out, y = rerun(step, carry.tree(settled), x)
            leaves = carry.next(out)
        if y is None and structure == nothing:
            continue
        ys, shape = tree.flatten(y)
        if structure is None:
            structure = shape
            for path, leaf in tree.leaves_with_path(y):
                check_leaf(leaf, path, "scan", carry.body)
        elif shape != structure:
            tree.check_same_structure(
                first, y,
                what="The results of the function of scan, in all steps,",
                to_do="return the same containers in each step",
            )  # fmt: skip
        if k == 0:
            first = y
            results = [[leaf] for leaf in ys]
        else:
            for column, leaf in zip(results, ys, strict=True):
                column.append(leaf)
    assert structure is not None
    for column in results:
        if len(set(map(shape_of, column))) > 1:
            other = next(y for y in column if shape_of(y) != shape_of(column[0]))
            raise ShapeError(
                "scan wants a function whose results have one shape in all steps: "
                f"{describe(column[0])}.",
                f"{describe(other)}, from {name_of(carry.body)}",
                "return arrays of one shape; the carry holds what is different",
            )
    stack = [stacked(column, aval(column[0]), reverse) for column in results]
    return carry.tree(leaves), tree.unflatten(structure, stack)


def fold(
    carry: Carry, step: Any, columns: Any, slices: Any, n: int, reverse: bool,
    start: int | None = None, every: Any = None, memory: Any = None,
) -> Any:  # fmt: skip
    """The loop as one operation, of the body's graph."""
    front = [] if start is None else [start]
    c = len(carry.leaves)
    examples = [element(x) for x in columns]
    shape: Any = None

    def flat(*ins: Any) -> list[Any]:
        nonlocal shape
        xs = tree.unflatten(slices, ins[len(ins) - len(examples) :]) if start is None else ins[0]
        first = carry.tree(ins[len(front) : len(front) + c])
        out, y = step(first, xs)
        ys, shape = tree.flatten(y)
        return [*carry.flat(out), *ys]

    flat.__wrapped__ = carry.body  # type: ignore[attr-defined]
    flat.__name__ = getattr(carry.body, "__name__", type(carry.body).__name__)
    recorded = carry.settle(
        lambda leaves: Recorded(carry.name, [flat], [[*front, *leaves, *examples]]), 0
    )
    graph = recorded.graphs[0]
    octets = sum(aval(x).nbytes for x in carry.leaves)
    schedule = schedule_of(every, memory, n, octets, graph)
    operands = [*carry.leaves, *columns, *recorded.captured]
    if not graph.outputs:
        return carry.tree([]), tree.unflatten(shape, [])
    params = {"body": graph, "carries": c, "slices": len(columns), "start": start, "every": None,
              "length": None if columns else n, "reverse": reverse}  # fmt: skip
    if schedule is not None and any(map(is_staged, operands)):
        outs = _nested(params, operands, n, schedule)
    else:
        outs = bind(SCAN, operands, {**params, "every": schedule})
    return carry.tree(outs[:c]), tree.unflatten(shape, outs[c:])


def _nested(params: Any, operands: Any, n: int, schedule: Schedule) -> list[Any]:
    """A loop over blocks of steps, whose carries alone are kept in graphs, and what is left."""
    c, m = params["carries"], params["slices"]
    carry, columns, consts = operands[:c], operands[c : c + m], operands[c + m :]
    block = schedule.block if schedule.snapshots is None else max(1, int(np.sqrt(n)))
    whole = n // block
    graph: Code = params["body"]
    like = answers_of(graph)
    wide = [np.reshape(x[: whole * block] if not params["reverse"] else x[n - whole * block :],
                       (whole, block, *shape_of(x)[1:])) for x in columns]  # fmt: skip

    def inner(*ins: Any) -> Any:
        length = None if m else block
        return bind(SCAN, ins, {**params, "length": length})

    inner.__name__ = graph.name
    examples = [*(example(x) for x in carry), *map(element, wide), *map(example, consts)]
    outer = Recorded("scan", [inner], [examples]).graphs[0]
    outs = bind(
        SCAN,
        [*carry, *wide, *consts],
        {**params, "body": outer, "length": None if m else whole, "every": Schedule(1)},
    )
    ys = [np.reshape(y, (whole * block, *a.shape)) for y, a in zip(outs[c:], like[c:], strict=True)]
    if whole * block == n:
        return [*outs[:c], *ys]
    rest = [x[: n - whole * block] if params["reverse"] else x[whole * block :] for x in columns]
    length = None if m else n - whole * block
    more = bind(SCAN, [*outs[:c], *rest, *consts], {**params, "length": length})
    joined = [np.concatenate([b, a] if params["reverse"] else [a, b])
              for a, b in zip(ys, more[c:], strict=True)]  # fmt: skip
    return [*more[:c], *joined]
