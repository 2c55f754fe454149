"""Trees are values: inputs are never written, results are fresh and share no memory."""

import tracemalloc

import numpy as np
import pytest

from fgrad import grad, jvp, make_graph, tree, vjp, vmap
from fgrad.arrays import digest


def fresh(n, seed=0):
    return np.random.default_rng(seed).uniform(0.5, 1.5, n)


def test_inputs_are_never_written():
    params = tree.freeze({"w": fresh((3, 2)), "b": [fresh(3), 2.0]})

    def loss(p, x):
        return np.sum(np.tanh(p["w"] @ x + p["b"][0]) * p["b"][1])

    x = fresh(2)
    x.flags.writeable = False
    g = grad(loss)(params, x)
    assert type(g) is type(params)
    assert type(g["b"]) is tuple
    y, pullback = vjp(loss, params, x)
    assert tree.structure(pullback(y)[0]) == tree.structure(params)
    _, t = jvp(loss, (params, x), (params, x))
    assert t.shape == ()
    batch = tree.map(lambda a: np.stack([a, a]), params)
    out = vmap(lambda p: p)(batch)
    assert type(out) is type(params)
    assert make_graph(loss)(params, x)(params, x) == y


def test_gradients_are_fresh_writable_and_apart():
    x, c = fresh(4), fresh(4, 1)
    cases = {
        "sum of two": lambda p: np.sum(p[0] + p[1]),
        "same twice": lambda p: np.sum(p[0] * c) + np.sum(p[1] * c),
        "views": lambda p: np.sum(p[0][::-1]) + np.sum(np.reshape(p[1], (2, 2)).T),
        "captured": lambda p: p[0] @ c + p[1] @ c,
        "broadcast": lambda p: np.sum(np.broadcast_to(p[0] + p[1], (3, 4))),
        "unused": lambda p: np.sum(p[0]),
    }
    for name, f in cases.items():
        p = [x, x]
        before = x.copy()
        for gs in (grad(f)(p), vjp(f, p)[1](1.0)[0]):
            assert all(g.flags.writeable for g in gs), name
            assert all(g.flags.owndata for g in gs), name
            others = [x, c, gs[1]]
            assert not any(np.shares_memory(gs[0], other) for other in others), name
            gs[0][:] = 7.0
        np.testing.assert_array_equal(x, before)


def test_a_cotangent_does_not_come_back_as_a_gradient():
    ct = fresh(4)
    for f in (lambda x, y: x + y, lambda x, y: x.reshape(2, 2).reshape(4) + np.real(y)):
        _, pullback = vjp(f, fresh(4), fresh(4, 1))
        for g in pullback(ct):
            assert not np.shares_memory(g, ct)


def test_tangents_are_fresh_and_apart():
    x, t = fresh(4), fresh(4, 1)
    _, ts = jvp(lambda x: (x, x + 1, x + 2, x[::-1], np.broadcast_to(x, (2, 4))), (x,), (t,))
    for i, a in enumerate(ts):
        a[...] = i
    assert [a.flat[0] for a in ts] == [0, 1, 2, 3, 4]
    assert not any(np.shares_memory(a, t) for a in ts)


# ------------------------------------------------------------------ the fingerprint
@pytest.mark.parametrize(
    "x",
    [
        fresh((40, 50)), np.asfortranarray(fresh((40, 50))), fresh((40, 50))[::2, ::3],
        fresh(5000).astype(np.float32)[1:-1], fresh(3001).astype(np.float16),
        fresh((7, 9, 11)).transpose(1, 2, 0), fresh(600) * 1j, np.zeros(0), np.array(1.0),
    ],
)  # fmt: skip
def test_a_fingerprint_sees_every_change(x):
    before = digest(x)
    assert digest(x) == before
    for index in list(np.ndindex(x.shape))[:: max(1, x.size // 20)]:
        old = x[index]
        x[index] = old + 1
        assert digest(x) != before
        x[index] = old
    assert digest(x) == before
    if x.size > 1:
        x.flat[0], x.flat[-1] = x.flat[-1], x.flat[0]
        assert digest(x) != before


def test_a_fingerprint_takes_little_memory():
    wide = np.broadcast_to(fresh(1), (10**9,))
    x = fresh((1000, 1000))
    for a in (x, x.T, x[::2], x[:, ::2], wide):
        tracemalloc.start()
        digest(a)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 2.5e6
