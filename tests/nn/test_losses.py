"""`mean_squared_error`: its value, its gradient, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest

import fgrad
from fgrad.errors import ShapeError
from fgrad_nn import mean_squared_error


def test_value_and_gradient():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 4, 3))
    value, gradient = fgrad.value_and_grad(mean_squared_error)(x, y)
    assert value == pytest.approx(np.square(x - y).sum() / 12)
    np.testing.assert_allclose(gradient, 2 * (x - y) / 12)


@pytest.mark.parametrize("shapes", [((3,), (3, 1)), ((3,), ()), ((2, 0), (2, 0))])
def test_shapes_that_would_broadcast_or_are_empty_are_refused(shapes):
    with pytest.raises(ShapeError, match="of one shape"):
        mean_squared_error(*map(np.ones, shapes))
