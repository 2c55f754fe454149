"""Attention, positions and transformers: against their formulas, and what masks must mean."""

from __future__ import annotations

import functools

import numpy as np
import pytest

import fgrad
import fgrad_nn as nn
from fgrad import random, tree
from fgrad.testing import check_grads
from fgrad_nn import scaled_dot_product_attention as attend

KEY = random.key(0)


def draw(*shape, seed=0, scale=1.0):
    return scale * np.random.default_rng(seed).normal(size=shape)


def by_loops(q, k, v, mask):
    """Attention of single heads, (q, d), (k, d), (k, e), query by query."""
    out = np.zeros((len(q), v.shape[-1]))
    for i, row in enumerate(q):
        seen = np.flatnonzero(mask[i])
        if seen.size:
            s = np.array([row @ k[j] for j in seen]) / np.sqrt(q.shape[-1])
            w = np.exp(s - s.max())
            out[i] = (w / w.sum()) @ v[seen]
    return out


Q, K, V = draw(2, 4, 3, 5), draw(2, 4, 6, 5, seed=1), draw(2, 4, 6, 2, seed=2)
MASK = draw(2, 1, 3, 6, seed=3) > -0.3
MASK[1, 0, 2] = False  # sees nothing


def test_the_formula():
    want = [[by_loops(Q[b, h], K[b, h], V[b, h], MASK[b, 0]) for h in range(4)] for b in range(2)]
    np.testing.assert_allclose(attend(Q, K, V, MASK), want, atol=1e-12)
    added = np.where(MASK, 0.0, -np.inf)
    np.testing.assert_allclose(attend(Q, K, V, added), want, atol=1e-12)
    np.testing.assert_allclose(
        attend(Q, K, V, scale=0.0), 0 * Q[..., :1] + np.mean(V, -2, keepdims=True)
    )
    bias = draw(4, 3, 6, seed=5)
    more = np.concatenate([Q, np.ones((2, 4, 3, 1))], -1)  # a feature that adds a bias per key
    row = np.broadcast_to(bias[:, :1], (4, 3, 6))
    keys = np.concatenate([K, np.broadcast_to(bias[:, 0, :, None], (2, 4, 6, 1)) * 5**0.5], -1)
    np.testing.assert_allclose(
        attend(Q, K, V, row), attend(more, keys, V, scale=5**-0.5), atol=1e-12
    )


def test_who_sees_nothing_gets_zero_and_gives_no_gradient():
    for mask in (MASK, np.where(MASK, 0.0, -np.inf)):
        value, pull = fgrad.vjp(lambda q, k, v, m=mask: attend(q, k, v, m), 1e3 * Q, 1e3 * K, V)
        gq, gk, gv = pull(np.ones_like(value))
        assert np.all(value[1, :, 2] == 0)
        assert np.all(gq[1, :, 2] == 0)
        assert all(np.all(np.isfinite(x)) for x in (value, gq, gk, gv))
    assert np.all(attend(Q, K, V, np.zeros((3, 6), bool)) == 0)
    check_grads(lambda q, k, v: attend(q, k, v, MASK), (Q, K, V), order=2)
    check_grads(lambda m: attend(Q, K, V, m), (draw(3, 6, seed=4),), order=1)


def test_fewer_heads_of_keys_are_shared():
    k, v = K[:, :2], V[:, :2]
    for mask in (None, MASK, draw(4, 3, 6) > -1, draw(2, 4, 3, 6) > -1, draw(3, 6)):
        got = attend(Q, k, v, mask)
        want = attend(Q, np.repeat(k, 2, 1), np.repeat(v, 2, 1), mask)
        np.testing.assert_allclose(got, want, atol=1e-12)


def test_causal_is_blind_to_what_comes_later():
    x = draw(1, 4, 3)
    jac = fgrad.jacrev(lambda x: attend(x, x, x, causal=True))(x)[0, :, :, 0]
    for i in range(4):
        assert np.all(jac[i, :, i + 1 :] == 0)
        assert np.any(jac[i, :, i] != 0)
    np.testing.assert_allclose(
        attend(x, x, x, causal=True), attend(x, x, x, nn.causal_mask(4)), atol=1e-14
    )
    mask = draw(4, 4, seed=6) > 0
    both = attend(x, x, x, mask & nn.causal_mask(4))
    np.testing.assert_allclose(attend(x, x, x, mask, causal=True), both, atol=1e-14)
    np.testing.assert_array_equal(nn.causal_mask(2, 4), nn.causal_mask(4)[2:])
    window = nn.causal_mask(4, window=2)
    np.testing.assert_array_equal(window, np.tril(np.ones((4, 4))) - np.tril(np.ones((4, 4)), -2))


