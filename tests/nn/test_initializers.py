"""Initializers: spreads, dtypes, structures, and what they refuse."""

from __future__ import annotations

import numpy as np
import pytest

import fgrad
from fgrad import random
from fgrad.errors import ArgumentError, DtypeError, ShapeError
from fgrad_nn import conv1d, initializers, scaled_normal


@pytest.mark.parametrize("shape", [(400, 100), (50, 2000), [300, 300]])
def test_mean_and_spread(shape):
    values = scaled_normal(np.random.default_rng(0), shape)
    expected = 1 / np.sqrt(sum(shape))
    assert values.shape == tuple(shape)
    assert values.std() == pytest.approx(expected, rel=0.02)
    assert abs(values.mean()) < 4 * expected / np.sqrt(values.size)


def test_the_generator_decides():
    draws = [scaled_normal(np.random.default_rng(seed), (3, 4)) for seed in (1, 1, 2)]
    np.testing.assert_array_equal(draws[0], draws[1])
    assert not np.array_equal(draws[0], draws[2])


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, "float32"])
def test_dtype(dtype):
    assert scaled_normal(np.random.default_rng(0), (2, 2), dtype).dtype == dtype


def test_what_is_refused():
    rng = np.random.default_rng(0)
    with pytest.raises(ArgumentError, match="default_rng"):
        scaled_normal(7, (2, 2))
    for shape in [(3,), (2, 0), (2, 3, 4)]:
        with pytest.raises(ShapeError, match="rows, columns"):
            scaled_normal(rng, shape)
    for dtype in [int, complex, bool]:
        with pytest.raises(DtypeError, match="floating"):
            scaled_normal(rng, (2, 2), dtype)


def test_a_key_draws_too():
    key = random.key(0)
    values = scaled_normal(key, (400, 100), np.float32)
    np.testing.assert_array_equal(values, scaled_normal(key, (400, 100), np.float32))
    assert values.dtype == np.float32
    assert values.std() == pytest.approx(1 / np.sqrt(500), rel=0.02)


# ------------------------------------------------------------------ functions of keys
KEY = random.key(0)
FANS = {  # variance, of a convolution with 3 * 3 * 40 inputs and 3 * 3 * 60 outputs
    "glorot_uniform": 2 / 900, "glorot_normal": 2 / 900, "xavier_uniform": 2 / 900,
    "xavier_normal": 2 / 900, "he_uniform": 2 / 360, "he_normal": 2 / 360,
    "kaiming_uniform": 2 / 360, "kaiming_normal": 2 / 360, "lecun_uniform": 1 / 360,
    "lecun_normal": 1 / 360,
}  # fmt: skip


@pytest.mark.parametrize("name", FANS)
def test_variances_by_the_number_of_inputs(name):
    init = getattr(initializers, name)()
    for dtype in (np.float32, np.float64):
        w = init(KEY, (3, 3, 40, 60), dtype)
        assert w.dtype == dtype
        assert w.shape == (3, 3, 40, 60)
        assert w.var() == pytest.approx(FANS[name], rel=0.05)
        assert abs(w.mean()) < 4 * np.sqrt(FANS[name] / w.size)
    if "uniform" in name:
        assert np.abs(w).max() <= np.sqrt(3 * FANS[name])
    else:
        assert np.abs(w).max() <= 2.3 * np.sqrt(FANS[name])


def test_variance_scaling_modes_and_what_it_refuses():
    for mode, n in (("fan_in", 20), ("fan_out", 80), ("fan_avg", 50), ("fan_geo_avg", 40)):
        w = initializers.variance_scaling(3.0, mode, "normal")(KEY, (20, 80))
        assert w.var() == pytest.approx(3 / n, rel=0.1)
    w = initializers.variance_scaling(1.0, "fan_in", "normal", -1, -2)(KEY, (20, 80))
    assert w.var() == pytest.approx(1 / 80, rel=0.1)
    for args in ((1.0, "fan", "normal"), (1.0, "fan_in", "cauchy"), (0.0, "fan_in", "normal"),
                 (-1, "fan_in", "normal"), ("1", "fan_in", "normal")):  # fmt: skip
        with pytest.raises(ArgumentError, match="variance_scaling wants"):
            initializers.variance_scaling(*args)
    for shape in ((3,), (0, 3), ()):
        with pytest.raises(ShapeError, match="scales by the number of inputs"):
            initializers.he_normal()(KEY, shape)


