"""The figures in models/cards/generated.md, rendered from models/cards/generated.json. Needs no PyTorch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from models.training import grid, groups, peers

COPIES = {
    "messenger": "fast, degraded",
    "untouched": "fast, untouched",
    "thorough": "thorough, degraded",
    "framed": "thorough, not saved again",
    "cascade": "cascade, degraded",
}
DEGRADED = {kind: name for kind, name in COPIES.items() if kind not in ("untouched", "framed")}
BLOCKS = {  # figures that commands of their own measure, after `evaluate`
    "grid": ("Degraded in fourteen ways", grid.render),
    "groups": ("Who is in the photographs", groups.render),
    "peer": ("Beside another tool", peers.render),
}


def _interval(values: list[float]) -> str:
    return f"{values[0]:.3f}–{values[1]:.3f}"


def _percent(value: float) -> str:
    return f"{value * 100:.1f} %"


def _or_dash(values: Mapping[str, float], group: str, shown_as: Callable[[float], str]) -> str:
    """A group's figure, or a dash where too few of its pictures are in the column."""
    return shown_as(values[group]) if group in values else "–"


def _row(first: str, cells: list[str]) -> str:
    return f"| {' | '.join([first, *cells])} |"


def render(figures: Mapping[str, Any]) -> str:
    """All figures as Markdown."""
    columns = [figures[kind] for kind in COPIES if kind in figures]
    fast, thorough = (figures[model]["bands"] for model in ("generated-lite0", "generated-clip"))
    lines = [
        f"Out of fold ({figures['folds']} folds, every generator and every source held out once): "
        f"{figures['synthetic']} synthetic pictures and {figures['real']} photographs; untouched copies on a subset "
        f"matched for size. Seed {figures['seed']}. Intervals: 95 %, resampling pictures.",
        "",
        _row("", [name for kind, name in COPIES.items() if kind in figures]),
        _row("---", ["---"] * len(columns)),
    ]
    for name, key in (("AUC", "auc"), ("recall at 1 % false positives", "recall_1"), ("recall at 5 %", "recall_5")):
        lines.append(_row(name, [f"{c[key]:.3f} ({_interval(c[key + '_interval'])})" for c in columns]))
    lines.append(_row("AUC of each fold", [", ".join(f"{v:.3f}" for v in c["auc_per_fold"]) for c in columns]))
    lines.append(_row("calibration error", [f"{c['calibration_error']:.3f}" for c in columns]))
    for name, key in (
        ("photographs in `likely_synthetic`", "false_positive_rate"),
        ("synthetic in `likely_synthetic`", "recall"),
        ("synthetic in `no_signs`", "miss_rate"),
        ("photographs `inconclusive`", "inconclusive_real"),
        ("synthetic `inconclusive`", "inconclusive_synthetic"),
    ):
        lines.append(_row(name, [_percent(c["shipped"][key]) for c in columns]))
    lines += [
        "",
        f"Operating points: `likely_synthetic` from {fast['likely']} (fast) and {thorough['likely']} (thorough), "
        f"`no_signs` below {fast['clear']} and {thorough['clear']}. They were set on these pictures, which flatters "
        "the rates above. With each fold under thresholds set on the other folds, as the product states them:",
        "",
        "| degraded, nested | pictures | photographs in `likely_synthetic` | synthetic there | and in `no_signs` |",
        "| --- | --- | --- | --- | --- |",
        *_nested("fast", fast),
        *_nested("thorough", thorough),
        *_nested("cascade", figures["cascade_rates"]),
        "",
        f"The cascade clears {_percent(figures['cascade_rates']['cleared_real'])} of photographs with the fast check "
        f"alone. Size, shape and encoder traces alone (short side, aspect, JPEG tables of the degraded copies): AUC "
        f"{figures['leak_auc']:.3f}.",
        "",
        "| step, messenger-degraded | AUC | recall at 1 % | at 5 % |",
        "| --- | --- | --- | --- |",
    ]
    for name, step in figures["steps"].items():
        lines.append(f"| {name} | {step['auc']:.3f} | {step['recall_1']:.3f} | {step['recall_5']:.3f} |")
    lines += _newer(figures["newer"])
    lines += [
        "",
        _row("generator", ["pictures", *(f"AUC, {name}" for kind, name in COPIES.items() if kind in figures)]),
        _row("---", ["---"] * (1 + len(columns))),
    ]
    first = columns[0]
    for g, _ in sorted(first["auc_per_generator"].items(), key=lambda kv: kv[1]):
        cells = [_or_dash(c["auc_per_generator"], g, "{:.3f}".format) for c in columns]
        lines.append(_row(g, [str(first["pictures"][g]), *cells]))
    lines += [
        "",
        _row("source", ["pictures", *(f"false positives, {name}" for kind, name in COPIES.items() if kind in figures)]),
        _row("---", ["---"] * (1 + len(columns))),
    ]
    for g, _ in sorted(first["false_positive_rate_per_source"].items(), key=lambda kv: -kv[1]):
        cells = [_or_dash(c["false_positive_rate_per_source"], g, _percent) for c in columns]
        lines.append(_row(g, [str(first["pictures"][g]), *cells]))
    for key, (title, block) in BLOCKS.items():
        if key in figures:
            lines += ["", f"### {title}", "", block(figures[key])]
    return "\n".join(lines)


def _newer(found: Mapping[str, Any]) -> list[str]:
    """Generators that the labelled pictures lack: what learning from their like brings to families held out."""
    lines = [
        "",
        f"Newer generators, thorough profile, degraded: {found['pictures']} pictures, {found['generators']} "
        f"generators, {found['families']} families, each family held out once, beside all photographs. All come from "
        "one collection of thumbnails, so those learnt from look like those held out in more than being generated: the "
        "second row flatters, the first does not. `Saved alike`: beside photographs that were made into WebP "
        "thumbnails as well; the last column says how many of those lie over the threshold that 5 % of all "
        "photographs pass.",
        "",
        "| other families of the collection | AUC | recall at 1 % | at 5 % | AUC, saved alike | thumbnails over 5 % |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for name in ("not learnt from", "learnt from"):
        f = found[name]
        cells = [f"{f['auc']:.3f} ({_interval(f['auc_interval'])})", f"{f['recall_1']:.3f}", f"{f['recall_5']:.3f}"]
        lines.append(_row(name, [*cells, f"{f['auc_saved_alike']:.3f}", _percent(f["webp_over_5"])]))
    return lines


def _nested(name: str, bands: Mapping[str, Any]) -> list[str]:
    """A row of rates, and one for each class of quality."""
    rows = {name: bands, **{f"{name}, {quality}": own for quality, own in bands.get("by_quality", {}).items()}}
    return [
        _row(
            first,
            [
                f"{r['n_real']} + {r['n_synthetic']}",
                *(_percent(r[k]) for k in ("false_positive_rate", "recall", "miss_rate")),
            ],
        )
        for first, r in rows.items()
    ]
