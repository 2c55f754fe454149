"""Recurrent cells: what one step does to a carry. `recurrent` makes layers of them.

What a step makes of its inputs alone, `project`, stands apart from the rest, so that a layer can
do it for all steps in one product of matrices.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from fgrad import random, tree
from fgrad.errors import ShapeError, TreeError, describe
from fgrad.tracebacks import boundary

from .. import initializers
from ..activations import sigmoid
from ..initializers import Initializer
from ..types import PyTree
from .gates import gru_gates, lstm_gates, split
from .making import Pattern, check_input_shape, count, float_dtype, take


def check_carry(carry: PyTree, zeros: PyTree, name: str) -> None:
    """Refuse a first carry of another structure, or of other shapes, than the cell's."""
    if tree.structure(carry) != tree.structure(zeros):
        raise TreeError(
            f"{name} wants a carry like the one of its cell.",
            describe(carry),
            "pass what cell.initial_carry(input_shape) makes, or a carry that was returned",
        )
    for got, want in zip(tree.leaves(carry), tree.leaves(zeros), strict=True):
        if np.shape(got) != np.shape(want):
            raise ShapeError(
                f"{name} wants a carry of shape {np.shape(want)}, for this batch.",
                describe(got),
                "np.broadcast_to(carry, shape) makes one for all samples of a batch",
            )


def _as_they_are(params: PyTree) -> PyTree:
    return params


class Cell(NamedTuple):
    """A recurrent cell: pure functions, as a `Layer` is, with a carry that goes from step to step.

    >>> from fgrad import random
    >>> cell = gru_cell(4)
    >>> _, params = cell.init(random.key(0), (-1, 3))
    >>> carry = cell.initial_carry((5, 3))
    >>> for x in np.ones((2, 5, 3)):
    ...     carry, outputs = cell.apply(params, carry, x)
    >>> outputs.shape
    (5, 4)
    """

    name: str
    """What messages and parameter trees call it."""
    init: Callable[..., tuple[Any, PyTree]]
    """`init(key, input_shape, dtype) -> (output_shape, params)`, for the inputs of one step."""
    initial_carry: Callable[..., PyTree]
    """`initial_carry(input_shape, dtype)`: zeros, for inputs of one step of that very shape."""
    project: Callable[..., PyTree]
    """`project(params, inputs)`: what the inputs give to a step; any axes in front are batches."""
    step: Callable[..., PyTree]
    """`step(prepared, carry, projected) -> carry`, with what `prepare` makes of the parameters."""
    output: Callable[[PyTree], Any]
    """`output(carry)`: the outputs of the step that has made a carry."""
    dims: int = 1
    """How many axes the inputs of one sample have."""
    prepare: Callable[[PyTree], PyTree] = _as_they_are
    """`prepare(params)`: what can be done with them once, before all steps."""

    def apply(self, params: PyTree, carry: PyTree, inputs: Any) -> tuple[PyTree, Any]:
        """One step: `apply(params, carry, inputs) -> (carry, outputs)`."""
        projected = self.project(params, inputs)
        check_carry(carry, self.initial_carry(np.shape(inputs)), self.name)
        carry = self.step(self.prepare(params), carry, projected)
        return carry, self.output(carry)


class LSTMCarry(NamedTuple):
    """What an LSTM carries: its hidden state, which is its output, and its memory cell."""

    hidden: Any
    cell: Any


