"""Learn to write like a text, character by character, with a gated recurrent unit.

    python examples/char_rnn.py
    python examples/char_rnn.py --data my_text.txt --steps 3000 --temperature 0.6
    python examples/char_rnn.py --quick --out pictures

A recurrent network reads a text one character at a time and carries a state along; from the state
it guesses the next character (T. Mikolov et al., Interspeech 2010). The unit here is the GRU
(K. Cho et al., arXiv:1406.1078): gates decide how much of the state each step replaces, so that a
loss can be differentiated through 64 steps. `fgrad_nn` runs them in one `fgrad.scan`; to write, the
same parameters make single steps.

By default the text is `sonnets.txt`, the first 18 sonnets of Shakespeare, of which the last tenth
is held out. They are few, and the network would soon know them by heart; dropout and decayed
weights hinder it. The last sample is written with the parameters whose held-out loss was lowest.

The matrices are small. Where other programs are busy on the machine, one thread is quicker than
several that wait for each other: OMP_NUM_THREADS=1 python examples/char_rnn.py
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

PLAN = characters.Plan(steps=500, batch=32, length=64, every=100, rate=4e-3, sample=200)
QUICK = characters.Plan(steps=20, batch=8, length=16, every=10, rate=1e-2, sample=40)


def gru(count: int, embedded: int = 32, units: int = 128, dropout: float = 0.5) -> characters.Model:
    """A vector for each of `count` characters, a GRU over the vectors, scores of its states."""
    cell = nn.gru_cell(units)
    vectors, scores = nn.embedding(count, embedded), nn.dense(count)
    net = nn.serial(
        vectors=vectors, recurrent=nn.recurrent(cell), dropout=nn.dropout(dropout), scores=scores
    )

    def begin() -> Any:
        return cell.initial_carry((embedded,), np.float32)

    def advance(params: Any, carry: Any, character: Any) -> tuple[Any, Any]:
        vector = vectors.apply(params["vectors"], character)
        carry, state = cell.apply(params["recurrent"], carry, vector)
        return carry, scores.apply(params["scores"], state)

    return characters.Model(f"GRU of {units} units", net, begin, advance)


def work(chosen: argparse.Namespace) -> list[Path]:
    """Train, sample, show."""
    if chosen.quick:
        done = characters.work(chosen, QUICK, lambda n: gru(n, 8, 16), "char_rnn.png")
    else:
        done = characters.work(chosen, PLAN, gru, "char_rnn.png")
    return [done.picture]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program; 0 on success, 2 when the text or the output folder are not usable."""
    options = characters.parser("A GRU that learns to write like a text.", "char_rnn_plots")
    return characters.run(options, arguments, work)


if __name__ == "__main__":
    sys.exit(main())
