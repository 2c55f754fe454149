"""What doesn't fit is refused, with what was wanted, what came, and what to do."""

from __future__ import annotations

import numpy as np
import pytest

import fgrad_nn.optimizers as opts
from fgrad import tree
from fgrad.errors import ArgumentError, DtypeError, FgradError, ShapeError, TreeError
from fgrad_nn.optimizers.records import Checked

from .optimizer_table import OPTIMIZERS, some_params

W = np.ones((2, 3))


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_compares_gradients_with_parameters(name):
    opt, params = OPTIMIZERS[name](0.02), some_params()
    assert isinstance(opt.update, Checked)
    state = opt.init(params)
    grads = tree.map(np.copy, params)
    grads["layers"][0]["b"] = np.ones((3, 1))
    extra = {"value": 1.0, "grad": params, "value_fn": np.sum}
    with pytest.raises(ShapeError, match=r"at \['layers'\]\[0\]\['b'\]: .*\(3, 1\).* for .*\(3,\)"):
        opt.update(grads, state, params, **extra)
    grads["layers"][0]["b"] = np.ones(3, np.float32)
    with pytest.raises(DtypeError, match=r"\['b'\]: a float32 array .* for a float64"):
        opt.update(grads, state, params, **extra)
    del grads["scale"]
    with pytest.raises(TreeError, match=r"at \['scale'\]: key missing"):
        opt.update(grads, state, params, **extra)


@pytest.mark.parametrize("rate", [-1.0, np.inf, "0.1", None, [0.1], np.ones(2), True, 1j])
@pytest.mark.parametrize("make", [opts.adam, opts.lamb, opts.rprop, lambda r: opts.sgd({"*": r})])
def test_bad_learning_rates(make, rate):
    with pytest.raises(ArgumentError, match="A learning rate must be a finite real number"):
        make(rate)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: opts.sgd(0.1, momentum=1.0), "decay must be .* at least 0 and less than 1"),
        (lambda: opts.adam(0.1, b1=1.0), "b1 must be a finite real number, at least 0 and less"),
        (lambda: opts.adam(0.1, b2=-0.1), r"b2 must be[\s\S]*-0\.1 \(a float\)[\s\S]*To do: pass"),
        (lambda: opts.adam(0.1, eps=np.ones(2)), r"eps must be[\s\S]*array of shape \(2,\)"),
        (lambda: opts.adam(0.1, eps_root=-1.0), "eps_root must be .*, not negative"),
        (lambda: opts.adamw(0.1, weight_decay="much"), "weight_decay must be"),
        (lambda: opts.radam(0.1, threshold=3.0), "threshold must be .*, greater than 4"),
        (lambda: opts.rprop(0.1, eta_plus=0.9), "eta_plus must be .*, at least 1"),
        (lambda: opts.clip(0.0), "max_delta must be .*, greater than 0"),
        (lambda: opts.clip_by_global_norm(-1.0), "max_norm must be"),
        (lambda: opts.scale(np.nan), "step_size must be a finite real number"),
        (
            lambda: opts.scale_by_schedule(0.1),
            r"a function of the step count[\s\S]*use scale",
        ),
        (lambda: opts.apply_every(0), "k must be an integer, at least 1"),
        (lambda: opts.MultiSteps(opts.sgd(0.1), 0), "k must be an integer, at least 1"),
        (lambda: opts.MultiSteps(opts.sgd(0.1), 1.5), r"1\.5 \(a float\)"),
        (lambda: opts.apply_if_finite(opts.sgd(0.1), True), "max_consecutive_errors must be an"),
        (lambda: opts.lookahead(opts.sgd(0.1), 2, 1.5), "slow_step_size must be .* 0 and 1"),
        (lambda: opts.params_ema(opts.sgd(0.1), 1.0), "decay must be"),
        (lambda: opts.scale_by_lbfgs(0), "memory_size must be an integer, at least 1"),
        (lambda: opts.scale_by_zoom_linesearch(0), "max_linesearch_steps must be an integer"),
        (lambda: opts.scale_by_zoom_linesearch(5, curv_rtol=1.0), "curv_rtol must be"),
        (lambda: opts.scale_by_zoom_linesearch(5, tol=-1.0), "tol must be"),
        (lambda: opts.scale_by_zoom_linesearch(5, initial_guess_strategy="two"), "'keep' or 'one'"),
        (lambda: opts.scale_by_backtracking_linesearch(5, decrease_factor=1.0), "decrease_factor"),
        (lambda: opts.reduce_on_plateau(factor=1.0), "factor must be .* less than 1"),
        (lambda: opts.reduce_on_plateau(rtol=0.0), "rtol or atol must be positive"),
        (lambda: opts.polyak_sgd(variant="other"), r"'sps' or 'sps\+'"),
        (lambda: opts.scale_by_muon((1.0, np.nan, 2.0)), "each of ns_coeffs must be"),
        (lambda: opts.schedule_free(opts.sgd(0.1), 0.1, b1=0.0), "b1 must be"),
        (lambda: opts.chain(opts.sgd(0.1), opts.sgd), r"pair \(init, update\)[\s\S]*what sgd\("),
        (lambda: opts.chain(3), r"3 \(an int\)"),
        (lambda: opts.named_chain(("a", opts.sgd(1.0)), ("a", opts.sgd(1.0))), r"\['a', 'a'\]"),
        (lambda: opts.match_paths(), "Patterns of paths are wanted"),
        (lambda: opts.match_paths(3), r"must be a string[\s\S]*3 \(an int\)"),
        (lambda: opts.label_paths({1: "a"}), "must be a string"),
        (lambda: opts.inject_hyperparams(opts.sgd, static_args="lr"), r"`sgd`[\s\S]*got: lr"),
    ],
)
def test_bad_arguments(make, text):
    with pytest.raises(ArgumentError, match=text):
        make()


