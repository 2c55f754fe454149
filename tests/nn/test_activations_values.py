"""Activations of single numbers: formulas, infinities, kinks, derivatives, dtypes."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest
import scipy.special as sp

import fgrad
import fgrad_nn as nn
from fgrad import random
from fgrad.errors import ShapeError
from fgrad.testing import check_grads, check_vmap
from fgrad_nn.masks import keep

INF = np.inf
#: Name -> the formula, and the limits at minus and plus infinity.
FORMULAS = {
    "silu": (lambda x: x * sp.expit(x), 0, INF),
    "mish": (lambda x: x * np.tanh(np.logaddexp(x, 0)), 0, INF),
    "gelu": (
        lambda x: 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))), 0, INF,
    ),
    "elu": (lambda x: np.where(x > 0, x, sp.expm1(np.minimum(x, 0))), -1, INF),
    "selu": (
        lambda x: 1.0507009873554805
        * np.where(x > 0, x, 1.6732632423543772 * sp.expm1(np.minimum(x, 0))),
        -1.7580993408473766, INF,
    ),
    "celu": (lambda x: np.where(x > 0, x, sp.expm1(np.minimum(x, 0))), -1, INF),
    "log_sigmoid": (sp.log_expit, -INF, 0),
    "softplus": (lambda x: np.logaddexp(x, 0), 0, INF),
    "sigmoid": (sp.expit, 0, 1),
    "softsign": (lambda x: x / (1 + abs(x)), -1, 1),
    "squareplus": (lambda x: (x + np.sqrt(x * x + 4)) / 2, 0, INF),
    "relu": (lambda x: np.maximum(x, 0), 0, INF),
    "relu6": (lambda x: np.clip(x, 0, 6), 0, 6),
    "leaky_relu": (lambda x: np.where(x > 0, x, 0.01 * x), -INF, INF),
    "hard_tanh": (lambda x: np.clip(x, -1, 1), -1, 1),
    "hard_sigmoid": (lambda x: np.clip(x + 3, 0, 6) / 6, 0, 1),
    "hard_silu": (lambda x: x * np.clip(x + 3, 0, 6) / 6, 0, INF),
    "hard_shrink": (lambda x: np.where(abs(x) > 0.5, x, 0), -INF, INF),
    "soft_shrink": (lambda x: np.sign(x) * np.maximum(abs(x) - 0.5, 0), -INF, INF),
    "tanh_shrink": (lambda x: x - np.tanh(x), -INF, INF),
    "sparse_plus": (lambda x: np.where(x > 1, x, (np.maximum(x, -1) + 1) ** 2 / 4), 0, INF),
    "sparse_sigmoid": (lambda x: np.clip(x + 1, 0, 2) / 2, 0, 1),
}  # fmt: skip
NAMES = pytest.mark.parametrize("name", FORMULAS)
X = np.linspace(-7.13, 7.01, 23)


@NAMES
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_values_and_slopes(name, dtype):
    f, x = getattr(nn, name), X.astype(dtype)
    want = FORMULAS[name][0](x.astype(float))
    np.testing.assert_allclose(f(x), want, rtol=40 * np.finfo(dtype).eps, atol=np.finfo(dtype).eps)
    g = fgrad.grad(lambda x: np.sum(f(x)))(x)
    assert f(x).dtype == g.dtype == dtype
    check_grads(f, (X,), order=2)
    check_vmap(fgrad.vmap(fgrad.grad(f)), (X,))


@NAMES
def test_infinities_and_numbers_far_out(name):
    f, (_, low, high) = getattr(nn, name), FORMULAS[name]
    np.testing.assert_array_equal(f(np.array([-INF, INF])), [low, high])
    far = np.array([-1e300, -800.0, 800.0, 1e300])
    assert np.isfinite(f(far)).all()
    with np.errstate(invalid="ignore"):  # np.logaddexp warns
        assert np.isnan(f(np.array([np.nan])))
    slopes = fgrad.vmap(fgrad.grad(f))(np.array([-INF, *far, INF]))
    # Both ends are straight: the slope is 0 or 1, or that of leaky_relu.
    assert set(slopes.round(5)) <= {0, 1, 0.01, 1.0507}
    for half, end in ((slopes[:3], low), (slopes[3:], high)):
        assert np.all(half.round(5) == half[0].round(5)), slopes
        assert np.isfinite(end) == (abs(half[0]) < 1e-5)


@pytest.mark.parametrize(
    ("f", "kinks"),
    [
        (nn.relu, {0: 0}), (nn.relu6, {0: 0, 6: 0}), (nn.leaky_relu, {0: 0.01}),
        (lambda x: nn.leaky_relu(x, 3.0), {0: 1}), (lambda x: nn.leaky_relu(x, -1.0), {0: 0}),
        (nn.hard_tanh, {-1: 0, 1: 0}), (nn.hard_sigmoid, {-3: 0, 3: 0}),
        (nn.hard_silu, {-3: 0, 3: 1}), (nn.soft_shrink, {-0.5: 0, 0.5: 0}),
        (nn.hard_shrink, {-0.5: 0, 0.5: 0}), (nn.elu, {0: 1}),
        (lambda x: nn.elu(x, 0.5), {0: 0.5}), (lambda x: nn.elu(x, 2.0), {0: 1}),
        (lambda x: nn.squareplus(x, 0.0), {1: 1, -1: 0}), (nn.sparse_plus, {-1: 0, 1: 1}),
        (lambda x: nn.threshold(x, 1.0, -1.0), {1: 0, 2: 1}),
        (nn.selu, {0: 1.0507009873554805}),
    ],
)  # fmt: skip
def test_at_a_kink_the_slope_nearest_to_zero_counts(f, kinks):
    for x, slope in kinks.items():
        assert fgrad.grad(f)(float(x)) == pytest.approx(slope)
        assert fgrad.jvp(f, (float(x),), (1.0,))[1] == pytest.approx(slope)


@pytest.mark.parametrize(
    "f", [nn.leaky_relu, nn.elu, nn.celu, nn.soft_shrink, nn.squareplus], ids=lambda f: f.__name__
)
def test_their_parameters_have_derivatives_too(f):
    check_grads(f, (X[3:20:4], 0.7), order=2)


def test_gelu_is_exact_where_it_is_asked_to_be():
    x = np.concatenate([np.linspace(-37, 37, 2001), [-INF, INF]])
    got = nn.gelu(x, approximate=False)[:-2]
    np.testing.assert_allclose(got, x[:-2] * sp.ndtr(x[:-2]), rtol=1e-12)
    np.testing.assert_array_equal(nn.gelu(x[-2:], approximate=False), [0, INF])
    small = nn.gelu(x.astype("f4"), approximate=False)
    assert small.dtype == np.float32
    np.testing.assert_allclose(small, nn.gelu(x, approximate=False), rtol=1e-6, atol=1e-6)
    check_grads(lambda x: nn.gelu(x, approximate=False), (X,), order=2)


@pytest.mark.parametrize(
    "f",
    [
        nn.sigmoid, nn.silu, nn.mish, nn.gelu, lambda x: nn.gelu(x, approximate=False),
        nn.softplus, nn.log_sigmoid, nn.squareplus, nn.tanh_shrink,
    ],
)  # fmt: skip
def test_derivatives_at_0_are_those_of_the_neighbours(f):
    g = f
    for _ in range(4):
        g = fgrad.grad(g)
        at, beside = g(0.0), g(1e-6)
        np.testing.assert_allclose(at, beside, atol=1e-4)
    backends = ["numpy", "native"] if importlib.util.find_spec("llvmlite") else ["numpy"]
    for backend in backends:
        compiled = fgrad.jit(fgrad.grad(fgrad.grad(f)), backend=backend)
        np.testing.assert_allclose(compiled(0.0), fgrad.grad(fgrad.grad(f))(0.0), atol=1e-14)


@pytest.mark.parametrize("approximate", [True, False])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_second_derivatives_of_gelu_are_finite_far_out(approximate, dtype):
    top = np.finfo(dtype).max
    far = np.array([-INF, -top, -1e20, -1e3, 1e3, 1e20, top, INF], dtype)
    curve = fgrad.vmap(fgrad.grad(fgrad.grad(lambda x: nn.gelu(x, approximate=approximate))))
    np.testing.assert_array_equal(curve(far), 0)


def test_glu_and_log1mexp_and_logmeanexp():
    x = np.linspace(-2, 2, 12).reshape(3, 4)
    np.testing.assert_allclose(nn.glu(x), x[:, :2] * sp.expit(x[:, 2:]))
    check_grads(lambda x: nn.glu(x[:2], 0), (x,), order=2)
    with pytest.raises(ShapeError, match=r"even length(.|\n)*axis=-2 of"):
        nn.glu(x, 0)
    y = np.array([1e-300, 1e-5, 0.5, 0.7, 3.0, 800.0])
    np.testing.assert_allclose(nn.log1mexp(y[1:4]), np.log(-np.expm1(-y[1:4])))
    np.testing.assert_allclose(nn.log1mexp(y[[0, 4]]), [np.log(1e-300), np.log1p(-np.exp(-3))])
    assert nn.log1mexp(np.array(0.0)) == -INF
    check_grads(nn.log1mexp, (y[2:5],), order=2)
    np.testing.assert_allclose(nn.logmeanexp(x, 0), np.log(np.mean(np.exp(x), 0)))
    np.testing.assert_allclose(nn.logmeanexp(x, keepdims=True), [[np.log(np.mean(np.exp(x)))]])


def test_masked_softmax():
    x = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, INF], [1.0, 1.0, 1.0]])
    mask = np.array([[True, True, False], [True, True, False], [False, False, False]])
    p = nn.softmax(x, where=mask)
    np.testing.assert_allclose(p[:2, :2], sp.softmax(x[:2, :2], axis=-1))
    assert np.all(p[~mask] == 0)
    check_grads(lambda x: nn.softmax(x, where=mask), (np.where(np.isinf(x), 9.0, x),), order=2)
    assert nn.softmax(x.astype("f4"), where=mask).dtype == np.float32
    np.testing.assert_allclose(nn.softmin(x[0]), sp.softmax(-x[0]))


def test_sparsemax_is_the_nearest_point_of_the_simplex():
    x = 2 * random.normal(random.key(0), (50, 6))
    p = nn.sparsemax(x)
    np.testing.assert_allclose(p.sum(-1), 1)
    assert np.all(p >= 0)
    # Nearest: no other corner lies in a direction of descent from p.
    assert np.all(np.einsum("bi,bij->bj", p - x, p[:, :, None] - np.eye(6)) <= 1e-12)
    assert np.mean(p == 0) > 0.3


def test_gumbel_softmax_draws_by_the_logits():
    logits = np.log(np.array([0.2, 0.3, 0.5]))
    keys = random.split(random.key(0), 4000)
    hard = fgrad.vmap(lambda k: nn.gumbel_softmax(k, logits, hard=True))(keys)
    assert set(np.unique(hard.round(12))) == {0, 1}
    np.testing.assert_allclose(hard.mean(0), [0.2, 0.3, 0.5], atol=0.03)
    soft, straight = (
        fgrad.jacrev(lambda x, h=h: nn.gumbel_softmax(keys[0], x, 0.5, hard=h))(logits)
        for h in (False, True)
    )
    np.testing.assert_allclose(soft, straight)
    assert np.any(soft)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.complex64])
def test_keep_lets_nothing_through_where_the_mask_is_false(dtype):
    t = np.array([[INF, np.nan, -1.5], [2.0, -INF, 3.0]], dtype)[:, ::-1]
    mask = np.array([[True, False, False], [True, False, True]])
    got = keep(t, mask)
    assert got.dtype == dtype
    np.testing.assert_array_equal(got, np.where(mask, t, 0))
    np.testing.assert_array_equal(keep(t, mask[1]), np.where(mask[1], t, 0))
    x = np.arange(6.0).reshape(2, 3)
    check_grads(lambda x: keep(np.sin(x), mask), (x,), order=2)
    check_vmap(lambda x: keep(x, mask[0]), (x[0],))
    g = fgrad.vjp(nn.relu, np.array([-1.0, 1.0]))[1](np.array([np.nan, INF]))[0]
    np.testing.assert_array_equal(g, [0, INF])
