"""CuPy's functions with CuPy's signatures, computed by NumPy's of the same name.

An argument that CuPy doesn't know fails by construction, an array of NumPy's or a list where an
array is wanted fails as it does there, and what makes the host wait is counted.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from fgrad.arrays import is_a

from .array import SCALARS, checked_dtype, ndarray, unwrap, wrap
from .contract import signature
from .traffic import TRAFFIC

#: Functions for which the host waits, and how often.
WAITS = {
    "nonzero": 1, "flatnonzero": 1, "argwhere": 1, "unique": 1, "unique_all": 1,
    "unique_counts": 1, "unique_inverse": 1, "unique_values": 1, "compress": 1, "extract": 1,
    "delete": 1, "nanmax": 1, "nanmin": 1, "histogram": 4, "histogram2d": 4, "histogramdd": 4,
    "bincount": 1, "place": 1, "putmask": 1, "sliding_window_view": 1, "trim_zeros": 1,
    "setdiff1d": 1, "setxor1d": 1, "union1d": 1, "intersect1d": 1, "cond": 1, "lstsq": 1,
    "pinv": 1, "roots": 1, "isin": 0, "real_if_close": 1, "array_str": 1, "array_repr": 1,
    "array2string": 1, "matrix_rank": 0, "packbits": 0, "copyto": 0,
}  # fmt: skip

#: Parameters whose values are arrays.
ARRAYS = frozenset(
    (
        "a", "b", "x", "y", "v", "m", "arr", "ary", "array", "z", "val", "a1", "a2", "ar", "ar1",
        "ar2", "element", "p", "filt", "x1", "x2", "M", "f", "prototype", "choicelist",
    )
)  # fmt: skip
#: Functions that take Python's numbers in the place of an array.
NUMBERS = {
    "isclose", "allclose", "array_equal", "array_equiv", "linspace", "logspace", "clip",
    "nan_to_num", "searchsorted", "append", "heaviside", "atleast_1d", "atleast_2d", "atleast_3d",
    "kron", "shape", "ndim", "size", "result_type", "can_cast", "iscomplexobj", "isrealobj",
    "copyto", "full_like", "put", "fill_diagonal", "where", "round",
}  # fmt: skip
#: Functions whose truth value stays on the device.
TRUTHS = {"allclose", "array_equal", "array_equiv"}
#: Functions of numbers alone, some of whose parameters are called as arrays are elsewhere.
SIZES = {"eye", "tri", "bartlett", "blackman", "hamming", "hanning", "kaiser", "indices"}
#: Functions of a sequence of arrays, which is their first argument.
JOINS = {
    "concatenate", "concat", "stack", "vstack", "hstack", "dstack", "column_stack", "row_stack",
    "lexsort",
}  # fmt: skip
#: Functions that copy a list or an array of NumPy's to the device: their indices.
UPLOADS = {"take": 1, "put": 1, "compress": 0, "place": 2, "delete": 1}


def declare(name: str, text: str, fn: Callable[..., Any], home: str = "cupy") -> Callable[..., Any]:
    """A function with a signature, which calls ``fn`` on the arrays below."""
    sig = signature(text)

    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            bound = sig.bind(*args, **kwargs)
        except TypeError as e:
            raise TypeError(f"{name}() {e}") from None
        checked(name, bound)
        TRAFFIC.syncs += WAITS.get(name, 0)
        TRAFFIC.to_host += WAITS.get(name, 0)
        positional, keywords, out = _arguments(name, sig, bound)
        try:
            with np.errstate(all="ignore"):
                answer = fn(*positional, **keywords)
        except np._core._exceptions.UFuncTypeError as e:
            raise TypeError(str(e)) from None
        if out is not None:
            return out
        return based(wrap(np.bool_(answer) if name in TRUTHS else answer), bound.arguments)

    call.__name__ = call.__qualname__ = name
    call.__module__ = home
    call.__signature__ = sig  # type: ignore[attr-defined]
    return call


def based(answer: Any, arguments: Any) -> Any:
    """An answer that is a view of an argument, with the base that it has."""
    for x in arguments.values():
        if is_a(x, ndarray) and is_a(answer, ndarray):
            if answer._a is x._a:
                return x
            if np.may_share_memory(answer._a, x._a):
                answer.base = x if x.base is None else x.base
    return answer


def checked(name: str, bound: inspect.BoundArguments) -> None:
    """Refuse what is no array of this library where one is wanted."""
    for i, (parameter, x) in enumerate(bound.arguments.items()):
        if parameter == "dtype" and x is not None:
            checked_dtype(x)
        if is_a(x, np.ndarray) and UPLOADS.get(name) != i:
            raise TypeError(f"Unsupported type {type(x)}")
        if name in JOINS and i == 0:
            for y in x if is_a(x, (tuple, list)) else ():
                if not is_a(y, ndarray):
                    raise TypeError(f"Argument 'a' has incorrect type ({type(y)})")
        elif (
            parameter in ARRAYS
            and name not in SIZES
            and not is_a(x, ndarray)
            and UPLOADS.get(name) != i
        ):
            if is_a(x, SCALARS) and name in NUMBERS:
                continue
            if x is None and i > 0:
                continue
            raise TypeError(f"{name}: Argument '{parameter}' has incorrect type ({type(x)})")


def _arguments(
    name: str, sig: inspect.Signature, bound: inspect.BoundArguments
) -> tuple[list[Any], dict[str, Any], Any]:
    """What NumPy's function gets: positions for what has no default, names for the rest."""
    positional: list[Any] = []
    keywords: dict[str, Any] = {}
    out = None
    for i, (parameter, x) in enumerate(bound.arguments.items()):
        p = sig.parameters[parameter]
        if UPLOADS.get(name) == i and is_a(x, (list, tuple, np.ndarray)):
            TRAFFIC.to_device += 1
            x = np.asarray(x)
        else:
            x = unwrap(x)
        if p.kind is p.VAR_POSITIONAL:
            positional.extend(x)
        elif p.kind is p.VAR_KEYWORD:
            keywords.update({k: unwrap(y) for k, y in bound.arguments[parameter].items()})
        elif p.default is p.empty or p.kind is p.POSITIONAL_ONLY:
            positional.append(x)
        elif parameter == "out":
            out = bound.arguments["out"]
            if out is not None:
                keywords["out"] = x
        elif x is not p.default:
            keywords[parameter] = x
    return positional, keywords, out


