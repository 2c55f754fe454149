"""Integrals of functions.

The integral of f(x, p) from a to b moves by f(b, p) db - f(a, p) da and by the integral of
(df/dp) dp (Leibniz's rule). The latter is an integral of the same kind, so the rule holds to any
order; it is computed by the same method with the same tolerances.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import integrate, special

from ...arrays import INEXACT, Aval, aval, shape_of
from ...closures import Reader, example, loop
from ...core import Params, Primitive, Tracer, bind, full_lower
from ...derivatives import jvp, vjp
from ...errors import ArgumentError, DtypeError, NoRuleError, describe, name_of
from ...packing import Packing
from ...rules import total
from ...solutions import plain
from ...tracebacks import boundary

Call = Callable[..., Any]


@dataclass(frozen=True, eq=False, slots=True)
class Integral:
    """An integral of a function to vectors.

    Attributes:
        name: whose it is.
        integrand: ``integrand(x, *values)`` of a number, a vector of `size` numbers.
        size: how many.
        solve: ``solve(f, a, b, size)`` of plain numbers: the integral, a vector, and an estimate of
            its error.
    """

    name: str
    integrand: Call
    size: int
    solve: Call

    def __repr__(self) -> str:
        return f"<{self.name}>"

    def __call__(self, a: Any, b: Any, values: Sequence[Any]) -> tuple[Any, Any]:
        """The integral and the estimate; the integral is differentiable in everything."""
        out: tuple[Any, Any] = bind(_INTEGRAL, (a, b, *values), {"integral": self})
        return out


def _impl(a: Any, b: Any, *values: Any, integral: Integral) -> tuple[Any, Any]:
    def f(x: Any) -> Any:
        return plain(integral.integrand(np.float64(x), *values), integral.name)

    y, error = integral.solve(f, float(a), float(b), integral.size)
    return np.asarray(y, np.float64), np.float64(error)


def _edge(integral: Integral, x: Any, values: Sequence[Any]) -> Any:
    """The integrand at a limit; at infinity, where it has to vanish, nothing."""
    if not getattr(x, "hides", False) and np.isinf(full_lower(x)):
        return np.zeros(integral.size)
    return integral.integrand(x, *values)


def _push(ans: Any, operands: Sequence[Any], tangents: Sequence[Any], params: Params) -> Any:
    integral, (a, b, *values), (t_a, t_b, *rest) = params["integral"], operands, tangents
    moving = [i for i, t in enumerate(rest) if t is not None]
    terms = []
    if moving:
        count = len(values)

        def direction(x: Any, *more: Any) -> Any:
            known, ts = more[:count], more[count:]
            of = _of_values(integral, x, known, moving)
            return jvp(of, [known[i] for i in moving], ts)[1]

        derivative = Integral(integral.name, direction, integral.size, integral.solve)
        terms.append(derivative(a, b, [*values, *(rest[i] for i in moving)])[0])
    if t_b is not None:
        terms.append(t_b * _edge(integral, b, values))
    if t_a is not None:
        terms.append(-t_a * _edge(integral, a, values))
    return total(terms), None


def _pull(
    active: Sequence[int], g: Any, ans: Any, operands: Sequence[Any], params: Params
) -> list[Any]:
    integral, (a, b, *values) = params["integral"], operands
    if 0 not in g:
        return [None] * len(active)
    cts: dict[int, Any] = {}
    if 0 in active:
        cts[0] = -np.sum(g[0] * _edge(integral, a, values))
    if 1 in active:
        cts[1] = np.sum(g[0] * _edge(integral, b, values))
    moving = [i - 2 for i in active if i > 1 and aval(operands[i]).dtype.kind in INEXACT]
    if moving:
        count = len(values)
        sums = Packing([np.zeros(shape_of(values[i]), aval(values[i]).dtype) for i in moving],
                       integral.name, "the values that it reads")  # fmt: skip

        def gradient(x: Any, *more: Any) -> Any:
            known = more[:count]
            of = _of_values(integral, x, known, moving)
            return sums.like(list(vjp(of, *(known[i] for i in moving))[1](more[-1])), "cotangents")

        derivative = Integral(integral.name, gradient, sums.size, integral.solve)
        found = sums.unpack(derivative(a, b, [*values, g[0]])[0])
        cts.update(zip((i + 2 for i in moving), found, strict=True))
    return [cts.get(i) for i in active]


def _of_values(integral: Integral, x: Any, values: Sequence[Any], moving: Sequence[int]) -> Call:
    """The integrand at a point, as a function of the values that move."""

    def of(*new: Any) -> Any:
        known = list(values)
        for i, v in zip(moving, new, strict=True):
            known[i] = v
        return integral.integrand(x, *known)

    return of


def _each(
    p: Primitive, size: int, xs: Sequence[Any], batched: Sequence[bool], params: Params
) -> Any:
    """One integral for each element: each is divided where it needs it."""
    outs = Aval((params["integral"].size,), np.dtype(float)), Aval((), np.dtype(float))
    return loop(lambda *operands: bind(p, operands, params), size, xs, batched, outs)


_INTEGRAL = Primitive(
    name="integral", impl=_impl, jvp=_push, vjp=_pull, batch=_each, needs=lambda i, k: True,
    several=True,
)  # fmt: skip


# ------------------------------------------------------------------ what users call
class _Integrand:
    """A function to integrate, and what it reads."""

    def __init__(self, name: str, func: Any, a: Any, b: Any, args: Any) -> None:
        if not callable(func):
            raise ArgumentError(
                f"{name} wants a function.", describe(func), f"pass it: {name}(func, a, b)"
            )
        self.name = name
        self.a: Any = a if isinstance(a, Tracer) else np.float64(a)
        self.b: Any = b if isinstance(b, Tracer) else np.float64(b)
        args = args if isinstance(args, tuple) else (args,)
        self.reader = Reader(name)
        what = f"the result of {name_of(func)}"
        probe = np.float64(_between(float(example(self.a)), float(example(self.b))))
        with np.errstate(all="ignore"):
            like = func(probe, *self.reader.value(args)(self.reader.examples()))
            self.packing = Packing(like, name, what)

            def integrand(x: Any, *args: Any) -> Any:
                return self.packing.like(func(x, *args), what)

            integrand.__wrapped__ = func  # type: ignore[attr-defined]
            self.call = self.reader.function(integrand, args, probe)

    @property
    def traced(self) -> bool:
        return bool(self.reader.values) or isinstance(self.a, Tracer) or isinstance(self.b, Tracer)

    def integral(self, solve: Call) -> tuple[Any, Any]:
        """The integral as a vector, and the estimate of its error."""
        integral = Integral(self.name, self.call, self.packing.size, solve)
        return integral(self.a, self.b, self.reader.values)


def _between(a: float, b: float) -> float:
    """A point between two limits where nothing special is to be expected."""
    if np.isfinite(a) and np.isfinite(b):
        return a + 0.381966 * (b - a)
    return a + 0.618 if np.isfinite(a) else b - 0.618 if np.isfinite(b) else 0.381966


@boundary
def quad(
    func: Call, a: Any, b: Any, args: Any = (), full_output: int = 0, epsabs: float = 1.49e-8,
    epsrel: float = 1.49e-8, limit: int = 50, points: Any = None, weight: Any = None,
    **options: Any,
) -> Any:  # fmt: skip
    """Integrate a function of one number, with `scipy.integrate.quad`.

    The integral can be differentiated in the limits, in `args` and in what `func` closes over, by
    Leibniz's rule, in both modes and to any order. Derivatives are integrals with the same
    tolerances. In `fgrad.vmap` the elements are integrated one by one.

    >>> import numpy as np, fgrad
    >>> from fgrad.scipy import integrate
    >>> def gauss(width):
    ...     return integrate.quad(lambda x: np.exp(-((x / width) ** 2)), -np.inf, np.inf)[0]
    >>> round(fgrad.grad(gauss)(2.0) / np.sqrt(np.pi), 9)
    np.float64(1.0)

    Args:
        func: ``func(x, *args)`` of a number; returns a number.
        a, b: the limits, perhaps infinite.
        args: further arguments, pytrees; a single one that is no tuple is taken for one.
        epsabs, epsrel, limit, points: as in SciPy. `points` have no derivative.
        full_output, weight, options: as in SciPy; only where no traced values are read.

    Returns:
        The pair of the integral and an estimate of its error, as in SciPy.

    Raises:
        NoRuleError: traced values are read, and `full_output`, `weight` or an option of them is
            given.
        DtypeError: traced values are read, and `func` doesn't return a real number.
    """
    f = _Integrand("quad", func, a, b, args)
    if not f.traced:
        return integrate.quad(
            func, a, b, args, full_output, epsabs, epsrel, limit, points, weight, **options
        )
    if full_output or weight is not None or options:
        raise NoRuleError(
            "quad of traced values takes no full_output=, no weight= and no options of these.",
            f"full_output={full_output!r}, weight={weight!r}, {options!r}",
            "multiply the integrand with the weight; integrate real and imaginary parts by "
            "themselves, or by quad_vec",
        )
    if f.packing.shapes != [()] or f.packing.size != 1:
        raise DtypeError(
            f"quad wants a function that returns a real number; {name_of(func)} does not.",
            f"{f.packing.size} numbers",
            "use fgrad.scipy.integrate.quad_vec, which takes pytrees of arrays",
        )

    def solve(g: Any, a: float, b: float, size: int) -> Any:
        if size == 1:
            y, error, *_ = integrate.quad(
                lambda x: float(g(x)[0]), a, b, epsabs=epsabs, epsrel=epsrel, limit=limit,
                points=points,
            )  # fmt: skip
            return [y], error
        return integrate.quad_vec(
            g, a, b, epsabs=epsabs, epsrel=epsrel, norm="max", limit=limit, points=points
        )

    y, error = f.integral(solve)
    return y[0], error


@boundary
def quad_vec(
    f: Call, a: Any, b: Any, epsabs: float = 1e-200, epsrel: float = 1e-8, norm: str = "2",
    cache_size: float = 100e6, limit: int = 10000, workers: Any = 1, points: Any = None,
    quadrature: str | None = None, full_output: bool = False, *, args: Any = (),
) -> Any:  # fmt: skip
    """Integrate a function of one number to pytrees of arrays, with `scipy.integrate.quad_vec`.

    It can be differentiated as `quad` can.

    >>> import numpy as np, fgrad
    >>> from fgrad.scipy import integrate
    >>> def moments(rate):
    ...     f = lambda x: {"mass": np.exp(-rate * x), "mean": x * np.exp(-rate * x)}
    ...     return integrate.quad_vec(f, 0.0, np.inf)[0]
    >>> round(moments(2.0)["mean"], 9), round(fgrad.jacrev(moments)(2.0)["mean"], 9)
    (np.float64(0.25), -0.25)

    Args:
        f: ``f(x, *args)`` of a number; returns a pytree of arrays.
        a, b, args: as in `quad`.
        epsabs, epsrel, norm, cache_size, limit, workers, points, quadrature: as in SciPy; they hold
            for derivatives too.
        full_output: only where no traced values are read.

    Returns:
        The pair of the integral, a pytree like the results of `f`, and an estimate of its error;
        with `full_output` followed by SciPy's object.

    Raises:
        NoRuleError: traced values are read, and `full_output` is given.
    """
    options = {"epsabs": epsabs, "epsrel": epsrel, "norm": norm, "cache_size": cache_size,
               "limit": limit, "workers": workers, "points": points,
               "quadrature": quadrature}  # fmt: skip
    integrand = _Integrand("quad_vec", f, a, b, args)

    def solve(g: Any, a: float, b: float, size: int) -> Any:
        return integrate.quad_vec(g, a, b, **options)

    if not integrand.traced:
        y, *rest = integrate.quad_vec(
            integrand.call, float(integrand.a), float(integrand.b), full_output=full_output,
            **options,
        )  # fmt: skip
        return (integrand.packing.finish(y), *rest)
    if full_output:
        raise NoRuleError(
            "quad_vec of traced values takes no full_output=.", "full_output=True", "leave it away"
        )
    y, error = integrand.integral(solve)
    return integrand.packing.finish(y), error


@boundary
def fixed_quad(func: Call, a: Any, b: Any, args: Any = (), n: int = 5) -> Any:
    """Integrate by Gauss's formula of order n, as `scipy.integrate.fixed_quad` does.

    It is differentiated as the sum that it is, in the limits, in `args` and in what `func` closes
    over.

    >>> import fgrad
    >>> from fgrad.scipy import integrate
    >>> round(fgrad.grad(lambda b: integrate.fixed_quad(lambda x: x**2, 0.0, b)[0])(3.0), 9)
    9.0

    Args:
        func: ``func(x, *args)`` of a vector of n numbers; returns an array whose last axis has the
            length n.
        a, b: the limits, finite.
        args: a tuple of further arguments.
        n: how many places.

    Returns:
        The pair of the integral and None, as in SciPy.
    """
    for x in (a, b):
        if not getattr(x, "hides", False) and np.isinf(full_lower(x)):
            raise ValueError("Gaussian quadrature is only available for finite limits.")
    places, weights = special.roots_legendre(n)
    x = (b - a) * (np.real(places) + 1) / 2.0 + a
    return (b - a) / 2.0 * np.sum(weights * func(x, *args), axis=-1), None
