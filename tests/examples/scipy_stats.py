"""Rows of the distributions of `scipy.stats`.

A row has two operands: the values, and the parameters in one array, loc and scale at its end.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import scipy.stats as ss

from fgrad.scipy import stats

from .row import Operand, P, R, Row, row

DENSITY = ("pdf", "logpdf")
BELOW = ("cdf", "logcdf", "sf", "logsf")
Q = Operand((2,), 0.1, 0.95)


def rows_of(
    name: str, methods: Any, values: Operand, size: int, parameters: Callable[[Any], Any] = tuple
) -> list[Row]:
    """A row for each method: called with values and with the parameters made of `size` numbers."""
    return [
        row(
            getattr(getattr(ss, name), method),
            [
                *([] if method == "entropy" else [Q if method in ("ppf", "isf") else values]),
                P(size),
            ],
            called(name, method, parameters),
            "constant" if values.kind == "i" and method in ("ppf", "isf") else "smooth",
            bits=False,
        )
        for method in methods
    ]


def called(name: str, method: str, parameters: Callable[[Any], Any]) -> Any:
    """The call of a distribution's method."""
    if method == "entropy":
        return lambda p: getattr(getattr(stats, name), method)(*parameters(p))
    return lambda x, p: getattr(getattr(stats, name), method)(x, *parameters(p))


ALL = (*DENSITY, *BELOW, "ppf", "isf", "entropy")
LINE, RIGHT, UNIT = R(2), Operand((2,), 1.2, 4.0), Operand((2,), 1.1, 1.8)


def share(p: Any) -> Any:
    """A number between 0.1 and 0.5 from one between 0.4 and 2."""
    return p / 4


#: (name, methods, values, how many numbers, the parameters that are made of them)
CONTINUOUS: list[tuple[str, Any, Operand, int, Any]] = [
    *((name, ALL, LINE, 2, tuple)
      for name in ("norm", "cauchy", "laplace", "logistic", "gumbel_r", "gumbel_l")),
    ("t", ALL, LINE, 3, tuple),
    ("gennorm", ALL, LINE, 3, lambda p: (1 + p[0], p[1], p[2])),
    ("vonmises", (*DENSITY, "entropy"), LINE, 3, tuple),
    ("expon", ALL, RIGHT, 2, lambda p: (-p[0], p[1])),
    ("gamma", ALL, RIGHT, 3, lambda p: (p[0], -p[1], p[2])),
    ("chi2", ALL, RIGHT, 3, lambda p: (p[0], -p[1], p[2])),
    ("pareto", ALL, RIGHT, 3, lambda p: (p[0], -3 * p[1], p[2])),
    ("halfnorm", ALL, RIGHT, 2, lambda p: (-p[0], p[1])),
    ("lognorm", ALL, RIGHT, 3, lambda p: (p[0], -p[1], p[2])),
    ("invgamma", ALL, RIGHT, 3, lambda p: (p[0], -p[1], p[2])),
    ("weibull_min", ALL, RIGHT, 3, lambda p: (p[0], -p[1], p[2])),
    ("uniform", ALL, UNIT, 2, lambda p: (share(p[0]), 4 * p[1])),
    ("beta", ALL, UNIT, 4, lambda p: (p[0], p[1], share(p[2]), 4 + p[3])),
    ("truncnorm", ALL, UNIT, 4, lambda p: (-p[0], p[1], p[2], 4 + p[3])),
    ("wrapcauchy", ALL, UNIT, 3, lambda p: (share(p[0]), share(p[1]), p[2])),
]  # fmt: skip

WHOLE = Operand((3,), 0, 5, "i")
DISCRETE: list[tuple[str, Any, Operand, int, Any]] = [
    ("bernoulli", ("pmf", "logpmf", "entropy"), Operand((3,), 0, 2, "i"), 1,
     lambda p: (share(p[0]),)),
    ("bernoulli", (*BELOW, "ppf", "isf"), Operand((3,), 0, 1, "i"), 1, lambda p: (share(p[0]),)),
    ("binom", ("pmf", "logpmf", *BELOW, "ppf", "isf"), WHOLE, 1, lambda p: (5, share(p[0]))),
    ("betabinom", ("pmf", "logpmf"), WHOLE, 2, lambda p: (4, p[0], p[1])),
    ("geom", ("pmf", "logpmf", *BELOW, "ppf", "isf", "entropy"), Operand((3,), 1, 6, "i"), 1,
     lambda p: (share(p[0]),)),
    ("nbinom", ("pmf", "logpmf", *BELOW, "ppf", "isf"), WHOLE, 2, lambda p: (p[0], share(p[1]))),
    ("poisson", ("pmf", "logpmf", *BELOW, "ppf", "isf", "entropy"), WHOLE, 1, tuple),
]  # fmt: skip

#: Parameters of other shapes than the value.
BROADCAST = [
    row(ss.gamma.pdf, [P(3), P(2, 1), R(), P(3)],
        lambda x, a, m, s: stats.gamma.pdf(x + 3, a, loc=m, scale=s), bits=False),
    row(ss.poisson.logpmf, [Operand((3,), 0, 5, "i"), P(2, 1)], stats.poisson.logpmf, bits=False),
]  # fmt: skip

ROWS = [*(r for line in (*CONTINUOUS, *DISCRETE) for r in rows_of(*line)), *BROADCAST]
