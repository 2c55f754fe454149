"""Laws 2, 4 and 7 for shapes, axes and indices that hypothesis draws."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import fgrad

from .. import laws, laws_of_vmap
from ..examples import Operand, Row, row

SHAPES = hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3)


def obey(r: Row, mapped: bool = True) -> None:
    """The value is NumPy's, reverse is the adjoint of forward, vmap the stack of calls."""
    xs = r.arguments()
    rng = np.random.default_rng(0)
    laws.value(r)
    laws.adjoint(r, r.call, xs, rng)
    if mapped:
        laws_of_vmap.batching(r)


@pytest.mark.parametrize("fn", [np.add, np.multiply, np.arctan2, np.maximum, np.copysign])
@given(hnp.mutually_broadcastable_shapes(num_shapes=2, max_dims=3, max_side=3, min_side=0))
def test_broadcasting(fn, shapes):
    obey(row(fn, shapes.input_shapes))


@pytest.mark.parametrize("fn", [np.sum, np.max, np.prod, np.var])
@given(st.data(), hnp.array_shapes(min_dims=1, max_dims=4, max_side=3), st.booleans())
def test_reductions_over_any_axes(fn, data, shape, keepdims):
    axis = data.draw(
        st.none()
        | hnp.valid_tuple_axes(len(shape), min_size=1)
        | st.integers(-len(shape), len(shape) - 1)
    )
    obey(row(fn, [shape], lambda x: fn(x, axis=axis, keepdims=keepdims), bits=fn is not np.var))


@pytest.mark.parametrize("fn", [np.cumsum, np.cumprod, np.flip])
@given(st.data(), hnp.array_shapes(min_dims=1, max_dims=3, max_side=3, min_side=0))
def test_functions_along_an_axis(fn, data, shape):
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    obey(row(fn, [shape], lambda x: fn(x, axis=axis)))


@given(st.data(), hnp.array_shapes(max_dims=4, max_side=3, min_side=0))
def test_axes_in_another_order(data, shape):
    order = data.draw(st.permutations(range(len(shape))))
    i, j = (data.draw(st.integers(-len(shape), len(shape) - 1)) for _ in range(2))
    obey(row(np.transpose, [shape], lambda x: np.transpose(x, order)))
    obey(row(np.moveaxis, [shape], lambda x: np.moveaxis(np.swapaxes(x, i, j), i, j)))


@given(st.data(), hnp.array_shapes(max_dims=3, max_side=4))
def test_basic_indices(data, shape):
    index = data.draw(hnp.basic_indices(shape, allow_newaxis=True, max_dims=5))
    obey(row(np.add, [shape], lambda x: x[index]))
    obey(row(np.add, [shape, ()], lambda x, v: fgrad.at(x)[index].add(v)))
    obey(row(np.add, [shape, ()], lambda x, v: fgrad.at(x)[index].set(v)))


@given(st.data(), hnp.array_shapes(min_dims=2, max_dims=4, max_side=4))
def test_indices_with_arrays(data, shape):
    """Arrays of integers at some axes; slices, integers and None at others."""
    places = data.draw(st.sets(st.integers(0, len(shape) - 1), min_size=1))
    result = hnp.array_shapes(min_dims=0, max_dims=2, max_side=3, min_side=0)
    sides = tuple(shape[i] for i in sorted(places))
    arrays = iter(data.draw(hnp.integer_array_indices(sides, result_shape=result)))
    index = []
    for i, n in enumerate(shape):
        if data.draw(st.booleans() if i % 2 else st.just(False)):
            index.append(None)
        if i in places:
            index.append(next(arrays))
        else:
            index.append(data.draw(st.integers(0, n - 1) | st.slices(n)))
    index = tuple(index)
    obey(row(np.add, [shape], lambda x: x[index]))
    obey(row(np.add, [shape, ()], lambda x, v: fgrad.at(x)[index].add(v)))
    obey(row(np.add, [shape, ()], lambda x, v: fgrad.at(x)[index].set(v)))


