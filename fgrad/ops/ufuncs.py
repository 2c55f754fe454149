"""Elementwise functions: arithmetic, powers, exponentials, trigonometry, comparisons, rounding.

A partial derivative is written in the form that doesn't overflow, and with the answer where that
saves work. Conventions at kinks: the subgradient of least norm; ties share evenly.
"""

from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np

from ..arrays import PYTHON_SCALARS, aval, namespace, ndarray
from ..core import FRONTS, Array
from ..fronts import given
from ..kinds import scalar
from ..rules import constant, elementwise, line_up, primitive
from ..tracer import register
from .creation import as_array, as_operand

LN2, LN10 = math.log(2.0), math.log(10.0)


# Operators compute these on Python numbers too, and stay Python numbers (NEP 50's weak scalars).
add = elementwise(np.add, 1, 1, impl=operator.add)
subtract = elementwise(np.subtract, 1, -1, impl=operator.sub)
multiply = elementwise(np.multiply, lambda ans, x, y: y, lambda ans, x, y: x, impl=operator.mul)


def _divide_impl(x: Any, y: Any) -> Any:
    try:
        return x / y
    except ZeroDivisionError:  # of Python numbers, in a derivative as in `strong`
        return np.true_divide(x, y)


divide = elementwise(
    np.true_divide,
    lambda t, ans, x, y: t / y,
    lambda t, ans, x, y: -t * ans / y,
    impl=_divide_impl,
)
negative = elementwise(np.negative, -1, impl=operator.neg)
positive = elementwise(np.positive, 1, impl=operator.pos)


def _square(t: Array, ans: Array, x: Array) -> Array:
    u = t * x
    u += u  # in place where it is an array, a new value where it is traced
    return u


square = elementwise(np.square, _square)
reciprocal = elementwise(np.reciprocal, lambda ans, x: -ans * ans)
sqrt = elementwise(np.sqrt, lambda t, ans, x: 0.5 * t / ans)
cbrt = elementwise(np.cbrt, lambda ans, x: (1 / 3) / (ans * ans))


def _zero_as_one(x: Array) -> Array:
    """x with ones for its zeros: where a factor of zero would meet an infinity."""
    return (x or 1) if issubclass(type(x), PYTHON_SCALARS) else np.where(np.equal(x, 0), 1, x)


def ratio(x: Any, y: Any) -> Any:
    """x / y, and 0 where y is 0, in derivatives of it too."""
    zero = np.equal(y, 0)
    return np.where(zero, 0, x) / np.where(zero, 1, y)


def _power_x(ans: Array, x: Array, y: Array) -> Array:
    # x ** 0 is constant, also at x = 0, where x ** (y - 1) is infinite.
    if issubclass(type(y), PYTHON_SCALARS):
        return y * x ** (y - 1) if y != 0 else np.zeros_like(ans)
    zero = np.equal(y, 0)
    return np.where(zero, 0, y * np.power(x, np.where(zero, 1, y - 1)))


def _power_y(ans: Array, x: Array, y: Array) -> Array:
    # 0 ** y is constant for y > 0; log(0) would make it NaN.
    slope = np.log(_zero_as_one(x))
    return ans * (slope.astype(ans.dtype) if hasattr(ans, "dtype") else slope)


def _power_impl(x: Any, y: Any) -> Any:
    if type(x) is ndarray:
        return np.power(x, y)
    # Not operator.pow: x ** 2 of complex numbers is np.square(x), which rounds otherwise.
    both = issubclass(type(x), PYTHON_SCALARS) and issubclass(type(y), PYTHON_SCALARS)
    try:
        return (
            x**y if both else namespace(y if issubclass(type(x), PYTHON_SCALARS) else x).power(x, y)
        )
    except ZeroDivisionError:
        return np.power(np.float64(x), y)


power = elementwise(np.power, _power_x, _power_y, impl=_power_impl)


float_power = elementwise(np.float_power, _power_x, _power_y)

