"""Recurrent layers: a cell carried along the time axis of a sequence.

Inputs are (batch, time, features), with any number of batch axes. What the inputs give to all
steps is computed in one product before `fgrad.scan` begins.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import fgrad
from fgrad import tree
from fgrad.arrays import is_a
from fgrad.core import home
from fgrad.errors import ArgumentError, DomainError, DtypeError, ShapeError, describe
from fgrad.tracebacks import boundary

from ..masks import beside
from ..types import AnyLayer, Layer, PyTree
from .cells import Cell, check_carry, gru_cell, lstm_cell, rnn_cell
from .making import check_inputs, layer, wrong_tree
from .members import combine, members_of


@boundary
def recurrent(
    cell: Cell,
    *,
    reverse: bool = False,
    return_sequences: bool = True,
    return_carry: bool = False,
    learned_carry: bool = False,
    checkpoint_every: int | str | None = None,
    name: str | None = None,
) -> Layer:
    """Carry a cell through the steps of a sequence.

    >>> from fgrad import random
    >>> from fgrad_nn import gru_cell
    >>> net = recurrent(gru_cell(4))
    >>> shape, params = net.init(random.key(0), (-1, 10, 3))
    >>> shape
    (-1, 10, 4)
    >>> net.apply(params, np.ones((2, 10, 3)), lengths=np.array([10, 7])).shape
    (2, 10, 4)

    Args:
        cell: what a step does: `rnn_cell`, `lstm_cell`, `gru_cell`, ..., or one of your own.
        reverse: whether to begin with the last step; outputs are in the order of the inputs.
        return_sequences: whether the outputs of all steps are returned, or those of the last one.
        return_carry: whether the result is a pair (outputs, last carry).
        learned_carry: whether the first carry is a parameter, "carry", which begins with zeros.
        checkpoint_every: for long sequences, as for `fgrad.scan`: keep the carry only before
            each so many steps, and compute the others again on the way back.
        name: the name of the layer; "recurrent" if it isn't given.

    Returns:
        A layer for inputs (..., time, features), whose `apply` takes

        - `lengths`: integers of shape (...); what comes after them is padding; or
        - `mask`: booleans of shape (..., time), True where a step counts;
        - `carry`: the first carry, such as the last one of a call before.

        A step that doesn't count leaves the carry as it is, and its outputs are 0; what stands in
        the inputs there, NaN too, makes no difference.
    """
    called = name or "recurrent"
    if not isinstance(cell, Cell):
        raise ArgumentError(
            f"{called} wants a cell.", describe(cell), "pass fgrad_nn.lstm_cell(64), for example"
        )
    dims = cell.dims

    def parts(shape: Any) -> tuple[Any, int, Any]:
        """The shapes of the batch and of a step's inputs, and the number of steps."""
        if len(shape) < dims + 1:
            raise ShapeError(
                f"{called} wants inputs with a time axis and {dims} axes of features after it.",
                f"the shape {tuple(shape)}",
                "pass (batch, time, features); x[:, None] makes a step of an array of features",
            )
        return shape[: -dims - 1], shape[-dims - 1], shape[-dims:]

    def init(key: Any, input_shape: Any, dtype: Any) -> tuple[Any, PyTree]:
        batch, time, inputs = parts(input_shape)
        out, params = cell.init(key, (*batch, *inputs), dtype)
        if -1 in inputs and (learned_carry or return_carry):
            raise ShapeError(
                f"{called} wants to know the shape of its carry.",
                f"the input shape {input_shape}",
                "give all lengths after the time axis, or leave the carry to itself",
            )
        start = cell.initial_carry(inputs, dtype) if learned_carry or return_carry else None
        if learned_carry:
            params = {**params, "carry": start}
        shape = (*batch, time, *out[len(batch) :]) if return_sequences else tuple(out)
        if return_carry:
            return (shape, tree.map(lambda c: (*batch, *np.shape(c)), start)), params
        return shape, params

    def apply(
        params: PyTree, inputs: Any, *, lengths: Any = None, mask: Any = None, carry: PyTree = None
    ) -> Any:
        batch, time, each = parts(check_inputs(inputs, called))
        if learned_carry:
            params, learned = _taken(params, called)
        mask = _mask(lengths, mask, (*batch, time), called)
        if mask is not None:
            some = np.reshape(mask, (*mask.shape, *(1,) * dims))
            inputs = np.where(some, inputs, 0)
            mask = np.moveaxis(mask, -1, 0)
        try:
            projected = cell.project(params, np.moveaxis(inputs, -dims - 1, 0))
        except ShapeError:
            cell.project(params, inputs)  # so that the message has the shape that was given
            raise
        like = tree.leaves(projected)[0]
        start = _beside(cell.initial_carry((*batch, *each), like.dtype), like)
        if carry is not None:
            check_carry(carry, start, called)
            start = carry
        elif learned_carry:
            check_carry(learned, cell.initial_carry(each, like.dtype), called)
            start = tree.map(lambda zeros, c: zeros + c, start, learned)

        prepared = cell.prepare(params)

        def step(carry: PyTree, xs: Any) -> tuple[PyTree, Any]:
            x, m = xs
            new = cell.step(prepared, carry, x)
            out = cell.output(new) if return_sequences else None
            if m is None:
                return new, out
            new = tree.map(lambda a, b: _select(m, a, b), new, carry)
            return new, None if out is None else _select(m, out, 0)

        last, outs = fgrad.scan(
            step, start, (projected, mask), reverse=reverse, checkpoint_every=checkpoint_every
        )
        out = np.moveaxis(outs, 0, len(batch)) if return_sequences else cell.output(last)
        return (out, last) if return_carry else out

    return layer(init, apply, name=called)


