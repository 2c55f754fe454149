"""Roots and minima of functions of one number."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scipy import optimize

from ...arrays import shape_of
from ...closures import Reader, example
from ...core import Tracer
from ...derivatives import grad
from ...errors import ArgumentError, ShapeError, describe
from ...solutions import Equations, plain
from ...tracebacks import boundary
from .problem import check_callable, scalar
from .stationary import Limits, at_limits, touching


class _Number:
    """One unknown number, and the numbers that say where to look for it."""

    def __init__(self, name: str, fun: Any, where: Sequence[Any], args: Any) -> None:
        check_callable(fun, name)
        self.name = name
        self.args = args if isinstance(args, tuple) else (args,)
        for x in where:
            if shape_of(x) != ():
                raise ShapeError(
                    f"{name} wants numbers to say where to look.",
                    describe(x),
                    "map it over many problems with fgrad.vmap; or call fgrad.scipy.optimize.root",
                )
        numbers: list[Any] = [x if isinstance(x, Tracer) else np.float64(x) for x in where]
        traced = any(isinstance(x, Tracer) for x in numbers)
        self.where = np.stack(numbers) if traced else np.array(numbers)
        self.reader = Reader(name)
        self.guess = np.float64(np.mean(example(self.where))) if numbers else np.float64(0.5)
        self.call = self.explicit(fun)

    def explicit(self, fun: Any) -> Callable[..., Any]:
        return self.reader.function(
            lambda x, *args: scalar(fun(x, *args), fun, self.name), self.args, self.guess
        )

    @property
    def traced(self) -> bool:
        return bool(self.reader.values) or isinstance(self.where, Tracer)

    def at(self, values: Sequence[Any]) -> Callable[[Any], float]:
        """The function for SciPy."""
        return lambda x: float(plain(self.call(np.float64(x), *values), self.name))

    def slope(self, values: Sequence[Any]) -> Callable[[Any], float]:
        """Its derivative for SciPy."""
        return lambda x: float(grad(self.call)(np.float64(x), *values))

    def solved(self, solve: Any, condition: Any) -> Any:
        """The number that solves an equation."""
        equations = Equations(self.name, solve, condition, 1)
        return equations.solved(self.where, self.reader.values)[0][0]


@boundary
def root_scalar(
    f: Callable[..., Any], args: Any = (), method: str | None = None, bracket: Any = None,
    fprime: Any = None, fprime2: Any = None, x0: Any = None, x1: Any = None,
    xtol: float | None = None, rtol: float | None = None, maxiter: int | None = None,
    options: Any = None,
) -> Any:  # fmt: skip
    """Find a root of a function of one number, with `scipy.optimize.root_scalar`.

    The root can be differentiated in `args` and in what `f` closes over, in both modes and to any
    order, by the implicit function theorem. Newton's and Halley's methods get their derivatives
    from fgrad.

    >>> import fgrad
    >>> from fgrad.scipy import optimize
    >>> def cube_root(a):
    ...     return optimize.root_scalar(lambda x: x**3 - a, bracket=(0.0, 9.0)).root
    >>> round(fgrad.grad(cube_root)(8.0), 12) == round(1 / 12, 12)
    True

    Args:
        f: ``f(x, *args)`` of a number; returns a number.
        args: further arguments, pytrees.
        method: as in SciPy, by default one for which there is what it wants.
        bracket, x0, x1: where to look; derivatives in them are zero.
        fprime, fprime2: derivatives of one's own, as in SciPy; by default they are fgrad's.
        xtol, rtol, maxiter, options: as in SciPy.

    Returns:
        SciPy's `RootResults`; where traced values are read, ``root`` is traced, and counts are -1.

    Raises:
        ConvergenceError: traced values are read, and no isolated root was found.
    """
    inside = tuple(bracket) if bracket is not None else ()
    where = [*inside, *(x for x in (x0, x1) if x is not None)]
    number = _Number("root_scalar", f, where, args)
    if method is None and not inside and x1 is None:
        method = "newton"
    derivatives = [_derivative(number, fprime, 1, method), _derivative(number, fprime2, 2, method)]

    def run(places: Any, *values: Any) -> Any:
        ends = list(map(float, places))
        guesses = ends[len(inside) :]
        first, second = (None if d is None else d(values) for d in derivatives)
        return optimize.root_scalar(
            number.at(values), method=method, bracket=ends[: len(inside)] if inside else None,
            fprime=first, fprime2=second, x0=guesses[0] if x0 is not None else None,
            x1=guesses[-1] if x1 is not None else None, xtol=xtol, rtol=rtol, maxiter=maxiter,
            options=options,
        )  # fmt: skip

    if not number.traced:
        return run(number.where)

    def solve(places: Any, *values: Any) -> Any:
        return np.array([run(places, *values).root]), np.zeros(1, np.int64)

    def condition(z: Any, cases: Any, *values: Any) -> Any:
        return np.reshape(number.call(z[0], *values), (1,))

    result = optimize.RootResults(0.0, -1, -1, 0, method)
    result.root = number.solved(solve, condition)
    return result


def _derivative(number: _Number, given: Any, order: int, method: Any) -> Any:
    """A derivative for SciPy, of given values: the user's, or fgrad's where a method wants it."""
    if callable(given):
        own = number.explicit(given)
        return lambda values: lambda x: float(own(np.float64(x), *values))
    if given or method not in (("newton", "halley") if order == 1 else ("halley",)):
        return (lambda values: given) if given is not None else None
    if order == 1:
        return number.slope
    return lambda values: lambda x: float(grad(grad(number.call))(np.float64(x), *values))


def _bracketing(name: str) -> Callable[..., Any]:
    method = name

    def find(
        f: Callable[..., Any], a: Any, b: Any, args: Any = (), xtol: float = 2e-12,
        rtol: float = 4 * float(np.finfo(float).eps), maxiter: int = 100,
        full_output: bool = False, disp: bool = True,
    ) -> Any:  # fmt: skip
        result = root_scalar(f, args, method, bracket=(a, b), xtol=xtol, rtol=rtol, maxiter=maxiter)
        if disp and not result.converged:
            raise RuntimeError(f"Failed to converge after {maxiter} iterations.")
        return (result.root, result) if full_output else result.root

    find.__name__ = find.__qualname__ = name
    find.__doc__ = f"""Find a root between two points, with `scipy.optimize.{name}`.

    It can be differentiated as that of `root_scalar` can; the derivative in a and b is zero.

    >>> import fgrad
    >>> from fgrad.scipy import optimize
    >>> round(fgrad.grad(lambda c: optimize.{name}(lambda x: x * x - c, 0.0, 9.0))(4.0), 9)
    0.25

    Args:
        f: ``f(x, *args)`` of a number; its values at a and b differ in sign.
        a, b: the ends of the interval.
        args: further arguments, pytrees.
        xtol, rtol, maxiter, full_output, disp: as in SciPy.

    Returns:
        The root; with `full_output` the pair of it and SciPy's `RootResults`.

    Raises: see `root_scalar`.
    """
    return find


brentq = _bracketing("brentq")
brenth = _bracketing("brenth")
bisect = _bracketing("bisect")
ridder = _bracketing("ridder")
toms748 = _bracketing("toms748")


@boundary
def newton(
    func: Callable[..., Any], x0: Any, fprime: Any = None, args: Any = (), tol: float = 1.48e-8,
    maxiter: int = 50, fprime2: Any = None, x1: Any = None, rtol: float = 0.0,
    full_output: bool = False, disp: bool = True,
) -> Any:  # fmt: skip
    """Find a root from a first guess, with the methods of `scipy.optimize.newton`.

    Unlike SciPy's, it takes Newton's method where no `fprime` is given, with fgrad's derivative;
    with `x1` the secant method; with `fprime2` Halley's. It finds one root, of one number.

    >>> import fgrad
    >>> from fgrad.scipy import optimize
    >>> round(fgrad.grad(lambda c: optimize.newton(lambda x: x * x - c, 1.0))(4.0), 9)
    0.25

    Args:
        func: ``func(x, *args)`` of a number.
        x0, x1: first guesses; derivatives in them are zero.
        fprime, fprime2: derivatives of one's own; by default they are fgrad's.
        args: further arguments, pytrees.
        tol, rtol, maxiter, full_output, disp: as in SciPy.

    Returns:
        The root; with `full_output` the pair of it and SciPy's `RootResults`.

    Raises: see `root_scalar`; RuntimeError, as in SciPy, if it doesn't converge.
    """
    method = "secant" if x1 is not None else "halley" if fprime2 is not None else "newton"
    result = root_scalar(
        func, args, method, fprime=fprime, fprime2=fprime2, x0=x0, x1=x1, xtol=tol,
        rtol=rtol, maxiter=maxiter,
    )  # fmt: skip
    if disp and not result.converged:
        raise RuntimeError(f"Failed to converge after {maxiter} iterations.")
    return (result.root, result) if full_output else result.root


@boundary
def minimize_scalar(
    fun: Callable[..., Any], bracket: Any = None, bounds: Any = None, args: Any = (),
    method: str | None = None, tol: float | None = None, options: Any = None,
) -> Any:  # fmt: skip
    """Find a minimum of a function of one number, with `scipy.optimize.minimize_scalar`.

    The minimum can be differentiated in `args`, in the bounds and in what `fun` closes over, in
    both modes and to any order, by the implicit function theorem. SciPy's methods compare values,
    so they find it to about half of the digits.

    >>> import fgrad
    >>> from fgrad.scipy import optimize
    >>> def lowest(a):
    ...     return optimize.minimize_scalar(lambda x: (x - a**2) ** 2).x
    >>> round(fgrad.grad(lowest)(3.0), 6)
    6.0

    Args:
        fun: ``fun(x, *args)`` of a number; returns a number.
        bracket, bounds, method, tol, options: as in SciPy; the derivative in `bracket` is zero.
        args: further arguments, pytrees.

    Returns:
        SciPy's `OptimizeResult`. Where traced values are read it has ``x``, ``fun``, ``success``
        and ``message``.

    Raises:
        ConvergenceError: traced values are read, and no isolated minimum was found.
    """
    if bounds is not None and (not isinstance(bounds, (tuple, list)) or len(bounds) != 2):
        raise ArgumentError(
            "minimize_scalar wants bounds as a pair (lower, upper).",
            describe(bounds),
            "give two numbers",
        )
    near = bracket if bracket is not None else bounds if bounds is not None else ()
    number = _Number("minimize_scalar", fun, near, args)
    box = None
    if bounds is not None:
        low, high = (x if isinstance(x, Tracer) else np.float64(x) for x in bounds)
        box = Limits(lambda x: x, number.reader.value((low, high)))

    def run(places: Any, *values: Any) -> Any:
        return optimize.minimize_scalar(
            number.at(values), bracket=None if bracket is None else list(map(float, places)),
            bounds=None if box is None else list(map(float, box.limits(values))), method=method,
            tol=tol, options=options,
        )  # fmt: skip

    if not number.traced:
        return run(number.where)

    def solve(places: Any, *values: Any) -> Any:
        z = np.array([run(places, *values).x])
        cases = np.zeros(1, np.int64)
        if box is not None:
            # The bounded method stays off the bounds by about its tolerance.
            near = touching(z, *box.limits(values), near=_BOUNDED)
            cases = np.where(near * number.slope(values)(z[0]) > 0, 0, near)
        return z, cases

    def condition(z: Any, cases: Any, *values: Any) -> Any:
        slope = np.reshape(grad(number.call)(z[0], *values), (1,))
        return slope if box is None else at_limits(cases, slope, z, *box.limits(values))

    x = number.solved(solve, condition)
    return optimize.OptimizeResult(
        x=x, fun=fun(x, *number.args), success=True,
        message="A minimum was found, and it can be differentiated.",
    )  # fmt: skip


#: The tolerance of SciPy's bounded method, and some.
_BOUNDED = 2e-5
