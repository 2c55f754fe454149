"""Products with the Gauss-Newton matrix: out along the tangents, back along the tape of one run."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from . import tree
from .arrays import strong
from .checks import check_tuples
from .core import Params, Primitive, Tracer, bind, evaluate
from .curvature import products
from .derivatives import pull_back, push_forward
from .forward import JvpTracer, Pushforward, fit
from .surface import lower
from .tracebacks import boundary


class Beside(Pushforward):
    """Forward mode of values that a tape records, which takes no notice of the tangents."""

    def __init__(self, tape: Any, name: str, fn: Callable[..., Any]) -> None:
        super().__init__(name, fn)
        self.tape = tape

    def tracer(self, primal: Any, tangent: Any) -> Any:
        """A traced value; what a rule of the user's own made of it on the tape leaves that."""
        return super().tracer(primal, lower(self.tape, tangent))

    def unary(self, p: Primitive, x: Tracer, params: Params | None) -> Any:
        if params is not None or not p.pull or p.pull[0] is None:
            return self.process(p, (x,), params or {})
        a = x.value
        ans = a.owner.unary(p, a, None) if isinstance(a, Tracer) else evaluate(p, (a,), {})
        below = lower(self.tape, ans)
        return self.tracer(ans, fit(p.pull[0](x.slot, below, strong(lower(self.tape, a))), below))

    def binary(self, p: Primitive, x: Any, y: Any) -> Any:
        below, ts = [], []
        for z in (x, y):
            own = type(z) is JvpTracer and z.owner is self
            below.append(z.value if own else z)
            ts.append(z.slot if own else None)
        # To the tape the short way, where no other trace has a say.
        tracers = [z for z in below if isinstance(z, Tracer)]
        if p.jvp is None or not tracers or any(z.owner is not self.tape for z in tracers):
            return bind(p, (x, y), {})
        ans = self.tape.binary(p, *below)
        return self.tracer(ans, fit(self.tangent(p, ans, below, ts, {}), lower(self.tape, ans)))

    def tangent(
        self,
        p: Primitive,
        ans: Any,
        primals: Sequence[Any],
        tangents: Sequence[Any],
        params: Params,
    ) -> Any:
        """The rule, of the values below the tape."""
        below = tuple(lower(self.tape, y) for y in ans) if p.several else lower(self.tape, ans)
        return super().tangent(p, below, [lower(self.tape, x) for x in primals], tangents, params)


@boundary
def gnvp(
    f: Callable[..., Any],
    primals: Sequence[Any],
    tangents: Sequence[Any],
    loss: Callable[[Any], Any] | None = None,
) -> Any:
    """The product of the Gauss-Newton matrix of ``loss(f(...))`` with a direction.

    With J the Jacobian of f and H the Hessian of the loss at the result, it is ``J.T @ H @ J``
    times the direction: the Hessian without the curvature of f, positive semidefinite if the loss
    is convex (N. Schraudolph, Fast curvature matrix-vector products, 2002).

    >>> import numpy as np
    >>> A = np.array([[1.0, 2.0], [0.0, 1.0], [1.0, 0.0]])
    >>> gnvp(lambda x: A @ x, (np.ones(2),), (np.array([1.0, 0.0]),))
    array([2., 2.])

    ``f`` runs once. For many directions at one point let `linearize` run it, and transpose what
    it has recorded:

    >>> from fgrad import linear_transpose, linearize
    >>> y, push = linearize(lambda x: A @ x, np.ones(2))
    >>> pull = linear_transpose(push, np.ones(2))
    >>> pull(push(np.array([1.0, 0.0])))[0]
    array([2., 2.])

    Args:
        f: a function of arrays in pytrees, such as the residuals of a fit.
        primals: a tuple with the arguments of ``f``.
        tangents: the direction, a tuple with a tangent for each of them.
        loss: a function of the result of ``f`` that returns a real scalar; half of the sum of
            squares by default, whose Hessian is the identity.

    Returns:
        A tree like the argument; a tuple of them if there are several arguments.

    Raises:
        ArgumentError, TreeError, ShapeError, DtypeError: the tangents are not like the primals, or
            ``loss`` doesn't return a real scalar.
    """
    check_tuples("gnvp", primals, tangents)

    @functools.wraps(f)
    def with_tangent(*xs: Any) -> Any:
        tape = next((x.owner for x in tree.leaves(xs)), None)
        return push_forward("gnvp", f, xs, tangents, trace=functools.partial(Beside, tape))

    y, pullback, t = pull_back("gnvp", with_tangent, primals, has_aux=True)
    ct = tree.map(np.conj, t) if loss is None else products("gnvp", loss, (y,), (t,), (), {})[2]
    cts: tuple[Any, ...] = pullback(ct)
    return cts if len(cts) > 1 else cts[0]