def _select(m: Any, a: Any, b: Any) -> Any:
    """A where the mask, of the batch's shape, is True, else b."""
    return np.where(np.reshape(m, (*m.shape, *(1,) * (a.ndim - m.ndim))), a, b)


def _beside(start: PyTree, x: Any) -> PyTree:
    """The first carry on the device of x; zeros are made there."""
    host = home(x)
    if host is np:
        return start

    def leaf(c: Any) -> Any:
        zeros = is_a(c, np.ndarray) and not c.any()
        return host.zeros(c.shape, c.dtype) if zeros else beside(c, x)

    return tree.map(leaf, start)


def _taken(params: PyTree, name: str) -> tuple[PyTree, PyTree]:
    """The parameters of the cell, and the first carry among them."""
    if not isinstance(params, dict) or "carry" not in params:
        raise wrong_tree(params, name, ["those of its cell", "carry"])
    return {k: v for k, v in params.items() if k != "carry"}, params["carry"]


def _mask(lengths: Any, mask: Any, shape: Any, name: str) -> Any:
    """Booleans of shape (*batch, time), True where a step counts; None if all do."""
    if lengths is not None and mask is not None:
        raise ArgumentError(
            f"{name} wants lengths or a mask.", "both", "pass the mask alone: it says all"
        )
    if mask is not None:
        if getattr(mask, "dtype", None) != np.bool_ or mask.shape != shape:
            wrong = DtypeError if getattr(mask, "dtype", None) != np.bool_ else ShapeError
            raise wrong(
                f"{name} wants a mask of booleans of shape {shape}: the batch and the time.",
                describe(mask),
                "pass True for steps that count, False for padding",
            )
        return mask
    return None if lengths is None else lengths_mask(lengths, shape, name)


def lengths_mask(lengths: Any, shape: Any, name: str) -> Any:
    """Booleans of shape (*batch, time): True for the first `lengths` steps of each sequence."""
    if getattr(getattr(lengths, "dtype", None), "kind", "") not in "iu" or not hasattr(
        lengths, "dtype"
    ):
        raise DtypeError(
            f"{name} wants lengths as an array of integers.",
            describe(lengths),
            "pass np.array([7, 10]), the number of steps of each sequence",
        )
    if tuple(lengths.shape) != tuple(shape[:-1]):
        raise ShapeError(
            f"{name} wants a length for each sequence: an array of shape {shape[:-1]}.",
            describe(lengths),
            "pass one number for each sample of the batch",
        )
    if is_a(lengths, np.ndarray) and lengths.size:
        low, high = int(lengths.min()), int(lengths.max())
        if low < 0 or high > shape[-1]:
            raise DomainError(
                f"{name} wants lengths from 0 to {shape[-1]}, the number of steps.",
                f"numbers from {low} to {high}",
                "count the steps of each sequence that aren't padding",
            )
    return np.less(home(lengths).arange(shape[-1]), np.expand_dims(lengths, -1))


