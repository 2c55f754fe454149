"""Blocks of transformers: attention and a perceptron by turns, each with a way around it.

Vaswani et al. 2017; with the normalization before each part by default (Xiong et al. 2020), so
that the ways around stay free.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fgrad import random
from fgrad.arrays import is_a
from fgrad.errors import ShapeError, describe
from fgrad.tracebacks import boundary

from ..activations import relu
from ..initializers import Initializer
from ..types import AnyLayer, Layer, PyTree
from .attention import multi_head_attention
from .dense import dense
from .dropout import dropout
from .making import check_input_shape, check_inputs, count, layer, wrong_tree
from .members import combine, located, members_of
from .norms import layer_norm

Around = Callable[[Any, str, Any, Any], Any]


@boundary
def feed_forward(
    hidden: int | None = None,
    activation: Callable[[Any], Any] = relu,
    *,
    gated: bool = False,
    dropout_rate: float = 0.0,
    use_bias: bool = True,
    weight_init: Initializer | None = None,
) -> Layer:
    """The perceptron of a transformer, for each position by itself; features stay as many.

    >>> net = feed_forward(32)
    >>> shape, params = net.init(random.key(0), (-1, 10, 8))
    >>> shape, list(params)
    ((-1, 10, 8), ['up', 'down'])

    Args:
        hidden: the number of features between its two layers; four times the inputs' for None.
        activation: a function of an array.
        gated: whether the activation of a third layer multiplies what goes up (Shazeer 2020);
            with `silu` that is SwiGLU.
        dropout_rate: that of a dropout after the activation.
        use_bias, weight_init: as for `dense`.
    """
    if hidden is not None:
        hidden = count(hidden, "feed_forward", "a number of hidden features")
    ways = ("gate", "up", "down") if gated else ("up", "down")
    drop = dropout(dropout_rate)

    def part(which: str, features: int) -> Layer:
        wide = features if which == "down" else hidden or 4 * features
        return dense(wide, use_bias=use_bias, weight_init=weight_init)

    def init(key: Any, input_shape: Any, dtype: Any) -> tuple[Any, PyTree]:
        shape = check_input_shape(input_shape, "feed_forward", (None,))
        params: dict[str, PyTree] = {}
        inner = shape
        for which, k in zip(ways, random.split(key, len(ways)), strict=True):
            given = inner if which == "down" else shape
            with located(which):
                inner, params[which] = part(which, shape[-1]).init(k, given, dtype)
        return shape, params

    def apply(params: PyTree, inputs: Any, *, key: Any = None, train: bool = False) -> Any:
        if not isinstance(params, dict) or sorted(params) != sorted(ways):
            raise wrong_tree(params, "feed_forward", ways)
        n = check_inputs(inputs, "feed_forward", (None,))[-1]

        def through(which: str, x: Any) -> Any:
            with located(which):
                return part(which, n).apply(params[which], x)

        first, *more = (through(which, inputs) for which in ways[:-1])
        h = activation(first) * more[0] if gated else activation(first)
        return through("down", drop.apply({}, h, key=key, train=train))

    return layer(init, apply)


def _prefixed(attention: Layer) -> Layer:
    """Attention to a memory: its keywords are `memory_mask` and `memory_lengths`."""

    def init(key: Any, input_shape: Any, dtype: Any) -> tuple[Any, PyTree]:
        return attention.init(key, input_shape, dtype)

    def apply(
        params: PyTree, inputs: Any, *, memory_mask: Any = None, memory_lengths: Any = None,
        key: Any = None, train: bool = False,
    ) -> Any:  # fmt: skip
        return attention.apply(
            params, inputs, mask=memory_mask, lengths=memory_lengths, key=key, train=train
        )

    return layer(init, apply, name="cross_attention")


def _around(norm_first: bool, drop: bool) -> Around:
    """One part of a block with its way around: `around(run, part, x, arguments)`."""

    def around(run: Any, part: str, x: Any, memory: Any) -> Any:
        h = run(f"{part}_norm", x) if norm_first else x
        h = run(part, h if memory is None else (h, memory))
        h = run(f"{part}_dropout", h) if drop else h
        if isinstance(x, tuple):  # at init, when shapes take the way of arrays
            if h != x:
                raise ShapeError(
                    "a transformer block adds what each part makes of its inputs to them.",
                    f"the shape {x} on the way around, {h} from {part!r}",
                    "leave out_features of its attention away",
                )
            return x if norm_first else run(f"{part}_norm", x)
        return x + h if norm_first else run(f"{part}_norm", x + h)

    return around


def _block(
    name: str, attentions: dict[str, Layer], hidden: int | None, activation: Any, gated: bool,
    dropout_rate: float, norm_first: bool, norm: Callable[[], Any], use_bias: bool,
) -> AnyLayer:  # fmt: skip
    parts: dict[str, Any] = {}
    for part in (*attentions, "feed_forward"):
        parts[f"{part}_norm"] = norm()
        parts[part] = attentions.get(part) or feed_forward(
            hidden, activation, gated=gated, dropout_rate=dropout_rate, use_bias=use_bias
        )
        if dropout_rate:
            parts[f"{part}_dropout"] = dropout(dropout_rate)
    around = _around(norm_first, bool(dropout_rate))

    def flow(run: Any, x: Any) -> Any:
        memory = None
        if "cross_attention" in attentions:
            x, memory = with_memory(x, name)
        for part in (*attentions, "feed_forward"):
            x = around(run, part, x, memory if part == "cross_attention" else None)
        return x

    return combine(name, members_of(name, [parts], {}), flow)


def with_memory(x: Any, name: str) -> Any:
    """A sequence and a memory, or their shapes."""
    if isinstance(x, (tuple, list)) and len(x) == 2 and not is_a(x[0], int):
        return x
    raise ShapeError(
        f"{name} wants two inputs: a sequence, and the memory that it looks at.",
        f"the shape {x}" if isinstance(x, tuple) else describe(x),
        "pass a pair (x, memory); without a memory there is transformer_encoder_block",
    )


@boundary
def transformer_encoder_block(
    num_heads: int,
    hidden: int | None = None,
    *,
    activation: Callable[[Any], Any] = relu,
    gated: bool = False,
    dropout_rate: float = 0.0,
    norm_first: bool = True,
    norm: Callable[[], Any] = layer_norm,
    use_bias: bool = True,
    **attention: Any,
) -> AnyLayer:
    """Attention of a sequence to itself, then a perceptron; with `causal=True` that of GPT.

    >>> net = transformer_encoder_block(2)
    >>> shape, params = net.init(random.key(0), (-1, 10, 8))
    >>> shape, list(params)
    ((-1, 10, 8), ['attention_norm', 'attention', 'feed_forward_norm', 'feed_forward'])

    Args:
        num_heads: the number of heads.
        hidden: the number of features inside of the perceptron; four times the inputs' if it
            isn't given.
        activation, gated: as for `feed_forward`.
        dropout_rate: that of the attention's weights, after each of the two parts, and inside of
            the perceptron, in training.
        norm_first: whether to normalize before each part (Xiong et al. 2020), or after it has
            been added (Vaswani et al. 2017).
        norm: a function that makes the normalization, such as `layer_norm` or `rms_norm`.
        use_bias: whether products have a bias.
        **attention: other options of `multi_head_attention`.

    Returns:
        A layer for inputs (..., time, features); it takes `mask` and `lengths`, as
        `multi_head_attention` does, `key` and `train`.
    """
    options = {"dropout_rate": dropout_rate, "use_bias": use_bias, **attention}
    parts = {"attention": multi_head_attention(num_heads, **options)}
    return _block(
        "transformer_encoder_block", parts, hidden, activation, gated, dropout_rate, norm_first,
        norm, use_bias,
    )  # fmt: skip


@boundary
def transformer_decoder_block(
    num_heads: int,
    hidden: int | None = None,
    *,
    activation: Callable[[Any], Any] = relu,
    gated: bool = False,
    dropout_rate: float = 0.0,
    norm_first: bool = True,
    norm: Callable[[], Any] = layer_norm,
    use_bias: bool = True,
    causal: bool = True,
    **attention: Any,
) -> AnyLayer:
    """Causal attention of a sequence to itself, then to a memory, then a perceptron.

    >>> net = transformer_decoder_block(2)
    >>> shape, params = net.init(random.key(0), ((-1, 10, 8), (-1, 7, 6)))
    >>> shape
    (-1, 10, 8)

    Args:
        num_heads, hidden, activation, gated, dropout_rate, norm_first, norm, use_bias: as for
            `transformer_encoder_block`.
        causal: whether a position of the sequence sees no later one.
        **attention: other options of both attentions.

    Returns:
        A layer whose inputs are a pair (sequence, memory); it takes `mask` and `lengths` for the
        sequence, `memory_mask` and `memory_lengths` for the memory, `key` and `train`.
    """
    options = {"dropout_rate": dropout_rate, "use_bias": use_bias, **attention}
    plain = {k: v for k, v in options.items() if k not in ("rotary_base", "alibi")}
    parts = {
        "attention": multi_head_attention(num_heads, causal=causal, **options),
        "cross_attention": _prefixed(multi_head_attention(num_heads, **plain)),
    }
    return _block(
        "transformer_decoder_block", parts, hidden, activation, gated, dropout_rate, norm_first,
        norm, use_bias,
    )  # fmt: skip
