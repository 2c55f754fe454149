"""What NumPy's functions of traced values refuse, and how; dtypes and costs that rows can't see."""

import numpy as np
import pytest

import fgrad.numpy as fnp
from fgrad import grad, jvp, make_graph, vmap
from fgrad.errors import FgradError

from .test_numpy_door import X, same, through

PLAIN = np.zeros((3, 3))


@pytest.mark.parametrize(
    ("f", "text"),
    [
        (lambda x: np.put(PLAIN, [0], x), r"np\.put` writes(.|\n)*fgrad\.at\(a\)\[i\]\.set\(x\)"),
        (lambda x: np.place(x, x > 1, [0.0]), r"np\.place` writes(.|\n)*np\.where"),
        (lambda x: np.putmask(x, x > 1, 0.0), r"np\.putmask` writes(.|\n)*np\.where"),
        (lambda x: np.copyto(x, 1.0), r"np\.copyto` writes"),
        (lambda x: np.fill_diagonal(x, 1.0), r"np\.fill_diagonal` writes(.|\n)*\[i, i\]\.set\(x\)"),
        (lambda x: np.put_along_axis(PLAIN, np.zeros((3, 1), int), x[0, 0], 1),
         r"np\.put_along_axis` writes"),
        (lambda x: np.subtract.at(x, [0], 1.0), r"np\.subtract\.at` writes(.|\n)*subtract\(v\)"),
        (lambda x: np.divide.at(x, [0], 1.0), r"np\.divide\.at` writes(.|\n)*no index occurs"),
        (lambda x: x.fill(1.0), r"x\.fill(.|\n)*np\.full_like"),
        (lambda x: x.sort(), r"x\.sort(.|\n)*np\.sort\(x\)"),
        (lambda x: x.partition(1), r"x\.partition(.|\n)*np\.partition"),
        (lambda x: x.resize(3), r"x\.resize(.|\n)*np\.resize"),
        (lambda x: x.put([0], 1.0), r"x\.put(.|\n)*fgrad\.at\(x\)\[i\]\.set\(v\)"),
        (lambda x: x.tolist(), "list of Python numbers"),
        (lambda x: x[0, 0].item(), "Python float"),
        (lambda x: x.view(np.int64), r"x\.view(.|\n)*x\.astype\(dtype\)"),
        (lambda x: x.tobytes(), r"x\.tobytes"),
        (lambda x: x.ravel("K"), r"np\.ravel(.|\n)*memory layout"),
        (lambda x: pow(x, 2, 3), r"pow\(x, y, mod\)(.|\n)*x \*\* y % mod"),
        (lambda x: np.divide(1, x, where=x > 0), r"np\.where\(mask, np\.divide\(x, y\), other\)"),
        (lambda x: np.divide(1, x, out=PLAIN[:2], where=x > 0), r"keyword (out|where)="),
        (lambda x: np.multiply.reduce(x, out=PLAIN[0]), r"out="),
        (lambda x: np.cumsum(x, axis=0, out=PLAIN[:2]), r"out="),
        (lambda x: np.full(3, x[0, 0]), r"fgrad\.numpy\.full"),
        (lambda x: np.r_[x[0], 1.0], r"fgrad\.numpy\.r_"),
        (lambda x: np.c_[x, x], r"fgrad\.numpy\.c_"),
        (lambda x: fnp.r_["r", x], r"np\.r_(.|\n)*matrices"),
        (lambda x: np.vectorize(lambda v: v + 1)(x), r"fgrad\.numpy\.vectorize"),
        (lambda x: np.frompyfunc(lambda v: v + 1, 1, 1)(x), r"fgrad\.vmap\(f\)\(x\)"),
        (lambda x: np.pad(x, 1, lambda *args: None), r"np\.pad(.|\n)*np\.concatenate"),
        (lambda x: np.polyint(np.ones(2), k=x[0, 0]), r"fgrad\.numpy\.polyint"),
    ],
)  # fmt: skip
def test_what_has_no_meaning_for_traced_values_says_what_to_write(f, text):
    with pytest.raises(FgradError, match=text):
        jvp(f, (X,), (X,))


def test_reductions_of_what_cannot_be_reduced_raise_as_numpy_does():
    for f in (
        lambda x: np.subtract.reduce(x, axis=(0, 1)),
        lambda x: np.fmax.reduce(x, where=x > 1),
        lambda x: np.subtract.reduce(x[:0]),
        lambda x: np.sin.reduce(x),
        lambda x: np.max(x, where=x > 1),
        lambda x: np.add.reduceat(x, [5]),
    ):
        errors = []
        for call in (f, lambda x, f=f: jvp(f, (x,), (x,))):
            with pytest.raises((ValueError, IndexError)) as caught:
                call(X)
            errors.append(caught.value)
        assert type(errors[0]) is type(errors[1])


