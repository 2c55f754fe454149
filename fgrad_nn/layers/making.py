"""What layers are made with: `layer`, `stateful_layer`, and the checks that all of them share.

A layer's `init` gets its input shape checked and its dtype given; its `apply` names as parameters
the keywords that it uses, and no others. Its parameters are a dict, {} if there are none.
"""

from __future__ import annotations

import functools
import inspect
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from fgrad.arrays import is_a
from fgrad.errors import ArgumentError, DtypeError, ShapeError, TreeError, describe
from fgrad.tracebacks import boundary

from ..types import AnyLayer, Layer, PyTree, StatefulLayer, name_of_apply

Shape = tuple[int, ...]
Pattern = tuple[int | str | None, ...]
"""A shape in which None stands for any length, and a name for one that is everywhere the same."""


@boundary
def layer(init: Callable[..., Any], apply: Callable[..., Any], *, name: str | None = None) -> Layer:
    """Make a layer of two functions that care for nothing but the layer.

    >>> def scale(value=1.0):
    ...     def init(key, input_shape, dtype):
    ...         return input_shape, {"scale": np.full(input_shape[-1], value, dtype)}
    ...     def apply(params, inputs):
    ...         return params["scale"] * inputs
    ...     return layer(init, apply)
    >>> shape, params = scale(2.0).init(None, (-1, 3), np.float32)
    >>> scale(2.0).apply(params, np.ones(3, np.float32), train=True)
    array([2., 2., 2.], dtype=float32)

    Args:
        init: `init(key, input_shape, dtype) -> (output_shape, params)`. What comes out calls it
            with a tuple of integers (a tuple of such tuples for several inputs) and a real
            floating dtype, float64 if none is given.
        apply: `apply(params, inputs) -> outputs`, with the parameters `key` or `train` if it uses
            them; what comes out takes both in any case.
        name: what messages and parameter trees call the layer; if it isn't given, the name of
            the function in which `apply` is defined.
    """
    called = name or name_of_apply(apply)
    return Layer(_checked(init, called, "init"), _lenient(apply, called))


@boundary
def stateful_layer(
    init: Callable[..., Any],
    apply: Callable[..., Any],
    init_state: Callable[..., Any],
    *,
    name: str | None = None,
) -> StatefulLayer:
    """Make a layer with state: as `layer`, of three functions.

    Args:
        init: as for `layer`.
        apply: `apply(params, inputs, *, state) -> (outputs, new_state)`, with `key` or `train`
            if it uses them.
        init_state: `init_state(key, input_shape, dtype) -> state`.
        name: as for `layer`.
    """
    called = name or name_of_apply(apply)
    return StatefulLayer(
        _checked(init, called, "init"),
        _lenient(_with_state(apply, called), called),
        _checked(init_state, called, "init_state"),
    )


def _checked(init: Callable[..., Any], name: str, which: str) -> Callable[..., Any]:
    """An `init` or `init_state` that gets a proper shape and dtype."""

    def checked(key: Any, input_shape: Any, dtype: Any = np.float64) -> Any:
        return init(key, check_shape(input_shape, name), float_dtype(dtype, name))

    checked.__qualname__ = f"{name}.<locals>.{which}"
    checked.__doc__ = init.__doc__
    return boundary(checked)


def _lenient(apply: Callable[..., Any], name: str) -> Callable[..., Any]:
    """An `apply` that takes `key` and `train` and leaves them aside if it doesn't use them.

    `inspect.signature` still tells which it uses: it looks at `__wrapped__`.
    """
    taken = keywords(apply)
    new: Any
    if taken is None or {"key", "train"} <= taken:
        new = functools.wraps(apply)(lambda *args, **kwargs: apply(*args, **kwargs))
    elif "key" in taken:

        @functools.wraps(apply)
        def new(params: PyTree, inputs: Any, *, train: bool = False, **kwargs: Any) -> Any:
            return apply(params, inputs, **kwargs)

    elif "train" in taken:

        @functools.wraps(apply)
        def new(params: PyTree, inputs: Any, *, key: Any = None, **kwargs: Any) -> Any:
            return apply(params, inputs, **kwargs)

    else:

        @functools.wraps(apply)
        def new(
            params: PyTree, inputs: Any, *, key: Any = None, train: bool = False, **kwargs: Any
        ) -> Any:
            return apply(params, inputs, **kwargs)

    new.__qualname__ = f"{name}.<locals>.apply"
    return boundary(new)