@pytest.mark.parametrize(
    ("opt", "error", "text"),
    [
        (opts.adamw(0.1, mask={"w": True}), TreeError, "mask must have the structure"),
        (opts.masked(opts.sgd(0.1), {"w": 1, "b": True}), DtypeError, r"\['w'\]: 1 \(an int\)"),
        (opts.freeze(lambda params: "w"), DtypeError, r"of bools[\s\S]*'w' \(a str\)"),
        (opts.freeze(opts.match_paths("*.bias")), ArgumentError,
         r"'\*\.bias'.* paths are 'w', 'b'"),
        (opts.sgd({"w": 0.1}), ArgumentError, r"the path 'b', where the patterns are 'w'"),
        (opts.sgd({"v": 0.1, "*": 1.0}), ArgumentError, r"match the path[\s\S]*'v', where"),
        (opts.partition({"x": opts.sgd(0.1)}, {"w": "x", "b": "y"}), ArgumentError,
         r"one of 'x'[\s\S]*\['b'\]: 'y' \(a str\)[\s\S]*add a transformation"),
        (opts.partition({"x": opts.sgd(0.1)}, {"w": "x"}), TreeError, "labels must have the struc"),
        (opts.scale_by_muon(), ShapeError, r"matrices[\s\S]*\['b'\]: .*\(3,\)[\s\S]*use muon"),
    ],
)  # fmt: skip
def test_what_does_not_fit_the_parameters(opt, error, text):
    params = {"w": np.ones((2, 3)), "b": np.ones(3)}
    with pytest.raises(error, match=text):
        opt.update(params, opt.init(params), params)


@pytest.mark.parametrize(
    ("opt", "state", "text"),
    [
        (opts.adam(0.1), (), "A chain of 2 wants a tuple of 2 states"),
        (opts.adam(0.1), None, "A chain of 2 wants"),
        (opts.adam(0.1), opts.sgd(0.1, 0.9).init([W]), r"init\(params\)[\s\S]*TraceState"),
        (opts.adam(0.1), opts.adam(0.1).init([W, W]), "list of 2 items, where a list of 1"),
        (opts.adam(0.1), opts.adam(0.1).init([np.ones(7)]), r"same shapes[\s\S]*mu\[0\].*\(7,\)"),
        (opts.trace(0.9), opts.ema(0.9).init([W]), "EmaState"),
        (opts.lookahead(opts.adam(0.1), 2, 0.5), opts.adam(0.1).init([W]), "a tuple of 2"),
        (opts.named_chain(("a", opts.sgd(0.1))), {"b": ()}, r"keys \['a'\][\s\S]*keys \['b'\]"),
    ],
)
def test_a_state_that_is_not_this_optimizers(opt, state, text):
    with pytest.raises(FgradError, match=text) as caught:
        opt.update([W], state, [W])
    assert "opt.init(params)" in caught.value.to_do or "init" in caught.value.to_do


def test_an_update_without_parameters():
    opt = opts.adam(0.1)
    with pytest.raises(ArgumentError, match=r"(?s)wants the parameters.*grads, state, params"):
        opt.update([W], opt.init([W]))


def test_errors_of_functions_that_users_pass_are_their_own():
    def broken(count):
        raise AttributeError("mine")

    opt = opts.sgd(broken)
    with pytest.raises(AttributeError, match="mine"):
        opt.update([W], opt.init([W]), [W])


@pytest.mark.parametrize("value", [np.ones(2), None, "0.1"])
def test_a_schedule_returns_a_number(value):
    opt = opts.adam(lambda count: value)
    with pytest.raises(ArgumentError, match="A schedule must return a number"):
        opt.update([W], opt.init([W]), [W])


@pytest.mark.parametrize("opt", [opts.polyak_sgd(), opts.reduce_on_plateau()])
def test_a_value_that_is_needed_is_asked_for(opt):
    with pytest.raises(ArgumentError, match=r"wants the value[\s\S]*no value="):
        opt.update([W], opt.init([W]), [W])
    with pytest.raises(ArgumentError, match=r"array of shape \(2, 3\)"):
        opt.update([W], opt.init([W]), [W], value=W)


def test_examples_must_be_counted_alike():
    with pytest.raises(ShapeError, match=r"along the first axis[\s\S]*\(2, 3\).*\(4,\)"):
        opts.per_example_global_norm_clip([W, np.ones(4)], 1.0)


def test_new_values_must_fit_old_ones():
    with pytest.raises(ShapeError, match=r"Each new value must[\s\S]*\(3, 2\)"):
        opts.incremental_update([W.T], [W], 0.5)
    with pytest.raises(DtypeError, match="float32"):
        opts.periodic_update([np.float32(W)], [W], 0, 2)
