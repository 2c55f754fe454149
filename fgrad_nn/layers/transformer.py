"""Transformers: stacks of blocks, each an encoder, a decoder, or both."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fgrad import random
from fgrad.errors import ArgumentError
from fgrad.tracebacks import boundary

from ..types import AnyLayer, Layer, PyTree, StatefulLayer
from .making import count, layer, wrong_tree
from .members import combine, located, members_of
from .norms import layer_norm
from .transformer_blocks import transformer_decoder_block, transformer_encoder_block, with_memory


@boundary
def transformer_encoder(
    num_layers: int, num_heads: int, hidden: int | None = None, *, norm_first: bool = True,
    norm: Callable[[], Any] = layer_norm, **options: Any,
) -> AnyLayer:  # fmt: skip
    """Several `transformer_encoder_block`, one after the other.

    >>> net = transformer_encoder(2, num_heads=2)
    >>> shape, params = net.init(random.key(0), (-1, 10, 8))
    >>> list(params)
    ['block_0', 'block_1', 'norm']

    Args:
        num_layers: the number of blocks.
        num_heads, hidden: as for a block.
        norm_first, norm: as for a block; with `norm_first` there is one more at the end.
        **options: other options of the blocks.

    Returns:
        A layer that takes the same keywords as a block. `layer_stack` of a block keeps the
        parameters of all blocks in one array each.
    """
    block = transformer_encoder_block(
        num_heads, hidden, norm_first=norm_first, norm=norm, **options
    )
    return _stack("transformer_encoder", num_layers, block, norm_first, norm)


@boundary
def transformer_decoder(
    num_layers: int, num_heads: int, hidden: int | None = None, *, norm_first: bool = True,
    norm: Callable[[], Any] = layer_norm, **options: Any,
) -> AnyLayer:  # fmt: skip
    """Several `transformer_decoder_block`, one after the other, all with the same memory.

    >>> net = transformer_decoder(2, num_heads=2)
    >>> net.init(random.key(0), ((-1, 10, 8), (-1, 7, 8)))[0]
    (-1, 10, 8)

    Args: see `transformer_encoder`.
    """
    block = transformer_decoder_block(
        num_heads, hidden, norm_first=norm_first, norm=norm, **options
    )
    return _stack("transformer_decoder", num_layers, block, norm_first, norm)


def _stack(name: str, n: int, block: AnyLayer, norm_first: bool, norm: Any) -> AnyLayer:
    n = count(n, name, "a number of blocks")
    parts: dict[str, Any] = {f"block_{i}": block for i in range(n)}
    parts |= {"norm": norm()} if norm_first else {}

    def flow(run: Any, x: Any) -> Any:
        memory = None
        if name == "transformer_decoder":
            x, memory = with_memory(x, name)
        for i in range(n):
            x = run(f"block_{i}", x if memory is None else (x, memory))
        return run("norm", x) if norm_first else x

    return combine(name, members_of(name, [parts], {}), flow)


@boundary
def transformer(
    num_layers: int, num_heads: int, hidden: int | None = None, *,
    num_decoder_layers: int | None = None, **options: Any,
) -> Layer:  # fmt: skip
    """An encoder, and a decoder that looks at what the encoder makes: Vaswani et al. 2017.

    >>> net = transformer(2, num_heads=2)
    >>> shape, params = net.init(random.key(0), ((-1, 7, 8), (-1, 10, 8)))
    >>> shape, list(params)
    ((-1, 10, 8), ['encoder', 'decoder'])

    Embeddings, positions and the last product are not in it.

    Args:
        num_layers: the number of blocks of the encoder, and of the decoder unless that is given.
        num_heads, hidden: as for a block.
        num_decoder_layers: the number of blocks of the decoder.
        **options: those of `transformer_encoder` and `transformer_decoder`.

    Returns:
        A layer whose inputs are a pair (source, target). It takes `source_mask`,
        `source_lengths`, `target_mask`, `target_lengths`, `memory_mask`, `key` and `train`; the
        lengths of the source are those of the memory too.
    """
    name = "transformer"
    parts = {
        "encoder": transformer_encoder(num_layers, num_heads, hidden, **options),
        "decoder": transformer_decoder(
            num_decoder_layers or num_layers, num_heads, hidden, **options
        ),
    }
    if any(isinstance(part, StatefulLayer) for part in parts.values()):
        raise ArgumentError(
            f"{name} wants a normalization without state.",
            "a StatefulLayer",
            "pass norm=layer_norm or norm=rms_norm",
        )

    def init(key: Any, input_shape: Any, dtype: Any) -> tuple[Any, PyTree]:
        source, target = with_memory(input_shape, name)
        k1, k2 = random.split(key)
        with located("encoder"):
            memory, encoder = parts["encoder"].init(k1, source, dtype)
        with located("decoder"):
            shape, decoder = parts["decoder"].init(k2, (target, memory), dtype)
        return shape, {"encoder": encoder, "decoder": decoder}

    def apply(
        params: PyTree, inputs: Any, *, source_mask: Any = None, source_lengths: Any = None,
        target_mask: Any = None, target_lengths: Any = None, memory_mask: Any = None,
        key: Any = None, train: bool = False,
    ) -> Any:  # fmt: skip
        if not isinstance(params, dict) or sorted(params) != sorted(parts):
            raise wrong_tree(params, name, list(parts))
        source, target = with_memory(inputs, name)
        keys = [None, None] if key is None else [random.fold_in(key, i) for i in range(2)]
        with located("encoder"):
            memory = parts["encoder"].apply(
                params["encoder"], source, mask=source_mask, lengths=source_lengths,
                key=keys[0], train=train,
            )  # fmt: skip
        with located("decoder"):
            return parts["decoder"].apply(
                params["decoder"], (target, memory), mask=target_mask, lengths=target_lengths,
                memory_mask=memory_mask, memory_lengths=source_lengths, key=keys[1], train=train,
            )  # fmt: skip

    return layer(init, apply)