@pytest.mark.parametrize(("n", "heads", "shared"), [(128, 2, 2), (131, 4, 2), (260, 1, 1)])
def test_long_causal_sequences_are_taken_in_parts(n, heads, shared):
    shape = 2, heads, n, 3
    rng = np.random.default_rng(0)
    q, t = rng.normal(size=(2, *shape))
    k, v = rng.normal(size=(2, 2, shared, n, 3))

    def parts(q, k, v):
        return attend(q, k, v, causal=True)

    def whole(q, k, v):
        return attend(q, k, v, nn.causal_mask(n))

    def slopes(f, q, k, v):
        return fgrad.grad(lambda x: np.sum(np.sin(f(*x)) * t))((q, k, v))

    near = functools.partial(np.testing.assert_allclose, rtol=1e-9, atol=1e-12)
    near(parts(q, k, v), whole(q, k, v))
    assert parts(*(x.astype(np.float32) for x in (q, k, v))).dtype == np.float32
    for f in (slopes, fgrad.jit(slopes, static_argnums=0)):
        for a, b in zip(f(parts, q, k, v), slopes(whole, q, k, v), strict=True):
            near(a, b)
    near(fgrad.vmap(parts)(q, k, v), whole(q, k, v))
    moved, want = (
        fgrad.jvp(lambda q, f=f: slopes(f, q, k, v)[1], (q,), (t,))[1] for f in (parts, whole)
    )
    near(moved, want, atol=1e-9)
    broken = v.copy()
    broken[..., -1, :] = np.nan  # which the last query alone sees
    assert np.isfinite(parts(q, k, broken)[..., : n // 2, :]).all()


def test_dropout_of_weights():
    ones = np.ones((1, 200, 4))
    out = attend(ones, ones, ones, dropout_rate=0.5, key=KEY)
    assert np.std(out) > 0.02
    assert abs(np.mean(out) - 1) < 0.02
    net = nn.multi_head_attention(2, dropout_rate=0.5)
    _, params = net.init(KEY, (-1, 3, 4))
    x = draw(1, 3, 4)
    np.testing.assert_array_equal(net.apply(params, x, key=KEY), net.apply(params, x))
    assert not np.allclose(net.apply(params, x, key=KEY, train=True), net.apply(params, x))
    with pytest.raises(fgrad.errors.ArgumentError, match="wants a key"):
        net.apply(params, x, train=True)


def test_many_heads_are_each_for_itself():
    net = nn.multi_head_attention(2)
    _, p = net.init(KEY, (-1, 5, 6))
    p = tree.map(lambda a: a + 0.1 * draw(*a.shape), p)
    x, memory = draw(2, 3, 6), draw(2, 5, 6, seed=1)
    heads = []
    for h in range(2):
        part = slice(3 * h, 3 * h + 3)
        q, k, v = (
            y @ p[n]["weight"][:, part] + p[n]["bias"][part]
            for n, y in (("query", x), ("key", memory), ("value", memory))
        )
        heads.append(attend(q, k, v))
    want = np.concatenate(heads, -1) @ p["out"]["weight"] + p["out"]["bias"]
    np.testing.assert_allclose(net.apply(p, (x, memory)), want, atol=1e-12)
    # without positions the order of keys makes no difference
    turned = memory[:, ::-1]
    np.testing.assert_allclose(net.apply(p, (x, turned)), want, atol=1e-12)


def test_padding_makes_no_difference():
    x, lengths = draw(2, 5, 4), np.array([2, 5])
    for options in ({}, {"alibi": True, "causal": True}, {"rotary_base": 10.0, "kv_heads": 1}):
        net = nn.multi_head_attention(2, **options)
        _, p = net.init(KEY, (-1, 5, 4))
        got = net.apply(p, x, lengths=lengths)
        np.testing.assert_allclose(got[0, :2], net.apply(p, x[:1, :2])[0], atol=1e-12)
        np.testing.assert_allclose(got[1], net.apply(p, x[1:])[0], atol=1e-12)
        mask = nn.padding_mask(lengths, 5)
        np.testing.assert_allclose(net.apply(p, x, mask=mask), got, atol=1e-12)
        both = net.apply(p, x, mask=np.zeros((5, 5)), lengths=lengths)
        np.testing.assert_allclose(both, got, atol=1e-12)


# ------------------------------------------------------------------ positions
def test_sines_and_cosines():
    got = nn.sinusoidal_encoding(7, 6, base=100.0)
    for t in range(7):
        for i in range(3):
            angle = t / 100.0 ** (2 * i / 6)
            np.testing.assert_allclose(got[t, 2 * i : 2 * i + 2], [np.sin(angle), np.cos(angle)])
    np.testing.assert_array_equal(nn.sinusoidal_encoding(7, 5).shape, (7, 5))


@pytest.mark.parametrize("interleaved", [False, True])
def test_rotary_products_depend_on_distance_alone(interleaved):
    q, k = draw(6), draw(6, seed=1)

    def product(a, b):
        turned = nn.rotary(np.stack([q, k]), np.array([a, b]), base=50.0, interleaved=interleaved)
        return turned[0] @ turned[1]

    assert product(3, 1) == pytest.approx(product(12, 10))
    assert product(3, 1) != pytest.approx(product(3, 2))
    assert product(4, 4) == pytest.approx(q @ k)
    x = draw(5, 6)
    np.testing.assert_allclose(
        np.linalg.norm(nn.rotary(x, interleaved=interleaved), axis=-1), np.linalg.norm(x, axis=-1)
    )


def test_rotary_pairs():
    x = draw(3, 4)
    order = np.array([0, 2, 1, 3])  # (0, 1), (2, 3) as (0, 2), (1, 3)
    np.testing.assert_allclose(nn.rotary(x[:, order])[:, order], nn.rotary(x, interleaved=True))


def test_alibi_slopes():
    """Those of the paper for 8 heads; for 12 the 8, and every other one of 16."""
    slopes = -nn.alibi_bias(8, 1, 2)[:, 0, 0]
    np.testing.assert_allclose(slopes, 2.0 ** -np.arange(1, 9))
    rest = -nn.alibi_bias(12, 1, 2)[:, 0, 0]
    np.testing.assert_allclose(rest, [*slopes, *2.0 ** -(np.arange(1, 9, 2) / 2)])


# ------------------------------------------------------------------ transformers
def test_a_block_is_its_parts():
    net = nn.transformer_encoder_block(2, 8, norm_first=False)
    before = nn.transformer_encoder_block(2, 8)
    _, p = net.init(KEY, (-1, 4, 6))
    x, norm = draw(2, 4, 6), nn.layer_norm()
    attention, fed = nn.multi_head_attention(2), nn.feed_forward(8)
    a, b = p["attention_norm"], p["feed_forward_norm"]
    h = norm.apply(a, x + attention.apply(p["attention"], x))
    want = norm.apply(b, h + fed.apply(p["feed_forward"], h))
    np.testing.assert_allclose(net.apply(p, x), want, atol=1e-12)
    h = x + attention.apply(p["attention"], norm.apply(a, x))
    want = h + fed.apply(p["feed_forward"], norm.apply(b, h))
    np.testing.assert_allclose(before.apply(p, x), want, atol=1e-12)
    hidden = np.maximum(x @ p["feed_forward"]["up"]["weight"], 0)
    np.testing.assert_allclose(
        fed.apply(p["feed_forward"], x), hidden @ p["feed_forward"]["down"]["weight"], atol=1e-12
    )


def test_blocks_follow_each_other():
    x = draw(1, 3, 4)
    net = nn.transformer_encoder(2, 2)
    _, p = net.init(KEY, (-1, 3, 4))
    block = nn.transformer_encoder_block(2)
    want = block.apply(p["block_1"], block.apply(p["block_0"], x))
    want = nn.layer_norm().apply(p["norm"], want)
    np.testing.assert_allclose(net.apply(p, x), want, atol=1e-12)
    first = p["block_0"]["attention"]["query"]["weight"]
    assert not np.allclose(first, p["block_1"]["attention"]["query"]["weight"])


def test_a_decoder_sees_what_it_may():
    net = nn.transformer(1, 2, 5, gated=True, norm=nn.rms_norm)
    _, p = net.init(KEY, ((-1, 4, 6), (-1, 3, 6)))
    source, target = draw(2, 4, 6), draw(2, 3, 6, seed=1)
    lengths = np.array([2, 4])
    f = fgrad.jacrev(lambda s, t: net.apply(p, (s, t), source_lengths=lengths), (0, 1))
    by_source, by_target = f(source, target)
    assert np.all(by_source[0, :, :, 0, 2:] == 0)  # padding
    assert np.all(np.any(by_source[1, :, :, 1] != 0, axis=(0, 1)))
    for i in range(3):
        assert np.all(by_target[:, i, :, :, i + 1 :] == 0)  # what comes later
        assert np.any(by_target[:, i, :, :, : i + 1] != 0)


def test_dropout_in_a_transformer_takes_keys():
    net = nn.transformer(1, 2, 5, dropout_rate=0.3)
    _, p = net.init(KEY, ((-1, 4, 6), (-1, 3, 6)))
    x = (draw(2, 4, 6), draw(2, 3, 6))
    one, two = (net.apply(p, x, key=random.key(i), train=True) for i in (1, 2))
    assert not np.allclose(one, two)
    np.testing.assert_array_equal(one, net.apply(p, x, key=random.key(1), train=True))
    with pytest.raises(fgrad.errors.ArgumentError, match="wants a key"):
        net.apply(p, x, train=True)


def test_a_stack_of_blocks_takes_keywords_too():
    block = nn.transformer_encoder_block(2, causal=True, rotary_base=100.0)
    net = nn.layer_stack(block, 2)
    _, p = net.init(KEY, (-1, 5, 4))
    x, lengths = draw(2, 5, 4), np.array([2, 5])
    got = net.apply(p, x, lengths=lengths)
    for i in range(2):
        n = lengths[i]
        np.testing.assert_allclose(got[i, :n], net.apply(p, x[i : i + 1, :n])[0], atol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_compiled_it_is_the_same(dtype):
    net = nn.transformer_encoder_block(2, 8, causal=True)
    _, p = net.init(KEY, (-1, 5, 4), dtype)
    f = fgrad.value_and_grad(lambda p, x, n: np.mean(net.apply(p, x, lengths=n) ** 2))
    compiled = fgrad.jit(f)
    for seed in (0, 1):
        args = (p, draw(2, 5, 4, seed=seed).astype(dtype), np.array([3 + seed, 5]))
        want = f(*args)
        tree.map(
            lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5 if a.itemsize == 4 else 1e-10),
            compiled(*args), want,
        )  # fmt: skip
        assert {a.dtype for a in tree.leaves(want)} == {np.dtype(dtype)}


X = np.ones((2, 3, 4))
HALF = np.array([1, 2])


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda n, p: attend(X, X[:1], X), "wants queries.*\\(1, 3, 4\\)"),
        (lambda n, p: attend(X, X[..., :2], X), "wants queries"),
        (lambda n, p: attend(X, X, X, np.ones((3, 3), int)), "a mask of booleans"),
        (lambda n, p: attend(X, X, X, np.ones((2, 3), bool)), "broadcasts to \\(2, 3, 3\\)"),
        (lambda n, p: attend(X, X, X, dropout_rate=0.1), "wants a key"),
        (lambda n, p: n.apply(p, X, lengths=np.array([4, 1])), "from 0 to 3"),
        (lambda n, p: n.apply(p, (X, X, X, X)), "4 inputs"),
        (lambda n, p: n.apply(p, X[..., :3]), "ends so: \\(\\.\\.\\., any length, 4\\)"),
        (lambda n, p: n.init(KEY, (4,)), "\\(\\.\\.\\., time, features\\)"),
        (lambda n, p: n.init(KEY, (-1, 3, 5)), "divided into 2 heads"),
        (lambda n, p: nn.multi_head_attention(3).apply(p, X), "divided into 3 heads.*3, 4"),
        (lambda n, p: nn.multi_head_attention(3, kv_heads=2), "num_heads=3 and kv_heads=2"),
        (
            lambda n, p: nn.multi_head_attention(2, rotary_base=9.0).init(KEY, (-1, 3, 6)),
            "even number of features",
        ),
        (lambda n, p: nn.rotary(X[..., :3]), "an even number"),
        (lambda n, p: nn.rotary(X, np.arange(2)), "a position for each of 3"),
        (lambda n, p: nn.padding_mask(HALF * 1.0, 3), "lengths as an array of integers"),
        (lambda n, p: nn.learned_positions(2).init(KEY, (-1, 3, 4)), "vectors for 2 positions"),
        (lambda n, p: nn.sinusoidal_positions().init(KEY, (4,)), "time, features"),
        (lambda n, p: nn.transformer_decoder_block(2).init(KEY, (-1, 3, 4)), "two inputs"),
        (
            lambda n, p: nn.transformer_encoder_block(2, out_features=6).init(KEY, (-1, 3, 4)),
            "adds what each part makes",
        ),
        (lambda n, p: nn.transformer(1, 2, norm=nn.batch_norm), "without state"),
    ],
)
def test_what_is_refused(call, text):
    net = nn.multi_head_attention(2)
    _, params = net.init(KEY, (-1, 3, 4))
    with pytest.raises(fgrad.errors.FgradError, match=f"(?s){text}.*To do"):
        call(net, params)