# ------------------------------------------------------------------ what the cells share
def _cell(
    name: str, features: int, gates: int, more: dict[str, Pattern], step: Callable[..., Any],
    start: Callable[..., Any], *, use_bias: bool, weight_init: Initializer | None,
    recurrent_init: Initializer | None, bias_init: Callable[..., Any] | None = None,
    carry: Callable[[Any], Any] | None = None, output: Callable[[Any], Any] = lambda h: h,
    prepare: Callable[[PyTree], PyTree] = _as_they_are,
) -> Cell:  # fmt: skip
    """A cell of dense gates: "weight" for the inputs, "recurrent_weight" for the hidden state.

    `prepare` gets checked parameters, `step` what it makes of them; `start(key, dtype)` makes those
    that are named in `more`; `carry(zeros)` makes the first carry of zeros of its shape.
    """
    weight_init = weight_init or initializers.lecun_normal()
    recurrent_init = recurrent_init or initializers.orthogonal()
    wide = gates * features
    shapes: dict[str, Pattern] = {"weight": (None, wide), "recurrent_weight": (features, wide)}
    if use_bias:
        shapes["bias"] = (wide,)
    shapes |= more

    def init(key: Any, input_shape: Any, dtype: Any = np.float64) -> tuple[Any, PyTree]:
        shape = check_input_shape(tuple(input_shape), name, (None,))
        dtype = float_dtype(dtype, name)
        keys = random.split(key, 2 * gates + 1)
        # each gate by itself, so that fans and orthogonality are those of a gate
        drawn = [
            [f(keys[2 * g + i], (rows, features), dtype) for g in range(gates)]
            for i, (f, rows) in enumerate([(weight_init, shape[-1]), (recurrent_init, features)])
        ]
        params = {"weight": np.concatenate(drawn[0], -1)}
        params["recurrent_weight"] = np.concatenate(drawn[1], -1)
        if use_bias:
            params["bias"] = bias_init(dtype) if bias_init else np.zeros(wide, dtype)
        return (*shape[:-1], features), params | start(keys[-1], dtype)

    def checked(params: PyTree) -> PyTree:
        return dict(zip(shapes, take(params, name, shapes), strict=True))

    def initial_carry(input_shape: Any, dtype: Any = np.float64) -> PyTree:
        zeros = np.zeros((*input_shape[:-1], features), dtype)
        return carry(zeros) if carry else zeros

    def project(params: PyTree, inputs: Any) -> Any:
        params = checked(params)
        weight = params["weight"]
        shape = np.shape(inputs)
        if not shape or shape[-1] != weight.shape[0]:
            raise ShapeError(
                f"{name} wants inputs of a shape that ends so: (..., {weight.shape[0]}).",
                describe(inputs),
                f"give {name} inputs of the shape that its parameters were made for",
            )
        # One product of two matrices, whatever the number of axes.
        rows = np.reshape(inputs, (-1, shape[-1])) @ weight
        rows = rows + params["bias"] if use_bias else rows
        return np.reshape(rows, (*shape[:-1], wide))

    return Cell(
        name, init, initial_carry, project, step, output,
        prepare=lambda params: prepare(checked(params)),
    )  # fmt: skip


def _no_more(key: Any, dtype: Any) -> PyTree:
    return {}


# ------------------------------------------------------------------ the cells
@boundary
def rnn_cell(
    features: int,
    activation: Callable[[Any], Any] = np.tanh,
    *,
    use_bias: bool = True,
    weight_init: Initializer | None = None,
    recurrent_init: Initializer | None = None,
) -> Cell:
    """Make the simplest cell, Elman's 1990: h' = activation(x W + h U + b).

    >>> from fgrad import random
    >>> shape, params = rnn_cell(4).init(random.key(0), (-1, 3))
    >>> {name: p.shape for name, p in params.items()}
    {'weight': (3, 4), 'recurrent_weight': (4, 4), 'bias': (4,)}

    Args:
        features: the length of the hidden state.
        activation: a function of an array; `np.tanh`, or `fgrad_nn.relu`.
        use_bias: whether there is a bias.
        weight_init: of W, for each gate by itself; `lecun_normal` by default.
        recurrent_init: of U, for each gate by itself; `orthogonal` by default, as in flax.

    Returns:
        A `Cell` whose carry is the hidden state, of shape (..., features).
    """
    features = count(features, "rnn_cell", "a number of features")

    def step(params: PyTree, h: Any, projected: Any) -> Any:
        return activation(projected + h @ params["recurrent_weight"])

    return _cell(
        "rnn_cell", features, 1, {}, step, _no_more, use_bias=use_bias, weight_init=weight_init,
        recurrent_init=recurrent_init,
    )  # fmt: skip


