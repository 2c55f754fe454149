"""Callbacks, printing, checks, residuals: what runs has the values, each effect comes once."""

import numpy as np
import pytest

import fgrad
from fgrad import (
    checkpoint,
    cond,
    fori_loop,
    grad,
    hessian,
    jvp,
    linearize,
    make_graph,
    scan,
    vjp,
    vmap,
    while_loop,
)
from fgrad.callbacks import io_callback, pure_callback
from fgrad.debug import callback, check, print_saved_residuals, saved_residuals
from fgrad.debug import print as debug_print
from fgrad.errors import (
    ArgumentError,
    CheckError,
    DtypeError,
    EscapedTracerError,
    NoRuleError,
    ShapeError,
    TreeError,
)

X = np.array([0.5, 1.0, 2.0])


class Seen(list):
    """What a callback was called with, since the last look."""

    def put(self, *args):
        assert not any(isinstance(x, fgrad.core.Tracer) for x in fgrad.tree.leaves(args))
        self.append(args[0] if len(args) == 1 else args)

    def look(self):
        out, self[:] = [np.asarray(x).tolist() for x in self], []
        return out


@pytest.fixture
def seen():
    return Seen()


# ------------------------------------------------------------------ callbacks
def scanned(seen, **options):
    def step(c, x):
        c = c * x
        callback(seen.put, c)
        return c, c

    return lambda c: scan(step, c, X, **options)[0]


def looped(seen):
    def body(i, c):
        callback(seen.put, c)
        return c * c

    return lambda c: fori_loop(0, 3, body, c)


def whiled(seen):
    def body(c):
        callback(seen.put, c)
        return c * c

    return lambda c: while_loop(lambda c: c < 100.0, body, c)


def branched(seen):
    def f(c):
        cond(c > 0, lambda c: callback(seen.put, c), lambda c: None, c)
        return c * c

    return f


