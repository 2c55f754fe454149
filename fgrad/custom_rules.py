"""Functions with derivatives of the user's own: `custom_jvp` and `custom_vjp`.

Each call of such a function makes a primitive of its own, whose operands are the array leaves of
the arguments; so it is traced, mapped and recorded like any other operation, and its rules
differentiate again. A rule for one mode serves both: a jvp rule is linear in the tangents, a
backward function linear in the cotangents, and what is linear is transposed by pulling back
through it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from . import tree
from .arrays import INEXACT, aval, shape_of
from .batch import vmap
from .core import Params, Primitive, bind, home
from .customized import Call, Custom
from .derivatives import vjp
from .errors import ArgumentError, NoRuleError
from .tracebacks import boundary

Leaves = Sequence[Any]


def moving_leaves(leaves: Leaves) -> list[int]:
    """The numbers of the leaves that have tangents."""
    return [i for i, x in enumerate(leaves) if aval(x).dtype.kind in INEXACT]


def _zeros(leaves: Leaves, moving: Sequence[int]) -> list[Any]:
    return [home(leaves[i]).zeros(shape_of(leaves[i]), aval(leaves[i]).dtype) for i in moving]


def _filled(tangents: Leaves, leaves: Leaves, moving: Sequence[int]) -> list[Any]:
    """The tangents of the leaves that have any, zeros for those that are missing."""
    zeros = _zeros(leaves, moving)
    return [z if tangents[i] is None else tangents[i] for i, z in zip(moving, zeros, strict=True)]


def _cotangents(g: dict[int, Any], answers: Leaves) -> list[Any]:
    """The cotangents of all answers that have any, zeros for those that are missing."""
    moving = moving_leaves(answers)
    return [g.get(k, z) for k, z in zip(moving, _zeros(answers, moving), strict=True)]


def _spread(parts: Leaves, moving: Sequence[int], n: int) -> list[Any]:
    """The parts in their places among n, None elsewhere."""
    out = [None] * n
    for i, x in zip(moving, parts, strict=True):
        out[i] = x
    return out


# ------------------------------------------------------------------ custom_jvp
def jvp_primitive(name: str, run: Callable[..., Any], rule: Callable[..., Any]) -> Primitive:
    """The operation of ``run(*leaves)`` and ``rule(leaves, tangents)``, answers and tangents.

    The tangents are those of the leaves that have any.
    """

    def both(xs: Leaves, ts: Leaves, params: Params) -> Any:
        answers, tangents = rule(xs, _filled(ts, xs, moving_leaves(xs)))
        return answers, _spread(tangents, moving_leaves(answers), len(answers))

    def record(xs: Leaves, params: Params) -> Any:
        def push(*ts: Any) -> Any:
            answers, tangents = rule(xs, ts)
            return tangents, answers

        _, pullback, answers = vjp(push, *_zeros(xs, moving_leaves(xs)), has_aux=True)
        return answers, [pullback, [aval(y) for y in answers]]

    def backward(active: Any, g: Any, residuals: Any, xs: Leaves, params: Params) -> list[Any]:
        pullback, answers = residuals
        cts = _spread(pullback(_cotangents(g, answers)), moving_leaves(xs), len(xs))
        return [cts[i] for i in active]

    def batch(p: Primitive, size: int, xs: Leaves, batched: Any, params: Params) -> Any:
        axes = [0 if b else None for b in batched]
        moving = [axes[i] for i in moving_leaves(xs)]
        mapped = vmap(rule, (axes, moving), axis_size=size)
        new = jvp_primitive(
            name,
            vmap(run, axes, axis_size=size),
            lambda leaves, ts: mapped(list(leaves), list(ts)),
        )
        return bind(new, xs, params)

    return Primitive(
        name, run, lambda ans, xs, ts, params: both(xs, ts, params)[1], backward, batch,
        several=True, both=both, record=record,
    )  # fmt: skip


class custom_jvp(Custom):
    """A function with a derivative of your own, in forward mode; reverse mode transposes it.

    >>> import numpy as np
    >>> from fgrad import grad, jvp
    >>> @custom_jvp
    ... def log1pexp(x):
    ...     return np.logaddexp(0.0, x)
    >>> @log1pexp.defjvp
    ... def log1pexp_jvp(primals, tangents):
    ...     (x,), (t,) = primals, tangents
    ...     return log1pexp(x), t / (1 + np.exp(-x))
    >>> grad(log1pexp)(0.0)
    0.5

    Args:
        f: a function of arrays in pytrees that returns a pytree of arrays.
        nondiff_argnums, nondiff_argnames: arguments that are not differentiated and may be
            anything (functions, strings, numbers that count); traced values they can't be.

    Raises, when it is called:
        NoRuleError: no rule was given.
        DtypeError: an argument has a leaf that is no array and isn't named as nondiff.
        TracerConversionError: the function closes over a value of the transformation that is
            differentiating it, or a nondiff argument is traced.
    """

    _rule: Callable[..., Any] | None = None

    def defjvp(self, rule: Callable[..., Any]) -> Callable[..., Any]:
        """Set the rule, ``rule(primals, tangents)``; for use as a decorator.

        It returns the result and its tangent, and is linear in the tangents. Both arguments are
        tuples with an entry for each differentiable argument of the function, of its structure;
        in place of a tangent of integers is None. Nondiff arguments come first, each by itself:
        ``rule(n, primals, tangents)``. A tangent None in the result stands for zero.
        """
        self._rule = rule
        return rule

    def defjvps(self, *rules: Callable[..., Any] | None) -> None:
        """Set a rule for each argument, ``rule(t, ans, *primals)``; None where it has none.

        >>> import numpy as np
        >>> from fgrad import grad
        >>> times = custom_jvp(lambda x, y: x * y)
        >>> times.defjvps(lambda t, ans, x, y: t * y, lambda t, ans, x, y: x * t)
        >>> grad(times)(3.0, 4.0)
        4.0
        """

        def rule(*args: Any) -> Any:
            *fixed, primals, tangents = args
            if len(rules) != len(primals):
                raise ArgumentError(
                    f"{self.__name__}.defjvps wants a rule for each argument.",
                    f"{len(rules)} rules for {len(primals)} arguments",
                    "give None for an argument without a derivative",
                )
            ans = self(*self.joined(fixed, primals))
            out = None
            for r, t in zip(rules, tangents, strict=True):
                if r is not None and t is not None:
                    term = r(t, ans, *fixed, *primals)
                    out = term if out is None else tree.map(np.add, out, term)
            return ans, out

        self._rule = rule

    @boundary
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The function's value."""
        rule = self._rule
        if rule is None:
            raise NoRuleError(
                f"The custom_jvp function {self.__name__} wants a rule.",
                "none",
                f"decorate the rule with @{self.__name__}.defjvp",
            )
        call = Call(self, args, kwargs)

        def leafwise(xs: Leaves, ts: Leaves) -> Any:
            moving = moving_leaves(xs)
            primals, tangents = call.trees(xs), call.trees(_spread(ts, moving, len(xs)))
            answers, tangents_out = call.pair(rule(*call.fixed, primals, tangents), "rule")
            ys = call.flat(answers)
            return ys, call.tangents(tangents_out, ys)

        p = jvp_primitive(self.__name__, call.run, leafwise)
        return call.apply(p)


