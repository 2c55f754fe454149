"""What distributions share: how they are called, location and scale, support, bad parameters.

A family states its standardised density and distribution function on the inside of its support;
here stands what SciPy does around that. Where a value is outside, the argument that a formula gets
is replaced before it and the answer after it, so that neither value nor derivative of the branch
not taken can spoil a gradient. A mask that is known to be empty costs nothing.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import scipy.stats

from ...arrays import is_a
from ...doors import has_tracer
from ...tracer import no_rule, register
from .arguments import INF, NAN, arguments, either, empty, fill, finish, fits, known, number, strong
from .tools import quiet, whole_quantile

#: SciPy's methods that may stand in the registry.
METHODS = (
    "pdf", "logpdf", "pmf", "logpmf", "cdf", "logcdf", "sf", "logsf", "ppf", "isf", "entropy",
)  # fmt: skip


# ------------------------------------------------------------------ all
class Family:
    """A distribution, called as SciPy calls it; what is not defined here is SciPy's own.

    Attributes:
        name: SciPy's name of it.
        scipy: SciPy's object of that name.
        shapes: the names of the shape parameters.
        rest: the parameters after them, with defaults.
    """

    shapes: tuple[str, ...] = ()
    rest: dict[str, Any] = {}  # noqa: RUF012  nobody writes into it

    def __init__(self, name: str) -> None:
        self.name, self.scipy = name, getattr(scipy.stats, name)
        for method in METHODS:
            if hasattr(type(self), method):
                register(getattr(self.scipy, method), getattr(self, method))

    def __call__(self, *args: Any, **kwds: Any) -> Frozen:
        """The distribution with fixed parameters."""
        return Frozen(self, args, kwds)

    def __getattr__(self, name: str) -> Any:
        """What is not defined here, such as ``rvs`` and ``fit``: SciPy's, of plain values only."""
        if name.startswith("_") or name == "scipy":
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        theirs = getattr(self.scipy, name)

        def plain(*args: Any, **kwds: Any) -> Any:
            if has_tracer((*args, *kwds.values())):
                raise no_rule(f"scipy.stats.{self.name}.{name}")
            return theirs(*args, **kwds)

        return plain if callable(theirs) else theirs

    def __repr__(self) -> str:
        return f"fgrad.scipy.stats.{self.name}"

    def _parameters(self, args: Sequence[Any], kwds: dict[str, Any]) -> list[Any]:
        return arguments((*self.shapes, *self.rest), self.rest, args, kwds)

    def _fits(self, *shapes: Any) -> Any:
        """Where the shape parameters are ones that the distribution has."""
        return True


class Frozen:
    """A distribution with fixed parameters: ``norm(0.0, scale).logpdf(x)``."""

    def __init__(self, dist: Any, args: Sequence[Any], kwds: dict[str, Any]) -> None:
        self.dist, self.args, self.kwds = dist, args, kwds

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name in ("dist", "args", "kwds"):
            raise AttributeError(f"a frozen distribution has no attribute {name!r}")
        method = getattr(self.dist, name)
        return lambda *values: method(*values, *self.args, **self.kwds)


