"""Cards and the figures in them: each models/cards/NAME.md shows what stands in NAME.json. Needs no PyTorch."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from models.training import edit_card, face_card, generated_card, guard_card

CARDS = Path(__file__).resolve().parents[1] / "cards"
BEGIN, END = "<!-- figures: written by models/training -->", "<!-- end of figures -->"
RENDER: Mapping[str, Callable[[Any], str]] = {
    "face_swap": face_card.render,
    "generated": generated_card.render,
    "guard": guard_card.render,
    "local_edit": edit_card.render,
}


def shown(text: str) -> str:
    """The figures that a card shows. Raises ValueError when it has no place for them."""
    if BEGIN not in text or END not in text:
        raise ValueError("the card has no place for figures")
    return text.split(BEGIN, 1)[1].split(END, 1)[0].strip()


def read(name: str) -> Any:
    """The figures of a card, from its JSON."""
    return json.loads((CARDS / f"{name}.json").read_text(encoding="utf-8"))


def write(name: str, figures: Mapping[str, Any]) -> None:
    """Puts the figures into the card and the JSON beside it. Raises ValueError before it writes, as `shown`."""
    target = CARDS / f"{name}.md"
    text = target.read_text(encoding="utf-8")
    shown(text)
    before, after = text.split(BEGIN, 1)[0], text.split(END, 1)[1]
    target.write_text(f"{before}{BEGIN}\n{RENDER[name](figures)}\n{END}{after}", encoding="utf-8")
    (CARDS / f"{name}.json").write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
