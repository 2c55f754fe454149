"""Steps and the loop: the formulas written out, and every option."""

from __future__ import annotations

import io
import sys

import numpy as np
import pytest

import fgrad
from fgrad import random, tree
from fgrad.errors import ArgumentError, MissingPackageError, NonFiniteError, ShapeError
from fgrad_nn import (
    adam,
    apply_updates,
    batch_norm,
    batches,
    dense,
    evaluate,
    extras,
    fit,
    optimizers,
    serial,
    sgd,
    train_step,
)  # fmt: skip
from fgrad_nn.training import Checkpoints, TrainState, load_checkpoint

X = np.random.default_rng(0).normal(size=(30, 3))
Y = X @ np.array([1.0, -2.0, 0.5]) + 3.0
PARAMS = {"w": np.zeros(3), "bias": np.zeros(())}


def loss(params, batch):
    x, y = batch
    return np.mean((x @ params["w"] + params["bias"] - y) ** 2)


def quiet(*args, **options):
    return fit(*args, progress=False, **{"epochs": 3, **options})


def square(optimizer=None, jit=False, **options):
    """A step for (w - batch)**2 and the state at w = 4."""
    optimizer = optimizer or sgd(0.25)
    step = train_step(lambda w, batch: (w - batch) ** 2, optimizer, jit=jit, **options)
    return step, TrainState.create(4.0, optimizer)


# ------------------------------------------------------------------ one step
@pytest.mark.parametrize("jit", [False, True])
@pytest.mark.parametrize("optimizer", [sgd(0.1), adam(0.1), optimizers.adamw(0.1)])
def test_a_step_is_gradient_and_update(optimizer, jit):
    step = train_step(loss, optimizer, jit=jit)
    state = TrainState.create(PARAMS, optimizer)
    params, memory = PARAMS, optimizer.init(PARAMS)
    for i, batch in enumerate(batches((X, Y), 8, epochs=2)):
        state, metrics = step(state, batch)
        value, grads = fgrad.value_and_grad(loss)(params, batch)
        updates, memory = optimizer.update(grads, memory, params)
        params = apply_updates(params, updates)
        assert metrics["loss"] == pytest.approx(value, rel=1e-12)
        tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-11), state.params, params)
        assert int(state.step) == i + 1
    tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-9), state.opt_state, memory)
    assert (step.compiled is not None) == jit


def test_a_step_can_be_machine_code():
    pytest.importorskip("llvmlite")
    plain, native = train_step(loss, adam(0.1)), train_step(loss, adam(0.1), backend="native")
    state = other = TrainState.create(PARAMS, adam(0.1))
    for batch in batches((X, Y), 10, epochs=2):
        state, metrics = plain(state, batch)
        other, same = native(other, batch)
        assert metrics["loss"] == pytest.approx(same["loss"], rel=1e-12)
    tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-9), state, other)
    assert "machine code" in native.compiled.explain()
    assert "machine code" not in plain.compiled.explain()


def test_a_step_that_is_not_compiled_has_no_backend():
    with pytest.raises(ArgumentError, match="a backend only for a step that is compiled") as error:
        train_step(loss, sgd(0.1), jit=False, backend="native")
    assert "jit=False and backend='native'" in str(error.value)
    with pytest.raises(ArgumentError, match="the name of a backend"):
        train_step(loss, sgd(0.1), backend="c")


def test_the_same_step_has_the_same_bits_whenever_it_was_compiled():
    def bits(state):
        return [np.asarray(x).tobytes() for x in tree.leaves(state)]

    step, second = train_step(loss, adam(0.1)), train_step(loss, adam(0.1))
    start = TrainState.create(PARAMS, adam(0.1))
    middle, _ = step(start, (X, Y))
    assert bits(step(start, (X, Y))[0]) == bits(middle)
    assert bits(step(middle, (X, Y))[0]) == bits(second(middle, (X, Y))[0])


