"""What users hand to a transformation, checked: results, tangents, cotangents, and exceptions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from . import tree
from .arrays import INEXACT, is_a, shape_of
from .core import Tracer, is_traceable, refuse_finished
from .errors import (
    ArgumentError,
    DtypeError,
    ShapeError,
    TracerConversionError,
    describe,
    name_of,
)

READ_ONLY = (
    "fgrad holds this array read-only: an operation of the function that is being differentiated "
    "has saved it for the backward pass. Write to a copy (x.copy()), or make the changed array "
    "anew."
)


def run(trace: Any, f: Callable[..., Any], args: Any, kwargs: Any) -> Any:
    """Call the user's function; explain NumPy's complaints about traced elements."""
    try:
        return f(*args, **kwargs)
    except ValueError as e:
        explain(e, trace, f)
        raise


def explain(e: ValueError, trace: Any, f: Callable[..., Any]) -> None:
    """Say in our words what NumPy says about held arrays and traced elements of plain ones."""
    cause = e.__cause__
    if isinstance(cause, TracerConversionError):
        if "an array element" not in str(e) or "fgrad.scipy" in cause.to_do:  # SciPy's complaint
            raise TracerConversionError(*cause.args) from cause
        raise TracerConversionError(
            "An element of a plain array cannot hold a traced value: its derivative would be lost.",
            f"a[i] = x with a traced x, inside {name_of(f)}",
            "make the array of its elements: np.stack([x, y]) or fgrad.numpy.array([x, 1.0]); "
            "or a changed copy: a = fgrad.at(a)[i].set(x)",
        ).with_traceback(e.__traceback__) from cause
    held = getattr(trace, "holds", None) and "read-only" in str(e)
    if held and READ_ONLY not in getattr(e, "__notes__", ()):
        e.add_note(READ_ONLY)


def pair(out: Any, name: str) -> tuple[Any, Any]:
    """The result of a function that a transformation was given with ``has_aux=True``."""
    if not (isinstance(out, tuple) and len(out) == 2):
        raise ArgumentError(
            f"{name} with has_aux=True wants a function that returns a pair (value, aux).",
            say(out),
            "return value, aux",
        )
    return out


def check_tuples(name: str, primals: Any, tangents: Any) -> None:
    """Refuse primals and tangents that aren't tuples with an entry for each argument."""
    for what, x in (("primals", primals), ("tangents", tangents)):
        if not isinstance(x, (tuple, list)):
            raise ArgumentError(
                f"{name} wants {what} as a tuple with an entry for each argument.",
                say(x),
                f"for a single argument write ({what[:-1]},)",
            )


def say(x: Any) -> str:
    """`describe`, and containers by their length."""
    if isinstance(x, (tuple, list, dict)):
        return f"a {type(x).__name__} of {len(x)}"
    return describe(x)


def check_scalar(value: Any, f: Callable[..., Any], holomorphic: bool, name: str) -> None:
    """Refuse what has no gradient: anything but a real (or wanted complex) scalar."""
    x: Any = value
    if isinstance(value, Tracer) and not (x.shape or holomorphic) and x.dtype.kind == "f":
        refuse_finished(value, name)
        return
    wanted = (
        f"{name} wants a function that returns a {'complex' if holomorphic else 'real'} scalar; "
        f"{name_of(f)} does not."
    )
    if not is_traceable(value):
        raise DtypeError(
            wanted,
            say(value),
            "return one number, such as np.sum of an array; for other results, "
            "(value, rest) with has_aux=True",
        )
    refuse_finished(value, name)
    if shape_of(value) != ():
        raise ShapeError(
            wanted,
            describe(value),
            "return one number, such as np.sum or np.mean of it; for derivatives of arrays use "
            "fgrad.jacrev, fgrad.jacfwd or fgrad.vjp",
        )
    kind = value.dtype.kind if hasattr(value, "dtype") else np.result_type(type(value)).kind
    if kind == "c" and not holomorphic:
        raise DtypeError(
            wanted,
            describe(value),
            "return its real part or absolute value; set holomorphic=True for the complex "
            "derivative of a holomorphic function; use fgrad.vjp for anything else",
        )
    if kind not in INEXACT:
        raise DtypeError(
            wanted,
            describe(value),
            "return a floating-point number that depends on the argument: counts, comparisons "
            "and what is rounded to integers have no derivative",
        )
    if holomorphic and kind != "c":
        raise DtypeError(wanted, describe(value), "set holomorphic=False")


def check_arrays(outs: Sequence[Any], out: Any, f: Callable[..., Any], name: str) -> None:
    """Refuse a result that is no pytree of arrays, or that holds tracers of the past.

    ``()`` is one, of no arrays; None is what a function returns that forgot to.
    """
    if out is not None and all(is_traceable(y) for y in outs):
        for y in outs:
            refuse_finished(y, name)
        return
    path, bad = next(
        ((p, y) for p, y in tree.leaves_with_path(out) if not is_traceable(y)), ((), out)
    )
    where = f" at {tree.path_str(path)}" if path else ""
    raise DtypeError(
        f"{name} wants a function that returns arrays in pytrees; {name_of(f)} does not.",
        f"{say(bad)}{where}",
        "return arrays and numbers; anything else goes into aux, with has_aux=True",
    )


def check_like(t: Any, a: Any, name: str, what: str, path: str, primal: str = "its primal") -> None:
    """Refuse a tangent or cotangent that isn't of its primal's shape and dtype.

    Args:
        t: the tangent or cotangent, whatever it may be.
        a: the shape and dtype that it is to have.
        name: the public function that was called.
        what: what t is called.
        path: where it stands in its tree.
        primal: what it belongs to.
    """
    where = f" at {path}" if path else ""
    if not is_traceable(t) or shape_of(t) != a.shape:
        zero = "0.0" if a.shape == () else f"np.zeros({a.shape}, np.{a.dtype.name})"
        raise ShapeError(
            f"{name} wants a {what} of shape {a.shape}{where}, that of {primal}.",
            say(t),
            f"pass an array of that shape; {zero} where there is none"
            + (" (None is no zero)" if t is None else ""),
        )
    refuse_finished(t, name)
    if hasattr(t, "dtype") and t.dtype != a.dtype:
        if t.dtype.newbyteorder("=") == a.dtype.newbyteorder("="):
            return
        raise DtypeError(
            f"{name} wants a {what} of dtype {a.dtype}{where}, that of {primal}.",
            describe(t),
            f"convert it with .astype(np.{a.dtype.name})"
            if a.dtype.kind in INEXACT
            else "convert the primal to a float: an integer has no derivative",
        )
    if not hasattr(t, "dtype") and is_a(t, complex) and a.dtype.kind != "c":
        raise DtypeError(
            f"{name} wants a real {what}{where}, as {primal} is.",
            describe(t),
            "pass its real part",
        )
