"""The figures in models/cards/generated.md, rendered from models/cards/generated.json. Standard library only."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

BEGIN, END = "<!-- figures: written by models/training/evaluate.py -->", "<!-- end of figures -->"
COPIES = ("messenger", "untouched")


def _interval(values: list[float]) -> str:
    return f"{values[0]:.3f}–{values[1]:.3f}"


def _percent(value: float) -> str:
    return f"{value * 100:.1f} %"


def render(figures: Mapping[str, Any]) -> str:
    """All figures as Markdown."""
    bands = figures["bands"]
    lines = [
        f"Out of fold ({figures['folds']} folds, every generator and every source held out once): "
        f"{figures['synthetic']} synthetic pictures, {figures['real']} photographs. Seed {figures['seed']}. "
        "Intervals: 95 %, resampling pictures.",
        "",
        "| | messenger-degraded | untouched |",
        "| --- | --- | --- |",
    ]
    m, u = (figures[k] for k in COPIES)
    for name, key in (("AUC", "auc"), ("recall at 1 % false positives", "recall_1"), ("recall at 5 %", "recall_5")):
        cells = (f"{c[key]:.3f} ({_interval(c[key + '_interval'])})" for c in (m, u))
        lines.append(f"| {name} | {' | '.join(cells)} |")
    folds = (", ".join(f"{v:.3f}" for v in c["auc_per_fold"]) for c in (m, u))
    lines.append(f"| AUC of each fold | {' | '.join(folds)} |")
    lines.append(f"| calibration error | {m['calibration_error']:.3f} | {u['calibration_error']:.3f} |")
    for name, key in (
        ("photographs in `likely_synthetic`", "false_positive_rate"),
        ("synthetic in `likely_synthetic`", "recall"),
        ("synthetic in `no_signs`", "miss_rate"),
        ("photographs `inconclusive`", "inconclusive_real"),
        ("synthetic `inconclusive`", "inconclusive_synthetic"),
        ("over the threshold, but unsteady", "unsteady"),
    ):
        lines.append(f"| {name} | {_percent(m['shipped'][key])} | {_percent(u['shipped'][key])} |")
    lines += [
        "",
        f"Operating point: `likely_synthetic` from {bands['likely']}, `no_signs` below {bands['clear']}. "
        f"Encoder traces alone (sides, shape, JPEG tables, file size of the degraded copies): AUC "
        f"{figures['leak_auc']:.3f}.",
        "",
        "| step, messenger-degraded | AUC | recall at 1 % | at 5 % |",
        "| --- | --- | --- | --- |",
    ]
    for name, step in figures["steps"].items():
        lines.append(f"| {name} | {step['auc']:.3f} | {step['recall_1']:.3f} | {step['recall_5']:.3f} |")
    lines += [
        "",
        "| generator | pictures | AUC degraded | AUC untouched | recall as shipped |",
        "| --- | --- | --- | --- | --- |",
    ]
    for g, value in sorted(m["auc_per_generator"].items(), key=lambda kv: kv[1]):
        recall, other = m["recall_per_generator"][g], u["auc_per_generator"][g]
        lines.append(f"| {g} | {m['pictures'][g]} | {value:.3f} | {other:.3f} | {_percent(recall)} |")
    lines += ["", "| source | photographs | false positives, degraded | untouched |", "| --- | --- | --- | --- |"]
    for g, value in sorted(m["false_positive_rate_per_source"].items(), key=lambda kv: -kv[1]):
        other = u["false_positive_rate_per_source"][g]
        lines.append(f"| {g} | {m['pictures'][g]} | {_percent(value)} | {_percent(other)} |")
    return "\n".join(lines)


def shown(text: str) -> str:
    """The figures that a card shows. Raises ValueError when it has no place for them."""
    if BEGIN not in text or END not in text:
        raise ValueError("the card has no place for figures")
    return text.split(BEGIN, 1)[1].split(END, 1)[0].strip()


def write(path: Path, figures: Mapping[str, Any]) -> None:
    """Puts the figures into the card."""
    text = path.read_text(encoding="utf-8")
    shown(text)
    before, after = text.split(BEGIN, 1)[0], text.split(END, 1)[1]
    path.write_text(f"{before}{BEGIN}\n{render(figures)}\n{END}{after}", encoding="utf-8")
