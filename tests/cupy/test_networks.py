"""All of `fgrad_nn` on the device: each layer, loss, optimizer, schedule and metric as on the host.

They make what they need where their arguments are: nothing is waited for, and nothing copied but
random numbers.
"""

from __future__ import annotations

import numpy as np
import pytest

import fgrad
import fgrad_nn as nn
from fgrad import random, tree
from fgrad_nn import StatefulLayer, metrics, projections, schedules
from fgrad_nn import losses as ls

from ..nn.layer_cases import CASES as LAYERS
from ..nn.loss_cases import CASES as LOSSES
from ..nn.optimizer_table import OPTIMIZERS, some_params
from . import laws
from .array import ndarray
from .traffic import counted

KEY = random.key(0)
RNG = np.random.default_rng(0)
X, LABELS = RNG.normal(size=(4, 3)), np.array([0, 2, 1, 1])
#: Those that ask the device for a number in each step.
WAITS = {
    "lbfgs": "its line search goes by values", "backtracking": "it goes by values",
    "apply_if_finite": "it asks whether gradients are finite",
}  # fmt: skip


def same(f, *args, rtol=1e-9):
    """A function's results on the device are the host's; what it asked for."""
    want = f(*args)
    there = tree.to_device(args, laws.LIBRARY)
    with counted() as traffic:
        got = f(*there)
    for a, b in zip(tree.leaves(got), tree.leaves(want), strict=True):
        assert not isinstance(b, np.ndarray) or isinstance(a, ndarray)
    laws.close(laws.back(got), want, "on the device = on the host", rtol)
    return traffic


@pytest.mark.parametrize("train", [False, True])
@pytest.mark.parametrize("case", LAYERS.values(), ids=LAYERS)
def test_layers(case, train):
    _, params = case.layer.init(KEY, case.shape)
    stateful = isinstance(case.layer, StatefulLayer)
    state = {"state": case.layer.init_state(random.key(1), case.shape)} if stateful else {}

    def f(params, x, state):
        out = case.layer.apply(params, x, **state, key=KEY, train=train)
        return sum(np.sum(np.sin(y)) for y in tree.leaves(out[0] if stateful else out)), out

    traffic = same(fgrad.value_and_grad(f, has_aux=True), params, case.inputs(), state)
    assert (traffic.syncs, traffic.to_host) == (0, 0)
    assert traffic.to_device == 0 or train  # numbers that were drawn


@pytest.mark.parametrize("case", LOSSES.values(), ids=LOSSES)
def test_losses(case):
    def f(args, weights):
        def loss(*active):
            every = list(args)
            for i, x in zip(case.active, active, strict=True):
                every[i] = x
            return case(*every, weights=weights)

        active = [args[i] for i in case.active]
        gradient = fgrad.value_and_grad(loss, tuple(range(len(active))))
        return gradient(*active), case(*args), case(*args, reduction="none")

    traffic = same(f, list(case.args()), np.array([1.0, 0.5, 2.0, 0.0]))
    assert (traffic.syncs, traffic.to_host, traffic.to_device) == (0, 0, 0)


SEQUENCES = RNG.normal(size=(2, 6, 4))
MORE_LOSSES = {
    "ctc_loss": (ls.ctc_loss, SEQUENCES, np.array([[1, 2], [2, 1]])),
    "ctc_loss, lengths": (
        lambda x, labels, n, t: ls.ctc_loss(x, labels, label_lengths=n, logit_lengths=t),
        SEQUENCES, np.array([[1, 2], [2, 1]]), np.array([1, 2]), np.array([5, 6]),
    ),
    "ntxent": (ls.ntxent, X, LABELS),
    "info_nce": (ls.info_nce, X, X[::-1].copy()),
}  # fmt: skip


@pytest.mark.parametrize("name", MORE_LOSSES)
def test_losses_of_batches(name):
    f, *args = MORE_LOSSES[name]
    assert same(fgrad.value_and_grad(f), *args).syncs == 0


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizers(name):
    def loss(params):
        return sum(np.sum(np.sin(x) ** 2) for x in tree.leaves(params))

    def train(params):
        optimizer = OPTIMIZERS[name](0.1)
        state = optimizer.init(params)
        for _ in range(3):
            value, g = fgrad.value_and_grad(loss)(params)
            updates, state = optimizer.update(
                g, state, params, value=value, grad=g, value_fn=loss
            )  # fmt: skip
            params = nn.apply_updates(params, updates)
        return params

    traffic = same(train, some_params(), rtol=1e-6)
    assert (traffic.syncs > 0) == (name in WAITS)


SCHEDULES = [
    schedules.linear_schedule(0.0, 1.0, 5), schedules.cosine_decay_schedule(0.1, 5),
    schedules.exponential_decay(0.1, 3, 0.5, staircase=True, end_value=0.01),
    schedules.warmup_cosine_decay_schedule(0, 0.1, 2, 9),
    schedules.piecewise_constant_schedule(1.0, {2: 0.5, 4: 0.1}),
    schedules.piecewise_interpolate_schedule("linear", 1.0, {2: 0.5, 4: 0.1}),
]  # fmt: skip


@pytest.mark.parametrize("schedule", SCHEDULES, ids=lambda s: s.__qualname__.partition(".")[0])
def test_schedules_take_counts_of_the_device(schedule):
    traffic = same(schedule, np.asarray(3))
    assert (traffic.syncs, traffic.to_device) == (0, 0)


def streamed(metric, *batches):
    state = metric.init()
    for batch in batches:
        state = metric.update(state, *batch)
    return metric.compute(metric.merge(state, metric.init()))


METRICS = {
    "accuracy": metrics.accuracy,
    "top_k_accuracy": lambda x, labels: metrics.top_k_accuracy(x, labels, k=2),
    "confusion_matrix": lambda x, labels: metrics.confusion_matrix(x, labels),
    "running_mean": lambda x, labels: streamed(metrics.running_mean(), (x,), (x * 2,)),
    "running_accuracy": lambda x, y: streamed(metrics.running_accuracy(), (x, y), (x, y)),
    "running_confusion": lambda x, y: streamed(metrics.running_confusion(3), (x, y), (x, y)),
    "running_moments": lambda x, labels: streamed(metrics.running_moments(), (x,), (x * 2,)),
    "projection_simplex": lambda x, labels: projections.projection_simplex(x),
}


@pytest.mark.parametrize("name", METRICS)
def test_metrics(name):
    assert same(METRICS[name], X, LABELS).syncs == 0


def test_a_curve_is_computed_on_the_host(cupy):
    scores, labels = X[:, 0], LABELS % 2
    got = metrics.roc_curve(cupy.asarray(scores), cupy.asarray(labels))
    for a, b in zip(got, metrics.roc_curve(scores, labels), strict=True):
        np.testing.assert_array_equal(a, b)


def test_lengths_of_the_device(cupy):
    lstm, attention = nn.lstm(4), nn.multi_head_attention(2)
    x, lengths = RNG.normal(size=(2, 5, 4)), np.array([2, 5])
    same(lambda p, x, n: lstm.apply(p, x, lengths=n), lstm.init(KEY, x.shape)[1], x, lengths)
    same(
        lambda p, x, n: attention.apply(p, x, mask=nn.padding_mask(n, 5)),
        attention.init(KEY, x.shape)[1], x, lengths,
    )  # fmt: skip
