"""Pictures of pixels by matplotlib, where graphviz isn't installed."""

from __future__ import annotations

import itertools
from pathlib import Path

from ..errors import ArgumentError
from .boxes import COLOURS, MARGIN, size_of
from .layout import Layout
from .network import Network


def paint(net: Network, plan: Layout, path: Path) -> None:
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
    for route, (_, _, label) in zip(plan.routes, net.arrows, strict=True):
        points, codes = [route[0]], [Curve.MOVETO]
        for (x, y), (u, v) in itertools.pairwise(route):
            middle = (y + v) / 2
            points += [(x, middle), (u, middle), (u, v)]
            codes += [Curve.CURVE4] * 3
        axes.add_patch(
            FancyArrowPatch(path=Curve(points, codes), arrowstyle="-|>", color="#777", lw=0.9,
                            mutation_scale=9)
        )  # fmt: skip
        if label:
            side = -1 if label == "x" else 1
            axes.text(
                route[-1][0] + 6 * side, route[-1][1] - 8, label, fontsize=7, color="#777",
                ha="center",
            )  # fmt: skip
    for box, (x, y) in zip(net.boxes, plan.centre, strict=True):
        w, h = size_of(box)
        fill, border = COLOURS[box.kind]
        axes.add_patch(
            FancyBboxPatch((x - w / 2, y - h / 2), w, h, boxstyle="round,pad=0,rounding_size=6",
                           facecolor=fill, edgecolor=border, lw=0.9)
        )  # fmt: skip
        for i, line in enumerate([box.title, *box.lines]):
            axes.text(
                x, y - h / 2 + 12 + 14 * i, line, ha="center", va="center",
                fontsize=9.5 if i == 0 else 7.5, weight="bold" if i == 0 else "normal",
                color="#b0413e" if line.startswith("∂") else "#222",
            )  # fmt: skip
    figure.savefig(path)
