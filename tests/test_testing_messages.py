"""What the checks of fgrad.testing say and take, and those of vmap, graphs and dtypes."""

from __future__ import annotations

import functools
import pickle

import numpy as np
import pytest

import fgrad
from fgrad.core import PRIMITIVES
from fgrad.errors import ArgumentError, TreeError
from fgrad.testing import (
    CheckError,
    Verdict,
    check_dtypes,
    check_grads,
    check_jvp,
    check_staging,
    check_vjp,
    check_vmap,
    taylor,
)

from .breaking import broken, made, reverse, wrong

X = np.linspace(0.3, 1.7, 6).reshape(2, 3)


# ------------------------------------------------------------------ what the message says
def test_the_message_has_the_leaf_the_direction_and_the_numbers():
    def f(p):
        return {"y": np.sin(p["w"]) + p["b"], "z": p["b"] ** 2}

    def f_jvp(args, tangents):
        (p,), (t,) = args, tangents
        dw = np.cos(p["w"]) * t["w"]
        dw[1, 2] += 0.5 * t["w"][1, 2]
        return f(p), {"y": dw + t["b"], "z": 2 * p["b"] * t["b"]}

    with pytest.raises(CheckError) as info:
        check_jvp(f, f_jvp, ({"w": X, "b": 2.0},))
    error = info.value
    assert error.path == "args[0]['w'][1, 2]"
    assert isinstance(error, AssertionError)
    first, second, third = str(error).split("\n  ", 2)
    assert first.startswith("The jvp of `f` (")
    assert "is wrong in args[0]['w'][1, 2]" in first
    assert "the Taylor remainder falls like h^1.0" in first
    assert f"{np.cos(1.7) + 0.5:.9g}" in second
    assert f"where differences give {np.cos(1.7):.6g}" in second
    assert "at result['y'][1, 2]" in second
    assert "in the direction [[0., 0., 0.], [0., 0., 1.]]" in second
    assert third.startswith("To do: ")
    with pytest.raises(CheckError, match=r"^The spam is wrong"):
        check_jvp(f, f_jvp, ({"w": X, "b": 2.0},), err_msg="spam")


def test_an_error_survives_pickling():
    error = CheckError("wanted.", "came", "do", Verdict.KINK, "args[0]")
    again = pickle.loads(pickle.dumps(error))
    assert (again.verdict, again.path, str(again)) == (Verdict.KINK, "args[0]", str(error))


def test_shapes_dtypes_structures_and_values_of_what_users_give():
    def claims(value, tangent):
        return lambda args, tangents: (value, tangent)

    for y, t, text in [
        (np.tanh(X), np.ones(3), "The tangent .* shape and dtype"),
        (np.tanh(X), np.ones((2, 3), np.float32), "The tangent .* shape and dtype"),
        (np.tanh(X), [np.ones((2, 3))], "The tangent .* structure"),
        (np.sinh(X), np.ones((2, 3)), "gives other numbers than the function"),
    ]:
        with pytest.raises(CheckError, match=text):
            check_jvp(np.tanh, claims(y, t), (X,))
    for ct, text in [
        ((np.ones(3),), "The cotangent .* shape and dtype"),
        ((np.ones((2, 3), np.float16),), "The cotangent .* shape and dtype"),
    ]:
        with pytest.raises(CheckError, match=text):
            check_vjp(np.tanh, lambda x, ct=ct: (np.tanh(x), lambda g: ct), (X,))
    with pytest.raises(TreeError, match="cotangents with the structure"):
        check_vjp(np.tanh, lambda x: (np.tanh(x), lambda g: (g, g)), (X,))


def test_what_is_no_call_of_a_check():
    with pytest.raises(ArgumentError, match="arguments of the function as a tuple"):
        check_grads(np.tanh, X)
    with pytest.raises(ArgumentError, match="modes as a tuple"):
        check_grads(np.tanh, (X,), modes="fwd")
    with pytest.raises(ArgumentError, match="modes as a tuple"):
        check_grads(np.tanh, (X,), modes=("forward",))
    with pytest.raises(ArgumentError, match="wants a function"):
        check_grads(np.tanh(X), (X,))
    with pytest.raises(TreeError, match="tangents with the structure"):
        taylor(np.tanh, (X,), (X, X))
    with pytest.raises(ArgumentError, match="one entry of in_axes"):
        check_vmap(np.tanh, (X,), in_axes=(0, 0))


