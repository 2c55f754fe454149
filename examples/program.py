"""What the example programs share: their options, tables in the terminal, pictures in files."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from rich.console import Console
from rich.table import Table
from tqdm import tqdm

RED, BLUE, OCHRE, GREEN, INK = "#c8553d", "#3f6f8f", "#d9a441", "#6a994e", "#333333"


def parser(description: str, folder: str, *, seed: bool = True) -> argparse.ArgumentParser:
    """The options that programs have; `folder` is where the pictures go by default."""
    options = argparse.ArgumentParser(description=description)
    options.add_argument("--quick", action="store_true", help="a small problem, in a second or two")
    if seed:
        options.add_argument("--seed", type=at_least(0), default=0, help="of all random draws")
    options.add_argument("--out", type=Path, default=Path(folder), help="folder for the pictures")
    options.add_argument(
        "--no-progress", dest="progress", action="store_false", help="show no progress bar"
    )
    return options


def at_least(least: int) -> Callable[[str], int]:
    """A parser of integers that are not below `least`."""

    def integer(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = least - 1
        if number < least:
            raise argparse.ArgumentTypeError(f"wanted an integer >= {least}, got {text!r}")
        return number

    return integer


def positive(text: str) -> float:
    """The positive number that an option gives."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"wanted a number above 0, got {text!r}")
    return number


def run(
    options: argparse.ArgumentParser,
    arguments: Sequence[str] | None,
    work: Callable[[argparse.Namespace], Sequence[Path]],
) -> int:
    """Read the arguments, do the work, name its pictures; 2 if there is no folder for them."""
    chosen = options.parse_args(arguments)
    try:
        chosen.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        print(error, file=sys.stderr)
        return 2
    print("Pictures:", *work(chosen), sep="\n  ")
    return 0


def bar(chosen: argparse.Namespace, total: int, unit: str) -> Any:
    """A progress bar, on terminals only, so that a log holds none."""
    return tqdm(total=total, unit=unit, disable=None if chosen.progress else True, leave=False)


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table, whose first column is of names and whose others are of numbers."""
    shown = Table(title=title, title_justify="left")
    for i, column in enumerate(columns):
        shown.add_column(column, justify="right" if i else "left")
    for row in rows:
        shown.add_row(*row)
    # a log has no width: rich would take 80 columns there, and break the numbers of wide tables
    console = Console(file=sys.stdout)
    Console(file=sys.stdout, width=None if console.is_terminal else 120).print(shown)


def canvas(
    rows: int = 1, columns: int = 1, size: tuple[float, float] = (7.5, 5.0), **options: Any
) -> tuple[Figure, list[Axes]]:
    """An empty figure and its axes; without pyplot, so without a display and global state."""
    figure = Figure(figsize=size, dpi=160, layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False, **options).ravel().tolist()
    for axes in panels:
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=10)
        axes.xaxis.label.set_fontsize(12)
        axes.yaxis.label.set_fontsize(12)
    return figure, panels


def save(figure: Figure, path: Path) -> Path:
    """Save a figure, and say where."""
    figure.savefig(path)
    return path