def _with_state(apply: Callable[..., Any], name: str) -> Callable[..., Any]:
    """An `apply` that says so where the state is missing."""

    @functools.wraps(apply)
    def new(params: PyTree, inputs: Any, *, state: PyTree = None, **kwargs: Any) -> Any:
        if state is None:
            raise missing_state(name)
        return apply(params, inputs, state=state, **kwargs)

    return new


def keywords(fn: Callable[..., Any]) -> frozenset[str] | None:
    """The names of the keywords that an `init` or `apply` takes; None if it takes any.

    >>> sorted(keywords(lambda params, inputs, *, key=None, train=False: inputs))
    ['key', 'train']
    """
    found = set()
    for i, p in enumerate(inspect.signature(fn).parameters.values()):
        if p.kind is p.VAR_KEYWORD:
            return None
        if p.kind is p.KEYWORD_ONLY or (p.kind is p.POSITIONAL_OR_KEYWORD and i >= 2):
            found.add(p.name)
    return frozenset(found)


def signed(apply: Callable[..., Any], names: Iterable[str]) -> Callable[..., Any]:
    """Let the signature of an `apply` that takes any keywords tell which ones it passes on."""
    kind = inspect.Parameter.KEYWORD_ONLY
    first = list(inspect.signature(apply).parameters.values())[:2]
    more = [inspect.Parameter(k, kind, default=None) for k in sorted(names)]
    apply.__signature__ = inspect.Signature([*first, *more])  # type: ignore[attr-defined]
    return apply


def lenient(layer: AnyLayer) -> AnyLayer:
    """A layer whose `apply` takes `key` and `train`, whether it uses them or not."""
    return layer._replace(apply=_lenient(layer.apply, layer.name))


# ------------------------------------------------------------------ what init is given
def check_shape(shape: Any, name: str) -> Any:
    """An input shape as a tuple of integers, or a tuple of such for several inputs.

    >>> check_shape([-1, np.int64(3)], "dense")
    (-1, 3)
    """
    if isinstance(shape, (tuple, list)):
        if shape and all(isinstance(n, (tuple, list)) for n in shape):
            return tuple(check_shape(s, name) for s in shape)
        try:
            axes = tuple(operator.index(n) for n in shape)
        except TypeError:
            axes = (-2,)
        if all(n >= -1 for n in axes):
            return axes
    raise ShapeError(
        f"{name} wants an input shape: a tuple of the lengths of all axes, -1 for those of the "
        "batch; for several inputs a tuple of such tuples.",
        describe(shape),
        "write (-1, 28, 28, 1) for a batch of images, for example",
    )


def float_dtype(dtype: Any, name: str) -> np.dtype[Any]:
    """The dtype of parameters: a real floating one."""
    try:
        new = np.dtype(np.float64 if dtype is None else dtype)
    except TypeError:
        new = np.dtype(object)
    if new.kind != "f":
        raise DtypeError(
            f"{name} makes parameters of a real floating dtype.",
            f"dtype={dtype!r}",
            "pass dtype=np.float32, or leave it away for float64",
        )
    return new


def check_input_shape(shape: Any, name: str, pattern: Pattern) -> Shape:
    """Refuse an input shape that doesn't end as a pattern does; None is any length but unknown."""
    n = len(pattern)
    if is_shape(shape) and len(shape) >= n:
        ends = shape[len(shape) - n :]
        if all(p in (None, k) and (k > 0 or p == k) for p, k in zip(pattern, ends, strict=True)):
            return shape
    raise ShapeError(
        f"{name} wants an input shape {written(pattern, 'a known length')}.",
        f"the input shape {shape}",
        f"give {name} what it wants, or change what stands before it",
    )


def is_shape(shape: Any) -> bool:
    """Whether a checked shape is that of one input, and not of several."""
    return not (shape and isinstance(shape[0], tuple))


def written(pattern: Pattern, any_length: str = "any length") -> str:
    """A pattern as messages write it.

    >>> written((3,)), written((None, 3), "?")
    ('of (..., 3)', 'of (..., ?, 3)')
    """
    return f"of ({', '.join(['...', *(any_length if k is None else str(k) for k in pattern)])})"


