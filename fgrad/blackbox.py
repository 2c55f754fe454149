"""Black boxes: functions that fgrad can't look into, made citizens of all transformations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, NoReturn

import numpy as np

from . import tree
from .arrays import INEXACT, aval, is_a
from .core import Params, Primitive, Tracer, bind, full_lower, home
from .custom_rules import Leaves, jvp_primitive, moving_leaves, vjp_primitive
from .customized import Call, Custom
from .errors import DtypeError, NoRuleError, ShapeError, describe
from .moving import host_array
from .rules import total
from .series import TaylorTracer
from .tracebacks import boundary


class External(Custom):
    """A function that only plain arrays may reach; made by `external`."""

    def __init__(
        self,
        fn: Callable[..., Any],
        result_shape: Any,
        jvp: Callable[..., Any] | None,
        vjp: Callable[..., Any] | None,
        numeric: bool,
    ) -> None:
        super().__init__(fn)
        self._result, self._jvp, self._vjp, self._numeric = result_shape, jvp, vjp, numeric

    @boundary
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The function's value."""
        call = Call(self, args, kwargs)
        return call.apply(self._primitive(call))

    def _primitive(self, call: Call) -> Primitive:
        """The operation, with the rules that there are."""
        if self._result is not None:
            call.out = tree.structure(self._result)

        def run(*xs: Any) -> tuple[Any, ...]:
            ys = call.run(*map(_plain, xs))
            self._check(call.result(ys))
            return ys

        def answers(xs: Leaves) -> Any:
            return bind(p, xs, {})

        def push(xs: Leaves, ts: Leaves) -> Any:
            ys = answers(xs)
            if self._jvp is None:
                tangents = _differences(answers, xs, moving_leaves(xs), ts)
                return ys, [t for t, y in zip(tangents, ys, strict=True) if _moves(y)]
            given = dict(zip(moving_leaves(xs), ts, strict=True))
            spread = call.trees([given.get(i) for i in range(len(xs))])
            return ys, call.tangents(self._jvp(call.result(ys), call.trees(xs), spread), ys)

        def forward(*xs: Any) -> Any:
            ys = answers(xs)
            return ys, [*xs, *ys]

        def pull(residuals: Leaves, gs: Leaves) -> Any:
            n = call.count
            xs, ys = residuals[:n], residuals[n:]
            if self._vjp is None:
                return _rows(answers, xs, ys, gs)
            cts = self._vjp(call.result(ys), call.trees(xs), call.cotangents(gs))
            return call.cotangents_of_arguments(cts)

        name = self.__name__
        by_jvp, by_vjp = jvp_primitive(name, run, push), vjp_primitive(name, run, forward, pull)
        if self._jvp is None and self._vjp is None and not self._numeric:
            p = replace(by_jvp, both=self._refuse, record=self._refuse, batch=self._loop)
        elif self._vjp is None and not self._numeric:
            p = replace(by_jvp, batch=self._loop)
        elif self._jvp is None and not self._numeric:
            p = replace(by_vjp, batch=self._loop)
        else:
            p = replace(by_vjp, jvp=by_jvp.jvp, both=by_jvp.both, batch=self._loop)
        return p

    def _refuse(self, xs: Leaves, *rest: Any) -> NoReturn:
        raise NoRuleError(
            f"The external function {self.__name__} has no derivative.",
            ", ".join(describe(x) for x in xs) + " to differentiate in",
            "give external a rule, jvp= or vjp=, or numeric=True for differences; or call it on "
            "fgrad.stop_gradient(x)",
        )

    def _loop(
        self, p: Primitive, size: int, xs: Leaves, batched: Sequence[bool], params: Params
    ) -> Any:
        """Batch rule: one call for each element."""
        if size == 0:
            if self._result is None:
                raise ShapeError(
                    f"The external function {self.__name__} wants to be told its result's shape, "
                    "to be mapped over no elements.",
                    "result_shape=None",
                    "give external result_shape=, such as np.empty(3) or a pytree of such arrays",
                )
            like = [aval(y) for y in tree.leaves(self._result)]
            return [home(*xs).zeros((0, *a.shape), a.dtype) for a in like]
        rows = [
            bind(p, [x[i] if b else x for x, b in zip(xs, batched, strict=True)], params)
            for i in range(size)
        ]
        return [np.stack([_array(y) for y in column]) for column in zip(*rows, strict=True)]

    def _check(self, out: Any) -> None:
        """Whether the result is what ``result_shape`` says."""
        if self._result is None:
            return
        wanted = f"The external function {self.__name__} wants to return what result_shape says."
        leaves, structure = tree.flatten(self._result)
        got = tree.flatten_up_to(
            structure, out, what=wanted, to_do="correct result_shape, or leave it away"
        )
        for path, y, like in zip(structure.accessors(), got, leaves, strict=True):
            a, b = aval(y), aval(like)
            if (a.shape, a.dtype) != (b.shape, b.dtype):
                at = f" at {tree.path_str(path)}" if path else ""
                raise ShapeError(
                    f"{wanted[:-1]}: {b.dtype} of shape {b.shape}{at}.",
                    describe(y),
                    "correct result_shape, or leave it away",
                )


