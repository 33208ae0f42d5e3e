"""Reliability diagrams: of the pictures that were given a probability, how many were synthetic. Small SVG files.

    python -m models.training.diagrams

`metrics.reliability` gives the rows; a card's JSON holds them under "reliability", at its top or once for each kind of
copy. Draws one file beside each card that has some.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from models.training import data, generated_card

FEWEST = 10  # pictures in a bin; fewer make no point
COLOURS = ("#1f5fa8", "#b3541e", "#3d7a3d", "#7a4a8c", "#a3195b")  # each at least 4.5 : 1 on white
SIDE, LEFT, TOP, KEY_LINE = 240, 52, 14, 18  # px

Rows = Sequence[Sequence[float]]  # mean probability, share of synthetic pictures, number of pictures


def curves(figures: Mapping[str, Any], called: Mapping[str, str]) -> dict[str, Rows]:
    """The rows in a card's figures, by what their kinds are `called`; kinds without a name keep their key."""
    found = {"all": figures["reliability"]} if "reliability" in figures else {}
    kinds = {
        k: block["reliability"] for k, block in figures.items() if isinstance(block, dict) and "reliability" in block
    }
    return found | {called.get(kind, kind): rows for kind, rows in kinds.items()}


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


def path(card_file: Path) -> Path:
    """Where the diagram of a card's JSON lies."""
    return card_file.with_name(f"{card_file.stem}-reliability.svg")


def names(card_file: Path) -> Mapping[str, str]:
    """What a card calls its kinds of copies."""
    return generated_card.COPIES if card_file.stem == "generated" else {}


def main() -> None:
    """Draws all diagrams anew."""
    for path_of_card in sorted((data.ROOT / "models/cards").glob("*.json")):
        drawn = curves(json.loads(path_of_card.read_text(encoding="utf-8")), names(path_of_card))
        if drawn:
            path(path_of_card).write_text(svg(drawn), encoding="utf-8")


if __name__ == "__main__":
    main()
