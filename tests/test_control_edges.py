"""Control flow at its edges: dtypes, Python numbers, no steps, safe branches, one equation."""

import numpy as np
import pytest

from fgrad import custom_jvp, grad, jvp, linearize, make_graph, tree, value_and_grad, vjp, vmap
from fgrad.checkpointing import checkpoint
from fgrad.control import associative_scan, cond, fori_loop, scan, switch, while_loop
from fgrad.control import map as map_slices
from fgrad.errors import DtypeError, TracerConversionError

F32 = np.arange(1, 4, dtype=np.float32)


LOOPS = {
    "scan": lambda x: scan(lambda c, s: (c * s, c), x, F32),
    "while": lambda x: while_loop(lambda c: np.sum(c) < 50, lambda c: c * 2 + x, x),
    "fori": lambda x: fori_loop(0, 3, lambda i, c: c * 2 + i, x),
    "map": lambda x: map_slices(lambda y: y * 2, x),
    "associative": lambda x: associative_scan(np.multiply, x),
    "cond": lambda x: cond(np.sum(x) > 3, np.sin, lambda x: 2 * x, x),
    "switch": lambda x: switch(np.sum(x).astype(int), [np.sin, np.cos], x),
    "every": lambda x: scan(lambda c, s: (c * s, c), x, F32, checkpoint_every=2),
}


@pytest.mark.parametrize("f", LOOPS.values(), ids=list(LOOPS))
def test_float32_stays(f):
    for way in (f, make_graph(f)(F32), lambda x: vmap(f)(np.stack([x, x]))):
        out = way(F32)
        out = out[0] if isinstance(out, tuple) else out
        assert out.dtype == np.float32

    def loss(x):
        out = f(x)
        return np.sum(out[0] if isinstance(out, tuple) else out)

    assert grad(loss)(F32).dtype == np.float32
    assert make_graph(grad(loss))(F32)(F32).dtype == np.float32


def test_a_python_number_takes_the_dtype_of_the_first_step():
    def f(x):
        return scan(lambda c, s: (c + s, None), 0.0, x)[0]

    for g in (f, make_graph(f)(F32)):
        assert g(F32) == 6
        assert g(F32).dtype == np.float32
    assert scan(lambda c, s: (c + s, None), 0, F32)[0].dtype == np.float32
    assert fori_loop(0, 3, lambda i, x: x + i, 0.5) == 3.5
    assert type(while_loop(lambda x: x < 9, lambda x: 2 * x, 1.0)) is float


STEPS = [
    lambda c, x: (c + x, c),
    lambda c, x: (c + x, np.sin(c)),
    lambda c, x: (np.sin(c) + x, (c * 2, 1.0)),  # np.sin(0.0) is a float64
    lambda c, x: (c + 1, (c, x)),
    lambda c, x: (x, c * np.float64(2)),
    lambda c, x: (c * 1j + x, np.cos(c)),
    lambda c, x: ((c := c + 1) and c * x, None),
]


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("n", [1, 3])
@pytest.mark.parametrize("first", [0.0, 0])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex64])
def test_results_have_the_same_dtypes_in_graphs_and_out_of_them(step, n, first, dtype):
    def f(xs):
        return scan(lambda c, x: step(c, x), first, xs)

    xs = np.arange(1.0, n + 1).astype(dtype)
    try:
        want = make_graph(f)(xs)(xs)
    except (DtypeError, TracerConversionError):
        if step is not STEPS[-1]:
            with pytest.raises(DtypeError):
                f(xs)
        return
    for got in (f(xs), jvp(f, (xs,), (xs,))[0], tree.map(lambda y: y[0], vmap(f)(xs[None]))):
        assert tree.structure(got) == tree.structure(want)
        for a, b in zip(tree.leaves(got), tree.leaves(want), strict=True):
            assert np.result_type(a) == np.result_type(b)
            np.testing.assert_allclose(a, b, rtol=1e-6)


def test_branches_of_python_numbers():
    f = lambda x: cond(x > 0, lambda x: np.sqrt(x), lambda x: 0.0, x)  # noqa: E731
    assert make_graph(f)(4.0)(-4.0) == 0.0
    np.testing.assert_array_equal(vmap(f)(np.array([-4.0, 4.0])), [0, 2])
    f = lambda x: cond(x > 0, lambda x: x, lambda x: 0, x)  # noqa: E731
    assert make_graph(f)(np.float32(1))(np.float32(-1)).dtype == np.float32


@pytest.mark.parametrize("way", [lambda f: f, lambda f: make_graph(f)(F32), vmap])
def test_no_steps(way):
    def f(x):
        c, ys = scan(lambda c, s: (c * s[0], (s, c, None)), x, np.ones((0, 2)))
        return c, ys[0], ys[1]

    x = np.stack([F32, F32]) if way is vmap else F32
    if way is not vmap:
        c, a, b = way(lambda x: f(x.astype(float)))(x)
        assert (c.shape, a.shape, b.shape, a.dtype) == ((3,), (0, 2), (0, 3), np.dtype(float))
    np.testing.assert_array_equal(way(lambda x: fori_loop(3, 1, lambda i, c: c + i, x))(x), x)
    np.testing.assert_array_equal(way(lambda x: while_loop(lambda c: False, np.sin, x))(x), x)


