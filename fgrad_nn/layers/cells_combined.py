"""Recurrent cells made of other parts: several cells on top of each other, and convolutions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fgrad import random
from fgrad.errors import ArgumentError, describe
from fgrad.tracebacks import boundary

from ..initializers import Initializer
from ..types import PyTree
from .cells import Cell, LSTMCarry
from .conv import conv
from .gates import lstm_gates
from .making import count, float_dtype, wrong_tree


@boundary
def stacked_cell(*cells: Cell) -> Cell:
    """Put cells on top of each other: the outputs of one are the inputs of the next.

    >>> from fgrad import random
    >>> from fgrad_nn import lstm_cell
    >>> cell = stacked_cell(lstm_cell(4), lstm_cell(2))
    >>> shape, params = cell.init(random.key(0), (-1, 3))
    >>> shape, list(params)
    ((-1, 2), ['0_lstm_cell', '1_lstm_cell'])

    As a layer, `serial(lstm(4), lstm(2))` does the same and is faster: it does the input products
    of all layers before their steps. This one steps through all cells at once, for sampling.

    Args:
        *cells: the first one gets the inputs.

    Returns:
        A `Cell` whose carry is a tuple of those of the cells.
    """
    if not cells or not all(isinstance(c, Cell) for c in cells):
        raise ArgumentError(
            "stacked_cell wants cells.",
            ", ".join(map(describe, cells)) or "none",
            "pass such as fgrad_nn.lstm_cell(64)",
        )
    names = [f"{i}_{c.name}" for i, c in enumerate(cells)]

    def init(key: Any, input_shape: Any, dtype: Any = np.float64) -> tuple[Any, PyTree]:
        shape, params = input_shape, {}
        for name, c, k in zip(names, cells, random.split(key, len(cells)), strict=True):
            shape, params[name] = c.init(k, shape, dtype)
        return shape, params

    def initial_carry(input_shape: Any, dtype: Any = np.float64) -> PyTree:
        shape, out = input_shape, []
        for c in cells:
            out.append(c.initial_carry(shape, dtype))
            shape = np.shape(c.output(out[-1]))
        return tuple(out)

    def own(params: PyTree) -> list[PyTree]:
        if not isinstance(params, dict) or params.keys() != set(names):
            raise wrong_tree(params, "stacked_cell", names)
        return [params[name] for name in names]

    def prepare(params: PyTree) -> PyTree:
        return [(p, c.prepare(p)) for c, p in zip(cells, own(params), strict=True)]

    def step(prepared: PyTree, carry: PyTree, projected: Any) -> PyTree:
        out: list[Any] = []
        for c, (p, ready), old in zip(cells, prepared, carry, strict=True):
            x = projected if not out else c.project(p, cells[len(out) - 1].output(out[-1]))
            out.append(c.step(ready, old, x))
        return tuple(out)

    return Cell(
        "stacked_cell", init, initial_carry,
        project=lambda params, inputs: cells[0].project(own(params)[0], inputs),
        step=step, output=lambda carry: cells[-1].output(carry[-1]), dims=cells[0].dims,
        prepare=prepare,
    )  # fmt: skip


@boundary
def conv_lstm_cell(
    features: int,
    window: int | Sequence[int],
    *,
    dims: int | None = None,
    padding: str = "SAME",
    forget_bias: float = 1.0,
    use_bias: bool = True,
    weight_init: Initializer | None = None,
) -> Cell:
    """Make an `lstm_cell` for images, with convolutions for products: Shi et al. 2015.

    >>> from fgrad import random
    >>> cell = conv_lstm_cell(4, (3, 3))
    >>> shape, params = cell.init(random.key(0), (-1, 8, 8, 2))
    >>> shape, {name: p.shape for name, p in params.items()}
    ((-1, 8, 8, 4), {'weight': (3, 3, 2, 16), 'bias': (16,), 'recurrent_weight': (3, 3, 4, 16)})
    >>> from fgrad_nn import recurrent
    >>> recurrent(cell).apply(params, np.ones((1, 5, 8, 8, 2))).shape
    (1, 5, 8, 8, 4)

    Args:
        features: the number of channels of the hidden state and of the memory cell.
        window: the length of the window in each dimension.
        dims: the number of dimensions, where `window` is one number.
        padding: "SAME" or "CAUSAL", with which places stay as many; peepholes there are none.
        forget_bias, use_bias: as for `lstm_cell`.
        weight_init: of both weights; `lecun_normal` by default.

    Returns:
        A `Cell` for inputs (..., *places, channels), whose carry is an `LSTMCarry`.
    """
    features = count(features, "conv_lstm_cell", "a number of features")
    if str(padding).upper() not in ("SAME", "CAUSAL"):
        raise ArgumentError(
            "conv_lstm_cell wants a padding that keeps the number of places.",
            describe(padding),
            'pass "SAME" or "CAUSAL"',
        )

    def product(bias: bool) -> Any:
        return conv(
            4 * features, window, dims=dims, padding=padding, use_bias=bias,
            weight_init=weight_init, name="conv_lstm_cell",
        )  # fmt: skip

    inside, around = product(use_bias), product(False)
    spots = len(window) if isinstance(window, Sequence) else count(dims, "conv_lstm_cell", "dims")

    def init(key: Any, input_shape: Any, dtype: Any = np.float64) -> tuple[Any, PyTree]:
        dtype = float_dtype(dtype, "conv_lstm_cell")
        k1, k2 = random.split(key)
        shape, params = inside.init(k1, input_shape, dtype)
        if use_bias:
            gates = np.asarray([0.0, float(forget_bias), 0.0, 0.0], dtype)
            params = {**params, "bias": np.repeat(gates, features)}
        shape = (*shape[:-1], features)
        return shape, {**params, "recurrent_weight": around.init(k2, shape, dtype)[1]["weight"]}

    def initial_carry(input_shape: Any, dtype: Any = np.float64) -> PyTree:
        shape = (*input_shape[:-1], features)
        return LSTMCarry(np.zeros(shape, dtype), np.zeros(shape, dtype))

    names = ["weight", "bias", "recurrent_weight"] if use_bias else ["weight", "recurrent_weight"]

    def own(params: PyTree) -> PyTree:
        if not isinstance(params, dict) or sorted(params) != sorted(names):
            raise wrong_tree(params, "conv_lstm_cell", names)
        return params

    def project(params: PyTree, inputs: Any) -> Any:
        mine = {k: v for k, v in own(params).items() if k != "recurrent_weight"}
        return inside.apply(mine, inputs)

    def step(params: PyTree, carry: PyTree, projected: Any) -> PyTree:
        h, c = carry
        back = around.apply({"weight": params["recurrent_weight"]}, h)
        return LSTMCarry(*lstm_gates(projected + back, c))

    return Cell(
        "conv_lstm_cell", init, initial_carry, project, step, lambda carry: carry[0], spots + 1, own
    )
