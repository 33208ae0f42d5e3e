"""Findings to a Verdict: the band, the calibrated probability, and the reasons in plain words.

Order of strength: what the file itself declares, then the photo that it was made from, then learned detectors. Context
is shown, never counted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from detectors import wording
from detectors.finding import Finding, Role, State


class Band(StrEnum):
    """The verdicts, strongest first."""

    DECLARED_SYNTHETIC = "declared_synthetic"
    MATCHED_SOURCE = "matched_source"
    LIKELY_SYNTHETIC = "likely_synthetic"
    INCONCLUSIVE = "inconclusive"
    NO_SIGNS = "no_signs"


# A declaration can be forged or copied onto a real photograph, so it never counts as certainty.
DECLARED_P = 0.99
# Calibrated tables flatten out before they reach 0 or 1; this keeps a table that does not from dividing by nothing.
_SUREST = 1e-6
# Without this one nothing looked at the picture as a whole, so "no signs" cannot be said.
WHOLE_PICTURE = "generated"


@dataclass(frozen=True, slots=True)
class Rates:
    """Error rates measured on sources and generators held out of training, all 0..1.

    `false_positive_rate` is the share of `n_real` real photographs at or above `Bands.likely`, `recall` the share of
    `n_synthetic` synthetic ones; `miss_rate` is the share of synthetic ones below `Bands.clear`.
    """

    false_positive_rate: float
    recall: float
    miss_rate: float
    n_real: int
    n_synthetic: int


@dataclass(frozen=True, slots=True)
class Bands:
    """One learned detector's shipped operating point and its error rates, which are as in `Rates`.

    `likely` and `clear` are thresholds on its calibrated probability: at or above `likely` it speaks for
    likely_synthetic, below `clear` for no_signs. `by_quality` has the rates on pictures of one quality class each.
    `weight` is the share of synthetic pictures that the detector is for, relative to the others', in the overall
    probability. `measured` states the rates in words where they are not ours but those of a model that the user has
    added and calibrated.
    """

    likely: float
    clear: float
    false_positive_rate: float
    recall: float
    miss_rate: float
    n_real: int
    n_synthetic: int
    by_quality: Mapping[str, Rates] = field(default_factory=dict)
    weight: float = 1.0
    measured: str = ""

    def place(self, finding: Finding) -> Band:
        """Where a scored finding falls. One that the detector itself calls unsteady is never more than unclear."""
        if finding.score is None or finding.state is State.INCONCLUSIVE:
            return Band.INCONCLUSIVE
        if finding.score >= self.likely:
            return Band.LIKELY_SYNTHETIC
        return Band.NO_SIGNS if finding.score < self.clear else Band.INCONCLUSIVE


@dataclass(frozen=True, slots=True)
class Verdict:
    """`p_synthetic` is the calibrated probability, 0..1, that a generative model made or altered the picture.

    It is None when no detector could say anything; the band is then `inconclusive`. With `matched_source` it is what
    the learned detectors say, or None: what was seen then is that a region was replaced, not that a model replaced it.
    """

    band: Band
    p_synthetic: float | None
    reasons: tuple[str, ...]


def decide(findings: Sequence[Finding], points: Mapping[str, Bands]) -> Verdict:
    """The verdict on one picture, from all its findings and each learned detector's operating point by name.

    A learned detector without an operating point has no known error rates: it moves neither the probability nor the
    band, except that "no signs" is not said over it.
    """
    declared = [f for f in findings if f.role is Role.DECLARED]
    learned = [f for f in findings if f.role is Role.LEARNED]
    placed = [(f, points[f.detector].place(f)) for f in learned if _spoke(f) and f.detector in points]
    unheard = [f for f in learned if _spoke(f) and f.detector not in points]
    sources = [f for f in findings if f.role is Role.SOURCE and f.state is State.OK and f.score == 1.0]
    yes = [f for f in declared if f.state is State.OK and f.score is not None and f.score >= 0.5]
    p = mixture({f.detector: f.score for f, _ in placed if f.score is not None}, points)
    said = [text] if (text := wording.looked(placed)) else []
    said += [f.in_short for f in unheard]
    if yes:
        band, p = Band.DECLARED_SYNTHETIC, max(DECLARED_P, p or 0.0)
        reasons = [*(f.in_short for f in yes), wording.MARK, *(f.in_short for f in sources), *said]
    elif any(f.details.get("unaltered") is False for f in sources):
        band = Band.MATCHED_SOURCE
        reasons = [*(f.in_short for f in sources), wording.SOURCE_MEASURED, wording.SOURCE_LIMIT, *said]
    else:
        band = _learned_band([own for _, own in placed], any(f.detector == WHOLE_PICTURE for f, _ in placed))
        if band is Band.NO_SIGNS and (unheard or any(f.state is State.FAILED for f in (*declared, *learned))):
            band = Band.INCONCLUSIVE  # nobody looked where the strongest evidence would be
        silent = [f.in_short for f in learned if f.state is State.NOT_APPLICABLE and band is not Band.LIKELY_SYNTHETIC]
        copies = [f.in_short for f in sources]  # good to know, and no verdict
        reasons = [*copies, *said, _measured(band, placed, points), *silent]
        reasons += [f.in_short for f in declared if f.state is State.INCONCLUSIVE]
    reasons += [f.in_short for f in findings if f.state is State.FAILED]
    return Verdict(band, p, tuple(reasons))


def mixture(scores: Mapping[str, float], points: Mapping[str, Bands]) -> float | None:
    """The probability that the picture is synthetic in any of the ways that these detectors look for; None for none.

    Each score is a probability against even odds, so p / (1 - p) is how much likelier the picture is if it was made in
    that detector's way than if it is real. A synthetic picture was made in one of several ways: their likelihood ratios
    are averaged by the share of each, `Bands.weight`. Rises with every score, and is the score itself for one.
    """
    if not scores:
        return None
    bounded = {name: min(max(p, _SUREST), 1 - _SUREST) for name, p in scores.items()}
    total = sum(points[name].weight for name in bounded)
    ratio = sum(points[name].weight / total * p / (1 - p) for name, p in bounded.items())
    return ratio / (1 + ratio)


def _spoke(finding: Finding) -> bool:
    """Whether the detector looked and came to something, if only to "can't tell"."""
    return finding.state is State.INCONCLUSIVE or (finding.state is State.OK and finding.score is not None)


def _learned_band(placed: Sequence[Band], whole: bool) -> Band:
    """The strongest of what the detectors say; "no signs" only where one of them looked at the whole picture."""
    if Band.LIKELY_SYNTHETIC in placed:
        return Band.LIKELY_SYNTHETIC
    return Band.INCONCLUSIVE if Band.INCONCLUSIVE in placed or not whole else Band.NO_SIGNS


def _measured(band: Band, placed: Sequence[tuple[Finding, Band]], points: Mapping[str, Bands]) -> str:
    """Error rates of the detector that carries the verdict: the whole picture's, unless only others say the same."""
    quality = next((str(f.details["quality"]) for f, _ in placed if "quality" in f.details), None)
    carriers = [f.detector for f, own in placed if own is band]
    if not carriers and not any(f.detector == WHOLE_PICTURE for f, _ in placed):
        return wording.NOT_AS_A_WHOLE if placed else wording.NOT_JUDGED
    carrier = carriers[0] if carriers and WHOLE_PICTURE not in carriers else WHOLE_PICTURE
    return wording.measured(band, carrier, points[carrier], quality)
