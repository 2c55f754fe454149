"""optax's side of the cases in `tests/nn/optax_cases.py`: its functions by our names, its paths.

Where optax's function has another name or form than ours, an adapter here says so. optax counts
steps in int32, of which JAX makes float32 where it divides; for double precision the counts in its
states are made int64, so that its schedules, too, are computed in float64.
"""

from __future__ import annotations

import functools
from types import SimpleNamespace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import optax.contrib

from tests.nn.optax_recipe import COUNTS, KEPT, SHAPES, Recipe, ascent, pack, unpack, value
from tests.nn.optax_reference import plain_defaults
from tests.nn.optax_searches import results


def public_defaults() -> dict[str, dict[str, Any]]:
    """All names of optax's that a library on its contract may have, with their plain defaults."""
    found: dict[str, dict[str, Any]] = {}
    for module in (optax.contrib, optax.schedules, optax.transforms, optax):
        for name, f in vars(module).items():
            if name[0] != "_" and callable(f):
                found[name] = plain_defaults(f)
    return found


def bias_correction(decay):
    """optax's is a function of a tree; ours a transformation."""

    def update(updates, count, params=None):
        return optax.tree.bias_correction(updates, decay, count + 1), count + 1

    return optax.GradientTransformation(lambda params: jnp.zeros([], jnp.int32), update)


def dog(learning_rate=1.0, init_distance=1e-6, *args):
    """optax's first step has several forms, ours that of the paper."""
    return optax.contrib.dog(learning_rate, ("distance", init_distance), *args)


def scale_by_rprop(*args):
    """optax's Rprop makes each step one call late; but its state has the step of this call."""
    opt = optax.scale_by_rprop(*args)

    def update(updates, state, params=None):
        state = opt.update(updates, state)[1]
        return state.prev_updates, state

    return optax.GradientTransformation(opt.init, update)


def rprop(*args):
    return optax.chain(scale_by_rprop(*args), optax.scale(-1.0))


class Slow(NamedTuple):
    """optax's lookahead has the slow parameters beside the fast ones; ours in the state."""

    inner: Any
    slow: Any


def lookahead(*args, **options):
    opt = optax.lookahead(*args, **options)

    def init(params):
        return Slow(opt.init(optax.LookaheadParams(params, params)), params)

    def update(updates, state, params=None):
        both = optax.LookaheadParams(fast=params, slow=state.slow)
        updates, inner = opt.update(updates, state.inner, both)
        return updates.fast, Slow(inner, optax.apply_updates(state.slow, updates.slow))

    return optax.GradientTransformation(init, update)


def params_ema(inner, decay):
    """optax has averages of updates, of which one of parameters is made by hand."""
    mean = optax.ema(decay, debias=True)

    def init(params):
        return inner.init(params), mean.init(params), params

    def update(updates, state, params=None):
        updates, inner_state = inner.update(updates, state[0], params)
        average, mean_state = mean.update(optax.apply_updates(params, updates), state[1])
        return updates, (inner_state, mean_state, average)

    return optax.GradientTransformation(init, update)


def namespace(dtype: Any) -> SimpleNamespace:
    """optax's functions by our names; what it accumulates is of the parameters' dtype."""
    return SimpleNamespace(
        **vars(optax.schedules)
        | vars(optax.contrib)
        | vars(optax)
        | {
            "adafactor": functools.partial(optax.adafactor, dtype_momentum=None),
            "bias_correction": bias_correction,
            "dog": dog,
            "lookahead": lookahead,
            "MultiSteps": functools.partial(optax.MultiSteps, accumulator_dtype=dtype),
            "optimistic_adam": optax.optimistic_adam_v2,
            "params_average": lambda state: state[2],
            "params_ema": params_ema,
            "rprop": rprop,
            "scale_by_rprop": scale_by_rprop,
        }
    )


def widened(state: Any) -> Any:
    """The state with counts of 64 bits; but for those that optax itself wants in 32."""

    def wide(x):
        return x.astype(jnp.int64) if getattr(x, "dtype", None) == jnp.int32 else x

    return jax.tree.map(
        wide, state, is_leaf=lambda x: isinstance(x, optax.contrib.ReduceLROnPlateauState)
    )


def path(case: Any, recipe: Recipe) -> Any:
    """What a case reads after the steps in `KEPT`: the like of `path_of_ours`.

    Of float32, too, JAX computes scalars in float64, as we do, but for line searches, which are of
    one dtype.
    """
    double = np.finfo(recipe.start.dtype).bits == 64
    with jax.enable_x64(double or case.kind != "search"):
        return _path(case, recipe, widened if double else lambda state: state)


def _path(case: Any, recipe: Recipe, wide: Any) -> Any:
    lib = namespace(recipe.start.dtype)
    opt = optax.with_extra_args_support(case.make(lib))
    params = jax.tree.map(jnp.asarray, unpack(recipe.start))
    curve, noise = jnp.asarray(recipe.curve), jnp.asarray(recipe.noise)

    def step(carry, noise):
        params, state = carry

        def loss(params):
            return value(pack(params, jnp), curve, noise)

        if case.kind == "search":
            height, grads = lib.value_and_grad_from_state(loss)(params, state=state)
            grads = jax.tree.map(jnp.conj, grads)
        else:
            x = pack(params, jnp)
            height, grads = loss(params), unpack(ascent(x, curve, noise))
        # complex optimizers of optax want the direction of ascent
        updates, state = opt.update(grads, state, params, value=height, grad=grads, value_fn=loss)
        params = lib.apply_updates(params, updates)
        return (params, wide(state)), (case.read(lib, params, state) if case.read else params)

    seen = jax.lax.scan(step, (params, wide(opt.init(params))), noise)[1]
    rows = [np.asarray(seen[k])[np.array(KEPT) - 1].reshape(len(KEPT), -1) for k in SHAPES]
    return np.concatenate(rows, axis=1).astype(recipe.start.dtype)


def schedule_values(make: Any) -> Any:
    """A schedule's values at `COUNTS`, in float64."""
    with jax.enable_x64(True):
        schedule = make(namespace(np.float64))
        return np.array([schedule(jnp.asarray(n, float)) for n in COUNTS], float)


def search_results(make: Any) -> Any:
    """What a line search finds, in float64."""
    with jax.enable_x64(True):
        return results(namespace(np.float64), make, jnp, jax.vmap)