class Density(Family, ABC):
    """A continuous distribution: its density and its entropy.

    A family defines `_logpdf`, and `_entropy`, of standardised values and of its shapes.

    Attributes:
        low, high: the ends of the support.
        inside: a value that lies inside it.
    """

    rest = {"loc": 0.0, "scale": 1.0}  # noqa: RUF012
    low: float = -INF
    high: float = INF
    inside: float = 0.0

    def _support(self, *shapes: Any) -> tuple[Any, Any]:
        return self.low, self.high

    def _outside(self, z: Any, *shapes: Any) -> Any:
        """Where the density is zero."""
        low, high = self._support(*shapes)
        below = False if type(low) is float and low == -INF else np.less(z, low)
        above = False if type(high) is float and high == INF else np.greater(z, high)
        return either(below, above)

    def pdf(self, x: Any, *args: Any, **kwds: Any) -> Any:
        """The density."""

        def density(z: Any, scale: Any, *shapes: Any) -> Any:
            y = self._pdf(z, *shapes)
            return y if scale is None else y / scale

        return self._dense(density, 0.0, x, args, kwds)

    def logpdf(self, x: Any, *args: Any, **kwds: Any) -> Any:
        """The logarithm of the density."""

        def density(z: Any, scale: Any, *shapes: Any) -> Any:
            y = self._logpdf(z, *shapes)
            return y if scale is None else y - np.log(scale)

        return self._dense(density, -INF, x, args, kwds)

    def entropy(self, *args: Any, **kwds: Any) -> Any:
        """The differential entropy."""
        with quiet():
            _, shapes, loc, scale = self._prepared(0.0, args, kwds)
            out = self._entropy(*shapes)
            out = out if scale is None else out + np.log(scale)
            out = out if loc is None else out + 0 * loc  # it may have a shape
            return finish(fill(self._wrong(shapes, scale), NAN, out))

    @abstractmethod
    def _logpdf(self, z: Any, *shapes: Any) -> Any:
        """Told by each distribution."""

    def _pdf(self, z: Any, *shapes: Any) -> Any:
        return np.exp(self._logpdf(z, *shapes))

    @abstractmethod
    def _entropy(self, *shapes: Any) -> Any:
        """Told by each distribution."""

    def _flat(self, fn: Callable[..., Any], value: float, flat: Any, z: Any, *shapes: Any) -> Any:
        """``fn(z, *shapes)``; a constant where it has become one and its slope would be 0 * inf."""
        if empty(flat):
            return fn(z, *shapes)
        return np.where(flat, value, fn(np.where(flat, self.inside, z), *shapes))

    def _prepared(
        self, x: Any, args: Sequence[Any], kwds: dict[str, Any]
    ) -> tuple[Any, list[Any], Any, Any]:
        """x, the shapes, loc and scale; None for those of these two that change nothing."""
        *shapes, loc, scale = self._parameters(args, kwds)
        same = [type(v) is float and v == d for v, d in ((loc, 0), (scale, 1))]
        x, *shapes, loc, scale = strong([number(x), *shapes, loc, scale])
        return x, shapes, None if same[0] else loc, None if same[1] else scale

    def _wrong(self, shapes: Sequence[Any], scale: Any) -> Any:
        """Where the parameters are none that the distribution has."""
        proper = self._fits(*shapes)
        proper = proper if scale is None else np.logical_and(np.greater(scale, 0), proper)
        return np.logical_not(proper)

    def _dense(
        self, fn: Callable[..., Any], nothing: float, x: Any, args: Sequence[Any], kwds: Any
    ) -> Any:
        with quiet():
            x, shapes, loc, scale = self._prepared(x, args, kwds)
            infinite = np.isinf(x)
            z = standard(fill(infinite, 0.0, x), loc, scale)
            outside = self._outside(z, *shapes)
            out = fn(fill(outside, self.inside, z), scale, *shapes)
            out = fill(either(outside, infinite), nothing, out)
            return finish(fill(self._wrong(shapes, scale), NAN, out))


def standard(x: Any, loc: Any, scale: Any = None) -> Any:
    """(x - loc) / scale."""
    x = x if loc is None else x - loc
    return x if scale is None else x / scale


