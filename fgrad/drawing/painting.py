"""Pictures of pixels by matplotlib, where graphviz isn't installed."""

from __future__ import annotations

from pathlib import Path

from ..errors import ArgumentError
from .arranging import Arrangement
from .boxes import COLOURS, LINES, MARGIN, size_of


def paint(plan: Arrangement, path: Path) -> None:
    """Write a picture of pixels, or a PDF."""
    try:
        from matplotlib.figure import Figure
        from matplotlib.patches import FancyArrowPatch, FancyBboxPatch
        from matplotlib.path import Path as Curve
    except ImportError:
        raise ArgumentError(
            "save wants matplotlib, or graphviz's program dot, for pictures of pixels.",
            f"{path.name!r}, and neither is installed",
            'write drawing.save("picture.svg"); or python -m pip install matplotlib',
        ) from None
    width, height = plan.width + 2 * MARGIN, plan.height + 2 * MARGIN
    figure = Figure(figsize=(width / 72, height / 72), dpi=144)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_xlim(-MARGIN, plan.width + MARGIN)
    axes.set_ylim(plan.height + MARGIN, -MARGIN)
    axes.axis("off")
    for text, (x, y) in plan.headings:
        axes.text(x, y - 5, text, ha="center", va="center", fontsize=11, color="#777")
    for line in plan.lines:
        points = [line.start, *(p for curve in line.curves for p in curve)]
        codes = [Curve.MOVETO, *[Curve.CURVE4] * (len(points) - 1)]
        kept = line.style == "kept"
        axes.add_patch(
            FancyArrowPatch(path=Curve(points, codes), arrowstyle="-" if kept else "-|>",
                            color=LINES[line.style], lw=0.9, mutation_scale=9,
                            linestyle=(0, (4, 4)) if kept else "-")
        )  # fmt: skip
        if line.label:
            side = -1 if line.label == "x" else 1
            (x, y) = line.end
            axes.text(x + 6 * side, y - 8, line.label, fontsize=7, color="#777", ha="center")
    for box, (x, y), (w, h) in plan.boxes:
        fill, border = COLOURS[box.kind]
        axes.add_patch(
            FancyBboxPatch((x - w / 2, y - h / 2), w, h, boxstyle="round,pad=0,rounding_size=6",
                           facecolor=fill, edgecolor=border, lw=0.9)
        )  # fmt: skip
        top = y - size_of(box)[1] / 2
        for i, text in enumerate([box.title, *box.lines]):
            axes.text(
                x, top + 12 + 14 * i, text, ha="center", va="center",
                fontsize=9.5 if i == 0 else 7.5, weight="bold" if i == 0 else "normal",
                color="#b0413e" if text.startswith("∂") and i else "#222",
            )  # fmt: skip
    figure.savefig(path)
