"""Every error that a user can run into: its type, and its three parts."""

import math
import operator
import pickle

import numpy as np
import pytest

import fgrad
from fgrad import errors, grad, jvp, make_graph, value_and_grad, vjp, vmap
from fgrad.errors import (
    ArgumentError,
    DtypeError,
    EscapedTracerError,
    FgradError,
    NoRuleError,
    ShapeError,
    TracerConversionError,
    TreeError,
)

X = np.array([1.0, 2.0, 3.0])


class Frame:
    """Something that pandas might have: it converts to an array, but it isn't one."""

    shape, dtype = (3,), np.dtype(float)

    def __array__(self, dtype=None, copy=None):
        return np.ones(3)


def raised(f, x=X):
    """The message of the error that grad(f) raises; it must have three parts."""
    with pytest.raises(FgradError) as info:
        grad(f)(x.copy() if isinstance(x, np.ndarray) else x)
    text = str(info.value)
    first, second, third = text.split("\n  ", 2)
    assert first.endswith((".", ")")) or ":" in first
    assert second.startswith("It got: ")
    assert third.startswith("To do: ")
    return info.value


# ------------------------------------------------------------------ the types
def test_every_error_is_also_what_python_would_have_raised():
    for name in errors.__all__:
        cls = getattr(errors, name)
        assert issubclass(cls, FgradError)
        assert cls.__doc__
    assert issubclass(DtypeError, TypeError)
    assert issubclass(ShapeError, ValueError)
    assert issubclass(EscapedTracerError, RuntimeError)


def test_an_error_survives_pickling():
    error = pickle.loads(pickle.dumps(DtypeError("wanted.", "came", "do")))
    assert type(error) is DtypeError
    assert str(error) == "wanted.\n  It got: came\n  To do: do"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (np.zeros((2, 3), np.float32), "a float32 array of shape (2, 3)"),
        (np.ma.ones(2), "a float64 MaskedArray of shape (2,)"),
        (Frame(), "a float64 Frame of shape (3,)"),
        (np.float32(1), "a float32 array of shape ()"),
        (None, "None"),
        ("spam\neggs" * 9, "... (a str)"),
        (3, "3 (an int)"),
    ],
)
def test_describe_says_what_a_value_is(value, text):
    assert errors.describe(value).endswith(text)
    assert "\n" not in errors.describe(value)


def test_name_of_looks_through_wrappers():
    import functools

    def loss(x, y):
        return x

    line = f"test_errors.py:{loss.__code__.co_firstlineno}"
    for f in (loss, grad(loss), vmap(loss), functools.partial(loss, y=1)):
        assert line in errors.name_of(f)

    class Model:
        def __call__(self, x):
            return x

    assert errors.name_of(Model()).startswith("`Model` (")
    assert errors.name_of(len) == "`len`"


# ------------------------------------------------------------------ what a tracer can't become
def setitem(x):
    x[0] = 1.0
    return x.sum()


def plain_iadd(x):
    a = np.zeros(3)
    a += x
    return a.sum()


def plain_element(x):
    a = np.zeros(3)
    a[0] = x[0]
    return a.sum()


def plain_slice(x):
    a = np.zeros(3)
    a[:] = x
    return a.sum()


