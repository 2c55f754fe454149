"""What a network is made of, as a table: each layer's output shape and parameters."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from fgrad import random, tree
from fgrad.tracebacks import boundary

from .layers.members import Seen, as_layer, watch
from .types import AnyLayer, PyTree, StatefulLayer


class Row(NamedTuple):
    """A layer in a summary."""

    name: str
    output_shape: Any
    parameters: int
    bytes: int
    depth: int


class Summary(NamedTuple):
    """The rows of a network; it prints as a table."""

    rows: list[Row]
    parameters: int
    bytes: int
    state_bytes: int

    def __str__(self) -> str:
        head = ("layer", "output shape", "parameters", "bytes")
        body = [
            ("  " * r.depth + r.name, _shape(r.output_shape), f"{r.parameters:,}", _size(r.bytes))
            for r in self.rows
        ]
        total = ("total", "", f"{self.parameters:,}", _size(self.bytes))
        cells = [head, *body, total]
        widths = [max(len(row[i]) for row in cells) for i in range(4)]
        lines = [
            f"{a:<{widths[0]}}  {b:<{widths[1]}}  {c:>{widths[2]}}  {d:>{widths[3]}}".rstrip()
            for a, b, c, d in cells
        ]
        rule = "-" * max(map(len, lines))
        text = [lines[0], rule, *lines[1:-1], rule, lines[-1]]
        if self.state_bytes:
            text.append(f"state  {_size(self.state_bytes)}")
        return "\n".join(text)

    def __repr__(self) -> str:
        return str(self)


@boundary
def summary(model: AnyLayer, input_shape: Any, dtype: Any = np.float64) -> Summary:
    """Tell of each layer of a network what comes out of it, and how many parameters it has.

    >>> from fgrad_nn import dense, relu, serial
    >>> print(summary(serial(dense(16), relu, ("out", dense(2))), (-1, 8)))
    layer          output shape  parameters    bytes
    ------------------------------------------------
    serial         (-1, 2)              178  1.4 KiB
      0_dense      (-1, 16)             144  1.1 KiB
      1_relu       (-1, 16)               0        0
      out (dense)  (-1, 2)               34      272
    ------------------------------------------------
    total                               178  1.4 KiB

    Args:
        model: a layer, a function of arrays, or a cell.
        input_shape: as for its `init`, which is called with a key of zero.
        dtype: the dtype of the parameters, as for `init`.

    Returns:
        A `Summary`, whose rows can be read too. A layer's numbers hold those of its members; what
        uses parameters that another one has made has none of its own.
    """
    model = model if hasattr(model, "init") else as_layer(model, "summary")
    key = random.key(0)
    with watch() as seen:
        output_shape, params = model.init(key, input_shape, dtype)
    top = Seen((), model, input_shape, output_shape, params, shared=False)
    rows = [_row(s) for s in (top, *seen)]
    state = 0
    if isinstance(model, StatefulLayer):
        state = _bytes(model.init_state(key, input_shape, dtype))
    return Summary(rows, rows[0].parameters, rows[0].bytes, state)


@boundary
def count_parameters(params: PyTree) -> int:
    """The number of numbers in a tree of parameters.

    >>> count_parameters({"weight": np.ones((2, 3)), "bias": np.ones(3)})
    9
    """
    return sum(math.prod(np.shape(p)) for p in tree.leaves(params))


def _row(seen: Seen) -> Row:
    name = seen.path[-1] if seen.path else seen.layer.name
    if seen.path and seen.layer.name not in name:
        name = f"{name} ({seen.layer.name})"
    own = {} if seen.shared else seen.params
    name = f"{name}, shared" if seen.shared else name
    return Row(name, seen.output_shape, count_parameters(own), _bytes(own), len(seen.path))


def _bytes(params: PyTree) -> int:
    return sum(np.asarray(p).nbytes for p in tree.leaves(params))


def _shape(shape: Any) -> str:
    return str(shape)


def _size(n: int) -> str:
    for unit in ("", " KiB", " MiB", " GiB"):
        if n < 1024 or unit == " GiB":
            return f"{n:.1f}{unit}" if unit else str(n)
        n = n / 1024  # type: ignore[assignment]
    return str(n)
