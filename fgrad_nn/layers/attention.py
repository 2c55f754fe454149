"""Attention: each query takes a mean of values, weighted by how well their keys fit it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fgrad import random
from fgrad.core import home
from fgrad.errors import ArgumentError, DtypeError, ShapeError, describe
from fgrad.tracebacks import boundary

from .. import initializers
from ..activations import softmax
from ..coins import coins
from ..initializers import Initializer
from ..masks import beside, keep
from ..types import Layer, PyTree
from .making import (
    Pattern,
    check_input_shape,
    check_inputs,
    count,
    fraction,
    is_shape,
    layer,
    need_key,
    take,
    wrong_tree,
)
from .positions import distance_bias, rotary
from .recurrent import lengths_mask

#: Causal attention takes at least so many queries at a time (on a device all: calls count there).
ROWS = 64


@boundary
def scaled_dot_product_attention(
    queries: Any, keys: Any, values: Any, mask: Any = None, *, causal: bool = False,
    scale: float | None = None, dropout_rate: float = 0.0, key: Any = None,
) -> Any:  # fmt: skip
    """softmax(queries keys^T scale) values: Vaswani et al. 2017, section 3.2.1.

    >>> x = np.ones((1, 3, 4))
    >>> scaled_dot_product_attention(x, x, x, causal=True).shape
    (1, 3, 4)
    >>> nothing = np.zeros((3, 3), bool)
    >>> bool(np.all(scaled_dot_product_attention(x, x, x, nothing) == 0))
    True

    Args:
        queries: of shape (..., q, d); the axis before the last two is that of the heads.
        keys: of shape (..., k, d).
        values: of shape (..., k, e). Where keys and values have fewer heads than the queries, as
            many neighbouring heads of queries share one (Ainslie et al. 2023).
        mask: of a shape that broadcasts to (..., q, k): booleans, True where a query sees a key,
            or numbers that are added to the products, -inf where it doesn't. What isn't seen has
            the weight 0. A query that sees nothing gets 0, and so do its gradients; in PyTorch
            it gets NaN.
        causal: whether query i sees the keys 0 to i only, besides what the mask says.
        scale: what the products are multiplied with; 1 / sqrt(d) by default.
        dropout_rate: the probability with which a weight is set to zero; needs a key.
        key: a key of fgrad.random.

    Returns:
        An array of shape (..., q, e).

    Raises:
        ShapeError: the shapes don't fit to each other.
        DtypeError: the mask is made of integers, which could mean either.
    """
    name = "scaled_dot_product_attention"
    heads, shared = _check_qkv(name, queries, keys, values)
    group = heads // shared if shared else 1
    d = queries.shape[-1]
    seen, bias = _read_mask(name, mask, queries.shape, keys.shape)
    if causal:
        low = home(queries).tri(queries.shape[-2], keys.shape[-2], dtype=bool)
        seen = low if seen is None else np.logical_and(seen, low)
    if group > 1:
        # (..., heads, q, d) as (..., kv heads, group, q, d) beside (..., kv heads, 1, k, d)
        shape = queries.shape
        queries = np.reshape(queries, (*shape[:-3], shared, group, *shape[-2:]))
        keys, values = np.expand_dims(keys, -3), np.expand_dims(values, -3)
        seen, bias = (_grouped(m, shared, group) for m in (seen, bias))
    factor = 1 / math.sqrt(max(d, 1)) if scale is None else scale
    queries = queries if factor == 1 else queries * factor
    n = queries.shape[-2]
    alone = causal and mask is None and not dropout_rate
    if alone and 2 * ROWS <= n == keys.shape[-2] and home(queries) is np:
        out = _causal(queries, keys, values, seen)
    else:
        logits = queries @ np.swapaxes(keys, -1, -2)
        if bias is not None:
            logits = logits + bias.astype(logits.dtype)
        weights = softmax(logits, -1, seen)
        if dropout_rate:
            rate = fraction(dropout_rate, name, "a rate")
            kept = coins(need_key(key, name), 1 - rate, weights.shape)
            kept = beside(kept, weights)
            weights = keep(weights / (1 - rate), kept)
        out = weights @ values
    if group > 1:
        out = np.reshape(out, (*out.shape[:-4], heads, *out.shape[-2:]))
    return out


def _causal(queries: Any, keys: Any, values: Any, seen: Any) -> Any:
    """Attention to what came before, some queries at a time: the keys behind them are left out."""
    n, out = queries.shape[-2], []
    rows = -(-n // min(4, n // ROWS))
    for i in range(0, n, rows):
        logits = queries[..., i : i + rows, :] @ np.swapaxes(keys[..., : i + rows, :], -1, -2)
        weights = softmax(logits, -1, seen[i : i + rows, : i + rows])
        out.append(weights @ values[..., : i + rows, :])
    return np.concatenate(out, axis=-2)


def _check_qkv(name: str, queries: Any, keys: Any, values: Any) -> tuple[int, int]:
    """The numbers of heads of queries and of keys; 1 if there is no such axis."""
    q, k, v = (check_inputs(x, name, (None, None)) for x in (queries, keys, values))
    heads, shared = (q[-3], k[-3]) if min(len(q), len(k)) >= 3 else (1, 1)
    fits = q[-1] == k[-1] and k[:-1] == v[:-1] and q[:-3] == k[:-3] and len(q) == len(k)
    if not fits or (heads != shared and (not shared or heads % shared)):
        raise ShapeError(
            f"{name} wants queries (..., heads, q, d), keys (..., heads, k, d) and values "
            "(..., heads, k, e), where keys may have a fraction of the heads.",
            f"the shapes {q}, {k} and {v}",
            "bring batch axes and features to the same lengths; broadcasting is not done here",
        )
    return heads, shared


def _read_mask(name: str, mask: Any, q: Any, k: Any) -> tuple[Any, Any]:
    """Where queries see keys, and what is added; None for all, and for nothing."""
    if mask is None:
        return None, None
    kind = getattr(getattr(mask, "dtype", None), "kind", "")
    if kind not in "bf" or not kind:
        raise DtypeError(
            f"{name} wants a mask of booleans (True where a query sees a key), or of floating "
            "numbers that are added to the products.",
            describe(mask),
            "write mask.astype(bool) for the first",
        )
    full = (*q[:-1], k[-2])
    shape = tuple(mask.shape)
    if len(shape) > len(full) or any(
        m not in (1, n) for m, n in zip(shape[::-1], full[::-1], strict=False)
    ):
        raise ShapeError(
            f"{name} wants a mask that broadcasts to {full}: batch, heads, queries, keys.",
            describe(mask),
            "put axes of length one where the mask is the same: mask[:, None] for all heads",
        )
    if kind == "b":
        return mask, None
    seen = np.greater(mask, -np.inf)
    return seen, np.where(seen, mask, 0)


def _grouped(mask: Any, heads: int, group: int) -> Any:
    """A mask for grouped heads."""
    if mask is None or mask.ndim < 3:
        return mask
    if mask.shape[-3] == 1:
        return np.expand_dims(mask, -3)
    return np.reshape(mask, (*mask.shape[:-3], heads, group, *mask.shape[-2:]))


# ------------------------------------------------------------------ masks
@boundary
def causal_mask(queries: int, keys: int | None = None, *, window: int | None = None) -> Any:
    """Booleans of shape (queries, keys), True where a query sees a key: itself and those before.

    >>> causal_mask(3).astype(int)
    array([[1, 0, 0],
           [1, 1, 0],
           [1, 1, 1]])

    Args:
        queries: the number of queries.
        keys: that of keys; as many by default. With more keys the queries are the last ones, as
            when a sequence is continued.
        window: how many keys a query sees at most, its own included.
    """
    queries = count(queries, "causal_mask", "a number of queries")
    keys = queries if keys is None else count(keys, "causal_mask", "a number of keys")
    age = np.arange(keys - queries, keys)[:, None] - np.arange(keys)
    mask = age >= 0
    return mask if window is None else mask & (age < count(window, "causal_mask", "a window"))


@boundary
def padding_mask(lengths: Any, keys: int) -> Any:
    """Booleans of shape (..., 1, 1, keys), True for the first `lengths` keys of each sequence.

    >>> padding_mask(np.array([1, 3]), 3)[:, 0, 0].astype(int)
    array([[1, 0, 0],
           [1, 1, 1]])

    Args:
        lengths: integers of the shape of the batch.
        keys: the number of keys, padding included.
    """
    shape = (*np.shape(lengths), count(keys, "padding_mask", "a number of keys"))
    return np.expand_dims(lengths_mask(lengths, shape, "padding_mask"), (-2, -3))


# ------------------------------------------------------------------ the layer
@boundary
def multi_head_attention(
    num_heads: int,
    *,
    head_features: int | None = None,
    out_features: int | None = None,
    kv_heads: int | None = None,
    causal: bool = False,
    rotary_base: float | None = None,
    alibi: bool = False,
    dropout_rate: float = 0.0,
    use_bias: bool = True,
    weight_init: Initializer | None = None,
    bias_init: Initializer = initializers.zeros,
) -> Layer:
    """Attend with several heads: Vaswani et al. 2017, section 3.2.2.

    >>> net = multi_head_attention(2, causal=True)
    >>> shape, params = net.init(random.key(0), (-1, 10, 8))
    >>> shape, list(params), params["query"]["weight"].shape
    ((-1, 10, 8), ['query', 'key', 'value', 'out'], (8, 8))
    >>> net.apply(params, np.ones((3, 10, 8)), lengths=np.array([10, 4, 7])).shape
    (3, 10, 8)

    Args:
        num_heads: the number of heads.
        head_features: the length of a head's queries, keys and values; by default the number of
            features divided by that of heads.
        out_features: the length of the last axis of the outputs; that of the queries by default.
        kv_heads: the number of heads of keys and values, of which num_heads is a multiple; 1 is
            multi-query attention (Shazeer 2019).
        causal: whether a query sees no later key.
        rotary_base: turn queries and keys by their positions, as `rotary` with this base, such as
            10000.
        alibi: whether distance costs: Press, Smith & Lewis 2022, see `alibi_bias`.
        dropout_rate: that of the weights, in training.
        use_bias: whether the four products have a bias.
        weight_init: of the weights; `glorot_uniform` by default.
        bias_init: of the biases.

    Returns:
        A layer whose inputs are one array (..., time, features), which attends to itself, or a
        tuple (queries, keys) or (queries, keys, values) of arrays; values are the keys if there
        are two. Its `apply` takes `key` and `train`, and

        - `mask`: as for `scaled_dot_product_attention`, of a shape that broadcasts to
          (..., num_heads, queries, keys);
        - `lengths`: integers of the shape of the batch; keys after them are padding.
    """
    name = "multi_head_attention"
    num_heads = count(num_heads, name, "a number of heads")
    kv = num_heads if kv_heads is None else count(kv_heads, name, "a number of heads")
    if num_heads % kv:
        raise ArgumentError(
            f"{name} wants as many heads of queries for each head of keys.",
            f"num_heads={num_heads} and kv_heads={kv}",
            "make the first a multiple of the second",
        )
    rate = fraction(dropout_rate, name, "a rate")
    weight_init = weight_init or initializers.glorot_uniform()
    names = ("query", "key", "value", "out")

    def init(key: Any, input_shape: Any, dtype: Any) -> tuple[Any, PyTree]:
        q, k, v = _three(input_shape, name, shapes=True)
        for shape in (q, k, v):
            if len(shape) < 2:
                _time_axis(name, shape)
            check_input_shape(shape, name, (None,))
        each = head_features or _each(name, q, num_heads)
        if rotary_base is not None and each % 2:
            raise ShapeError(
                f"{name} with rotary_base wants an even number of features for each head.",
                f"{each} features a head",
                "choose another number of heads, or give head_features",
            )
        wide = (num_heads * each, kv * each, kv * each, out_features or q[-1])
        deep = (q[-1], k[-1], v[-1], num_heads * each)
        params = {}
        for n, k1, a, b in zip(names, random.split(key, 4), deep, wide, strict=True):
            k2, k3 = random.split(k1)
            params[n] = {"weight": weight_init(k2, (a, b), dtype)}
            if use_bias:
                params[n]["bias"] = bias_init(k3, (b,), dtype)
        return (*q[:-1], wide[-1]), params

    def project(params: PyTree, which: str, x: Any) -> Any:
        shapes: dict[str, Pattern] = {"weight": (None, "features")} | (
            {"bias": ("features",)} if use_bias else {}
        )
        weight, *bias = take(params[which], f"{name}'s {which!r}", shapes)
        check_inputs(x, name, (None, weight.shape[0]))
        # One product of two matrices, whatever the number of axes.
        rows = np.reshape(x, (-1, x.shape[-1]))
        each = weight.shape[-1] // num_heads if which == "query" else 1
        early = each > 1 and rows.shape[0] > weight.shape[0]
        if early:  # what is smaller is scaled, the weight or the queries
            weight, *bias = (p * (1 / math.sqrt(each)) for p in (weight, *bias))
        out = rows @ weight
        out = out + bias[0] if use_bias else out
        out = out * (1 / math.sqrt(each)) if each > 1 and not early else out
        return np.reshape(out, (*x.shape[:-1], weight.shape[-1]))

    def heads(x: Any, n: int) -> Any:
        return np.swapaxes(np.reshape(x, (*x.shape[:-1], n, _each(name, x.shape, n))), -2, -3)

    def apply(
        params: PyTree, inputs: Any, *, mask: Any = None, lengths: Any = None,
        key: Any = None, train: bool = False,
    ) -> Any:  # fmt: skip
        if not isinstance(params, dict) or sorted(params) != sorted(names):
            raise wrong_tree(params, name, names)
        given = _three(inputs, name)
        q, k, v = (
            heads(project(params, which, x), n)
            for which, x, n in zip(names, given, (num_heads, kv, kv), strict=False)
        )
        if rotary_base is not None:
            q, k = rotary(q, base=rotary_base), rotary(k, base=rotary_base)
        mask = _both_masks(name, mask, lengths, k)
        if alibi:
            bias = distance_bias(home(q), num_heads, q.shape[-2], k.shape[-2], q.dtype)
            mask = bias if mask is None else _added(mask, bias)
        active = rate if train else 0.0
        out = scaled_dot_product_attention(
            q, k, v, mask, causal=causal, scale=1.0, dropout_rate=active,
            key=need_key(key, name) if active else None,
        )  # fmt: skip
        out = np.swapaxes(out, -2, -3)
        return project(params, "out", np.reshape(out, (*out.shape[:-2], -1)))

    return layer(init, apply)


def _each(name: str, shape: Any, heads: int) -> int:
    """The number of features of each head."""
    if shape[-1] % heads:
        raise ShapeError(
            f"{name} wants features that can be divided into {heads} heads.",
            f"the shape {shape}",
            "choose another number of heads, or give head_features",
        )
    return int(shape[-1] // heads)


def _three(x: Any, name: str, *, shapes: bool = False) -> Any:
    """Queries, keys and values, or their shapes, of one, two or three inputs."""
    one = is_shape(x) if shapes else hasattr(x, "shape")
    if one:
        return x, x, x
    if isinstance(x, (tuple, list)) and len(x) in (2, 3):
        return x[0], x[1], x[-1]
    raise ShapeError(
        f"{name} wants one input, or a tuple (queries, keys) or (queries, keys, values).",
        f"{len(x)} inputs" if isinstance(x, (tuple, list)) else describe(x),
        "pass x to let it attend to itself, (x, memory) to let it attend to memory",
    )


def _time_axis(name: str, shape: Any) -> None:
    raise ShapeError(
        f"{name} wants inputs of shape (..., time, features).",
        f"the shape {shape}",
        "give it a time axis: x[None] makes one of length one",
    )


def _both_masks(name: str, mask: Any, lengths: Any, keys: Any) -> Any:
    """The mask with padding taken out."""
    if lengths is None:
        return mask
    shape = (*keys.shape[:-3], keys.shape[-2])
    seen = np.expand_dims(lengths_mask(lengths, shape, name), (-2, -3))
    if mask is None:
        return seen
    if getattr(mask, "dtype", None) == np.bool_:
        return np.logical_and(mask, seen)
    return np.where(seen, mask, -np.inf).astype(mask.dtype)


def _added(mask: Any, bias: Any) -> Any:
    """A mask and what is added to the products, as numbers that are added."""
    if mask.dtype == np.bool_:
        return np.where(mask, bias, -np.inf).astype(bias.dtype)
    return mask + bias
