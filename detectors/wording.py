"""Every sentence of our own that a verdict is explained with: a fixed vocabulary, filled in from the findings alone.

What carried the verdict is said as it was measured: which check, which areas or views, and how often such an answer was
wrong on pictures of alike quality. Bands are named by their value, as in `counterproof.scan/1`.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import TYPE_CHECKING

from detectors.finding import Finding, State

if TYPE_CHECKING:
    from detectors.verdict import Band, Bands, Rates

# With fewer of either class, the rates of a class of quality are too rough to be quoted.
ENOUGH = 100

CHECKS = {
    "generated": "the check of the whole picture",
    "face_swap": "the check of the faces",
    "local_edit": "the check for edited areas",
}
THIRD_PARTY = "third_party:"

ALIKE = {
    "small": " as small as this one",
    "compressed": " as blurred or as strongly compressed as this one",
    "good": " of as good quality as this one",
}

MARK = "Such a mark is strong evidence, but it can be copied onto another picture or removed."
# Measured by tests/benchmarks/bench_source_match.py; docs/source-match.md has the whole table.
SOURCE_MEASURED = (
    "On photographs that its thresholds were not chosen on, this comparison found the source of 99.8 % of 480 edited "
    "pictures among 320 photos. It took none of 2,000 pairs of different photos for one, 500 of them from the same "
    "events, and saw a replaced region in 2 of 300 copies that had none."
)
SOURCE_LIMIT = (
    "It does not say how it was replaced: a generative tool can have done it, or a person with an image program."
)
SOURCE_TOO_PLAIN = "This picture is too small or has too little detail to be compared with your photos."
NOT_JUDGED = "Can't tell. No check could judge this picture, so no error rate applies to it."
NOT_AS_A_WHOLE = "Can't tell. The picture could not be judged as a whole, and the other checks cannot clear it."


def looked(placed: Sequence[tuple[Finding, Band]]) -> str:
    """One sentence on what each learned detector found, also where they disagree. Empty for none.

    The strongest come first; those that found the same share a clause.
    """
    order = ("likely_synthetic", "inconclusive", "no_signs")
    clauses: dict[str, list[str]] = {}
    for finding, band in sorted(placed, key=lambda p: (order.index(p[1]), p[0].detector != "generated")):
        clauses.setdefault(_found(finding, band), []).append(_check(finding.detector))
    text = "; ".join(f"{_and(checks)} {found}" for found, checks in clauses.items())
    return f"{_capital(text)}." if text else ""


def measured(band: Band, detector: str, bands: Bands, quality: str | None) -> str:
    """How often the detector that carried the verdict was wrong, on pictures of this class of quality where known."""
    if bands.measured:
        return bands.measured if band == "likely_synthetic" else f"Can't tell. {bands.measured}"
    rates: Bands | Rates = bands
    alike = ""
    own = bands.by_quality.get(quality or "")
    if own is not None and min(own.n_real, own.n_synthetic) >= ENOUGH:
        rates, alike = own, ALIKE.get(quality or "", "")
    wrong = _share(rates.false_positive_rate, rates.n_real)
    if band == "likely_synthetic":
        return (
            f"Of {rates.n_real:,} real photographs{alike}, from sources never used in training, {_check(detector)} "
            f"wrongly called {wrong} likely synthetic."
        )
    if band == "no_signs":
        missed = _share(rates.miss_rate, rates.n_synthetic)
        return (
            f"No signs found; that is not proof that it is real. Of {rates.n_synthetic:,} synthetic pictures{alike}, "
            f"from generators never used in training, {missed} were missed in this way."
        )
    return (
        f"Can't tell. Neither answer would be safe: of {rates.n_real:,} real photographs{alike}, {_check(detector)} "
        f"wrongly called {wrong} likely synthetic, and of {rates.n_synthetic:,} synthetic pictures it found "
        f"{_share(rates.recall, rates.n_synthetic)}."
    )


def source_found(
    name: str,
    taken: datetime.date | None,
    mirrored: bool,
    kept: float,
    altered: Sequence[tuple[float, float, float, float]],
    beyond: float,
    shown: float,
) -> str:
    """Which photo a picture was made from, which part was kept and which replaced.

    `kept` and `beyond` are shares of the picture, `shown` of the photo, 0..1; `altered` are boxes (x, y, width,
    height) as shares of the picture, largest first. `beyond` is what lies outside of the photo's edges.
    """
    photo = f"your photo “{name}”"
    if taken is not None:
        photo += f" of {taken.day} {taken:%B %Y}"
    how = ["mirrored"] if mirrored else []
    if shown < 0.97:
        how.append(f"cropped to {_percent(shown)} of it")
    if not altered:
        changed = f", {_and(how)}" if how else ""
        return f"This picture is a copy of {photo}{changed}. No replaced region was found in it."
    where = _where(altered[0])
    if len(altered) == 1:
        replaced = f"one region, {where}, was replaced"
    else:
        replaced = f"{len(altered)} regions, the largest {where}, were replaced"
    text = (
        f"This picture was made from {photo}{', ' + _and(how) if how else ''}. {_capital(_percent(kept))} of the "
        f"picture was kept from it; {replaced} ({_percent(1 - kept)} of the picture)."
    )
    if beyond > 0.01:
        text += f" {_capital(_percent(beyond))} of the picture lies beyond the edges of your photo."
    return text


def source_not_found(photos: int) -> str:
    """That none of so many reference photos is the source."""
    if photos == 1:
        return "Your reference photo was not found in this picture."
    return f"None of your {photos:,} reference photos was found in this picture."


def source_failed(why: str) -> str:
    """That the comparison did not run, and why: a whole sentence."""
    return f"The comparison with your own photos did not run: {why}"


def _where(box: tuple[float, float, float, float]) -> str:
    """Where a box lies, in words for someone who does not look at the picture."""
    x, y, width, height = box
    if width > 0.7 and height > 0.7:
        return "most of the picture"
    across, down = x + width / 2, y + height / 2
    column = "" if width > 0.7 else "left" if across < 0.36 else "right" if across > 0.64 else "middle"
    row = "" if height > 0.7 else "upper" if down < 0.36 else "lower" if down > 0.64 else ""
    if not column:
        return f"the {row} part" if row else "the middle from left to right"
    return f"the {row} {column}" if row else f"the {column}"


def _percent(share: float) -> str:
    """A share of an area; never nought or the whole where there is a little of either."""
    whole = round(share * 100)
    if whole < 1:
        return "under 1 %"
    return "over 99 %" if whole == 100 and share < 1 else f"{whole} %"


def _check(detector: str) -> str:
    if detector.startswith(THIRD_PARTY):
        return f"“{detector.removeprefix(THIRD_PARTY)}”, a model that you added,"
    return CHECKS.get(detector, f"the check “{detector}”")


def _found(finding: Finding, band: Band) -> str:
    """What one detector found, as the end of a sentence."""
    if band == "no_signs":
        return "found no signs"
    if band == "inconclusive":
        if finding.state is State.INCONCLUSIVE and finding.details.get("colourless"):
            return "found signs, but is not to be relied on without colour"
        unsteady = finding.state is State.INCONCLUSIVE and "stability" in finding.details
        return "found signs that do not last when the picture is changed a little" if unsteady else "could not tell"
    many = len(finding.regions)
    if finding.detector == "generated":
        return f"found the marks of an image generator{_views(finding)}"
    if finding.detector == "face_swap":
        many = sum(r.kind == "swapped_face" for r in finding.regions)
        faces = "in one face" if many == 1 else f"in {many} faces" if many else "of faces"
        return f"found signs of a swap {faces}"
    if finding.detector == "local_edit":
        areas = "one area that does" if many == 1 else f"{many} areas that do" if many else "something that does"
        return f"found {areas} not fit the rest of the picture"
    return "found signs that it is synthetic"


def _views(finding: Finding) -> str:
    """Which of the two views spoke for a generator, where a check looked at both and named no other part of its score.

    Their parts are added up, so this is no guess.
    """
    raw = finding.details.get("raw")
    if not isinstance(raw, dict) or not all(isinstance(raw.get(v), int | float) for v in ("whole", "detail")):
        return ""
    whole, detail = raw["whole"] > 0, raw["detail"] > 0
    if whole and detail:
        return ", in the picture as a whole and in its detail"
    if whole:
        return ", in the picture as a whole and not in its detail"
    return ", in its detail and not in the picture as a whole" if detail else ""


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]


def _and(names: Sequence[str]) -> str:
    return " and ".join(names) if len(names) < 3 else f"{', '.join(names[:-1])} and {names[-1]}"


def _share(rate: float, count: int) -> str:
    """A measured share of `count` pictures. A share of nothing is a count, and no promise for the next picture."""
    return f"{rate * 100:.1f} %" if round(rate * count) else "none"
