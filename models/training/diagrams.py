"""Reliability diagrams: of the pictures that were given a probability, how many were synthetic. Small SVG files.

A card's JSON holds the rows under "reliability", one list for each curve; `write` draws them beside the card.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from models.training import metrics

BINS = 10
FEWEST = 10  # pictures in a bin; fewer make no point
COLOURS = ("#1f5fa8", "#b3541e", "#3d7a3d", "#7a4a8c")  # each at least 4.5 : 1 on white
SIDE, LEFT, TOP, KEY_LINE = 240, 52, 14, 18  # px

Row = Mapping[str, float]


def rows(p: npt.NDArray[np.float64], labels: npt.NDArray[np.int64]) -> list[dict[str, float]]:
    """One row for each bin of probability that has enough pictures: `n`, mean `p`, and the `share` of synthetic ones,
    both classes counting the same (as the probabilities were calibrated). `p` (n,) in 0..1, `labels` (n,) 0 or 1."""
    weight, found = metrics.balanced(labels), []
    index = np.minimum((p * BINS).astype(int), BINS - 1)
    for b in range(BINS):
        chosen = index == b
        if chosen.sum() >= FEWEST:
            mass = weight[chosen] / weight[chosen].sum()
            mean, share = float((mass * p[chosen]).sum()), float((mass * labels[chosen]).sum())
            found.append({"n": int(chosen.sum()), "p": round(mean, 4), "share": round(share, 4)})
    return found


def svg(curves: Mapping[str, Sequence[Row]]) -> str:
    """The diagram: a diagonal for perfect calibration, and one line with dots for each curve; dots grow with `n`.

    Raises ValueError when there are no curves or more than there are colours.
    """
    if not 1 <= len(curves) <= len(COLOURS):
        raise ValueError(f"a diagram shows 1 to {len(COLOURS)} curves")
    height = TOP + SIDE + 40 + KEY_LINE * len(curves)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{LEFT + SIDE + 20}" height="{height}" '
        'font-family="sans-serif" font-size="11" fill="#222">',
        "<title>Reliability: stated probability against the measured share of synthetic pictures</title>",
        f'<rect width="{LEFT + SIDE + 20}" height="{height}" fill="#fff"/>',
        f'<rect x="{LEFT}" y="{TOP}" width="{SIDE}" height="{SIDE}" fill="none" stroke="#999"/>',
        f'<line x1="{LEFT}" y1="{TOP + SIDE}" x2="{LEFT + SIDE}" y2="{TOP}" stroke="#999" stroke-dasharray="4 3"/>',
    ]
    for tick in (0.0, 0.25, 0.5, 0.75, 1.0):
        x, y = _place(tick, tick)
        parts.append(f'<text x="{x:.1f}" y="{TOP + SIDE + 14}" text-anchor="middle">{tick:g}</text>')
        parts.append(f'<text x="{LEFT - 5}" y="{y + 4:.1f}" text-anchor="end">{tick:g}</text>')
    middle = LEFT + SIDE / 2
    parts.append(f'<text x="{middle}" y="{TOP + SIDE + 30}" text-anchor="middle">stated probability</text>')
    parts.append(
        f'<text transform="translate(14 {TOP + SIDE / 2}) rotate(-90)" text-anchor="middle">share synthetic</text>'
    )
    for k, (name, points) in enumerate(curves.items()):
        places = [_place(r["p"], r["share"]) for r in points]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{COLOURS[k]}" stroke-width="1.5"/>')
        for (x, y), r in zip(places, points, strict=True):
            radius = 1.5 + min(4.0, r["n"] ** 0.5 / 8)
            parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}" fill="{COLOURS[k]}"/>')
        y = TOP + SIDE + 40 + KEY_LINE * k
        parts.append(f'<rect x="{LEFT}" y="{y}" width="10" height="10" fill="{COLOURS[k]}"/>')
        parts.append(f'<text x="{LEFT + 16}" y="{y + 9}">{escape(name)}</text>')
    return "\n".join([*parts, "</svg>", ""])


def _place(p: float, share: float) -> tuple[float, float]:
    return LEFT + p * SIDE, TOP + (1 - share) * SIDE


def path(card: Path) -> Path:
    """Where the diagram of a card's JSON lies."""
    return card.with_name(f"{card.stem}-reliability.svg")


def write(card: Path, figures: Mapping[str, Any]) -> None:
    """Draws the `reliability` of a card's figures beside it. Raises KeyError when they have none."""
    path(card).write_text(svg(figures["reliability"]), encoding="utf-8")


def render(card: Path) -> str:
    """The line of Markdown that shows it."""
    return f"![Reliability: stated probability against the measured share]({path(card).name})"
