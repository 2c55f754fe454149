"""What a profile holds, as rows, a table, and files that viewers of flame graphs open."""

from __future__ import annotations

import importlib.util
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import ArgumentError
from .places import Line

#: A stack of names, the outermost first, and the seconds that were spent there.
Stacks = Mapping[tuple[str, ...], float]


@dataclass(frozen=True)
class Row:
    """An operation in a line of the source.

    Attributes:
        operation: NumPy's name of the user's operation.
        phase: "forward", "backward" or "tangent"; or "compiled" for a statement of generated code.
        line: the user's line, or the statement; None where no line is known.
        calls: how often it ran in one run.
        seconds: its time in one run, the median of all runs.
        saved: bytes that it keeps for the way back.
        flops: floating-point operations in one run, by `flops`; None if that isn't known.
    """

    operation: str
    phase: str
    line: Line | None
    calls: int
    seconds: float
    saved: int
    flops: int | None

    @property
    def source(self) -> str:
        """The text of the line."""
        return "" if self.line is None else self.line.source


@dataclass(frozen=True, eq=False)
class Profile:
    """Where the time of a function goes; made by `profile`.

    Attributes:
        name: the function.
        rows: by line and operation, the longest first.
        seconds: a whole run that nobody watches, the median.
        watched: a whole run while operations are timed, the median.
        repeats: how many runs of each kind were made.
        stacks: seconds by stack, the outermost function first.
    """

    name: str
    rows: tuple[Row, ...]
    seconds: float
    watched: float
    repeats: int
    stacks: Stacks

    @property
    def rest(self) -> float:
        """The time of a run that is in no operation: of Python and of fgrad itself."""
        return max(self.seconds - sum(r.seconds for r in self.rows), 0.0)

    @property
    def saved(self) -> int:
        """Bytes kept for the way back, of all rows."""
        return sum(r.saved for r in self.rows)

    @property
    def flops(self) -> int:
        """Those that are known, of all rows."""
        return sum(r.flops or 0 for r in self.rows)

    def by_line(self) -> tuple[Row, ...]:
        """The rows of each line together, all operations and phases."""
        lines: dict[Any, list[Row]] = {}
        for r in self.rows:
            lines.setdefault(r.line, []).append(r)
        together = (_together(rows) for rows in lines.values())
        return tuple(sorted(together, key=lambda r: -r.seconds))

    # ------------------------------------------------------------------ as a table
    def cells(self) -> list[tuple[str, ...]]:
        """The table, as text: a row of headings, one for each row, and the rest."""
        total = self.seconds or 1.0
        head = ("time", "share", "calls", "saved", "Mflop", "Gflop/s", "phase", "operation", "line",
                "source")  # fmt: skip
        out = [head]
        shown, small = list(self.rows), list[Row]()
        if len(shown) > 12:
            least = 1e-3 * sum(r.seconds for r in shown)
            small = [r for r in shown if r.seconds < least]
            shown = [r for r in shown if r.seconds >= least]
        for r in shown:
            rate = None if r.flops is None or not r.seconds else r.flops / r.seconds / 1e9
            out.append(
                (
                    _time(r.seconds),
                    f"{r.seconds / total:.1%}",
                    str(r.calls),
                    _bytes(r.saved) if r.saved else "",
                    "?" if r.flops is None else f"{r.flops / 1e6:.3g}",
                    "?" if rate is None else f"{rate:.2f}",
                    r.phase,
                    r.operation,
                    "" if r.line is None else str(r.line),
                    _short(r.source),
                )
            )
        if small:
            r = _together(small)
            out.append((_time(r.seconds), f"{r.seconds / total:.1%}", str(r.calls),
                        _bytes(r.saved) if r.saved else "", "", "", "", "", "",
                        f"{len(small)} more rows, of less than 0.1% each"))  # fmt: skip
        rest = (_time(self.rest), f"{self.rest / total:.1%}", "", "", "", "", "", "", "",
                "Python, and fgrad itself")  # fmt: skip
        return [*out, rest]

    def headline(self) -> str:
        """The whole in a sentence."""
        unknown = sorted({r.operation for r in self.rows if r.flops is None})
        text = (
            f"{self.name}: {_time(self.seconds)} a run (median of {self.repeats}), "
            f"{_time(self.watched)} while it is timed; {_bytes(self.saved)} kept for the way back, "
            f"{self.flops / 1e6:.3g} Mflop"
        )
        return text + (f" and those of {', '.join(unknown)}" if unknown else "")

    def __str__(self) -> str:
        cells = self.cells()
        widths = [max(len(row[k]) for row in cells) for k in range(len(cells[0]))]
        lines = [self.headline()]
        for row in cells:
            numbers = [text.rjust(n) for text, n in zip(row[:6], widths, strict=False)]
            words = [text.ljust(n) for text, n in zip(row[6:], widths[6:], strict=True)]
            lines.append("  ".join([*numbers, *words]).rstrip())
        return "\n".join(lines)

    def __repr__(self) -> str:
        return f"<profile of {self.name}: {_time(self.seconds)} in {len(self.rows)} rows>"

    def _repr_markdown_(self) -> str:
        def line(row: Sequence[str]) -> str:
            return "| " + " | ".join(text.replace("|", "\\|") for text in row) + " |"

        head, *rows = self.cells()
        return "\n".join([self.headline(), "", line(head), "|---" * len(head) + "|",
                          *map(line, rows)])  # fmt: skip

    def __rich_console__(self, console: Any, options: Any) -> Iterator[Any]:
        """The table for the package rich, whose ``print`` asks for it."""
        # Only rich calls this, so it is there.
        table = importlib.import_module("rich.table").Table(
            caption=self.headline(), box=None, padding=(0, 1, 0, 0), caption_justify="left"
        )
        escape = importlib.import_module("rich.markup").escape
        head, *rows = self.cells()
        # Columns without an entry are left out; the text of the lines gets the room that is left.
        shown = [k for k in range(len(head)) if any(row[k] for row in rows)]
        widths = {k: max(len(row[k]) for row in (head, *rows)) for k in shown}
        room = max(options.max_width - sum(widths[k] + 1 for k in shown[:-1]) - 1, 12)
        widths[shown[-1]] = min(widths[shown[-1]], room)
        for k in shown:
            table.add_column(head[k], justify="right" if k < 6 else "left", no_wrap=True,
                             overflow="ellipsis", min_width=widths[k], max_width=widths[k]
                             )  # fmt: skip
        for row in rows:
            table.add_row(*(escape(row[k]) for k in shown))
        yield table

    def show(self) -> None:
        """Print the table, by rich where that is installed."""
        if importlib.util.find_spec("rich") is None:
            print(self)
        else:
            importlib.import_module("rich").print(self)

    # ------------------------------------------------------------------ as a file
    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a flame graph, in the form that the name ends with.

        Args:
            path: ``x.speedscope.json`` (or ``x.json``) for https://www.speedscope.app, and for
                what else reads its files; ``x.folded`` (or ``.txt``) for stacks a line, which
                flamegraph.pl, inferno and speedscope read, in microseconds.

        Raises:
            ArgumentError: the name ends otherwise.
        """
        name = os.fspath(path)
        if name.endswith(".json"):
            text = json.dumps(self.speedscope(), indent=1)
        elif name.endswith((".folded", ".txt")):
            text = self.folded()
        else:
            raise ArgumentError(
                "save wants a name that ends with the form of the file.",
                repr(name),
                "write profile.save('run.speedscope.json') or profile.save('run.folded')",
            )
        with open(name, "w", encoding="utf-8") as file:
            file.write(text)

    def folded(self) -> str:
        """Stacks, a line each: names with semicolons between, then microseconds, at least 1."""
        return "".join(
            f"{';'.join(n.replace(';', ',') for n in (self.name, *names))} "
            f"{max(round(1e6 * seconds), 1)}\n"
            for names, seconds in self.stacks.items()
        )

    def speedscope(self) -> dict[str, Any]:
        """The file of speedscope, as a dict: https://www.speedscope.app/file-format-schema.json."""
        frames: dict[str, int] = {}
        samples = [[frames.setdefault(n, len(frames)) for n in (self.name, *names)]
                   for names in self.stacks]  # fmt: skip
        weights = list(self.stacks.values())
        return {
            "$schema": "https://www.speedscope.app/file-format-schema.json",
            "name": self.name,
            "exporter": "fgrad",
            "activeProfileIndex": 0,
            "shared": {"frames": [{"name": name} for name in frames]},
            "profiles": [
                {
                    "type": "sampled", "name": self.name, "unit": "seconds", "startValue": 0,
                    "endValue": sum(weights), "samples": samples, "weights": weights,
                }
            ],
        }  # fmt: skip


def _together(rows: Sequence[Row]) -> Row:
    known = all(r.flops is not None for r in rows)
    phases = list(dict.fromkeys(r.phase for r in rows))
    return Row(
        ", ".join(dict.fromkeys(r.operation for r in rows)),
        ", ".join(phases),
        rows[0].line,
        sum(r.calls for r in rows),
        sum(r.seconds for r in rows),
        sum(r.saved for r in rows),
        sum(r.flops or 0 for r in rows) if known else None,
    )


def _short(text: str) -> str:
    return text if len(text) <= 70 else f"{text[:67]}..."


def _time(seconds: float) -> str:
    """Three digits, in the unit that fits.

    >>> _time(0.0012), _time(2.5e-6), _time(3.0)
    ('1.2 ms', '2.5 us', '3 s')
    """
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds / 1e-9:.3g} ns"


def _bytes(n: int) -> str:
    """Three digits, in the unit that fits.

    >>> _bytes(100), _bytes(2048)
    ('100 B', '2 KiB')
    """
    value = float(n)
    for unit in ("B", "KiB", "MiB"):
        if value < 1024:
            return f"{value:.3g} {unit}"
        value /= 1024
    return f"{value:.3g} GiB"
