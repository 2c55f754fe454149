"""How boxes look: colours, and sizes for their words."""

from __future__ import annotations

from .network import Box

#: Kind of box -> background and border.
COLOURS = {
    "input": ("#e3eef9", "#4a7fb5"),
    "constant": ("#f3f3f3", "#9a9a9a"),
    "operation": ("#fdf6e7", "#c9a24b"),
    "call": ("#fdebdf", "#c9784b"),
    "repeated": ("#f0e8f7", "#8a63b0"),
    "output": ("#e6f4ea", "#4d9a63"),
    "cotangent": ("#fbeae9", "#c2605a"),
}
#: Colours of lines: forward, back, and what is kept between.
LINES = {"forward": "#777777", "back": "#b0413e", "kept": "#bbbbbb"}
#: Widths of characters of the titles and of the lines below, in points.
WIDE, NARROW = 8.2, 6.3
MARGIN = 14.0


def size_of(box: Box) -> tuple[float, float]:
    """Width and height of a box, for its words."""
    width = max([len(box.title) * WIDE, *(len(line) * NARROW for line in box.lines)])
    return max(width, 18.0) + 16, 24.0 + 14 * len(box.lines)