# ------------------------------------------------------------------ what apply is given
def take(params: PyTree, name: str, shapes: Mapping[str, Pattern]) -> list[Any]:
    """The parameters of a layer, of the shapes that they must have, in the order of `shapes`.

    >>> take({"weight": np.ones((2, 3))}, "dense", {"weight": (None, 3)})[0].shape
    (2, 3)
    """
    try:
        found = [params[k] for k in shapes]
        right = len(params) == len(found)
    except (KeyError, IndexError, TypeError, ValueError):
        right = False
    if not right:
        raise wrong_tree(params, name, shapes)
    named: dict[str, int] = {}
    for (k, want), p in zip(shapes.items(), found, strict=True):
        have = shape_of(p)
        if have != want and not _fits(have, want, named):
            known = tuple(named.get(n, n) if isinstance(n, str) else n for n in want)
            raise ShapeError(
                f"{name} wants the parameter {k!r} {written(known).replace('..., ', '')}.",
                f"at [{k!r}]: {describe(p)}",
                "pass the parameters that the `init` of this very layer has made",
            )
    return found


def _fits(have: Shape, want: Pattern, named: dict[str, int]) -> bool:
    return len(have) == len(want) and all(
        w is None or h == (named.setdefault(w, h) if isinstance(w, str) else w)
        for h, w in zip(have, want, strict=True)
    )


def wrong_tree(params: PyTree, name: str, names: Sequence[str] | Mapping[str, Any]) -> TreeError:
    """The error for parameters, or state, that are not a dict of just these names."""
    want = ", ".join(map(repr, names)) or "no names: it has none"
    if isinstance(params, Mapping):
        came = f"a dict of {', '.join(map(repr, params)) or 'nothing'}"
    else:
        came = describe(params)
    return TreeError(
        f"{name} wants its parameters as a dict of {want}.",
        came,
        "pass the parameters that the `init` of this very layer has made",
    )


def check_inputs(inputs: Any, name: str, pattern: Pattern = ()) -> Shape:
    """The shape of the inputs, which must be an array whose shape ends as a pattern does."""
    shape = getattr(inputs, "shape", None)
    if shape is None or not hasattr(inputs, "dtype"):
        raise DtypeError(
            f"{name} wants an array as its input.",
            describe(inputs),
            "convert numbers and lists with np.asarray(x)",
        )
    if inputs.dtype.kind in "OSUMm":
        raise DtypeError(
            f"{name} wants an array of numbers as its input.",
            describe(inputs),
            "convert it with x.astype(float), if it holds numbers",
        )
    n = len(pattern)
    if len(shape) < n or not _fits(tuple(shape[len(shape) - n :]), pattern, {}):
        raise ShapeError(
            f"{name} wants inputs of a shape that ends so: {written(pattern)}.".replace(
                " of (", " ("
            ),
            describe(inputs),
            f"give {name} inputs of the shape that its parameters were made for",
        )
    return tuple(shape)


def shape_of(x: Any) -> Shape:
    """The shape of an array, traced or not; () of a number."""
    return tuple(getattr(x, "shape", ()))


def need_key(key: Any, name: str) -> Any:
    """The key, or the error that says how to pass one."""
    if key is None:
        raise ArgumentError(
            f"{name} draws random numbers in training, and wants a key for them.",
            "key=None",
            "pass a key: apply(params, inputs, key=fgrad.random.key(0), train=True), a new one "
            "for each step (fgrad.random.fold_in(key, step)); or train=False",
        )
    return key


def missing_state(name: str) -> ArgumentError:
    """The error for a stateful layer that is called as one without state."""
    return ArgumentError(
        f"{name} has state, and wants it as a keyword.",
        "state=None",
        "make it once, state = net.init_state(key, input_shape), and carry it: "
        "outputs, state = net.apply(params, inputs, state=state)",
    )


def count(value: Any, name: str, what: str, least: int = 1) -> int:
    """An integer that is not less than `least`, or the error that says so."""
    try:
        n = operator.index(value)
    except TypeError:
        n = least - 1
    if is_a(value, (bool, np.bool_)) or n < least:
        raise ArgumentError(
            f"{name} wants {what}, an integer of at least {least}.",
            describe(value),
            f"pass such a number, for example {max(least, 1)}",
        )
    return n


def fraction(value: Any, name: str, what: str) -> float:
    """A number from 0 to 1, 1 excluded, or the error that says so."""
    try:
        x = float(value)
    except (TypeError, ValueError):
        x = -1.0
    if not 0 <= x < 1:
        raise ArgumentError(
            f"{name} wants {what}, a number from 0 up to, but not, 1.",
            describe(value),
            "pass such a number, for example 0.5",
        )
    return x