@pytest.mark.parametrize("jit", [False, True])
def test_auxiliary_values_state_and_keys(jit):
    net = serial(dense(4), batch_norm(), np.tanh, dense(1))
    _, params = net.init(random.key(0), (-1, 3))
    model_state = net.init_state(random.key(0), (-1, 3))
    seen = []

    def noisy(params, batch, *, state, key):
        x, y = batch
        seen.append(key)
        out, state = net.apply(
            params, x + 0.1 * random.normal(key, x.shape), state=state, train=True
        )
        value = np.mean((out[:, 0] - y) ** 2)
        return value, (state, {"largest": np.max(np.abs(out))})

    step = train_step(noisy, adam(0.01), has_aux=True, has_state=True, jit=jit)
    state = TrainState.create(params, adam(0.01), model_state=model_state, key=random.key(5))
    first, metrics = step(state, (X, Y))
    assert list(metrics) == ["loss", "largest"]
    (value, (wanted, _)), _ = fgrad.value_and_grad(noisy, has_aux=True)(
        params, (X, Y), state=model_state, key=random.fold_in(random.key(5), 0)
    )
    assert metrics["loss"] == pytest.approx(value, rel=1e-12)
    tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-9), first.model_state, wanted)
    again, _ = step(state, (X, Y))
    other, other_metrics = step(state, (X, Y), random.key(6))
    tree.map(np.testing.assert_array_equal, first, again)
    assert other_metrics["loss"] != metrics["loss"]
    assert np.array_equal(other.key, state.key)
    _, next_metrics = step(state._replace(step=state.step + 1), (X, Y))
    assert next_metrics["loss"] != metrics["loss"]  # another step has another key
    only_state = train_step(
        lambda p, b, state: (np.mean(net.apply(p, b, state=state)[0] ** 2), state), sgd(0.1),
        has_state=True, jit=jit,
    )  # fmt: skip
    assert list(only_state(state._replace(key=None, opt_state=sgd(0.1).init(params)), X)[1]) == [
        "loss"
    ]


def test_an_optimizer_that_searches_along_lines():
    step = train_step(loss, optimizers.lbfgs(), jit=False)
    state = TrainState.create(PARAMS, optimizers.lbfgs())
    for _ in range(12):
        state, metrics = step(state, (X, Y))
    assert metrics["loss"] < 1e-10


def test_an_optimizer_of_ones_own_needs_no_further_arguments():
    mine = optimizers.GradientTransformation(
        lambda p: (), lambda g, s, p: (tree.map(np.negative, g), s)
    )
    step = train_step(lambda w, batch: w**2, mine)
    assert float(step(TrainState.create(1.0, mine), 0.0)[0].params) == -1.0


def test_a_step_is_a_pure_function_under_transformations():
    step, state = square(jit=True)

    def after(w, batch):
        return step(state._replace(params=w), batch)[0].params

    # w - (w - b) / 2
    assert fgrad.grad(after)(3.0, 1.0) == pytest.approx(0.5)
    assert fgrad.grad(after, 1)(3.0, 1.0) == pytest.approx(0.5)
    assert np.allclose(fgrad.vmap(after, (0, None))(np.array([3.0, 5.0]), 1.0), [2.0, 3.0])


def test_errors_of_steps():
    with pytest.raises(ArgumentError, match=r"(?s)a function loss\(params, batch\).*3 \(an int\)"):
        train_step(3, sgd(0.1))
    with pytest.raises(ArgumentError, match="pair"):
        train_step(loss, 3)
    step, _ = square()
    with pytest.raises(ArgumentError, match=r"(?s)wants a TrainState.*TrainState.create"):
        step(4.0, 1.0)
    for aux, text in ((3.0, "3.0"), ({"loss": 1.0}, "'loss'"), ({1: 2.0}, "the names 1")):
        wrong = train_step(lambda w, b, aux=aux: (w**2, aux), sgd(0.1), has_aux=True, jit=False)
        with pytest.raises(ArgumentError, match=rf"(?s)a dict of metrics as aux.*{text}"):
            wrong(TrainState.create(1.0, sgd(0.1)), 0)


# ------------------------------------------------------------------ evaluation
@pytest.mark.parametrize("remainder", ["keep", "pad"])
def test_evaluation_weighs_batches_by_their_examples(remainder):
    data = batches((X, Y), 7, random.key(0), remainder)
    next(data)

    def metrics(state, batch):
        (x, y), mask = batch if remainder == "pad" else (batch, np.ones(len(batch[0]), bool))
        return {"a": np.mean(x[mask, 0]), "b": np.mean(state * y[mask])}

    found = evaluate(metrics, 2.0, data)
    assert found == pytest.approx({"a": X[:, 0].mean(), "b": 2 * Y.mean()})
    assert data.state == (0, 1)
    assert evaluate(lambda s, batch: batch.sum(), 0, [np.ones(2), np.ones(1)]) == {"loss": 5 / 3}
    with pytest.raises(ArgumentError, match="at least one batch"):
        evaluate(metrics, 2.0, [])
    with pytest.raises(ArgumentError, match=r"(?s)one real number.*'a'.*shape \(2,\)"):
        evaluate(lambda s, b: {"a": b}, 0, [np.ones(2)])


