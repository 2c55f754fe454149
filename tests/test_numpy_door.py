"""The front door: operators, methods and protocols of a traced array, against plain NumPy."""

import operator

import numpy as np
import pytest

import fgrad
import fgrad.numpy as fnp
from fgrad import grad, jvp, make_graph, vmap
from fgrad.errors import DtypeError, FgradError, ShapeError

X = np.array([[0.5, 1.5, 2.5], [3.5, 4.5, 5.5]])
TRACERS = ["grad", "jvp", "vmap", "make_graph"]


def through(transform, f, x):
    """f(x), computed on a tracer of the transformation."""
    if transform == "grad":
        return grad(lambda x: (0.0, f(x)), has_aux=True)(x)[1]
    if transform == "jvp":
        return jvp(f, (x,), (np.ones_like(x),))[0]
    if transform == "vmap":
        return fgrad.tree.map(lambda y: y[1], vmap(f)(np.stack([x + 1, x])))
    return make_graph(f)(x)(x)


def same(got, want):
    got, want = (fgrad.tree.leaves(y) for y in (got, want))
    assert len(got) == len(want)
    for a, b in zip(got, want, strict=True):
        assert np.shape(a) == np.shape(b)
        assert np.asarray(a).dtype == np.asarray(b).dtype
        np.testing.assert_array_equal(a, b)


# ------------------------------------------------------------------ operators
OPERATORS = [
    operator.add, operator.sub, operator.mul, operator.truediv, operator.floordiv, operator.mod,
    operator.pow, divmod, operator.lt, operator.le, operator.gt, operator.ge, operator.eq,
    operator.ne,
]  # fmt: skip
OTHERS = [
    2, 2.5, True, np.float64(2.5), np.float32(2.5), np.int8(2), np.array(2.5), np.array([2, 1, 3]),
    np.array([[1.0], [2.0]]), np.ones((2, 3), np.float32), 1 + 2j, np.complex64(2j),
]  # fmt: skip


@pytest.mark.parametrize("transform", TRACERS)
@pytest.mark.parametrize("op", OPERATORS)
def test_operators_with_everything_on_either_side(transform, op):
    complex_is_undefined = op in (operator.floordiv, operator.mod, divmod)
    for y in OTHERS:
        if complex_is_undefined and np.iscomplexobj(y):
            continue
        for f in (lambda x: op(x, y), lambda x: op(y, x)):  # noqa: B023
            same(through(transform, f, X), f(X))


@pytest.mark.parametrize("transform", TRACERS)
def test_other_operators(transform):
    n = np.array([[1, 2, 3], [4, 5, 6]])
    m = np.array([[1.0], [2.0], [3.0]])
    for f in (
        lambda x: -x, lambda x: +x, lambda x: abs(x - 2), lambda x: x @ m, lambda x: m.T @ x.T,
        lambda x: x**2, lambda x: x**-1, lambda x: x**0.5, lambda x: 2**x, lambda x: pow(x, 3),
        lambda x: (x > 2) & (x < 5), lambda x: (x > 2) | ~(x < 5), lambda x: (x > 2) ^ (x < 5),
        lambda x: x.astype(int) << 2, lambda x: n >> (x > 2), lambda x: n | x.astype(int),
        lambda x: np.round(x, 1),
    ):  # fmt: skip
        same(through(transform, f, X), f(X))


@pytest.mark.parametrize("transform", TRACERS)
def test_assignment_operators_make_new_values(transform):
    def f(x):
        y = x
        y += 1
        y *= x
        y -= np.ones(3)
        y /= 2
        y **= 2
        y //= 3
        y %= 4
        return x, y

    def g(x):
        return x, (((x + 1) * x - 1) / 2) ** 2 // 3 % 4

    same(through(transform, f, X), g(X))


