"""Functional transformations of plain NumPy and CuPy functions."""

from __future__ import annotations

import typing as _typing
from importlib import import_module as _import_module
from typing import Any as _Any

from . import errors as errors
from . import mappers as mappers
from . import ops as ops
from . import recorders as recorders
from . import tree as tree
from .batch import vmap as vmap
from .choosing import select as select
from .collectives import all_gather as all_gather
from .collectives import axis_index as axis_index
from .collectives import pmax as pmax
from .collectives import pmean as pmean
from .collectives import pmin as pmin
from .collectives import psum as psum
from .curvature import elementwise_grad as elementwise_grad
from .curvature import hessian as hessian
from .curvature import hessian_diagonal as hessian_diagonal
from .curvature import hvp as hvp
from .curvature import laplacian as laplacian
from .curvature import value_and_hessian as value_and_hessian
from .curvature import value_grad_hvp as value_grad_hvp
from .custom import stop_gradient as stop_gradient
from .custom_rules import custom_jvp as custom_jvp
from .custom_rules import custom_vjp as custom_vjp
from .derivatives import grad as grad
from .derivatives import jvp as jvp
from .derivatives import value_and_grad as value_and_grad
from .derivatives import vjp as vjp
from .jacobians import jacfwd as jacfwd
from .jacobians import jacobian as jacobian
from .jacobians import jacrev as jacrev
from .jacobians import value_and_jacfwd as value_and_jacfwd
from .jacobians import value_and_jacrev as value_and_jacrev
from .ops.update import at as at
from .rules import constant as constant
from .rules import elementwise as elementwise
from .rules import linear as linear
from .rules import multilinear as multilinear
from .rules import primitive as primitive
from .stage import make_graph as make_graph

if _typing.TYPE_CHECKING:  # what is imported when it is first asked for, as `_LATER` says it too
    from . import checkpoint_policies as checkpoint_policies
    from . import debug as debug
    from . import distributed as distributed
    from . import numpy as numpy
    from . import random as random
    from .blackbox import external as external
    from .callbacks import io_callback as io_callback
    from .callbacks import pure_callback as pure_callback
    from .checkpointing import checkpoint as checkpoint
    from .checkpointing import checkpoint_name as checkpoint_name
    from .compiler.backends import jit_backend as jit_backend
    from .compiler.jitted import jit as jit
    from .control import associative_scan as associative_scan
    from .control import cond as cond
    from .control import fori_loop as fori_loop
    from .control import map as map
    from .control import scan as scan
    from .control import switch as switch
    from .control import while_loop as while_loop
    from .conversion import closure_convert as closure_convert
    from .custom_batching import custom_vmap as custom_vmap
    from .custom_batching import sequential_vmap as sequential_vmap
    from .custom_gradients import custom_gradient as custom_gradient
    from .debug import debug_nans as debug_nans
    from .debug import explain_nonfinite as explain_nonfinite
    from .debug import profile as profile
    from .drawing import draw as draw
    from .gauss_newton import gnvp as gnvp
    from .graph import Graph as Graph
    from .linearization import linear_transpose as linear_transpose
    from .linearization import linearize as linearize
    from .scopes import named_scope as named_scope
    from .shapes import ShapeDtypeStruct as ShapeDtypeStruct
    from .shapes import eval_shape as eval_shape
    from .solutions import argmin as argmin
    from .solutions import custom_linear_solve as custom_linear_solve
    from .solutions import custom_root as custom_root
    from .solutions import fixed_point as fixed_point
    from .solutions import root as root
    from .solutions.implicit import implicit as implicit
    from .taylor import jet as jet

    __version__: str

#: Modules, and the public names in them, that wait until a program asks for one: all of them at
#: once would take three times as long to import, and most programs need few.
_LATER: dict[str, tuple[str, ...]] = {
    "blackbox": ("external",),
    "callbacks": ("io_callback", "pure_callback"),
    "checkpointing": ("checkpoint", "checkpoint_name"),
    "compiler.backends": ("jit_backend",),
    "compiler.jitted": ("jit",),
    "control": ("associative_scan", "cond", "fori_loop", "map", "scan", "switch", "while_loop"),
    "conversion": ("closure_convert",),
    "custom_batching": ("custom_vmap", "sequential_vmap"),
    "custom_gradients": ("custom_gradient",),
    "debug": ("debug_nans", "explain_nonfinite", "profile"),
    "drawing": ("draw",),
    "gauss_newton": ("gnvp",),
    "graph": ("Graph",),
    "linearization": ("linear_transpose", "linearize"),
    "scopes": ("named_scope",),
    "shapes": ("ShapeDtypeStruct", "eval_shape"),
    "solutions": ("argmin", "custom_linear_solve", "custom_root", "fixed_point", "root"),
    "solutions.implicit": ("implicit",),
    "taylor": ("jet",),
}  # fmt: skip
_SUBMODULES = frozenset({"checkpoint_policies", "debug", "distributed", "numpy", "random"})
_OPEN = _SUBMODULES | {"errors", "scipy", "sparse", "testing", "tree"}
_HOMES = {name: module for module, names in _LATER.items() for name in names}


if not _typing.TYPE_CHECKING:  # to type checkers it would say that fgrad has every name

    def __getattr__(name: str) -> _Any:
        if name in _HOMES:
            value = getattr(_import_module(f".{_HOMES[name]}", __name__), name)
        elif name in _SUBMODULES:
            value = _import_module(f".{name}", __name__)
        elif name == "__version__":
            value = _version()
        else:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    """The public names, for completion; fgrad's own modules are there, and not among them."""
    found = {n: x for n, x in globals().items() if n != "annotations"}
    inner = {n for n, x in found.items() if isinstance(x, type(_typing)) and n not in _OPEN}
    return sorted({*found, *_HOMES, *_SUBMODULES, "__version__"} - inner)


def _version() -> str:
    metadata = _import_module("importlib.metadata")  # slow to import, and seldom asked for
    try:
        return str(metadata.version("fgrad"))
    except metadata.PackageNotFoundError:  # run from a source tree that isn't installed
        return "0+unknown"
