"""Calling machine code: arguments are taken apart, and compared with what the code was made for."""

from __future__ import annotations

import gc
import pickle
import threading
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fgrad.compiler.native import engine, entry
from fgrad.compiler.native.entry import Array, Scalar

pytestmark = pytest.mark.skipif(engine.available() is not None, reason="needs llvmlite")

F8 = np.dtype("f8")
ROADS = [entry.make_callable, entry._through_ctypes]


def kernel(body: str, parameters: list[Array | Scalar], *, release: bool = False) -> Any:
    """Machine code for a kernel with these lines, and its wrapper."""
    given = ", ".join(f"ptr %p{i}" for i in range(len(parameters)))
    return engine.compile_module(
        f"{entry.declarations(parameters)}\ndefine void @kernel({given}) {{\n{body}\nret void\n}}\n"
        f"{entry.wrapper('kernel', parameters, release=release)}",
        level=0,
    )


def copying(source: Array | Scalar) -> Any:
    """A kernel that copies the first 8 bytes of its first argument to the second."""
    return kernel(
        "%x = load double, ptr %p0\nstore double %x, ptr %p1", [source, Array(F8, (1,), None, True)]
    )


def test_layout_holds() -> None:
    """Nothing else is tested on the builds that we know."""
    assert entry.layout_holds()


@pytest.mark.parametrize("road", ROADS)
def test_calls(road: Callable[..., Any]) -> None:
    wanted: list[Array | Scalar] = [Array(F8, (2, 3)), Array(F8, (1,), None, True)]
    call = road(copying(wanted[0]), "kernel", wanted)
    out = np.zeros(1)
    assert call(np.full((2, 3), 7.0), out) is True
    assert out[0] == 7.0
    assert call(np.full((2, 3), 8.0)) is False  # too few
    assert call(np.full((2, 3), 8.0), out, out) is False
    assert call() is False
    assert out[0] == 7.0


@pytest.mark.parametrize("road", ROADS)
@pytest.mark.parametrize("kind", [float, np.float64])
def test_scalars(road: Callable[..., Any], kind: type) -> None:
    wanted: list[Array | Scalar] = [Scalar(kind), Array(F8, (1,), None, True)]
    call = road(copying(wanted[0]), "kernel", wanted)
    out = np.zeros(1)
    assert call(kind(2.5), out) is True
    assert out[0] == 2.5
    for other in (1, True, np.float32(1), np.array(1.0), None, "1.0", type("F", (float,), {})(1)):
        assert call(other, out) is False
    assert call((float if kind is np.float64 else np.float64)(1), out) is False
    assert out[0] == 2.5


class Subclass(np.ndarray[Any, Any]):
    """What behaves in its own way."""


def variants() -> list[Any]:
    """Arguments that differ from a dense, writable float64 array of shape (2, 3) in one way."""
    x = np.ones((2, 3))
    frozen = x.copy()
    frozen.flags.writeable = False
    crooked = np.zeros(8 * 6 + 1, np.uint8)[1:].view(F8).reshape(2, 3)
    assert not crooked.flags.aligned
    return [
        x.astype("f4"), x.astype("i8"), x.astype("c16"), x.astype(">f8"), x.astype(object),
        x.astype(np.longdouble), np.ones((2, 3), [("a", "f8")]), x.astype(bool),
        np.ones((3, 2)), np.ones(6), np.ones((1, 2, 3)), np.ones((2, 4)), np.ones((0, 3)), 1.0,
        np.float64(1), np.ones((3, 2)).T, np.ones((2, 6))[:, ::2], np.ones((4, 3))[::2],
        x[::-1], x[:, ::-1], np.broadcast_to(1.0, (2, 3)), np.broadcast_to(np.ones(3), (2, 3)),
        crooked, x.view(Subclass), np.ma.masked_array(x), [[1.0] * 3] * 2, None, x.tolist(),
        type("Fake", (), {"shape": (2, 3), "dtype": F8, "__array__": lambda *_: x})(), np.ndarray,
        frozen,
    ]  # fmt: skip


@pytest.mark.parametrize("road", ROADS)
def test_other_arguments_are_turned_down(road: Callable[..., Any]) -> None:
    wanted: list[Array | Scalar] = [Array(F8, (2, 3)), Array(F8, (1,), None, True)]
    call = road(copying(wanted[0]), "kernel", wanted)
    *wrong, frozen = variants()
    out = np.zeros(1)
    for x in wrong:
        assert call(x, out) is False, x
    assert out[0] == 0.0
    assert call(frozen, out) is True  # which is only read
    written: list[Array | Scalar] = [Array(F8, (2, 3), None, True), wanted[1]]
    assert road(copying(written[0]), "kernel", written)(frozen, out) is False
    assert call(np.ones((2, 3)), out[:0]) is False


def test_equal_dtype_of_another_make() -> None:
    """The dtype's object is compared; an array with an equal one is turned down."""
    x = pickle.loads(pickle.dumps(np.ones((2, 3))))
    parameter = Array(F8, (2, 3))
    wanted: list[Array | Scalar] = [parameter, Array(F8, (1,), None, True)]
    call = entry.make_callable(copying(parameter), "kernel", wanted)
    assert call(x, np.zeros(1)) is parameter.fits(x) is (x.dtype is F8)