exp = elementwise(np.exp, lambda ans, x: ans)
exp2 = elementwise(np.exp2, lambda ans, x: ans * LN2)
expm1 = elementwise(np.expm1, lambda ans, x: np.exp(x))
log = elementwise(np.log, lambda t, ans, x: t / x)
log2 = elementwise(np.log2, lambda ans, x: 1 / (x * LN2))
log10 = elementwise(np.log10, lambda ans, x: 1 / (x * LN10))
log1p = elementwise(np.log1p, lambda t, ans, x: t / (1 + x))


def _excess(x: Array, y: Array) -> Array:
    """y - x, and 0 where both are the same infinity."""
    same = np.logical_and(np.equal(x, y), np.isinf(x))
    return np.where(same, 0, y) - np.where(same, 0, x)


# Not exp(x - ans): where both are large, the rounding of the answer is, too.
def _logaddexp_x(ans: Array, x: Array, y: Array) -> Array:
    return np.exp(-np.logaddexp(0, _excess(x, y))).astype(ans.dtype)


def _logaddexp_y(ans: Array, x: Array, y: Array) -> Array:
    return _logaddexp_x(ans, y, x)


def _logaddexp2_x(ans: Array, x: Array, y: Array) -> Array:
    return np.exp2(-np.logaddexp2(0, _excess(x, y))).astype(ans.dtype)


def _logaddexp2_y(ans: Array, x: Array, y: Array) -> Array:
    return _logaddexp2_x(ans, y, x)


logaddexp = elementwise(np.logaddexp, _logaddexp_x, _logaddexp_y)
logaddexp2 = elementwise(np.logaddexp2, _logaddexp2_x, _logaddexp2_y)


# For real numbers by hypot, because x * x overflows.
def _arctan_x(ans: Array, x: Array) -> Array:
    return 1 / (1 + x * x) if ans.dtype.kind == "c" else np.square(1 / np.hypot(x, 1))


def _arcsinh_x(ans: Array, x: Array) -> Array:
    return 1 / np.cosh(ans) if ans.dtype.kind == "c" else 1 / np.hypot(x, 1)


sin = elementwise(np.sin, lambda ans, x: np.cos(x))
cos = elementwise(np.cos, lambda ans, x: -np.sin(x))
tan = elementwise(np.tan, lambda t, ans, x: t + t * ans * ans)
arcsin = elementwise(np.arcsin, lambda ans, x: 1 / np.sqrt((1 - x) * (1 + x)))
arccos = elementwise(np.arccos, lambda ans, x: -1 / np.sqrt((1 - x) * (1 + x)))
arctan = elementwise(np.arctan, _arctan_x)
sinh = elementwise(np.sinh, lambda ans, x: np.cosh(x))
cosh = elementwise(np.cosh, lambda ans, x: np.sinh(x))


def _tanh(t: Array, ans: Array, x: Array) -> Array:
    u = t * ans
    u *= ans  # in place where it is an array, a new value where it is traced
    return np.subtract(t, u, u) if type(u) is ndarray else t - u


tanh = elementwise(np.tanh, _tanh)
arcsinh = elementwise(np.arcsinh, _arcsinh_x)
arccosh = elementwise(np.arccosh, lambda ans, x: 1 / (np.sqrt(x - 1) * np.sqrt(x + 1)))
arctanh = elementwise(np.arctanh, lambda ans, x: 1 / ((1 - x) * (1 + x)))
deg2rad = elementwise(np.deg2rad, math.pi / 180)
rad2deg = elementwise(np.rad2deg, 180 / math.pi)
register(np.radians, deg2rad)
register(np.degrees, rad2deg)


arctan2 = elementwise(
    np.arctan2,
    lambda ans, x, y: _over_square(y, np.hypot(x, y)),
    lambda ans, x, y: _over_square(-x, np.hypot(x, y)),
)


def _over_square(x: Array, radius: Array) -> Array:
    """x / radius**2, which doesn't overflow where the square does; 0 at the origin."""
    return ratio(ratio(x, radius), radius)


