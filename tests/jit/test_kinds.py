"""Compiled functions give numbers of the kind that the function itself gives."""

from __future__ import annotations

import random
import warnings

import numpy as np
import pytest

import fgrad
import fgrad.numpy as fnp
from fgrad import (
    checkpoint,
    cond,
    fori_loop,
    grad,
    hessian,
    jit,
    jvp,
    linearize,
    scan,
    value_and_grad,
    vjp,
    vmap,
    while_loop,
)
from fgrad.kinds import kind_of

F32 = np.float32
NUMBERS = [
    2.0, -0.0, 3, 0.5 + 1j, np.float64(2), np.float64(-0.0), F32(2), np.float16(2), np.int64(3),
    np.array(2.0), np.array(2.0, F32), np.array(3), np.array(1j), np.array([1.5, -0.5, 2.0]),
    np.array([-0.0, 1.0]), np.array([1.5, -0.5], F32), np.zeros(0), np.zeros((0, 3), F32),
    np.array([3, -2], np.int32), np.array([[1.0]]), True,
]  # fmt: skip
FLOATS = [x for x in NUMBERS if np.asarray(x).dtype.kind in "fc"]
UNARY = [
    np.sin, np.negative, np.abs, np.square, np.sqrt, np.real, np.copy, np.ravel, np.sum, np.mean,
    np.max, np.cumsum, np.isnan, np.atleast_1d, np.nan_to_num, np.nanmax, np.sign, np.floor,
    lambda x: -x, lambda x: +x, lambda x: x * 2, lambda x: 2.0 * x + 1, lambda x: x**2,
    lambda x: x**0.5, lambda x: x / 3, lambda x: x // 2, lambda x: x % 2, lambda x: x > 0,
    lambda x: x == x, lambda x: F32(2) * x, lambda x: np.add(x, 1.0), lambda x: np.multiply(x, x),
    lambda x: np.float_power(x, 2), lambda x: np.power(x, 3), lambda x: np.modf(x)[0],
    lambda x: np.divmod(x, 2)[0], lambda x: round(x, 1), lambda x: np.reshape(x, ()),
    lambda x: np.reshape(x, (1,)), lambda x: x[None], lambda x: x[()], lambda x: x[0],
    lambda x: np.where(x > 0, x, 0.0), lambda x: np.stack([x, x])[1], lambda x: np.repeat(x, 2),
    lambda x: np.repeat(x, 2, axis=0), lambda x: np.take(x, [0], axis=0), lambda x: np.pad(x, 1),
    lambda x: np.argsort(x, axis=-1), lambda x: np.logaddexp.reduce(x), lambda x: np.ldexp(x, 2),
    lambda x: np.inner(x, x), lambda x: np.quantile(x, 0.5), lambda x: np.interp(x, [0, 1], [2, 3]),
    lambda x: np.broadcast_arrays(x, x)[0], fnp.asarray, lambda x: np.sum(x, axis=()),
    fgrad.stop_gradient,
]  # fmt: skip
BINARY = [
    np.add, np.multiply, np.maximum, np.arctan2, np.inner, np.divide, lambda x, y: x + y,
    lambda x, y: x * y, lambda x, y: x - y, lambda x, y: x < y, lambda x, y: x // y,
    lambda x, y: np.clip(x, y, 9.0), lambda x, y: np.clip(x, None, y), lambda x, y: (x > 1) * y,
    lambda x, y: np.multiply.outer(x, y), lambda x, y: np.where(x > 1, x, y),
]  # fmt: skip


def same(got, want):
    """Equal in structure, and in type, dtype, shape and numbers of each leaf."""
    a, b = fgrad.tree.flatten(got), fgrad.tree.flatten(want)
    assert a[1] == b[1]
    for x, y in zip(a[0], b[0], strict=True):
        assert type(x) is type(y), f"{x!r}, not {y!r}"
        p, q = np.asarray(x), np.asarray(y)
        assert (p.dtype, p.shape) == (q.dtype, q.shape)
        np.testing.assert_allclose(p, q, rtol=1e-2 if p.dtype == np.float16 else 1e-5, atol=1e-7)


def agree(f, compiled, *xs):
    """Two functions agree, if the first has an answer: on the recorded call and on later ones."""
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            want = f(*xs)
        except (TypeError, ValueError, IndexError, AttributeError, ZeroDivisionError):
            return
        for _ in range(3):
            same(compiled(*xs), want)