def test_plain_distributions_and_constants():
    n = (100, 100)
    assert initializers.normal(2.0)(KEY, n).std() == pytest.approx(2, rel=0.03)
    assert np.abs(initializers.truncated_normal(2.0, -1, 0.5)(KEY, n)).max() <= 2
    u = initializers.uniform(3.0)(KEY, n)
    assert 0 <= u.min() < 0.1 < 2.9 < u.max() < 3
    s = initializers.symmetric_uniform(3.0)(KEY, n)
    assert -3 <= s.min() < -2.9 < 2.9 < s.max() < 3
    assert np.all(initializers.constant([1.0, 2.0])(None, (3, 2), "f4") == [1, 2])
    for init in (initializers.normal(), initializers.constant(1.0), initializers.zeros,
                 initializers.ones, initializers.uniform()):  # fmt: skip
        for shape in ((), (2,), (0, 3)):
            w = init(KEY, shape, np.float32)
            assert isinstance(w, np.ndarray)
            assert (w.shape, w.dtype) == (shape, np.float32)


@pytest.mark.parametrize("shape", [(5, 3), (3, 5), (4, 4), (2, 3, 4)])
def test_orthogonal_matrices(shape):
    w = initializers.orthogonal(2.0)(KEY, shape).reshape(-1, shape[-1])
    short = w.T @ w if w.shape[0] >= w.shape[1] else w @ w.T
    np.testing.assert_allclose(short, 4 * np.eye(min(w.shape)), atol=1e-12)
    first = initializers.orthogonal(column_axis=0)(KEY, shape).reshape(shape[0], -1)
    short = first @ first.T if first.shape[0] <= first.shape[1] else first.T @ first
    np.testing.assert_allclose(short, np.eye(min(first.shape)), atol=1e-12)


def test_orthogonal_matrices_point_everywhere():
    keys = random.split(KEY, 2000)
    many = fgrad.vmap(lambda k: initializers.orthogonal()(k, (3, 3)))(keys)
    np.testing.assert_allclose(many.mean(0), 0, atol=0.05)  # QR alone prefers some signs


def test_convolutions_that_keep_lengths_and_channels():
    w = initializers.delta_orthogonal()(KEY, (3, 5, 2, 4))
    np.testing.assert_allclose(w[1, 2] @ w[1, 2].T, np.eye(2), atol=1e-12)
    assert np.count_nonzero(np.delete(w.reshape(15, 8), 7, axis=0)) == 0
    x = random.normal(KEY, (2, 6, 4))
    for groups, features in ((1, 4), (2, 4), (1, 6), (2, 8)):
        net = conv1d(features, 3, groups=groups, weight_init=initializers.dirac(groups))
        y = net.apply(net.init(KEY, x.shape)[1], x)
        kept = y.reshape(2, 6, groups, -1)[..., : 4 // groups]
        np.testing.assert_array_equal(kept.reshape(x.shape), x)
        assert np.count_nonzero(y) == np.count_nonzero(x)


@pytest.mark.parametrize(
    "init",
    [
        initializers.he_normal(), initializers.glorot_uniform(), initializers.orthogonal(),
        initializers.normal(), initializers.sparse(0.5), initializers.zeros, scaled_normal,
    ],
)  # fmt: skip
def test_they_map_over_keys(init):
    keys = random.split(KEY, 3)
    got = fgrad.vmap(lambda k: init(k, (4, 2), np.float32))(keys)
    np.testing.assert_allclose(got, [init(k, (4, 2), np.float32) for k in keys], rtol=1e-5)


def test_identity_sparse_and_gains():
    np.testing.assert_array_equal(initializers.identity(2.0)(None, (2, 3)), 2 * np.eye(2, 3))
    w = initializers.sparse(0.8, 0.5)(KEY, (10, 200))
    assert np.all(np.count_nonzero(w, axis=0) == 2)
    assert w[w != 0].std() == pytest.approx(0.5, rel=0.1)
    assert np.all(np.count_nonzero(w, axis=1) > 10)  # the zeros are not all in the same rows
    assert initializers.calculate_gain("leaky_relu", 1.0) == 1
    with pytest.raises(ArgumentError, match="pass one of linear"):
        initializers.calculate_gain("spam")
    for init in (initializers.identity(), initializers.sparse(0.5), initializers.orthogonal(),
                 initializers.dirac(), initializers.delta_orthogonal()):  # fmt: skip
        with pytest.raises(ShapeError, match="wants a shape with"):
            init(KEY, (3,))
