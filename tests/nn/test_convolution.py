"""Convolutions and pools against sums over windows, for forms that hypothesis draws."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.signal
from hypothesis import given
from hypothesis import strategies as st

import fgrad
import fgrad_nn as nn
from fgrad import random
from fgrad.compiler import small
from fgrad.testing import check_grads
from fgrad_nn.layers import pools, products, unrolled, windows
from fgrad_nn.layers.convolution import convolve, convolve_back, correlate_windows
from fgrad_nn.layers.windows import Form


@st.composite
def forms(draw, pool=False):
    """A form, lengths that its window fits into, the window, channels and features of a group."""
    n = draw(st.integers(1, 3))

    def each(low, high):
        return tuple(draw(st.integers(low, high)) for _ in range(n))

    window, strides, dilation = each(1, 3), each(1, 3), each(1, 2)
    padding = tuple(zip(each(0, 2), each(0, 2), strict=True))
    groups = 1 if pool else draw(st.integers(1, 3))
    least = [d * (k - 1) + 1 for k, d in zip(window, dilation, strict=True)]
    lengths = tuple(m + draw(st.integers(0, 3)) for m in least)
    sizes = draw(st.integers(0, 2)), draw(st.integers(1, 2)), draw(st.integers(1, 2))
    return Form(strides, padding, dilation, groups), lengths, window, *sizes


def array(rng, shape, layout):
    """Numbers that lie in memory in one of several ways: values must not depend on it."""
    if layout == "channels first":
        return np.moveaxis(rng.normal(size=(shape[0], shape[-1], *shape[1:-1])), 1, -1)
    if layout == "fortran":
        return np.asfortranarray(rng.normal(size=shape))
    if layout == "every other":
        return rng.normal(size=(*shape[:-1], 2 * shape[-1]))[..., ::2]
    return rng.normal(size=shape)


LAYOUTS = st.sampled_from(["plain", "channels first", "fortran", "every other"])


def direct(x, w, form, places, window):
    """The sum over the window, place by place, as the definition has it."""
    x = np.pad(x, [(0, 0), *form.padding, (0, 0)])
    groups, each = form.groups, w.shape[-1] // form.groups
    out = np.zeros((x.shape[0], *places, w.shape[-1]))
    for place in np.ndindex(*places):
        for k in np.ndindex(*window):
            spot = tuple(
                p * s + i * d
                for p, i, s, d in zip(place, k, form.strides, form.dilation, strict=True)
            )
            seen = x[(slice(None), *spot)]
            for g in range(groups):
                mine = slice(g * w.shape[-2], (g + 1) * w.shape[-2])
                to = slice(g * each, (g + 1) * each)
                out[(slice(None), *place, to)] += seen[:, mine] @ w[(*k, slice(None), to)]
    return out


@given(
    forms(), LAYOUTS, LAYOUTS, st.integers(0, 2**32), st.sampled_from([1, 700, 1 << 20]),
    st.sampled_from([1, unrolled.FEW]), st.sampled_from([8, small.SMALL]),
)  # fmt: skip
def test_convolutions_are_sums_over_windows(drawn, layout, other, seed, chunk, few, most):
    form, lengths, window, batch, channels, features = drawn
    rng = np.random.default_rng(seed)
    x = array(rng, (batch, *lengths, form.groups * channels), layout)
    w = array(rng, (*window, channels, form.groups * features), "plain")
    places = form.places(lengths, window)
    params = {"form": form, "lengths": lengths, "window": window}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(windows, "CHUNK", chunk)
        patch.setattr(unrolled, "FEW", few)
        patch.setenv("OPENBLAS_NUM_THREADS", "1")
        patch.setattr(small, "SMALL", most)
        patch.setattr(small, "_has_kernels", lambda: True)
        patch.setattr(products, "FEW_ROWS", 1)
        patch.setattr(products, "FEW_ADDED", 1)
        y = convolve(x, w, **params)
        np.testing.assert_allclose(y, direct(x, w, form, places, window), atol=1e-12)
        g = array(rng, y.shape, other)
        # The three products are each other's transposes: <g, x * w> is one number in three ways.
        number = np.sum(g * y)
        np.testing.assert_allclose(np.sum(convolve_back(g, w, **params) * x), number, atol=1e-10)
        np.testing.assert_allclose(
            np.sum(correlate_windows(x, g, **params) * w), number, atol=1e-10
        )


@given(forms(), st.integers(0, 2**32), st.sampled_from([(1, 0), (0, 1), (1, 1)]))
def test_mapped_convolutions_are_stacks(drawn, seed, mapped):
    form, lengths, window, batch, channels, features = drawn
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(batch, *lengths, form.groups * channels))
    w = rng.normal(size=(*window, channels, form.groups * features))
    g = rng.normal(size=(batch, *form.places(lengths, window), form.groups * features))
    params = {"form": form, "lengths": lengths, "window": window}
    for f, a, b in ((convolve, x, w), (convolve_back, g, w), (correlate_windows, x, g)):
        many = [
            rng.normal(size=(2, *v.shape)) if m else v for v, m in zip((a, b), mapped, strict=True)
        ]
        axes = tuple(0 if m else None for m in mapped)
        got = fgrad.vmap(lambda a, b, f=f: f(a, b, **params), in_axes=axes)(*many)
        want = [
            f(*(v[i] if m else v for v, m in zip(many, mapped, strict=True)), **params)
            for i in range(2)
        ]
        np.testing.assert_allclose(got, np.stack(want), atol=1e-12)


@pytest.mark.parametrize("strides", [1, 2])
@pytest.mark.parametrize("groups", [1, 2])
def test_second_derivatives_of_convolutions(strides, groups):
    net = nn.conv1d(2, 2, strides=strides, groups=groups)
    _, params = net.init(random.key(0), (-1, 4, 2))
    check_grads(net.apply, (params, random.normal(random.key(1), (1, 4, 2))), order=2)


@pytest.mark.parametrize("padding", ["VALID", "SAME"])
def test_one_channel_is_scipys_correlation(padding):
    net = nn.conv2d(1, (3, 4), padding=padding, use_bias=False)
    _, params = net.init(random.key(0), (-1, 7, 8, 1))
    x = random.normal(random.key(1), (7, 8))
    got = net.apply(params, x[None, ..., None])[0, ..., 0]
    if padding == "SAME":
        x = np.pad(x, ((1, 1), (1, 2)))
    want = scipy.signal.correlate(x, params["weight"][..., 0, 0], mode="valid")
    np.testing.assert_allclose(got, want, atol=1e-12)


@given(st.integers(1, 12), st.integers(1, 4), st.integers(1, 3), st.integers(1, 2))
def test_same_padding_has_a_place_for_each_stride(n, window, strides, dilation):
    net = nn.conv1d(1, window, strides=strides, dilation=dilation)
    shape, params = net.init(random.key(0), (2, n, 1))
    assert shape == net.apply(params, np.ones((2, n, 1))).shape == (2, -(-n // strides), 1)
    unknown, _ = net.init(random.key(0), (-1, -1, 1))
    assert unknown == (-1, -1, 1)


@pytest.mark.parametrize("dilation", [1, 2])
def test_causal_padding_sees_nothing_that_comes_later(dilation):
    net = nn.conv1d(1, 3, padding="CAUSAL", dilation=dilation)
    _, params = net.init(random.key(0), (-1, 6, 1))
    jacobian = fgrad.jacrev(lambda x: net.apply(params, x[None, :, None])[0, :, 0])(np.ones(6))
    np.testing.assert_array_equal(jacobian, np.tril(jacobian))
    assert np.all(np.diag(jacobian) != 0)


@given(st.integers(1, 6), st.integers(1, 4), st.integers(1, 3), st.sampled_from(["SAME", "VALID"]))
def test_a_transposed_convolution_is_the_transpose(n, window, strides, padding):
    up = nn.conv_transpose1d(2, window, strides=strides, padding=padding, use_bias=False)
    shape, params = up.init(random.key(0), (2, n, 3))
    down = nn.conv1d(3, window, strides=strides, padding=padding, use_bias=False)
    x = random.normal(random.key(1), (2, n, 3))
    y = up.apply(params, x)
    assert y.shape == shape
    c = random.normal(random.key(2), y.shape)
    pulled = down.apply(params, c)  # the weights have the same form: (window, 2, 3)
    np.testing.assert_allclose(np.sum(pulled * x), np.sum(c * y), atol=1e-10)


@pytest.mark.parametrize("groups", [1, 4])
@pytest.mark.parametrize(
    ("strides", "dilation", "more"), [(2, 1, 1), (1, 2, 1), (2, 3, 2), (1, 1, 3)]
)
def test_output_padding_shows_more_of_a_transposed_convolution(strides, dilation, more, groups):
    form = {"strides": strides, "dilation": dilation, "groups": groups, "use_bias": False}
    up = nn.conv_transpose1d(4, 3, padding=1, output_padding=more, **form)
    shape, params = up.init(random.key(0), (2, 5, 4))
    length = 4 * strides - 2 + 2 * dilation + 1 + more  # as PyTorch says
    assert shape == (2, length, 4)
    x = random.normal(random.key(1), (2, 5, 4))
    y, pullback = fgrad.vjp(up.apply, params, x)
    whole = nn.conv_transpose1d(4, 3, padding="VALID", **form).apply(params, x)
    whole = np.concatenate([whole, np.zeros((2, more, 4))], axis=1)
    np.testing.assert_allclose(y, whole[:, 1 : 1 + length], atol=1e-12)
    c = random.normal(random.key(2), y.shape)
    for part, pulled in zip((params["weight"], x), pullback(c), strict=True):
        pulled = pulled["weight"] if isinstance(pulled, dict) else pulled
        np.testing.assert_allclose(np.sum(pulled * part), np.sum(c * y), atol=1e-10)


@pytest.mark.parametrize("groups", [1, 2])
def test_initializers_see_a_transposed_weight_as_that_of_a_convolution(groups):
    dirac = nn.initializers.dirac(groups)
    net = nn.conv_transpose1d(4, 3, groups=groups, weight_init=dirac)
    x = random.normal(random.key(0), (2, 5, 4))
    np.testing.assert_array_equal(net.apply(net.init(random.key(0), x.shape)[1], x), x)
    net = nn.conv_transpose1d(2, 3, weight_init=nn.initializers.he_normal())
    weight = net.init(random.key(0), (-1, 5, 500))[1]["weight"]
    assert weight.shape == (3, 2, 500)
    assert weight.var() == pytest.approx(2 / 1500, rel=0.1)


def test_float32_and_float64_meet_in_float64():
    net = nn.conv1d(2, 2)
    _, params = net.init(random.key(0), (-1, 4, 1), np.float32)
    assert net.apply(params, np.ones((1, 4, 1))).dtype == np.float64
    assert net.apply(params, np.ones((1, 4, 1), np.float32)).dtype == np.float32


@given(forms(pool=True), LAYOUTS, st.integers(0, 2**32), st.integers(1, 3))
def test_pools_are_sums_and_maxima_of_windows(drawn, layout, seed, levels):
    form, lengths, window, batch, channels, _ = drawn
    rng = np.random.default_rng(seed)
    x = np.round(levels * array(rng, (batch, *lengths, channels), layout))  # with ties
    params = {"form": form, "lengths": lengths, "window": window}
    places = form.places(lengths, window)
    high = np.pad(x, [(0, 0), *form.padding, (0, 0)], constant_values=-np.inf)
    total, top = np.zeros((2, batch, *places, channels))
    back = np.zeros_like(high)
    g = rng.normal(size=top.shape)
    for place in np.ndindex(*places):
        spots = np.ix_(*(
            p * s + d * np.arange(k)
            for p, s, d, k in zip(place, form.strides, form.dilation, window, strict=True)
        ))  # fmt: skip
        seen = high[(slice(None), *spots)].reshape(batch, math.prod(window), channels)
        total[(slice(None), *place)] = np.where(np.isinf(seen), 0, seen).sum(1)
        top[(slice(None), *place)] = seen.max(1)
        hit = seen == seen.max(1, keepdims=True)
        share = hit / hit.sum(1, keepdims=True) * g[(slice(None), *place)][:, None]
        back[(slice(None), *spots)] += share.reshape(batch, *window, channels)
    np.testing.assert_allclose(pools.window_sum(x, **params), total, atol=1e-12)
    np.testing.assert_array_equal(pools.window_max(x, **params), top)
    inner = tuple(slice(lo, lo + m) for (lo, _), m in zip(form.padding, lengths, strict=True))
    got = fgrad.vjp(lambda x: pools.window_max(x, **params), x)[1](g)[0]
    if np.isfinite(top).all():
        np.testing.assert_allclose(got, back[(slice(None), *inner)], atol=1e-12)


@given(st.integers(1, 3), st.integers(1, 2), st.integers(1, 2), st.sampled_from(["SAME", "VALID"]))
def test_unfolding_lays_open_what_a_convolution_sees(window, strides, dilation, padding):
    options = {"strides": strides, "padding": padding, "dilation": dilation}
    x = random.normal(random.key(0), (2, 7, 6, 2))
    net = nn.conv2d(3, window, **options)
    params = net.init(random.key(0), x.shape)[1]
    opened = nn.unfold((window, window), **options).apply({}, x)
    y = opened @ params["weight"].reshape(-1, 3) + params["bias"]
    np.testing.assert_allclose(y, net.apply(params, x), atol=1e-12)
    # With the same weight at all places, a locally connected layer is a convolution.
    local = nn.conv_local(3, window, dims=2, **options)
    own = local.init(random.key(0), x.shape)[1]
    same = {
        "weight": np.broadcast_to(params["weight"].reshape(-1, 3), own["weight"].shape),
        "bias": np.broadcast_to(params["bias"], own["bias"].shape),
    }
    np.testing.assert_allclose(local.apply(same, x), y, atol=1e-12)
    fold = nn.fold((7, 6), (window, window), **options)
    c = random.normal(random.key(1), opened.shape)
    np.testing.assert_allclose(np.sum(fold.apply({}, c) * x), np.sum(c * opened), atol=1e-10)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_the_gradient_of_windows_with_ties_and_nans(dtype):
    """A tie is shared, and where NaN is, nothing is the greatest; others don't notice either."""
    x = np.array([1.0, 1.0, np.nan, 2.0, 3.0, 0.0], dtype)[None, :, None]
    pool = nn.max_pool1d(2)
    with np.errstate(invalid="ignore"):
        g = fgrad.grad(lambda x: np.sum(pool.apply({}, x)))(x)
        alone = fgrad.grad(lambda x: np.sum(pool.apply({}, x)))(x[:, 4:])
    np.testing.assert_array_equal(g[0, :, 0], [0.5, 0.5, 0, 0, 1, 0])
    np.testing.assert_array_equal(alone[0, :, 0], [1, 0])
    assert g.dtype == dtype


