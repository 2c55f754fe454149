"""Rows of the elementwise functions and of casts."""

from __future__ import annotations

import warnings

import numpy as np

import fgrad
import fgrad.numpy

from .row import B, I, P, R, constant, linear, multilinear, row

UNIT = R(2, 3, low=-0.9, high=0.9)
ABOVE_ONE = R(2, 3, low=1.2, high=3.0)

#: Smooth functions of one operand: where they are defined, and whether for complex numbers too.
SMOOTH = [
    *((f, R(2, 3), True) for f in (
        np.square, np.exp, np.exp2, np.expm1, np.sin, np.cos, np.sinh, np.cosh, np.tanh, np.arctan,
        np.arcsinh)),
    *((f, P(2, 3), True) for f in (
        np.reciprocal, np.sqrt, np.log, np.log2, np.log10, np.log1p)),
    (np.cbrt, P(2, 3), False), (np.tan, R(2, 3, low=-1.2, high=1.2), True),
    (np.arcsin, UNIT, True), (np.arccos, UNIT, True), (np.arctanh, UNIT, True),
    (np.arccosh, ABOVE_ONE, True), (np.fabs, R(2, 3), False),
]  # fmt: skip

LINEAR = [
    (np.negative, True), (np.positive, True), (np.conjugate, True), (np.real, True),
    (np.imag, True), (np.deg2rad, False), (np.rad2deg, False), (np.radians, False),
    (np.degrees, False), (np.copy, True),
]  # fmt: skip

#: Functions of two operands that are smooth, or have kinks that the samples keep away from.
BINARY = [
    (np.true_divide, R(2, 3), P(2, 3), True), (np.power, P(2, 3), R(2, 3), True),
    (np.float_power, P(2, 3), R(2, 3), True), (np.logaddexp, R(2, 3), R(2, 3), False),
    (np.logaddexp2, R(2, 3), R(2, 3), False), (np.arctan2, R(2, 3), R(2, 3), False),
    (np.hypot, R(2, 3), R(2, 3), False), (np.copysign, R(2, 3), R(2, 3), False),
    (np.remainder, R(2, 3), P(2, 3), False), (np.mod, R(2, 3), P(2, 3), False),
    (np.fmod, R(2, 3), P(2, 3), False),
    *((f, R(2, 3), R(2, 3), False) for f in (np.maximum, np.minimum, np.fmax, np.fmin)),
]  # fmt: skip

TRUTH = [np.signbit, np.isfinite, np.isinf, np.isnan, np.logical_not]
ROUNDING = [np.floor, np.ceil, np.trunc, np.rint, np.spacing]
COMPARISONS = [
    np.less, np.less_equal, np.greater, np.greater_equal, np.equal, np.not_equal, np.logical_and,
    np.logical_or, np.logical_xor, np.floor_divide,
]  # fmt: skip
INTEGERS = [np.bitwise_and, np.bitwise_or, np.bitwise_xor, np.left_shift, np.right_shift, np.gcd,
            np.lcm]  # fmt: skip


def _fix(x):
    with warnings.catch_warnings():  # NumPy 2.5 wants np.trunc in its place
        warnings.simplefilter("ignore", DeprecationWarning)
        return np.fix(x)


