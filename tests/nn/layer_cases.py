"""All layers, with the shape of an input: what the laws of layers go through."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

import fgrad_nn as nn


class Case(NamedTuple):
    """A layer, the shape of its inputs (a tuple of shapes for several), and what to expect."""

    layer: Any
    shape: Any
    integers: bool = False
    batch: bool = True
    """Whether the first axis is that of a batch, whose samples are treated one by one."""
    fixed: bool = False
    """Whether some parameters get no gradient."""

    def inputs(self, dtype: Any = np.float64, n: int = 2, seed: int = 0) -> Any:
        """Inputs for a batch of n."""
        rng = np.random.default_rng(seed)

        def draw(shape: Any) -> Any:
            shape = tuple(n if k == -1 else k for k in shape)
            if self.integers:
                return rng.integers(0, 5, shape)
            size = int(np.prod(shape))
            grid = (rng.permutation(size) - size / 2 + rng.uniform(0.1, 0.4, size)) / max(size, 1)
            return (3 * grid).reshape(shape).astype(dtype)

        several = isinstance(self.shape[0], tuple)
        return tuple(map(draw, self.shape)) if several else draw(self.shape)


def flow(run: Any, x: Any) -> Any:
    down = np.tanh(run("down", x))
    return np.concatenate([run("up", down), x], axis=-1)


V, L, I, C = (-1, 4), (-1, 5, 2), (-1, 5, 4, 2), (-1, 3, 3, 3, 2)  # noqa: E741
TWO = ((-1, 3), (-1, 3))
CASES = {
    "dense": Case(nn.dense(3), V),
    "dense, no bias": Case(nn.dense(3, use_bias=False), (-1, 2, 4)),
    "dense, no batch": Case(nn.dense(3), (4,), batch=False),
    "dense_general": Case(nn.dense_general((2, 3), axis=(-3, -1)), (-1, 2, 3, 4)),
    "bilinear": Case(nn.bilinear(2), ((-1, 3), (-1, 4))),
    "bias": Case(nn.bias(), V),
    "einsum": Case(nn.einsum("...ab,bc->...ac", (2, 3)), L),
    "identity": Case(nn.identity(), V),
    "function": Case(nn.function(lambda x: x[..., ::2] ** 2), V),
    "activation": Case(nn.activation("elu", alpha=0.5), V),
    "prelu": Case(nn.prelu(), V),
    "prelu, per channel": Case(nn.prelu(shared=False), V),
    "rrelu": Case(nn.rrelu(), V),
    "conv1d": Case(nn.conv1d(3, 2), L),
    "conv1d, causal": Case(nn.conv1d(3, 2, padding="CAUSAL", dilation=2), L),
    "conv2d": Case(nn.conv2d(2, (2, 3), strides=2), I),
    "conv2d, groups": Case(nn.conv2d(4, 2, groups=2, padding=((1, 0), (0, 2))), I),
    "conv2d, channels first": Case(nn.conv2d(2, 2, data_format="channels_first"), (-1, 2, 4, 3)),
    "conv2d, two batch axes": Case(nn.conv2d(2, 2, padding=1), (-1, 2, 3, 3, 1)),
    "conv3d": Case(nn.conv3d(2, 2, padding="VALID"), C),
    "depthwise_conv": Case(nn.depthwise_conv((2, 2), multiplier=2), I),
    "separable_conv": Case(nn.separable_conv(3, (2, 2), strides=2), I),
    "conv_transpose1d": Case(nn.conv_transpose1d(3, 3, strides=2), L),
    "conv_transpose2d": Case(nn.conv_transpose2d(2, 3, strides=2, padding="VALID"), I),
    "conv_transpose2d, widths": Case(
        nn.conv_transpose2d(4, 3, strides=2, padding=1, output_padding=1, groups=2), I
    ),
    "conv_transpose3d": Case(nn.conv_transpose3d(1, 2), C),
    "unfold": Case(nn.unfold((2, 2), 2, padding=1), I),
    "fold": Case(nn.fold((5, 4), (2, 2), 1), (-1, 4, 3, 8)),
    "conv_local": Case(nn.conv_local(2, (2,), strides=2), L),
    "max_pool": Case(nn.max_pool((2, 2), padding="SAME"), I),
    "max_pool, overlapping": Case(nn.max_pool2d(3, 1, dilation=1), I),
    "min_pool": Case(nn.min_pool((2, 2)), I),
    "sum_pool": Case(nn.sum_pool((2,), 1), L),
    "avg_pool": Case(nn.avg_pool((2, 2), padding=1), I),
    "avg_pool, inside": Case(nn.avg_pool2d(2, padding="SAME", count_include_pad=False), I),
    "avg_pool3d": Case(nn.avg_pool3d(2), C),
    "lp_pool": Case(nn.lp_pool(3, (2, 2)), I),
    "global_avg_pool": Case(nn.global_avg_pool(), I),
    "global_max_pool": Case(nn.global_max_pool(data_format="channels_first"), (-1, 2, 4, 3)),
    "adaptive_avg_pool": Case(nn.adaptive_avg_pool((2, 3)), I),
    "adaptive_max_pool": Case(nn.adaptive_max_pool(2, dims=1), L),
    "layer_norm": Case(nn.layer_norm((-2, -1)), L),
    "rms_norm": Case(nn.rms_norm(), V),
    "group_norm": Case(nn.group_norm(2), (-1, 3, 4)),
    "instance_norm": Case(nn.instance_norm(), I),
    "local_response_norm": Case(nn.local_response_norm(2, alpha=0.5), V),
    "batch_norm": Case(nn.batch_norm(), V),
    "dropout": Case(nn.dropout(0.5), V),
    "spatial_dropout": Case(nn.spatial_dropout(0.5), I),
    "drop_path": Case(nn.drop_path(0.5), V),
    "alpha_dropout": Case(nn.alpha_dropout(0.5), V),
    "feature_alpha_dropout": Case(nn.feature_alpha_dropout(0.5, dims=1), L),
    "gaussian_dropout": Case(nn.gaussian_dropout(0.5), V),
    "gaussian_noise": Case(nn.gaussian_noise(0.5), V),
    "embedding": Case(nn.embedding(5, 3), (-1, 2), integers=True),
    "embedding_bag": Case(nn.embedding_bag(5, 3), (-1, 2), integers=True),
    "flatten": Case(nn.flatten(), I),
    "reshape": Case(nn.reshape((2, -1)), V),
    "permute": Case(nn.permute(-1, -2), L),
    "pad": Case(nn.zero_pad(((1, 2), (0, 1))), I),
    "pad, reflect": Case(nn.reflection_pad(2, dims=1), L),
    "pad, edge": Case(nn.replication_pad(2, dims=1), L),
    "pad, wrap": Case(nn.circular_pad(2, dims=1), L),
    "pixel_shuffle": Case(nn.pixel_shuffle(2), (-1, 2, 3, 8)),
    "pixel_unshuffle": Case(nn.pixel_unshuffle(2), (-1, 4, 2, 3)),
    "channel_shuffle": Case(nn.channel_shuffle(2), V),
    "upsample": Case(nn.upsample((2, 3), "nearest"), I),
    "resize": Case(nn.resize((3, 7), "linear"), I),
    "resize, cubic": Case(nn.resize((3,), "cubic"), L),
    "fan_out": Case(nn.fan_out(2), V),
    "fan_in_sum": Case(nn.fan_in_sum(), TWO),
    "fan_in_mul": Case(nn.fan_in_mul(), TWO),
    "fan_in_mean": Case(nn.fan_in_mean(), TWO),
    "fan_in_concat": Case(nn.fan_in_concat(), ((-1, 3), (-1, 2))),
    "fan_in_stack": Case(nn.fan_in_stack(), TWO),
    "serial": Case(nn.serial(nn.dense(3), np.tanh, nn.layer_norm(), out=nn.dense(2)), V),
    "parallel": Case(nn.parallel(nn.dense(2), np.sin), TWO),
    "branch": Case(nn.serial(nn.branch(nn.dense(2), nn.dense(3)), nn.fan_in_concat()), V),
    "residual": Case(nn.residual(nn.dense(4), np.tanh), V),
    "residual, shortcut": Case(nn.residual(nn.dense(2), shortcut=nn.dense(2)), V),
    "repeat": Case(nn.repeat(nn.dense(4), 2), V),
    "repeat, shared": Case(nn.repeat(nn.dense(4), 2, shared=True), V),
    "mlp": Case(nn.mlp([3, 2], np.tanh, final_activation=nn.softmax), V),
    "network": Case(nn.network(flow, down=nn.dense(2), up=nn.dense(3)), V),
    "shape_dependent": Case(nn.shape_dependent(lambda s: nn.dense(s[-1])), V),
    "remat": Case(nn.remat(nn.serial(nn.dense(3), np.tanh)), V),
    "with_keywords": Case(nn.with_keywords(nn.dropout(0.5), train=False), V),
    "with_dtype": Case(nn.with_dtype(nn.dense(3), np.float64), V),
    "batch_apply": Case(nn.batch_apply(nn.flatten()), (-1, 2, 3, 2)),
    "ensemble": Case(nn.ensemble(nn.dense(2), 3), V, batch=False),
    "layer_stack": Case(nn.layer_stack(nn.serial(nn.dense(4), np.tanh), 3), V),
    "weight_norm": Case(nn.weight_norm(nn.conv1d(3, 2)), L),
    "lora": Case(nn.lora(nn.dense(3), 2), V, fixed=True),
    "spectral_norm": Case(nn.spectral_norm(nn.dense(3)), V, fixed=True),
    "rnn": Case(nn.rnn(2, np.sin, return_sequences=False), L),
    "lstm": Case(nn.lstm(2, learned_carry=True), L),
    "lstm, peephole": Case(nn.lstm(2, peephole=True, reverse=True), L),
    "gru": Case(nn.gru(2, return_carry=True), L),
    "recurrent": Case(nn.recurrent(nn.conv_lstm_cell(1, 2, dims=1)), (-1, 2, 3, 1)),
    "recurrent, stacked": Case(
        nn.recurrent(nn.stacked_cell(nn.mgu_cell(2), nn.rnn_cell(2, use_bias=False))), L
    ),
    "bidirectional": Case(nn.bidirectional(nn.gru_cell(2, use_bias=False)), L),
    "multi_head_attention": Case(nn.multi_head_attention(2, causal=True, dropout_rate=0.5), L),
    "multi_head_attention, grouped": Case(
        nn.multi_head_attention(
            2, head_features=2, out_features=3, kv_heads=1, rotary_base=10.0, alibi=True
        ),
        L,
    ),
    "multi_head_attention, cross": Case(
        nn.multi_head_attention(1, use_bias=False), ((-1, 2, 3), (-1, 4, 2))
    ),
    "learned_positions": Case(nn.learned_positions(6), L),
    "sinusoidal_positions": Case(nn.sinusoidal_positions(), L),
    "feed_forward": Case(nn.feed_forward(3, np.tanh, gated=True, dropout_rate=0.5), L),
    "transformer_encoder_block": Case(
        nn.transformer_encoder_block(2, 3, activation=np.tanh, dropout_rate=0.5), (-1, 3, 4)
    ),
    "transformer_decoder_block": Case(
        nn.transformer_decoder_block(1, 3, activation=np.tanh, norm_first=False),
        ((-1, 2, 4), (-1, 3, 2)),
    ),
    "transformer_encoder": Case(
        nn.transformer_encoder(1, 1, 3, activation=np.tanh, norm_first=False), (-1, 2, 4)
    ),
    "transformer_decoder": Case(
        nn.transformer_decoder(1, 1, 3, activation=np.tanh, norm=nn.rms_norm),
        ((-1, 2, 4), (-1, 2, 4)),
    ),
    "transformer": Case(
        nn.transformer(1, 1, 2, activation=np.tanh, norm=nn.rms_norm, use_bias=False),
        ((-1, 2, 3), (-1, 2, 3)),
    ),
}
