"""Reliability diagrams: of the pictures that were given a probability, how many were synthetic. Small SVG files.

`metrics.reliability` gives the rows; a card's JSON holds them under "reliability", at its top or once for each kind of
copy, and `write` draws them beside the card.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

FEWEST = 10  # pictures in a bin; fewer make no point
COLOURS = ("#1f5fa8", "#b3541e", "#3d7a3d", "#7a4a8c")  # each at least 4.5 : 1 on white
SIDE, LEFT, TOP, KEY_LINE = 240, 52, 14, 18  # px

Rows = Sequence[Sequence[float]]  # mean probability, share of synthetic pictures, number of pictures


def curves(figures: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Rows]:
    """The rows in a card's figures, by the `names` of their kinds; kinds that have no name keep their key."""
    found = {"all": figures["reliability"]} if "reliability" in figures else {}
    kinds = {
        k: block["reliability"] for k, block in figures.items() if isinstance(block, dict) and "reliability" in block
    }
    return found | {names.get(kind, kind): rows for kind, rows in kinds.items()}


def svg(drawn: Mapping[str, Rows]) -> str:
    """The diagram: a diagonal for perfect calibration, and one line for each curve, with dots that grow with counts.

    Raises ValueError when there are no curves or more than there are colours.
    """
    if not 1 <= len(drawn) <= len(COLOURS):
        raise ValueError(f"a diagram shows 1 to {len(COLOURS)} curves")
    height = TOP + SIDE + 40 + KEY_LINE * len(drawn)
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
    for k, (name, rows) in enumerate(drawn.items()):
        points = [(*_place(p, share), count) for p, share, count in rows if count >= FEWEST]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y, _ in points)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{COLOURS[k]}" stroke-width="1.5"/>')
        for x, y, count in points:
            radius = 1.5 + min(4.0, count**0.5 / 8)
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


def write(card: Path, figures: Mapping[str, Any], names: Mapping[str, str]) -> None:
    """Draws the curves of a card's figures beside it. Raises ValueError when they hold none."""
    path(card).write_text(svg(curves(figures, names)), encoding="utf-8")


def render(card: Path) -> str:
    """The line of Markdown that shows it."""
    return f"![Reliability: stated probability against the measured share]({path(card).name})"