hypot = elementwise(np.hypot, lambda ans, x, y: ratio(x, ans), lambda ans, x, y: ratio(y, ans))
ldexp = elementwise(np.ldexp, lambda ans, x, y: np.exp2(y), None)
copysign = elementwise(
    np.copysign, lambda ans, x, y: np.copysign(np.ones_like(ans), y) * np.sign(x), None
)
nextafter = elementwise(np.nextafter, 1, None)
heaviside = elementwise(np.heaviside, None, lambda ans, x, y: np.equal(x, 0).astype(ans.dtype))
remainder = elementwise(
    np.remainder, 1, lambda ans, x, y: -np.floor_divide(x, y), impl=operator.mod
)
fmod = elementwise(np.fmod, 1, lambda ans, x, y: -np.rint((x - ans) / y))
register(np.mod, remainder)


# ------------------------------------------------------------------ kinks
def _share(ans: Array, x: Array, y: Array) -> Array:
    """1 where x is the answer, 1/2 where both are, 0 elsewhere."""
    mine, tie = np.equal(x, ans), np.equal(x, y)
    return mine.astype(ans.dtype) * (1 - 0.5 * tie.astype(ans.dtype))


def _share_x(ans: Array, x: Array, y: Array) -> Array:
    return _share(ans, x, y)


def _share_y(ans: Array, x: Array, y: Array) -> Array:
    return _share(ans, y, x)


maximum = elementwise(np.maximum, _share_x, _share_y)
minimum = elementwise(np.minimum, _share_x, _share_y)
fmax = elementwise(np.fmax, _share_x, _share_y)
fmin = elementwise(np.fmin, _share_x, _share_y)


def clip(
    a: Any,
    a_min: Any = None,
    a_max: Any = None,
    out: None = None,
    *,
    min: Any = None,
    max: Any = None,
) -> Any:
    """`numpy.clip`: the smaller of a_max and the larger of a_min and a."""
    given(out=out)
    low = as_operand(a_min if min is None else min, a)
    high = as_operand(a_max if max is None else max, a)
    a = as_array(a)
    if (dtype := aval(a).dtype).kind in "iu":  # Python's ints may be none of the dtype's
        low = None if type(low) is int and low <= np.iinfo(dtype).min else low
        high = None if type(high) is int and high >= np.iinfo(dtype).max else high
    a = a if low is None else np.maximum(a, low)
    return a if high is None else np.minimum(a, high)


register(np.clip, clip)


# ------------------------------------------------------------------ complex: not holomorphic
# Cotangents pair with tangents as real(g * t), so the gradient of a real function of z = x + iy
# is df/dx - i df/dy, as in JAX. For real operands the backward pass takes the real part.
@primitive(
    np.absolute,
    jvp=lambda ts, ans, x: np.real(np.conj(np.sign(x)) * ts[0]),
    vjp=[lambda g, ans, x: g * np.conj(np.sign(x))],
    batch=line_up,
    impl=abs,
)
def absolute(x: Any) -> Any:
    """`numpy.absolute`; its derivative at 0 is 0."""
    return (x,), {}


fabs = elementwise(np.fabs, lambda ans, x: np.sign(x))


def _sign_jvp(ts: Any, ans: Array, x: Array) -> Any:
    if ans.dtype.kind != "c":
        return None
    # z / |z| moves along the unit circle only.
    return 1j * ans * np.imag(np.conj(ans) * ts[0]) / _zero_as_one(np.abs(x))


def _sign_vjp(g: Array, ans: Array, x: Array) -> Any:
    if ans.dtype.kind != "c":
        return None
    return np.real(1j * g * ans) * (-1j * np.conj(ans)) / _zero_as_one(np.abs(x))


@primitive(np.sign, jvp=_sign_jvp, vjp=[_sign_vjp], batch=line_up)
def sign(x: Any) -> Any:
    """`numpy.sign`: constant for real numbers; z / |z| for complex ones, 0 at 0."""
    return (x,), {}


@primitive(np.real, jvp=lambda ts, ans, x: np.real(ts[0]), vjp=[lambda g, ans, x: g], batch=line_up)
def real(x: Any) -> Any:
    """`numpy.real`."""
    return (x,), {}


