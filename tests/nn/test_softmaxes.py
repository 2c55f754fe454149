"""The softmax of what a mask shows, and the cross entropy of labels: quick ways and laws."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.special
from hypothesis import given
from hypothesis import strategies as st

from fgrad import grad, jit, vjp, vmap
from fgrad.errors import DomainError
from fgrad.testing import check_grads
from fgrad_nn import label_entropy, softmax, softmaxes
from fgrad_nn.label_entropy import label_cross_entropy
from fgrad_nn.softmaxes import masked_softmax

from .. import laws, laws_of_vmap
from ..examples.row import row

MASK = np.array([[True, False, True], [True, True, True]])
LABELS = np.array([2, 0])
ROWS = [
    row(masked_softmax, [(2, 3)], lambda x: masked_softmax(x, MASK, -1)),
    row(masked_softmax, [(2, 3)], lambda x: masked_softmax(x, MASK, -2)),
    row(label_cross_entropy, [(2, 3)], lambda x: label_cross_entropy(x, LABELS)),
]


@pytest.mark.parametrize("case", ROWS, ids=str)
def test_laws(case):
    for law in (
        laws.first_order, laws.second_order, laws.staging, laws.dtypes,
        laws_of_vmap.batching, laws_of_vmap.batched_derivatives,
    ):  # fmt: skip
        law(case)


SHAPES = st.sampled_from([(5,), (3, 7), (2, 3, 7), (4, 1, 5, 6), (2, 3, 5, 6), (40, 9)])


@st.composite
def masks(draw, shape):
    """A mask that broadcasts to a shape."""
    cut = draw(st.integers(0, len(shape) - 1))
    mine = [n if draw(st.booleans()) else 1 for n in shape[cut:]]
    share = draw(st.sampled_from([0.0, 0.3, 0.8, 1.0]))
    return np.random.default_rng(draw(st.integers(0, 99))).random(mine) < share


@given(
    st.data(), SHAPES, st.sampled_from([1.0, 30.0, 1e4]), st.sampled_from(["f4", "f8"]),
    st.sampled_from([8, 1 << 16]), st.integers(0, 99),
)  # fmt: skip
def test_what_is_hidden_is_left_out(data, shape, size, dtype, chunk, seed):
    mask = data.draw(masks(shape))
    rng = np.random.default_rng(seed)
    x, g = (rng.normal(size=shape).astype(dtype) for _ in "xg")
    x = (x * size).astype(dtype)
    shown = np.broadcast_to(mask, shape)
    with np.errstate(invalid="ignore"), pytest.MonkeyPatch.context() as patch:
        patch.setattr(softmaxes, "CHUNK", chunk)
        # Whatever stands where nobody sees it, be it NaN or infinite, in values or in cotangents.
        dirty, noisy = x.copy(), g.copy()
        for a in (dirty, noisy):
            a[~shown] = rng.choice(np.array([np.nan, np.inf, -np.inf, 3e38], dtype), (~shown).sum())
        got, pull = vjp(lambda x: masked_softmax(x, mask, -1), dirty)
        c = pull(noisy)[0]
        low = np.where(shown, x.astype("f8"), -np.inf)
        low = np.where(shown.any(-1, keepdims=True), low, 0.0)
        wanted = np.where(shown, scipy.special.softmax(low, axis=-1), 0)
    assert got.dtype == c.dtype == dtype
    np.testing.assert_allclose(got, wanted, rtol=1e-4 if dtype == "f4" else 1e-11, atol=1e-30)
    g = np.where(shown, g, 0)
    slope = wanted * (g - np.sum(wanted * g, -1, keepdims=True))
    np.testing.assert_allclose(c, slope, atol=2e-6 if dtype == "f4" else 1e-12)


def test_masked_second_derivatives():
    rng = np.random.default_rng(0)
    x, mask = rng.normal(size=(2, 4, 5)), np.tril(np.ones((4, 5), bool))
    check_grads(lambda x: masked_softmax(x, mask, -1), (x,), order=2)
    f = lambda x: np.sum(np.sin(3 * masked_softmax(x, mask, -1)))  # noqa: E731
    dirty = np.where(mask, x, np.nan)
    with np.errstate(invalid="ignore"):
        for g in (grad, lambda f: jit(grad(f)), lambda f: grad(jit(f))):
            np.testing.assert_allclose(g(f)(dirty), np.where(mask, grad(f)(x), 0), atol=1e-14)
            second = grad(lambda x, g=g: np.sum(np.cos(g(f)(x))))
            np.testing.assert_allclose(second(dirty), np.where(mask, second(x), 0), atol=1e-13)


@pytest.mark.parametrize("mapped", [(0, None), (None, 0), (0, 0)])
def test_mapped_masks(mapped):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(3, 2, 4, 5) if mapped[0] == 0 else (2, 4, 5))
    mask = rng.random((3, 4, 5) if mapped[1] == 0 else (4, 5)) < 0.5
    got = vmap(lambda x, m: softmax(x, where=m), in_axes=mapped)(x, mask)
    for i in range(3):
        one = softmax(x[i] if mapped[0] == 0 else x, where=mask[i] if mapped[1] == 0 else mask)
        np.testing.assert_allclose(got[i], one, atol=1e-15)


@given(
    st.sampled_from([(3,), (5, 4), (2, 3, 6), (50, 3)]), st.sampled_from([1.0, 40.0, 1e3, 1e30]),
    st.sampled_from(["f4", "f8"]), st.sampled_from([4, 1 << 16]), st.integers(0, 99),
)  # fmt: skip
def test_labels_cost_minus_their_log_probability(shape, size, dtype, chunk, seed):
    rng = np.random.default_rng(seed)
    x = (size * rng.normal(size=shape)).astype(dtype)
    labels, g = rng.integers(0, shape[-1], shape[:-1]), rng.normal(size=shape[:-1]).astype(dtype)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(label_entropy, "CHUNK", chunk)
        got, pull = vjp(lambda x: label_cross_entropy(x, labels), x)
        c = pull(np.asarray(g))[0]
    long = x.astype("f8")
    right = np.equal(labels[..., None], np.arange(shape[-1]))
    others = long - np.take_along_axis(long, labels[..., None], -1)
    others = scipy.special.logsumexp(np.where(right, -np.inf, others), axis=-1)
    wanted = np.logaddexp(0, others)
    tolerance = 1e-6 if dtype == "f4" else 1e-14
    assert got.dtype == c.dtype == dtype
    np.testing.assert_allclose(got, wanted, rtol=10 * tolerance, atol=1e-30)
    slope = g[..., None] * (softmax(long) - right)
    np.testing.assert_allclose(c, slope, atol=10 * tolerance)


def test_labels_of_those_that_are_sure():
    # 1 - p of the right class is 1e-20 here: nothing cancels.
    x = np.array([[46.0517018598809, 0.0]])
    value, slope = label_cross_entropy(x, np.array([0])), grad(
        lambda x: np.sum(label_cross_entropy(x, np.array([0])))
    )(x)  # fmt: skip
    np.testing.assert_allclose(value, [1e-20])
    np.testing.assert_allclose(slope, [[-1e-20, 1e-20]])
    inf = np.array([[0.0, -np.inf], [-np.inf, 0.0], [0.0, np.nan]])
    np.testing.assert_array_equal(label_cross_entropy(inf, np.zeros(3, int)), [0, np.inf, np.nan])
    c = grad(lambda x: np.sum(label_cross_entropy(x, np.zeros(2, int))))(inf[:2])
    np.testing.assert_array_equal(c, [[0, 0], [-1, 1]])
    for wrong in (2, -1):
        with pytest.raises(DomainError, match="from 0 to 1"):
            label_cross_entropy(x, np.array([wrong]))
