"""The libraries that are compared, each as an adapter from a workload to a call without arguments.

An adapter gets everything ready (converts the data, wraps the function) and returns ``(call,
convert)``: ``call()`` is what is timed, ``convert(result)`` makes NumPy arrays of what it returned.
It raises `Unsupported` where the library has no such derivative, ImportError if it isn't installed.
"""

from __future__ import annotations

import importlib
import shutil
import warnings
from collections.abc import Callable
from importlib import metadata
from typing import Any

import numpy as np

Ready = tuple[Callable[[], Any], Callable[[Any], Any]]


class Unsupported(Exception):
    """The library can't do this."""


def same(result: Any) -> Any:
    """The result is NumPy already."""
    return result


def tree_map(fn: Callable[[Any], Any], tree: Any) -> Any:
    """Apply to each array of nested lists and tuples."""
    if isinstance(tree, (list, tuple)):
        return [tree_map(fn, x) for x in tree]
    return fn(tree)


# ---------------------------------------------------------------- NumPy
def hand(work: Any) -> Ready:
    """The workload's own derivative, in NumPy."""
    extra = () if work.direction is None else (work.direction,)
    return lambda: work.hand(work.params, *work.data, *extra), same


def fgrad(work: Any) -> Ready:
    """fgrad, on plain `numpy`."""
    fn, arguments = _fgrad_function(work)
    return lambda: fn(*arguments), same


def fgrad_jit(work: Any) -> Ready:
    """fgrad.jit, compiled before it is timed."""
    import fgrad as fg

    fn, arguments = _fgrad_function(work)
    compiled = fg.jit(fn)
    return lambda: compiled(*arguments), same


def _fgrad_function(work: Any) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """The derivative, and what it is called with."""
    import fgrad as fg

    params, data, v = work.params, work.data, work.direction
    loss = work.loss(np)
    if work.want == "value_and_grad":
        return fg.value_and_grad(loss), (params, *data)
    gradient = fg.grad(loss)
    if work.want == "hvp_forward":
        forward = lambda w, v, *data: fg.jvp(lambda w: gradient(w, *data), (w,), (v,))[1]  # noqa: E731
        return forward, (params, v, *data)
    product = fg.grad(lambda w, v, *data: np.sum(gradient(w, *data) * v))
    return product, (params, v, *data)


def autograd(work: Any) -> Ready:
    """HIPS autograd."""
    import autograd as ag
    import autograd.numpy as anp

    params, data, v = work.params, work.data, work.direction
    loss = work.loss(anp)
    if work.want == "value_and_grad":
        value_and_grad = ag.value_and_grad(loss)
        return lambda: value_and_grad(params, *data), same
    gradient = ag.grad(loss)
    if work.want == "hvp_forward":
        jvp = ag.make_jvp(lambda w: gradient(w, *data))
        return lambda: jvp(params)(v)[1], same
    product = ag.grad(lambda w: anp.sum(gradient(w, *data) * v))
    return lambda: product(params), same


def mygrad(work: Any) -> Ready:
    """MyGrad, which has first derivatives only."""
    import mygrad as mg

    if work.want != "value_and_grad":
        raise Unsupported("no second derivatives")
    loss = work.loss(mg)

    def call() -> Any:
        params = tree_map(mg.tensor, work.params)
        value = loss(params, *work.data)
        value.backward()
        return value.data, tree_map(lambda p: p.grad, params)

    return call, same


# ---------------------------------------------------------------- torch
def _torch_numpy(tree: Any) -> Any:
    return tree_map(lambda x: x.detach().numpy(), tree)


def torch_eager(work: Any) -> Ready:
    """Torch's usual autograd."""
    import torch

    torch.set_num_threads(1)
    params = tree_map(lambda p: torch.tensor(p, requires_grad=True), work.params)
    data = [torch.tensor(x) for x in work.data]
    loss = work.loss(torch)
    if work.want == "hvp_forward":
        raise Unsupported("reverse mode only")
    if work.want == "hvp_reverse":
        v = torch.tensor(work.direction)

        def product() -> Any:
            (g,) = torch.autograd.grad(loss(params, *data), params, create_graph=True)
            return torch.autograd.grad((g * v).sum(), params)[0]

        return product, _torch_numpy
    alone = not isinstance(params, list)

    def call() -> Any:
        value = loss(params, *data)
        gradient = torch.autograd.grad(value, params)
        return value, gradient[0] if alone else gradient

    return call, _torch_numpy