# ------------------------------------------------------------------ custom_vjp
def vjp_primitive(
    name: str, run: Callable[..., Any], fwd: Callable[..., Any], bwd: Callable[..., Any]
) -> Primitive:
    """The operation of ``run(*leaves)``, ``fwd(*leaves)`` and ``bwd(residuals, cotangents)``.

    ``fwd`` gives answers and residuals, ``bwd`` the cotangents of the leaves that have any.
    """

    def both(xs: Leaves, ts: Leaves, params: Params) -> Any:
        answers, residuals = fwd(*xs)
        moving = moving_leaves(answers)
        _, transpose = vjp(lambda *gs: bwd(residuals, gs), *_zeros(answers, moving))
        tangents = transpose(_filled(ts, xs, moving_leaves(xs)))
        return answers, _spread(tangents, moving, len(answers))

    def record(xs: Leaves, params: Params) -> Any:
        answers, residuals = fwd(*xs)
        return answers, [*residuals, [aval(y) for y in answers]]

    def backward(active: Any, g: Any, residuals: Any, xs: Leaves, params: Params) -> list[Any]:
        *kept, answers = residuals
        cts = _spread(bwd(kept, _cotangents(g, answers)), moving_leaves(xs), len(xs))
        return [cts[i] for i in active]

    def batch(p: Primitive, size: int, xs: Leaves, batched: Any, params: Params) -> Any:
        axes = [0 if b else None for b in batched]
        shared = [not batched[i] for i in moving_leaves(xs)]

        def summed(residuals: Leaves, gs: Leaves) -> Any:
            cts = vmap(bwd, axis_size=size)(list(residuals), list(gs))
            return [np.sum(c, axis=0) if s else c for c, s in zip(cts, shared, strict=True)]

        new = vjp_primitive(
            name, vmap(run, axes, axis_size=size), vmap(fwd, axes, axis_size=size), summed
        )
        return bind(new, xs, params)

    return Primitive(
        name, run, lambda ans, xs, ts, params: both(xs, ts, params)[1], backward, batch,
        several=True, both=both, record=record,
    )  # fmt: skip


