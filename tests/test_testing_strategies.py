"""The strategies of fgrad.testing draw what they promise, and shrink it to something simple."""

from __future__ import annotations

import importlib
import subprocess
import sys
from typing import NamedTuple

import hypothesis.strategies as hst
import numpy as np
import pytest
from hypothesis import find, given, settings

import fgrad
import fgrad.testing
from fgrad import tree
from fgrad.errors import ArgumentError
from fgrad.testing import CheckError, Verdict, check_grads, check_vmap, laws
from fgrad.testing import strategies as st

FEW = settings(max_examples=settings.default.max_examples // 3)


class Params(NamedTuple):
    w: np.ndarray
    rest: list


LIKE = {
    "p": Params(np.ones((2, 3), np.float32), [1.0, None, 2j]),
    "n": 3,
    "i": np.arange(2),
    "h": np.float16(1.0),
    "name": "layer",
}


# ------------------------------------------------------------------ what they draw
@given(
    hst.sampled_from([np.float16, np.float32, np.float64, np.complex64, np.complex128]),
    hst.sampled_from([(-2.0, 2.0), (0.0, 1.0), (-1e-3, 1e4), (5.0, 6.0)]),
    hst.data(),
)
def test_arrays_have_their_dtype_and_stay_in_their_domain(dtype, domain, data):
    x = data.draw(st.arrays(dtype, domain=domain))
    assert x.dtype == dtype
    assert x.ndim <= 3
    assert all(n in (1, 2, 3) for n in x.shape)
    low, high = np.array(domain).astype(x.real.dtype)
    for part in (x.real, x.imag) if x.dtype.kind == "c" else (x,):
        assert np.all((part >= low) & (part <= high))


@given(st.arrays(shape=(4,), away_from=(0.0, 1.0), gap=0.25, domain=(-1.0, 2.0)))
def test_arrays_keep_away_from_kinks(x):
    assert np.all(np.abs(x) >= 0.25)
    assert np.all(np.abs(x - 1) >= 0.25)


@given(st.arrays(shape=(3, 4), distinct=True))
def test_distinct_numbers(x):
    assert len(np.unique(x)) == 12


@given(st.arrays(np.int32, domain=(-1, 2)), st.arrays(np.bool_, shape=(3,)))
def test_integers_and_booleans(i, b):
    assert (i.dtype, b.dtype) == (np.int32, np.bool_)
    assert np.all((i >= -1) & (i <= 2))


@given(hst.integers(1, 4).flatmap(lambda n: hst.tuples(hst.just(n), st.broadcastable(n))))
def test_broadcastable_arrays_broadcast(drawn):
    n, xs = drawn
    assert len(xs) == n
    np.broadcast_shapes(*(x.shape for x in xs))


@given(hst.integers(0, 3).flatmap(lambda n: hst.tuples(hst.just(n), st.axes(n))))
def test_axes_are_what_numpy_takes(drawn):
    ndim, axis = drawn
    np.sum(np.ones((2,) * ndim), axis=axis)


def test_axes_of_each_kind():
    for condition in (
        lambda a: a is None,
        lambda a: a == -2,
        lambda a: a == (),
        lambda a: isinstance(a, tuple) and len(a) == 2 and a[0] > a[1] and min(a) < 0,
    ):
        find(st.axes(2), condition)


@given(st.axes(2, none=False), st.axes(2, several=False))
def test_axes_of_fewer_kinds(some, one):
    assert some is not None
    assert not isinstance(one, tuple)


@given(st.einsum_subscripts())
def test_einsum_takes_its_subscripts(drawn):
    subscripts, shapes = drawn
    np.einsum(subscripts, *(np.ones(s) for s in shapes))


def test_einsum_subscripts_of_each_kind():
    for condition in (
        lambda s: "->" not in s[0],
        lambda s: s[0].endswith("->"),
        lambda s: len(s[1]) == 3,
        lambda s: any(len(set(term)) < len(term) for term in s[0].split("->")[0].split(",")),
    ):
        find(st.einsum_subscripts(), condition)


@given(st.trees(like=LIKE), st.tangents(like=LIKE))
def test_trees_and_tangents_like_another(new, t):
    assert tree.structure(new) == tree.structure(LIKE)
    for a, b in zip(tree.leaves(new), tree.leaves(LIKE), strict=True):
        assert type(a) is type(b)
        assert np.shape(a) == np.shape(b)
        assert getattr(a, "dtype", None) == getattr(b, "dtype", None)
    assert (new["n"], new["name"], new["i"]) == (3, "layer", LIKE["i"])
    assert t["n"] is t["i"] is t["name"] is None
    assert np.all(np.abs(t["p"].w) <= 1)
    x = {"p": new["p"], "h": new["h"]}
    fgrad.jvp(lambda x: x, (x,), ({"p": t["p"], "h": t["h"]},))


@given(st.trees())
def test_free_trees_are_trees_of_arrays(x):
    assert all(isinstance(leaf, np.ndarray) for leaf in tree.leaves(x))


def test_free_trees_of_each_kind():
    seen = set()

    @given(st.trees())
    def draw(x):
        seen.add(type(x))

    draw()
    assert seen >= {list, tuple, dict, st.Pair, np.ndarray}


# ------------------------------------------------------------------ what they shrink to
def test_failures_shrink_to_small_shapes_and_simple_numbers():
    assert find(st.arrays(), lambda x: True).shape == ()
    np.testing.assert_array_equal(find(st.arrays(), lambda x: x.size > 2), np.zeros(3))
    assert find(st.arrays(shape=()), lambda x: x > 1.5) == 1.5 + 1 / 256
    assert find(st.arrays(shape=(), domain=(0.5, 2.0)), lambda x: True) == 0.5
    assert find(st.arrays(shape=(), away_from=(0.0,)), lambda x: True) == 1 / 16
    assert [x.shape for x in find(st.broadcastable(2), lambda xs: True)] == [(), ()]


def test_a_domain_without_room_is_refused():
    with pytest.raises(ArgumentError, match="domain with room"):
        find(st.arrays(domain=(0.0, 1.0), away_from=(0.5,), gap=1.0), lambda x: True)


# ------------------------------------------------------------------ laws
test_softplus = FEW(laws(lambda x: np.logaddexp(x, 0.0), st.arrays()))
test_half_precision = FEW(laws(np.tanh, st.arrays(np.float16)))
test_complex = FEW(laws(np.exp, st.arrays(np.complex128)))
test_broadcasting = FEW(laws(np.hypot, args=st.broadcastable(2, away_from=(0.0,))))
test_params = FEW(
    laws(
        lambda p, x: np.tanh(x @ p["w"] + p["b"]),
        st.trees(like={"w": np.ones((3, 2), np.float32), "b": 1.0}),
        st.arrays(np.float32, shape=(2, 3)),
    )
)
test_free_trees = FEW(laws(lambda x: tree.map(np.square, x), st.trees()))
test_sorting = FEW(laws(np.sort, st.arrays(shape=st.shapes(min_dims=1), distinct=True)))
test_indices = FEW(
    laws(
        lambda x, i: fgrad.numpy.take(x, i, axis=0),
        st.arrays(shape=(3, 2)),
        st.arrays(np.int64, shape=(4,), domain=(0, 2)),
    )
)
test_sums = FEW(laws(np.sum, st.arrays(shape=(2, 3)), st.axes(2)))
test_einsum = FEW(
    laws(
        np.einsum,
        args=st.einsum_subscripts().flatmap(
            lambda s: hst.tuples(hst.just(s[0]), *(st.arrays(shape=shape) for shape in s[1]))
        ),
    )
)
test_branches = FEW(
    laws(
        lambda x: x**2 if x > 0 else -(x**3),
        st.arrays(shape=(), away_from=(0.0,)),
        without=dict.fromkeys(("vmap", "vmap of derivatives", "staging"), "it looks at its values"),
    )
)


def test_laws_notice_what_is_broken():
    def lost(x):
        return x * fgrad.stop_gradient(x)

    with pytest.raises(CheckError, match="jvp of `lost`") as info:
        FEW(laws(lost, st.arrays(shape=(2,), away_from=(0.0,))))()
    assert info.value.verdict is Verdict.WRONG
    with pytest.raises(CheckError, match="away_from") as info:
        FEW(laws(np.abs, st.arrays(shape=(2,))))()
    assert info.value.verdict is Verdict.KINK


def test_laws_want_reasons_and_strategies():
    for without in ({"vmap": ""}, {"vmapp": "a reason"}):
        with pytest.raises(ArgumentError, match="each with a reason"):
            laws(np.tanh, st.arrays(), without=without)
    for strategies, args in (((), None), ((st.arrays(),), st.arrays())):
        with pytest.raises(ArgumentError, match="a strategy for each argument"):
            laws(np.tanh, *strategies, args=args)


# ------------------------------------------------------------------ without hypothesis
def test_the_checks_need_no_hypothesis():
    code = """
import sys
sys.modules["hypothesis"] = None
import numpy as np, fgrad
assert "fgrad.testing" not in sys.modules
from fgrad.testing import check_grads
check_grads(np.tanh, (np.ones(3),))
for name in ("laws", "strategies"):
    try:
        getattr(fgrad.testing, name)
    except ImportError as error:
        assert "To do: python -m pip install hypothesis" in str(error)
    else:
        raise AssertionError(name)
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_names_are_found_late_or_not_at_all():
    module = importlib.import_module("fgrad.testing")
    assert module.laws is laws
    assert module.strategies is st
    with pytest.raises(AttributeError, match="no attribute 'spam'"):
        module.spam  # noqa: B018


def test_the_public_names_are_documented():
    for name in vars(fgrad.testing):
        thing = getattr(fgrad.testing, name)
        if not name.startswith("_") and callable(thing):
            assert thing.__doc__
    assert check_grads.__module__.startswith("fgrad.testing")
    assert check_vmap.__module__.startswith("fgrad.testing")
