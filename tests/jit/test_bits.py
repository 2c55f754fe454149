"""Choices by arithmetic on bits: those of `numpy.where`, to the last one."""

from __future__ import annotations

import numpy as np
import pytest

import fgrad
from fgrad import grad, jit, jvp
from fgrad.ops.choice import kept

#: Below and above what is done by bits, and what is done a block of rows at a time.
SIZES = [7, 3000, 200_000]
SPECIAL = np.array([np.nan, np.inf, -np.inf, -0.0, 0.0, 5e-324])

CHOICES = {
    "or 0": lambda c, x, y: np.where(c, x, 0),
    "or 0.0": lambda c, x, y: np.where(c, x, 0.0),
    "or -0.0": lambda c, x, y: np.where(c, x, -0.0),
    "0 or": lambda c, x, y: np.where(c, 0, y),
    "of two": lambda c, x, y: np.where(c, x, y),
    "number or": lambda c, x, y: np.where(c, 1.5, y),
    "or number": lambda c, x, y: np.where(c, x, np.inf),
    "of numbers": lambda c, x, y: np.where(c, 1.5, 0.0) + x,
    "of a row": lambda c, x, y: np.where(c, x, y[:1]),
    "mask of a row": lambda c, x, y: np.where(c[:1], x, y),
    "wider": lambda c, x, y: np.where(c, x, np.ones(1)),
    "chain": lambda c, x, y: np.where(c, np.negative(np.where(c, x, y)), np.abs(y)),
    "used again": lambda c, x, y: (np.where(c, x, 0) + x, np.where(c, x, y) * y, x),
}
CHOICE = pytest.mark.parametrize("choice", CHOICES)
FLOATING = ["f4", "f8", ">f8", "f2", "c8"]


def operands(size, dtype):
    rng = np.random.default_rng(size)
    x, y = 10 * rng.normal(size=(2, size))
    if np.dtype(dtype).kind != "i":
        x[:6], y[:6] = SPECIAL, SPECIAL[::-1]
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        return rng.random(size) < 0.5, x.astype(dtype), y.astype(dtype)


def same_bits(got, want):
    for a, b in zip(fgrad.tree.leaves(got), fgrad.tree.leaves(want), strict=True):
        assert (a.shape, a.dtype) == (b.shape, b.dtype)
        # a NaN's own bits may be another's where two meet
        assert np.array_equal(a, b, equal_nan=a.dtype.kind in "fc")
        if a.dtype.kind == "f":
            number = ~np.isnan(a)
            assert np.array_equal(np.signbit(a[number]), np.signbit(b[number]))


@CHOICE
@pytest.mark.parametrize("dtype", [*FLOATING, "i4"])
@pytest.mark.parametrize("size", SIZES)
def test_compiled_choices_are_numpys(choice, dtype, size):
    f, xs = CHOICES[choice], operands(size, dtype)
    with np.errstate(all="ignore"):
        want = f(*xs)
        compiled = jit(f, reassociate=False)
        compiled(*xs)
        same_bits(compiled(*xs), want)


@CHOICE
@pytest.mark.parametrize("dtype", FLOATING)
@pytest.mark.parametrize("size", SIZES[:2])
def test_choices_of_traced_values_are_numpys(choice, dtype, size):
    f, xs = CHOICES[choice], operands(size, dtype)
    with np.errstate(all="ignore"):
        want = f(*xs)
        zeros = [np.zeros_like(x) for x in xs[1:]]
        same_bits(jvp(lambda x, y: f(xs[0], x, y), xs[1:], zeros)[0], want)


@pytest.mark.parametrize("size", SIZES[:2])
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_derivatives_go_to_what_was_chosen(dtype, size):
    c, x, y = operands(size, dtype)
    g = np.linspace(1, 2, size).astype(dtype)
    with np.errstate(invalid="ignore"):
        got = grad(lambda x, y: np.sum(np.where(c, x, y) * g), (0, 1))(x, y)
    same_bits(got, (np.where(c, g, 0), np.where(c, 0, g)))


def test_large_choices_have_no_branches():
    c, x, y = operands(3000, "f4")
    for f in (lambda c, x, y: np.where(c, x, 0), lambda c, x, y: np.where(c, x, y)):
        assert " where(" not in jit(f).source(c, x, y)
    assert " where(" in jit(lambda c, x, y: np.where(c, x, y)).source(c[:9], x[:9], y[:9])


@pytest.mark.parametrize("dtype", ["f4", "f8", "f2", ">f4", "c16", "i8"])
@pytest.mark.parametrize("shape", [(), (6,), (2, 3)])
def test_kept_is_numpys_choice(dtype, shape):
    x = np.arange(6).astype(dtype)[: np.prod(shape, dtype=int)].reshape(shape)
    mask = x > 1 if x.dtype.kind != "c" else x.real > 1
    mask = np.asarray(mask)
    same_bits([kept(x, mask)], [np.where(mask, x, 0)])
    out = np.full(shape, 7, dtype)
    assert kept(x, mask, out) is out
    same_bits([out], [np.where(mask, x, 0).astype(dtype)])
