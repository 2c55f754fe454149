"""Optimizers that are made by the same calls of our library and of optax.

A case is a function of a namespace that has the functions of a library: ours in the tests, optax's
in `benchmarks/optimizers_optax.py`, which says where optax calls something otherwise.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

RATE = 1e-2

#: Trees of bools, and one of labels, for the parameters of the recipe.
MASK = {"w": True, "b": False, "k": True, "s": False}
#: optax has no SM3 for scalars.
NO_SCALAR = {"w": True, "b": True, "k": True, "s": False}
LABELS = {"w": "slow", "b": "fast", "k": "slow", "s": "still"}


class Case(NamedTuple):
    """An optimizer, what it is given, and what is compared.

    Attributes:
        make: called with a namespace, returns the optimizer.
        kind: that of the recipe; 'search' for a line search on a loss without noise.
        read: called with the namespace, the parameters and the state; returns a tree like the
            parameters. None for the parameters themselves.
    """

    make: Callable[[Any], Any]
    kind: str = "noisy"
    read: Callable[[Any, Any, Any], Any] | None = None


def beside(place: Callable[[Any], Any]) -> Callable[[Any, Any, Any], Any]:
    """Read the parameters, with a number of the state in place of the scalar."""
    return lambda o, params, state: {**params, "s": place(state) + 0.0 * params["s"]}


def cosine(o: Any, rate: float = RATE) -> Any:
    return o.cosine_decay_schedule(rate, 80, 0.1)


OPTIMIZERS: dict[str, Case] = {
    # gradients, momentum, signs
    "sgd": Case(lambda o: o.sgd(RATE)),
    "sgd, momentum": Case(lambda o: o.sgd(RATE, 0.9)),
    "sgd, Nesterov": Case(lambda o: o.sgd(RATE, 0.9, True)),
    "sgd, schedule": Case(lambda o: o.sgd(cosine(o, 0.1), 0.9)),
    "sign_sgd": Case(lambda o: o.sign_sgd(RATE)),
    "signum": Case(lambda o: o.signum(RATE)),
    "signum, beta": Case(lambda o: o.signum(RATE, beta=0.5)),
    "lion": Case(lambda o: o.lion(RATE)),
    "lion, mask": Case(lambda o: o.lion(RATE, 0.8, 0.95, weight_decay=0.1, mask=MASK)),
    "rprop": Case(lambda o: o.rprop(RATE)),
    "rprop, sizes": Case(lambda o: o.rprop(RATE, 0.7, 1.1, 0.005, 0.02)),
    "polyak_sgd": Case(lambda o: o.polyak_sgd(0.5, 0.3, f_min=-20.0)),
    "polyak_sgd, sps+": Case(lambda o: o.polyak_sgd(0.5, cosine(o, 0.3), -20.0, 0.1, "sps+")),
    "optimistic_gradient_descent": Case(lambda o: o.optimistic_gradient_descent(RATE, 0.7, 0.4)),
    # Adam and its relatives
    "adam": Case(lambda o: o.adam(RATE)),
    "adam, eps_root": Case(lambda o: o.adam(RATE, 0.8, 0.99, 1e-3, eps_root=1e-4)),
    "adam, schedule": Case(lambda o: o.adam(o.exponential_decay(0.05, 10, 0.8))),
    "nadam": Case(lambda o: o.nadam(RATE)),
    "adamw": Case(lambda o: o.adamw(RATE, weight_decay=0.1)),
    "adamw, mask": Case(lambda o: o.adamw(cosine(o), weight_decay=0.5, mask=MASK)),
    "adamw, Nesterov": Case(lambda o: o.adamw(RATE, nesterov=True)),
    "nadamw": Case(lambda o: o.nadamw(RATE, weight_decay=0.1)),
    "adamax": Case(lambda o: o.adamax(RATE)),
    "adamaxw": Case(lambda o: o.adamaxw(RATE, weight_decay=0.1, mask=MASK)),
    "amsgrad": Case(lambda o: o.amsgrad(RATE)),
    "amsgrad, decays": Case(lambda o: o.amsgrad(RATE, 0.5, 0.7)),
    "radam": Case(lambda o: o.radam(RATE)),
    "radam, Nesterov": Case(lambda o: o.radam(RATE, b2=0.9, threshold=6.0, nesterov=True)),
    "adabelief": Case(lambda o: o.adabelief(RATE)),
    "adabelief, Nesterov": Case(lambda o: o.adabelief(RATE, nesterov=True)),
    "yogi": Case(lambda o: o.yogi(RATE)),
    "adan": Case(lambda o: o.adan(RATE)),
    "adan, decay": Case(lambda o: o.adan(RATE, 0.9, 0.8, 0.95, weight_decay=0.5, mask=MASK)),
    "lamb": Case(lambda o: o.lamb(RATE, weight_decay=0.1)),
    "lamb, mask": Case(lambda o: o.lamb(RATE, weight_decay=0.1, mask=MASK)),
    "optimistic_adam": Case(lambda o: o.optimistic_adam(RATE)),
    "ademamix": Case(lambda o: o.ademamix(RATE, b3=0.99, alpha=4.0)),
    "ademamix, schedules": Case(
        lambda o: o.ademamix(
            RATE,
            b3=o.linear_schedule(0.9, 0.99, 50),
            alpha=o.linear_schedule(0.0, 5.0, 50),
            weight_decay=0.1,
        )
    ),
    "adopt": Case(lambda o: o.adopt(RATE)),
    "adopt, not clipped": Case(lambda o: o.adopt(RATE, b2=0.9, use_clipping=False)),
    # sizes of gradients
    "adagrad": Case(lambda o: o.adagrad(0.1)),
    "adagrad, start": Case(lambda o: o.adagrad(0.1, 1.0, 1e-3)),
    "adadelta": Case(lambda o: o.adadelta(1.0)),
    "adadelta, decay": Case(lambda o: o.adadelta(0.5, 0.8, 1e-3, 0.1, MASK)),
    "rmsprop": Case(lambda o: o.rmsprop(RATE)),
    "rmsprop, centered": Case(lambda o: o.rmsprop(RATE, centered=True, momentum=0.9)),
    "rmsprop, corrected": Case(
        lambda o: o.rmsprop(
            RATE, 0.8, 1e-3, eps_in_sqrt=False, momentum=0.5, nesterov=True, bias_correction=True
        )
    ),
    "rmsprop, start": Case(lambda o: o.rmsprop(RATE, initial_scale=1.0)),
    "sm3": Case(lambda o: o.partition({True: o.sm3(RATE), False: o.sgd(RATE)}, NO_SCALAR)),
    "novograd": Case(lambda o: o.novograd(RATE)),
    "novograd, decay": Case(lambda o: o.novograd(RATE, 0.8, 0.5, 1e-3, 1e-4, 0.1)),
    "adafactor": Case(lambda o: o.adafactor()),
    "adafactor, factored": Case(
        lambda o: o.adafactor(RATE, min_dim_size_to_factor=2, momentum=0.9, weight_decay_rate=1e-3)
    ),
    "adafactor, mask": Case(
        lambda o: o.adafactor(
            cosine(o),
            2,
            0.7,
            multiply_by_parameter_scale=False,
            clipping_threshold=0.5,
            weight_decay_rate=0.01,
            weight_decay_mask=MASK,
        )
    ),
    "muon": Case(lambda o: o.muon(RATE)),
    "muon, decay": Case(
        lambda o: o.muon(
            cosine(o, 0.1),
            ns_steps=3,
            beta=0.8,
            weight_decay=0.1,
            weight_decay_mask=MASK,
            nesterov=False,
            adam_b1=0.8,
            adam_weight_decay=0.2,
            adam_learning_rate=RATE,
            consistent_rms=0.2,
        )
    ),
    "lars": Case(lambda o: o.lars(1.0, 0.01)),
    "lars, masks": Case(
        lambda o: o.lars(0.1, 0.1, MASK, 0.1, 1e-3, {**MASK, "s": True}, 0.8, True)
    ),
    "fromage": Case(lambda o: o.fromage(RATE)),
    # curvature
    "lbfgs": Case(lambda o: o.lbfgs(), "search"),
    "lbfgs, memory": Case(
        lambda o: o.lbfgs(0.5, 2, False, o.scale_by_zoom_linesearch(5, curv_rtol=0.1)), "search"
    ),
    "lbfgs, backtracking": Case(
        lambda o: o.lbfgs(
            memory_size=3, linesearch=o.scale_by_backtracking_linesearch(10, store_grad=True)
        ),
        "search",
    ),
    "lbfgs, no line search": Case(lambda o: o.lbfgs(0.1, linesearch=None), "still"),
    "scale_by_lbfgs": Case(lambda o: o.chain(o.scale_by_lbfgs(3), o.scale(-0.1)), "still"),
    "scale_by_backtracking_linesearch": Case(
        lambda o: o.chain(o.sgd(3.0), o.scale_by_backtracking_linesearch(8)),
        read=beside(lambda state: state[-1].learning_rate),
    ),
    "scale_by_zoom_linesearch": Case(
        lambda o: o.chain(o.sgd(0.5), o.scale_by_zoom_linesearch(8, initial_guess_strategy="one")),
        read=beside(lambda state: state[-1].learning_rate),
    ),
    # without a schedule, without a rate
    "schedule_free": Case(lambda o: o.schedule_free(o.adam(RATE, 0.0), RATE, 0.8, 1.0)),
    "schedule_free_sgd": Case(
        lambda o: o.schedule_free_sgd(0.1, 5),
        read=lambda o, params, state: o.schedule_free_eval_params(state, params),
    ),
    "schedule_free_adamw": Case(lambda o: o.schedule_free_adamw(RATE, 20, weight_decay=0.1)),
    "dog": Case(lambda o: o.dog(init_distance=0.1)),
    "dog, decay": Case(lambda o: o.dog(0.5, 0.1, 1e-3, 0.1, MASK)),
    "dowg": Case(lambda o: o.dowg(1.0, 0.1)),
    "dowg, decay": Case(lambda o: o.dowg(0.5, 0.1, 1e-3, 0.1, MASK)),
    "dadapt_adamw": Case(lambda o: o.dadapt_adamw(estim_lr0=0.01, weight_decay=0.1)),
    "prodigy": Case(lambda o: o.prodigy(estim_lr0=0.01, weight_decay=0.1)),
    "prodigy, warm-up": Case(
        lambda o: o.prodigy(0.5, (0.8, 0.99), 0.95, 1e-6, 0.1, 0.5, 0.1, safeguard_warmup=True)
    ),
    "cocob": Case(lambda o: o.cocob()),
    "cocob, decay": Case(lambda o: o.cocob(0.5, 10.0, 1e-6, 0.1, MASK)),
    "momo": Case(lambda o: o.momo(0.5, lower_bound=-20.0)),
    "momo, adapted": Case(lambda o: o.momo(0.5, 0.8, -5.0, 0.1, adapt_lower_bound=True)),
    "madgrad": Case(lambda o: o.madgrad(RATE)),
    "madgrad, decay": Case(lambda o: o.madgrad(RATE, 0.5, 0.1, 1e-3)),
}