CONVERSIONS = {
    "x[0] = v": (setitem, r"x = fgrad\.at\(x\)\[i\]\.set\(v\)"),
    "a += x": (plain_iadd, r"for a \+= x write a = a \+ x"),
    "a[0] = x": (plain_element, r"cannot hold a traced value(.|\n)*np\.stack\(\[x, y\]\)"),
    "a[:] = x": (plain_slice, r"a = fgrad\.at\(a\)\[i\]\.set\(x\)"),
    "float": (lambda x: float(x[0]), "cannot become a Python float"),
    "complex": (lambda x: complex(x[0]), "cannot become a Python complex"),
    "int": (lambda x: int(x[0]), r"x\.astype\(int\)"),
    "range": (lambda x: range(x[0]), "cannot become a Python int"),
    "round": (lambda x: round(x[0]), "cannot become a Python int"),
    "math.floor": (lambda x: math.floor(x[0]), r"np\.floor\(x\)"),
    "np.float32": (lambda x: np.float32(x), r"x\.astype\(dtype\)"),
    "math.sin": (lambda x: math.sin(x[0]), r"np\.sin\(x\) for math\.sin\(x\)"),
    "item": (lambda x: x[0].item(), "cannot become a Python float"),
    "tolist": (lambda x: x.tolist(), r"cannot become a list(.|\n)*list\(x\)"),
    "np.array": (lambda x: np.array([x[0], 1.0]).sum(), r"fgrad\.numpy\.array\(\[x, 1\.0\]\)"),
    "np.asarray": (lambda x: np.asarray(x).sum(), "cannot become a NumPy array"),
    "np.sum of a list": (lambda x: np.sum([x[0], x[1]]), r"np\.stack\(\[x, y\]\)"),
    "np.full": (lambda x: np.full(3, x[0]).sum(), "cannot become a NumPy array"),
    "hash": (lambda x: {x: 1}, "elementwise"),
    "set": (lambda x: {x}, "use something beside the array as the key"),
    "pickle": (lambda x: pickle.dumps(x), "store it outside"),
    "np.add out": (lambda x: np.add(x, x, out=np.zeros(3)).sum(), "leave `out` away"),
    "np.add where": (lambda x: np.add(x, x, where=[True] * 3).sum(), r"np\.where\(mask"),
    "np.add.at": (lambda x: np.add.at(np.zeros(3), [0], x[0]), r"fgrad\.at\(a\)\[i\]\.add"),
    "format": (lambda x: f"{x:.3f}", "wants a single number"),
}


@pytest.mark.parametrize("name", CONVERSIONS)
def test_conversions_that_would_lose_the_derivative(name):
    f, text = CONVERSIONS[name]
    error = raised(f)
    assert isinstance(error, TracerConversionError)
    with pytest.raises(TracerConversionError, match=text):
        raise error


@pytest.mark.parametrize("name", ["np.array", "a[0] = x", "float"])
@pytest.mark.parametrize("through", ["jvp", "vjp", "vmap", "make_graph"])
def test_conversions_are_refused_by_every_transformation(name, through):
    f, text = CONVERSIONS[name]
    calls = {
        "jvp": lambda: jvp(f, (X,), (X,)),
        "vjp": lambda: vjp(f, X),
        "vmap": lambda: vmap(f)(np.stack([X, X])),
        "make_graph": lambda: make_graph(f)(X),
    }
    with pytest.raises(TracerConversionError, match=text):
        calls[through]()


def test_an_element_of_a_plain_array_shows_the_users_line():
    with pytest.raises(TracerConversionError) as info:
        grad(plain_element)(X)
    assert any(entry.name == "plain_element" for entry in info.traceback)


@pytest.mark.parametrize(
    ("method", "text"),
    [
        ("sort", r"np\.sort\(x\) makes a changed copy"),
        ("fill", r"np\.full_like\(x, v\)"),
        ("partition", r"np\.partition"),
        ("resize", r"np\.resize"),
        ("put", r"fgrad\.at\(x\)\[i\]\.set\(v\)"),
        ("setflags", "writes into the array"),
        ("byteswap", "writes into the array"),
        ("tobytes", "outside the transformed function"),
        ("flags", "outside the transformed function"),
        ("strides", "outside the transformed function"),
        ("base", "outside the transformed function"),
    ],
)
def test_methods_that_traced_arrays_do_not_have(method, text):
    error = raised(lambda x: getattr(x, method))
    assert isinstance(error, NoRuleError)
    assert isinstance(error, AttributeError)
    with pytest.raises(NoRuleError, match=text):
        raise error


def test_a_traced_index_into_a_plain_array():
    for f in (lambda i: X[i], lambda i: [1.0, 2.0][i]):
        with pytest.raises(TracerConversionError, match=r"fgrad\.numpy\.take\(a, i, axis=0\)"):
            vmap(f)(np.array([0, 1]))
    for f in (lambda i: fgrad.numpy.take(X, i, axis=0), lambda i: fgrad.at(X)[i].get()):
        np.testing.assert_array_equal(vmap(f)(np.array([2, 0])), X[[2, 0]])