# ------------------------------------------------------------------ facts and methods
METHODS = {
    "T": lambda x: x.T, "mT": lambda x: x.mT, "real": lambda x: x.real, "imag": lambda x: x.imag,
    "shape": lambda x: x * (x.shape == (2, 3)), "ndim": lambda x: x * x.ndim,
    "size": lambda x: x * x.size, "len": lambda x: x * len(x), "nbytes": lambda x: x * x.nbytes,
    "itemsize": lambda x: x * x.itemsize, "dtype": lambda x: x.astype(x.dtype),
    "sum": lambda x: x.sum(), "sum axis": lambda x: x.sum(0), "sum -1": lambda x: x.sum(axis=-1),
    "sum keepdims": lambda x: x.sum(1, keepdims=True), "sum axes": lambda x: x.sum(axis=(0, 1)),
    "sum dtype": lambda x: x.sum(dtype=np.float32), "mean": lambda x: x.mean(axis=1),
    "prod": lambda x: x.prod(axis=0), "max": lambda x: x.max(), "min": lambda x: x.min(axis=1),
    "var": lambda x: x.var(ddof=1), "std": lambda x: x.std(axis=0), "any": lambda x: (x > 5).any(),
    "all": lambda x: (x > 0).all(axis=1), "argmax": lambda x: x.argmax(axis=1),
    "argmin": lambda x: x.argmin(), "cumsum": lambda x: x.cumsum(axis=1),
    "cumsum flat": lambda x: x.cumsum(), "reshape": lambda x: x.reshape(3, 2),
    "reshape tuple": lambda x: x.reshape((3, 2)), "reshape -1": lambda x: x.reshape(-1),
    "reshape F": lambda x: x.reshape(3, -1, order="F"), "ravel": lambda x: x.ravel(),
    "flatten": lambda x: x.flatten(), "transpose": lambda x: x.transpose(),
    "transpose axes": lambda x: x.transpose(1, 0), "transpose tuple": lambda x: x.transpose((1, 0)),
    "swapaxes": lambda x: x.swapaxes(0, -1), "squeeze": lambda x: x[:1].squeeze(),
    "repeat": lambda x: x.repeat(2, axis=1), "round": lambda x: x.round(),
    "clip": lambda x: x.clip(1, 4), "dot": lambda x: x.dot(x.T), "conj": lambda x: x.conj(),
    "conjugate": lambda x: (1j * x).conjugate(), "copy": lambda x: x.copy(),
    "astype": lambda x: x.astype(np.float32), "astype int": lambda x: x.astype(int),
    "astype str": lambda x: x.astype("f4"), "take": lambda x: x.take([0, 2], axis=1),
    "compress": lambda x: x.compress([True, False, True], axis=1), "flat": lambda x: x.flat[3],
    "iterate flat": lambda x: sum(x.flat[:]), "len flat": lambda x: x * len(x.flat),
    "view": lambda x: x.view(), "view complex": lambda x: x[:, 1:].view(complex),
    "view real": lambda x: (x + 1j * x).view(float), "argsort": lambda x: x.argsort(axis=0),
    "searchsorted": lambda x: x[0].searchsorted([1.0, 2.0]), "trace": lambda x: x.trace(1),
    "diagonal": lambda x: x.diagonal(offset=1), "choose": lambda x: x.astype(int).choose(
        np.arange(6.0), mode="clip"), "cumprod": lambda x: x.cumprod(axis=1),
    "argpartition": lambda x: x.argpartition(1, axis=1)[:, 1],
}  # fmt: skip


@pytest.mark.parametrize("transform", TRACERS)
@pytest.mark.parametrize("name", METHODS)
def test_methods(transform, name):
    f = METHODS[name]
    same(through(transform, f, X), f(X))


