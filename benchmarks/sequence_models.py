"""A GRU, an LSTM and a transformer of characters: a training step by `fgrad.jit`, and by torch.

    python benchmarks/sequence_models.py
    python benchmarks/sequence_models.py --only gru --batch 128 --seconds 60

Both start from the same parameters, in float32, on one thread and in one process; losses and
gradients are compared before anything is timed. Torch runs its own modules, eagerly: `nn.GRU`,
`nn.LSTM`, and `nn.TransformerEncoder`, whose attention is one fused operation; and its fused Adam,
beside which ours has all parameters as one vector. Where llvmlite is installed there is a column
for machine code, `fgrad.jit(f, backend="native")`. The sizes are those of `examples/char_rnn.py`
and `examples/transformer.py`. Three rows for each model tell where the time goes: the loss alone,
the loss and its gradient, and the whole step (with the norm of the gradient clipped, and Adam).
"""

from __future__ import annotations

import argparse
import functools
import importlib.util
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

import one_thread
import torch  # before NumPy starts threads of its own

assert one_thread.DONE

import measure  # noqa: E402
import numpy as np  # noqa: E402

import fgrad  # noqa: E402
import fgrad_nn as nn  # noqa: E402
from fgrad import random, tree  # noqa: E402

VOCABULARY, LENGTH, BATCH, UNITS = 60, 64, 32, 128
SECOND_BIAS = "recurrent.bias_hh_l0"
RATE, CLIP = 1e-3, 1.0
TOLERANCE = 1e-4  # of gradients in float32, relative to the greatest number of each array


class Model(NamedTuple):
    """The same network twice."""

    net: Any
    module: Callable[[], torch.nn.Module]
    names: Callable[[Any], dict[str, Any]]
    """From our parameters, or gradients, to arrays by torch's names."""


# ---------------------------------------------------------------- the recurrent networks
class Recurrent(torch.nn.Module):
    """Embedding, GRU or LSTM, scores."""

    def __init__(self, layer: Any) -> None:
        super().__init__()
        self.embedding = torch.nn.Embedding(VOCABULARY, 32)
        self.recurrent = layer(32, UNITS, batch_first=True)
        self.out = torch.nn.Linear(UNITS, VOCABULARY)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.out(self.recurrent(self.embedding(x))[0])


def recurrent_names(params: Any) -> dict[str, Any]:
    layer = params["recurrent"]
    # torch has a second bias for all gates, which adds nothing but in the GRU's candidate; its
    # gradient equals the first's
    second = 0 * layer["bias"]
    if "recurrent_bias" in layer:
        second = np.concatenate([second[: 2 * UNITS], layer["recurrent_bias"]])
    return {
        "embedding.weight": params["embedding"]["weight"],
        "recurrent.weight_ih_l0": layer["weight"].T,
        "recurrent.weight_hh_l0": layer["recurrent_weight"].T,
        "recurrent.bias_ih_l0": layer["bias"],
        SECOND_BIAS: second,
        **linear("out", params["out"]),
    }


def recurrent_model(ours: Any, theirs: Any) -> Model:
    net = nn.serial(
        embedding=nn.embedding(VOCABULARY, 32), recurrent=ours(UNITS), out=nn.dense(VOCABULARY)
    )
    return Model(net, lambda: Recurrent(theirs), recurrent_names)


def linear(name: str, params: Any) -> dict[str, Any]:
    return {f"{name}.weight": params["weight"].T, f"{name}.bias": params["bias"]}


