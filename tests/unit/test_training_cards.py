"""Every card shows the figures of the JSON beside it, and every diagram the rows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from models.training import card, diagrams

ROOT = Path(__file__).resolve().parents[2]
CARDS = sorted((ROOT / "models/cards").glob("*.json"))


def changed(figures: Any) -> Any:
    """The same figures with every number moved."""
    if isinstance(figures, dict):
        return {k: changed(v) for k, v in figures.items()}
    if isinstance(figures, list):
        return [changed(v) for v in figures]
    return figures + 1 if isinstance(figures, int | float) and not isinstance(figures, bool) else figures


def test_there_are_cards_to_look_at() -> None:
    assert {path.stem for path in CARDS} == set(card.RENDER)


@pytest.mark.parametrize("path", CARDS, ids=lambda p: p.stem)
def test_card_shows_the_figures_beside_it(path: Path) -> None:
    text, figures = path.with_suffix(".md").read_text(encoding="utf-8"), card.read(path.stem)
    render = card.RENDER[path.stem]
    assert card.shown(text) == render(figures)
    assert card.shown(text) != render(changed(figures))


def test_a_card_without_a_place_for_figures_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(card, "CARDS", tmp_path)
    (tmp_path / "guard.md").write_text("# A card", encoding="utf-8")
    with pytest.raises(ValueError, match="no place"):
        card.write("guard", {})
    assert [p.name for p in tmp_path.iterdir()] == ["guard.md"]


@pytest.mark.parametrize("path", CARDS, ids=lambda p: p.stem)
def test_diagram_shows_the_rows_beside_it(path: Path) -> None:
    figures = json.loads(path.read_text(encoding="utf-8"))
    drawn = diagrams.curves(figures, diagrams.names(path))
    if not drawn:
        assert not diagrams.path(path).exists(), "a diagram without rows"
        pytest.skip("no rows in this card")
    assert diagrams.path(path).read_text(encoding="utf-8") == diagrams.svg(drawn)
    assert diagrams.path(path).name in path.with_suffix(".md").read_text(encoding="utf-8")


def test_the_grid_was_read_under_the_shipped_thresholds() -> None:
    figures = json.loads((ROOT / "models/cards/generated.json").read_text(encoding="utf-8"))
    if "grid" not in figures:
        pytest.skip("no grid in this card")
    for name, model in (("fast", "generated-lite0"), ("thorough", "generated-clip")):
        assert figures["grid"][name]["likely"] == figures[model]["bands"]["likely"], "run models.training.grid again"