INDICES = {
    "0": np.s_[0], "-1": np.s_[-1], "0, 1": np.s_[0, 1], "slice": np.s_[:, 1:], "step": np.s_[::-1],
    "None": np.s_[:, None], "...": np.s_[..., 0], "list": np.s_[:, [2, 0]], "empty": np.s_[[]],
    "array": np.array([1, 0, 1]), "two arrays": (np.array([0, 1]), np.array([1, 2])),
    "mask": X > 2, "column mask": (slice(None), np.array([True, False, True])),
    "np.int64": np.int64(1), "()": (), "mixed": np.s_[0, [0, 1]], "bool": True,
}  # fmt: skip


@pytest.mark.parametrize("transform", TRACERS)
@pytest.mark.parametrize("name", INDICES)
def test_indexing(transform, name):
    i = INDICES[name]
    same(through(transform, lambda x: x[i], X), X[i])


@pytest.mark.parametrize("transform", TRACERS)
def test_iteration_and_unpacking(transform):
    def f(x):
        a, b = x
        (first, *rest), _ = x
        assert len(x) == 2
        assert len(list(x)) == 2
        return a * b, first, rest, sum(row.sum() for row in x), list(reversed(x)), min(a.shape)

    want = (X[0] * X[1], 0.5, [1.5, 2.5], X.sum(), [X[1], X[0]], 3)
    same(through(transform, f, X), want)
    for what in (len, iter, list):
        with pytest.raises(TypeError, match=r"unsized|0-d"):
            grad(lambda x: what(x[0, 0]))(X)  # noqa: B023


@pytest.mark.parametrize("transform", TRACERS)
def test_functional_updates(transform):
    for f, g in (
        (lambda x: x.at[0].set(1.0), lambda a: a.__setitem__(0, 1.0)),
        (lambda x: x.at[:, 1].add(2), lambda a: a.__setitem__((slice(None), 1), a[:, 1] + 2)),
        (lambda x: fgrad.at(x)[1, 2].multiply(3), lambda a: a.__setitem__((1, 2), a[1, 2] * 3)),
        (lambda x: x.at[0].min(1.0), lambda a: a.__setitem__(0, np.minimum(a[0], 1.0))),
        (lambda x: x.at[0].max(1.0), lambda a: a.__setitem__(0, np.maximum(a[0], 1.0))),
    ):
        want = X.copy()
        g(want)
        same(through(transform, f, X), want)


