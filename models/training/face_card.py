"""The figures in models/cards/face_swap.md, rendered from models/cards/face_swap.json. Standard library only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

COPIES = {"untouched": "untouched", "saved_again": "shrunk and saved again"}


def _percent(value: float) -> str:
    return f"{value * 100:.1f} %"


def _row(first: str, cells: list[str]) -> str:
    return f"| {' | '.join([first, *cells])} |"


def _table(head: str, names: list[str], rows: Mapping[str, list[str]]) -> list[str]:
    return ["", _row(head, names), _row("---", ["---"] * len(names)), *(_row(k, v) for k, v in rows.items())]


def _step(figure: Mapping[str, Any]) -> list[str]:
    low, high = figure["auc_interval"]
    return [f"{figure['auc']:.3f} ({low:.3f}–{high:.3f})", f"{figure['recall_1']:.3f}", f"{figure['recall_5']:.3f}"]


def _shares(groups: Mapping[str, Mapping[str, float]]) -> dict[str, list[str]]:
    return {
        name: [str(g["pictures"]), _percent(g["likely"]), _percent(g["above_clear"])]
        for name, g in sorted(groups.items(), key=lambda kv: (-kv[1]["likely"], -kv[1]["above_clear"], kv[0]))
    }


def render(figures: Mapping[str, Any]) -> str:
    """All figures as Markdown: of the fast profile, then of the thorough one."""
    videos, missed = figures["videos"], figures["without_face"]
    lines = [
        "### Fast",
        "",
        f"Labelled swaps: {videos['swapped']} swapped and {videos['real']} real face crops of "
        f"{videos['scenes']} scenes, in {figures['folds']} folds by scene; {missed['swapped']} swapped and "
        f"{missed['real']} real crops more, in which no clear face was found, are not scored. Photographs: "
        f"{figures['held_out']} with a face that can be checked, from sources that no network learnt from; "
        f"{figures['trained_on']} others were learnt from. Seed {figures['seed']}. "
        f"Intervals: 95 %, resampling pictures. Encoder and size alone tell the labelled swaps with AUC "
        f"{figures['leak_auc']:.3f}.",
        *_table(
            "swaps against real crops, videos held out",
            ["AUC", "recall at 1 % false positives", "at 5 %"],
            {name: _step(figure) for name, figure in figures["steps"].items()},
        ),
        *_profile(figures),
    ]
    close = figures["thorough"]
    return "\n".join(
        [
            *lines,
            "",
            "### Thorough",
            "",
            f"The same crops, folds and photographs. The {close['closely']} largest faces by CLIP's probe, the others "
            f"as in the fast profile. Seed {close['seed']}. Ridge {close['ridge']}; chosen without each fold in turn: "
            f"{', '.join(str(r) for r in close['ridges_without_a_fold'])}.",
            *_profile(close),
        ]
    )


def _profile(figures: Mapping[str, Any]) -> list[str]:
    """What was measured of one profile."""
    bands, shipped = figures["bands"], figures["shipped"]
    lines = [
        *_table(
            "the shipped recipe, out of fold",
            ["AUC", "recall at 1 %", "at 5 %"],
            {name: _step(figures["copies"][kind]) for kind, name in COPIES.items()},
        ),
        "",
        f"Of two crops of one scene, the swap scores higher than the real one in {_percent(figures['pairs_right'])}.",
        "",
        f"Operating point: `likely` from {bands['likely']}, `clear` below {bands['clear']}. Both were set on the "
        "held-out photographs and on the real crops, untouched and saved again, which flatters the columns below. With "
        "thresholds set on one half of the sources and folds and counted on the other, saved again, as the product "
        f"states them: {_percent(bands['false_positive_rate'])} of {bands['n_real']} real pictures likely swapped, "
        f"{_percent(bands['recall'])} of swaps likely, {_percent(bands['miss_rate'])} of swaps clear. "
        f"Calibration error, on swaps and real crops, with tables fitted on other folds: "
        f"{figures['calibration_error']:.3f}.",
        *_table(
            "at the operating point",
            list(COPIES.values()),
            {
                name: [_percent(shipped[kind][key]) for kind in COPIES]
                for name, key in (
                    ("photographs, likely swapped", "photographs_likely"),
                    ("photographs, not clear", "photographs_above_clear"),
                    ("photographs, probability of 0.5 or more", "photographs_over_half"),
                    ("real crops of the videos, likely swapped", "video_reals_likely"),
                    ("real crops of the videos, not clear", "video_reals_above_clear"),
                    ("swaps, likely swapped", "swaps_likely"),
                    ("swaps, not clear", "swaps_above_clear"),
                )
            },
        ),
        *_table(
            "photographs held out, shrunk and saved again",
            ["pictures", "likely swapped", "not clear"],
            _shares(figures["held_out_sources"]),
        ),
    ]
    for key, name in (
        ("sources_trained_on", "other photographs, and one doubtful source, untouched"),
        ("generated", "generated pictures, untouched"),
        ("splices", "splices, untouched"),
    ):
        if key in figures["others"]:
            lines += _table(name, ["pictures", "likely swapped", "not clear"], _shares(figures["others"][key]))
    return lines