@primitive(
    np.imag, jvp=lambda ts, ans, x: np.imag(ts[0]), vjp=[lambda g, ans, x: g * -1j], batch=line_up
)
def imag(x: Any) -> Any:
    """`numpy.imag`: zero for real arrays."""
    return (x,), {}


@primitive(
    np.conjugate,
    jvp=lambda ts, ans, x: np.conj(ts[0]),
    vjp=[lambda g, ans, x: np.conj(g)],
    batch=line_up,
)
def conjugate(x: Any) -> Any:
    """`numpy.conjugate`."""
    return (x,), {}


def _angle_jvp(ts: Any, ans: Array, x: Array) -> Any:
    return np.imag(ratio(ts[0], x)) if x.dtype.kind == "c" else None


def _angle_vjp(g: Array, ans: Array, x: Array) -> Any:
    return ratio(g * -1j, x) if x.dtype.kind == "c" else None


@primitive(np.angle, jvp=_angle_jvp, vjp=[_angle_vjp], batch=line_up)
def _angle(x: Any) -> Any:
    return (x,), {}


def angle(z: Any, deg: bool = False) -> Any:
    """`numpy.angle`, in radians or degrees."""
    out = _angle(z)
    return out * (180 / math.pi) if deg else out


register(np.angle, angle)


# ------------------------------------------------------------------ piecewise constant
for _fn in (
    np.floor, np.ceil, np.trunc, np.rint, np.signbit, np.isfinite, np.isinf, np.isnan,
    np.less, np.less_equal, np.greater, np.greater_equal, np.equal, np.not_equal,
    np.logical_and, np.logical_or, np.logical_xor, np.logical_not,
    np.bitwise_and, np.bitwise_or, np.bitwise_xor, np.invert, np.left_shift, np.right_shift,
    np.spacing, np.gcd, np.lcm,
):  # fmt: skip
    constant(_fn)
floor_divide = constant(np.floor_divide, impl=operator.floordiv)
register(np.fix, FRONTS[np.trunc])


def _isclose(
    a: Any, b: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False
) -> Any:
    return (as_operand(a), as_operand(b)), {"rtol": rtol, "atol": atol, "equal_nan": equal_nan}


def _round(a: Any, decimals: int = 0, out: None = None) -> Any:
    given(out=out)
    return (a,), {"decimals": decimals}


isclose = constant(np.isclose, _isclose, batch=line_up)
round_ = constant(np.round, _round)
register(np.around, round_)
register(np.divmod, lambda x, y: (scalar(np.floor_divide(x, y)), scalar(np.remainder(x, y))))


def _floating(x: Any, fn: Any) -> Any:
    """Integers as the floats of NumPy's choice, and what is no array as one."""
    x = as_array(x)
    return x.astype(fn(x.dtype.type(0))[0].dtype) if x.dtype.kind in "biu" else x


def modf(x: Any) -> tuple[Any, Any]:
    """`numpy.modf`: the fraction, 0 of an infinity, and the whole part, with the sign of x."""
    x = _floating(x, np.modf)
    whole = np.trunc(x)
    endless = np.isinf(x)
    part = np.where(endless, 0, x) - np.where(endless, 0, whole)
    # The sign of a zero is that of x: -3.0 has the fraction -0.0, as -(whole - x) is.
    back = np.where(endless, 0, whole) - np.where(endless, 0, x)
    return scalar(np.where(np.signbit(x), -back, part)), whole


register(np.modf, modf)


def _exponent(x: Any) -> Any:
    return (x,), {}


_exponent.__name__ = "frexp"
exponent = constant(_exponent, _exponent, batch=line_up, impl=lambda x: np.frexp(x)[1])


def frexp(x: Any) -> tuple[Any, Any]:
    """`numpy.frexp`: the mantissa, which moves with x, and the exponent, which is constant."""
    x = _floating(x, np.frexp)
    e = exponent(x)
    return np.ldexp(x, -e), e


register(np.frexp, frexp)