@boundary
def external(
    fn: Callable[..., Any],
    result_shape: Any = None,
    jvp: Callable[..., Any] | None = None,
    vjp: Callable[..., Any] | None = None,
    numeric: bool = False,
) -> Callable[..., Any]:
    """Make a function that fgrad can't look into work under every transformation.

    For a call of a C library, of SciPy, of another program. The function itself only ever gets
    plain arrays; under `vmap` it is called once for each element, in a graph it is one operation.

    >>> import math
    >>> import numpy as np
    >>> from fgrad import grad, vmap
    >>> gamma = external(lambda x: math.gamma(x), numeric=True)
    >>> round(grad(gamma)(2.0), 6)
    0.422784
    >>> vmap(gamma)(np.array([1.0, 2.0, 3.0]))
    array([1., 1., 2.])

    Args:
        fn: a function of pytrees of arrays that returns a pytree of arrays or numbers; it must
            not write into its arguments.
        result_shape: a pytree of arrays of the shapes and dtypes of its result, which is then
            checked; needed only to map over no elements.
        jvp: its derivative forward, ``jvp(ans, primals, tangents)``: the tangent of the result
            for tuples of arguments and of their tangents (None for integers).
        vjp: its derivative backward, ``vjp(ans, primals, ct)``: a tuple of cotangents.
            Of a single rule the other mode is made by transposing it, for which the rule must be
            made of functions that fgrad knows, as it must be for second derivatives.
        numeric: take central differences for a rule that is not given: two calls forward, two
            for each number of the arguments backward, with errors of about 1e-10 (relative; 1e-5
            in float32).

    Raises, when it is called:
        NoRuleError: it is differentiated and has no rule.
        DtypeError: an argument has a leaf that is no array; differences in complex arguments.
        ShapeError, TreeError: its result isn't what ``result_shape`` says.
    """
    return External(fn, result_shape, jvp, vjp, numeric)


def _plain(x: Any) -> Any:
    return np.asarray(x) if is_a(x, np.memmap) else x


def _array(y: Any) -> Any:
    return y if hasattr(y, "dtype") else np.asarray(y)


def _moves(y: Any) -> bool:
    return aval(y).dtype.kind in INEXACT


def _step(x: Any) -> float:
    """The step of a central difference that balances its error and rounding."""
    inner = x
    while isinstance(inner, Tracer):
        if isinstance(inner, TaylorTracer) and inner.owner.order > 2:
            raise NoRuleError(
                "numeric=True is for first and second derivatives: differences of differences "
                "lose all digits.",
                f"a derivative of order {inner.owner.order}",
                "give external a rule, jvp= or vjp=, of functions that fgrad knows",
            )
        inner = inner.value
    a = aval(x)
    if a.dtype.kind == "c":
        raise DtypeError(
            "numeric=True wants real arguments: a complex one moves in two directions.",
            describe(x),
            "give external a rule, jvp= or vjp=",
        )
    scale = float(np.max(np.abs(host_array(full_lower(x))), initial=1.0))
    return scale * float(np.cbrt(np.finfo(a.dtype).eps))


def _differences(
    f: Callable[[Leaves], Any], xs: Leaves, moving: Sequence[int], ts: Leaves
) -> list[Any]:
    """The derivative of f in a direction of some of its arguments, by a central difference."""
    h = max([_step(xs[i]) for i in moving], default=1.0)

    def moved(step: float) -> list[Any]:
        new = list(xs)
        for i, t in zip(moving, ts, strict=True):
            new[i] = xs[i] + step * t
        ys: list[Any] = f(new)
        return ys

    return [(up - down) / (2 * h) for up, down in zip(moved(h), moved(-h), strict=True)]


def _rows(f: Callable[[Leaves], Any], xs: Leaves, ys: Leaves, gs: Leaves) -> list[Any]:
    """The cotangents of the arguments, from a difference in each of their numbers."""
    answers = moving_leaves(ys)
    out = []
    for i in moving_leaves(xs):
        a = aval(xs[i])
        numbers = []
        for place in np.ndindex(a.shape):
            unit = np.zeros(a.shape, a.dtype)
            unit[place] = 1
            column = _differences(f, xs, [i], [home(xs[i]).asarray(unit)])
            terms = [np.sum(column[k] * g) for k, g in zip(answers, gs, strict=True)]
            numbers.append(total(terms))
        flat = np.stack(numbers) if numbers else home(xs[i]).zeros(0)
        out.append(np.reshape(flat, a.shape).astype(a.dtype))
    return out
