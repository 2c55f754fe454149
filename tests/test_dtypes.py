"""The dtype law, and arrays of every kind and layout."""

import numpy as np
import pytest

from fgrad import grad, jacrev, jvp, make_graph, value_and_grad, vjp, vmap
from fgrad.errors import DtypeError, ShapeError

REAL = [np.float16, np.float32, np.float64, np.longdouble]
INEXACT = [*REAL, np.complex64, np.complex128]

AROUND = {
    "a Python float": lambda x: x * 2.5 + 1,
    "a NumPy float64": lambda x: np.float64(2.5) * x,
    "a NumPy int": lambda x: x / np.int64(2),
    "a 0-d float64 array": lambda x: x - np.array(2.5),
    "a float64 array": lambda x: x * np.linspace(0, 1, 3),
    "a float64 matrix": lambda x: np.ones((2, 3)) @ x,
    "an integer array": lambda x: x * np.arange(3),
    "a boolean array": lambda x: x * np.array([True, False, True]),
    "a mean": lambda x: (x - np.mean(x)) / 3.0,
    "a power": lambda x: x**2.0 + x**3,
    "a cast": lambda x: x.astype(np.complex128) * x,
    "where": lambda x: np.where(np.real(x) > 2, x, np.float64(1.5)),
    "stack": lambda x: np.concatenate([x, np.ones(2)]),
    "an index": lambda x: x[1:] * x[0],
}


def real_sum(f):
    return lambda x: np.real(np.sum(f(x)))


@pytest.mark.parametrize("dtype", INEXACT)
@pytest.mark.parametrize("name", AROUND)
def test_gradients_have_the_dtype_of_the_parameter(dtype, name):
    f = AROUND[name]
    x = np.array([1, 2, 3], dtype)
    want = grad(real_sum(f))(x.astype(np.clongdouble if x.dtype.kind == "c" else np.longdouble))
    for g in (
        grad(real_sum(f))(x),
        vjp(real_sum(f), x)[1](np.ones_like(real_sum(f)(x)))[0],
        jacrev(real_sum(f))(x),
        vmap(grad(real_sum(f)))(np.stack([x, x]))[1],
    ):
        assert g.dtype == dtype
        np.testing.assert_allclose(g, want, rtol=1e-2 if dtype is np.float16 else 1e-5)
    y, t = jvp(f, (x,), (x,))
    assert y.dtype == t.dtype == f(x).dtype


@pytest.mark.parametrize("name", ["negative", "positive", "add", "subtract", "multiply", "power"])
def test_functions_of_python_numbers_make_numpy_numbers(name):
    ufunc = getattr(np, name)

    def f(x):
        return ufunc(*(x,) * ufunc.nin) * np.ones(2, np.float32)

    want = f(2.0).dtype
    assert want == np.float64
    assert vjp(f, 2.0)[0].dtype == want
    assert vjp(lambda x: vjp(f, x)[0], 2.0)[0].dtype == want
    assert jvp(lambda x: vjp(f, x)[0], (2.0,), (1.0,))[1].dtype == want


@pytest.mark.parametrize("other", [True, 2, 2.0, np.int8(2), np.float64(2.0)])
def test_choices_that_are_numbers_are_weak_where_numpys_are(other):
    def f(x):
        return np.select([x > 0, x < 0], [x, other])

    for x in (np.float32(0.5), np.full(2, 0.5, np.float16)):
        want = f(x).dtype
        y, t = jvp(f, (x,), (x,))
        assert vjp(f, x)[0].dtype == y.dtype == t.dtype == want


@pytest.mark.parametrize("product", [np.dot, lambda a, b: np.einsum("...,...", a, b)])
def test_products_of_python_numbers_have_derivatives(product):
    def slope(x):
        return jvp(lambda x: product(np.sin(x), x), (x,), (1.0,))[1]

    want = 2 * np.cos(2.0) - 2.0 * np.sin(2.0)
    for g in (grad(grad(lambda x: product(np.sin(x), x)))(2.0), grad(slope)(2.0)):
        np.testing.assert_allclose(g, want)