def test_unknown_attributes_are_python_errors():
    with pytest.raises(AttributeError, match="no attribute 'spam'"):
        grad(lambda x: x.spam)(X)
    assert grad(lambda x: x.sum() * (not hasattr(x, "spam")))(X).tolist() == [1.0] * 3


def test_bool_of_a_batch_and_of_a_graph():
    def branch(x):
        return x if x > 0 else -x

    with pytest.raises(TracerConversionError, match=r"whole batch(.|\n)*np\.where"):
        vmap(branch)(X)
    with pytest.raises(TracerConversionError, match=r"no truth value(.|\n)*np\.where"):
        make_graph(branch)(1.0)
    assert grad(branch)(-2.0) == -1.0  # where the value is known, `if` is fine


# ------------------------------------------------------------------ functions without a rule
@pytest.mark.parametrize(
    ("name", "f"),
    [
        ("np.unique_all", np.unique_all),
        ("np.busday_count", lambda x: np.busday_count(x, x)),
        ("np.lib.", np.packbits),
        ("np.array2string", np.array2string),
        ("strange (vectorized)", lambda x: np.frompyfunc(lambda y: y, 1, 1)(x)),
    ],
)
def test_a_function_without_a_rule_is_named(name, f):
    error = raised(f)
    assert isinstance(error, NoRuleError)
    assert "has no rule in fgrad" in str(error)
    if name not in ("np.lib.", "strange (vectorized)"):
        assert f"`{name}`" in str(error)


@pytest.mark.parametrize(
    ("f", "text"),
    [
        (lambda x: np.copyto(np.zeros(3), x), r"fgrad\.at\(a\)\[i\]\.set\(x\)"),
        (lambda x: np.fill_diagonal(x, 1.0), r"\.at\(a\)\[i, i\]\.set\(x\)"),
        (lambda x: np.put(x, [0], 1.0), r"\.at\(a\)\[i\]\.set\(x\)"),
        (lambda x: np.save("/dev/null", x), "return the value from the function"),
        (lambda x: np.sum(x, out=np.zeros(())), "leave it away and use the result"),
        (lambda x: np.add.reduce(x, out=np.zeros(())), "leave it away and use the result"),
    ],
)
def test_functions_that_write_say_what_to_use(f, text):
    with pytest.raises(FgradError, match=text):
        raise raised(f)


# ------------------------------------------------------------------ operands
@pytest.mark.parametrize(
    ("f", "text"),
    [
        (
            lambda x: operator.add(x, [1, 2, 3]),
            r"`add`(.|\n)*\[1, 2, 3\] \(a list\)(.|\n)*np\.array\(",
        ),
        (lambda x: operator.add([1, 2, 3], x), r"`add`(.|\n)*a list"),
        (lambda x: np.multiply(x, (1, 2, 3)), r"`multiply`(.|\n)*a tuple"),
        (lambda x: x * "spam", r"'spam' \(a str\)"),
        (lambda x: x - None, "None"),
        (lambda x: x * Frame(), r"Frame of shape \(3,\)(.|\n)*to_numpy\(\)"),
        (lambda x: Frame() * x, "Frame"),
        (lambda x: x * np.ma.ones(3), r"MaskedArray(.|\n)*np\.asarray"),
        (lambda x: np.ma.ones(3) * x, "MaskedArray|NumPy array"),
        (lambda x: x @ np.ones((3, 2)).view(Sub), "Sub"),
        (lambda x: np.where(x > 0, x, np.ma.ones(3)), "MaskedArray"),
    ],
)
def test_operands_that_are_no_arrays_are_refused_by_name(f, text):
    with pytest.raises(FgradError, match=text):
        raise raised(lambda x: np.sum(f(x)))


class Sub(np.ndarray):
    pass