@pytest.mark.parametrize("pool", [nn.max_pool2d, nn.avg_pool2d])
def test_second_derivatives_of_pools(pool):
    x = np.linspace(-1, 1, 12).reshape(1, 4, 3, 1) ** 3
    check_grads(lambda x: np.sin(pool(2, 1).apply({}, x)), (x,), order=2)


def test_integers_have_maxima():
    x = np.array([[[3], [1], [2]]], np.uint8)
    np.testing.assert_array_equal(nn.max_pool1d(2, 1).apply({}, x)[0, :, 0], [3, 2])


@given(st.integers(1, 7), st.integers(1, 7))
def test_adaptive_pools_cover_everything(n, places):
    x = random.normal(random.key(0), (1, n, 2))
    ends = [(i * n // places, -(-(i + 1) * n // places)) for i in range(places)]
    for net, reduce in ((nn.adaptive_avg_pool, np.mean), (nn.adaptive_max_pool, np.max)):
        got = net((places,)).apply({}, x)
        want = np.stack([reduce(x[:, a:b], axis=1) for a, b in ends], axis=1)
        np.testing.assert_allclose(got, want, atol=1e-12)


def test_padding_counts_in_means_unless_it_is_told_not_to():
    x = np.ones((1, 2, 1))
    np.testing.assert_array_equal(nn.avg_pool((2,), 1, 1).apply({}, x)[0, :, 0], [0.5, 1, 0.5])
    inside = nn.avg_pool((2,), 1, 1, count_include_pad=False)
    np.testing.assert_array_equal(inside.apply({}, x)[0, :, 0], [1, 1, 1])