class custom_vjp(Custom):
    """A function with a derivative of your own, in reverse mode; forward mode transposes it.

    JAX and HIPS autograd refuse forward mode, and second derivatives that need it.

    >>> import numpy as np
    >>> from fgrad import grad, jvp
    >>> @custom_vjp
    ... def norm(x):
    ...     return np.sqrt(np.sum(x * x))
    >>> def forward(x):
    ...     y = norm(x)
    ...     return y, (x, y)
    >>> def backward(residuals, g):
    ...     x, y = residuals
    ...     return (g * np.where(y == 0, 0.0, x / np.where(y == 0, 1.0, y)),)
    >>> norm.defvjp(forward, backward)
    >>> grad(norm)(np.zeros(2))
    array([0., 0.])
    >>> jvp(norm, (np.array([3.0, 4.0]),), (np.array([1.0, 0.0]),))[1]
    np.float64(0.6)

    Args, Raises: see `custom_jvp`. In forward mode the backward function is transposed where its
        cotangents are zero, so it must be linear in them; one that clips them is not.
    """

    _fwd: Callable[..., Any] | None = None
    _bwd: Callable[..., Any] | None = None

    def defvjp(self, fwd: Callable[..., Any], bwd: Callable[..., Any]) -> None:
        """Set the two rules.

        Args:
            fwd: ``fwd(*args)``, with the arguments of the function; returns its result and
                residuals, a pytree of arrays for ``bwd``.
            bwd: ``bwd(residuals, ct)``, with a cotangent like the result; returns a tuple of a
                cotangent for each differentiable argument, None for zero. Nondiff arguments come
                first, each by itself.
        """
        self._fwd, self._bwd = fwd, bwd

    @boundary
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The function's value."""
        fwd, bwd = self._fwd, self._bwd
        if fwd is None or bwd is None:
            raise NoRuleError(
                f"The custom_vjp function {self.__name__} wants rules.",
                "none",
                f"call {self.__name__}.defvjp(forward, backward)",
            )
        call = Call(self, args, kwargs)
        structure: Any = None

        def forward(*xs: Any) -> Any:
            nonlocal structure
            both = fwd(*self.joined(call.fixed, call.trees(xs)))
            answers, residuals = call.pair(both, "forward function")
            leaves, structure = tree.flatten(residuals)
            return call.flat(answers), leaves

        def backward(residuals: Leaves, gs: Leaves) -> Any:
            cts = bwd(*call.fixed, tree.unflatten(structure, residuals), call.cotangents(gs))
            return call.cotangents_of_arguments(cts)

        p = vjp_primitive(self.__name__, call.run, forward, backward)
        return call.apply(p)
