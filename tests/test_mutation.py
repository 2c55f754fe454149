"""Arrays that are changed in place: the right gradient or an error, never a silent wrong one."""

import gc

import numpy as np
import pytest

import fgrad
from fgrad import grad, jvp, make_graph, value_and_grad, vjp, vmap
from fgrad.arrays import SMALL, SPARE
from fgrad.errors import FgradError

SIZES = {"small": 5, "middle": SMALL // 8 + 5, "large": SPARE // 8 + 5}


@pytest.fixture(params=SIZES)
def size(request):
    return SIZES[request.param]


def fresh(n, seed=0):
    return np.random.default_rng(seed).uniform(0.5, 1.5, n)


def aliases(x):
    """The ways to reach the memory of an array that existed before."""
    return {
        "the array": x,
        "a view": x[:],
        "a part": x[2:4],
        "a reshaped view": x.reshape(1, -1),
        "bytes": x.view(np.uint8),
    }


def write(x):
    """Change the memory of x, as far as NumPy lets us."""
    x[...] = 0 if x.dtype == np.uint8 else 7.0


# ------------------------------------------------------------------ after vjp, before the pullback
PROGRAMS = {
    "x * c": lambda x, c: x * c,
    "c * x": lambda x, c: c * x,
    "sin": lambda x, c: np.sin(x) + c,
    "exp": lambda x, c: np.exp(x),
    "square": lambda x, c: x**2 + c,
    "x / c": lambda x, c: x / c,
    "dot": lambda x, c: x @ c,
    "where": lambda x, c: np.where(c > 1, x, 2 * x),
    "real": lambda x, c: np.sin(np.real(x)),
    "view": lambda x, c: np.sin(x[::-1]) * c[::-1],
    "reshape": lambda x, c: np.cos(np.reshape(x, (-1, 1))) * c.reshape(-1, 1),
    "prod": lambda x, c: np.prod(x),
    "max": lambda x, c: np.max(x * c),
    "maximum": lambda x, c: np.maximum(x, c),
    "einsum": lambda x, c: np.einsum("i,i->", x, c),
    "stack": lambda x, c: np.sin(np.stack([x, c])),
    "norm": lambda x, c: np.linalg.norm(x - c),
    "x.at[i].multiply": lambda x, c: x.at[1:3].multiply(c[1:3]),
    "inner grad": lambda x, c: grad(lambda y: np.sum(np.sin(y) * x * c))(c),
    "inner jvp": lambda x, c: jvp(lambda y: np.sin(y) * x, (c,), (c,))[1],
    "inner vmap": lambda x, c: vmap(lambda a, b: np.sin(a) * b)(x, c),
}


@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.parametrize("target", ["x", "c"])
@pytest.mark.parametrize("alias", ["the array", "a view", "a part", "a reshaped view", "bytes"])
def test_changed_between_vjp_and_pullback(name, target, alias, size):
    f = PROGRAMS[name]
    x, c = fresh(size), fresh(size, 1)
    y, pullback = vjp(lambda x: f(x, c), x)
    ct = np.ones_like(y)
    (want,) = pullback(ct)

    x, c = fresh(size), fresh(size, 1)
    reach = aliases({"x": x, "c": c}[target])[alias]
    y, pullback = vjp(lambda x: f(x, c), x)
    try:
        write(reach)
        (got,) = pullback(ct)
    except ValueError as e:
        assert "read-only" in str(e)  # noqa: PT017
    except FgradError as e:
        assert "that was changed in place" in str(e)  # noqa: PT017
    else:
        np.testing.assert_array_equal(got, want)
    del pullback, y
    gc.collect()
    assert x.flags.writeable
    assert c.flags.writeable


@pytest.mark.parametrize("name", PROGRAMS)
def test_writing_into_the_results_of_vjp_changes_no_gradient(name, size):
    x, c = fresh(size), fresh(size, 1)
    y, pullback, aux = vjp(lambda x: (PROGRAMS[name](x, c), np.exp(x)), x, has_aux=True)
    ct = np.ones_like(y)
    (want,) = pullback(ct)
    if isinstance(y, np.ndarray):
        y[...] = 7.0
    aux[...] = 7.0
    (got,) = pullback(ct)
    np.testing.assert_array_equal(got, want)
    got[...] = 7.0
    np.testing.assert_array_equal(pullback(ct)[0], want)


def test_ufunc_at_writes_into_read_only_arrays_but_is_noticed():
    x = fresh(SIZES["large"])
    _, pullback = vjp(np.sin, x)
    try:
        np.add.at(x, [0], 1.0)  # NumPy 2.4 doesn't look at the flag here
    except ValueError:  # later ones do
        np.testing.assert_array_equal(pullback(np.ones(len(x)))[0], np.cos(x))
        return
    with pytest.raises(FgradError, match=r"changed in place(.|\n)*after the gradient"):
        pullback(np.ones(len(x)))


def test_a_change_through_an_older_view_while_vjp_runs_is_noticed():
    c = fresh(SIZES["large"])
    view = c[:]

    def f(x):
        y = x * c
        view[0] = 7.0
        return y

    _, pullback = vjp(f, np.ones(len(c)))
    with pytest.raises(FgradError, match="changed in place"):
        pullback(np.ones(len(c)))


def add_at(c):
    np.add.at(c, [3], 1.0)  # NumPy before 2.5 doesn't look whether it may


def set_one(c):
    c[3] = 7.0


@pytest.mark.parametrize("change", [set_one, add_at])
def test_one_element_changed_inside_grad_is_noticed(change):
    c = fresh(SIZES["large"])
    for view in (c[:], c.reshape(1, -1)[0], c[len(c) // 3 : len(c) // 2]):

        def f(x):
            y = x * c
            change(view)  # noqa: B023
            return y.sum()

        with pytest.raises(FgradError, match=r"grad wants the arrays(.|\n)*changed in place"):
            grad(f)(np.ones(len(c)))
        c[:] = fresh(len(c))
        assert c.flags.writeable


@pytest.mark.parametrize(
    "make", [lambda w: [w], lambda w: {"w": w}, lambda w: w], ids=["list", "dict", "array"]
)
def test_one_element_of_an_argument_changed_inside_grad_is_noticed(make):
    w = fresh(SIZES["large"])
    view = w[:]

    def f(p):
        y = np.sum(np.sin(fgrad.tree.leaves(p)[0]))
        view[3] = 7.0
        return y

    with pytest.raises(FgradError, match=r"grad wants the arrays(.|\n)*changed in place"):
        grad(f)(make(w))
    w[:] = 1.0


@pytest.mark.parametrize("make", [lambda w: [w], lambda w: {"w": w}], ids=["list", "dict"])
def test_an_argument_that_nobody_else_holds_is_read_only_from_the_start(make):
    params = make(fresh(SIZES["large"]))

    def f(p):
        view = fgrad.tree.leaves(params)[0][:]
        y = np.sum(np.sin(fgrad.tree.leaves(p)[0]))
        view[3] = 7.0
        return y

    with pytest.raises(ValueError, match="read-only"):
        grad(f)(params)
    fgrad.tree.leaves(params)[0][:] = 1.0


def test_a_view_made_after_vjp_is_read_only():
    x = fresh(SIZES["large"])
    _, pullback = vjp(np.sin, x)
    with pytest.raises(ValueError, match="read-only"):
        x[3:][0] = 1.0
    with pytest.raises(ValueError, match="read-only"):
        x *= 2
    del pullback
    x *= 2


@pytest.mark.parametrize("alias", ["base", "sibling"])
def test_changing_the_owner_of_a_view(alias, size):
    owner = fresh(2 * size)
    sibling = owner[:size]
    x = owner[:size]
    _, pullback = vjp(np.sin, x)
    want = np.cos(x)
    with_error = False
    try:
        write(owner if alias == "base" else sibling)
        (got,) = pullback(np.ones(size))
    except (ValueError, FgradError):
        with_error = True
    else:
        np.testing.assert_array_equal(got, want)
    assert with_error == (size == SIZES["large"])
    del pullback
    write(owner)


def test_memory_that_belongs_to_something_else_is_copied(tmp_path):
    raw = bytearray(fresh(2000).tobytes())
    x = np.frombuffer(raw)
    _, pullback = vjp(np.sin, x)
    want = np.cos(x)
    raw[:800] = bytes(800)
    np.testing.assert_array_equal(pullback(np.ones(2000))[0], want)

    np.save(tmp_path / "x.npy", fresh(2000))
    for mode in ("r", "r+"):
        x = np.load(tmp_path / "x.npy", mmap_mode=mode)
        _, pullback = vjp(lambda x: np.sum(np.sin(x[10:]) * x[10:]), x)
        (g,) = pullback(1.0)
        part = np.asarray(x[10:])
        np.testing.assert_allclose(g[10:], np.cos(part) * part + np.sin(part))
        assert type(g) is np.ndarray
        if mode == "r+":
            x[:] = 0.0
            np.testing.assert_array_equal(pullback(1.0)[0], g)


def test_a_tangent_changed_inside(size):
    x, t = fresh(size), fresh(size, 1)

    def f(x):
        _, pullback = vjp(np.sin, x)
        try:
            write(t)
        except ValueError:
            return None
        return pullback(np.ones(size))[0]

    want = -np.sin(x) * t
    try:
        _, got = jvp(f, (x,), (t,))
    except (FgradError, ValueError):
        assert size == SIZES["large"]
    else:
        np.testing.assert_allclose(got, want)
    write(t)


# ------------------------------------------------------------------ inside the function
def captured(c):
    def f(x):
        y = x * c
        c[:] = 7.0
        return y.sum()

    return f


@pytest.mark.parametrize("transform", ["grad", "value_and_grad", "vjp", "grad of grad"])
def test_a_captured_array_changed_inside(transform, size):
    c = fresh(size)
    want, f = c.copy(), captured(c)
    call = {
        "grad": lambda x: grad(f)(x),
        "value_and_grad": lambda x: value_and_grad(f)(x)[1],
        "vjp": lambda x: vjp(f, x)[1](1.0)[0],
        "grad of grad": lambda x: grad(lambda x: np.sum(grad(f)(x) * x))(x),
    }[transform]
    if size < SIZES["large"]:
        np.testing.assert_array_equal(call(np.ones(size)), want)
    else:
        with pytest.raises(ValueError, match="read-only") as info:
            call(np.ones(size))
        (note,) = info.value.__notes__
        assert note.startswith("fgrad holds this array read-only")
        assert "x.copy()" in note
        np.testing.assert_array_equal(c, want)
    c[:] = 7.0  # nothing stays read-only


@pytest.mark.parametrize(
    "write_into", [
        lambda c: np.add(c, 1, out=c), lambda c: c.sort(), lambda c: c.fill(0.0),
        lambda c: np.copyto(c, 0.0), lambda c: c.put(0, 1.0), lambda c: c.partition(3),
    ],
)  # fmt: skip
def test_every_way_to_write_is_explained(write_into):
    c = fresh(SIZES["large"])

    def f(x):
        y = x * c
        write_into(c)
        return y.sum()

    with pytest.raises(ValueError, match="read-only") as info:
        grad(f)(np.ones(len(c)))
    assert len(info.value.__notes__) == 1
    assert c.flags.writeable


def test_the_users_own_read_only_arrays_get_no_note():
    c = fresh(5)
    c.flags.writeable = False
    with pytest.raises(ValueError, match="read-only") as info:
        grad(captured(c))(np.ones(5))
    assert not hasattr(info.value, "__notes__")
    big = fresh(SIZES["large"])
    big.flags.writeable = False
    grad(lambda x: np.sum(x * big))(np.ones(len(big)))
    assert not big.flags.writeable


def test_what_stop_gradient_gives_cannot_be_written(size):
    def f(x):
        y = np.exp(x)
        fgrad.stop_gradient(y)[:] = 0.0
        return y.sum()

    for call in (lambda x: grad(f)(x), lambda x: vjp(f, x), lambda x: jvp(f, (x,), (x,))):
        with pytest.raises(ValueError, match="read-only"):
            call(fresh(size))


def test_a_graph_keeps_its_own_copies(size):
    c = fresh(size)
    graph = make_graph(lambda x: (x * c, c))(np.ones(size))
    want = c.copy()
    c[:] = 7.0
    y, z = graph(np.ones(size))
    np.testing.assert_array_equal(y, want)
    z[:] = 7.0
    np.testing.assert_array_equal(graph(np.ones(size))[1], want)