def test_no_steps_backward():
    x = np.arange(3.0)
    for every in (None, 2):

        def f(x, every=every):
            nothing = np.ones(0)
            return np.sum(scan(lambda c, s: (c * s, c), x, nothing, checkpoint_every=every)[0] ** 2)

        np.testing.assert_array_equal(grad(f)(x), 2 * x)
        np.testing.assert_array_equal(make_graph(grad(f))(x)(3 * x), 6 * x)
    g = lambda x: np.sum(while_loop(lambda c: np.sum(c) < 1, lambda c: 3 * c, x))  # noqa: E731
    graph = make_graph(grad(g))(np.ones(2))
    np.testing.assert_array_equal(graph(np.full(2, 0.1)), grad(g)(np.full(2, 0.1)))


def test_nothing_carried_and_nothing_returned():
    assert scan(lambda c, _: (None, None), None, length=3) == (None, None)
    assert make_graph(lambda x: (scan(lambda c, s: (None, None), None, x), x))(F32)(F32)[0] == (
        None, None,
    )  # fmt: skip
    assert make_graph(lambda x: (cond(x > 0, lambda: (), lambda: ()), x))(1.0)(2.0)[0] == ()


def test_index_is_clamped():
    fs = [lambda: 0.0, lambda: 1.0, lambda: 2.0]
    assert [switch(k, fs) for k in (-5, 0, 1, 2, 9)] == [0, 0, 1, 2, 2]
    graph = make_graph(lambda k: switch(k, fs))(1)
    assert [graph(k) for k in (-5, 0, 1, 2, 9)] == [0, 0, 1, 2, 2]
    np.testing.assert_array_equal(
        vmap(lambda k: switch(k, fs))(np.array([-5, 0, 1, 2, 9])), [0, 0, 1, 2, 2]
    )


def test_neither_branch_makes_nan_of_the_others_elements():
    f = lambda x: cond(x > 0, lambda x: np.sqrt(x) * np.log(x), lambda x: x * 0.0, x)  # noqa: E731
    xs = np.array([-1.0, 0.0, 1.0])
    np.testing.assert_array_equal(vmap(f)(xs), [0, 0, 0])
    np.testing.assert_array_equal(vmap(grad(f))(xs), [0, 0, 1])
    np.testing.assert_array_equal(grad(lambda x: np.sum(vmap(f)(x)))(xs), [0, 0, 1])
    np.testing.assert_array_equal(vmap(lambda x: jvp(f, (x,), (1.0,))[1])(xs), [0, 0, 1])
    both = vmap(vmap(grad(f)))(xs[:, None])
    np.testing.assert_array_equal(both[:, 0], [0, 0, 1])


def test_a_branch_closes_over_what_it_is_unsafe_for():
    def f(x):
        return cond(x > 0, lambda: np.sqrt(x), lambda: 0.0 * x)

    xs = np.array([0.0, 4.0])
    np.testing.assert_array_equal(vmap(grad(f))(xs), [0, 0.25])


def test_elements_that_are_done_get_no_nan():
    f = lambda x: while_loop(lambda y: y > 0, lambda y: y - np.sqrt(y) - 1, x)  # noqa: E731
    xs = np.array([0.0, 4.0, 100.0])
    np.testing.assert_allclose(vmap(f)(xs), [f(x) for x in xs])
    np.testing.assert_allclose(vmap(grad(f))(xs), [grad(f)(x) for x in xs])


def test_a_branch_that_is_not_taken_does_not_run():
    ran = []
    cond(True, lambda: ran.append(1) or 1.0, lambda: ran.append(2) or 2.0)
    grad(lambda x: cond(x > 0, lambda x: ran.append(3) or x, lambda x: ran.append(4) or x, x))(1.0)
    assert ran == [1, 3]


def test_eager_loops_are_python_loops():
    seen = []

    def step(c, x):
        seen.append(x)
        return (c + x if c < 3 else c - x), type(x)(1)

    assert scan(step, 0.0, np.arange(4.0))[0] == 0.0 + 1 + 2 - 3
    assert len(seen) == 4
    assert grad(lambda c: scan(lambda c, x: (c * x if c > 1 else c, None), c, F32)[0])(2.0) == 6


def test_a_graph_has_one_equation():
    def f(w, x):
        return scan(lambda c, s: (np.tanh(w * c + s), c), x, F32.astype(float))

    graph = make_graph(f)(2.0, 1.0)
    assert dict(graph.count()) == {"scan": 1}
    assert "  c:f64[], d:f64[3] = scan(" in str(graph)
    assert "\n    body = <lambda>(" in str(graph)
    graph = make_graph(grad(lambda w: np.sum(f(w, 1.0)[1])))(2.0)
    assert graph.count()["scan"] == 2
    graph = make_graph(lambda x: while_loop(lambda c: c < 9, lambda c: c + x, x))(2.0)
    assert dict(graph.count()) == {"while": 1}
    graph = make_graph(lambda x: fori_loop(0, 100, lambda i, c: c + i * x, x))(2.0)
    assert dict(graph.count()) == {"scan": 1}
    assert graph(1.0) == 4951.0


