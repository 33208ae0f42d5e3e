"""The figures in models/cards/local_edit.md, rendered from models/cards/local_edit.json. Needs no PyTorch."""

from __future__ import annotations

from typing import Any


def percent(value: float) -> str:
    """0.123 as 12.3 %."""
    return f"{value * 100:.1f} %"


def with_interval(figures: dict[str, Any], key: str) -> str:
    """A figure and its interval, or a dash where there is none."""
    if key not in figures:
        return "–"
    low, high = figures[key + "_interval"]
    return f"{figures[key]:.3f} ({low:.3f}–{high:.3f})"


def false_rate(figures: dict[str, Any]) -> str:
    """Counts of false positives."""
    parts = [figures[part] for part in ("validation", "test") if part in figures]
    return " and ".join(f"{count} of {total}" for count, total in parts)


def render(figures: dict[str, Any]) -> str:
    """All figures as Markdown."""
    bands, wrong = figures["bands"], figures["false_positives"]
    n, head = figures["photographs"], "| | edited | untouched | AUC | recall at 1 % | recall at `likely` | pixel F1 |"

    def rows(part: dict[str, Any]) -> list[str]:
        lines = [head, "| --- | --- | --- | --- | --- | --- | --- |"]
        for name, f in part.items():
            cells = [str(f["n"]), str(f["n_real"]), with_interval(f, "auc"), percent(f["recall_1"])]
            cells += [percent(f["recall_likely"]), with_interval(f, "f1")]
            lines.append(f"| {name.replace('_', ' ')} | {' | '.join(cells)} |")
        return lines

    lines = [
        f"Seed {figures['seed']}, {figures['taught']} samples taught, {figures['heads']} heads. Photographs: "
        f"{n['teach']} teach, {n['validation']} set the border of the map, the calibration and the thresholds, "
        f"{n['test']} are for the test; no source is in two of these. Intervals: 95 %, resampling pictures. F1 is the "
        "mean over edited pictures.",
        "",
        "Methods and sources held out (test folds):",
        "",
        *rows(figures["test"]),
        "",
        "Methods known, sources held out (validation folds):",
        "",
        *rows(figures["validation"]),
        "",
        "Inpaintings by save, size and blur; false positives at `likely`:",
        "",
        "| | AUC | recall at `likely` | pixel F1 | false positives |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name, f in figures["grid"].items():
        cells = [with_interval(f, "auc"), percent(f["recall_likely"]), with_interval(f, "f1")]
        lines.append(f"| {name} | {' | '.join([*cells, percent(f['false_positive_rate'])])} |")
    lines += [
        "",
        f"Operating point: `likely` from {bands['likely']}, `clear` below {bands['clear']}. Of {bands['n_synthetic']} "
        f"pictures edited by held-out methods {percent(bands['recall'])} lie at or above `likely`, "
        f"{percent(bands['miss_rate'])} below `clear`. Calibration error on them: {figures['calibration_error']:.3f}.",
        "",
        f"Photographs at or above `likely`, of the folds that set it and of the test: {false_rate(wrong['saved'])} "
        f"after one more save; of the test, as they lie in the data: {false_rate(wrong['original'])}. Between `clear` "
        f"and `likely` lie {percent(figures['unclear_test'])} of the test's, saved. Of the pictures its generators "
        f"made as a whole, {false_rate(figures['generated_as_a_whole'])} lie at or above `likely`.",
        "",
        "| source | photographs | false positives, saved | as they lie |",
        "| --- | --- | --- | --- |",
    ]
    for g, (count, total) in wrong["saved"]["per_source"].items():
        lie = wrong["original"]["per_source"].get(g)
        lines.append(f"| {g} | {total} | {count} | {'–' if lie is None else lie[0]} |")
    check, hint = figures["sanity"], figures["compression"]
    lines += [
        "",
        f"Does the map show what the score rests on? With shuffled weights the map's rank correlation with the real "
        f"one is {check['rank_correlation_shuffled']:.2f}. The photograph's own pixels put back in the tenth of the "
        f"picture that the map shows most move the raw score down by {check['drop_undone']:.2f}, in as much elsewhere "
        f"by {check['drop_undone_elsewhere']:.2f}; the first moves it further in "
        f"{percent(check['undone_drops_more'])} of {check['n']} pictures. Blurring, which is itself a trace, moves it "
        f"by {check['drop_blurred']:.2f} and "
        f"{check['drop_blurred_elsewhere']:.2f}.",
        "",
        f"`compression`, on {hint['n']} photographs of the test folds: an earlier, stronger save is claimed for "
        f"{percent(hint['again_false'])} of those saved once, and found in {percent(hint['again_found'])} of those "
        f"saved twice at random qualities ({percent(hint['again_found_when_5_stronger'])} where the first save was at "
        f"least 5 lower). In files that are no JPEG, block borders are claimed for {percent(hint['borders_false'])} "
        f"without a JPEG past, and found where they are in {percent(hint['borders_found'])} with one.",
    ]
    return "\n".join(lines)
