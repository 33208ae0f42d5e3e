"""The status line's sentences. Qt-free."""

from __future__ import annotations

from desktop.window import words
from desktop.window.table import Counts
from desktop.window.words import translate
from detectors.verdict import Band


def progress(counts: Counts) -> str:
    """How far it is: "412 of 20,000"."""
    return translate("summary", "{done} of {total}").format(done=f"{counts.done:,}", total=f"{counts.total:,}")


def found(counts: Counts) -> str:
    """What was found so far, strongest first, only what there is: "Likely synthetic: 3 · Not read: 1"."""
    parts = [f"{words.verdict(band)}: {counts.bands[band]:,}" for band in Band if counts.bands[band]]
    if counts.problems:
        parts.append(translate("summary", "Not opened or not read: {n}").format(n=f"{counts.problems:,}"))
    return " · ".join(parts)


def state(counts: Counts, *, busy: bool, paused: bool, stopped: bool) -> str:
    """What the app is doing now, in one short sentence."""
    if not counts.total:
        return translate("summary", "Looking for pictures…") if busy else translate("summary", "Ready.")
    if busy and paused:
        return translate("summary", "Resting. Press Resume to go on.")
    if busy and stopped:
        return translate("summary", "Stopping…")
    if busy:
        return translate("summary", "Checking…")
    if counts.done < counts.total:
        return translate("summary", "Stopped. What was checked is kept in the list.")
    return translate("summary", "Done.")
