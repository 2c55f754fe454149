"""How layers are put together: members with names, and the flow of values through them.

A combinator says how values flow from its inputs through its members to its outputs; here is what
is the same for all: names, keys, keywords, parameters and state of each, and errors that say where.
"""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from typing import Any, NamedTuple

import numpy as np

from fgrad import random, tree
from fgrad.errors import ArgumentError, FgradError, ShapeError, TreeError, describe
from fgrad.tracebacks import boundary

from ..types import AnyLayer, Layer, PyTree, StatefulLayer
from .function import filled, function, merged
from .making import (
    check_shape,
    float_dtype,
    keywords,
    lenient,
    missing_state,
    shape_of,
    signed,
    wrong_tree,
)

Flow = Callable[[Callable[[str, Any], Any], Any], Any]
"""`flow(run, x)`, where `run(name, x)` is what a member makes of x."""


class Member(NamedTuple):
    """A layer in a combinator, and what it takes."""

    name: str
    layer: AnyLayer
    number: int
    takes: frozenset[str] | None
    typed: bool

    @property
    def stateful(self) -> bool:
        """Whether it has state."""
        return isinstance(self.layer, StatefulLayer)


def members_of(name: str, items: Sequence[Any], named: Mapping[str, Any]) -> list[Member]:
    """The members of a combinator, from all the ways to write them, in order.

    Args:
        name: the combinator's.
        items: layers, functions of arrays, pairs ("name", layer), or one dict of them.
        named: the same as keywords.
    """
    if len(items) == 1 and isinstance(items[0], Mapping):
        items = list(items[0].items())
    pairs: list[tuple[str | None, Any]] = []
    for item in (*items, *named.items()):
        own = isinstance(item, tuple) and len(item) == 2 and isinstance(item[0], str)
        pairs.append((item[0], item[1]) if own else (None, item))
    members: dict[str, Member] = {}
    out = []
    for i, (own_name, item) in enumerate(pairs):
        layer = as_layer(item, name, i)
        called = own_name or f"{i}_{layer.name}"
        new = Member(called, layer, i, keywords(layer.apply), _is_typed(layer.init))
        old = members.setdefault(called, new)
        if old.layer != layer:
            raise ArgumentError(
                f"{name} wants a name for each of its layers; one name twice is one layer that is "
                "used twice, with the same parameters.",
                f"two different layers of the name {called!r}",
                "give them different names",
            )
        out.append(old)
    return out


def as_layer(item: Any, name: str, i: int = 0) -> AnyLayer:
    """A layer; a pair or a triple of functions, or a function of arrays, as one."""
    if isinstance(item, (Layer, StatefulLayer)):
        return item
    if isinstance(item, tuple) and all(map(callable, item)) and len(item) in (2, 3):
        return Layer(*item) if len(item) == 2 else StatefulLayer(*item)
    if callable(item) and not isinstance(item, type):
        return function(item)
    raise ArgumentError(
        f"{name} wants layers: pairs (init, apply), or functions of arrays.",
        f"as number {i}: {describe(item)}",
        "pass layers such as fgrad_nn.dense(8), functions such as np.tanh, or ('name', layer)",
    )


def wrapped(item: Any, name: str) -> AnyLayer:
    """A layer that another one wraps: it is called with all keywords that come."""
    return lenient(as_layer(item, name))


def _is_typed(init: Callable[..., Any]) -> bool:
    """Whether an `init` takes a dtype."""
    found = inspect.signature(init).parameters
    return "dtype" in found or any(p.kind is p.VAR_KEYWORD for p in found.values())


# ------------------------------------------------------------------ errors that say where
def locate(error: BaseException, name: str) -> None:
    """Put the name of a member in front of the place that an error speaks of."""
    step = f"[{name!r}]"
    if isinstance(error, FgradError):
        came = error.came
        error.came = f"at {step}{came[3:]}" if came.startswith("at [") else f"at {step}: {came}"
        error.args = (error.wanted, error.came, error.to_do)
        return
    notes = getattr(error, "__notes__", [])
    if notes and notes[-1].startswith("in the layer at ["):
        notes[-1] = f"in the layer at {step}{notes[-1][len('in the layer at ') :]}"
    else:
        error.add_note(f"in the layer at {step}")


@contextlib.contextmanager
def located(name: str) -> Iterator[None]:
    """Errors inside say that they happened in this member.

    >>> with located("dense"):
    ...     raise ShapeError("a", "b", "c")
    Traceback (most recent call last):
        ...
    fgrad.errors.ShapeError: a
      It got: at ['dense']: b
      To do: c
    """
    try:
        yield
    except Exception as error:
        locate(error, name)
        raise


