"""What holds for every optimizer: dtypes, types of state, descent, and all transformations."""

from __future__ import annotations

import numpy as np
import pytest

import fgrad
import fgrad_nn.optimizers as opts
from fgrad import tree
from fgrad.errors import DtypeError

from .optimizer_table import OPTIMIZERS, REAL_ONLY, loss, some_params, train

EACH = pytest.mark.parametrize("name", OPTIMIZERS)


def kinds(state):
    return [(np.asarray(x).dtype, np.shape(x)) for x in tree.leaves(state)]


def close(got, want, **tolerances):
    assert tree.structure(got) == tree.structure(want)
    for a, b in zip(tree.leaves(got), tree.leaves(want), strict=True):
        np.testing.assert_allclose(a, b, **tolerances)


@EACH
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_training_descends_and_keeps_dtypes_and_the_kind_of_state(name, dtype):
    params = some_params(dtype)
    opt = OPTIMIZERS[name](0.02)
    first = opt.init(params)
    for leaf in tree.leaves(params):
        leaf.flags.writeable = False  # a write into what came in would raise
    new, state = train(opt, params, 4)
    assert {x.dtype for x in tree.leaves(new)} == {np.dtype(dtype)}
    assert tree.structure(state) == tree.structure(first)
    assert kinds(state) == kinds(first)
    wide = {np.dtype(np.float64)} - {np.dtype(dtype)}  # scalars of a state may be wider
    assert all(shape == () or kind not in wide for kind, shape in kinds(first))
    assert loss(new) < loss(params)


@EACH
def test_complex_parameters_descend(name):
    params = some_params(np.complex128)
    if name in REAL_ONLY:
        with pytest.raises(
            DtypeError, match=r"real parameters[\s\S]*'layers'.*complex128[\s\S]*split_real"
        ):
            OPTIMIZERS[name](0.02).init(params)
        return
    new, _ = train(OPTIMIZERS[name](0.02), params, 4)
    assert {x.dtype for x in tree.leaves(new)} == {np.dtype(complex)}
    assert loss(new) < loss(params)


@EACH
def test_real_numbers_are_complex_numbers_on_a_line(name):
    if name in REAL_ONLY or name == "noisy_sgd":  # noise of the plane
        return
    params = tree.map(lambda x: x + 0j, some_params())
    new, _ = train(OPTIMIZERS[name](0.02), params, 3)
    want, _ = train(OPTIMIZERS[name](0.02), some_params(), 3)
    close(new, tree.map(lambda x: x + 0j, want), atol=1e-12)


@EACH
def test_python_floats_stay_floats(name):
    params = {"layers": [{"w": np.ones((2, 2)), "b": 0.5}], "scale": 2.0}
    new, _ = train(OPTIMIZERS[name](0.02), params, 3)
    assert type(new["scale"]) is float
    assert type(new["layers"][0]["b"]) is float


@EACH
def test_a_recorded_step_is_the_step(name):
    opt, params = OPTIMIZERS[name](0.02), some_params(np.float32)
    state = opt.init(params)
    graph = fgrad.make_graph(lambda params, state: train(opt, params, 1, state))(params, state)
    eager = recorded = (params, state)
    for _ in range(4):  # one graph for all steps: nothing of the first is burnt in
        eager, recorded = train(opt, eager[0], 1, eager[1]), graph(*recorded)
    assert kinds(recorded) == kinds(eager)
    close(recorded[0], eager[0], rtol=1e-5, atol=1e-6)


@EACH
def test_an_ensemble_is_its_members(name):
    opt = OPTIMIZERS[name](0.02)
    members = [tree.map(lambda x, i=i: x * (1 + 0.3 * i), some_params()) for i in range(3)]
    stacked = tree.map(lambda *xs: np.stack(xs), *members)
    state = fgrad.vmap(opt.init)(stacked)
    new, state = fgrad.vmap(lambda p, s: train(opt, p, 2, s))(stacked, state)
    new, _ = fgrad.vmap(lambda p, s: train(opt, p, 1, s))(new, state)
    alone = [train(opt, p, 3)[0] for p in members]
    close(new, tree.map(lambda *xs: np.stack(xs), *alone), rtol=1e-9, atol=1e-12)


@EACH
def test_training_differentiates_by_its_learning_rate(name):
    def after(rate):
        return loss(train(OPTIMIZERS[name](rate), some_params(), 3)[0])

    step = 1e-6
    slope = (after(0.02 + step) - after(0.02 - step)) / (2 * step)
    assert fgrad.grad(after)(0.02) == pytest.approx(slope, rel=1e-5, abs=1e-6)


@EACH
def test_a_float64_rate_that_is_traced_leaves_float32_alone(name):
    def after(rate):
        new, _ = train(OPTIMIZERS[name](rate), some_params(np.float32), 2)
        assert {x.dtype for x in tree.leaves(new)} == {np.dtype(np.float32)}
        return loss(new)

    assert np.isfinite(fgrad.grad(after)(np.float64(0.02)))


@EACH
def test_gradients_that_are_exactly_zero_do_no_harm(name):
    def after(scale):
        params = {"layers": [{"w": np.zeros((2, 2)), "b": np.zeros(2)}], "scale": scale}
        new, _ = train(OPTIMIZERS[name](0.02), params, 3)
        return loss(new)

    assert np.isfinite(after(2.0))
    assert np.isfinite(fgrad.grad(after)(2.0))  # sqrt at 0 would make it NaN


