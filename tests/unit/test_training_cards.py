"""Every card shows the figures of the JSON beside it, and every diagram the rows."""

from __future__ import annotations

import ast
import importlib
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from models.training import diagrams

ROOT = Path(__file__).resolve().parents[2]
CARDS = sorted((ROOT / "models/cards").glob("*.json"))


def renderers() -> list[str]:
    """The modules of models/training that put figures into cards, by what they define; none of them is run."""
    found = []
    for path in sorted((ROOT / "models/training").glob("*.py")):
        defined = {n.name for n in ast.parse(path.read_text(encoding="utf-8")).body if isinstance(n, ast.FunctionDef)}
        if {"render", "shown"} <= defined:
            found.append(f"models.training.{path.stem}")
    return found


def renderer(text: str) -> ModuleType | None:
    """The module whose mark a card bears; None where it cannot be imported, since it needs the extra `train`."""
    missing = False
    for name in renderers():
        try:
            module = importlib.import_module(name)
        except ModuleNotFoundError as e:
            if e.name not in ("torch", "onnx"):
                raise
            missing = True
            continue
        if module.BEGIN in text:
            return module
    assert missing, "no module of models/training writes this card"
    return None


def changed(figures: Any) -> Any:
    """The same figures with every number moved."""
    if isinstance(figures, dict):
        return {k: changed(v) for k, v in figures.items()}
    if isinstance(figures, list):
        return [changed(v) for v in figures]
    return figures + 1 if isinstance(figures, int | float) and not isinstance(figures, bool) else figures


def test_there_are_cards_to_look_at() -> None:
    assert CARDS
    assert "models.training.card" in renderers()


@pytest.mark.parametrize("path", CARDS, ids=lambda p: p.stem)
def test_card_shows_the_figures_beside_it(path: Path) -> None:
    text, figures = path.with_suffix(".md").read_text(encoding="utf-8"), json.loads(path.read_text(encoding="utf-8"))
    module = renderer(text)
    if module is None:
        pytest.skip("needs the extra `train`")
    assert module.shown(text) == module.render(figures)
    assert module.shown(text) != module.render(changed(figures))


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