# ------------------------------------------------------------------ what summary sees
class Seen(NamedTuple):
    """A layer that was initialised: where, its name, its shapes, its parameters."""

    path: tuple[str, ...]
    layer: AnyLayer
    input_shape: Any
    output_shape: Any
    params: PyTree
    shared: bool


_WATCH: ContextVar[tuple[list[Seen], tuple[str, ...]] | None] = ContextVar("watch", default=None)


@contextlib.contextmanager
def watch(prefix: tuple[str, ...] = ()) -> Iterator[list[Seen]]:
    """Note all members that are initialised inside a `with` statement."""
    around = _WATCH.get()
    seen: list[Seen] = around[0] if around else []
    token = _WATCH.set((seen, prefix))
    try:
        yield seen
    finally:
        _WATCH.reset(token)


def twice(once: Callable[[Any], Any], input_shape: Any, name: str) -> Any:
    """The output shape of a flow of arrays, of which `once` makes the shape for one of its inputs.

    It is asked for batches of two sizes; lengths that come out different are those of the batch.
    """
    watching = _WATCH.get()
    ends, rows = [], []
    for n in (2, 3):
        token = _WATCH.set(([], watching[1]) if watching else None)
        try:
            with np.errstate(all="ignore"):
                ends.append(once(filled(input_shape, n)))
            rows.append(_noted())
        finally:
            _WATCH.reset(token)
    if watching:
        watching[0].extend(
            a._replace(
                input_shape=merged(a.input_shape, b.input_shape, name),
                output_shape=merged(a.output_shape, b.output_shape, name),
            )
            for a, b in zip(*rows, strict=True)
        )
    return merged(ends[0], ends[1], name)


def _noted() -> list[Seen]:
    watching = _WATCH.get()
    return watching[0] if watching else []


def _init_watched(m: Member, args: tuple[Any, ...], shared: bool) -> Any:
    watching = _WATCH.get()
    if watching is None:
        return m.layer.init(*args)
    seen, prefix = watching
    place = len(seen)
    with watch((*prefix, m.name)):
        out, params = m.layer.init(*args)
    seen.insert(place, Seen((*prefix, m.name), m.layer, args[1], out, params, shared))
    return out, params