def test_linearize():
    f = lambda w: scan(lambda c, s: (np.sin(w * c + s), c), 0.5, F32)[1]  # noqa: E731
    y, push = linearize(f, 2.0)
    np.testing.assert_allclose(push(3.0), jvp(f, (2.0,), (3.0,))[1])
    np.testing.assert_allclose(y, f(2.0))


def test_a_body_in_many_forms():
    class Cell:
        def __init__(self, w):
            self.w = w

        def __call__(self, c, s):
            return np.tanh(self.w * c + s), c

        def method(self, c, s):
            return self(c, s)

    def loss(w, step, **options):
        return np.sum(scan(step(w), 0.5, F32, **options)[1])

    plain = value_and_grad(loss)(2.0, lambda w: lambda c, s: (np.tanh(w * c + s), c))
    for step in (Cell, lambda w: Cell(w).method):
        for options in ({}, {"checkpoint_every": 2}):
            got = value_and_grad(lambda w, s=step, o=options: loss(w, s, **o))(2.0)
            np.testing.assert_allclose(got, plain)
            graph = make_graph(grad(lambda w, s=step, o=options: loss(w, s, **o)))(1.0)
            np.testing.assert_allclose(graph(2.0), plain[1])


def test_complex_carries():
    f = lambda z: np.real(fori_loop(0, 3, lambda i, c: c * c + z, z))  # noqa: E731
    g = lambda z: np.real(((z * z + z) ** 2 + z) ** 2 + z)  # noqa: E731
    z = 0.3 + 0.4j
    np.testing.assert_allclose(grad(f)(z), grad(g)(z))
    np.testing.assert_allclose(make_graph(grad(f))(1j)(z), grad(g)(z))


@pytest.mark.parametrize("f", [*LOOPS.values()], ids=list(LOOPS))
def test_a_batch_of_none(f):
    def loss(x):
        out = f(x)
        return np.sum(out[0] if isinstance(out, tuple) else out)

    assert vmap(loss)(np.zeros((0, 3), np.float32)).shape == (0,)
    assert vmap(grad(loss))(np.zeros((0, 3), np.float32)).shape == (0, 3)


KEEPERS = {
    "while": lambda x, c: while_loop(lambda s: s[0] < 0, lambda s: (s[0] + 1, s[1] * 2), (0, x))[1],
    "scan": lambda x, c: scan(lambda s, y: (s, None), x, np.ones(3), checkpoint_every=2)[0],
    "slices": lambda x, c: scan(lambda s, y: (y, s), x, np.stack([c, c]), checkpoint_every=1)[0],
    "checkpoint": lambda x, c: checkpoint(lambda x: x)(x),
    "captured": lambda x, c: checkpoint(lambda x: (c, x))(x)[0] + 0 * x,
    "cond": lambda x, c: make_graph(lambda x: cond(x[0] > 9, np.sin, lambda x: x, x))(x)(x),
}


@pytest.mark.parametrize("f", KEEPERS.values(), ids=list(KEEPERS))
@pytest.mark.parametrize("n", [3, 100_000])
def test_what_is_passed_on_is_safe_from_changes(f, n):
    x, c = np.ones(n), np.full(n, 2.0)
    expected = vjp(lambda x: f(x, c.copy()) ** 2 * x, x.copy())[1](np.ones(n))[0].copy()
    _, pullback = vjp(lambda x: f(x, c) ** 2 * x, x)
    for a in (x, c):
        if a.flags.writeable:  # else it is locked, which is as good
            a[:] = 7
    np.testing.assert_array_equal(pullback(np.ones(n))[0], expected)


def test_graphs_and_functions_that_call_themselves_as_bodies():
    def loss(w):
        def step(c, s, deep=2):
            return (np.tanh(c * w + s), c) if not deep else step(c, s, deep - 1)

        return np.sum(scan(step, np.float64(0.5), F32, checkpoint_every=2)[1])

    def by_graph(w):
        graph = make_graph(lambda c, s: (np.tanh(c * w + s), c))(np.float64(0.5), F32[0])
        return np.sum(scan(graph, np.float64(0.5), F32, checkpoint_every=2)[1])

    def plain(w):
        return np.sum(scan(lambda c, s: (np.tanh(c * w + s), c), np.float64(0.5), F32)[1])

    for f in (loss, by_graph):
        np.testing.assert_allclose(value_and_grad(f)(2.0), value_and_grad(plain)(2.0))
        np.testing.assert_allclose(make_graph(grad(f))(1.0)(2.0), grad(plain)(2.0))


def test_a_custom_rule_that_closes_over_a_traced_value():
    def f(w):
        @custom_jvp
        def g(x):
            return w * x

        g.defjvp(lambda xs, ts: (g(*xs), w * ts[0]))
        return scan(lambda c, s: (g(c) + s, None), 0.5, F32, checkpoint_every=2)[0]

    with pytest.raises(TracerConversionError, match="pass the value as an argument"):
        grad(f)(2.0)
