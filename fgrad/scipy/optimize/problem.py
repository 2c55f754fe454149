"""What all solvers share: a function of a pytree as one of a vector, and its derivatives."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scipy.optimize import OptimizeResult

from ...arrays import aval, shape_of
from ...closures import Reader, example
from ...core import Tracer, is_traceable
from ...derivatives import grad, gradient, jvp
from ...errors import ArgumentError, DtypeError, ShapeError, describe, name_of
from ...packing import Packing, array_like
from ...solutions import jacobian, plain

#: Up to how many unknowns a solution is differentiated by a matrix of n^2 numbers. Beyond it only
#: products with it are computed, which badly conditioned equations take ill.
DENSE = 2000


class Problem:
    """Unknowns, and functions of them that may read traced values.

    Attributes:
        packing: how the unknowns lie in a vector.
        start: the vector of the first guess, perhaps traced.
        front: a plain vector like it.
        reader: what the functions read of outer transformations.
    """

    def __init__(self, name: str, x0: Any, args: Any) -> None:
        self.name = name
        self.args = args if isinstance(args, tuple) else (args,)
        self.packing = Packing(array_like(x0), name, "x0")
        self.start = self.packing.vector
        self.front = np.array(example(self.start))
        self.reader = Reader(name)

    @property
    def traced(self) -> bool:
        """Whether the solution depends on traced values, or the first guess does."""
        return bool(self.reader.values) or isinstance(self.start, Tracer)

    def explicit(self, fn: Callable[..., Any], args: Any = None) -> Callable[..., Any]:
        """``call(v, *values)`` of a function ``fn(v, *args)`` of the vector."""
        return self.reader.function(fn, self.args if args is None else args, self.front)

    def scalar(self, fun: Callable[..., Any]) -> Callable[..., Any]:
        """A user's objective of the tree, as one of the vector."""
        check_callable(fun, self.name)

        def objective(v: Any, *args: Any) -> Any:
            return scalar(fun(self.packing.unpack(v), *args), fun, self.name)

        objective.__wrapped__ = fun  # type: ignore[attr-defined]
        return self.explicit(objective)

    def vector(self, fun: Callable[..., Any], same: bool) -> Callable[..., Any]:
        """A user's function of the tree to a tree; with `same`, to as many numbers."""
        check_callable(fun, self.name)
        what = f"the result of {name_of(fun)}"

        def residual(v: Any, *args: Any) -> Any:
            out = array_like(fun(self.packing.unpack(v), *args))
            if same:
                return self.packing.same(out, what)
            return Packing(out, self.name, what).vector

        residual.__wrapped__ = fun  # type: ignore[attr-defined]
        return self.explicit(residual)


def check_callable(fun: Any, name: str) -> None:
    """Refuse what is no function."""
    if not callable(fun):
        raise ArgumentError(
            f"{name} wants a function.", describe(fun), f"pass the function: {name}(fun, x0)"
        )


def scalar(y: Any, fun: Callable[..., Any], name: str) -> Any:
    """The value of an objective, a real number."""
    wanted = f"{name} wants a function that returns a real number; {name_of(fun)} does not."
    if not is_traceable(y) or aval(y).dtype.kind not in "fbiu":
        raise DtypeError(
            wanted, describe(y), "return one real number, such as np.sum(np.abs(r) ** 2)"
        )
    if not hasattr(y, "dtype"):
        y = np.float64(y)
    if shape_of(y) != ():
        if np.size(y) != 1:
            raise ShapeError(
                wanted, describe(y), "return one number, such as np.sum or np.mean of it"
            )
        y = np.reshape(y, ())
    return y if y.dtype == np.float64 else y.astype(np.float64)


def wrapped(callback: Any, problem: Problem) -> Any:
    """A user's callback, with pytrees in place of vectors; SciPy looks at the names it takes."""
    if callback is None:
        return None
    if not callable(callback):
        raise ArgumentError(
            f"{problem.name} wants a function as callback.", describe(callback), "pass a function"
        )
    if set(inspect.signature(callback).parameters) == {"intermediate_result"}:

        def told(intermediate_result: Any) -> Any:
            seen = OptimizeResult(intermediate_result)
            seen.x = problem.packing.finish(np.array(seen.x))
            return callback(intermediate_result=seen)

        return told
    return lambda xk, *rest: callback(problem.packing.finish(np.array(xk)), *rest)


class Derivatives:
    """Plain functions for SciPy: a function of a vector at fixed values, and its derivatives."""

    def __init__(self, name: str, call: Callable[..., Any], values: Sequence[Any]) -> None:
        self.name, self.call, self.values = name, call, values
        self.results: int | None = None

    def __call__(self, v: Any) -> Any:
        y = plain(self.call(v, *self.values), self.name)
        self.results = np.size(y)
        return y

    def value_and_gradient(self, v: Any) -> Any:
        """A scalar function and its gradient, from one run."""
        return plain(gradient(self.name, self.call)(v, *self.values), self.name)

    def hessian(self, v: Any) -> Any:
        """The matrix of second derivatives of a scalar function."""
        return jacobian(self.gradient_of(), v)

    def hessian_times(self, v: Any, t: Any) -> Any:
        """The second derivatives of a scalar function times a vector."""
        return jvp(self.gradient_of(), (v,), (np.asarray(t, np.float64),))[1]

    def gradient_of(self) -> Callable[..., Any]:
        """The gradient, for transformations."""
        return lambda v: grad(self.call)(v, *self.values)

    def jacobian(self, v: Any) -> Any:
        """The Jacobian of a vector function: by columns where there are fewer of them."""

        def f(x: Any) -> Any:
            return self.call(x, *self.values)

        if self.results is None:
            self(v)
        if self.results is not None and self.results <= len(v):
            return jacobian(f, v)
        return np.stack([jvp(f, (v,), (unit,))[1] for unit in np.eye(len(v))], axis=1)


class Together:
    """A function and its gradient for SciPy, which asks for them one after the other.

    ``both(v)`` gives the two; it is called once for each point.
    """

    def __init__(self, both: Callable[[Any], Any]) -> None:
        self.both = both
        self.point: bytes | None = None
        self.found: Any = None

    def value(self, v: Any) -> Any:
        """The function."""
        return self._at(v)[0]

    def gradient(self, v: Any) -> Any:
        """Its gradient."""
        return self._at(v)[1]

    def _at(self, v: Any) -> Any:
        point = np.asarray(v).tobytes()
        if point != self.point:
            self.found = self.both(v)
            self.point = point
        return self.found