FUNCTIONS = {
    "scan": (scanned, [1.0, 1.0, 2.0]),
    "fori_loop": (looped, [2.0, 4.0, 16.0]),
    "while_loop": (whiled, [2.0, 4.0, 16.0]),
    "cond without results": (branched, [2.0]),
    "a long scan": (lambda seen: scanned(seen, checkpoint_every=2), [1.0, 1.0, 2.0]),
    "checkpoint": (lambda seen: checkpoint(scanned(seen)), [1.0, 1.0, 2.0]),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_once_for_each_run(name, seen):
    make, want = FUNCTIONS[name]
    f = make(seen)
    graph = make_graph(f)(3.0)
    graph_of_grad = make_graph(grad(f))(3.0)
    assert not seen.look(), "a graph that is recorded has no effect"
    for run in (f, graph, grad(f), grad(graph), grad(grad(f)), graph_of_grad,
                lambda c: jvp(f, (c,), (1.0,)), lambda c: vjp(f, c)[1](1.0), grad(checkpoint(f)),
                lambda c: linearize(f, c)[1](1.0), lambda c: vmap(f)(np.array([c])),
                lambda c: vmap(grad(f))(np.array([c])),
                lambda c: grad(lambda c: np.sum(vmap(f)(np.stack([c]))))(c),
                lambda c: make_graph(vmap(f))(np.array([3.0]))(np.array([c])),
                lambda c: vmap(graph_of_grad)(np.array([c])), grad(graph_of_grad)):  # fmt: skip
        run(2.0)
        assert seen.look() == want


def test_each_element_in_order(seen):
    f = lambda x, y: (callback(seen.put, x, y), x + y)[1]  # noqa: E731
    xs, ys = np.array([1.0, 2.0]), np.array([10.0, 20.0, 30.0])
    vmap(f, (0, None))(xs, 5.0)
    assert seen.look() == [[1.0, 5.0], [2.0, 5.0]]
    outer = vmap(vmap(f, (None, 0)), (0, None))
    want = [[x, y] for x in xs for y in ys]
    outer(xs, ys)
    assert seen.look() == want
    graph = make_graph(outer)(xs, ys)
    assert graph.count()["debug_callback"] == 1
    graph(xs, ys)
    assert seen.look() == want
    vmap(lambda x: (callback(seen.put, ys), x)[1])(xs)  # the same for all: once
    assert seen.look() == [ys.tolist()]
    vmap(f, (0, None))(np.zeros(0), 5.0)
    assert seen.look() == []
    hessian(lambda x: f(x, 1.0))(np.array(3.0))
    assert seen.look() == [[3.0, 1.0]]


def test_trees_and_what_is_no_array(seen):
    def f(w):
        callback(
            lambda tree, s, k: seen.append((tree, s, k)), {"w": w, "n": None}, "spam", k=[w, 2]
        )
        return np.sum(w)

    grad(f)(X)
    ((tree, s, k),) = seen
    assert (s, k[1], tree["n"]) == ("spam", 2, None)
    np.testing.assert_array_equal(tree["w"], X)
    tree["w"][:] = 7.0  # a copy: neither the argument nor what the tape keeps
    np.testing.assert_array_equal(k[0], X)
    assert X[0] == 0.5


def test_what_a_callback_gets_is_its_own(seen):
    def f(x):
        y = np.exp(x)
        callback(lambda y: y.fill(0.0), y)
        return np.sum(y)

    np.testing.assert_array_equal(grad(f)(X), np.exp(X))


def test_gradients_are_seen_on_the_way_back(seen):
    @fgrad.custom_vjp
    def tap(x):
        return x

    tap.defvjp(lambda x: (x, ()), lambda r, g: (callback(seen.put, g), (g,))[1])
    f = lambda c: scan(lambda c, x: (tap(c) * x, None), c, X)[0]  # noqa: E731
    grad(f)(1.0)
    assert seen.look() == [2.0, 2.0, 1.0]
    make_graph(grad(f))(3.0)(1.0)
    assert seen.look() == [2.0, 2.0, 1.0]


def test_errors_of_callbacks(seen):
    def refuse(x):
        raise KeyError("spam")

    with pytest.raises(KeyError, match="spam"):
        grad(lambda x: (callback(refuse, x), x)[1])(1.0)
    assert grad(np.sin)(0.0) == 1.0
    with pytest.raises(ArgumentError, match=r"debug\.callback wants a function"):
        callback(X, 1.0)
    leaked = []
    grad(lambda x: (leaked.append(x), x)[1])(1.0)
    with pytest.raises(EscapedTracerError, match="debug_callback"):
        callback(seen.put, leaked[0])


# ------------------------------------------------------------------ print
def test_print(capsys):
    def f(x):
        debug_print("x={x:.2f} {0!r} {1[a]} {{}}", "s", {"a": x}, x=x)
        return x * x

    for run in (f, grad(f), make_graph(f)(0.0)):
        run(2.0)
        assert capsys.readouterr().out == "x=2.00 's' 2.0 {}\n"
    debug_print("nothing to fill in")
    vmap(f)(np.array([1.0, 2.0]))
    assert capsys.readouterr().out == ("nothing to fill in\nx=1.00 's' 1.0 {}\nx=2.00 's' 2.0 {}\n")
    assert str(make_graph(lambda x: (debug_print("{}", x), x)[1])(1.0)) == (
        "<lambda>(a:f64[]):\n  debug_callback(a, action=print('{}'))\n  return a"
    )


@pytest.mark.parametrize(
    ("fmt", "args", "kwargs", "text"),
    [
        ("{} {}", (1.0,), {}, "more places than the 1 arguments"),
        ("{x}", (), {"y": 1.0}, "no argument 'x'"),
        ("{}", (1.0, 2.0), {}, "no place for the argument 1"),
        ("{", (1.0,), {}, "'{'"),
        (1.0, (), {}, r"1.0 \(a float\)"),
    ],
)
def test_formats_that_do_not_fit(fmt, args, kwargs, text):
    with pytest.raises(ArgumentError, match=rf"debug.print wants(.|\n)*{text}(.|\n)*write"):
        debug_print(fmt, *args, **kwargs)


# ------------------------------------------------------------------ check
def root(x):
    check(x >= 0, "x must not be negative, it is {x}", x=x)
    return np.sqrt(x)


def test_check_in_every_mode():
    text = r"x must not be negative, it is -2.0(.|\n)*condition that is False; x=-2.0(.|\n)*To do"
    runs = (root, grad(root), make_graph(root)(1.0), make_graph(grad(root))(1.0),
            lambda x: jvp(root, (x,), (1.0,)), checkpoint(root),
            lambda x: scan(lambda c, _: (root(c), None), x, None, 2),
            make_graph(lambda x: cond(x < 9, root, lambda x: x, x))(1.0))  # fmt: skip
    for run in runs:
        run(1.0)
        with pytest.raises(CheckError, match=text):
            run(-2.0)
    assert issubclass(CheckError, ValueError)


def test_check_names_the_elements():
    xs = np.array([[1.0, -2.0, 3.0], [4.0, 5.0, -6.0]])
    for f in (vmap(vmap(root)), make_graph(vmap(vmap(root)))(np.abs(xs))):
        with pytest.raises(CheckError, match=r"it is -2.0(.|\n)*\(0, 1\), \(1, 2\) of 2 x 3; of"):
            f(xs)
    with pytest.raises(CheckError, match=r"for element 2 of 3; x=-6.0"):
        vmap(root)(xs[1])
    with pytest.raises(CheckError, match=r"\(2, 0\) of 3 x 1; x=-6.0"):
        vmap(vmap(root), 1)(xs[1:])  # columns, then rows
    with pytest.raises(CheckError, match=r"element 1 of 2 at 1 of 3 places, the first \[2\]"):
        vmap(lambda x: (check(x < 6, "small"), x)[1])(np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]))
    with pytest.raises(CheckError, match=r"0, 1, 2, 3, 4, 5, 6, 7, \.\.\. of 20; of the first"):
        vmap(root)(-np.ones(20))
    vmap(root)(np.zeros(0))
    np.testing.assert_array_equal(vmap(root)(np.abs(xs[0])), np.sqrt(np.abs(xs[0])))


