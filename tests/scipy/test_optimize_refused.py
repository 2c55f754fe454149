"""What the solvers of scipy.optimize refuse, and what they say."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.optimize as so

import fgrad
from fgrad.errors import (
    ArgumentError,
    ConvergenceError,
    DtypeError,
    ShapeError,
    TracerConversionError,
    TreeError,
)
from fgrad.scipy import optimize


def grad_of(solution, at=1.0):
    return lambda: fgrad.grad(solution)(at)


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: optimize.minimize(lambda x: x**2, np.ones(2)), ShapeError, "real number"),
        (lambda: optimize.minimize(lambda x: 1j * x, 1.0), DtypeError, "real number"),
        (lambda: optimize.minimize(lambda x: {"a": 1}, 1.0), DtypeError, "real number"),
        (lambda: optimize.minimize(3, 1.0), ArgumentError, "wants a function"),
        (lambda: optimize.minimize(lambda x: x, 1.0, callback=3), ArgumentError, "callback"),
        (lambda: optimize.minimize(lambda x: x, "a"), DtypeError, "pytree of arrays of numbers"),
        (lambda: optimize.minimize(lambda x: x, 1.0, method="none"), ValueError, "Unknown solver"),
        (lambda: optimize.minimize(lambda x: x["u"], {"u": 1.0}, jac=lambda x: [1.0]), TreeError,
         "a pytree like x0"),
        (lambda: optimize.minimize(lambda x: x @ x, np.ones(2), bounds=[(0, 1)]), ShapeError,
         "for each element"),
        (lambda: optimize.minimize(lambda x: x["u"], {"u": 1.0}, bounds=3), ArgumentError,
         r"pair \(lower, upper\)"),
        (lambda: optimize.minimize(lambda x: x @ x, np.ones(2), bounds=so.Bounds(np.ones(3), 2)),
         ShapeError, "fit the unknowns"),
        (lambda: optimize.minimize(lambda x: abs(x), 1j, bounds=[(0, 1)]), ArgumentError,
         "real unknowns"),
        (lambda: optimize.minimize(lambda x: x, 1.0, constraints={"type": "lt"}), ArgumentError,
         "one of SciPy's forms"),
        (lambda: optimize.root(lambda x: x[0], np.ones(2)), ShapeError, "as many numbers as x0"),
        (lambda: optimize.root(lambda x: {"a": "b"}, 1.0), DtypeError, r"\['a'\]"),
        (lambda: optimize.root(lambda x: x, 1.0, jac=lambda x: np.ones(3)), ShapeError,
         "Jacobian of shape"),
        (lambda: optimize.brentq(lambda x: x, np.zeros(2), 1.0), ShapeError, "where to look"),
        (lambda: optimize.minimize_scalar(lambda x: x, bounds=3), ArgumentError, "pair"),
        (lambda: optimize.curve_fit(np.power, 1, np.ones(1)), ArgumentError, "p0"),
        (grad_of(lambda a: optimize.minimize(lambda x: (x[0] - a) ** 2, np.ones(2)).x[0]),
         ConvergenceError, "isolated"),
        (grad_of(lambda a: optimize.root(lambda x: x**2 + a, 3.0, options={"maxfev": 3}).x),
         ConvergenceError, "Newton's next step"),
        (grad_of(lambda a: optimize.least_squares(lambda x: x - a, 1.0, loss=lambda z: z).x),
         ArgumentError, "the name of a loss"),
    ],
)  # fmt: skip
def test_refused(call, error, text):
    with pytest.raises(error, match=text):
        call()


def test_a_traced_value_that_comes_late_is_refused():
    def solution(a):
        seen = []

        def f(x):
            seen.append(x)
            return x - 2.0 if len(seen) < 3 else x - a

        return optimize.root(f, 1.0).x

    with pytest.raises(TracerConversionError, match="same traced values in each call"):
        fgrad.grad(solution)(1.0)