SHAPES = st.lists(st.integers(0, 3), max_size=3).map(tuple)


@st.composite
def arrays(draw: st.DrawFn) -> Any:
    """Arrays of any layout: permuted, stepped, reversed, broadcast, of some dtypes."""
    shape = draw(SHAPES)
    dtype = draw(st.sampled_from(["f8", "f4", "i8", "?", ">f8"]))
    steps = [draw(st.sampled_from([1, 1, 2, -1])) for _ in shape]
    whole = np.zeros([n * abs(k) for n, k in zip(shape, steps, strict=True)], dtype)
    x = whole[tuple(slice(None, None, k) for k in steps)].transpose(
        draw(st.permutations(range(len(shape))))
    )
    x = np.asarray(x)  # without axes it would have become a scalar
    x.flags.writeable = draw(st.booleans())
    return x


@given(arrays(), arrays(), st.booleans(), st.booleans())
def test_turned_down_if_and_only_if_it_does_not_fit(
    x: Any, model: Any, written: bool, dense: bool
) -> None:
    native = np.dtype(model.dtype.name)  # in the order of this machine
    parameter = Array(native, model.shape, None if dense else model.strides, written)
    wanted: list[Array | Scalar] = [parameter]
    code = kernel("", wanted)
    call = entry.make_callable(code, "kernel", wanted)
    other = entry._through_ctypes(code, "kernel", wanted)
    own = np.zeros(model.shape, native)
    for value in (x, model, own, own.astype("f8")):
        fits = (
            value.dtype == native
            and value.shape == model.shape
            and (value.flags.writeable or not written)
            and all(
                a == b
                for a, b, n in zip(value.strides, parameter.steps(), value.shape, strict=True)
                if n > 1
            )
        )
        assert call(value) is other(value) is parameter.fits(value) is fits
    assert Array(native, model.shape).steps() == own.strides or 0 in model.shape


def test_lock_is_let_go_of() -> None:
    """The kernel waits, in vain if the interpreter stood still, for another thread to write."""
    parameters: list[Array | Scalar] = [Array(F8, (1,)), Array(F8, (1,), None, True)]
    code = kernel(
        """
  br label %wait
wait:
  %i = phi i64 [ 0, %0 ], [ %next, %wait ]
  %next = add i64 %i, 1
  %x = load volatile double, ptr %p0
  %waiting = fcmp oeq double %x, 0.0
  %patient = icmp ult i64 %next, 20000000000
  %more = and i1 %waiting, %patient
  br i1 %more, label %wait, label %done
done:
  store double %x, ptr %p1""",
        parameters,
        release=True,
    )
    call = entry.make_callable(code, "kernel", parameters)
    flag, seen = np.zeros(1), np.zeros(1)
    timer = threading.Timer(0.01, flag.__setitem__, (0, 3.0))
    timer.start()
    assert call(flag, seen) is True
    timer.join()
    assert seen[0] == 3.0


@pytest.mark.parametrize("road", ROADS)
def test_code_lives_as_long_as_the_function(road: Callable[..., Any]) -> None:
    wanted: list[Array | Scalar] = [Array(F8, ()), Array(F8, (1,), None, True)]
    code = copying(wanted[0])
    seen = weakref.ref(code)
    call = road(code, "kernel", wanted)
    del code
    gc.collect()
    assert seen() is not None
    out = np.zeros(1)
    assert call(np.array(4.0), out)
    assert out[0] == 4.0
    del call
    gc.collect()
    assert seen() is None


def test_no_references_are_lost() -> None:
    """Arguments and answers are counted as before, also where the answer isn't immortal."""
    wanted: list[Array | Scalar] = [Array(F8, ()), Array(F8, (1,), None, True)]
    call = entry.make_callable(copying(wanted[0]), "kernel", wanted)
    x, out = np.array(4.0), np.zeros(1)
    before = [gc.get_referrers(x).__len__(), *map(_count, (x, out, True, False))]
    for _ in range(1000):
        call(x, out)
        call(x, x)
    after = [gc.get_referrers(x).__len__(), *map(_count, (x, out, True, False))]
    assert all(abs(a - b) < 100 for a, b in zip(before, after, strict=True))


def _count(x: Any) -> int:
    return __import__("sys").getrefcount(x)


@pytest.mark.parametrize("name", ["", "a b", 'x"', "f;", "ä"])
def test_names_of_kernels(name: str) -> None:
    with pytest.raises(ValueError, match="can't be the name of a kernel"):
        entry.wrapper(name, [])


def test_other_byte_order() -> None:
    with pytest.raises(ValueError, match="the other byte order"):
        Array(F8.newbyteorder(), ())
    assert Array(np.dtype(">f8").newbyteorder("="), ()).dtype is F8


def test_dtypes_of_arguments() -> None:
    with pytest.raises(ValueError, match="can't be of fgrad_dtype_datetime64"):
        entry.declarations([Array(np.dtype("M8[s]"), ())])