# ------------------------------------------------------------------ layers of a cell
@boundary
def rnn(features: int, activation: Callable[[Any], Any] = np.tanh, **options: Any) -> Layer:
    """`recurrent` of an `rnn_cell`: Elman 1990.

    >>> rnn(4).init(fgrad.random.key(0), (-1, 10, 3))[0]
    (-1, 10, 4)

    Args:
        features, activation: as for `rnn_cell`.
        **options: those of `rnn_cell` and of `recurrent`.
    """
    return _of_cell("rnn", rnn_cell, (features, activation), options)


@boundary
def lstm(features: int, **options: Any) -> Layer:
    """`recurrent` of an `lstm_cell`: Hochreiter & Schmidhuber 1997.

    >>> net = lstm(4, return_sequences=False)
    >>> net.init(fgrad.random.key(0), (-1, 10, 3))[0]
    (-1, 4)

    Args:
        features: as for `lstm_cell`.
        **options: those of `lstm_cell` and of `recurrent`.
    """
    return _of_cell("lstm", lstm_cell, (features,), options)


@boundary
def gru(features: int, **options: Any) -> Layer:
    """`recurrent` of a `gru_cell`: Cho et al. 2014.

    >>> gru(4, reverse=True).init(fgrad.random.key(0), (-1, 10, 3))[0]
    (-1, 10, 4)

    Args:
        features: as for `gru_cell`.
        **options: those of `gru_cell` and of `recurrent`.
    """
    return _of_cell("gru", gru_cell, (features,), options)


_OPTIONS = (
    "reverse", "return_sequences", "return_carry", "learned_carry", "checkpoint_every", "name",
)  # fmt: skip


def _of_cell(name: str, make: Callable[..., Cell], args: Any, options: dict[str, Any]) -> Layer:
    own = {k: v for k, v in options.items() if k in _OPTIONS}
    rest = {k: v for k, v in options.items() if k not in _OPTIONS}
    return recurrent(make(*args, **rest), **{"name": name, **own})


# ------------------------------------------------------------------ both directions
_MERGES: dict[str, Callable[[Any, Any], Any]] = {
    "concat": lambda a, b: np.concatenate([a, b], axis=-1),
    "sum": lambda a, b: a + b,
    "mean": lambda a, b: (a + b) / 2,
    "mul": lambda a, b: a * b,
}


@boundary
def bidirectional(
    cell: Cell, backward: Cell | None = None, *, merge: str = "concat",
    return_sequences: bool = True, **options: Any,
) -> AnyLayer:  # fmt: skip
    """Read a sequence forwards and backwards: Schuster & Paliwal 1997.

    >>> from fgrad_nn import gru_cell
    >>> shape, params = bidirectional(gru_cell(4)).init(fgrad.random.key(0), (-1, 10, 3))
    >>> shape, list(params)
    ((-1, 10, 8), ['forward', 'backward'])

    Args:
        cell: the cell that reads forwards.
        backward: the one that reads backwards; a cell like the first if it isn't given. In any
            case it has parameters of its own.
        merge: "concat", "sum", "mean" or "mul", what is done with the two outputs.
        return_sequences: as for `recurrent`; without, each direction gives its own last outputs.
        **options: learned_carry and checkpoint_every, as for `recurrent`.

    Returns:
        A layer that takes `lengths` or `mask`: padding at the end is skipped in both directions.
    """
    if merge not in _MERGES:
        raise ArgumentError(
            "bidirectional wants a way to merge.",
            describe(merge),
            f"pass one of {', '.join(map(repr, _MERGES))}",
        )
    options["return_sequences"] = return_sequences
    pair = {
        "forward": recurrent(cell, **options),
        "backward": recurrent(backward or cell, reverse=True, **options),
    }

    def shapes(run: Any, shape: Any) -> Any:
        a, b = run("forward", shape), run("backward", shape)
        if merge == "concat" and a[:-1] == b[:-1]:
            return (*a[:-1], a[-1] + b[-1])
        if a != b:
            raise ShapeError(
                f"bidirectional wants cells whose outputs can be merged by {merge!r}.",
                f"outputs of the shapes {a} and {b}",
                "give both cells the same number of features",
            )
        return a

    def flow(run: Any, x: Any) -> Any:
        return _MERGES[merge](run("forward", x), run("backward", x))

    return combine("bidirectional", members_of("bidirectional", [pair], {}), flow, shapes)
