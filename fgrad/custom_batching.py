"""Functions with a batch rule of the user's own: `custom_vmap` and `sequential_vmap`.

Each call of such a function makes a primitive, as for `custom_jvp`; its batch rule is the user's.
Its derivatives are primitives of the same kind: forward mode takes the `jvp` of the function and,
for a batch, that of the rule; reverse mode takes their `vjp`. So they have derivatives in turn.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from . import tree
from .arrays import aval, is_a, shape_of
from .checks import say
from .control import map as map_
from .core import Params, Primitive, Tracer, bind, home, is_traceable, rerun
from .custom_rules import Leaves, moving_leaves
from .customized import Call, Custom
from .derivatives import jvp, vjp
from .errors import ArgumentError, DtypeError, NoRuleError, ShapeError, describe
from .tracebacks import boundary

#: ``run(*leaves)`` gives the leaves of the answer.
Run = Callable[..., Leaves]
#: ``mapped(size, batched, leaves)`` gives them with the batch axis in front, of leaves that have
#: it where ``batched`` says so.
Mapped = Callable[[int, Sequence[bool], Leaves], Leaves]


# ------------------------------------------------------------------ derivatives of leaves
def _some(run: Run, xs: Leaves, moving: Sequence[int], few: Leaves) -> list[Any]:
    """The answer with a few new leaves in the moving places."""
    new = list(xs)
    for i, x in zip(moving, few, strict=True):
        new[i] = x
    return list(run(*new))


def _push(run: Run, xs: Leaves, moving: Sequence[int], ts: Leaves) -> tuple[list[Any], list[Any]]:
    """The answers, and the tangents of those that have any."""
    ys, tangents = jvp(lambda *few: _some(run, xs, moving, few), [xs[i] for i in moving], list(ts))
    return ys, [tangents[k] for k in moving_leaves(ys)]


def _pullback(run: Run, xs: Leaves, moving: Sequence[int]) -> Any:
    """The pullback to the moving leaves from the answers that have cotangents; all answers."""

    def split(*few: Any) -> tuple[list[Any], list[Any]]:
        ys = _some(run, xs, moving, few)
        return [ys[k] for k in moving_leaves(ys)], ys

    _, pullback, ys = vjp(split, *(xs[i] for i in moving), has_aux=True)
    return pullback, ys


def _widened(size: int, xs: Leaves, batched: Sequence[bool], flags: Sequence[bool]) -> list[Any]:
    """The leaves with a batch axis where there is to be one."""
    return [
        np.broadcast_to(x, (size, *shape_of(x))) if f and not b else x
        for x, b, f in zip(xs, batched, flags, strict=True)
    ]


def vmap_primitive(name: str, run: Run, mapped: Mapped) -> Primitive:
    """The operation of ``run``, whose batch rule is ``mapped``."""

    def pushed(xs: Leaves, ts: Leaves, params: Params) -> Any:
        n, moving = len(xs), moving_leaves(xs)
        count = 0

        def push(inner: Run, ys: Leaves) -> list[Any]:
            nonlocal count
            answers, tangents = _push(inner, ys[:n], moving, ys[n:])
            count = len(answers)
            return [*answers, *tangents]

        def for_all(size: int, batched: Sequence[bool], ys: Leaves) -> list[Any]:
            flags = list(batched)
            for k, i in enumerate(moving):
                flags[i] = flags[n + k] = batched[i] or batched[n + k]
            wide = _widened(size, ys, batched, flags)
            return push(lambda *zs: mapped(size, flags[:n], zs), wide)

        p = vmap_primitive(f"{name}_jvp", lambda *ys: push(run, ys), for_all)
        directions = [
            home(xs[i]).zeros(shape_of(xs[i]), aval(xs[i]).dtype) if ts[i] is None else ts[i]
            for i in moving
        ]
        outs = bind(p, [*xs, *directions], {})
        tangents: list[Any] = [None] * count
        for k, t in zip(moving_leaves(outs[:count]), outs[count:], strict=True):
            tangents[k] = t
        return outs[:count], tangents

    def record(xs: Leaves, params: Params) -> Any:
        if any(isinstance(x, Tracer) for x in xs):  # perhaps of a batch: the rule's derivative
            outs = list(bind(p, xs, {}))
            return outs, [None, [aval(y) for y in outs], *xs]
        pullback, outs = _pullback(run, xs, moving_leaves(xs))
        return outs, [pullback, [aval(y) for y in outs]]

    def backward(active: Any, g: Any, residuals: Any, operands: Leaves, params: Params) -> Any:
        pullback, answers, *xs = residuals
        n, moving = len(operands), moving_leaves(operands)
        host = home(*g.values())
        gs = [g.get(k, host.zeros(answers[k].shape, answers[k].dtype))
              for k in moving_leaves(answers)]  # fmt: skip

        def pull(*ys: Any) -> Leaves:
            return _pullback(run, ys[:n], moving)[0](list(ys[n:]))

        def for_all(size: int, batched: Sequence[bool], ys: Leaves) -> Leaves:
            # Each element has a cotangent of its own, also of what is the same for all of them.
            flags = [b or i in moving or i >= n for i, b in enumerate(batched)]
            wide = _widened(size, ys, batched, flags)
            inner = _pullback(lambda *zs: mapped(size, flags[:n], zs), wide[:n], moving)[0]
            return inner(wide[n:])

        if pullback is None:
            cts = rerun(bind, vmap_primitive(f"{name}_vjp", pull, for_all), [*xs, *gs], {})
        else:
            cts = pullback(gs)
        found = dict(zip(moving, cts, strict=True))
        return [found.get(i) for i in active]

    def batch(p: Primitive, size: int, xs: Leaves, batched: Any, params: Params) -> Any:
        return mapped(size, batched, xs)

    p = Primitive(
        name, lambda *xs: tuple(run(*xs)), lambda ans, xs, ts, params: pushed(xs, ts, params)[1],
        backward, batch, several=True, both=pushed, record=record,
    )  # fmt: skip
    return p


# ------------------------------------------------------------------ what users call
class custom_vmap(Custom):
    """A function with a batch rule of your own, which `vmap` takes in place of the function's.

    >>> import numpy as np
    >>> from fgrad import grad, vmap
    >>> @custom_vmap
    ... def solve(a, b):
    ...     return np.linalg.solve(a, b)
    >>> @solve.def_vmap
    ... def solve_vmap(axis_size, in_batched, a, b):
    ...     a_batched, b_batched = in_batched
    ...     if a_batched or not b_batched:
    ...         return vmap(np.linalg.solve, [0 if x else None for x in in_batched])(a, b), True
    ...     return np.linalg.solve(a, b.T).T, True  # one factorization for all
    >>> a, b = np.array([[2.0, 0.0], [0.0, 4.0]]), np.ones((3, 2))
    >>> vmap(solve, (None, 0))(a, b)
    array([[0.5 , 0.25],
           [0.5 , 0.25],
           [0.5 , 0.25]])
    >>> vmap(grad(lambda b: np.sum(solve(a, b))))(b)
    array([[0.5 , 0.25],
           [0.5 , 0.25],
           [0.5 , 0.25]])

    Derivatives are those of the function, and under `vmap` those of what the rule does: the
    derivative of a mapped function and the mapped derivative take both the rule. There, reverse
    mode calls the rule once for the values and once more on the way back, and arguments that are
    differentiated are batched to it. JAX has forward mode alone. The rule must do what the
    function does, element by element, and return a tree of the same structure. Only
    `fgrad.testing.check_vmap` sees to that: `vmap` itself never runs the function.

    Args:
        f: a function of arrays in pytrees that returns a pytree of arrays.
        nondiff_argnums, nondiff_argnames: arguments that may be anything, and that no
            transformation sees; JAX has no such arguments.

    Raises, when it is called:
        NoRuleError: no rule was given.
        ArgumentError, ShapeError, DtypeError: the rule doesn't return what `def_vmap` says.
        TracerConversionError: the function closes over a value that is being transformed.
    """

    _rule: Callable[..., Any] | None = None

    def def_vmap(self, rule: Callable[..., Any]) -> Callable[..., Any]:
        """Set the rule, ``rule(axis_size, in_batched, *args)``; for use as a decorator.

        ``in_batched`` is a tuple with an entry for each argument: its tree, with True in the
        place of each array that has a batch axis, which is its first. It returns a pair: the
        result of all elements, and its tree with booleans in the place of arrays that say which
        have a batch axis in front; a boolean may stand for a whole subtree.
        """
        self._rule = rule
        return rule

    @boundary
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The function's value."""
        rule = self._rule
        if rule is None:
            raise NoRuleError(
                f"The custom_vmap function {self.__name__} wants a rule.",
                "none",
                f"decorate the rule with @{self.__name__}.def_vmap",
            )
        call = Call(self, args, kwargs)

        def mapped(size: int, batched: Sequence[bool], xs: Leaves) -> Leaves:
            flags = call.trees([bool(b) for b in batched])
            in_batched = tuple(self.joined([False] * len(call.fixed), flags))
            out = rule(size, in_batched, *self.joined(call.fixed, call.trees(xs)))
            return _checked(call, out, size)

        p = vmap_primitive(self.__name__, call.run, mapped)
        return call.result(bind(p, call.leaves, {}))


