"""Sparsity patterns: whatever the values, no entry of the Jacobian is missing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fgrad
import fgrad.scipy.linalg
import fgrad.scipy.special as special
import fgrad.sparse
from fgrad import fori_loop, scan, vmap, while_loop

RNG = np.random.default_rng(0)
W = RNG.normal(size=(5, 12)) * (RNG.uniform(size=(5, 12)) < 0.3)
A = RNG.normal(size=(4, 3, 3)) + 3 * np.eye(3)


def jitter(x):
    """Rows of x as matrices that are far from singular."""
    return A + x[:, :, None] * np.eye(3)


#: Functions of a vector of 12 whose pattern is exactly where the Jacobian isn't zero.
EXACT_1 = {
    "sin": np.sin,
    "second differences": lambda x: np.diff(x, 2) * x[1:-1],
    "known matrix": lambda x: np.tanh(W @ x),
    "vector times matrix": lambda x: x @ W.T,
    "cumsum": np.cumsum,
    "abs": np.abs,
    "convolve": lambda x: np.convolve(x, [1.0, -2.0, 1.0], "same"),
    "stack": lambda x: np.stack([x[0] * x[1], x[2], x[3] ** 2]),
    "scatter": lambda x: fgrad.at(np.zeros(6))[np.array([0, 0, 1, 2])].add(x[:4]),
    "set": lambda x: x.at[2:4].set(x[0] * 2),
    "mask": lambda x: x[x > 1.5] * 2,
    "pad": lambda x: np.pad(x, 2),
    "wrapped": lambda x: np.pad(x, 2, mode="wrap"),
    "interpolated": lambda x: np.interp(x, np.linspace(0, 3, 7), np.linspace(0, 3, 7) ** 2),
    "branch": lambda x: x**2 if x[0] > 1 else np.flip(x),
    "cond": lambda x: fgrad.cond(x[0] > 0, np.sin, np.flip, x),
    "mapped cond": vmap(lambda x: fgrad.cond(x > 1.5, lambda x: x * 2, np.sin, x)),
    "loop": lambda x: fori_loop(0, 3, lambda i, y: y + np.roll(y, 1), x),
    "while": lambda x: while_loop(lambda y: y[0] < 9, lambda y: y * y, 1 + x),
    "checkpoint": fgrad.checkpoint(lambda x: np.sin(np.diff(x))),
    "graph": fgrad.make_graph(lambda x: np.sin(np.diff(x)))(np.ones(12)),
    "jit": fgrad.jit(lambda x: np.sin(np.diff(x))),
    "complex": lambda x: np.real(np.exp(1j * x) * (x + 0j)),
    "eigenvectors": lambda x: np.linalg.eigh(x[:4].reshape(2, 2) + x[:4].reshape(2, 2).T)[1],
    "constant": lambda x: np.ones(3),
    "gradient": fgrad.grad(lambda x: np.sum(x[1:] * np.exp(x[:-1]))),
    "tangent": lambda x: fgrad.jvp(np.sin, (x,), (np.roll(x, 1),))[1],
    "scalar parts": lambda x: [x[0] * x[3], {"y": np.sum(x[:2])}],
    "no result": lambda x: np.diff(x[:1]),
}
#: The same of a matrix of shape (4, 3).
EXACT_2 = {
    "sum": lambda x: x.sum(0),
    "mean": lambda x: x.mean(1),
    "cumsum": lambda x: np.cumsum(x, 1),
    "cumprod": lambda x: np.cumprod(x, 1),
    "norm": lambda x: np.linalg.norm(x, axis=1),
    "einsum": lambda x: np.einsum("ij,kj->ik", x, x[:2]),
    "einsum diagonal": lambda x: np.einsum("ii->i", x[:3]),
    "dot": lambda x: np.dot(x, np.ones((2, 3, 2))),
    "batched matmul": lambda x: (x[:, None] @ A)[:, 0],
    "transpose": lambda x: np.sin(x.T),
    "solve": lambda x: np.linalg.solve(A, x[..., None])[..., 0],
    "inv": lambda x: np.linalg.inv(jitter(x)),
    "fft": lambda x: np.abs(np.fft.rfft(x, axis=1)),
    "softmax": lambda x: special.softmax(x, axis=1),
    "logsumexp": lambda x: special.logsumexp(x, axis=1),
    "logaddexp.reduce": lambda x: np.logaddexp.reduce(x, axis=1),
    "airy": lambda x: special.airy(x)[0],
    "outer": lambda x: np.outer(x[0], x[1]),
    "cross": lambda x: np.cross(x, np.ones(3)),
    "eigvalsh": lambda x: np.linalg.eigvalsh(jitter(x)),
    "eigh": lambda x: np.linalg.eigh(jitter(x))[0],
    "logm": lambda x: fgrad.scipy.linalg.logm(jitter(x)[0, :2, :2]),
    "products": vmap(lambda r: np.prod(r) * r),
}
#: Functions whose pattern has to be larger than the nonzero entries at a point.
LARGER = {
    "times zero": lambda x: 0.0 * x,
    "where": lambda x: np.where(x > 1.5, x, np.roll(x, 1)),
    "maximum": lambda x: np.maximum(x, x[::-1]),
    "sort": np.sort,
    "picked": lambda x: x[np.argsort(x)],
    "max": lambda x: x.reshape(3, 4).max(1),
    "median": lambda x: np.median(x.reshape(4, 3), axis=1),
    "mask as factor": lambda x: (x[:, None] == x).astype(float) @ x,
    "gather": lambda x: np.ones(12)[:3] * fgrad.numpy.take(x, np.floor(x[:3]).astype(int)),
    "numeric": fgrad.external(lambda x: np.sin(x), numeric=True),
    "mapped while": vmap(lambda a: while_loop(lambda c: c < 10, lambda c: c * 1.5, a)),
    "staged scan": fgrad.make_graph(lambda x: scan(lambda c, a: (c * 0.5 + a, c * a), 0.0, x)[1])(
        np.ones(12)
    ),
    "choice": lambda x: np.choose((x > 1.5).astype(int), [x, np.flip(x)]),
}


def dense(f, x):
    """The Jacobian as a matrix."""
    rows = [b.reshape(-1, np.size(x)) for b in fgrad.tree.leaves(fgrad.jacobian(f)(x))]
    return np.concatenate(rows)


def check(f, x, exact):
    pattern = fgrad.sparse.sparsity(f)(x)
    assert pattern.dtype == bool
    there = dense(f, x) != 0
    assert pattern.shape == there.shape
    found = pattern.toarray()
    assert not np.any(there & ~found)
    assert np.array_equal(found, there) == exact
    return found


@pytest.mark.parametrize("f", EXACT_1.values(), ids=EXACT_1)
def test_pattern_of_a_function_of_a_vector(f):
    check(f, RNG.uniform(1.1, 1.9, 12), exact=True)


@pytest.mark.parametrize("f", EXACT_2.values(), ids=EXACT_2)
def test_pattern_of_a_function_of_a_matrix(f):
    check(f, RNG.uniform(1.1, 1.9, (4, 3)), exact=True)


@pytest.mark.parametrize("f", LARGER.values(), ids=LARGER)
def test_pattern_holds_for_other_values(f):
    """What depends on values at hand is in the pattern for all of them."""
    found = check(f, RNG.uniform(1.1, 1.9, 12), exact=False)
    for _ in range(4):
        other = dense(f, RNG.permutation(RNG.uniform(1.1, 1.9, 12))) != 0
        assert not np.any(other & ~found)


# ------------------------------------------------------------------ random programs
def _programs():
    """Steps from a vector to a vector, of lengths that don't matter."""
    n = st.integers(0, 3)
    return st.one_of(
        n.map(lambda k: lambda x: np.roll(x, k)),
        n.map(lambda k: lambda x: x * np.roll(x, k)),
        st.just(lambda x: np.diff(x, prepend=x[:1])),
        st.just(np.tanh),
        st.just(lambda x: x[::-1]),
        st.just(lambda x: np.concatenate([x[2:], x[:1] ** 2])),
        st.just(lambda x: np.where(x > 0, x, 2 * x[::-1])),
        st.just(lambda x: x.reshape(1, -1).repeat(2, axis=0).sum(0)),
        st.just(lambda x: np.pad(x, (1, 0))),
        st.integers(1, 9).map(
            lambda seed: (
                lambda x: (
                    np.random.default_rng(seed).integers(-1, 2, (x.size, x.size)).astype(float) @ x
                )
            )
        ),
        st.just(lambda x: fgrad.at(x)[: x.size // 2].multiply(x[-1])),
        st.just(lambda x: np.cumsum(x)),
        st.just(lambda x: np.maximum(x, np.roll(x, 1))),
    )


@settings(max_examples=20)
@given(st.lists(_programs(), min_size=1, max_size=4), st.integers(3, 9), st.integers(0, 99))
def test_programs(steps, n, seed):
    """A random program: nothing is missing at other points, and the sparse Jacobian is right."""
    rng = np.random.default_rng(seed)

    def f(x):
        for step in steps:
            x = step(x)
        return x

    pattern = fgrad.sparse.sparsity(f)(rng.normal(size=n))
    J = fgrad.sparse.jacobian(f, sparsity=pattern)
    for x in (rng.normal(size=n), np.zeros(n)):
        want = fgrad.jacfwd(f)(x)
        assert not np.any((want != 0) & ~pattern.toarray())
        np.testing.assert_allclose(J(x).toarray(), want, rtol=1e-12, atol=1e-12)

    def loss(x):
        return np.sum(f(x) ** 2)

    x = rng.normal(size=n)
    want = fgrad.hessian(loss)(x)
    H = fgrad.sparse.hessian(loss)(x).toarray()
    np.testing.assert_allclose(H, want, rtol=1e-9, atol=1e-9 * np.abs(want).max())
    assert np.array_equal(H, H.T)


# ------------------------------------------------------------------ declarations of users
def test_a_new_primitive_needs_no_rule_here():
    """The declaration says what depends on what."""

    def mean(x, width):
        return sum(np.roll(x, k, axis=-1) for k in range(-width, width + 1))

    @fgrad.linear(mean, lambda g, x, width: mean(g, width))
    def smooth(x, width=1):
        return (x,), {"width": width}

    def band(n, width):
        return dense(lambda x: mean(x, width), np.ones(n)) != 0

    for n in (1, 2, 7, 40):
        found = fgrad.sparse.sparsity(lambda x: np.sin(smooth(x)) + smooth(x, 2))(np.ones(n))
        np.testing.assert_array_equal(found.toarray(), band(n, 2))
    softsign = fgrad.elementwise(lambda x: x / (1 + np.abs(x)), lambda ans, x: (1 - ans) ** 2)
    assert fgrad.sparse.sparsity(softsign)(np.ones(5)).nnz == 5

    def product(x, y):
        return x[..., 0:1] * y[..., ::-1] - x[..., 1:2] * y

    def canonical(x, y):
        return (x, y), {}

    crossed = fgrad.multilinear(
        product,
        lambda g, ans, x, y: np.stack([np.sum(g * y[::-1]), -np.sum(g * y)]),
        lambda g, ans, x, y: (g * x[0:1])[::-1] - g * x[1:2],
    )(canonical)
    y = np.array([0.0, 1.0, 0.0])
    first = fgrad.sparse.sparsity(lambda x: crossed(x, y))(np.ones(2))
    np.testing.assert_array_equal(first.toarray(), [[0, 0], [1, 1], [0, 0]])
    second = fgrad.sparse.sparsity(lambda y: crossed(np.array([1.0, 0.0]), y))(y)
    np.testing.assert_array_equal(second.toarray(), np.eye(3)[::-1])
    both = fgrad.sparse.sparsity(lambda x: crossed(x[:2], x[2:]))(np.zeros(5))
    want = np.concatenate([np.ones((3, 2)), (np.eye(3) + np.eye(3)[::-1]) > 0], axis=1)
    np.testing.assert_array_equal(both.toarray(), want)


def test_a_rule_that_says_nothing_is_taken_for_dense():
    """A rule that asks for values, and one without end, depend on all."""

    def asks(ts, ans, x):
        return ts[0] if np.all(x > 0) else ts[0][::-1]

    op = fgrad.primitive(lambda x: x + 0.0, jvp=asks, vjp=[lambda g, ans, x: g], name="asks")(
        lambda x: ((x,), {})
    )
    assert fgrad.sparse.sparsity(op)(np.ones(4)).nnz == 16

    def chooses(ts, ans, x):
        return fgrad.cond(np.all(x > 0), lambda t: t, lambda t: t[::-1], ts[0])

    op = fgrad.primitive(lambda x: x + 0.0, jvp=chooses, vjp=[lambda g, ans, x: g], name="chooses")(
        lambda x: ((x,), {})
    )
    assert fgrad.sparse.sparsity(op)(np.ones(4)).nnz == 16

    def endless(depth):
        @fgrad.custom_jvp
        def f(x):
            return np.sin(x)

        @f.defjvp
        def rule(primals, tangents):
            return f(*primals), endless(depth + 1)(tangents[0])

        return f

    assert fgrad.sparse.sparsity(endless(0))(np.ones(3)).nnz == 9


def test_custom_rules_are_followed():
    x = np.linspace(1, 2, 6)

    @fgrad.custom_jvp
    def f(x):
        return np.logaddexp(0, x)

    @f.defjvp
    def rule(primals, tangents):
        return f(*primals), tangents[0] / (1 + np.exp(-primals[0]))

    check(f, x, exact=True)

    @fgrad.custom_vjp
    def g(x):
        return np.roll(x, 1) ** 2

    g.defvjp(lambda x: (g(x), x), lambda x, ct: (np.roll(ct * 2 * np.roll(x, 1), -1),))
    check(g, x, exact=True)
    check(fgrad.external(np.sin, jvp=lambda ans, p, t: np.cos(p[0]) * t[0]), x, exact=True)
    check(fgrad.external(np.sin, vjp=lambda ans, p, ct: (np.cos(p[0]) * ct,)), x, exact=True)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_dtypes_and_lengths_do_not_matter(dtype):
    n = 5000
    x = np.ones(n, dtype)
    found = fgrad.sparse.sparsity(lambda x: (x.astype(np.float32)[1:] - x[:-1]).astype(dtype))(x)
    assert found.nnz == 2 * (n - 1)
    assert fgrad.sparse.sparsity(np.mean)(x).nnz == n


# ------------------------------------------------------------------ Hessians
HESSIANS = {
    "linear": lambda x: np.sum(3 * x) + x[0],
    "separable": lambda x: np.sum(np.exp(x)),
    "chain": lambda x: np.sum((x[1:] - x[:-1] ** 2) ** 2),
    "pairs": lambda x: np.sum(x[:6] * x[6:]),
    "arrow": lambda x: x[0] ** 2 * np.sum(x[1:] ** 2),
    "norm": lambda x: np.linalg.norm(x),
    "blocks": lambda x: np.sum(np.prod(x.reshape(4, 3), axis=1)),
    "known matrix": lambda x: np.sum(np.sin(W @ x)),
    "jit": fgrad.jit(lambda x: np.sum(np.sin(x[1:] * x[:-1]))),
    "checkpoint": fgrad.checkpoint(lambda x: np.sum(np.sin(x[1:] * x[:-1]))),
    "loss of a loop": lambda x: scan(lambda c, a: (c * a, np.sin(c)), 1.0, x)[1].sum(),
}


@pytest.mark.parametrize("f", HESSIANS.values(), ids=HESSIANS)
def test_pattern_of_a_hessian(f):
    x = RNG.uniform(1, 2, 12)
    found = fgrad.sparse.hessian_sparsity(f)(x).toarray()
    np.testing.assert_array_equal(found, found.T)
    want = fgrad.hessian(f)(x) != 0
    assert not np.any(want & ~found)
    assert np.array_equal(found, want)


def test_a_gradient_that_reads_too_much_has_a_symmetric_pattern():
    """What only one of an entry and its mirror image may be is zero."""

    @fgrad.custom_vjp
    def f(x):
        return x[0] * x[1]

    def backward(x, g):
        return (g * np.stack([x[1] + 0 * x[2], x[0], np.float64(0)]),)

    f.defvjp(lambda x: (f(x), x), backward)
    x = np.arange(1.0, 4.0)
    found = fgrad.sparse.sparsity(fgrad.grad(f))(x).toarray()
    np.testing.assert_array_equal(found, [[0, 1, 1], [1, 0, 0], [0, 0, 0]])
    found = fgrad.sparse.hessian_sparsity(lambda x: f(x) + x[2] ** 2)(x).toarray()
    np.testing.assert_array_equal(found, [[0, 1, 0], [1, 0, 0], [0, 0, 1]])
