"""Errors where CuPy has none, for those who ask for them."""

from __future__ import annotations

import numpy as np
import pytest

import fgrad
from fgrad.debug import OutOfRangeError, SingularError, debug_cupy
from fgrad.errors import FgradError

X = np.arange(12.0).reshape(3, 4)


@pytest.fixture
def x(cupy):
    return cupy.asarray(X)


@pytest.mark.parametrize("index", [[0, 3], [-4], [[0], [7]]])
def test_an_index_that_is_out_of_range_is_refused(cupy, x, index):
    i = cupy.asarray(np.array(index))
    pick = fgrad.grad(lambda x: np.sum(fgrad.at(x)[i].get()))
    assert np.isfinite(pick(x)._a).all()  # CuPy takes it modulo 3
    with debug_cupy(), pytest.raises(OutOfRangeError) as info:
        pick(x)
    first, second, third = str(info.value).split("\n")
    assert first == "`getitem` wants indices from -3 to 2 for axis 0, whose length is 3."
    assert second == f"  It got: indices from {np.min(index)} to {np.max(index)}"
    assert third.startswith("  To do: ")
    assert isinstance(info.value, IndexError)


@pytest.mark.parametrize(
    ("at", "bad"),
    [
        (lambda i: i, 3), (lambda i: (slice(None), i), 4), (lambda i: (..., i), 4),
        (lambda i: (1, i), 4), (lambda i: (None, i), 3), (lambda i: (i, i), 3),
    ],
)  # fmt: skip
@pytest.mark.parametrize("how", ["get", "set", "add"])
def test_the_axis_is_that_of_the_index(cupy, x, at, bad, how):
    def change(n):
        part = fgrad.at(x)[at(cupy.asarray(np.array([n, 0])))]
        return part.get() if how == "get" else getattr(part, how)(1.0)

    with debug_cupy():
        change(bad - 1)
        change(-bad)
        with pytest.raises(OutOfRangeError, match=f"whose length is {bad}"):
            change(bad)
        with pytest.raises(OutOfRangeError):
            change(-bad - 1)


@pytest.mark.parametrize("name", ["solve", "inv", "cholesky"])
def test_a_singular_matrix_is_refused(cupy, name):
    a = cupy.asarray(-np.ones((2, 2)))

    def compute(a):
        more = (cupy.ones(2),) if name == "solve" else ()
        return np.sum(getattr(np.linalg, name)(a, *more))

    assert np.isnan(fgrad.grad(compute)(a)._a).any()
    with debug_cupy(), pytest.raises(SingularError) as info:
        fgrad.grad(compute)(a)
    assert isinstance(info.value, np.linalg.LinAlgError)
    assert isinstance(info.value, FgradError)
    assert f"`linalg.{name}` wants matrices that are regular" in str(info.value)


def test_what_was_not_finite_before_is_no_singular_matrix(cupy):
    a = cupy.asarray(np.full((2, 2), np.nan))
    with debug_cupy():
        fgrad.grad(lambda a: np.sum(np.linalg.inv(a)))(a)


def test_nobody_looks_afterwards(cupy, x):
    with debug_cupy():
        pass
    fgrad.grad(lambda x: np.sum(fgrad.at(x)[cupy.asarray(np.array([9]))].get()))(x)


def test_infinities_are_explained(cupy, x):
    def loss(x):
        return np.sum(np.log(x))

    found = fgrad.debug.explain_nonfinite(fgrad.grad(loss), x)
    assert "the way back of `log`" in str(found)
    with fgrad.debug.debug_nans(), pytest.raises(FloatingPointError, match="`log`"):
        fgrad.grad(loss)(x)


def test_black_boxes_are_differentiated_by_differences(cupy, x):
    box = fgrad.external(np.sin, numeric=True)
    got = fgrad.grad(lambda v: np.sum(box(v)))(x)
    np.testing.assert_allclose(got._a, np.cos(X), atol=1e-6)
