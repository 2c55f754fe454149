"""Means and sums in float32 of many numbers have float32's digits: those of float64, rounded."""

from __future__ import annotations

import numpy as np
import pytest

import fgrad
import fgrad_nn as nn

SHAPE = (2, 200, 200, 3)


def far_from_zero(seed=0, shape=SHAPE):
    return (1000.1 + np.random.default_rng(seed).normal(size=shape)).astype(np.float32)


def shares(seed=0):
    rng = np.random.default_rng(seed)
    return rng.random(SHAPE, np.float32), (rng.random(SHAPE) < 0.5).astype(np.float32)


CASES = [
    *(
        pytest.param(lambda x, f=f: f.apply({}, x), (far_from_zero(),), id=f.name)
        for f in (
            nn.global_avg_pool(), nn.avg_pool2d(200), nn.adaptive_avg_pool((2, 1)),
            nn.lp_pool(2, (200, 200)),
        )
    ),
    *(
        pytest.param(lambda x, y, f=f: f(x, y, reduction="none"), shares(), id=f.__name__)
        for f in (nn.dice_loss, nn.tversky_loss)
    ),
    *(
        pytest.param(f, (far_from_zero(), far_from_zero(1)), id=f.__name__)
        for f in (nn.mean_squared_error, nn.mean_absolute_error, nn.huber_loss, nn.log_cosh)
    ),
    pytest.param(
        lambda v: nn.weight_norm(nn.conv2d(3, 200)).apply(
            {"weight": {"direction": v, "magnitude": np.ones(3, v.dtype)}, "bias": np.zeros(3)},
            np.ones((1, 1, 1, 1), v.dtype),
        ),
        (far_from_zero(shape=(200, 200, 1, 3)),), id="weight_norm",
    ),
]  # fmt: skip


@pytest.mark.parametrize("compiled", [False, True], ids=["", "jit"])
@pytest.mark.parametrize(("f", "args"), CASES)
def test_float32_has_its_digits(f, args, compiled):
    wide = f(*(x.astype(np.float64) for x in args))
    got = (fgrad.jit(f) if compiled else f)(*args)
    np.testing.assert_allclose(got, wide, rtol=2e-6)