@EACH
def test_a_state_of_another_optimizer_is_refused(name):
    params = some_params()
    opt = OPTIMIZERS[name](0.02)
    other = opts.named_chain(("x", opts.lion(0.1))).init(params)
    if name == "sgd" or tree.structure(opt.init(params)) == tree.structure(()):
        return  # it asks for no state
    with pytest.raises((TypeError, ValueError), match="To do"):
        opt.update(params, other, params, value=1.0, grad=params, value_fn=loss)


@EACH
def test_a_scan_of_steps_is_a_loop_of_steps(name):
    opt, params = OPTIMIZERS[name](0.02), some_params(np.float32)

    def step(carry, _):
        return train(opt, carry[0], 1, carry[1]), None

    (new, _), _ = fgrad.scan(step, (params, opt.init(params)), None, length=3)
    close(new, train(opt, params, 3)[0], rtol=1e-5, atol=1e-6)


#: Optimizers by a hyperparameter other than the learning rate.
HYPERPARAMETERS = {
    "adam, b1": lambda x: opts.adam(0.05, b1=x),
    "adam, b2": lambda x: opts.adam(0.05, b2=x),
    "adam, eps": lambda x: opts.adam(0.05, eps=x),
    "adam, eps_root": lambda x: opts.adam(0.05, eps_root=x),
    "amsgrad, b2": lambda x: opts.amsgrad(0.05, b2=x),
    "radam, b2": lambda x: opts.radam(0.05, b2=x),
    "adabelief, b2": lambda x: opts.adabelief(0.05, b2=x),
    "adan, b3": lambda x: opts.adan(0.05, b3=x),
    "adamw, weight_decay": lambda x: opts.adamw(0.05, weight_decay=x),
    "lamb, weight_decay": lambda x: opts.lamb(0.05, weight_decay=x),
    "sgd, momentum": lambda x: opts.sgd(0.05, x, nesterov=True),
    "adagrad, start": lambda x: opts.adagrad(0.05, x),
    "adadelta, rho": lambda x: opts.adadelta(rho=x),
    "rmsprop, decay": lambda x: opts.rmsprop(0.05, decay=x, bias_correction=True),
    "rmsprop, start": lambda x: opts.rmsprop(0.05, initial_scale=x),
    "adafactor, decay_rate": lambda x: opts.adafactor(0.05, decay_rate=x),
    "novograd, b2": lambda x: opts.novograd(0.05, b2=x),
    "sm3, momentum": lambda x: opts.sm3(0.05, x),
    "muon, beta": lambda x: opts.muon(0.05, beta=x),
    "rprop, eta_plus": lambda x: opts.rprop(0.05, eta_plus=1 + x),
    "noise, eta": lambda x: opts.noisy_sgd(0.1, eta=x, key=1),
    "clip": lambda x: opts.chain(opts.clip(x), opts.sgd(0.1)),
    "clip_by_global_norm": lambda x: opts.chain(opts.clip_by_global_norm(x), opts.sgd(0.1)),
    "adaptive_grad_clip": lambda x: opts.chain(opts.adaptive_grad_clip(x), opts.sgd(0.1)),
    "lookahead": lambda x: opts.lookahead(opts.sgd(0.1), 2, x),
    "schedule_free, b1": lambda x: opts.schedule_free_sgd(0.1, b1=x),
    "inject_hyperparams": lambda x: opts.inject_hyperparams(opts.adamw)(0.05, b1=x),
    "polyak_sgd, f_min": lambda x: opts.polyak_sgd(f_min=x),
}


@pytest.mark.parametrize("name", HYPERPARAMETERS)
def test_training_differentiates_by_its_hyperparameters(name):
    def after(x):
        return loss(train(HYPERPARAMETERS[name](x), some_params(), 3)[0])

    slope = (after(0.4 + 1e-6) - after(0.4 - 1e-6)) / 2e-6
    assert fgrad.grad(after)(0.4) == pytest.approx(slope, rel=1e-5, abs=1e-7)


@EACH
def test_trees_and_leaves_may_be_empty(name):
    if name in ("partition", "rates by path", "freeze"):
        return  # their patterns must match something
    opt = OPTIMIZERS[name](0.02)
    for params in ({}, {"w": np.ones((0, 3)), "b": np.ones(2)}):
        state = opt.init(params)
        updates, _ = opt.update(params, state, params, value=1.0, grad=params, value_fn=loss)
        assert opts.apply_updates(params, updates).keys() == params.keys()


def test_each_member_of_an_ensemble_may_have_its_own_rate():
    opt, params = opts.inject_hyperparams(opts.adam)(0.1), np.ones((3, 2))
    state = fgrad.vmap(opt.init)(params)
    rates = {**state.hyperparams, "learning_rate": np.array([0.1, 0.2, 0.3])}
    state = state._replace(hyperparams=rates)
    updates, _ = fgrad.vmap(opt.update)(params, state, params)
    np.testing.assert_allclose(updates[:, 0], [-0.1, -0.2, -0.3])
