"""Which arguments a transformation differentiates in, and whether it can."""

from __future__ import annotations

import functools
import inspect
import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from . import tree
from .arrays import INEXACT, is_a, is_cupy, ndarray
from .core import check_function, is_traceable, refuse_finished
from .errors import ArgumentError, DtypeError, describe, name_of
from .moving import check_one_device


class Selection:
    """The arguments chosen by ``argnums`` and ``argnames``, wherever a call puts them."""

    def __init__(self, f: Callable[..., Any], argnums: Any, argnames: Any, name: str) -> None:
        check_function(f, name)
        if argnums is None and argnames is None:
            argnums = 0
        self.f, self.name = f, name
        self.positions = self._integers(argnums)
        self.names = (argnames,) if isinstance(argnames, str) else tuple(argnames or ())
        if not all(isinstance(n, str) for n in self.names):
            raise ArgumentError(
                f"{name} wants argnames as a string or several.",
                repr(argnames),
                "write argnames='w' or argnames=('w', 'b'); positions go into argnums",
            )
        several = isinstance(argnums, (tuple, list)) or not (
            argnames is None or isinstance(argnames, str)
        )
        self.single = not several and len(self.positions) + len(self.names) == 1
        #: The common case: the only argument, at this position; -1 in any other.
        self.position = self.positions[0] if self.single and self.positions else -1

    def _integers(self, argnums: Any) -> tuple[int, ...]:
        if argnums is None:
            return ()
        try:
            many = argnums if isinstance(argnums, (tuple, list)) else (argnums,)
            if any(is_a(i, bool) for i in many):
                raise TypeError
            return tuple(operator.index(i) for i in many)
        except TypeError:
            raise ArgumentError(
                f"{self.name} wants argnums as an integer or several.",
                repr(argnums),
                "write argnums=0 or argnums=(0, 1); names go into argnames",
            ) from None

    @functools.cached_property
    def parameters(self) -> list[str]:
        """The names of f's parameters, as far as they can be known."""
        try:
            return list(inspect.signature(self.f).parameters)
        except (TypeError, ValueError):  # some built-in functions have no signature
            return []

    def locate(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[int | str]:
        """Where the chosen arguments stand in this call: positions and keywords."""
        places: list[int | str] = []
        for i in self.positions:
            k = i + len(args) if i < 0 else i
            if 0 <= k < len(args):
                places.append(k)
            elif 0 <= k < len(self.parameters) and self.parameters[k] in kwargs:
                places.append(self.parameters[k])
            else:
                raise ArgumentError(
                    f"{self.name} wants argnums among the arguments of {name_of(self.f)}.",
                    f"argnums {i} in a call with {len(args)} positional arguments"
                    + (f" and the keywords {', '.join(kwargs)}" if kwargs else ""),
                    "count the arguments from 0, or choose by name with argnames",
                )
        for name in self.names:
            if name in kwargs:
                places.append(name)
            elif name in self.parameters and self.parameters.index(name) < len(args):
                places.append(self.parameters.index(name))
            else:
                raise ArgumentError(
                    f"{self.name} wants argnames among the arguments of {name_of(self.f)}.",
                    f"argnames {name!r} in a call with {len(args)} positional arguments"
                    + (f" and the keywords {', '.join(kwargs)}" if kwargs else ""),
                    "pass the argument; an argument left at its default is not differentiated",
                )
        if len(set(places)) != len(places):
            raise ArgumentError(
                f"{self.name} wants each argument chosen once.",
                f"argnums {self.positions} and argnames {self.names}",
                "name each argument once, in argnums or in argnames",
            )
        return places

    def take(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """The chosen argument, or the tuple of them."""
        k = self.position
        if 0 <= k < len(args):
            return args[k]
        chosen = [kwargs[p] if isinstance(p, str) else args[p] for p in self.locate(args, kwargs)]
        return chosen[0] if self.single else tuple(chosen)

    def put(
        self, args: tuple[Any, ...], kwargs: dict[str, Any], new: Any
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The call with other values for the chosen arguments."""
        k = self.position
        if 0 <= k < len(args):
            return (*args[:k], new, *args[k + 1 :]), kwargs
        out, keywords = list(args), dict(kwargs)
        places = self.locate(args, kwargs)
        for p, x in zip(places, (new,) if self.single else new, strict=True):
            if isinstance(p, str):
                keywords[p] = x
            else:
                out[p] = x
        return tuple(out), keywords


def check_differentiable(
    leaves: Sequence[Any],
    chosen: Any,
    name: str,
    allow_int: bool = False,
    holomorphic: bool = False,
) -> list[int] | None:
    """Whether the leaves have derivatives: the numbers of those that have, or None for all.

    Raises:
        DtypeError: a leaf has none (and ``allow_int`` is false); names its path.
    """
    for x in leaves:
        if type(x) is not float and (type(x) is not ndarray or x.dtype.kind not in INEXACT):
            break
    else:
        if not holomorphic:
            return None
    if any(map(is_cupy, leaves)):
        check_one_device(chosen, name)
    active, bad = [], []
    for i, (path, x) in enumerate(tree.leaves_with_path(chosen)):
        refuse_finished(x, name)
        dtype = getattr(x, "dtype", None)
        if dtype is None and is_a(x, (float, complex)):
            dtype = np.result_type(type(x))
        if is_traceable(x) and dtype is not None and dtype.kind in INEXACT:
            if holomorphic and dtype.kind != "c":
                raise DtypeError(
                    f"{name} with holomorphic=True wants complex arguments.",
                    f"{describe(x)}{_at(path)}",
                    "convert it with .astype(complex), or leave holomorphic=False",
                )
            active.append(i)
        elif not allow_int or (is_a(x, ndarray) and not is_traceable(x)):
            bad.append((path, x))
    if bad:
        listed = [f"{describe(x)}{_at(path)}" for path, x in bad[:4]]
        more = [f"and {len(bad) - 4} more"] if len(bad) > 4 else []
        raise DtypeError(
            f"{name} wants real or complex arrays as the leaves of a differentiated argument.",
            "; ".join(listed + more),
            _ways_out(bad[0][1], name),
        )
    return active if len(active) < len(leaves) else None


def _at(path: Any) -> str:
    return f" at {tree.path_str(path)}" if path else ""


def _ways_out(x: Any, name: str) -> str:
    """What to do about a leaf that has no derivative."""
    if is_a(x, ndarray) and not is_traceable(x):
        return (
            "pass np.asarray(x): fgrad computes with plain arrays, and what a subclass adds is lost"
        )
    if not is_traceable(x) and hasattr(x, "__array__"):
        return "pass its values as an array: x.to_numpy() or np.asarray(x)"
    convert = "convert it to a float (x.astype(float), 2.0 for 2), " if is_traceable(x) else ""
    if name in ("jvp", "hvp", "value_grad_hvp"):
        return convert + "or pass None for its tangent"
    if name in ("vjp", "gnvp", "linearize", "linear_transpose"):
        return convert + "or capture it in a lambda instead of passing it"
    if name == "elementwise_grad":
        return convert + "or pass it in an argument that is not differentiated"
    return convert + (
        "pass it in an argument that is not differentiated, or set allow_int=True, which makes "
        "its gradient None"
    )


#: The usual dtypes, in this machine's byte order.
_NATIVE = frozenset(map(np.dtype, "fdFD"))
#: The structure of an argument that is a leaf by itself.
LEAF = tree.structure(0.0)


def open_argument(
    chosen: Any, name: str, allow_int: bool = False, holomorphic: bool = False
) -> tuple[Any, Any, list[int] | None]:
    """The leaves of a differentiated argument, its structure, and `check_differentiable` of it.

    The structure of a plain list of arrays is None: it is its own list of leaves, and finding
    that out is quicker than flattening it. That of an array by itself is `LEAF`.
    """
    if type(chosen) is list and chosen and not holomorphic:
        for x in chosen:
            if type(x) is not ndarray or x.dtype not in _NATIVE:
                break
        else:
            return chosen, None, None
    elif type(chosen) is ndarray and chosen.dtype in _NATIVE and not holomorphic:
        return [chosen], LEAF, None
    leaves, structure = tree.flatten(chosen)
    return leaves, structure, check_differentiable(leaves, chosen, name, allow_int, holomorphic)