def test_python_numbers_stay_python_numbers():
    w = {"a": 2.0, "b": np.float32(3.0), "c": np.array(4.0), "d": np.float64(5.0), "e": 1 + 2j}

    def f(w):
        return w["a"] * w["b"] * w["c"] * w["d"] * np.real(w["e"] * w["e"])

    g = grad(f)(w)
    assert [type(g[k]) for k in w] == [float, np.float32, np.ndarray, np.float64, complex]
    g = vjp(f, w)[1](1.0)[0]
    assert [type(g[k]) for k in w] == [float, np.float32, np.ndarray, np.float64, complex]
    g = grad(lambda w: 0.0)(w)
    assert [type(g[k]) for k in w] == [float, np.float32, np.ndarray, np.float64, complex]
    assert type(grad(lambda x: np.sum(x * np.ones(3, np.float32)))(2.0)) is float
    assert type(jvp(lambda x: x * 2, (3.0,), (1.0,))[1]) is float
    assert grad(abs)(-3.0) == -1.0
    assert grad(abs)(3.0 + 4.0j) == pytest.approx(0.6 - 0.8j)
    assert grad(lambda x: np.where(True, x, 1.0))(2.0) == 1.0
    assert grad(lambda x: np.maximum(x, 1))(2.0) == 1.0


def test_a_python_number_is_weak():
    x = np.ones(3, np.float32)
    y, g = value_and_grad(lambda s: np.sum(x * s))(2.0)
    assert y.dtype == np.float32
    assert g == 3.0


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_zeros_have_the_dtype_too(dtype):
    x = np.ones(3, dtype)
    assert grad(lambda x: 1.0)(x).dtype == dtype
    assert vjp(lambda x: np.ones(2), x)[1](np.ones(2))[0].dtype == dtype
    _, t = jvp(lambda x: (np.ones(2, np.float32), x > 0, 2.0, 3), (x,), (x,))
    np.testing.assert_array_equal(t[0], np.zeros(2, np.float32))
    assert t[0].dtype == np.float32
    assert t[1].dtype == bool
    assert (type(t[2]), type(t[3])) == (float, int)


# ------------------------------------------------------------------ layouts
def read_only(x):
    x.flags.writeable = False
    return x