# ------------------------------------------------------------------ the loop
class Spy:
    def __init__(self, stop=None):
        self.steps, self.epochs, self.stop = [], [], stop

    def on_step(self, state, record):
        self.steps.append(record)

    def on_epoch(self, state, record):
        self.epochs.append(record)
        return record["epoch"] == self.stop


def test_records_of_steps_and_epochs():
    step, state = square()
    spy = Spy()
    done = quiet(step, state, [1.0, 2.0, 3.0], callbacks=[spy], log_every=2, validate_every=2,
                 validate=lambda state: {"w": state.params, "loss": state.params**2})  # fmt: skip
    w, losses, ends = 4.0, [], []
    for i in range(9):
        batch = [1.0, 2.0, 3.0][i % 3]
        losses.append((w - batch) ** 2)
        w -= 0.5 * (w - batch)
        if i % 3 == 2:
            ends.append(w)
    assert done.state.params == w
    assert [r["loss"] for r in spy.steps] == losses
    assert [r["step"] for r in spy.steps] == list(range(1, 10))
    assert done.history.steps == [spy.steps[i] for i in (1, 3, 5, 7)]
    assert done.history.epochs == spy.epochs
    means = np.mean(np.reshape(losses, (3, 3)), axis=1)
    columns = done.history.epochs.arrays()
    assert np.allclose(columns["loss"], means)
    assert np.array_equal(columns["epoch"], [0, 1, 2])
    assert np.array_equal(columns["step"], [3, 6, 9])
    assert np.array_equal(columns["val_w"], [np.nan, ends[1], ends[2]], equal_nan=True)
    assert done.reason == "epochs"


def test_all_kinds_of_data_give_the_same():
    step, state = square()
    lists = [[1.0, 2.0], [3.0, 1.5]]
    of_epoch = quiet(step, state, lambda epoch: iter(lists[epoch]), epochs=2)
    assert [r["step"] for r in of_epoch.history.epochs] == [2, 4]
    found = [
        quiet(step, state, data, epochs=1).state.params
        for data in (lists[0], iter(lists[0]), (x for x in lists[0]), lambda epoch: lists[0])
    ]
    assert len(set(found)) == 1
    data = batches(np.array([1.0, 2.0]), 1)
    mean = train_step(lambda w, batch: np.mean((w - batch) ** 2), sgd(0.25))
    assert quiet(mean, state, data, epochs=1).state.params == found[0]
    assert data.state == (0, 0)
    assert int(quiet(mean, state, data.at((0, 1)), epochs=2).state.step) == 3


def test_early_stopping_keeps_the_best():
    step, state = square()
    values = iter([5.0, 3.0, np.nan, 2.95, 9.0, 1.0])
    spy = Spy()
    done = quiet(step, state, [1.0], epochs=9, patience=3, min_delta=0.1, callbacks=[spy],
                 validate=lambda state: next(values))  # fmt: skip
    assert done.reason == "early stopping"
    assert len(done.history.epochs) == 5
    assert done.best[1:] == (3.0, 1)
    assert done.best.state.params == 4.0 - 3.0 * (1 - 0.25)
    accuracy = iter([0.5, 0.7, 0.6])
    done = quiet(step, state, [1.0], epochs=3, mode="max", monitor="val_accuracy",
                 validate=lambda state: {"accuracy": next(accuracy)})  # fmt: skip
    assert done.best[1:] == (0.7, 1)
    assert quiet(step, state, [1.0]).best.epoch == 2  # by the loss, if there is no validation


def test_callbacks_may_stop():
    step, state = square()
    done = quiet(step, state, [1.0, 1.0], epochs=9, callbacks=[Spy(stop=1), Spy()])
    assert done.reason == "callback"
    assert len(done.history.epochs) == 2


def test_a_step_of_ones_own():
    done = quiet(lambda state, batch: (state + batch, {"sum": state}), 0, [1, 2], epochs=2)
    assert done.state == 6
    assert done.history.epochs[0] == {"epoch": 0, "step": 2, "sum": 0.5}
    assert done.best is None


# ------------------------------------------------------------------ NaN
@pytest.mark.parametrize("jit", [False, True])
def test_a_nan_ends_training_and_the_state_before_is_kept(tmp_path, jit):
    step, state = square(jit=jit)
    data = [1.0, 2.0, np.nan, 1.0]
    with pytest.raises(
        NonFiniteError, match=r"(?s)which step 3 \(epoch 0\).*loss nan.*step-0+2"
    ) as info:
        quiet(step, state, data, checkpoint=tmp_path)
    assert info.value.step == 3
    assert float(info.value.state.params) == 2.25
    assert load_checkpoint(tmp_path, state).params == 2.25
    with pytest.raises(NonFiniteError, match="step 3"):  # also of the resumed run
        quiet(step, state, data, checkpoint=tmp_path)
    done = quiet(step, state, data, check_finite=False)
    assert np.isnan(done.state.params)