ROWS = [
    *(row(f, [x], complex=c) for f, x, c in SMOOTH),
    *(row(f, [()]) for f in (np.square, np.fabs)),
    *(linear(f, [(2, 3)], complex=c) for f, c in LINEAR),
    linear(np.copy, [()]),
    *(linear(f, [(2, 3), (2, 3)]) for f in (np.add, np.subtract)),
    *(row(f, [x, y], complex=c) for f, x, y, c in BINARY),
    # Broadcasting and scalars, once for each kind of partial derivative.
    linear(np.add, [(3, 1), (2, 1, 4)]),
    linear(np.add, [(), (2, 3)]),
    linear(np.subtract, [(2, 3), ()]),
    linear(np.add, [(2, 3)], lambda x: 1.5 + x + 2),
    linear(np.subtract, [(2, 3)], lambda x: 1.5 - (x - 2), kind="smooth"),
    multilinear(np.multiply, [(2, 3), (2, 3)]),
    multilinear(np.multiply, [(3, 1), (1, 2)]),
    multilinear(np.multiply, [(), ()]),
    multilinear(np.multiply, [(2, 3)], lambda x: 2 * x * 0.5),
    row(np.multiply, [(2, 3)], lambda x: x * x, complex=True),
    row(np.true_divide, [(2, 1), P(3)], lambda x, y: x / y),
    row(np.true_divide, [P(2, 3)], lambda x: 2 / x - x / 4),
    row(np.logaddexp, [(2, 1), (3,)]),
    row(np.maximum, [(2, 1), (3,)]),
    row(np.maximum, [(2, 3)], lambda x: np.maximum(x, 0)),
    row(np.arctan2, [(2, 1), ()]),
    row(np.power, [P(2, 1), (3,)]),
    *(
        row(np.power, [P(2, 3)], lambda x, y=y: x**y, complex=True)
        for y in (-1, 0, 0.5, 1, 2, 3, 2.5)
    ),
    *(
        row(np.power, [P(2, 3)], lambda x, y=y: np.power(x, y), complex=True)
        for y in (-1.0, 0, 0.5, 1, 2, 3, 2.5)
    ),
    row(np.power, [R(2, 3)], lambda x: 2.0**x),
    row(np.power, [R(2, 3), I(3)], complex=True),
    row(np.remainder, [(2, 3)], lambda x: x % 0.7),
    row(np.divmod, [(2, 3), P(3)]),
    row(np.modf, [(2, 3)]),
    linear(np.modf, [(2, 3)], lambda x: np.modf(x - x)[0], complex=False),
    row(np.frexp, [(2, 3)]),
    constant(np.frexp, [I(3)], np.frexp),
    row(np.i0, [(2, 3)]),
    row(np.i0, [R(3, low=-0.1, high=0.1)]),
    row(np.clip, [(2, 3)], lambda x: np.clip(x, [-1.01, -0.5, 0.2], 0.73)),
    linear(np.nextafter, [(2, 3), (2, 3)], complex=False, kind="smooth"),
    row(np.heaviside, [(2, 3), (2, 3)]),
    linear(
        np.heaviside,
        [(2, 3)],
        lambda y: np.heaviside(np.array([-1, 0, 2.0]), y),
        complex=False,
        kind="smooth",
    ),
    row(np.ldexp, [(2, 3), I(3)], kind="linear"),
    row(np.absolute, [(2, 3)], complex=True),
    row(np.absolute, [(2, 3)], abs, complex=True),
    row(np.sign, [(2, 3)], complex=True),
    row(np.angle, [P(2, 3)], complex=True),
    row(np.angle, [P(2, 3)], lambda z: np.angle(z, deg=True), complex=True),
    # Composed of primitives.
    row(np.clip, [(3, 4)], lambda x: np.clip(x, -1.01, 0.73)),
    row(np.clip, [(3, 4)], lambda x: np.clip(x, None, 0.73)),
    row(np.clip, [(3, 4)], lambda x: x.clip(-1.01)),
    row(np.clip, [(3, 4), R(4, low=-2, high=-0.5), R(4, low=0.5, high=2)]),
    # Casts, and arrays like others.
    linear(np.astype, [(2, 3)], lambda x: np.astype(x, np.complex128)),
    linear(np.astype, [(2, 3)], lambda x: x.astype(x.dtype)),
    constant(np.astype, [(2, 3)], lambda x: np.astype(x, np.int32)),
    constant(np.astype, [(2, 3)], lambda x: x.astype(bool), complex=True),
    constant(np.zeros_like, [(2, 3)]),
    constant(np.ones_like, [(2, 3)], lambda x: np.ones_like(x, dtype=np.float32)),
    constant(np.empty_like, [(2, 3)], lambda x: np.empty_like(x) * 0 == 0),
    constant(np.full_like, [(2, 3)], lambda x: np.full_like(x, 3)),
    linear(np.full_like, [(2, 3), ()], lambda x, v: fgrad.numpy.full_like(x, v)),
    constant(fgrad.stop_gradient, [(2, 3)], fgrad.stop_gradient),
    # Piecewise constant.
    *(constant(f, [(2, 3)]) for f in (*TRUTH, *ROUNDING)),
    constant(np.fix, [(2, 3)], _fix),
    *(constant(f, [(2, 3)], lambda x, f=f: f(np.where(x > 0, np.inf, x - x))) for f in TRUTH),
    *(constant(f, [(2, 1), R(2, low=0.3)]) for f in COMPARISONS),
    constant(np.isnan, [(2, 3)], lambda x: np.isnan(np.where(x > 0, np.nan, x))),
    *(constant(f, [I(3), I(2, 3, low=1)]) for f in COMPARISONS),
    constant(np.logical_or, [B(3), B(2, 3)]),
    constant(np.spacing, [(2, 3)], lambda x: np.spacing(x) * 1e16),
    *(constant(f, [I(2, 1), I(3)]) for f in INTEGERS),
    constant(np.invert, [I(2, 3)]),
    constant(np.invert, [B(2, 3)], lambda x: ~x),
    constant(np.less, [(2, 3)], lambda x: (x < 0.1) & (x >= -1) | (x > 1)),
    constant(np.isclose, [(2, 3), (3,)]),
    constant(np.isclose, [(2, 3)], lambda x: np.isclose(x, 0.5, rtol=0, atol=1.0)),
    constant(np.allclose, [(2, 3), (3,)]),
    constant(np.round, [(2, 3)]),
    constant(np.around, [(2, 3)], lambda x: np.around(x, 1)),
    constant(np.round, [(2, 3)], lambda x: x.round(decimals=2)),
]