def _checked(call: Call, out: Any, size: int) -> list[Any]:
    """The leaves of what a rule returned, all with the batch axis."""
    if not (isinstance(out, tuple) and len(out) == 2):
        raise ArgumentError(
            f"The batch rule of {call.name} wants to return a pair: the result, and which arrays "
            "of it have a batch axis.",
            say(out),
            "return result, True if all of them have it",
        )
    result, marks = out
    leaves = call.flat(result)
    try:
        flags = tree.broadcast_prefix(marks, result)
    except ValueError as error:
        raise ArgumentError(
            f"The batch rule of {call.name} wants booleans in the structure of its result.",
            f"{marks!r}: {error}",
            "return a boolean for each array, or True for all of them",
        ) from None
    ys = []
    for (path, y), mark in zip(tree.leaves_with_path(result), flags, strict=True):
        where = f" at {tree.path_str(path)}" if path else ""
        if not is_a(mark, (bool, np.bool_)):
            raise DtypeError(
                f"The batch rule of {call.name} wants True or False as its second result{where}.",
                describe(mark),
                "say whether the array has a batch axis in front",
            )
        if mark and (not is_traceable(y) or shape_of(y)[:1] != (size,)):
            raise ShapeError(
                f"The batch rule of {call.name} wants an array with a first axis of length "
                f"{size}{where}.",
                describe(y),
                "put the batch axis in front, or mark the array as False if it is the same for "
                "all elements",
            )
        ys.append(y)
    return _widened(size, ys, flags, [True] * len(leaves))


def sequential_vmap(f: Callable[..., Any]) -> custom_vmap:
    """Make a function that `vmap` calls once for each element.

    >>> import numpy as np
    >>> from fgrad import vmap
    >>> f = sequential_vmap(lambda x: x + 1 if x > 0 else -x)  # it may ask for values
    >>> vmap(f)(np.array([-3.0, 2.0]))
    array([3., 3.])

    For functions that don't take a batch, or that would take too much memory for all elements.
    Derivatives: see `custom_vmap`.

    Args:
        f: a function of arrays in pytrees that returns a pytree of arrays.
    """
    out = custom_vmap(f)

    @out.def_vmap
    def rule(axis_size: int, in_batched: Any, *args: Any) -> tuple[Any, bool]:
        leaves, structure = tree.flatten(args)
        flags = tree.leaves(in_batched)

        def one(rows: Sequence[Any]) -> Any:
            rest = iter(rows)
            new = [next(rest) if b else x for x, b in zip(leaves, flags, strict=True)]
            return out(*tree.unflatten(structure, new))

        return map_(one, [x for x, b in zip(leaves, flags, strict=True) if b]), True

    return out