# ------------------------------------------------------------------ the combination
def combine(
    name: str, members: Sequence[Member], flow: Flow, shape_flow: Flow | None = None
) -> AnyLayer:
    """One layer of many: a `StatefulLayer` if one of them is, else a `Layer`.

    Args:
        name: that of the combinator.
        members: from `members_of`.
        flow: `flow(run, inputs) -> outputs`.
        shape_flow: the same of shapes; `flow` itself if it isn't given.
    """
    by_name = {m.name: m for m in members}
    stateful = {m.name for m in members if m.stateful}
    taken = [m.takes for m in members]
    known = None if None in taken else frozenset().union(*(t for t in taken if t))
    calls = {m.name: _call_of(m) for m in members}

    @boundary
    def init(key: Any, input_shape: Any, dtype: Any = np.float64) -> tuple[Any, PyTree]:
        dtype = float_dtype(dtype, name)
        params: dict[str, PyTree] = {}
        met: dict[str, PyTree] = {}
        runs: list[str] = []

        def run(which: str, shape: Any) -> Any:
            m = by_name[which]
            # What is shared is initialised again for its output shape: with a key of its own.
            runs.append(which)
            number = len(runs) + len(members) if which in met else m.number
            k = None if key is None else random.fold_in(key, number)
            args = (k, shape, dtype) if m.typed else (k, shape)
            try:
                out, new = _init_watched(m, args, which in met)
                if which in met:
                    _check_shared(met[which], new, which)
            except Exception as error:
                locate(error, which)
                raise
            if which not in met:
                met[which] = new
                if not (isinstance(new, Mapping) and not new):
                    params[which] = new
            return out

        return (shape_flow or flow)(run, check_shape(input_shape, name)), params

    @boundary
    def init_state(key: Any, input_shape: Any, dtype: Any = np.float64) -> PyTree:
        dtype = float_dtype(dtype, name)
        # Other keys than those of `init`, for which the same key may be given; shapes need any.
        own = None if key is None else random.fold_in(key, -2)
        some = random.fold_in(random.key(0) if key is None else key, -1)
        states: dict[str, PyTree] = {}
        runs: list[str] = []

        def run(which: str, shape: Any) -> Any:
            m = by_name[which]
            rest = (shape, dtype) if m.typed else (shape,)
            try:
                if isinstance(m.layer, StatefulLayer) and which not in states:
                    k = None if own is None else random.fold_in(own, m.number)
                    typed = _is_typed(m.layer.init_state)
                    states[which] = m.layer.init_state(k, shape, *((dtype,) if typed else ()))
                runs.append(which)
                return m.layer.init(random.fold_in(some, len(runs)), *rest)[0]
            except Exception as error:
                locate(error, which)
                raise

        (shape_flow or flow)(run, check_shape(input_shape, name))
        return states

    def through(
        params: PyTree, inputs: Any, states: Any, key: Any, train: bool, others: dict[str, Any]
    ) -> Any:
        if not isinstance(params, Mapping) or not params.keys() <= by_name.keys():
            raise wrong_tree(params, name, by_name)
        if others and known is not None and not others.keys() <= known:
            raise _unknown(name, others, known)
        uses: dict[str, int] = {}

        def run(which: str, x: Any) -> Any:
            call, stateful, wants_key, wants_train, m = calls[which]
            kwargs: dict[str, Any] = {}
            if others:
                kwargs = {k: v for k, v in others.items() if m.takes is None or k in m.takes}
            if wants_key:
                # A layer that is used again gets another key.
                uses[which] = uses.get(which, -1) + 1
                number = m.number + uses[which] * len(members)
                kwargs["key"] = None if key is None else random.fold_in(key, number)
            if wants_train:
                kwargs["train"] = train
            try:
                if stateful:
                    y, states[which] = call(params.get(which, {}), x, state=states[which], **kwargs)
                    return y
                return call(params.get(which, {}), x, **kwargs)
            except Exception as error:
                locate(error, which)
                raise

        return flow(run, inputs)

    @boundary
    def apply(
        params: PyTree, inputs: Any, *, key: Any = None, train: bool = False, **kwargs: Any
    ) -> Any:
        return through(params, inputs, None, key, train, kwargs)

    @boundary
    def apply_with_state(
        params: PyTree, inputs: Any, *, state: PyTree = None, key: Any = None,
        train: bool = False, **kwargs: Any,
    ) -> tuple[Any, PyTree]:  # fmt: skip
        if state is None:
            raise missing_state(name)
        if not isinstance(state, Mapping) or state.keys() != stateful:
            raise _wrong_state(state, name, stateful)
        states = dict(state)
        return through(params, inputs, states, key, train, kwargs), states

    init.__qualname__ = f"{name}.<locals>.init"
    init_state.__qualname__ = f"{name}.<locals>.init_state"
    return (
        StatefulLayer(init, _named(apply_with_state, name, known, True), init_state)
        if stateful
        else Layer(init, _named(apply, name, known, False))
    )


def _call_of(m: Member) -> tuple[Callable[..., Any], bool, bool, bool, Member]:
    """A member's `apply`, whether it has state, and whether it wants the key, and `train`."""
    key, train = (m.takes is None or k in m.takes for k in ("key", "train"))
    return m.layer.apply, m.stateful, key, train, m


def _named(apply: Any, name: str, known: frozenset[str] | None, state: bool) -> Any:
    """Name an `apply`, and let its signature tell the keywords that members take."""
    apply.__qualname__ = f"{name}.<locals>.apply"
    return apply if known is None else signed(apply, {*known, "state"} if state else known)


def _check_shared(first: PyTree, second: PyTree, name: str) -> None:
    """Refuse one layer in two places whose parameters would have different shapes."""
    shapes = [tree.map(shape_of, p) for p in (first, second)]
    if shapes[0] != shapes[1]:
        raise ShapeError(
            f"{name!r} is used more than once with the same parameters, whose shapes must agree.",
            f"parameters of the shapes {shapes[0]} in one place, {shapes[1]} in another",
            "give the layer inputs of one shape, or give the two places different names",
        )


def _unknown(name: str, given: Mapping[str, Any], known: frozenset[str]) -> ArgumentError:
    extra = ", ".join(f"{k}=" for k in sorted(given.keys() - known))
    names = ", ".join(f"{k}=" for k in sorted({*known, "key", "train"}))
    if "state=" in extra:
        to_do = "leave state= away: no layer in it has state"
    else:
        to_do = f"leave it away, or look at its spelling; its layers take {names}"
    return ArgumentError(f"{name} wants keywords that one of its layers takes.", extra, to_do)


def _wrong_state(state: PyTree, name: str, names: set[str]) -> TreeError:
    error = wrong_tree(state, name, sorted(names))
    return TreeError(
        error.wanted.replace("parameters", "state"),
        error.came,
        "pass the state that `init_state` of this very layer has made, or `apply` has returned",
    )
