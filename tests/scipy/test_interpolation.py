"""Interpolation: classes as pytrees, knots, points outside, what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.interpolate as sp

import fgrad
from fgrad.scipy import interpolate, ndimage

X = np.array([0.0, 0.7, 1.2, 2.1, 2.9])
Y = np.sin(X)


@pytest.mark.parametrize(
    "make",
    [
        lambda y: interpolate.CubicSpline(X, y),
        lambda y: interpolate.PchipInterpolator(X, y),
        lambda y: interpolate.make_interp_spline(X, y),
        lambda y: interpolate.interp1d(X, y, "cubic"),
        lambda y: interpolate.RegularGridInterpolator((X,), y, "cubic"),
    ],
)
def test_an_interpolator_is_a_pytree(make):
    """It goes in and out of transformed functions, and is mapped over."""
    z = np.array([[0.3], [1.9]])
    splines = fgrad.vmap(make)(np.stack([Y, 2 * Y]))
    assert type(splines) is type(make(Y))
    np.testing.assert_allclose(
        fgrad.vmap(lambda s: s(z))(splines), np.stack([make(Y)(z), make(2 * Y)(z)]), rtol=1e-12
    )
    gradient = fgrad.grad(lambda s: np.sum(s(z)))(make(Y))
    assert type(gradient) is type(splines)
    with pytest.raises(AttributeError, match="can't be changed"):
        gradient.x = X


def test_derivatives_of_a_spline_are_its_slopes():
    spline = interpolate.CubicSpline(X, Y)
    z = np.array([0.1, 0.7, 2.9])
    for nu in (0, 1, 2):
        slope = fgrad.vmap(fgrad.grad(lambda z, nu=nu: spline(z, nu)))(z)
        np.testing.assert_allclose(slope, spline(z, nu + 1), rtol=1e-12)
    np.testing.assert_allclose(spline.derivative()(z), sp.CubicSpline(X, Y)(z, 1), rtol=1e-12)


def test_at_a_knot_the_slope_of_a_line_is_that_to_its_right():
    line = interpolate.interp1d(np.arange(3.0), np.array([0.0, 1.0, 3.0]))
    assert fgrad.grad(line)(1.0) == 2.0
    grid = interpolate.RegularGridInterpolator((np.arange(3.0),), np.array([0.0, 1.0, 3.0]))
    assert fgrad.grad(lambda z: grid(np.stack([z]))[0])(1.0) == 2.0
    image = np.array([0.0, 1.0, 3.0])
    at = lambda z: ndimage.map_coordinates(image, np.stack([z]), order=1)  # noqa: E731
    assert fgrad.grad(at)(1.0) == 2.0


def test_points_outside_are_refused_or_not_a_number():
    grid = interpolate.RegularGridInterpolator((X,), Y)
    with pytest.raises(ValueError, match="out of bounds in dimension 0"):
        fgrad.jvp(grid, (np.array([3.5]),), (np.ones(1),))
    outside = fgrad.vmap(lambda z: grid(np.stack([z]))[0])(np.array([0.5, 3.5]))
    np.testing.assert_array_equal(np.isnan(outside), [False, True])
    line = interpolate.interp1d(X, Y)
    with pytest.raises(ValueError, match="outside the interpolation range"):
        fgrad.jvp(line, (np.array([3.5]),), (np.ones(1),))
    np.testing.assert_array_equal(np.isnan(fgrad.vmap(line)(np.array([0.5, 3.5]))), [False, True])


def test_roots_are_scipys_and_want_known_values():
    spline = interpolate.CubicSpline(X, Y - 0.5)
    np.testing.assert_array_equal(spline.roots(), sp.CubicSpline(X, Y - 0.5).roots())
    with pytest.raises(fgrad.errors.TracerConversionError, match="how many there are"):
        fgrad.grad(lambda y: interpolate.CubicSpline(X, y).roots()[0])(Y)


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: interpolate.CubicSpline(X[::-1], Y), "increasing"),
        (lambda: interpolate.CubicSpline(X, Y[1:]), "a value for each x"),
        (lambda: interpolate.CubicSpline(X, Y, bc_type="periodic"), "must be identical"),
        (lambda: interpolate.CubicSpline(X, Y, bc_type="round"), "not allowed"),
        (lambda: interpolate.PchipInterpolator(X, Y + 1j), "real values"),
        (lambda: interpolate.BSpline(X[::-1], Y, 1), "non-decreasing"),
        (lambda: interpolate.BSpline(X, Y[:1], 1), "a coefficient for each"),
        (lambda: interpolate.RegularGridInterpolator((X[:3],), Y[:3], "cubic"), "at least"),
        (lambda: interpolate.RegularGridInterpolator((X,), Y, "septic"), "not defined"),
        (lambda: interpolate.RegularGridInterpolator((X,), Y)([[1.0, 2.0]]), "dimension 2"),
        (lambda: interpolate.interp1d(X, Y[1:]), "a value for each x"),
    ],
)
def test_what_can_not_be_interpolated_is_refused(make, match):
    with pytest.raises(ValueError, match=match):
        make()


def test_what_has_no_rule_says_what_to_use():
    with pytest.raises(fgrad.errors.NoRuleError, match=r"use CubicSpline\(x, y, bc_type="):
        fgrad.grad(lambda y: interpolate.make_interp_spline(X, y, bc_type="periodic")(0.5))(Y)
    with pytest.raises(fgrad.errors.NoRuleError, match="use method='cubic'"):
        interpolate.RegularGridInterpolator((X,), Y, "cubic_legacy")


def test_long_lines_of_an_image_are_filtered_in_linear_time():
    """From 64 pixels on the spline filter is its own transpose where the image is mirrored."""
    x = np.random.default_rng(0).normal(size=100)
    for mode in ("reflect", "mirror", "grid-wrap"):
        pullback = fgrad.vjp(lambda x, m=mode: ndimage.spline_filter1d(x, 5, mode=m), x)[1]
        matrix = ndimage.spline_filter1d(np.eye(100), 5, axis=0, mode=mode)
        np.testing.assert_allclose(pullback(x)[0], x @ matrix, rtol=1e-12, atol=1e-14)


def test_coordinates_that_are_no_numbers_give_none():
    image = np.arange(4.0)
    points = np.array([[np.nan, 1.0]])
    for mode in ("nearest", "mirror", "wrap", "reflect"):
        y = fgrad.jvp(
            lambda p, m=mode: ndimage.map_coordinates(image, p, mode=m), (points,), (points,)
        )[0]
        np.testing.assert_array_equal(np.isnan(y), [True, False])
