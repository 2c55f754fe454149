"""Projections: the result is in the set, and nearer than any other point of it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fgrad
from fgrad import tree
from fgrad.errors import ArgumentError, ShapeError
from fgrad_nn import projections as p
from fgrad_nn.optimizers import global_norm

NORMAL = {"a": np.array([1.0, -2.0]), "b": np.array([[0.5]])}


def total(params):
    return sum(np.sum(x) for x in tree.leaves(params))


def size(params):
    return total(tree.map(np.abs, params))


def least(params):
    return min(np.min(x) for x in tree.leaves(params))


def most(params):
    return max(np.max(x) for x in tree.leaves(params))


def inner(params):
    return total(tree.map(np.multiply, NORMAL, params))


def normal(params):
    return tree.map(lambda n, x: n.astype(x.dtype), NORMAL, params)


E = 1e-9
#: Name -> (projection, whether a point is in the set).
SETS = {
    "non_negative": (p.projection_non_negative, lambda x: least(x) >= 0),
    "box": (lambda x: p.projection_box(x, -0.5, 2.0), lambda x: least(x) >= -0.5 and most(x) <= 2),
    "hypercube": (
        lambda x: p.projection_hypercube(x, 2.0), lambda x: least(x) >= 0 and most(x) <= 2
    ),
    "simplex": (
        lambda x: p.projection_simplex(x, 2.0), lambda x: least(x) >= 0 and abs(total(x) - 2) < E
    ),
    "l1_ball": (lambda x: p.projection_l1_ball(x, 2.0), lambda x: size(x) <= 2 + E),
    "l1_sphere": (lambda x: p.projection_l1_sphere(x, 2.0), lambda x: abs(size(x) - 2) < E),
    "l2_ball": (lambda x: p.projection_l2_ball(x, 2.0), lambda x: global_norm(x) <= 2 + E),
    "l2_sphere": (lambda x: p.projection_l2_sphere(x, 2.0), lambda x: abs(global_norm(x) - 2) < E),
    "linf_ball": (
        lambda x: p.projection_linf_ball(x, 1.0), lambda x: most(tree.map(np.abs, x)) <= 1
    ),
    "hyperplane": (
        lambda x: p.projection_hyperplane(x, normal(x), 1.0), lambda x: abs(inner(x) - 1) < 1e-6
    ),
    "halfspace": (
        lambda x: p.projection_halfspace(x, normal(x), 1.0), lambda x: inner(x) <= 1 + 1e-6
    ),
}  # fmt: skip

EACH = pytest.mark.parametrize("name", SETS)
numbers = st.floats(-100, 100).filter(lambda x: abs(x) > 1e-3)
points = st.tuples(numbers, numbers, numbers).map(
    lambda x: {"a": np.array(x[:2]), "b": np.array([x[2:]])}
)


def gap(x, y):
    return global_norm(tree.map(np.subtract, x, y))


@EACH
@settings(max_examples=10)
@given(x=points, other=points)
def test_the_nearest_point_of_the_set(name, x, other):
    project, inside = SETS[name]
    near = project(x)
    assert inside(near)
    assert gap(x, near) <= gap(x, project(other)) * (1 + 1e-9) + 1e-9
    assert gap(project(near), near) < 1e-9


@EACH
def test_dtypes_stay_and_derivatives_are_differences(name):
    project, _ = SETS[name]
    x = {"a": np.array([0.3, -3.0]), "b": np.array([[2.7]])}
    single = project(tree.map(np.float32, x))
    assert {leaf.dtype for leaf in tree.leaves(single)} == {np.dtype(np.float32)}
    weights = {"a": np.array([1.0, 2.0]), "b": np.array([[-0.7]])}

    def f(t):
        moved = tree.map(lambda v, n: v + t * n, x, NORMAL)
        return total(tree.map(lambda w, y: w * y, weights, project(moved)))

    assert fgrad.grad(f)(0.0) == pytest.approx((f(1e-6) - f(-1e-6)) / 2e-6, abs=1e-7)


def test_bounds_may_be_trees():
    x = {"a": np.array([-3.0, 5.0]), "b": 2.0}
    new = p.projection_box(x, {"a": np.array([0.0, 6.0]), "b": -1.0}, {"a": 8.0, "b": 1.0})
    np.testing.assert_array_equal(new["a"], [0.0, 6.0])
    assert new["b"] == 1.0


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: p.projection_box([1.0], 2.0, 1.0), r"lower 2\.0, upper 1\.0"),
        (lambda: p.projection_simplex([1.0], 0.0), "scale must be a finite real number, greater"),
        (lambda: p.projection_l2_ball([1.0], np.nan), "scale must be"),
        (lambda: p.projection_linf_ball([1.0], -1.0), "scale must be .*not negative"),
    ],
)
def test_sets_that_are_none_are_refused(make, text):
    with pytest.raises(ArgumentError, match=text):
        make()


def test_a_normal_must_fit():
    with pytest.raises(ShapeError, match=r"Each normal must .*\n.*at \[0\]: .*\(3, 1\)"):
        p.projection_hyperplane([np.ones(3)], [np.ones((3, 1))])
