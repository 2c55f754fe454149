"""Metrics: against their definitions by counting, and streams against all at once."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import fgrad
from fgrad_nn import metrics

LABELS = arrays(int, 12, elements=st.integers(0, 3))
BITS = arrays(int, 10, elements=st.integers(0, 1))
SCORES = arrays(float, 10, elements=st.integers(0, 5).map(float))


@given(LABELS, LABELS)
def test_counts(found, labels):
    table = metrics.confusion_matrix(found, labels, 4)
    for i, j in np.ndindex(4, 4):
        assert table[i, j] == sum((labels == i) & (found == j))
    assert metrics.accuracy(found, labels) == np.trace(table) / 12


@given(LABELS, LABELS)
def test_precision_and_recall_of_each_class(found, labels):
    p, r, f = (
        m(found, labels, average="none", num_classes=4)
        for m in (metrics.precision, metrics.recall, metrics.f1_score)
    )
    for k in range(4):
        tp = sum((found == k) & (labels == k))
        assert p[k] == (tp / sum(found == k) if k in found else 0)
        assert r[k] == (tp / sum(labels == k) if k in labels else 0)
        assert f[k] == pytest.approx(2 * p[k] * r[k] / (p[k] + r[k]) if tp else 0)


@given(LABELS, LABELS)
def test_averages(found, labels):
    there = np.bincount(labels, minlength=4)
    spoken = (there + np.bincount(found, minlength=4)) > 0
    for metric in (metrics.precision, metrics.recall, metrics.f1_score):
        each = metric(found, labels, average="none", num_classes=4)
        macro = metric(found, labels, average="macro", num_classes=4)
        assert macro == pytest.approx(each[spoken].mean())
        weighted = metric(found, labels, average="weighted", num_classes=4)
        assert weighted == pytest.approx(each @ there / 12)
        micro = metric(found, labels, average="micro", num_classes=4)
        assert micro == pytest.approx(metrics.accuracy(found, labels))
        two = metric(found % 2, labels % 2)
        assert two == metric(found % 2, labels % 2, average="none", num_classes=2)[1]


@given(SCORES, BITS)
def test_area_is_how_often_a_yes_is_ahead_of_a_no(scores, labels):
    if 0 < labels.sum() < 10:
        pairs = [np.sign(a - b) for a in scores[labels == 1] for b in scores[labels == 0]]
        area = metrics.roc_auc(scores, labels)
        assert area == pytest.approx((np.mean(pairs) + 1) / 2)
        assert metrics.roc_auc(-scores, labels) == pytest.approx(1 - area)
        weights = np.arange(1, 11)
        more = [np.repeat(x, weights) for x in (scores, labels)]
        got = metrics.roc_auc(scores, labels, weights=weights)
        assert got == pytest.approx(metrics.roc_auc(*more))


@given(arrays(float, (6, 4), elements=st.integers(0, 3).map(float)), st.integers(1, 4))
def test_the_best_k(scores, k):
    labels = np.arange(6) % 4
    best = np.argsort(-scores, axis=-1, kind="stable")[:, :k]
    want = np.mean([y in row for y, row in zip(labels, best, strict=True)])
    assert metrics.top_k_accuracy(scores, labels, k) == pytest.approx(want)
    first = metrics.top_k_accuracy(scores, labels, 1)
    assert first == metrics.accuracy(scores, labels)


def test_a_network_that_is_nan_is_never_right():
    scores, labels = np.eye(4), np.arange(4)
    assert metrics.top_k_accuracy(scores * np.nan, labels, 4) == 0
    scores[:2, 3] = np.nan  # greater than all others, as for np.argmax
    for k, want in ((1, 0.5), (2, 1.0)):
        assert metrics.top_k_accuracy(scores, labels, k) == want


def test_regression():
    x, y = np.random.default_rng(0).normal(size=(2, 8))
    w = np.arange(8)
    assert metrics.r2_score(y, y) == 1
    assert metrics.r2_score(np.full(8, y.mean()), y) == pytest.approx(0)
    more = [np.repeat(a, w) for a in (x, y)]
    assert metrics.r2_score(x, y, weights=w) == pytest.approx(metrics.r2_score(*more))
    rest = np.sum((x - y) ** 2) / np.sum((y - y.mean()) ** 2)
    assert metrics.r2_score(x, y) == pytest.approx(1 - rest)
    assert metrics.root_mean_squared_error(x, y) == pytest.approx(np.sqrt(np.mean((x - y) ** 2)))
    assert metrics.r2_score(x, np.ones(8)) == -np.inf
    log_p = np.log([0.5, 0.125, 0.9])
    assert metrics.perplexity(log_p, weights=np.array([1, 1, 0])) == pytest.approx(4)


# ------------------------------------------------------------------ streams
def test_streams_are_all_at_once():
    rng = np.random.default_rng(1)
    found, labels = rng.integers(0, 3, (2, 4, 5))
    both = metrics.several(
        accuracy=metrics.running_accuracy(), confusion=metrics.running_confusion(3)
    )
    states = []
    for half in (slice(0, 2), slice(2, 4)):
        state, _ = fgrad.scan(
            lambda s, xy: (both.update(s, *xy), None), both.init(), (found[half], labels[half])
        )
        states.append(state)
    got = both.compute(both.merge(*states))
    assert got["accuracy"] == pytest.approx(metrics.accuracy(found, labels))
    np.testing.assert_array_equal(got["confusion"], metrics.confusion_matrix(found, labels))


def test_moments_and_means_of_streams():
    x = np.random.default_rng(2).normal(size=(4, 5)) + 1e6
    moments, mean = metrics.running_moments(), metrics.running_mean()
    a, b, total = moments.init(), moments.init(), mean.init()
    for row in x[:3]:
        a = fgrad.jit(moments.update)(a, row)
        total = mean.update(total, row, np.arange(5))
    b = moments.update(b, x[3])
    got = moments.compute(moments.merge(a, b))
    np.testing.assert_allclose(got, (x.mean(), x.var()), rtol=1e-10)
    want = np.average(x[:3], weights=np.tile(np.arange(5), (3, 1)))
    assert mean.compute(total) == pytest.approx(want, rel=1e-14)
    assert mean.compute(mean.init()) == 0


def test_in_other_forms():
    rng = np.random.default_rng(3)
    found, labels = rng.integers(0, 3, (2, 4, 5))

    def f(x, y):
        return metrics.f1_score(x, y, average="macro", num_classes=3)

    want = [f(x, y) for x, y in zip(found, labels, strict=True)]
    np.testing.assert_allclose(fgrad.vmap(f)(found, labels), want)
    compiled = fgrad.jit(f)
    np.testing.assert_allclose([compiled(x, y) for x, y in zip(found, labels, strict=True)], want)


A = np.array([0, 1, 1])


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: metrics.accuracy(A, A[:2]), "ShapeError", "of one shape"),
        (lambda: metrics.accuracy(A * 0.5, A), "ShapeError", "classes"),
        (lambda: metrics.accuracy(A, A * 1.0), "DtypeError", "integers or booleans"),
        (lambda: metrics.accuracy(A[:0], A[:0]), "ShapeError", "nothing to average"),
        (lambda: metrics.confusion_matrix(A, A, 1), "DomainError", "from 0 to 0"),
        (lambda: metrics.precision(A, A + 1), "ArgumentError", "two classes"),
        (lambda: metrics.recall(A, A, average="mean"), "ArgumentError", "wants an average"),
        (lambda: metrics.roc_auc(A * 1.0, A * 0), "DomainError", "both of which occur"),
        (lambda: metrics.roc_auc(A * 1.0, A + 1), "DomainError", "labels 0 and 1"),
        (lambda: metrics.roc_auc(A, A), "DtypeError", "scores that are real"),
        (lambda: metrics.roc_auc(A * 1.0, A[:, None]), "ShapeError", "one shape"),
        (lambda: metrics.roc_auc(A * np.nan, A), "DomainError", "ordered.*3 NaN among 3"),
        (lambda: metrics.roc_auc(A * 1.0, A, weights=A - 0.5), "DomainError", "not negative"),
        (lambda: metrics.roc_auc(A * 1.0, A, weights=A), "DomainError", "sums 0.0 and 2.0"),
        (lambda: metrics.top_k_accuracy(np.eye(3), A, 0), "ArgumentError", "wants k"),
        (lambda: metrics.several(a=3), "ArgumentError", "wants metrics"),
    ],
)
def test_what_is_refused(call, error, text):
    with pytest.raises(getattr(fgrad.errors, error), match=f"(?s){text}.*To do"):
        call()
