"""Findings to a Verdict: the band, the calibrated probability, and the reasons in plain words.

Order of strength: what the file itself declares, then learned detectors. Context is shown, never counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

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


@dataclass(frozen=True, slots=True)
class Bands:
    """The shipped operating point and its error rates, measured on sources and generators held out of training.

    `likely` and `clear` are thresholds on the calibrated probability: at or above `likely` the band is
    likely_synthetic, below `clear` it is no_signs. `false_positive_rate` is the share of `n_real` real photographs
    at or above `likely`, `recall` the share of `n_synthetic` synthetic ones; `miss_rate` is the share of synthetic
    ones below `clear`. All are 0..1.
    """

    likely: float
    clear: float
    false_positive_rate: float
    recall: float
    miss_rate: float
    n_real: int
    n_synthetic: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """`p_synthetic` is the calibrated probability, 0..1, that a generative model made or altered the picture.

    It is None when no detector could say anything; the band is then `inconclusive`.
    """

    band: Band
    p_synthetic: float | None
    reasons: tuple[str, ...]


def decide(findings: Sequence[Finding], bands: Bands) -> Verdict:
    """The verdict on one picture, from all its findings."""
    declared = [f for f in findings if f.role is Role.DECLARED]
    learned = [f for f in findings if f.role is Role.LEARNED]
    yes = [f for f in declared if f.state is State.OK and f.score is not None and f.score >= 0.5]
    scored = [f for f in learned if f.score is not None and f.state in (State.OK, State.INCONCLUSIVE)]
    p = max((f.score for f in scored if f.score is not None), default=None)
    reasons = [f.in_short for f in yes]
    if yes:
        band, p = Band.DECLARED_SYNTHETIC, max(DECLARED_P, p or 0.0)
        reasons.append("Such a mark is strong evidence, but it can be copied onto another picture or removed.")
        reasons += [f.in_short for f in learned]
    else:
        band = _learned_band(scored, p, bands)
        if band is Band.NO_SIGNS and any(f.state is State.FAILED for f in (*declared, *learned)):
            band = Band.INCONCLUSIVE  # nobody looked where the strongest evidence would be
        reasons += [f.in_short for f in learned] + [_measured(band, bands)]
        if any(f.state is State.INCONCLUSIVE for f in declared):
            reasons += [f.in_short for f in declared if f.state is State.INCONCLUSIVE]
    reasons += [f.in_short for f in findings if f.state is State.FAILED and f not in learned]
    return Verdict(band, p, tuple(reasons))


def _learned_band(scored: Sequence[Finding], p: float | None, bands: Bands) -> Band:
    """Where the probability falls; a detector that calls its own result unstable keeps the band at inconclusive."""
    if p is None or any(f.state is State.INCONCLUSIVE for f in scored):
        return Band.INCONCLUSIVE
    if p >= bands.likely:
        return Band.LIKELY_SYNTHETIC
    return Band.NO_SIGNS if p < bands.clear else Band.INCONCLUSIVE


def _measured(band: Band, bands: Bands) -> str:
    """This build's measured error rate in the band, in words."""
    if band is Band.LIKELY_SYNTHETIC:
        return (
            f"Of {bands.n_real} real photographs from sources never used in training, "
            f"{_percent(bands.false_positive_rate)} were wrongly placed in this band."
        )
    if band is Band.NO_SIGNS:
        return (
            "No signs found; that is not proof that it is real. "
            f"Of {bands.n_synthetic} synthetic pictures from generators never used in training, "
            f"{_percent(bands.miss_rate)} were missed in this way."
        )
    return (
        "Can't tell. Neither answer would be safe: this build places "
        f"{_percent(bands.false_positive_rate)} of real photographs wrongly in the likely band and finds "
        f"{_percent(bands.recall)} of synthetic ones."
    )


def _percent(rate: float) -> str:
    return f"{rate * 100:.1f} %"