@given(st.data(), hnp.array_shapes(min_dims=1, max_dims=3, max_side=3))
def test_indices_that_are_operands(data, shape):
    """The laws map over them too, alone and with the array that they index."""
    places = data.draw(st.sets(st.integers(0, len(shape) - 1), min_size=1, max_size=2))
    ranks = hnp.mutually_broadcastable_shapes(num_shapes=len(places), max_dims=2, max_side=2)
    shapes = iter(data.draw(ranks).input_shapes)
    operands, spec = [], []
    for i, n in enumerate(shape):
        if i in places:
            operands.append(Operand(next(shapes), 0, n, "i"))
            spec.append(None)
        else:
            spec.append(data.draw(st.integers(0, n - 1) | st.slices(n)))

    def index(arrays):
        rest = iter(arrays)
        return tuple(next(rest) if i in places else s for i, s in enumerate(spec))

    def get(x, *arrays):
        return fgrad.at(x)[index(arrays)].get()

    def put(x, v, *arrays):
        return fgrad.at(x)[index(arrays)].set(v)

    def add(x, v, *arrays):
        return fgrad.at(x)[index(arrays)].add(v)

    laws_of_vmap.batching(row(np.add, [shape, *operands], get))
    for call in (put, add):
        r = row(np.add, [shape, (), *operands], call)
        laws_of_vmap.batching(r)
        h, xs = r.fix(r.arguments())
        laws.adjoint(r, h, xs, np.random.default_rng(0))
    laws_of_vmap.batched_derivatives(row(np.add, [shape, (), *operands], put))


@given(st.data(), hnp.array_shapes(min_dims=1, max_dims=3, max_side=4))
def test_masks(data, shape):
    mask = data.draw(hnp.arrays(bool, shape[: data.draw(st.integers(1, len(shape)))]))
    obey(row(np.add, [shape], lambda x: x[mask]))
    obey(row(np.add, [shape, ()], lambda x, v: fgrad.at(x)[mask].add(v)))


@given(st.data(), hnp.array_shapes(max_dims=3, max_side=3, min_side=0))
def test_broadcast_to_reshape_and_pad(data, shape):
    more = data.draw(hnp.array_shapes(min_dims=0, max_dims=2, max_side=3))
    pad = [data.draw(st.tuples(st.integers(0, 2), st.integers(0, 2))) for _ in shape]
    obey(row(np.broadcast_to, [shape], lambda x: np.broadcast_to(x, (*more, *shape))))
    obey(row(np.reshape, [shape], lambda x: np.reshape(np.reshape(x, -1, order="F"), shape[::-1])))
    obey(row(np.pad, [shape], lambda x: np.pad(x, pad)))


@given(st.integers(0, 3), st.integers(0, 3), st.integers(0, 3),
       hnp.mutually_broadcastable_shapes(num_shapes=2, max_dims=2, max_side=2), st.booleans(),
       st.booleans())  # fmt: skip
def test_matmul(n, k, m, batch, left_vector, right_vector):
    left, right = batch.input_shapes
    a = (k,) if left_vector else (*left, n, k)
    b = (k,) if right_vector else (*right, k, m)
    obey(row(np.matmul, [a, b]))
    if len(a) <= 3 and len(b) <= 3:
        obey(row(np.dot, [a, b]))


@given(
    st.lists(st.sampled_from(["ij", "jk", "ii", "i", "k", "kij", ""]), min_size=1, max_size=3),
    st.data(),
)
def test_einsum(terms, data):
    labels = sorted(set("".join(terms)))
    output = "".join(
        data.draw(
            st.permutations(sorted(data.draw(st.sets(st.sampled_from(labels))) if labels else []))
        )
    )
    sizes = {"i": 2, "j": 3, "k": 2}
    text = f"{','.join(terms)}->{output}"
    obey(
        row(
            np.einsum, [tuple(sizes[c] for c in t) for t in terms], lambda *xs: np.einsum(text, *xs)
        )
    )


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "complex64", "complex128"])
def test_the_bits_of_matmul_are_numpys_whatever_the_layout(dtype):
    """`ndarray.dot` is faster, and rounds differently for some layouts."""
    rng = np.random.default_rng(0)
    for n, k, m in [(1, 3, 4), (3, 1, 2), (4, 5, 1), (1, 7, 1), (3, 3, 3), (17, 9, 5), (0, 2, 3)]:
        a, b = (np.asarray(rng.normal(size=s) * (1 + 1j * np.dtype(dtype).kind.count("c")))
                for s in ((n, k), (k, m)))  # fmt: skip
        a, b = (
            x.astype(dtype) if x.dtype.kind == np.dtype(dtype).kind else x.real.astype(dtype)
            for x in (a, b)
        )
        for x in (a, np.asfortranarray(a), np.repeat(a, 2, 1)[:, ::2], a[::-1]):
            for y in (b, np.asfortranarray(b), np.repeat(b, 2, 0)[::2], b[:, ::-1]):
                laws.same_bits(
                    fgrad.jvp(np.matmul, (x, y), (x, y))[0], x @ y, f"{dtype} {n}x{k}x{m}"
                )
