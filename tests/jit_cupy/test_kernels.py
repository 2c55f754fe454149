"""The scalar functions of kernels, compiled by the system's compiler: NumPy's numbers."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import fgrad
from fgrad.compiler.cupy import scalars
from fgrad.compiler.cupy.clusters import fused
from fgrad.compiler.cupy.kernels import Kernel
from fgrad.compiler.cupy.places import Places
from fgrad.compiler.program import Builder, Node, Program

from ..cupy.array import ndarray
from ..cupy.kernels import compiled

FLOATS = [0.0, -0.0, 1.0, -1.0, 0.5, -0.25, 2.0, 3.7, -2.5, 1e-8, 40.0, np.inf, -np.inf, np.nan]
INTEGERS = [0, 1, 2, 3, 7, 100, -1, -2, -100]
NAMES = [*scalars.FUNCTIONS, *scalars.FLOATS, *scalars.NUMBERS, *scalars.BITS, *scalars.ANY]
UFUNCS = [vars(np)[name] for name in NAMES if name in vars(np)]


def entries(dtype):
    """Interesting numbers of a dtype."""
    dtype = np.dtype(dtype)
    if dtype.kind == "b":
        return np.array([True, False])
    if dtype.kind == "f":
        return np.array(FLOATS, dtype)
    limits = np.iinfo(dtype)
    return np.array([n for n in INTEGERS if n >= limits.min] + [limits.min, limits.max], dtype)


def run(nodes, made, values):
    """A kernel's answers for all pairs of entries."""
    kernel = Kernel(nodes, made, True)
    values = {x: v for x, v in values.items() if x in kernel.ins}
    arrays = [np.ascontiguousarray(values[x]) for x in kernel.ins]
    outs = [np.empty(arrays[0].shape, y.dtype) for y in made]
    loop = compiled(kernel.preamble, kernel.in_params, kernel.out_params, kernel.operation)
    pointers = [a.ctypes.data for a in (*arrays, *outs)]
    loop(arrays[0].size, (np.ctypeslib.ctypes.c_void_p * len(pointers))(*pointers))
    return outs


@pytest.mark.parametrize("dtype", ["f", "d", "b", "B", "h", "i", "I", "l", "L", "?"])
def test_functions_of_one_entry_or_two_are_numpys(dtype):
    x, y = (np.array(a) for a in zip(*itertools.product(entries(dtype), repeat=2), strict=True))
    b = Builder({}, share=False)
    like = Node("input", (), None, x.shape, x.dtype)
    ins = [b.input(0, like), b.input(1, like)]
    nodes = []
    for f in UFUNCS:
        try:
            node = b.ufunc(f, *ins[: f.nin])
        except TypeError:  # NumPy has none for such entries
            continue
        if scalars.form(node) is not None:
            nodes.append(node)
    assert len(nodes) > 8
    answers = run(nodes, nodes, {ins[0]: x, ins[1]: y})
    for node, got in zip(nodes, answers, strict=True):
        with np.errstate(all="ignore"):
            want = node.meta(*(x, y)[: node.meta.nin])
        assert want.dtype == got.dtype
        rtol = {"f": 1e-5, "d": 1e-13}.get(want.dtype.char, 0)
        np.testing.assert_allclose(got, want, rtol=rtol, err_msg=node.meta.__name__)
        if node.meta in (np.add, np.multiply, np.negative, np.copysign, np.trunc):
            np.testing.assert_array_equal(np.signbit(got), np.signbit(want))


@pytest.mark.parametrize("dtype", ["f", "d", "i", "l"])
@pytest.mark.parametrize("into", ["f", "d", "b", "i", "l", "?"])
def test_casts_and_choices_are_numpys(dtype, into):
    x = entries(dtype)
    if np.dtype(into).kind in "iu":  # of numbers that are there in both
        x = x[np.isfinite(x.astype(float)) & (abs(x.astype(float)) <= 100)]
    b = Builder({}, share=False)
    like = Node("input", (), None, x.shape, x.dtype)
    source = b.input(0, like)
    cast = b.make("cast", (source,), np.dtype(into), x.shape, np.dtype(into))
    positive = b.ufunc(np.greater, source, b.scalar(0, x.dtype))
    where = b.make("where", (positive, source, b.scalar(7, x.dtype)), None, x.shape, x.dtype)
    got = run([cast, positive, where], [cast, where], {source: x})
    np.testing.assert_array_equal(got[0], x.astype(into))
    np.testing.assert_array_equal(got[1], np.where(x > 0, x, x.dtype.type(7)))


@pytest.mark.parametrize("number", [0.1, -0.0, np.inf, -np.inf, np.nan, 1e-300, 3, -(2**63)])
def test_literals_are_themselves(number):
    dtype = np.dtype("l") if isinstance(number, int) else np.dtype("d")
    x = np.zeros(2, dtype)
    b = Builder({}, share=False)
    source = b.input(0, Node("input", (), None, x.shape, x.dtype))
    condition = b.ufunc(np.not_equal, source, b.scalar(0, dtype))
    chosen = b.make("where", (condition, source, b.scalar(number, dtype)), None, x.shape, dtype)
    (got,) = run([condition, chosen], [chosen], {source: x})
    np.testing.assert_array_equal(got, np.full(2, number, dtype))
    assert np.signbit(got[0]) == np.signbit(dtype.type(number))


def test_what_reads_and_is_read_by_a_cluster_stays_between(cupy):
    """``y`` and ``z`` can't be one step: a product of matrices stands between them."""

    def f(x):
        y = np.tanh(x) * 2
        return np.sum(np.exp(y @ y) - y)

    x = np.arange(9.0).reshape(3, 3) / 9
    compiled_ = fgrad.jit(fgrad.value_and_grad(f))
    for _ in range(2):
        value, gradient = compiled_(ndarray._of(x.copy()))
    want = fgrad.value_and_grad(f)(x)
    np.testing.assert_allclose(value._a, want[0])
    np.testing.assert_allclose(gradient._a, want[1])


def test_a_sum_is_the_end_of_a_kernel(cupy):
    compiled_ = fgrad.jit(lambda x, y: np.sum(np.tanh(x) * y, axis=0))
    x, y = np.arange(6.0).reshape(2, 3), np.arange(3.0)
    args = ndarray._of(x), ndarray._of(y)
    for _ in range(2):
        got = compiled_(*args)
    np.testing.assert_allclose(got._a, np.sum(np.tanh(x) * y, axis=0))
    body = compiled_.source(*args).split("return elsewhere")[-1]
    assert body.count("fgrad_tanh_multiply_sum(") == 1
    assert "cupy_" not in body


def test_large_sums_into_few_numbers_are_left_to_cupy():
    b = Builder({}, share=False)
    x = b.input(0, Node("input", (), None, (2000, 1000), np.dtype("d")))
    y = b.ufunc(np.tanh, b.ufunc(np.exp, x))
    total = b.reduce(np.add, y, (0, 1), False)
    program = fused(Program([x], b.nodes, [total]), Places([x]), False)
    assert [n.kind for n in program.nodes] == ["kernel", "reduce"]