def test_vectors_in_the_plane():
    x = X[:, :2]
    with pytest.warns(DeprecationWarning, match="2-dimensional"):
        t = jvp(np.cross, (x, x[::-1]), (x, 0 * x))[1]
    np.testing.assert_allclose(t, x[:, 0] * x[::-1, 1] - x[:, 1] * x[::-1, 0])


def test_sums_of_small_integers_keep_the_dtype_asked_for():
    n = np.array([[100, 100, 100], [1, 2, 3]], np.int8)
    for f in (
        lambda x: np.sum(x, axis=1, dtype=np.int8), lambda x: x.sum(dtype=np.int32),
        lambda x: np.prod(x, dtype=np.uint16), lambda x: np.cumsum(x, dtype=np.int16),
        lambda x: np.add.reduce(x, dtype=np.int8), lambda x: np.vdot(x > 1, x > 2),
    ):  # fmt: skip
        for transform in ("vmap", "make_graph"):
            want = f(n)
            got = vmap(f)(n[None])[0] if transform == "vmap" else make_graph(f)(n)(n)
            same(got, want)


def test_many_elements_of_half_precision():
    x = np.ones(70_000, np.float16)
    mask = np.arange(70_000) > 0
    for f in (np.mean, np.nanmean):
        same(through("vmap", f, x), np.float16(1.0))
        g = grad(f)(x)
        np.testing.assert_allclose(g.astype(float), 1 / 70_000, rtol=0.05)
    assert np.isfinite(through("jvp", lambda x: np.var(x, where=mask), x))
    assert np.isfinite(through("jvp", np.nanvar, x))


def test_slices_in_a_loop_cost_what_they_read():
    def f(x):
        return sum(np.sum(x[i : i + 2] ** 3) * x[i] for i in range(len(x) - 1))

    def work(n):
        graph = make_graph(grad(f))(np.ones(n))
        return sum(int(np.prod(e.aval.shape)) for eq in graph.equations for e in eq.outputs)

    assert work(80) < 3 * work(40)


LISTS = {
    "sum": lambda x: fnp.sum([x, 2 * x]),
    "max": lambda x: fnp.max([x, 1.0]),
    "std": lambda x: fnp.std([x, 1.0, 2.0]),
    "sort": lambda x: fnp.sort([3.0, x])[0],
    "unique": lambda x: fnp.unique([x, 9.0, x]).sum(),
    "roll": lambda x: fnp.roll([x, 1.0], 1)[1],
    "median": lambda x: fnp.median([x, 1.0, 9.0]),
    "take": lambda x: fnp.take([x, 1.0], [0, 0]).sum(),
    "where": lambda x: fnp.where([True, False], [x, x], [1.0, 2.0]).sum(),
    "polymul": lambda x: fnp.polymul([1.0, x], [x, 2.0]).sum(),
    "diag": lambda x: fnp.diag([x, 1.0]).sum(),
    "roots": lambda x: fnp.roots([1.0, -x])[0],
    "interp": lambda x: fnp.interp([x, 0.5], [0, 9], [1, 4]).sum(),
    "trapezoid": lambda x: fnp.trapezoid([1.0, x], dx=x),
    "average": lambda x: fnp.average([1.0, x], weights=[x, 1.0]),
    "histogram": lambda x: fnp.histogram([1.0, 2.0], [0.0, x, 4.0], density=True)[0][0],
    "nanmean": lambda x: fnp.nanmean([x, np.nan]),
    "cov": lambda x: fnp.cov([1.0, x, 2.0]),
    "r_": lambda x: fnp.r_[1.0, x].sum(),
    "geomspace": lambda x: np.geomspace(1.0, x, 3)[1],
    "i0": np.i0,
    "modf": lambda x: np.modf(x)[0] * x,
    "linspace": lambda x: np.linspace(0, x, 4)[1],
    "piecewise": lambda x: np.piecewise(x, [x > 1], [lambda v: v * v, 0.0]),
    "apply_along_axis": lambda x: fnp.apply_along_axis(np.prod, 0, [x, x]),
}


@pytest.mark.parametrize("name", LISTS)
def test_lists_of_traced_python_numbers(name):
    def f(x):
        return np.sum(LISTS[name](x))

    step = 1e-5
    slope = grad(f)(2.5)
    assert type(slope) is float
    assert slope == pytest.approx((f(2.5 + step) - f(2.5 - step)) / (2 * step), rel=1e-6, abs=1e-8)
    curve = grad(grad(f))(2.5)
    assert curve == pytest.approx(
        (grad(f)(2.5 + step) - grad(f)(2.5 - step)) / (2 * step), abs=1e-5
    )
    if name != "unique":
        assert vmap(grad(f))(np.array([2.5]))[0] == pytest.approx(slope)
