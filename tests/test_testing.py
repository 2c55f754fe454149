"""The checks of fgrad.testing: each kind of mistake is told from the others."""

from __future__ import annotations

import hypothesis.strategies as hst
import numpy as np
import pytest
from hypothesis import given

import fgrad
from fgrad.core import FRONTS, PRIMITIVES
from fgrad.rules import elementwise
from fgrad.testing import (
    CheckError,
    Verdict,
    check_grads,
    check_jvp,
    check_vjp,
    taylor,
)
from fgrad.testing import strategies as st

from .breaking import broken, made, made_vjp, reverse, scaled

X = np.linspace(0.3, 1.7, 6).reshape(2, 3)
DTYPES = [np.float16, np.float32, np.float64, np.complex64, np.complex128]
NARROW = [np.float16, np.float32, np.float64]


def verdict(f, *args, **options):
    return taylor(f, args, **options).verdict


# ------------------------------------------------------------------ right
FUNCTIONS = [
    np.tanh,
    np.exp,
    lambda x: x @ np.swapaxes(x, -1, -2),
    lambda x: np.sum(x * x, axis=0) / 3,
    lambda x: {"a": np.sin(x), "b": [x[0] * x[1], np.mean(x)]},
    lambda x: np.log1p(np.exp(x)),
    lambda x: np.exp(x) / np.sum(np.exp(x), axis=-1, keepdims=True),
    lambda x: x - x,
    lambda x: np.cumsum(x, axis=1)[:, ::-1],
]


@pytest.mark.parametrize("dtype", DTYPES, ids=lambda d: d.__name__)
@pytest.mark.parametrize("f", FUNCTIONS)
def test_right_derivatives_pass_in_every_dtype(f, dtype):
    x = (X * (1 + 0.5j) if np.dtype(dtype).kind == "c" else X).astype(dtype)
    check_grads(f, (x,))
    check_vjp(f, None, (x,))


@given(
    hst.sampled_from(FUNCTIONS),
    hst.sampled_from(DTYPES).flatmap(lambda d: st.arrays(dtype=d, shape=(2, 3))),
    hst.integers(0, 99),
)
def test_right_derivatives_pass_wherever_and_in_any_direction(f, x, seed):
    check_grads(f, (x,), seed=seed)


@pytest.mark.parametrize("n", [1e-12, 1e-6, 1e-3, 1.0, 1e3, 1e6, 1e10])
@pytest.mark.parametrize("f", [np.square, np.log, np.sqrt, np.reciprocal, lambda x: x + 1 / x])
def test_arguments_of_any_size(f, n):
    check_grads(f, (n * X,))


def test_functions_that_change_much_within_the_longest_steps():
    assert verdict(lambda x: np.sin(1e6 * x), X) is Verdict.RIGHT
    assert verdict(lambda x: np.sin(1 / x), 1e-3) is Verdict.RIGHT
    assert verdict(lambda x: np.exp(50 * x), X) is Verdict.RIGHT
    assert verdict(lambda x: x * np.log(x), 1e-9) is Verdict.RIGHT
    assert verdict(lambda x: np.sin(1e6 * x), X, f_jvp=made(np.sin, 1.0)) is Verdict.WRONG


def test_leaves_that_do_not_move():
    def f(p, n, name):
        assert name == "sum"
        return {"y": p["w"] * n, "n": p["i"] + n, "z": p["b"] ** n}

    check_grads(f, ({"w": X, "b": 2.0, "i": np.arange(3), "k": None}, 3, "sum"))
    check_grads(lambda n: 2.0 * n, (3,))  # nothing moves at all


def test_results_of_integers_and_of_nothing():
    check_grads(lambda x: (np.argmax(x), np.sum(x)), (X,))
    check_grads(lambda x: x[:0], (X,))


def test_an_order_of_three():
    check_grads(lambda x: np.sum(x**4), (X,), order=3)


# ------------------------------------------------------------------ wrong
@pytest.mark.parametrize("dtype", NARROW, ids=lambda d: d.__name__)
@pytest.mark.parametrize("by", [1.001, 0.999, -1.0, 0.0, 2.0])
@pytest.mark.parametrize("f", FUNCTIONS[:7])
def test_a_wrong_factor_is_wrong_in_every_dtype(f, by, dtype):
    x = X.astype(dtype)
    for check, rule in ((check_jvp, made), (check_vjp, made_vjp)):
        check(f, rule(f, 1), (x,))
        with pytest.raises(CheckError, match="is wrong in args") as info:
            check(f, rule(f, by), (x,))
        assert info.value.verdict is Verdict.WRONG


