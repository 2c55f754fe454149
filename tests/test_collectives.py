"""psum and its like: against sums over the axis, in every nesting, and where there is no axis."""

import numpy as np
import pytest

from fgrad import (
    all_gather,
    axis_index,
    grad,
    jacfwd,
    jacrev,
    jvp,
    make_graph,
    pmax,
    pmean,
    pmin,
    psum,
    vmap,
)
from fgrad.errors import ArgumentError, DtypeError

X = np.random.default_rng(0).normal(size=(4, 3))

#: (what each element does, the same on all elements at once)
CASES = {
    "psum": (lambda x: psum(x, "i") * x, lambda s: s.sum(0) * s),
    "pmean": (lambda x: pmean(x, "i") ** 2 * x, lambda s: s.mean(0) ** 2 * s),
    "pmax": (lambda x: pmax(x, "i") * x, lambda s: np.max(s, 0) * s),
    "pmin": (lambda x: pmin(x, "i") * x, lambda s: np.min(s, 0) * s),
    "all_gather": (
        lambda x: (all_gather(x, "i") ** 2).sum(0) * x + all_gather(x, "i", axis=-1)[..., 2],
        lambda s: (s**2).sum(0) * s + s[2],
    ),
    "axis_index": (lambda x: axis_index("i") * x, lambda s: np.arange(4)[:, None] * s),
    "constant": (lambda x: psum(X[0], "i") + x, lambda s: 4 * X[0] + s),
}


@pytest.mark.parametrize("name", CASES)
def test_in_every_nesting(name):
    each, whole = CASES[name]

    def f(x):
        return vmap(lambda x: each(np.sin(x)), axis_name="i")(x)

    def g(x):
        return whole(np.sin(x))

    np.testing.assert_allclose(f(X), g(X), rtol=1e-13)
    for jac in (jacrev, jacfwd):
        np.testing.assert_allclose(jac(f)(X), jac(g)(X), rtol=1e-12, atol=1e-13)
    second = [jacfwd(jacrev(lambda x, h=h: np.sum(h(x) ** 2)))(X) for h in (f, g)]
    np.testing.assert_allclose(*second, rtol=1e-10, atol=1e-11)
    # Derivatives inside: that of one element's loss in its own value, through what all share.
    inner = vmap(grad(lambda x: np.sum(each(x) ** 2)), axis_name="i")(X)
    np.testing.assert_allclose(inner, grad(lambda s: np.sum(whole(s) ** 2))(X), rtol=1e-12)
    inner = vmap(lambda x: jvp(each, (x,), (2 * x,))[1], axis_name="i")(X)
    np.testing.assert_allclose(inner, jvp(whole, (X,), (2 * X,))[1], rtol=1e-12)
    # Other axes, around and inside.
    both = np.stack([X, 2 * X])
    want = np.stack([whole(X), whole(2 * X)])
    np.testing.assert_allclose(vmap(vmap(each, axis_name="i"))(both), want, rtol=1e-13)
    if name != "constant":
        columns = vmap(lambda x: vmap(each)(x), axis_name="i")(X)
        np.testing.assert_allclose(columns, whole(X), rtol=1e-13)
    graph = make_graph(vmap(each, axis_name="i"))(X)
    np.testing.assert_allclose(graph(2 * X), whole(2 * X), rtol=1e-13)


def test_two_names_trees_and_ties():
    y = vmap(
        vmap(lambda x: (psum(x, "row"), psum(x, "column"), axis_index("row")), axis_name="column"),
        axis_name="row",
    )(X)
    np.testing.assert_allclose(y[0], np.tile(X.sum(0), (4, 1)))
    np.testing.assert_allclose(y[1], np.tile(X.sum(1)[:, None], (1, 3)))
    np.testing.assert_array_equal(y[2], np.tile(np.arange(4)[:, None], (1, 3)))
    y = vmap(lambda p: psum({"a": p["a"], "n": 1}, "i"), axis_name="i")({"a": X})
    assert (y["a"].shape, y["n"].tolist()) == ((4, 3), [4] * 4)
    tied = np.array([1.0, 3.0, 3.0])
    g = grad(lambda x: vmap(lambda x: pmax(x, "i"), axis_name="i")(x)[0])(tied)
    np.testing.assert_array_equal(g, [0, 0.5, 0.5])
    assert vmap(lambda x: pmax(x, "i"), axis_name="i")(np.arange(3)).tolist() == [2] * 3
    assert vmap(lambda x: psum(x, "i"), axis_name="i")(tied.astype("f4")).dtype == np.float32


def test_without_the_axis():
    for f in (psum, pmean, pmax, all_gather):
        with pytest.raises(
            ArgumentError, match=rf"{f.__name__} wants the name(.|\n)*axis_name='j'"
        ):
            vmap(lambda x, f=f: f(x, "j"), axis_name="i")(X)
    with pytest.raises(ArgumentError, match="axes with names are: none"):
        axis_index("i")
    vmap(lambda x: x, axis_name="i")(X)
    with pytest.raises(ZeroDivisionError):
        vmap(lambda x: 1 // 0, axis_name="i")(X)
    with pytest.raises(ArgumentError, match="are: none"):  # nothing is left behind
        psum(X, "i")
    with pytest.raises(DtypeError, match="psum wants pytrees of arrays"):
        vmap(lambda x: psum("spam", "i"), axis_name="i")(X)
    with pytest.raises(ArgumentError, match="named axis to meet on"):
        vmap(lambda x: x, axis_name="i", chunk_size=2)(X)


def test_extremes_of_all_dtypes_and_infinities():
    for dtype in (np.uint8, np.int8, np.int64, bool, np.float32):
        x = np.array([0, 3, 1]).astype(dtype)
        x[0] = np.iinfo(dtype).min if dtype in (np.int8, np.int64) else 0
        for f, want in ((pmax, x.max()), (pmin, x.min())):
            got = vmap(lambda x, f=f: f(x, "i"), axis_name="i")(x)
            assert (got.dtype, got.tolist()) == (x.dtype, [want] * 3)
    x = np.array([1.0, np.inf, -np.inf])
    for f, want in ((pmax, np.inf), (pmin, -np.inf)):
        g = lambda x, f=f: vmap(lambda x: f(x, "i"), axis_name="i")(x)  # noqa: E731
        np.testing.assert_array_equal(g(x), want)
        np.testing.assert_array_equal(grad(lambda x, g=g: g(x)[0])(x), x == want)
    assert vmap(lambda x: psum(x, "i"), axis_name="i")(x > 0).tolist() == [2] * 3


def test_several_axes_at_once():
    for f, whole in ((psum, np.sum), (pmean, np.mean), (pmax, np.max), (pmin, np.min)):
        both = vmap(vmap(lambda x, f=f: f(x, ("i", "j")), axis_name="j"), axis_name="i")
        np.testing.assert_allclose(both(X), np.full_like(X, whole(X)))
    with pytest.raises(ArgumentError, match="'k'; the axes"):
        vmap(lambda x: pmean(x, ("i", "k")), axis_name="i")(X)