def total(f):
    def summed(*xs):
        return sum((np.sum(np.real(y) * 1.0) for y in fgrad.tree.leaves(f(*xs))), 0.0)

    return summed


@pytest.mark.parametrize("f", UNARY, ids=map(str, range(len(UNARY))))
def test_functions_of_one_number(f):
    for k, x in enumerate(NUMBERS):
        agree(f, jit(f, reassociate=k % 2 == 0), x)


@pytest.mark.parametrize("f", BINARY, ids=map(str, range(len(BINARY))))
def test_functions_of_two_numbers(f):
    compiled = jit(f)
    for x in NUMBERS:
        for y in (2.0, 3, F32(2), np.array([1.0, 2.0], F32)):
            agree(f, compiled, x, y)
            agree(f, compiled, y, x)


def tangent(x):
    """A tangent of the kind of x."""
    t = type(x)(0.5) if type(x) in (float, complex) else np.full_like(x, 0.5)
    return t[()] if isinstance(x, np.generic) else t


TRANSFORMS = {
    "grad": (lambda f: value_and_grad(total(f)), lambda g: g),
    "grad of jit": (lambda f: value_and_grad(total(f)), lambda f: value_and_grad(total(jit(f)))),
    "second": (lambda f: grad(total(grad(total(f)))), lambda g: g),
    "vjp": (lambda f: lambda x: vjp(f, x)[1](vjp(f, x)[0]), lambda g: g),
    "jvp": (lambda f: lambda x, t: jvp(f, (x,), (t,)), lambda g: g),
    "jvp of jit": (
        lambda f: lambda x, t: jvp(f, (x,), (t,)), lambda f: lambda x, t: jvp(jit(f), (x,), (t,))),
    "jit": (lambda f: f, lambda f: lambda *xs: jit(f)(*xs)),
}  # fmt: skip


@pytest.mark.parametrize("name", TRANSFORMS)
def test_functions_of_one_number_under_transformations(name):
    of, around = TRANSFORMS[name]
    chosen = random.Random(name)
    for f in chosen.sample(UNARY, 20):
        wanted = of(f)
        compiled = around(f) if " of " in name or name == "jit" else jit(wanted)
        for x in chosen.sample(FLOATS, 4):
            agree(wanted, compiled, *([x, tangent(x)] if "jvp" in name else [x]))


def test_gradients_in_python_numbers_are_python_numbers():
    def f(x):
        return x * x + 3 * x

    for compiled in (jit(grad(f)), grad(jit(f)), jit(grad(jit(f))), jit(jit(grad(f)))):
        for _ in range(3):
            same(compiled(2.0), 7.0)
            same(compiled(np.float64(2)), np.float64(7))
            same(compiled(np.array(2.0)), np.array(7.0))
    second = jit(grad(grad(f)))
    for _ in range(3):
        same(second(2.0), 2.0)
        same(jit(hessian(f))(np.array(2.0)), hessian(f)(np.array(2.0)))


@pytest.mark.parametrize("around", [lambda f: f, jit, lambda f: jit(jit(f))])
def test_a_gradient_in_a_python_number_takes_its_dtype_from_the_array_beside_it(around):
    a = np.ones(3, F32)

    def f(x):
        return np.sum(grad(lambda x: x * x)(x) * a)

    same(around(f)(2.0), F32(12))
    value, slope = around(value_and_grad(f))(2.0)
    same((value, slope), (F32(12), 6.0))
    same(around(lambda x: jvp(f, (x,), (1.0,)))(2.0), (F32(12), F32(6)))


