"""Learn to write like a text, character by character, with attention.

    python examples/transformer.py
    python examples/transformer.py --data my_text.txt --steps 3000 --temperature 0.6
    python examples/transformer.py --quick --out pictures

A decoder-only transformer (A. Vaswani et al., arXiv:1706.03762; A. Radford et al., 2018): each
character is a vector, to which one for its position is added; two blocks of attention and a
perceptron follow, each with a way around it; and each position gives scores to the character after
it. All positions of a window are learnt at once. That is no fraud because of the causal mask: what
a position sees is itself and those before it. The program checks that on the trained model: it
changes the later half of a window, and prints by how much the scores of the earlier half change.

To write, the window is filled from its beginning; what stands after the last character makes no
difference, by the mask. A full window moves on by a character at a time.

Where other programs are busy on the machine, OMP_NUM_THREADS=1 makes it quicker.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import characters
import numpy as np

import fgrad_nn as nn

PLAN = characters.Plan(steps=600, batch=32, length=64, every=100, rate=6e-3, sample=200)
QUICK = characters.Plan(steps=20, batch=8, length=16, every=10, rate=1e-2, sample=40)


def transformer(
    count: int, length: int = 64, features: int = 64, heads: int = 4, blocks: int = 2,
    dropout: float = 0.2,
) -> characters.Model:  # fmt: skip
    """Attention over windows of `length` characters, of which there are `count`."""
    net: Any = nn.serial(
        vectors=nn.embedding(count, features),
        positions=nn.learned_positions(length),
        blocks=nn.transformer_encoder(blocks, heads, causal=True, dropout_rate=dropout),
        scores=nn.dense(count),
    )
    places = np.arange(length)

    def begin() -> Any:
        return np.zeros(length, np.int64), np.int64(0)

    def advance(params: Any, memory: tuple[Any, Any], character: Any) -> tuple[Any, Any]:
        window, filled = memory
        full = filled == length
        window = np.where(full, np.roll(window, -1), window)
        place = filled - full
        window = np.where(places == place, character, window)
        scores = net.apply(params, window[None])[0, place]
        return (window, place + 1), scores

    name = f"Transformer: {blocks} blocks, {heads} heads, {features} features"
    return characters.Model(name, net, begin, advance)


def foresight(model: characters.Model, params: Any, x: np.ndarray, count: int) -> float:
    """How much the scores of the earlier half of windows change with the later half; 0 is right."""
    half = x.shape[1] // 2
    other = np.concatenate([x[:, :half], (x[:, half:] + 1) % count], axis=1)
    before, after = (model.net.apply(params, w)[:, :half] for w in (x, other))
    return float(np.max(np.abs(after - before)))


def work(chosen: argparse.Namespace) -> list[Path]:
    """Train, sample, show; check the mask."""
    plan = QUICK if chosen.quick else PLAN

    def make(count: int) -> characters.Model:
        if chosen.quick:
            return transformer(count, plan.length, 16, 2, 1, 0.0)
        return transformer(count, plan.length)

    done = characters.work(chosen, plan, make, "transformer.png")
    x, _ = characters.held_out(done.text, plan.length)
    change = foresight(done.model, done.params, x, len(done.text.characters))
    print(f"When the later half of a window changes, scores of the earlier change by {change:g}.\n")
    return [done.picture]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program; 0 on success, 2 when the text or the output folder are not usable."""
    options = characters.parser("Attention that learns to write like a text.", "transformer_plots")
    return characters.run(options, arguments, work)


if __name__ == "__main__":
    sys.exit(main())