@boundary
def lstm_cell(
    features: int,
    *,
    peephole: bool = False,
    forget_bias: float = 1.0,
    use_bias: bool = True,
    weight_init: Initializer | None = None,
    recurrent_init: Initializer | None = None,
) -> Cell:
    """Make a cell with a memory: Hochreiter & Schmidhuber 1997; the forget gate is Gers' 2000.

    (i, f, g, o) = x W + h U + b, c' = sigmoid(f) c + sigmoid(i) tanh(g), h' = sigmoid(o) tanh(c').

    >>> from fgrad import random
    >>> cell = lstm_cell(4)
    >>> shape, params = cell.init(random.key(0), (-1, 3))
    >>> {name: p.shape for name, p in params.items()}
    {'weight': (3, 16), 'recurrent_weight': (4, 16), 'bias': (16,)}
    >>> cell.initial_carry((1, 3)).hidden
    array([[0., 0., 0., 0.]])

    Gates stand in the order of PyTorch and Keras: input, forget, candidate, output.

    Args:
        features: the length of the hidden state and of the memory cell.
        peephole: whether i and f see c, and o sees c', each through a weight per feature (Gers,
            Schraudolph & Schmidhuber 2002); the parameter "peephole" holds them, of shape (3, n).
        forget_bias: what the bias of f begins with (Jozefowicz, Zaremba & Sutskever 2015); it is
            0 in PyTorch.
        use_bias, weight_init, recurrent_init: as for `rnn_cell`.

    Returns:
        A `Cell` whose carry is an `LSTMCarry(hidden, cell)`, both of shape (..., features).
    """
    features = count(features, "lstm_cell", "a number of features")
    more: dict[str, Pattern] = {"peephole": (3, features)} if peephole else {}

    def bias_init(dtype: Any) -> Any:
        gates = [0.0, float(forget_bias), 0.0, 0.0]
        return np.repeat(np.asarray(gates, dtype), features)

    def start(key: Any, dtype: Any) -> PyTree:
        return {"peephole": np.zeros((3, features), dtype)} if peephole else {}

    def step(params: PyTree, carry: LSTMCarry, projected: Any) -> LSTMCarry:
        h, c = carry
        z = projected + h @ params["recurrent_weight"]
        if not peephole:
            return LSTMCarry(*lstm_gates(z, c))
        i, f, g, o = split(z, 4)
        p = params["peephole"]
        c = sigmoid(f + p[1] * c) * c + sigmoid(i + p[0] * c) * np.tanh(g)
        return LSTMCarry(sigmoid(o + p[2] * c) * np.tanh(c), c)

    return _cell(
        "lstm_cell", features, 4, more, step, start, use_bias=use_bias, weight_init=weight_init,
        recurrent_init=recurrent_init, bias_init=bias_init,
        carry=lambda zeros: LSTMCarry(zeros, np.copy(zeros)), output=lambda carry: carry[0],
    )  # fmt: skip


@boundary
def gru_cell(
    features: int,
    *,
    use_bias: bool = True,
    weight_init: Initializer | None = None,
    recurrent_init: Initializer | None = None,
) -> Cell:
    """Make a gated cell: Cho et al. 2014, the reset gate after the product, as in cuDNN.

    r = sigmoid(x W_r + h U_r + b_r), z = sigmoid(x W_z + h U_z + b_z),
    n = tanh(x W_n + b_n + r (h U_n + b_h)), h' = (1 - z) n + z h.

    >>> from fgrad import random
    >>> shape, params = gru_cell(4).init(random.key(0), (-1, 3))
    >>> {name: p.shape for name, p in params.items()}
    {'weight': (3, 12), 'recurrent_weight': (4, 12), 'bias': (12,), 'recurrent_bias': (4,)}

    Gates stand in PyTorch's order: reset, update, candidate. "recurrent_bias" is b_h.

    Args, Returns: see `rnn_cell`.
    """
    features = count(features, "gru_cell", "a number of features")
    more: dict[str, Pattern] = {"recurrent_bias": (features,)} if use_bias else {}

    def start(key: Any, dtype: Any) -> PyTree:
        return {"recurrent_bias": np.zeros(features, dtype)} if use_bias else {}

    def prepare(params: PyTree) -> PyTree:
        if not use_bias:
            return params
        extra = params["recurrent_bias"]
        wide = np.concatenate([np.zeros_like(extra, shape=(2 * features,)), extra])
        return {**params, "recurrent_bias": wide}

    def step(params: PyTree, h: Any, projected: Any) -> Any:
        u = h @ params["recurrent_weight"]
        return gru_gates(projected, u + params["recurrent_bias"] if use_bias else u, h)

    return _cell(
        "gru_cell", features, 3, more, step, start, use_bias=use_bias, weight_init=weight_init,
        recurrent_init=recurrent_init, prepare=prepare,
    )  # fmt: skip


@boundary
def mgu_cell(
    features: int,
    *,
    use_bias: bool = True,
    weight_init: Initializer | None = None,
    recurrent_init: Initializer | None = None,
) -> Cell:
    """Make a cell with a single gate: Zhou et al. 2016, the gate after the product, as in flax.

    f = sigmoid(x W_f + h U_f + b_f), n = tanh(x W_n + b_n + f (h U_n)), h' = (1 - f) h + f n.

    >>> mgu_cell(4).initial_carry((1, 3))
    array([[0., 0., 0., 0.]])

    Args, Returns: see `rnn_cell`.
    """
    features = count(features, "mgu_cell", "a number of features")

    def step(params: PyTree, h: Any, projected: Any) -> Any:
        (xf, xn), (uf, un) = split(projected, 2), split(h @ params["recurrent_weight"], 2)
        f = sigmoid(xf + uf)
        return h + f * (np.tanh(xn + f * un) - h)

    return _cell(
        "mgu_cell", features, 2, {}, step, _no_more, use_bias=use_bias, weight_init=weight_init,
        recurrent_init=recurrent_init,
    )  # fmt: skip
