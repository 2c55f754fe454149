"""Writes `docs/errors.md`: what fgrad, JAX and torch say to the same twenty mistakes.

    python docs/make_errors.py --write

needs what the extra `bench` installs, for JAX and torch.
"""

from __future__ import annotations

import argparse
import math
import re
import sys
import textwrap
import warnings
from pathlib import Path
from typing import Any

import numpy as np

DOCS = Path(__file__).resolve().parent
sys.path[:0] = [str(DOCS.parent), str(DOCS)]

from mistakes import MISTAKES  # noqa: E402

import fgrad  # noqa: E402

PAGE = DOCS / "errors.md"
#: Longer messages of others are cut, with a word on how much was left out.
LINES = 8
HEAD = """# Errors

What fgrad says to twenty mistakes, and what JAX and torch say to the same ones.
Each message of fgrad's has three parts: what was wanted, what came, and what to do.
`docs/make_errors.py` has run them all; the tests run fgrad's again.
"""


def message(program: str, names: dict[str, Any]) -> str:
    """The error that a program raises, as Python prints its last lines."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            exec(compile(program, "example.py", "exec"), dict(names))
    except Exception as error:
        kind = type(error)
        name = kind.__name__ if kind.__module__ == "builtins" else (
            f"{kind.__module__.partition('.')[0]}...{kind.__name__}"
        )  # fmt: skip
        return f"{name}: {error}"
    raise AssertionError(f"no error from:\n{program}")


def by_fgrad(program: str) -> str:
    """fgrad's message, whose numbers don't depend on where it runs."""
    text = message(program, {"fgrad": fgrad, "np": np, "math": math})
    return re.sub(r"fgrad\.\.\.", "fgrad.errors.", text)


def cut(text: str) -> str:
    """The first lines of a message, without addresses in memory, wrapped."""
    text = re.sub(r"0x[0-9a-f]+|(?<=object id )\d+", "...", text)
    text = re.sub(r"/\S*/(site-packages|lib)/", ".../", text)
    lines = [w for line in text.strip().splitlines() for w in textwrap.wrap(line, 100) or [""]]
    if len(lines) > LINES:
        lines = [*lines[:LINES], f"... ({len(lines) - LINES} more lines)"]
    return "\n".join(lines)


def page(jax: Any, torch: Any) -> str:
    """The page, with the messages of the libraries that are there."""
    parts = [HEAD]
    for k, mistake in enumerate(MISTAKES, 1):
        parts.append(f"## {k}. {mistake.title}\n")
        parts.append(f"```py\n{mistake.fgrad}\n```\n")
        parts.append(f"```text\n{by_fgrad(mistake.fgrad)}\n```\n")
        for name, program, library in (("JAX", mistake.jax, jax), ("torch", mistake.torch, torch)):
            if program is None:
                continue
            names = {"np": np, "math": math, name.lower(): library}
            if name == "JAX":
                names["jnp"] = library.numpy
            parts.append(f"{name}, `{program.splitlines()[-1]}`:\n")
            parts.append(f"```text\n{cut(message(program, names))}\n```\n")
    return "\n".join(parts)


def main() -> int:
    """Print the page, or write it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="replace docs/errors.md")
    args = parser.parse_args()
    import jax
    import torch

    text = page(jax, torch)
    if args.write:
        PAGE.write_text(text, encoding="utf-8")
    else:
        print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