def test_a_nan_in_the_parameters_is_found_in_its_step():
    def step(state, batch):
        return {"a": [1, state["a"][1] * batch], "b": 1.0}, {"loss": 1.0}

    start = {"a": [1, np.array(4.0)], "b": 1.0}
    for bad in (np.nan, np.inf):
        with pytest.raises(NonFiniteError, match=r"step 2 (?s:.)*at \['a'\]\[1\] of the") as info:
            quiet(step, start, [2.0, bad])
        assert info.value.state["a"][1] == 8.0


def test_large_numbers_are_finite():
    big = np.full(4, np.finfo(np.float32).max)
    assert quiet(lambda state, batch: (state, {"loss": 1.0}), big, [1], epochs=1).state is big


# ------------------------------------------------------------------ progress
def test_the_bar_is_drawn_on_terminals_only(monkeypatch):
    step, state = square()

    class Terminal(io.StringIO):
        def isatty(self):
            return True

    for stream, drawn in ((Terminal(), True), (io.StringIO(), False)):
        monkeypatch.setattr(sys, "stderr", stream)
        fit(step, state, [1.0, 2.0], epochs=2, validate=lambda state: 0.125)
        text = stream.getvalue()
        assert ("epoch 2/2" in text and "val_loss=0.125" in text and "4/4" in text) == drawn
        assert drawn or not text
        assert "epoch=" not in text


def test_a_package_that_is_missing(monkeypatch, tmp_path):
    def missing(name):
        raise ModuleNotFoundError("no", name=name.partition(".")[0])

    monkeypatch.setattr(extras.importlib, "import_module", missing)
    step, state = square()
    with pytest.raises(MissingPackageError, match=r"(?s)wants the package tqdm.*fgrad\[nn\]"):
        fit(step, state, [1.0], epochs=1)
    with pytest.raises(MissingPackageError, match=r"checkpoint.*the package safetensors"):
        quiet(step, state, [1.0], checkpoint=tmp_path / "new")
    assert not (tmp_path / "new").exists()


# ------------------------------------------------------------------ arguments
@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"epochs": 0}, "an integer from 1 on as epochs.*0 "),
        ({"validate_every": 0.5}, "as validate_every.*0.5"),
        ({"patience": True}, "as patience.*True"),
        ({"log_every": 0}, "as log_every"),
        ({"validate": 3}, "a function as validate.*3"),
        ({"mode": "least"}, "'min' or 'max'|\"min\" or \"max\".*'least'"),
        ({"callbacks": [print]}, r"callbacks with a method on_step.*print"),
        ({"checkpoint": 3}, "a folder for checkpoints.*3"),
        ({"checkpoint": Checkpoints("/tmp/x", keep=0)}, "from 1 on as keep.*0"),
        ({"checkpoint": Checkpoints("/tmp/x", every_steps=0)}, "as every_steps.*None for never"),
        ({"monitor": "accuracy"}, "to monitor 'accuracy'.*epoch, step, loss"),
        ({"data": 3}, r"wants batches.*3 \(an int\)"),
        ({"data": iter([1.0])}, "walked through 3 times.*iterator.*for each epoch"),
        ({"data": []}, "at least one batch in each epoch.*none in epoch 0"),
        ({"step": 3}, "a function as step.*train_step"),
        ({"step": lambda state, batch: state}, r"returns \(state, metrics\).*train_step"),
        ({"step": lambda state, batch: (state, {"a": 1j})}, "one real number.*'a': 1j"),
        ({"validate": lambda state: None}, "one real number.*'loss': None"),
        ({"validate": lambda state: {"a": "1"}}, "one real number.*'a': '1'"),
    ],
)  # fmt: skip
def test_arguments_are_checked(options, text):
    step, state = square()
    options = {"step": step, "data": [1.0], **options}
    with pytest.raises(ArgumentError, match=f"(?s){text}"):
        quiet(options.pop("step"), state, options.pop("data"), **options)


@pytest.mark.parametrize("compiled", [False, True])
def test_errors_name_the_users_loss(compiled):
    def my_loss(params, batch):
        return params["w"] * batch

    params, optimizer = {"w": np.ones(3)}, sgd(0.1)
    step = train_step(my_loss, optimizer, jit=compiled)
    with pytest.raises(ShapeError, match=r"`my_loss` \(.*test_training.py:\d+\) does not"):
        step(TrainState.create(params, optimizer), np.ones(3))