def test_a_wrong_derivative_says_what_it_should_be():
    found = taylor(np.tanh, (0.5,), (1.0,), f_jvp=lambda x, t: (np.tanh(*x), 0.8))
    assert not found
    assert found.claimed == 0.8
    assert abs(found.found - (1 - np.tanh(0.5) ** 2)) < 1e-10
    assert found.error < 1e-9
    assert abs(found.slope - 1) < 0.01
    assert abs(taylor(np.tanh, (0.5,)).slope - 2) < 0.01


def test_a_function_that_insists_on_few_digits():
    def half(x):
        return np.tanh(x.astype(np.float16))

    def single(x):
        return np.tanh(x.astype(np.float32))

    for x in (X, X.astype(np.float32)):
        assert verdict(half, x) is Verdict.RIGHT
        assert verdict(single, x) is Verdict.RIGHT
        assert taylor(single, (x,)).dtype == "float32"
        assert verdict(half, x, f_jvp=made(half, 1.5)) is Verdict.WRONG
        assert verdict(single, x, f_jvp=made(single, 1.05)) is Verdict.WRONG


def test_a_derivative_that_is_wrong_in_few_digits_only():
    def f_jvp(args, tangents):
        y, t = fgrad.jvp(np.tanh, args, tangents)
        return y, t if t.dtype == np.float64 else (t * 2).astype(t.dtype)

    assert verdict(np.tanh, X, f_jvp=f_jvp) is Verdict.RIGHT
    for dtype in (np.float16, np.float32):
        found = taylor(np.tanh, (X.astype(dtype),), f_jvp=f_jvp)
        assert found.verdict is Verdict.WRONG
        assert found.dtype == np.dtype(dtype).name


@pytest.fixture
def declared():
    """Declare primitives for a test, and take them back."""
    before = [dict(table) for table in (FRONTS, PRIMITIVES)]
    yield elementwise
    for table, old in zip((FRONTS, PRIMITIVES), before, strict=True):
        table.clear()
        table.update(old)


def wrong_cube(x):
    return x**3


def test_a_wrong_rule_is_found_in_both_modes_and_orders(declared):
    cube = declared(wrong_cube, lambda ans, x: 2 * x**2)
    for modes in (("fwd",), ("rev",), ("fwd", "rev")):
        with pytest.raises(CheckError, match=f"{'vjp' if modes == ('rev',) else 'jvp'} of"):
            check_grads(cube, (X,), modes=modes)


def second_is_wrong(x):
    return np.sin(x)


def test_a_wrong_second_derivative_says_in_which_nesting(declared):
    f = declared(second_is_wrong, lambda ans, x: fgrad.stop_gradient(np.cos(x)))
    check_grads(f, (X,), order=1)
    with pytest.raises(CheckError, match="The jvp of jvp of"):
        check_grads(f, (X,))
    with pytest.raises(CheckError, match="The vjp of vjp of"):
        check_grads(f, (X,), modes=("rev",))


def test_a_vjp_that_is_not_the_adjoint():
    p = PRIMITIVES["cumsum"]
    with broken(p, **reverse(p, scaled)):  # the forward rule is right
        check_jvp(np.cumsum, None, (X,))
        with pytest.raises(CheckError, match="not the adjoint of the jvp in args"):
            check_grads(np.cumsum, (X,), order=1)
        with pytest.raises(CheckError, match="is wrong in args"):
            check_grads(np.cumsum, (X,), order=1, modes=("rev",))


# ------------------------------------------------------------------ can't be told
def relu(x):
    return np.maximum(x, 0.0)


@pytest.mark.parametrize("dtype", NARROW, ids=lambda d: d.__name__)
def test_a_kink_is_told_from_a_wrong_derivative(dtype):
    at = np.array([1.0, 0.0, 2.0], dtype)
    for f in (relu, np.abs, lambda x: np.max(np.stack([x, -x]), 0)):
        found = taylor(f, (at,))
        assert found.verdict is Verdict.KINK
        assert found.place == "result[1]"
        assert abs(found.slope - 1) < 0.1
    found = taylor(np.abs, (at,), (np.ones(3, dtype),))
    assert (round(found.left), round(found.right)) == (-1, 1)
    with pytest.raises(CheckError, match=r"there is a kink in args\[0\]\[1\]") as info:
        check_grads(relu, (at,))
    assert info.value.verdict is Verdict.KINK