# ------------------------------------------------------------------ what differs
def where(condition: Any, x: Any = None, y: Any = None) -> Any:
    if x is None and y is None:
        TRAFFIC.down()
        return wrap(np.nonzero(unwrap(condition)))
    if is_a(condition, np.ndarray) or not is_a(condition, ndarray):
        if is_a(condition, np.ndarray):
            raise TypeError(f"Unsupported type {type(condition)}")
        raise AttributeError(f"'{type(condition).__name__}' object has no attribute 'astype'")
    for v in (x, y):
        if not is_a(v, (ndarray, *SCALARS)):
            raise TypeError(f"Unsupported type {type(v)}")
    return wrap(np.where(condition._a, unwrap(x), unwrap(y)))


def take(a: Any, indices: Any, axis: Any = None, out: Any = None) -> Any:
    index = np.asarray(indices)
    n = np.size(a) if axis is None else np.shape(a)[axis]
    return np.take(a, np.mod(index, n) if index.size else index.astype(int), axis, mode="clip")


def einsum(*operands: Any, **kwargs: Any) -> Any:
    wrong = sorted(set(kwargs) - {"dtype", "optimize"})
    if wrong:
        raise TypeError(f"Did not understand the following kwargs: {wrong}")
    for x in operands:
        if not is_a(x, (str, ndarray, list, tuple)):
            raise TypeError(f"Unsupported type {type(x)}")
    kwargs.pop("optimize", None)
    answer = np.einsum(*unwrap(list(operands)), **kwargs)
    # Contractions come back from the library in its own order of axes.
    return wrap(np.asarray(answer, order="F"))


