"""Iterative solvers of linear systems, as in `scipy.sparse.linalg`.

The solution of A x = b moves by A dx = db - dA x; a cotangent g of x goes back through the
transposed system, A^T c = g, to c for b and to -c x^T for A. Both systems are solved by the solver
of the first, so derivatives are as exact as its tolerances say, and to any order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse import linalg

from ...arrays import INEXACT, Aval, aval, ndim_of, shape_of
from ...closures import Reader, loop
from ...core import Params, Primitive, Tracer, bind
from ...derivatives import jvp, vjp
from ...errors import ArgumentError, ConvergenceError, ShapeError, describe
from ...fronts import declare_front
from ...packing import Packing, array_like
from ...solutions import plain
from ...tracer import register

Call = Callable[..., Any]


@dataclass(frozen=True, eq=False, slots=True)
class System:
    """A linear system, and SciPy's solver of it.

    Attributes:
        name: the solver.
        apply: ``apply(x, *values)``, A x; it is differentiated where a value is traced.
        turned: ``turned(x, *values)``, A^T x.
        solve: ``solve(operator, b, x0, turned)`` of plain arrays; whether the operator is A^T is
            for preconditioners.
        dtype: that of the constants in A.
        is_turned: whether this is the transposed system.
    """

    name: str
    apply: Call
    turned: Call
    solve: Call
    dtype: Any
    is_turned: bool = False

    def __repr__(self) -> str:
        return f"<{self.name}, transposed>" if self.is_turned else f"<{self.name}>"

    def transposed(self) -> System:
        """The system with A^T."""
        return System(
            self.name, self.turned, self.apply, self.solve, self.dtype, not self.is_turned
        )

    def __call__(self, b: Any, x0: Any, values: Sequence[Any]) -> Any:
        """The solution; differentiable in b and in the values, constant in the first guess."""
        return bind(_KRYLOV, (b, x0, *values), {"system": self})


def _impl(b: Any, x0: Any, *values: Any, system: System) -> Any:
    n = len(b)

    def product(x: Any) -> Any:
        return plain(system.apply(np.ravel(x), *values), system.name)

    dtype = _dtype(system, [b, *values])
    operator = linalg.LinearOperator((n, n), matvec=product, dtype=dtype)
    x, info = system.solve(operator, b, x0, system.is_turned)
    for _ in range(n):
        if info >= 0:
            break
        # A breakdown of bicgstab: its residual is orthogonal to the first one, from where it is
        # it can start again.
        x, info = system.solve(operator, b, x, system.is_turned)
    if info:
        raise ConvergenceError(
            f"{system.name} wants to converge, to differentiate the solution.",
            f"info={info}: " + (f"{info} iterations were too few" if info > 0 else "a breakdown"),
            "raise maxiter or rtol, pass a preconditioner M, or take another solver"
            + ("; cg wants A to be symmetric and positive definite" if system.name == "cg" else ""),
        )
    return x


def _dtype(system: System, xs: Sequence[Any]) -> Any:
    dtypes = [aval(x).dtype for x in xs]
    return np.result_type(np.float32, system.dtype, *(d for d in dtypes if d.kind in INEXACT))


# ------------------------------------------------------------------ the rules
def _of_values(system: System, x: Any, values: Sequence[Any], moving: Sequence[int]) -> Call:
    """A x, as a function of the values that move."""

    def product(*new: Any) -> Any:
        known = list(values)
        for i, v in zip(moving, new, strict=True):
            known[i] = v
        return system.apply(x, *known)

    return product


def _push(ans: Any, operands: Sequence[Any], tangents: Sequence[Any], params: Params) -> Any:
    system, (_b, x0, *values), (t_b, _, *rest) = params["system"], operands, tangents
    moving = [i for i, t in enumerate(rest) if t is not None]
    right = t_b
    if moving:
        product = _of_values(system, ans, values, moving)
        t = jvp(product, [values[i] for i in moving], [rest[i] for i in moving])[1]
        right = -t if right is None else right - t
    return None if right is None else system(right, np.zeros_like(x0), values)


def _pull(
    active: Sequence[int], g: Any, ans: Any, operands: Sequence[Any], params: Params
) -> list[Any]:
    system, (_b, x0, *values) = params["system"], operands
    moving = [i - 2 for i in active if i > 1 and aval(operands[i]).dtype.kind in INEXACT]
    c = system.transposed()(g, np.zeros_like(x0), values)
    cts: dict[int, Any] = {0: c}
    if moving:
        product = _of_values(system, ans, values, moving)
        y, pullback = vjp(product, *(values[i] for i in moving))
        found = pullback(-c if c.dtype == y.dtype else -c.astype(y.dtype))
        cts.update(zip((i + 2 for i in moving), found, strict=True))
    return [cts.get(i) for i in active]


def _each(
    p: Primitive, size: int, xs: Sequence[Any], batched: Sequence[bool], params: Params
) -> Any:
    """One solution for each element: each takes as many iterations as it needs."""
    b, _, *values = xs  # SciPy takes the first guess in the dtype of the others
    outs = [Aval(shape_of(b)[-1:], _dtype(params["system"], [b, *values]))]
    return loop(lambda *operands: (bind(p, operands, params),), size, xs, batched, outs)[0]


_KRYLOV = Primitive(
    name="sparse.linalg.cg", impl=_impl, jvp=_push, vjp=_pull, batch=_each,
    needs=lambda i, k: k != 0,
)  # fmt: skip


# ------------------------------------------------------------------ the solvers
def _solve(solver: Call, A: Any, b: Any, x0: Any, M: Any, callback: Any, options: Any) -> Any:
    name = solver.__name__
    for what, x in (("M", M), ("A", A)):
        if isinstance(x, Tracer) and (what == "M" or ndim_of(x) != 2):
            raise ArgumentError(
                f"{name} wants {'a plain M' if what == 'M' else 'A as a matrix'}.",
                describe(x),
                "leave M away, or compute it from plain arrays: it has no effect on the solution"
                if what == "M"
                else "give A two axes, or map over more of them with fgrad.vmap",
            )
    if callable(A) and not isinstance(A, linalg.LinearOperator):
        return _of_function(solver, A, b, x0, M, callback, options)
    b = array_like(b)
    if not any(isinstance(x, Tracer) for x in (A, b, x0)):
        return solver(A, b, x0, M=_operator(M), callback=callback, **options)
    b = b if hasattr(b, "dtype") else np.asarray(b)
    n = shape_of(b)[0] if shape_of(b) else 0
    if shape_of(b) not in ((n,), (n, 1)):
        raise ShapeError(
            f"{name} wants b as a vector.", describe(b), "map over many with fgrad.vmap"
        )
    reader = Reader(name)
    dtype: Any = np.float32
    if isinstance(A, Tracer):
        reader.value(A)
        apply: Call = lambda x, a: a @ x  # noqa: E731
        turned: Call = lambda x, a: np.transpose(a) @ x  # noqa: E731
    else:
        matrix = A if isinstance(A, linalg.LinearOperator) else linalg.aslinearoperator(A)
        apply, turned = (lambda x: matrix.matvec(x)), (lambda x: matrix.T.matvec(x))
        dtype = matrix.dtype

    def solve(operator: Any, b: Any, x0: Any, is_turned: bool) -> Any:
        m = _operator(M)
        told = None if is_turned else callback
        return solver(
            operator, b, x0, M=m.T if m is not None and is_turned else m, callback=told, **options
        )

    start = np.zeros(n) if x0 is None else np.reshape(x0, (-1,))
    b = np.reshape(b, (-1,))
    return System(name, apply, turned, solve, dtype)(b, start, reader.values), 0


def _operator(M: Any) -> Any:
    return None if M is None else linalg.aslinearoperator(M)


def _of_function(
    solver: Call, A: Call, b: Any, x0: Any, M: Any, callback: Any, options: Any
) -> Any:
    """A system whose matrix is a function of pytrees."""
    name = solver.__name__
    packing = Packing(array_like(b), name, "b")
    zero = np.zeros(packing.size)
    reader = Reader(name, None)

    def flat(f: Call, what: str) -> Call:
        def product(v: Any) -> Any:
            return packing.like(f(packing.unpack(v)), what)

        product.__wrapped__ = f  # type: ignore[attr-defined]
        return product

    apply = reader.function(flat(A, "A(x)"), (), np.ones_like(zero))

    def turned(v: Any, *values: Any) -> Any:
        return vjp(lambda x: apply(x, *values), zero)[1](v)[0]

    def solve(operator: Any, b: Any, x0: Any, is_turned: bool) -> Any:
        return solver(
            operator, b, x0, M=_preconditioner(M, flat, zero, is_turned),
            callback=None if is_turned else callback, **options,
        )  # fmt: skip

    start = zero if x0 is None else packing.like(x0, "x0")
    if not reader.values and not any(isinstance(x, Tracer) for x in (packing.vector, start)):

        def product(v: Any) -> Any:
            return plain(apply(np.ravel(v)), name)

        operator = linalg.LinearOperator((len(zero),) * 2, matvec=product, dtype=zero.dtype)
        x, info = solve(operator, packing.vector, start, False)
        return packing.finish(x), info
    system = System(name, apply, turned, solve, zero.dtype)
    return packing.finish(system(packing.vector, start, reader.values)), 0


def _preconditioner(M: Any, flat: Call, zero: Any, is_turned: bool) -> Any:
    """A preconditioner, a matrix or a function of pytrees, for A or for its transpose."""
    if M is None or not callable(M) or isinstance(M, linalg.LinearOperator):
        m = _operator(M)
        return m.T if m is not None and is_turned else m
    f = flat(M, "M(x)")
    product = (lambda v: vjp(f, zero)[1](np.ravel(v))[0]) if is_turned else f
    return linalg.LinearOperator((len(zero),) * 2, matvec=product, dtype=zero.dtype)


def cg(
    A: Any, b: Any, x0: Any = None, *, rtol: float = 1e-5, atol: float = 0.0,
    maxiter: int | None = None, M: Any = None, callback: Any = None,
) -> Any:  # fmt: skip
    """Solve A x = b by conjugate gradients, with `scipy.sparse.linalg.cg`.

    The solution can be differentiated in b and in A, in both modes and to any order, through the
    transposed system, which the same solver solves with the same tolerances: a derivative is as
    exact as these say. In `fgrad.vmap` the elements are solved one by one.

    >>> import numpy as np, fgrad
    >>> from fgrad.scipy.sparse import linalg
    >>> def energy(stiffness):
    ...     def A(x):
    ...         return {"u": stiffness * x["u"] + x["v"], "v": x["u"] + 3.0 * x["v"]}
    ...     return linalg.cg(A, {"u": 1.0, "v": 0.0}, rtol=1e-12)[0]["u"]
    >>> round(fgrad.grad(energy)(2.0), 9)
    -0.36

    Args:
        A: a symmetric (or Hermitian) positive definite matrix: an array of shape (n, n), which may
            be traced; one of scipy.sparse's, whose entries are constants; a `LinearOperator`; or,
            as in JAX, a linear function of pytrees like b, which may close over traced values.
        b: the right-hand side: a vector of shape (n,), or for a function a pytree of arrays, which
            are solved for in double precision.
        x0: a first guess, like b; the derivative in it is zero.
        rtol, atol, maxiter: as in SciPy. JAX calls rtol tol.
        M: a preconditioner, near to the inverse of A: a matrix, or for a function A a function.
        callback: as in SciPy, of vectors; it isn't called for transposed systems.

    Returns:
        The pair (x, info) of the solution, like b, and 0 if the solver has converged.

    Raises:
        ConvergenceError: something is traced, and the solver didn't converge. (Otherwise info
            isn't 0, as in SciPy.)
        ShapeError: something is traced, and b is no vector.
    """
    options = {"rtol": rtol, "atol": atol, "maxiter": maxiter}
    return _solve(linalg.cg, A, b, x0, M, callback, options)


def bicgstab(
    A: Any, b: Any, x0: Any = None, *, rtol: float = 1e-5, atol: float = 0.0,
    maxiter: int | None = None, M: Any = None, callback: Any = None,
) -> Any:  # fmt: skip
    """Solve A x = b by stabilised biconjugate gradients, with `scipy.sparse.linalg.bicgstab`.

    >>> import numpy as np, fgrad
    >>> from fgrad.scipy.sparse import linalg
    >>> A = np.array([[2.0, 1.0], [0.0, 4.0]])
    >>> fgrad.jacrev(lambda b: linalg.bicgstab(A, b, rtol=1e-12)[0])(np.ones(2)).round(9)
    array([[ 0.5  , -0.125],
           [ 0.   ,  0.25 ]])

    Args, Returns, Raises: see `cg`; A is any regular matrix, or such a function.
    """
    options = {"rtol": rtol, "atol": atol, "maxiter": maxiter}
    return _solve(linalg.bicgstab, A, b, x0, M, callback, options)


def gmres(
    A: Any, b: Any, x0: Any = None, *, rtol: float = 1e-5, atol: float = 0.0,
    restart: int | None = None, maxiter: int | None = None, M: Any = None, callback: Any = None,
    callback_type: str | None = None,
) -> Any:  # fmt: skip
    """Solve A x = b by generalised minimal residuals, with `scipy.sparse.linalg.gmres`.

    >>> import numpy as np, fgrad
    >>> from fgrad.scipy.sparse import linalg
    >>> A = np.array([[2.0, 1.0], [0.0, 4.0]])
    >>> fgrad.jacrev(lambda b: linalg.gmres(A, b, rtol=1e-12)[0])(np.ones(2)).round(9)
    array([[ 0.5  , -0.125],
           [ 0.   ,  0.25 ]])

    Args, Returns, Raises: see `cg`; A is any regular matrix, or such a function. `restart` and
        `callback_type` are as in SciPy.
    """
    options = {"rtol": rtol, "atol": atol, "maxiter": maxiter, "restart": restart,
               "callback_type": callback_type}  # fmt: skip
    return _solve(linalg.gmres, A, b, x0, M, callback, options)


declare_front(linalg.cg, _KRYLOV, cg)
register(linalg.bicgstab, bicgstab)
register(linalg.gmres, gmres)