@pytest.mark.filterwarnings("ignore:the matrix subclass")
def test_np_matrix_is_refused():
    assert "matrix" in str(raised(lambda x: (x * np.matrix([[1.0, 2.0, 3.0]])).sum()))
    assert "np.asarray(x)" in str(raised(lambda x: x.sum(), np.matrix([[1.0, 2.0]])))


def test_object_arrays_are_refused():
    numbers = np.array([1.0, 2.0, 3.0], dtype=object)
    for call in (
        lambda: grad(lambda x: (x * numbers).sum())(X),
        lambda: jvp(lambda x: x * numbers, (X,), (X,)),
        lambda: vmap(lambda x: x * numbers)(np.stack([X, X])),
        lambda: make_graph(lambda x: x * numbers)(X),
        lambda: grad(lambda x: x.sum())(numbers),
        lambda: vmap(lambda x: x)(numbers),
    ):
        with pytest.raises(DtypeError, match="object array"):
            call()


# ------------------------------------------------------------------ results of grad
@pytest.mark.parametrize(
    ("result", "kind", "text"),
    [
        ("spam", DtypeError, r"'spam' \(a str\)(.|\n)*has_aux=True"),
        (None, DtypeError, "It got: None"),
        ((1.0, 2.0), DtypeError, "a tuple of 2"),
        ({"a": 1.0}, DtypeError, "a dict of 1"),
        (3, DtypeError, r"3 \(an int\)(.|\n)*no derivative"),
        (True, DtypeError, "True"),
        (1j, DtypeError, r"a complex(.|\n)*holomorphic=True"),
        (np.ones(2), ShapeError, r"shape \(2,\)(.|\n)*jacrev(.|\n)*vjp"),
    ],
)
def test_grad_of_what_is_no_real_scalar(result, kind, text):
    with pytest.raises(kind, match=text):
        grad(lambda x: result)(X)


@pytest.mark.parametrize(
    ("f", "text"),
    [
        (lambda x: x * 2, r"float64 array of shape \(3,\)(.|\n)*fgrad\.jacrev"),
        (lambda x: (x * 1j).sum(), r"complex128 array of shape \(\)(.|\n)*fgrad\.vjp"),
        (lambda x: x.argmax(), "int64"),
        (lambda x: x.sum() > 1, "bool"),
        (lambda x: (x.sum(), x.sum()), "a tuple of 2"),
        (lambda x: x.sum().astype(np.int32), "int32"),
    ],
)
def test_grad_names_the_function_and_the_way_out(f, text):
    error = raised(f)
    assert "`<lambda>`" in str(error)
    assert "test_errors.py:" in str(error)
    with pytest.raises((DtypeError, ShapeError), match=text):
        raise error


@pytest.mark.parametrize("name", ["grad", "vmap", "make_graph", "jacrev", "jvp", "vjp"])
def test_a_function_is_wanted(name):
    transform = getattr(fgrad, name)
    args = {"jvp": ((1.0,), (1.0,)), "vjp": (1.0,)}.get(name, ())
    with pytest.raises(ArgumentError, match=rf"{name} wants a function\.(.|\n)*{name}\(f"):
        transform(np.sin(1.0), *args)


def test_has_aux_wants_a_pair():
    for bad in (3.0, (1.0,), [1.0, 2.0], (1.0, 2.0, 3.0)):
        with pytest.raises(ArgumentError, match=r"pair \(value, aux\)"):
            value_and_grad(lambda x: bad, has_aux=True)(1.0)  # noqa: B023


def test_holomorphic_wants_complex():
    with pytest.raises(DtypeError, match="holomorphic=True wants complex arguments"):
        grad(lambda x: x, holomorphic=True)(1.0)
    with pytest.raises(DtypeError, match=r"complex scalar(.|\n)*holomorphic=False"):
        grad(np.abs, holomorphic=True)(1j)


def test_tree_errors_carry_the_path():
    with pytest.raises(TreeError, match=r"\['b'\]"):
        fgrad.tree.map(lambda x, y: x, {"a": 1, "b": (2, 3)}, {"a": 1, "b": 2})