# ------------------------------------------------------------------ protocols
PROTOCOLS = {
    "add.reduce": lambda x: np.add.reduce(x), "add.reduce 1": lambda x: np.add.reduce(x, axis=1),
    "add.reduce None": lambda x: np.add.reduce(x, axis=None),
    "add.reduce axes": lambda x: np.add.reduce(x, axis=(0, 1), keepdims=True),
    "multiply.reduce": lambda x: np.multiply.reduce(x), "maximum.reduce": np.maximum.reduce,
    "minimum.reduce": lambda x: np.minimum.reduce(x, 1),
    "logical_and.reduce": lambda x: np.logical_and.reduce(x > 1, axis=1),
    "add.accumulate": lambda x: np.add.accumulate(x),
    "add.accumulate 1": lambda x: np.add.accumulate(x, axis=1),
    "multiply.accumulate": lambda x: np.multiply.accumulate(x, 0),
    "add.outer": lambda x: np.add.outer(x, np.arange(2.0)),
    "multiply.outer": lambda x: np.multiply.outer([1.0, 2.0], x),
    "subtract.outer": lambda x: np.subtract.outer(x[0], x),
    "dtype=": lambda x: np.add(x, 1, dtype=np.float32),
    "np.astype": lambda x: np.astype(x, np.float32), "np.shape": lambda x: x * np.shape(x)[1],
    "np.zeros_like": lambda x: np.zeros_like(x), "np.ones_like": lambda x: np.ones_like(x, int),
    "np.full_like": lambda x: np.full_like(x, 3), "np.ndim": lambda x: x * np.ndim(x),
    "np.size": lambda x: x * np.size(x), "np.result_type": lambda x: x.astype(np.result_type(x)),
    "np.isscalar": lambda x: x * np.isscalar(x),
    "np.iscomplexobj": lambda x: x * np.iscomplexobj(x),
    "np.permute_dims": lambda x: np.permute_dims(x, (1, 0)),
    "np.concat": lambda x: np.concat([x, x]), "np.pow": lambda x: np.pow(x, 2),
    "np.acos": lambda x: np.acos(x / 10), "@ vector": lambda x: x @ np.ones(3),
    "np.row_stack": lambda x: np.vstack([x, x]), "np.fromfunction": lambda x: np.fromfunction(
        lambda i, j: x[0, 0] * (i + 2 * j), (2, 3)),
    "np.fft.fftfreq": lambda x: np.fft.fftfreq(4, d=x[0, 0]) + np.fft.rfftfreq(6, d=x[0, 1]),
    "np.tri": lambda x: x @ np.tri(3), "np.triu_indices": lambda x: x[np.triu_indices(2)],
    "np.tril_indices": lambda x: x[np.tril_indices(2, -1)],
    "np.tril_indices_from": lambda x: x[np.tril_indices_from(x)],
    "np.triu_indices_from": lambda x: x[np.triu_indices_from(x, 1)],
    "np.diag_indices": lambda x: x[np.diag_indices(2)],
    "np.diag_indices_from": lambda x: x[:, :2][np.diag_indices_from(x[:, :2])],
    "np.ix_": lambda x: x[np.ix_([0, 1], [2, 0])], "np.iscomplex": lambda x: np.iscomplex(x),
    "divide.outer": lambda x: np.divide.outer(x, [1.0, 2.0]),
    "logaddexp.reduce": lambda x: np.logaddexp.reduce(x * 0, axis=1).round(12),
    "maximum.accumulate": lambda x: np.maximum.accumulate(-x, axis=1),
    "add.reduceat": lambda x: np.add.reduceat(x, [0, 2], axis=1),
    "subtract.reduce": lambda x: np.subtract.reduce(x, axis=1),
    "where=True": lambda x: np.exp(x, where=True, out=None),
    "np.stack of rows": lambda x: np.stack(x), "np.concatenate rows": lambda x: np.concatenate(x),
}  # fmt: skip


@pytest.mark.parametrize("transform", TRACERS)
@pytest.mark.parametrize("name", PROTOCOLS)
def test_numpy_calls_and_ufunc_methods(transform, name):
    f = PROTOCOLS[name]
    same(through(transform, f, X), f(X))


# ------------------------------------------------------------------ what one prints
def test_printing():
    texts = []

    def f(x):
        texts.append((repr(x), str(x), f"{x}", f"{x[0, 0]:.2f}"))
        return x.sum()

    grad(f)(X)
    assert texts[0][0] == "<grad tracer: float64[2, 3]>"
    assert texts[0][1] == f"<grad tracer: float64[2, 3] = {X}>" == texts[0][2]
    assert texts[0][3] == "0.50"
    texts.clear()
    grad(lambda x: np.sum(x) + (texts.append(str(x)) or 0.0))(np.ones(1000))
    assert texts == ["<grad tracer: float64[1000]>"]
    texts.clear()
    vmap(lambda x: texts.append(f"{x}") or x)(X)
    vmap(grad(lambda x: texts.append(f"{x}") or x.sum()))(X)
    make_graph(lambda x: texts.append(f"{x}") or x)(2.0)
    assert texts == [
        "<vmap tracer: float64[3]>",
        "<grad tracer inside vmap: float64[3]>",
        "<make_graph tracer: float64[]>",
    ]
    with pytest.raises(FgradError, match="single number whose value is known"):
        vmap(lambda x: f"{x:.2f}")(np.ones(3))


def test_a_tracer_lists_what_it_has():
    def f(x):
        assert "sum" in dir(x)
        assert x.__array_priority__ > 0
        return x

    through("jvp", f, X)


