"""Intimacy: are parts of the body visible that are usually covered? For triage and redaction, never as proof.

Boxes come from detectors/inference/nudenet.py, whose thresholds favour recall:
NudeNet's users report that 0.5 finds little more than a third of what is there, and 0.2 about 60 %
(https://github.com/notAI-tech/NudeNet/issues/159). What they cost on safe pictures is in models/cards/nudenet-320n.md.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from detectors.finding import Finding, Profile, Region, Role, State
from detectors.inference import manifest
from detectors.inference.boxes import Boxes, covered, join, overlap, suppress
from detectors.inference.nudenet import (
    EXPLICIT,
    EXPLICIT_AT,
    FACE,
    KINDS,
    MODEL,
    OTHER_AT,
    OVERLAP,
    SECOND_LOOK,
    WEAK_AT,
    seen,
    views,
)
from detectors.intake.picture import Picture

EXPLICIT_KINDS = np.array([KINDS.index(name) for name in sorted(EXPLICIT)])
# One of these is enough for `suggestive`: underwear, swimwear, a bare torso.
HINTS = frozenset(
    {"female_genitalia_covered", "anus_covered", "buttocks_covered", "belly_exposed", "male_breast_exposed"}
)
# Ordinary clothed portraits and sports photographs have one of these; two different ones together are a hint.
WEAK_HINTS = frozenset({"female_breast_covered", "armpits_exposed", "feet_exposed"})

# Where a score lands on the one scale 0..1 that decides the level. It orders pictures; it is no probability.
SUGGESTIVE_P, EXPLICIT_P = 0.2, 0.5
EXPLICIT_SCALE = ((0.0, WEAK_AT, EXPLICIT_AT, 1.0), (0.0, SUGGESTIVE_P, EXPLICIT_P, 1.0))
HINT_SCALE = ((0.0, OTHER_AT, 1.0), (0.0, SUGGESTIVE_P, 0.45))  # covered parts never make a picture explicit

# A head that fills the picture can look like other parts to the model, so whatever looks exposed gets a second look.
COVERED = 0.7  # share of a part that must lie within a face
AGREES = 0.3  # overlap from which the second look confirms a part

SAYS = {
    "explicit": "Parts of the body that are usually covered seem to be visible.",
    "suggestive": "This may be an intimate picture, but nothing explicit was found; the check can miss things.",
    "none_found": "Nothing intimate was found; the check can miss things.",
}


def level(p: float) -> str:
    """`explicit`, `suggestive` or `none_found`, from the scale."""
    return "explicit" if p >= EXPLICIT_P else "suggestive" if p >= SUGGESTIVE_P else "none_found"


class Intimacy:
    """Body parts and faces with their places, and the level."""

    name = "intimacy"
    role = Role.INTIMACY

    def find(self, picture: Picture, profile: Profile) -> Finding:
        """The finding for one picture. Raises SetupError when the model is missing, altered or gives no numbers."""
        sides = views(max(picture.rgb.shape[:2]), profile)
        boxes = suppress(join([seen(picture, side) for side in sides]), FACE, OVERLAP)
        if np.isin(boxes.kinds, EXPLICIT_KINDS).any():
            second = seen(picture, SECOND_LOOK)
            sides = (*sides, SECOND_LOOK)
            boxes = suppress(join([boxes[~mistaken(boxes, second)], second]), FACE, OVERLAP)
        p = strength(boxes)
        return Finding(
            detector=self.name,
            role=self.role,
            state=State.OK,
            score=p,
            says=SAYS[level(p)],
            regions=tuple(_region(picture, boxes, i) for i in range(len(boxes))),
            model=manifest.entry(MODEL).ref,
            details={"level": level(p), "p": p, "views": list(sides)},
        )


def mistaken(boxes: Boxes, second: Boxes) -> npt.NDArray[np.bool_]:
    """Which of `boxes` (n,) are exposed parts that the second look takes for part of a face, and finds nowhere else."""
    faces = second.corners[second.kinds == FACE]
    exposed = second.corners[np.isin(second.kinds, EXPLICIT_KINDS)]
    return np.array(
        [
            kind in EXPLICIT_KINDS
            and bool((covered(corners, faces) >= COVERED).any())
            and not bool((overlap(corners, exposed) >= AGREES).any())
            for kind, corners in zip(boxes.kinds, boxes.corners, strict=True)
        ],
        dtype=np.bool_,
    )


def strength(boxes: Boxes) -> float:
    """The place on the scale, 0..1: it grows with the best score of each kind."""
    best = dict.fromkeys(KINDS, 0.0)
    for kind, score in zip(boxes.kinds, boxes.scores, strict=True):
        best[KINDS[kind]] = max(best[KINDS[kind]], float(score))
    explicit = max(best[kind] for kind in EXPLICIT)
    second_weak = sorted((best[kind] for kind in WEAK_HINTS), reverse=True)[1]
    hint = max(second_weak, *(best[kind] for kind in HINTS))
    return round(max(float(np.interp(explicit, *EXPLICIT_SCALE)), float(np.interp(hint, *HINT_SCALE))), 4)


def _region(picture: Picture, boxes: Boxes, i: int) -> Region:
    """One box as the finding states it, at full size."""
    left, top, right, bottom = (float(v) for v in boxes.corners[i])
    box = picture.box_at_full_size(left, top, right - left, bottom - top)
    return Region(KINDS[boxes.kinds[i]], box, round(float(boxes.scores[i]), 4))


detector = Intimacy()