class Continuous(Density):
    """A continuous distribution with its distribution function, survival function and quantiles.

    A family defines `_cdf`, `_sf`, `_ppf` and `_isf`, and their logarithms where these have forms
    that keep what would underflow.
    """

    def cdf(self, x: Any, *args: Any, **kwds: Any) -> Any:
        """The distribution function."""
        return self._up_to(self._cdf, 0.0, 1.0, x, args, kwds)

    def logcdf(self, x: Any, *args: Any, **kwds: Any) -> Any:
        """The logarithm of the distribution function."""
        return self._up_to(self._logcdf, -INF, 0.0, x, args, kwds)

    def sf(self, x: Any, *args: Any, **kwds: Any) -> Any:
        """The survival function, 1 - cdf."""
        return self._up_to(self._sf, 1.0, 0.0, x, args, kwds)

    def logsf(self, x: Any, *args: Any, **kwds: Any) -> Any:
        """The logarithm of the survival function."""
        return self._up_to(self._logsf, 0.0, -INF, x, args, kwds)

    def ppf(self, q: Any, *args: Any, **kwds: Any) -> Any:
        """The quantile: the inverse of the distribution function."""
        return self._quantile(self._ppf, q, args, kwds)

    def isf(self, q: Any, *args: Any, **kwds: Any) -> Any:
        """The inverse of the survival function."""
        return self._quantile(self._isf, q, args, kwds)

    @abstractmethod
    def _cdf(self, z: Any, *shapes: Any) -> Any:
        """Told by each distribution."""

    @abstractmethod
    def _sf(self, z: Any, *shapes: Any) -> Any:
        """Told by each distribution."""

    def _logcdf(self, z: Any, *shapes: Any) -> Any:
        return np.log(self._cdf(z, *shapes))

    def _logsf(self, z: Any, *shapes: Any) -> Any:
        return np.log(self._sf(z, *shapes))

    @abstractmethod
    def _ppf(self, q: Any, *shapes: Any) -> Any:
        """Told by each distribution."""

    @abstractmethod
    def _isf(self, q: Any, *shapes: Any) -> Any:
        """Told by each distribution."""

    def _up_to(
        self, fn: Callable[..., Any], at_low: float, at_high: float, x: Any, args: Any, kwds: Any
    ) -> Any:
        with quiet():
            x, shapes, loc, scale = self._prepared(x, args, kwds)
            infinite = np.isinf(x)
            z = standard(fill(infinite, 0.0, x), loc, scale)
            low, high = self._support(*shapes)
            below, above = np.less_equal(z, low), np.greater_equal(z, high)
            out = fn(fill(either(below, above), self._between(*shapes), z), *shapes)
            out = fill(above, at_high, fill(below, at_low, out))
            out = fill(np.equal(x, INF), at_high, fill(np.equal(x, -INF), at_low, out))
            return finish(fill(self._wrong(shapes, scale), NAN, out))

    def _between(self, *shapes: Any) -> Any:
        return self.inside

    def _quantile(self, fn: Callable[..., Any], q: Any, args: Sequence[Any], kwds: Any) -> Any:
        with quiet():
            q, shapes, loc, scale = self._prepared(q, args, kwds)
            proper = fits(np.greater_equal(q, 0), np.less_equal(q, 1))
            wrong = either(np.logical_not(proper), self._wrong(shapes, scale))
            z = fn(fill(wrong, 0.5, q), *shapes)
            z = z if scale is None else z * scale
            z = z if loc is None else z + loc
            return finish(fill(wrong, NAN, z))