def test_check_wants_booleans():
    with pytest.raises(
        DtypeError, match=r"check wants a condition that is boolean(.|\n)*check\(x >"
    ):
        check(1.0, "spam")
    with pytest.raises(CheckError, match=r"^spam \{\}"):
        check(False, "spam {}")
    check(True, "spam")


# ------------------------------------------------------------------ callbacks with results
def test_pure_callback():
    f = lambda x: pure_callback(lambda x: np.sum(np.sort(x)), np.empty(()), x)  # noqa: E731
    xs = np.stack([X, 2 * X])
    assert f(X) == make_graph(f)(X)(X) == 3.5
    np.testing.assert_array_equal(vmap(f)(xs), [3.5, 7.0])
    with pytest.raises(NoRuleError, match="has no derivative"):
        grad(f)(X)
    assert grad(lambda x: x[0] * f(fgrad.stop_gradient(x)))(X)[0] == 3.5
    with pytest.raises(ShapeError, match="float32 of shape"):
        pure_callback(lambda x: x, np.empty(3, np.float32), X)


@pytest.mark.parametrize("method", ["expand_dims", "broadcast_all"])
def test_pure_callback_of_a_batch(method):
    shapes = []

    def host(a, k):
        shapes.append((a["x"].shape, k.shape))
        return {"y": a["x"] * k[..., None]}

    like = {"y": np.empty(3)}
    f = lambda x, k: pure_callback(host, like, {"x": x}, k=k, vmap_method=method)["y"]  # noqa: E731
    xs, k = np.stack([X, 2 * X]), np.array([1.0, 2.0, 4.0, 8.0])
    mapped = vmap(vmap(f, (0, None)), (None, 0))
    want = k[:, None, None] * xs
    np.testing.assert_array_equal(mapped(xs, k), want)
    assert shapes == [((1, 2, 3), (4, 1)) if method == "expand_dims" else ((4, 2, 3), (4, 2))]
    np.testing.assert_array_equal(make_graph(mapped)(xs, k)(2 * xs, k), 2 * want)
    with pytest.raises(ArgumentError, match="vmap_method that it knows"):
        pure_callback(np.sin, np.empty(()), 1.0, vmap_method="loop")