def torch_func(work: Any) -> Ready:
    """torch.func, torch's functional transformations."""
    import torch

    torch.set_num_threads(1)
    params = tree_map(torch.tensor, work.params)
    data = [torch.tensor(x) for x in work.data]
    loss = work.loss(torch)
    if work.want == "value_and_grad":
        grad_and_value = torch.func.grad_and_value(loss)
        return lambda: grad_and_value(params, *data)[::-1], _torch_numpy
    gradient, v = torch.func.grad(loss), torch.tensor(work.direction)
    if work.want == "hvp_forward":
        return (
            lambda: torch.func.jvp(lambda w: gradient(w, *data), (params,), (v,))[1],
            _torch_numpy,
        )
    product = torch.func.grad(lambda w: (gradient(w, *data) * v).sum())
    return lambda: product(params), _torch_numpy


def torch_compile(work: Any) -> Ready:
    """torch.compile of torch.func's derivative; it needs a compiler of C++."""
    import torch

    if work.want != "value_and_grad" or shutil.which("g++") is None:
        raise Unsupported("no compiler, or no such derivative")
    torch.set_num_threads(1)
    params = tree_map(torch.tensor, work.params)
    data = [torch.tensor(x) for x in work.data]
    compiled = torch.compile(torch.func.grad_and_value(work.loss(torch)))
    return lambda: compiled(params, *data)[::-1], _torch_numpy


# ---------------------------------------------------------------- JAX
def _jax_function(work: Any) -> tuple[Any, Callable[..., Any], Callable[[Any], Any]]:
    """JAX, the function of parameters and data, and what makes JAX arrays of a tree of arrays."""
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)
    loss = work.loss(jnp)
    if work.want == "value_and_grad":
        fn = jax.value_and_grad(loss)
    else:
        gradient, v = jax.grad(loss), jnp.asarray(work.direction)

        def hvp_forward(w: Any, *data: Any) -> Any:
            return jax.jvp(lambda w: gradient(w, *data), (w,), (v,))[1]

        def hvp_reverse(w: Any, *data: Any) -> Any:
            return jax.grad(lambda w: jnp.sum(gradient(w, *data) * v))(w)

        fn = hvp_forward if work.want == "hvp_forward" else hvp_reverse
    return jax, fn, lambda tree: tree_map(jnp.asarray, tree)


def _jax_numpy(tree: Any) -> Any:
    return tree_map(np.asarray, tree)


def jax_eager(work: Any) -> Ready:
    """JAX, one operation after the other."""
    jax, fn, to_jax = _jax_function(work)
    arguments = (to_jax(work.params), *to_jax(work.data))
    return lambda: jax.block_until_ready(fn(*arguments)), _jax_numpy


def jax_jit(work: Any) -> Ready:
    """jax.jit, compiled before it is timed, on JAX's own arrays."""
    jax, fn, to_jax = _jax_function(work)
    arguments, compiled = (to_jax(work.params), *to_jax(work.data)), jax.jit(fn)
    return lambda: jax.block_until_ready(compiled(*arguments)), _jax_numpy


def jax_jit_numpy(work: Any) -> Ready:
    """jax.jit, with NumPy arrays going in and coming out."""
    jax, fn, _ = _jax_function(work)
    compiled = jax.jit(fn)
    return lambda: jax.tree.map(np.asarray, compiled(work.params, *work.data)), same


#: Name in the tables -> what has to be installed, and the adapter.
PEERS: dict[str, tuple[str, Callable[[Any], Ready]]] = {
    "hand": ("numpy", hand),
    "fgrad": ("fgrad", fgrad),
    "fgrad.jit": ("fgrad", fgrad_jit),
    "autograd": ("autograd", autograd),
    "mygrad": ("mygrad", mygrad),
    "torch eager": ("torch", torch_eager),
    "torch.func": ("torch", torch_func),
    "torch.compile": ("torch", torch_compile),
    "jax eager": ("jax", jax_eager),
    "jax.jit": ("jax", jax_jit),
    "jax.jit, NumPy in and out": ("jax", jax_jit_numpy),
}

#: Peers whose arrays are NumPy's, which reports them to tracemalloc.
NUMPY_PEERS = ("hand", "fgrad", "fgrad.jit", "autograd", "mygrad")

#: Peers that compile, which takes time at the first call.
COMPILERS = ("fgrad.jit", "torch.compile", "jax.jit")


def installed(names: list[str]) -> dict[str, str]:
    """The peers of these names that can be imported, with the package each needs."""
    found = {}
    for name in names:
        package = PEERS[name][0]
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                importlib.import_module(package)
        except ImportError:
            continue
        found[name] = package
    return found


def versions(packages: list[str]) -> dict[str, str]:
    """Their versions, in the order given, each once."""
    out = {}
    for package in packages:
        try:
            out[package] = metadata.version(package)
        except metadata.PackageNotFoundError:  # fgrad, run from its source tree
            out[package] = str(getattr(importlib.import_module(package), "__version__", "?"))
    return out