class Mass(Family, ABC):
    """A distribution of integers: its probabilities. It is constant in k, loc, and whole numbers.

    A family defines `_logpmf`, and `_pmf` where a parameter may be at its end.

    Attributes:
        low: the least integer.
    """

    rest = {"loc": 0.0}  # noqa: RUF012
    low: float = 0.0

    def _high(self, *shapes: Any) -> Any:
        """The greatest integer."""
        return INF

    def pmf(self, k: Any, *args: Any, **kwds: Any) -> Any:
        """The probability of k."""
        return self._at(self._pmf, 0.0, k, args, kwds)

    def logpmf(self, k: Any, *args: Any, **kwds: Any) -> Any:
        """The logarithm of the probability of k."""
        return self._at(self._logpmf, -INF, k, args, kwds)

    @abstractmethod
    def _logpmf(self, k: Any, *shapes: Any) -> Any:
        """Told by each distribution."""

    def _pmf(self, k: Any, *shapes: Any) -> Any:
        return np.exp(self._logpmf(k, *shapes))

    def _counts(self, k: Any, args: Sequence[Any], kwds: Any) -> tuple[Any, list[Any], Any]:
        """k without loc, the shapes, and where the parameters are wrong or k is not a number."""
        *shapes, loc = self._parameters(args, kwds)
        k, *shapes, loc = strong([number(k), *shapes, loc])
        k = standard(known(k), known(loc))
        wrong = np.logical_not(fits(self._fits(*shapes), np.equal(k, k), np.isfinite(known(loc))))
        return k, shapes, wrong

    def _at(self, fn: Callable[..., Any], nothing: float, k: Any, args: Any, kwds: Any) -> Any:
        with quiet():
            k, shapes, wrong = self._counts(k, args, kwds)
            outside = either(
                np.less(k, self.low), np.greater(k, self._high(*shapes)), np.less(np.floor(k), k),
                np.isinf(k),
            )  # fmt: skip
            out = fill(outside, nothing, fn(fill(outside, self.low, k), *shapes))
            return finish(fill(wrong, NAN, out))

    def _entropy_by(self, fn: Callable[..., Any], args: Sequence[Any], kwds: Any) -> Any:
        with quiet():
            *shapes, loc = self._parameters(args, kwds)
            shapes = strong(shapes)
            out = fn(*shapes)
            if not is_a(loc, float):  # it has a shape
                out = out + 0 * known(loc)
            return finish(fill(np.logical_not(self._fits(*shapes)), NAN, out))


class Discrete(Mass):
    """A distribution of integers with its distribution function; quantiles are constants."""

    def cdf(self, k: Any, *args: Any, **kwds: Any) -> Any:
        """The distribution function."""
        return self._up_to(self._cdf, 0.0, 1.0, k, args, kwds)

    def logcdf(self, k: Any, *args: Any, **kwds: Any) -> Any:
        """The logarithm of the distribution function."""
        return self._up_to(self._logcdf, -INF, 0.0, k, args, kwds)

    def sf(self, k: Any, *args: Any, **kwds: Any) -> Any:
        """The survival function, 1 - cdf."""
        return self._up_to(self._sf, 1.0, 0.0, k, args, kwds)

    def logsf(self, k: Any, *args: Any, **kwds: Any) -> Any:
        """The logarithm of the survival function."""
        return self._up_to(self._logsf, 0.0, -INF, k, args, kwds)

    def ppf(self, q: Any, *args: Any, **kwds: Any) -> Any:
        """The quantile, an integer: constant in q and in every parameter."""
        return whole_quantile(number(q), *self._parameters(args, kwds), of=f"{self.name}.ppf")

    def isf(self, q: Any, *args: Any, **kwds: Any) -> Any:
        """The inverse of the survival function, an integer: constant."""
        return whole_quantile(number(q), *self._parameters(args, kwds), of=f"{self.name}.isf")

    @abstractmethod
    def _cdf(self, k: Any, *shapes: Any) -> Any:
        """Told by each distribution."""

    @abstractmethod
    def _sf(self, k: Any, *shapes: Any) -> Any:
        """Told by each distribution."""

    def _logcdf(self, k: Any, *shapes: Any) -> Any:
        return np.log(self._cdf(k, *shapes))

    def _logsf(self, k: Any, *shapes: Any) -> Any:
        return np.log(self._sf(k, *shapes))

    def _up_to(
        self, fn: Callable[..., Any], at_low: float, at_high: float, k: Any, args: Any, kwds: Any
    ) -> Any:
        with quiet():
            k, shapes, wrong = self._counts(k, args, kwds)
            k = np.floor(k)
            below, above = np.less(k, self.low), np.greater_equal(k, self._high(*shapes))
            out = fn(fill(either(below, above), self.low, k), *shapes)
            out = fill(above, at_high, fill(below, at_low, out))
            return finish(fill(wrong, NAN, out))