def test_io_callback(seen):
    def count(x):
        seen.append(float(x))
        return np.float64(len(seen))

    def f(x):
        return x * io_callback(count, np.empty(()), fgrad.stop_gradient(x))

    graph = make_graph(f)(1.0)
    assert seen.look() == []
    assert graph(5.0) == 5.0
    assert graph(5.0) == 10.0
    seen.clear()
    assert grad(f)(3.0) == 1.0
    assert seen.look() == [3.0]
    np.testing.assert_array_equal(make_graph(vmap(f))(X)(2 * X), 2 * X * [1, 2, 3])
    assert seen.look() == (2 * X).tolist()
    assert vmap(f)(np.zeros(0)).shape == (0,)
    graph = make_graph(lambda x: scan(lambda c, y: (c + f(y), None), 0.0, x)[0])(X)
    assert seen.look() == []
    assert graph(X) == X @ [1.0, 2.0, 3.0]
    seen.clear()
    np.testing.assert_array_equal(grad(graph)(X), [1.0, 2.0, 3.0])
    assert seen.look() == X.tolist()
    product = lambda x: scan(lambda c, y: (c * f(y), None), 1.0, x)[0]  # noqa: E731
    for again, x in ((grad(checkpoint(f)), 1.0), (make_graph(grad(product)), X)):
        with pytest.raises(ArgumentError, match=r"call count once(.|\n)*out of the loop"):
            again(x)
    with pytest.raises(NoRuleError):
        grad(lambda x: io_callback(np.sin, np.empty(()), x))(1.0)
    assert io_callback(lambda x: None, None, 1.0) is None
    with pytest.raises(TreeError, match="what result_shape_dtypes says"):
        io_callback(lambda x: 5, None, 1.0)


# ------------------------------------------------------------------ residuals
def model(p, x):
    h = np.tanh(x @ p["w"] + p["b"])
    return np.mean(h * h) + np.sum(h[0]) + np.sum(np.transpose(h))


def test_saved_residuals():
    p, x = {"w": np.ones((3, 2)), "b": np.zeros(2)}, np.arange(12.0).reshape(4, 3)
    found = saved_residuals(model, p, x=x)
    assert [(r.operation, r.shape, r.origin) for r in found] == [
        ("matmul", (4, 3), "a constant"),
        ("tanh", (4, 2), "the answer of `tanh`"),
    ]
    assert all(r.nbytes == 8 * np.prod(r.shape) and r.dtype == np.float64 for r in found)
    assert found[0].where.startswith("test_debug.py:")
    both = saved_residuals(model, p, x)
    assert [r.origin for r in both[:2]] == ["the argument [1]", "the argument [0]['w']"]
    (kept,) = saved_residuals(checkpoint(lambda x: np.exp(np.sin(np.cos(x)))), X)
    assert (kept.operation, kept.shape) == ("checkpoint", (3,))
    assert len(saved_residuals(lambda x: np.exp(np.sin(np.cos(x))), X)) == 3


def test_residuals_of_rules_scans_and_gradients():
    @fgrad.custom_vjp
    def f(x):
        return np.sum(x) ** 2

    f.defvjp(lambda x: (f(x), (x, np.zeros(7))), lambda r, g: (2 * np.sum(r[0]) * g * np.ones(3),))
    assert sorted(r.shape for r in saved_residuals(f, X)) == [(3,), (7,)]
    g = fgrad.custom_jvp(lambda x: x**3)
    g.defjvp(lambda p, t: (g(*p), 3 * p[0] ** 2 * t[0]))
    assert [r.shape for r in saved_residuals(g, X)] == [(3,)]
    soft = fgrad.elementwise(lambda x: x / (1 + x), lambda ans, x: (1 - ans) ** 2, name="soft")
    assert [(r.operation, r.shape) for r in saved_residuals(soft, X)] == [("soft", (3,))]
    step = lambda c, x: (np.sin(c) * x, None)  # noqa: E731
    steps = saved_residuals(lambda c: scan(step, c, np.ones((50, 3)))[0], X)
    assert sum(r.nbytes for r in steps) >= 50 * 3 * 8
    assert saved_residuals(grad(lambda x: np.sum(x**3)), X)
    assert saved_residuals(lambda x: 2.0 * x, X) == []
    assert X.flags.writeable
    large = np.ones(10_000)
    saved_residuals(np.sin, large)
    large[0] = 2.0


def test_printing_residuals(capsys):
    print_saved_residuals(lambda x: np.exp(x) + np.sin(x), X)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(
        "float64[3] 24 bytes: the answer of `exp`, for `exp` at test_debug.py:"
    )
    assert lines[1].startswith("float64[3] 24 bytes: the argument [0], for `sin` at")
    assert lines[2] == "48 bytes in 2 arrays"
    with pytest.raises(DtypeError):
        saved_residuals(np.sin, 1)
    with pytest.raises(ArgumentError, match="saved_residuals wants a function"):
        saved_residuals(1.0)