def test_python_numbers_under_numpys_functions_have_a_dtype():
    a = np.ones(3, F32)
    for f in (lambda x: np.add(x, 1.0) * a, lambda x: np.abs(x) * a, lambda x: (x + 1.0) * a,
              lambda x: (x // 1.0) * a, lambda x: fnp.asarray(x) * a):  # fmt: skip
        want = f(2.0)
        same(jit(f)(2.0), want)
        same(jvp(f, (2.0,), (1.0,))[0], want)


def test_a_python_number_is_a_tangent_or_cotangent_of_a_numpy_number():
    for x in (np.float64(2), np.array(2.0), F32(2)):
        for f in (lambda x: x[None], lambda x: np.reshape(x, (1,)) * x):
            want = jvp(f, (x,), (x * 0 + 1,))
            same(jvp(f, (x,), (1.0,)), want)
            same(jvp(jit(f), (x,), (1.0,)), want)
            same(jit(lambda x, f=f: jvp(f, (x,), (1.0,)))(x), want)
        same(vjp(lambda x: x[None][0], x)[1](1.0), vjp(lambda x: x[None][0], x)[1](x * 0 + 1))


def test_the_gradient_in_a_list_has_the_dtype_of_its_leaf():
    x = np.array([1.5, -0.5], F32)
    for f in (lambda x: np.sum(np.arctan2(x, 1.0)), lambda x: np.sum(np.ldexp(x, 2))):
        for g in (grad(f)(x), grad(lambda p, f=f: f(p[0]))([x])[0], jit(grad(f))(x)):
            assert g.dtype == F32


@pytest.mark.parametrize("result", [None, [], {}, "a", (None, ()), 3, True, np.array([1, 2])],
                         ids=repr)  # fmt: skip
def test_a_function_without_results_that_move_under_transformations(result):
    silent, x = jit(lambda x: result), np.array([1.0, 2.0])

    def f(x):
        silent(x)
        return np.sum(x * x)

    same(grad(f)(x), 2 * x)
    same(jvp(f, (x,), (x,)), (np.float64(5), np.float64(10)))
    same(grad(checkpoint(f))(x), 2 * x)
    same(vmap(grad(f))(np.stack([x, x])), np.stack([2 * x, 2 * x]))
    same(hessian(f)(x), 2 * np.eye(2))
    same(linearize(f, x)[1](x), np.float64(10))
    assert grad(lambda x: (np.sum(x), silent(x)), has_aux=True)(x)[1] is not x


LOOPS = {
    "cond": lambda x: cond(x > 1, lambda y: y * 2, lambda y: y * 3, x),
    "while": lambda x: while_loop(lambda y: y < 10, lambda y: y * 2, x),
    "for": lambda x: fori_loop(0, 3, lambda i, y: y * 2 + i, x),
    "scan": lambda x: scan(lambda c, a: (c * 2, c * a), x, np.arange(3.0)),
    "map": lambda x: fgrad.map(lambda a: a * x, np.arange(3.0)),
    "if": lambda x: x * 2 if x > 1 else x - 1,
    "and": lambda x: x > 0 and x < 3,
    "max": lambda x: max(x, 1.0),
    "sum": lambda x: sum([x, x, 1]),
    "checkpoint": lambda x: checkpoint(lambda y: np.sin(y) * y)(x),
    "gradient": lambda x: value_and_grad(lambda y: y * y * y)(x),
    "linearize": lambda x: linearize(lambda y: y * y, x)[1](x),
    "jet": lambda x: fgrad.jet(lambda y: y * y, (x,), ((x, x),)),
}


@pytest.mark.parametrize("name", LOOPS)
def test_control_flow_and_derivatives_inside(name):
    f = LOOPS[name]
    for x in (1.5, 2, np.float64(1.5), F32(1.5), np.array(1.5), np.array(1.5, F32)):
        agree(f, jit(f), x)
        if type(x) is not int:
            agree(lambda x: jvp(f, (x,), (x,)), lambda x: jvp(jit(f), (x,), (x,)), x)


def test_signs_of_zeros_and_integer_operands_are_kept():
    for f in (
        lambda x: np.sum(x, axis=()), lambda x: np.sum(np.atleast_2d(x), axis=0),
        lambda x: x**0.5, lambda x: np.ldexp(x, 2), lambda x: np.float_power(x, 3),
    ):  # fmt: skip
        compiled = jit(f, reassociate=False)
        for x in (np.float64(-0.0), np.array([-0.0, 0.0, 1.5])):
            for _ in range(3):
                got, want = np.asarray(compiled(x)), np.asarray(f(x))
                assert got.tobytes() == want.tobytes()


def test_machine_code_gives_the_same_kinds():
    for f in UNARY[18:32]:
        compiled = jit(f, backend="native")
        for x in (2.0, np.float64(2), F32(2), np.array(2.0), np.array([1.5, 2.0])):
            agree(f, compiled, x)


def test_the_kind_of_a_number():
    assert [kind_of(x) for x in (True, 2, 2.0, 1j)] == [bool, int, float, complex]
    assert kind_of(F32(2)) is kind_of(np.float64(2)) is np.generic
    assert kind_of(np.array(2)) is np.ndarray
    assert kind_of(np.ones(1)) is kind_of("a") is None
