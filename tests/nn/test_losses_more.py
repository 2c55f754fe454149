"""What is particular to some losses: labels that don't count, overlaps, contrasts, paths."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

import fgrad
import fgrad_nn as nn
from fgrad.errors import DtypeError, ShapeError
from fgrad.testing import check_grads
from fgrad_nn import losses as ls
from fgrad_nn import sparsemax

RNG = np.random.default_rng(0)
LOGITS = RNG.normal(size=(6, 4))
LABELS = np.array([0, 3, 1, 1, 2, 0])


# ------------------------------------------------------------------ classes
def test_labels_that_are_ignored():
    some = LABELS != 1
    for options in (
        {},
        {"label_smoothing": 0.2},
        {"class_weights": np.array([1.0, 9.0, 2.0, 0.5])},
    ):
        got = nn.cross_entropy(LOGITS, LABELS, ignore_index=1, **options)
        want = nn.cross_entropy(LOGITS[some], LABELS[some], **options)
        np.testing.assert_allclose(got, want)
    f = fgrad.grad(lambda x: nn.cross_entropy(x, LABELS - 1, ignore_index=-1))
    assert np.all(f(LOGITS)[LABELS == 0] == 0)
    nothing = np.full(6, -100)
    value, grad = fgrad.value_and_grad(nn.cross_entropy)(LOGITS, nothing, ignore_index=-100)
    assert value == 0
    assert np.all(grad == 0)


@pytest.mark.parametrize(
    "loss", [nn.huber_loss, nn.smooth_l1_loss, nn.mean_squared_error, nn.log_cosh]
)
def test_a_prediction_that_is_met_has_curvature(loss):
    x = np.array([0.5, -1.0])
    curve = fgrad.hessian(lambda x, y: loss(x, y, reduction="sum"))
    want = 2.0 if loss is nn.mean_squared_error else 1.0
    np.testing.assert_allclose(curve(x, x), want * np.eye(2))


@pytest.mark.parametrize("wrong", [-1, 4])
@pytest.mark.parametrize("backend", ["numpy", "native"])
def test_compiled_labels_that_are_no_classes_are_seen(wrong, backend):
    if backend == "native":
        pytest.importorskip("llvmlite")
    labels, logits = np.array([0, wrong, 1]), np.zeros((3, 4))
    for f in (nn.cross_entropy, fgrad.grad(nn.cross_entropy)):
        step = fgrad.jit(f, backend=backend)
        with pytest.raises(fgrad.errors.DomainError, match="from 0 to 3"):
            step(logits, labels)
        step(logits, np.where(labels == wrong, 2, labels))
    for loss in (nn.nll_loss, nn.multi_margin_loss, nn.multiclass_hinge_loss):
        with pytest.raises(IndexError, match="out of bounds"):
            fgrad.jit(fgrad.grad(loss), backend=backend)(logits, labels)
    mapped = fgrad.vmap(nn.cross_entropy)
    with pytest.raises(fgrad.errors.DomainError, match="from 0 to 3"):
        mapped(logits[None], labels[None])


def test_class_weights_weigh_in_the_mean():
    w = np.array([1.0, 2.0, 0.5, 0.1])
    values = nn.cross_entropy(LOGITS, LABELS, reduction="none")
    got = nn.cross_entropy(LOGITS, LABELS, class_weights=w)
    np.testing.assert_allclose(got, np.sum(w[LABELS] * values) / np.sum(w[LABELS]))
    soft = nn.cross_entropy(LOGITS, nn.one_hot(LABELS, 4), class_weights=w, reduction="none")
    np.testing.assert_allclose(soft, w[LABELS] * values)


def test_integers_and_their_probabilities_are_the_same():
    for smoothing in (0.0, 0.3):
        values = [
            nn.cross_entropy(LOGITS, y, label_smoothing=smoothing, reduction="none")
            for y in (LABELS, nn.one_hot(LABELS, 4))
        ]
        np.testing.assert_allclose(*values)


def test_classes_that_are_impossible():
    logits = np.array([[0.0, -np.inf, 1.0]])
    f = fgrad.value_and_grad(nn.cross_entropy)
    for labels in (np.array([0]), np.array([[1.0, 0.0, 0.0]])):
        value, grad = f(logits, labels)
        assert value == pytest.approx(math.log(1 + math.e))
        assert np.all(np.isfinite(grad))
    assert f(logits, np.array([1]))[0] == np.inf
    p = np.array([[0.0, 1.0]])
    assert nn.kl_divergence(np.log([[0.5, 0.5]]), p) == pytest.approx(math.log(2))
    with np.errstate(divide="ignore"):
        assert nn.kl_divergence(np.log(p), p) == 0


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: nn.cross_entropy(LOGITS, LABELS * 1.0), "DtypeError", "as integers"),
        (lambda: nn.nll_loss(LOGITS, LABELS * 1.0), "DtypeError", "astype\\(int\\)"),
        (lambda: nn.nll_loss(LOGITS, LABELS > 0), "DtypeError", "as integers"),
        (lambda: nn.nll_loss(LOGITS, LABELS[:, None]), "ShapeError", "labels of shape \\(6, 1\\)"),
        (lambda: nn.cross_entropy(LOGITS, LABELS + 1), "DomainError", "from 0 to 3.*from 1 to 4"),
        (lambda: nn.cross_entropy(LOGITS, LABELS - 1), "DomainError", "from -1 to 2"),
        (lambda: nn.cross_entropy(LOGITS, LABELS, label_smoothing=1.5), "ArgumentError", "label_"),
        (lambda: nn.nll_loss(LOGITS, LABELS, class_weights=np.ones(3)), "ShapeError", "4 classes"),
        (lambda: nn.cross_entropy(LOGITS, LOGITS, ignore_index=1), "ShapeError", "integer labels"),
        (lambda: nn.hinge_loss(np.ones(2), np.array([0, 1])), "DomainError", "2 \\* targets - 1"),
        (
            lambda: nn.sigmoid_binary_cross_entropy(np.ones(2), np.array([-1.0, 1.0])),
            "DomainError", "from -1.0 to 1.0",
        ),
        (
            lambda: nn.sigmoid_binary_cross_entropy(LOGITS, LOGITS > 0, pos_weight=np.ones(3)),
            "ShapeError", "pos_weight",
        ),
        (lambda: nn.binary_cross_entropy(LOGITS, LOGITS > 0), "DomainError", "for logits there is"),
        (lambda: nn.dice_loss(LOGITS[None], LOGITS[None] > 0), "DomainError", "sigmoid\\(logits"),
        (lambda: nn.gaussian_nll_loss(LOGITS, LOGITS, LOGITS), "DomainError", "at least 0"),
        (lambda: nn.huber_loss(LOGITS, LOGITS, 0.0), "ArgumentError", "a delta"),
        (lambda: nn.quantile_loss(LOGITS, LOGITS, 1.0), "ArgumentError", "between 0 and 1"),
        (lambda: nn.multi_margin_loss(LOGITS, LABELS, p=3), "ArgumentError", "p=3"),
        (lambda: nn.mean_squared_error([1.0], [1.0]), "DtypeError", "np.asarray"),
        (lambda: nn.mean_squared_error(LOGITS, LOGITS * 1j), "DtypeError", "real numbers"),
        (lambda: nn.dice_loss(LOGITS**0, LOGITS**0), "ShapeError", "places"),
        (lambda: nn.info_nce(LOGITS, LOGITS, LOGITS[:, :3]), "ShapeError", "negatives"),
        (lambda: nn.ntxent(LOGITS, LABELS[:3]), "ShapeError", "embeddings"),
        (lambda: nn.ntxent(LOGITS, LABELS * 1.0), "DtypeError", "integer labels"),
        (lambda: nn.ctc_loss(LOGITS, LABELS), "ShapeError", "batch, time, classes"),
        (lambda: nn.ctc_loss(LOGITS[None], LABELS[None]), "DomainError", "without the blank, 0"),
        (lambda: nn.ctc_loss(LOGITS[None], LABELS[None] * 1.0), "DtypeError", "integers"),
        (
            lambda: nn.ctc_loss(LOGITS[None], LABELS[None, 1:4], np.array([9])),
            "DomainError", "from 0 to 6",
        ),
        (
            lambda: nn.ctc_loss(LOGITS[None], LABELS[None, 1:4], blank=-1),
            "ArgumentError", "blank that is one of the",
        ),
        (
            lambda: nn.cross_entropy(LOGITS, LABELS, class_weights=[1.0] * 4),
            "DtypeError", "a weight for each of .*a list",
        ),
        (
            lambda: nn.multilabel_soft_margin_loss(LOGITS, LOGITS > 0, class_weights=np.ones(3)),
            "ShapeError", "a weight for each of",
        ),
        (
            lambda: nn.sigmoid_binary_cross_entropy(LOGITS, LOGITS > 0, pos_weight=[1.0] * 4),
            "DtypeError", "pos_weight as a number",
        ),
        (
            lambda: nn.sigmoid_focal_loss(LOGITS, LOGITS > 0, alpha=-1),
            "ArgumentError", "alpha from 0 to 1",
        ),
        (
            lambda: nn.ranking_softmax_loss(LOGITS, LOGITS**2, where=np.ones(3, bool)),
            "ShapeError", "a boolean for each item",
        ),
        (lambda: nn.triplet_margin_loss(*[LOGITS] * 3, p="2"), "ArgumentError", "a p"),
    ],
)  # fmt: skip
def test_what_is_refused(call, error, text):
    with pytest.raises(getattr(fgrad.errors, error), match=f"(?s)wants.*{text}|takes.*{text}"):
        call()


# ------------------------------------------------------------------ overlaps and contrasts
def test_overlaps():
    p, t = RNG.uniform(size=(2, 3, 4, 2)), RNG.integers(0, 2, (2, 3, 4, 2)).astype(float)
    got = nn.tversky_loss(p, t, 0.3, 0.8, smooth=0.5, reduction="none")
    for b, c in np.ndindex(2, 2):
        x, y = p[b, ..., c], t[b, ..., c]
        tp, fp, fn = (x * y).sum(), (x * (1 - y)).sum(), ((1 - x) * y).sum()
        assert got[b, c] == pytest.approx(1 - (tp + 0.5) / (tp + 0.3 * fp + 0.8 * fn + 0.5))
    np.testing.assert_allclose(nn.dice_loss(p, t), nn.tversky_loss(p, t))
    nothing = np.zeros((1, 2, 1))
    assert nn.dice_loss(nothing, nothing) == 0
    check_grads(lambda p: nn.dice_loss(p, t), (p,), order=2)
    compiled = fgrad.jit(fgrad.grad(nn.dice_loss))
    np.testing.assert_allclose(compiled(p, t), fgrad.grad(nn.dice_loss)(p, t), atol=1e-12)


def test_one_against_many():
    q, k, n = RNG.normal(size=(3, 4, 5))
    unit = [x / np.linalg.norm(x, axis=-1, keepdims=True) for x in (q, k, n)]
    e = np.exp(unit[0] @ unit[1].T / 0.5)
    want = -np.log(np.diag(e) / e.sum(1))
    np.testing.assert_allclose(nn.info_nce(q, k, temperature=0.5, reduction="none"), want)
    others = np.exp(unit[0] @ unit[2].T / 0.5).sum(1)
    want = -np.log(np.diag(e) / (np.diag(e) + others))
    got = nn.info_nce(q, k, n, temperature=0.5, reduction="none")
    np.testing.assert_allclose(got, want)
    check_grads(nn.info_nce, (q, k), order=2)


def test_pairs_of_one_label():
    x, labels = RNG.normal(size=(5, 3)), np.array([0, 1, 0, 0, 2])
    u = x / np.linalg.norm(x, axis=-1, keepdims=True)
    e = np.exp(u @ u.T / 0.5)
    terms = [
        -math.log(e[i, j] / (e[i, j] + e[i, labels != labels[i]].sum()))
        for i, j in itertools.permutations(range(5), 2) if labels[i] == labels[j]
    ]  # fmt: skip
    assert nn.ntxent(x, labels, temperature=0.5) == pytest.approx(np.mean(terms))
    assert nn.ntxent(x, labels, temperature=0.5, reduction="sum") == pytest.approx(sum(terms))
    assert nn.ntxent(x, np.arange(5)) == 0
    check_grads(lambda x: nn.ntxent(x, labels, temperature=0.5), (x,), order=2)


def test_vectors_of_length_zero():
    zero, one = np.zeros((1, 3)), np.ones((1, 3))
    value, grad = fgrad.value_and_grad(nn.cosine_distance)(zero, one)
    assert value == 1
    assert np.all(np.isfinite(grad))
    grads = fgrad.grad(nn.triplet_margin_loss, (0, 1, 2))(one, one, one)
    assert all(np.all(g == 0) for g in grads)


# ------------------------------------------------------------------ CTC
def spelled(path, blank):
    return tuple(k for k, _ in itertools.groupby(path) if k != blank)


@pytest.mark.parametrize("blank", [0, 2])
@pytest.mark.parametrize("label", [(), (1,), (1, 1), (3, 1), (1, 3, 1), (3, 3, 1)])
def test_ctc_is_the_sum_over_all_paths(label, blank):
    logits = np.random.default_rng(len(label)).normal(size=(1, 4, 4))
    p = np.exp(nn.log_softmax(logits))[0]
    total = sum(
        math.prod(p[t, k] for t, k in enumerate(path))
        for path in itertools.product(range(4), repeat=4) if spelled(path, blank) == label
    )  # fmt: skip
    labels = np.array([label], int).reshape(1, -1)
    got = nn.ctc_loss(logits, labels, blank=blank)
    np.testing.assert_allclose(got, -math.log(total) if total else np.inf)


def test_ctc_of_padded_batches():
    logits, labels = RNG.normal(size=(3, 6, 4)), np.array([[1, 1, 2], [3, 9, 9], [2, 1, 9]])
    times, counts = np.array([6, 2, 4]), np.array([3, 1, 2])
    got = nn.ctc_loss(logits, labels, times, counts, reduction="none")
    for i in range(3):
        one = nn.ctc_loss(logits[i : i + 1, : times[i]], labels[i : i + 1, : counts[i]])
        np.testing.assert_allclose(got[i], one)

    def f(x, y, t, n):
        return nn.ctc_loss(x, y, t, n)

    check_grads(lambda x: f(x, labels, times, counts), (logits,), order=2)
    grad = fgrad.grad(f)(logits, labels, times, counts)
    assert np.all(grad[1, 2:] == 0)
    compiled = fgrad.jit(fgrad.grad(f))
    for t in (times, times[[0, 2, 1]]):
        want = fgrad.grad(f)(logits, labels, t, counts)
        np.testing.assert_allclose(compiled(logits, labels, t, counts), want, atol=1e-12)
    mapped = fgrad.vmap(lambda x, y: nn.ctc_loss(x[None], y[None]))(logits, labels % 3 + 1)
    each = nn.ctc_loss(logits, labels % 3 + 1, reduction="none")
    np.testing.assert_allclose(mapped, each)
    assert nn.ctc_loss(logits.astype(np.float32), labels % 3 + 1).dtype == np.float32


def test_ctc_of_what_cannot_be_spelled():
    logits = RNG.normal(size=(2, 2, 3))
    labels = np.array([[1, 1], [1, 2]])
    values = nn.ctc_loss(logits, labels, reduction="none")
    assert values[0] == np.inf
    grad = fgrad.grad(lambda x: nn.ctc_loss(x, labels, reduction="sum"))(logits)
    assert np.all(grad[0] == 0)
    assert np.all(grad[1] != 0)
    spelled = np.array([0, 1])
    assert nn.ctc_loss(logits, labels, weights=spelled) == values[1]
    alone = fgrad.grad(lambda x: nn.ctc_loss(x, labels, weights=spelled))(logits)
    np.testing.assert_array_equal(alone, grad)
    extreme = np.array([[[1e4, -1e4, 0.0], [-1e4, 1e4, 0.0]]])
    assert np.all(np.isfinite(fgrad.grad(nn.ctc_loss)(extreme, np.array([[1]]))))


def test_items_that_fill_a_list_up_do_not_count():
    x, y = np.array([[1.0, 2.0, 3.0]]), np.array([[0.5, 0.0, 2.0]])
    mask = np.array([[True, True, False]])
    got, slope = fgrad.value_and_grad(lambda x: ls.ranking_softmax_loss(x, y, where=mask))(x)
    np.testing.assert_allclose(got, ls.ranking_softmax_loss(x[:, :2], y[:, :2]))
    assert slope[0, 2] == 0
    dirty = np.where(mask, x, np.inf)
    np.testing.assert_allclose(ls.ranking_softmax_loss(dirty, y, where=mask), got)
    assert ls.ranking_softmax_loss(x, y, where=np.zeros_like(mask)) == 0
    with pytest.raises(DtypeError, match=r"where= as booleans(.|\n)*int64(.|\n)*astype\(bool\)"):
        ls.ranking_softmax_loss(x, y, where=mask.astype(int))


def test_distances_of_pairs():
    x = np.array([[1.0, 2.0], [0.0, 0.0]])
    np.testing.assert_allclose(ls.pairwise_distance(x, 0 * x, p=1), [3, 0])
    assert ls.pairwise_distance(x, x, keepdims=True).shape == (2, 1)
    slope = fgrad.grad(lambda x: np.sum(ls.pairwise_distance(x, np.zeros_like(x))))(x)
    np.testing.assert_allclose(slope, [x[0] / np.sqrt(5), [0, 0]])
    with pytest.raises(ShapeError, match="vectors along the last axis"):
        ls.pairwise_distance(np.float64(1.0), np.float64(2.0))


def test_weights_of_classes_with_several_labels():
    x, y, w = np.array([[0.3, -1.0]]), np.array([[1, 0]]), np.array([2.0, 0.5])
    each = ls.sigmoid_binary_cross_entropy(x, y, reduction="none")
    got = ls.multilabel_soft_margin_loss(x, y, class_weights=w)
    np.testing.assert_allclose(got, np.mean(each * w))
    with pytest.raises(ShapeError, match=r"a weight for each of 2 classes(.|\n)*\(classes,\)"):
        ls.multilabel_soft_margin_loss(x, y, class_weights=np.ones(3))


def test_a_potential_gives_one_value_for_each_sample():
    x = np.ones((2, 3))
    with pytest.raises(ShapeError, match=r"one value for each(.|\n)*\(2, 3\)(.|\n)*last axis"):
        ls.fenchel_young_loss(np.square, x, x)
    with pytest.raises(ShapeError, match=r"an axis of classes(.|\n)*float64"):
        ls.multilabel_margin_loss(np.float64(1.0), 1)
    slope = fgrad.grad(lambda x: np.sum(ls.multiclass_sparsemax_loss(x, np.array([0]))))
    z = np.array([[0.2, 0.0, -2.0]])
    np.testing.assert_allclose(slope(z), sparsemax(z) - [[1, 0, 0]])