def put(a: Any, ind: Any, v: Any, mode: str = "wrap") -> None:
    np.put(a, ind, v, mode)


def size(a: Any, axis: Any = None) -> Any:
    return np.size(a, axis)


def _as_tuple(fn: Any) -> Any:
    return lambda *args, **kwargs: tuple(fn(*args, **kwargs))


def select(condlist: Any, choicelist: Any, default: Any = 0) -> Any:
    if not all(is_a(x, ndarray) for x in choicelist):
        raise TypeError("choicelist only accepts lists of cupy ndarrays")
    return wrap(np.select(unwrap(list(condlist)), unwrap(list(choicelist)), unwrap(default)))


def choose(a: Any, choices: Any, out: Any = None, mode: str = "raise") -> Any:
    if not is_a(choices, ndarray):
        raise AttributeError(f"'{type(choices).__name__}' object has no attribute 'shape'")
    return wrap(np.choose(unwrap(a), unwrap(choices), mode=mode))


def copyto(dst: Any, src: Any, casting: Any = "same_kind", where: Any = None) -> None:
    if is_a(src, np.ndarray) and src.ndim:
        raise ValueError("non-scalar numpy.ndarray cannot be used for copyto")
    mask = {} if where is None else {"where": unwrap(where)}
    np.copyto(unwrap(dst), src if is_a(src, np.ndarray) else unwrap(src), casting, **mask)


def apply_along_axis(func1d: Any, axis: Any, arr: Any, *args: Any, **kwargs: Any) -> Any:
    return wrap(
        np.apply_along_axis(lambda x: unwrap(func1d(wrap(x), *args, **kwargs)), axis, unwrap(arr))
    )


def apply_over_axes(func: Any, a: Any, axes: Any) -> Any:
    return wrap(np.apply_over_axes(lambda x, i: unwrap(func(wrap(x), i)), unwrap(a), axes))


def piecewise(x: Any, condlist: Any, funclist: Any) -> Any:
    return wrap(np.piecewise(unwrap(x), unwrap(condlist), funclist))


def diag(v: Any, k: int = 0) -> Any:
    return np.diag(v, k).copy()


def _gradient(f: Any, *varargs: Any, **kwargs: Any) -> Any:
    out = np.gradient(f, *varargs, **kwargs)
    return list(out) if is_a(out, tuple) else out


#: NumPy's counterparts that aren't simply those of the same name; they get NumPy's arrays.
PLAIN: dict[str, Any] = {
    "take": take, "put": put, "size": size, "diag": diag,
    "meshgrid": _as_tuple(np.meshgrid), "broadcast_arrays": _as_tuple(np.broadcast_arrays),
    "broadcast_to": lambda array, shape: np.broadcast_to(array, shape),
    "diagonal": lambda *args, **kwargs: _writable(np.diagonal(*args, **kwargs)),
    "sliding_window_view": np.lib.stride_tricks.sliding_window_view,
    "as_strided": np.lib.stride_tricks.as_strided,
    "row_stack": np.vstack, "gradient": _gradient,
    "unravel_index": lambda indices, dims, order="C": np.unravel_index(indices, dims, order),
    "asarray_chkfinite": np.asarray_chkfinite,
}  # fmt: skip
#: Functions that do it all themselves.
WHOLE: dict[str, Any] = {
    "where": where, "einsum": einsum, "select": select, "choose": choose, "copyto": copyto,
    "apply_along_axis": apply_along_axis, "apply_over_axes": apply_over_axes,
    "piecewise": piecewise,
}  # fmt: skip


def _writable(view: np.ndarray) -> np.ndarray:
    """A view that CuPy lets its users write through."""
    view.flags.writeable = True
    return view