# ------------------------------------------------------------------ fgrad.numpy
def test_arrays_of_traced_values():
    def f(x):
        return fnp.sum(fnp.array([[x, 2 * x], [1.0, x**2]]) * fnp.asarray([1.0, x]))

    # x + 2 x x + 1 + x^3
    assert grad(f)(3.0) == 1 + 4 * 3 + 27
    assert f(3.0) == 3 + 18 + 1 + 27
    assert grad(lambda x: fnp.full((2, 3), x).sum())(2.0) == 6.0
    assert grad(lambda x: fnp.linspace(0.0, x, 5).sum())(2.0) == pytest.approx(2.5)
    assert grad(lambda x: fnp.linspace(x, 1.0, 4, endpoint=False).sum())(2.0) == pytest.approx(2.5)
    assert grad(lambda x: fnp.stack([x, x, 1.0]).sum())(2.0) == 2.0
    assert grad(lambda x: fnp.array(x, ndmin=2)[0, 0])(2.0) == 1.0
    np.testing.assert_array_equal(vmap(lambda x: fnp.array([x, 1.0]))(X[0])[:, 0], X[0])


@pytest.mark.parametrize(
    ("make", "error", "text"),
    [
        (lambda x: [[x, 1.0], [2.0]], ShapeError, r"shapes \(2,\), \(1,\)(.|\n)*concatenate"),
        (lambda x: [x, []], ShapeError, r"shapes \(\), \(0,\)"),
        (lambda x: [x, "spam"], DtypeError, r"`fgrad\.numpy\.array`(.|\n)*'spam'"),
        (lambda x: [x, None], DtypeError, "None"),
    ],
)
def test_lists_that_are_no_arrays(make, error, text):
    with pytest.raises(error, match=text):
        grad(lambda x: fnp.array(make(x)).sum())(1.0)


def test_arrays_of_plain_values_are_numpys():
    same(fnp.array([[1, 2], [3, 4]]), np.array([[1, 2], [3, 4]]))
    same(fnp.asarray([1.0], dtype=np.float32), np.asarray([1.0], np.float32))
    same(fnp.linspace(0, 1, 3), np.linspace(0, 1, 3))
    same(fnp.full((2,), 3.0), np.full((2,), 3.0))
    same(fnp.r_[1:4, 0, [5]], np.r_[1:4, 0, [5]])
    same(fnp.c_[[1, 2], [3, 4]], np.c_[[1, 2], [3, 4]])
    same(fnp.vectorize(lambda v: v + 1)([1, 2]), np.array([2, 3]))
    same(fnp.histogram([1, 2, 3], 2), np.histogram([1, 2, 3], 2))
    assert fnp.pi is np.pi
    assert fnp.float32 is np.float32
    assert fnp.tanh(0.0) == 0.0
    assert "tanh" in dir(fnp)
    assert "array" in dir(fnp)
    with pytest.raises(AttributeError, match="spam"):
        fnp.spam  # noqa: B018


def test_the_dtype_of_an_array_of_traced_values():
    def f(x):
        y = fnp.array([x, 1.0])
        return y.sum(), y.dtype

    x = np.float32(2.0)
    assert grad(f, has_aux=True)(x) == (1.0, np.float64)
    assert fnp.array([x, 1.0]).dtype == np.float64
    assert grad(lambda x: (fnp.array([x, x], dtype=np.float16).sum(), 0), has_aux=True)(x)[0] == 2.0


def test_meshgrid_of_traced_values():
    def f(x):
        a, b = fnp.meshgrid(x, np.arange(2.0), indexing="ij")
        return np.sum(a * b)

    np.testing.assert_array_equal(grad(f)(X[0]), [1.0, 1.0, 1.0])
    for indexing in ("xy", "ij"):
        same(
            tuple(fnp.meshgrid(X[0], X[1, :2], indexing=indexing)),
            tuple(np.meshgrid(X[0], X[1, :2], indexing=indexing)),
        )