# ---------------------------------------------------------------- the transformer
class Transformer(torch.nn.Module):
    """Embedding, positions, two blocks with a causal mask, scores."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = torch.nn.Embedding(VOCABULARY, 64)
        self.positions = torch.nn.Parameter(torch.zeros(LENGTH, 64))
        block = torch.nn.TransformerEncoderLayer(
            64, 4, 256, dropout=0.0, batch_first=True, norm_first=True
        )
        self.blocks = torch.nn.TransformerEncoder(
            block, 2, torch.nn.LayerNorm(64), enable_nested_tensor=False
        )
        self.out = torch.nn.Linear(64, VOCABULARY)
        self.mask = torch.nn.Transformer.generate_square_subsequent_mask(LENGTH)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = self.embedding(x) + self.positions
        return self.out(self.blocks(h, self.mask, is_causal=True))


def transformer_names(params: Any) -> dict[str, Any]:
    out = {
        "embedding.weight": params["embedding"]["weight"],
        "positions": params["positions"]["weight"],
        **linear("out", params["out"]),
    }
    blocks = params["blocks"]
    norms = {"blocks.norm": blocks["norm"]}
    for i in range(2):
        block, to = blocks[f"block_{i}"], f"blocks.layers.{i}"
        attention = block["attention"]
        three = [attention[name] for name in ("query", "key", "value")]
        out[f"{to}.self_attn.in_proj_weight"] = np.concatenate([p["weight"].T for p in three])
        out[f"{to}.self_attn.in_proj_bias"] = np.concatenate([p["bias"] for p in three])
        out |= linear(f"{to}.self_attn.out_proj", attention["out"])
        out |= linear(f"{to}.linear1", block["feed_forward"]["up"])
        out |= linear(f"{to}.linear2", block["feed_forward"]["down"])
        norms |= {f"{to}.norm1": block["attention_norm"], f"{to}.norm2": block["feed_forward_norm"]}
    for name, norm in norms.items():
        out |= {f"{name}.weight": norm["scale"], f"{name}.bias": norm["bias"]}
    return out


MODELS = {
    "gru": recurrent_model(nn.gru, torch.nn.GRU),
    "lstm": recurrent_model(nn.lstm, torch.nn.LSTM),
    "transformer": Model(
        nn.serial(
            embedding=nn.embedding(VOCABULARY, 64), positions=nn.learned_positions(LENGTH),
            blocks=nn.transformer_encoder(2, num_heads=4, causal=True), out=nn.dense(VOCABULARY),
        ),
        Transformer, transformer_names,
    ),
}  # fmt: skip


# ---------------------------------------------------------------- calls to be timed
Calls = dict[str, Callable[[], Any]]


def ours(net: Any, params: Any, x: Any, y: Any, backend: str) -> Calls:
    """The loss, its gradient and a step, by `fgrad.jit`."""
    optimizer = nn.optimizers.flatten(nn.chain(nn.clip_by_global_norm(CLIP), nn.adam(RATE)))
    state = optimizer.init(params)

    def loss(params: Any, x: Any, y: Any) -> Any:
        return nn.cross_entropy(net.apply(params, x), y)

    def step(params: Any, state: Any, x: Any, y: Any) -> Any:
        value, gradient = fgrad.value_and_grad(loss)(params, x, y)
        updates, state = optimizer.update(gradient, state, params)
        return nn.apply_updates(params, updates), state, value

    jit = functools.partial(fgrad.jit, backend=backend)
    value, gradient, whole = map(jit, (loss, fgrad.value_and_grad(loss), step))
    return {
        "loss": lambda: value(params, x, y),
        "gradient": lambda: gradient(params, x, y),
        "step": lambda: whole(params, state, x, y),
    }


def torchs(model: Model, params: Any, x: Any, y: Any) -> tuple[torch.nn.Module, Calls]:
    """The same by torch, which changes its parameters in place: its steps go on and on."""
    module = model.module()
    arrays = {name: torch.tensor(np.array(a)) for name, a in model.names(params).items()}
    module.load_state_dict(arrays)
    x, y = torch.tensor(x), torch.tensor(y)
    adam = torch.optim.Adam(module.parameters(), RATE, fused=True)

    def loss() -> torch.Tensor:
        scores = module(x)
        return torch.nn.functional.cross_entropy(scores.reshape(-1, VOCABULARY), y.reshape(-1))

    def value() -> torch.Tensor:
        with torch.no_grad():
            return loss()

    def gradient() -> torch.Tensor:
        module.zero_grad()
        out = loss()
        out.backward()
        return out

    def step() -> torch.Tensor:
        out = gradient()
        torch.nn.utils.clip_grad_norm_(module.parameters(), CLIP)
        adam.step()
        return out

    return module, {"loss": value, "gradient": gradient, "step": step}


def check(model: Model, mine: Calls, module: torch.nn.Module, theirs: Calls) -> None:
    """Raise `Mismatch` unless both have the same loss and gradient."""
    value, gradient = mine["gradient"]()
    expected = theirs["gradient"]().item()
    measure.check([mine["loss"](), value], [theirs["loss"]().item(), expected], TOLERANCE)
    named = model.names(gradient)
    if SECOND_BIAS in named:
        n = 4 * UNITS if module.recurrent.mode == "LSTM" else 2 * UNITS
        named[SECOND_BIAS][:n] = named["recurrent.bias_ih_l0"][:n]
    for name, parameter in module.named_parameters():
        measure.check(named[name], parameter.grad.numpy(), TOLERANCE)


def main(arguments: list[str] | None = None) -> None:
    """Compare, measure, print."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--only", choices=list(MODELS), help="one model")
    options.add_argument("--batch", type=int, default=BATCH)
    options.add_argument("--seconds", type=float, default=5.0, help="for each row")
    chosen = options.parse_args(arguments)
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    backends = ["numpy", *(["native"] if importlib.util.find_spec("llvmlite") else [])]
    print("milliseconds of CPU, and the median ratios to torch within rounds")
    print(
        "| | torch eager | fgrad.jit | / torch | native | / torch |\n|---|---:|---:|---:|---:|---:|"
    )
    for name in [chosen.only] if chosen.only else MODELS:
        model = MODELS[name]
        _, params = model.net.init(random.key(0), (-1, LENGTH), np.float32)
        x, y = rng.integers(0, VOCABULARY, (2, chosen.batch, LENGTH))
        mine = {backend: ours(model.net, params, x, y, backend) for backend in backends}
        module, theirs = torchs(model, params, x, y)
        for calls in mine.values():
            check(model, calls, module, theirs)
        for what in theirs:
            calls = {"torch": theirs[what], **{b: mine[b][what] for b in backends}}
            times = measure.interleave(calls, chosen.seconds)
            cells = [f"{times['torch'].cpu * 1e3:.2f}"]
            for b in backends:
                cells += [f"{times[b].cpu * 1e3:.2f}", f"**{times[b].cpu_ratio:.2f}**"]
            print(f"| {name}: {what} | {' | '.join(cells)} |")
            sys.stdout.flush()
    print(f"{len(tree.leaves(params))} arrays; torch {torch.__version__}, numpy {np.__version__}")


if __name__ == "__main__":
    main()