def test_the_signatures_of_jax():
    f = functools.partial
    check_jvp(np.tanh, f(fgrad.jvp, np.tanh), (X,), 1e-6, 1e-6, 1e-4)
    check_vjp(np.tanh, f(fgrad.vjp, np.tanh), (X,), 1e-6, 1e-6, 1e-4)
    check_grads(np.tanh, (X,), 2, ("fwd", "rev"), 1e-6, 1e-6, 1e-3)
    with pytest.raises(CheckError):
        check_jvp(np.tanh, made(np.tanh, 1.001), (X,), 1e-5, 1e-5, 1e-4)
    check_jvp(np.tanh, made(np.tanh, 1.001), (X,), 1e-2, 1e-2, 1e-4)


# ------------------------------------------------------------------ vmap, graphs, dtypes
def test_vmap_is_checked_for_each_choice_and_axis():
    check_vmap(np.matmul, (X, X.T))
    check_vmap(np.matmul, (X, X.T), in_axes=(None, -1))
    check_vmap(lambda p, i: fgrad.numpy.take(p["w"], i, axis=0), ({"w": X}, np.array([0, 1, 1])))
    check_vmap(lambda p, n: p["w"] * p["b"] * n, ({"w": X, "b": 2.0}, 3), ({"w": 1, "b": 0}, None))
    check_vmap(fgrad.grad(lambda x: np.sum(np.sin(x))), (X,))
    check_vmap(np.add, (X, X), calls=[(X + 1, X - 1)])
    check_vmap(lambda a, b, c, d, e: a + b * c - d / e, (X,) * 5)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda y: np.flip(y, 0), "gives other numbers than the stack"),
        (lambda y: y[:1] + 0 * y, "gives other numbers than the stack"),
        (lambda y: y.astype(np.float32), "must have the shape and dtype of the stack"),
        (lambda y: y[..., None], "must have the shape and dtype of the stack"),
    ],
)
def test_a_wrong_batch_rule(change, text):
    p = PRIMITIVES["cumsum"]
    with (
        broken(p, batch=wrong(p.batch, change)),
        pytest.raises(CheckError, match=rf"vmap of .* over args\[0\], \d elements, {text}"),
    ):
        check_vmap(np.cumsum, (X,))


def test_staging_is_checked_on_other_data():
    check_staging(lambda x, n: np.sum(np.tanh(x) ** n), (X, 2))
    seen = []

    def remembers(x):
        seen.append(np.sum(X) * len(seen))
        return x + seen[-1]

    with pytest.raises(CheckError, match="gives other numbers than the function"):
        check_staging(remembers, (X,))


def test_dtypes_are_checked():
    check_dtypes(lambda x: np.mean(x * np.float64(2.0)), (X,))
    check_dtypes(np.linalg.inv, (np.eye(2) * 2,))  # NumPy has no float16 for it
    check_dtypes(lambda z: np.abs(z) ** 2, (X + 1j * X,))


def test_digits_that_are_lost():
    def coarse(c):
        return c.astype(np.float16).astype(c.dtype)

    p = PRIMITIVES["sin"]
    check_dtypes(np.sin, (X,))
    with (
        broken(p, **reverse(p, lambda c: coarse(c) if c.dtype == np.float32 else c)),
        pytest.raises(CheckError, match="of float32 gives other numbers than the cotangents"),
    ):
        check_dtypes(np.sin, (X,))


def test_a_value_of_another_dtype():
    def f(x):
        return x if type(x) is np.ndarray else x * np.ones(3)

    with pytest.raises(CheckError, match=r"value under jvp .* must have the shape and dtype"):
        check_dtypes(f, (np.float32([1, 2, 3]),), [np.float32])
