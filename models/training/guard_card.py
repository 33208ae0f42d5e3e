"""The figures in models/cards/guard.md, rendered from models/cards/guard.json. Needs no PyTorch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def render(figures: Mapping[str, Any]) -> str:
    """All figures as Markdown."""
    counts, kinds = figures["counts"], list(figures["nested"])
    lines = [
        f"Out of fold ({figures['folds']} folds, every source, generator and group of graphics held out once): "
        f"{counts['photographs']} photographs, {counts['generated']} generated pictures, {counts['graphics']} "
        f"graphics. Seed {figures['seed']}. Each fold under a threshold set on the other folds; in brackets under the "
        "shipped one, which was set on these pictures.",
        "",
        f"| | {' | '.join(kinds)} |",
        f"| --- |{' --- |' * len(kinds)}",
    ]
    for name, key in (
        ("photographs turned away", "photographs_rejected"),
        ("generated pictures turned away", "generated_rejected"),
        ("graphics turned away", "graphics_rejected"),
        ("the same, mean of groups", "graphics_rejected_mean_of_groups"),
    ):
        cells = [f"{figures['nested'][k][key]:.2%} ({figures['shipped'][k][key]:.2%})" for k in kinds]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    areas = [figures["nested"][k] for k in kinds]
    cells = [f"{c['auc']:.3f} ({c['auc_interval'][0]:.3f}–{c['auc_interval'][1]:.3f})" for c in areas]
    lines += [f"| AUC, graphics against the rest | {' | '.join(cells)} |", ""]
    lines += [f"| group of graphics | pictures | {' | '.join(kinds)} |", f"| --- | --- |{' --- |' * len(kinds)}"]
    for group, count in figures["pictures"].items():
        cells = [f"{figures['nested'][k]['per_group'][group]:.0%}" for k in kinds]
        lines.append(f"| {group} | {count} | {' | '.join(cells)} |")
    names = sorted({g for k in kinds for g in figures["nested"][k]["rejected_per_source"]})
    lines += ["", f"| source or generator, where any is turned away | {' | '.join(kinds)} |"]
    lines.append(f"| --- |{' --- |' * len(kinds)}")
    for name in names:
        cells = [f"{figures['nested'][k]['rejected_per_source'].get(name, 0):.1%}" for k in kinds]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)