def test_a_kink_nearby_is_no_reason_to_give_up():
    for distance in (1e-1, 1e-3, 1e-5, 1e-7, 1e-8):
        x = np.array([1.0, distance, 2.0])
        assert verdict(relu, -x) is Verdict.RIGHT
        assert verdict(np.abs, -x) is Verdict.RIGHT
        assert verdict(relu, x) is Verdict.RIGHT
        assert verdict(relu, x, f_jvp=made(relu, 1.001)) is Verdict.WRONG


def test_a_kink_too_near_to_see_the_function_beside_it():
    found = taylor(relu, (np.array([1.0, 1e-12, 2.0]),), (np.ones(3),))
    assert found.verdict is Verdict.KINK
    assert found.distance < 1e-9


def test_no_subgradient_at_a_kink_is_wrong():
    x = np.array([1.0, 0.0])
    assert verdict(np.abs, x, f_jvp=lambda a, t: (np.abs(a[0]), 3.0 * t[0])) is Verdict.WRONG


def test_a_slope_without_bound_is_a_kink():
    def root(x):
        return np.sqrt(np.abs(x))

    found = taylor(root, (np.zeros(1),), f_jvp=lambda a, t: (root(*a), 0.0 * t[0]))
    assert found.verdict is Verdict.KINK


def test_a_jump():
    def f(x):
        return np.where(x > 0.5, x + 1, x)

    assert verdict(f, np.array([0.5, 0.7])) is Verdict.JUMP
    assert verdict(f, np.array([0.5 + 1e-5, 0.7])) is Verdict.RIGHT
    assert verdict(np.floor, np.array([1.0])) is Verdict.JUMP
    assert verdict(np.floor, np.array([1.1])) is Verdict.RIGHT
    with pytest.raises(CheckError, match="a jump"):
        check_grads(f, (np.array([0.5, 0.7]),))


def test_rounding_is_told_from_a_wrong_derivative():
    def f(x):
        return (x + 1e12) - 1e12

    assert verdict(f, X) is Verdict.ROUNDING
    assert verdict(f, X, f_jvp=made(f, 1.5)) is Verdict.WRONG
    assert verdict(lambda x: x + 1e16, X) is Verdict.ROUNDING
    assert verdict(lambda x: x + 1e12, X) is Verdict.ROUNDING
    with pytest.raises(CheckError, match="rounding hides"):
        check_grads(f, (X,))
    check_grads(f, (X,), atol=1e-1, rtol=1e-1)


def test_rounding_in_few_digits():
    def f(x):
        return np.sum(np.exp(x + 5) - np.exp(5.0).astype(x.dtype) * np.exp(x)) + x[0]

    x = np.array([1e-3, 2e-3], np.float16)
    assert verdict(f, x.astype(np.float64)) is Verdict.RIGHT
    assert verdict(f, x) is Verdict.ROUNDING


def test_a_zero_derivative_of_something_large_is_no_doubt():
    check_grads(lambda x: np.sum(1e6 * np.exp(x) / np.sum(np.exp(x))), (X,))


def test_what_is_not_finite():
    for f, x in ((np.log, -1.0), (np.log, 0.0), (np.sqrt, 0.0), (np.exp, 800.0)):
        assert verdict(f, np.array([x, 1.0])) is Verdict.NONFINITE
    found = taylor(np.tanh, (X,), f_jvp=lambda a, t: (np.tanh(*a), np.nan * t[0]))
    assert found.verdict is Verdict.NONFINITE
    big = np.array([300.0], np.float16)
    assert verdict(lambda x: (x * x) / 300, big) is Verdict.NONFINITE  # 65504 is float16's end
    with pytest.raises(CheckError, match="not finite"):
        check_grads(np.log, (np.array([0.0]),))
    with pytest.raises(CheckError, match="not finite"):
        check_vjp(np.tanh, made_vjp(np.tanh, np.nan), (X,))
