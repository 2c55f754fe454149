"""The laws that all losses keep; `test_losses_more` has what is particular to some."""

from __future__ import annotations

import numpy as np
import pytest

import fgrad
from fgrad import tree
from fgrad.testing import check_grads
from fgrad_nn import losses as ls

from .loss_cases import CASES

CASE = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


def loss_of(case, args, **more):
    """The loss as a function of the arguments that have a derivative."""

    def f(*active):
        full = list(args)
        for i, x in zip(case.active, active, strict=True):
            full[i] = x
        return case(*full, **more)

    return f, [args[i] for i in case.active]


@CASE
def test_values_are_those_of_the_formula(case):
    args = case.args()
    got = case(*args, reduction="none")
    if case.vectors:
        want = [case.value(*row) for row in zip(*args, strict=True)]
    else:
        want = np.vectorize(case.value)(*args)
    np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-12)


@CASE
def test_reductions(case):
    args = case.args()
    values = case(*args, reduction="none")
    np.testing.assert_allclose(case(*args), np.mean(values))
    np.testing.assert_allclose(case(*args, reduction="sum"), np.sum(values))
    with pytest.raises(fgrad.errors.ArgumentError, match=r"(?s)wants a reduction.*'average'"):
        case(*args, reduction="average")


@CASE
def test_a_weight_is_how_often_a_sample_counts(case):
    args = case.args()
    weights = np.array([0, 1, 3, 2])
    repeated = [np.repeat(x, weights, axis=0) for x in args]
    np.testing.assert_allclose(case(*args, weights=weights), case(*repeated))
    np.testing.assert_allclose(
        case(*args, weights=weights, reduction="sum"), case(*repeated, reduction="sum")
    )
    values = case(*args, reduction="none")
    each = np.linspace(0, 1, values.size).reshape(values.shape)
    np.testing.assert_allclose(case(*args, weights=each, reduction="none"), each * values)
    np.testing.assert_allclose(case(*args, weights=each), np.sum(each * values) / np.sum(each))
    assert case(*args, weights=np.zeros(4)) == 0
    with pytest.raises(fgrad.errors.ShapeError, match=r"(?s)wants weights of shape.*\(3,\)"):
        case(*args, weights=np.ones(3))


@CASE
def test_derivatives(case):
    args = case.args(seed=1)
    f, active = loss_of(case, args, weights=np.array([1.0, 0.5, 2.0, 0.0]))
    check_grads(f, active, order=2)


@CASE
def test_dtypes(case):
    for dtype in (np.float32, np.float64):
        f, active = loss_of(case, case.args(dtype=dtype), weights=np.arange(4))
        value, grads = fgrad.value_and_grad(f, tuple(range(len(active))))(*active)
        assert {x.dtype for x in tree.leaves((value, grads))} == {np.dtype(dtype)}


@CASE
def test_mapped_it_is_the_stack(case):
    batches = [case.args(seed) for seed in range(3)]
    columns = [np.stack(c) for c in zip(*batches, strict=True)]
    got = fgrad.vmap(lambda *xs: case(*xs))(*columns)
    np.testing.assert_allclose(got, [case(*b) for b in batches], atol=1e-12)
    f, _ = loss_of(case, batches[0])
    moving = [columns[i] for i in case.active]
    got = fgrad.vmap(fgrad.grad(f))(*moving)
    for i, g in enumerate(got):
        np.testing.assert_allclose(g, fgrad.grad(f)(*(c[i] for c in moving)), atol=1e-12)


@CASE
def test_compiled_and_recorded_it_is_the_same(case):
    def f(*args):
        return case(*args, weights=np.array([1.0, 0.5, 2.0, 0.0]))

    compiled, graph = fgrad.jit(fgrad.value_and_grad(f)), fgrad.make_graph(f)(*case.args())
    for seed in (0, 1):
        args = case.args(seed)
        want = fgrad.value_and_grad(f)(*args)
        tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-12), compiled(*args), want)
        np.testing.assert_allclose(graph(*args), want[0], atol=1e-12)


@CASE
def test_extreme_predictions_are_finite(case):
    for dtype in (np.float32, np.float64):
        _, *rest = case.args(dtype=dtype)
        corners = np.resize(np.array(case.extreme, dtype), (4, 3))
        for x in (corners, corners[:, ::-1].copy(), np.full_like(corners, case.extreme[0])):
            value, grad = fgrad.value_and_grad(lambda x, rest=rest: case(x, *rest))(x)
            assert np.all(np.isfinite(value)), x
            assert np.all(np.isfinite(grad)), x


@CASE
def test_shapes_that_would_broadcast_are_refused(case):
    args = list(case.args())
    wrong = args[1][:, None]
    with pytest.raises(fgrad.errors.ShapeError, match=r"(?s)wants.*It got.*shape.*To do"):
        case(args[0], wrong, *args[2:])
    with pytest.raises(fgrad.errors.ShapeError, match=r"(?s)wants.*It got.*shape.*To do"):
        case(args[0], args[1][:3], *args[2:])


@CASE
def test_what_is_empty_has_no_mean(case):
    empty = [x[:0] for x in case.args()]
    with pytest.raises(fgrad.errors.ShapeError, match="nothing to average"):
        case(*empty)
    assert case(*empty, reduction="sum") == 0


@CASE
def test_predictions_that_are_integers_are_refused(case):
    x, *rest = case.args()
    with pytest.raises(fgrad.errors.DtypeError, match=r"(?s)real floating numbers.*int64"):
        case(x.astype(int), *rest)


def test_every_loss_is_among_the_cases():
    made = {name.split(",")[0] for name in CASES}
    elsewhere = {"ctc_loss", "info_nce", "ntxent", "cosine_similarity", "smooth_labels"}
    elsewhere |= {"dice_loss", "tversky_loss", "pairwise_distance"}
    public = {name for name, f in vars(ls).items() if callable(f) and not name.startswith("_")}
    assert public - made == elsewhere