BASE = np.arange(1.0, 7.0).reshape(2, 3)
LAYOUTS = {
    "plain": BASE,
    "fortran": np.asfortranarray(BASE),
    "transposed": np.ascontiguousarray(BASE.T).T,
    "every second": np.repeat(BASE, 2, axis=1)[:, ::2],
    "reversed": np.ascontiguousarray(BASE[::-1])[::-1],
    "stride 0": np.broadcast_to(np.arange(1.0, 4.0), (2, 3)),
    "all stride 0": np.broadcast_to(2.0, (2, 3)),
    "read-only": read_only(BASE.copy()),
    "big-endian": BASE.astype(">f8"),
    "big-endian float32": BASE.astype(">f4"),
    "big-endian complex": BASE.astype(">c16"),
    "unaligned": np.frombuffer(b"\0" + BASE.tobytes(), offset=1).reshape(2, 3),
    "empty": np.zeros((0, 3)),
    "empty rows": np.zeros((2, 0)),
    "0-d": np.array(2.0),
    "0-d big-endian": np.array(2.0, ">f8"),
    "large fortran": np.asfortranarray(np.linspace(0.5, 2, 1200).reshape(30, 40)),
    "large big-endian": np.linspace(0.5, 2, 1200).astype(">f8"),
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_layouts(name):
    x = LAYOUTS[name]
    before = x.copy()
    native = np.array(x, x.dtype.newbyteorder("="))
    want = np.cos(native) * native + np.sin(native)

    def f(x):
        return np.sin(x) * x

    value, g = value_and_grad(real_sum(f))(x)
    np.testing.assert_allclose(value, np.real(np.sum(f(native))), rtol=1e-6)
    pulled = vjp(f, x)[1](f(x))[0]
    y, t = jvp(f, (x,), (np.ones_like(x),))
    np.testing.assert_allclose(y, f(native), rtol=1e-6)
    np.testing.assert_allclose(pulled, f(native) * want, rtol=1e-5)
    results = [g, t]
    if x.ndim:
        mapped = vmap(grad(real_sum(f)), in_axes=-1, out_axes=-1)(x)
        results.append(mapped)
        np.testing.assert_allclose(make_graph(f)(x)(x), f(native), rtol=1e-6)
    for r in results:
        np.testing.assert_allclose(r, want, rtol=1e-5)
        assert r.shape == x.shape
    assert g.dtype == pulled.dtype == x.dtype
    assert g.flags.writeable
    assert t.dtype == y.dtype
    np.testing.assert_array_equal(x, before)


def test_zero_d_arrays_and_vmap():
    with pytest.raises(ShapeError, match=r"axis 0 as args\[0\](.|\n)*shape \(\)"):
        vmap(np.sin)(np.array(1.0))


@pytest.mark.parametrize(
    "x",
    [
        np.arange(3), np.array([True, False]), np.array(["a"]), np.array([b"a"]),
        np.array(["2020-01-01"], "M8[D]"), np.array([1], "m8[s]"), np.array([None]),
        np.zeros(2, [("a", float)]), np.arange(3, dtype=">i4"),
    ],
)  # fmt: skip
def test_dtypes_without_derivatives(x):
    for call in (
        lambda: grad(lambda x: 1.0)(x),
        lambda: vjp(lambda x: 1.0, x),
        lambda: jvp(lambda x: 1.0, (x,), (x,)),
        lambda: jacrev(lambda x: 1.0)(x),
    ):
        with pytest.raises(DtypeError, match="wants real or complex arrays as the leaves"):
            call()


def test_memory_mapped_arrays_are_arrays(tmp_path):
    np.save(tmp_path / "x.npy", np.arange(3.0))
    x = np.load(tmp_path / "x.npy", mmap_mode="r+")
    g = grad(lambda x: np.sum(x[1:] * x[:-1]))(x)
    assert type(g) is np.ndarray
    np.testing.assert_array_equal(g, [1.0, 2.0, 1.0])
    g[:] = 7.0
    np.testing.assert_array_equal(x, np.arange(3.0))


def test_plain_lists_of_arrays_follow_the_same_law():
    """Lists of arrays take a shorter way through `grad`."""
    params = [x for x in LAYOUTS.values() if x.size]
    gs = grad(lambda p: sum(np.real(np.sum(x * x)) for x in p))(params)
    for x, g in zip(params, gs, strict=True):
        assert g.dtype == x.dtype
        assert g.flags.writeable
        assert not np.shares_memory(g, x)
        np.testing.assert_allclose(g, 2 * x, rtol=1e-6)
    same = grad(lambda p: np.sum(p[0] + p[1]))([params[0], params[0]])
    assert not np.shares_memory(*same)


@pytest.mark.parametrize(
    "f", [np.mean, np.var, lambda x: np.mean(x, axis=0), lambda x: np.mean(x, where=x > -1)]
)
def test_float16_arrays_of_more_entries_than_the_largest_float16(f):
    x = np.linspace(0, 1, 70000).astype(np.float16)
    value, g = value_and_grad(f)(x)
    assert value == f(x)
    assert value.dtype == g.dtype == np.float16
    np.testing.assert_allclose(g, grad(f)(x.astype(np.float32)), atol=1e-7)


def _float_square(x):
    return x**2.0


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int64, bool])
@pytest.mark.parametrize("f", [_float_square, lambda x: x**2, lambda x: np.modf(x)[0]])
def test_mapped_integers_become_what_numpy_makes_of_them(f, dtype):
    if f is _float_square and dtype is bool:
        dtype = np.int16  # of booleans NumPy 2.0 makes int8, and later ones float64
    x = np.array([0, 1, 100]).astype(dtype)
    for out in (vmap(f)(x), make_graph(f)(x)(x)):
        assert out.dtype == f(x).dtype
        np.testing.assert_array_equal(out, f(x))


def test_powers_of_a_python_number_are_weak():
    """As in plain NumPy, where ``2.0 ** 2`` takes the dtype of the array beside it."""
    a = np.ones(3, np.float32)
    for f in (
        lambda x: np.sum(x**2 * a),
        lambda x: np.sum(a / x**-1),
        lambda x: np.sum(x**0.5 * a),
    ):
        value, g = value_and_grad(f)(4.0)
        assert value.dtype == f(4.0).dtype == np.float32
        assert type(g) is float


def test_modf_of_an_infinity():
    fraction, whole = vjp(np.modf, np.array([np.inf, -np.inf, 2.5]))[0]
    np.testing.assert_array_equal(fraction, [0.0, 0.0, 0.5])
    np.testing.assert_array_equal(whole, [np.inf, -np.inf, 2.0])
    np.testing.assert_array_equal(vjp(np.modf, np.array([2.5]))[1]((np.ones(1), np.ones(1)))[0], 1)
