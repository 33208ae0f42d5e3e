"""Intimacy: are parts of the body visible that are usually covered? For triage and redaction, never as proof.

NudeNet's 320n (YOLOv8n, https://github.com/notAI-tech/NudeNet) through our own inference. Thresholds favour recall:
NudeNet's users report that 0.5 finds little more than a third of what is there, and 0.2 about 60 %
(https://github.com/notAI-tech/NudeNet/issues/159). What they cost on safe pictures is in models/cards/nudenet-320n.md.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
from PIL import Image

from detectors.errors import SetupError
from detectors.finding import Finding, Profile, Region, Role, State
from detectors.inference import manifest, sessions
from detectors.inference.boxes import Boxes, covered, decode, join, letterbox, overlap, suppress
from detectors.intake.picture import Picture

MODEL = "nudenet-320n"

# The model's classes in its order. Both of its face classes become "face": this app states nobody's gender.
CLASSES = (
    "female_genitalia_covered",
    "face",
    "buttocks_exposed",
    "female_breast_exposed",
    "female_genitalia_exposed",
    "male_breast_exposed",
    "anus_exposed",
    "feet_exposed",
    "belly_covered",
    "feet_covered",
    "armpits_covered",
    "armpits_exposed",
    "face",
    "belly_exposed",
    "male_genitalia_exposed",
    "anus_covered",
    "female_breast_covered",
    "buttocks_covered",
)
KINDS = tuple(dict.fromkeys(CLASSES))
FACE = KINDS.index("face")
KIND_OF_CLASS = np.array([KINDS.index(name) for name in CLASSES])

EXPLICIT = frozenset(
    {
        "buttocks_exposed",
        "female_breast_exposed",
        "female_genitalia_exposed",
        "anus_exposed",
        "male_genitalia_exposed",
    }
)
EXPLICIT_KINDS = np.array([KINDS.index(name) for name in sorted(EXPLICIT)])
# One of these is enough for `suggestive`: underwear, swimwear, a bare torso.
HINTS = frozenset(
    {"female_genitalia_covered", "anus_covered", "buttocks_covered", "belly_exposed", "male_breast_exposed"}
)
# Ordinary clothed portraits and sports photographs have one of these; two different ones together are a hint.
WEAK_HINTS = frozenset({"female_breast_covered", "armpits_exposed", "feet_exposed"})

EXPLICIT_AT = 0.2
WEAK_AT = 0.1  # an exposed part between the two is not lost: it makes the picture `suggestive`
OTHER_AT = 0.25
THRESHOLDS = np.array([WEAK_AT if name in EXPLICIT else OTHER_AT for name in CLASSES], np.float32)
OVERLAP = 0.45

# Where a score lands on the one scale 0..1 that decides the level. It orders pictures; it is no probability.
SUGGESTIVE_P, EXPLICIT_P = 0.2, 0.5
EXPLICIT_SCALE = ((0.0, WEAK_AT, EXPLICIT_AT, 1.0), (0.0, SUGGESTIVE_P, EXPLICIT_P, 1.0))
HINT_SCALE = ((0.0, OTHER_AT, 1.0), (0.0, SUGGESTIVE_P, 0.45))  # covered parts never make a picture explicit

BASE = 320  # the model's own training size
# A head that fills the picture is too large for the model: at 320 it takes cheeks and eyes for other parts (a third of
# 224 px face crops came out as explicit). At 192 it sees the face. So whatever looks exposed gets a second look.
SECOND_LOOK = 192
COVERED = 0.7  # share of a part that must lie within a face
AGREES = 0.3  # overlap from which the second look confirms a part

SAYS = {
    "explicit": "Parts of the body that are usually covered seem to be visible.",
    "suggestive": "This may be an intimate picture, but nothing explicit was found; the check can miss things.",
    "none_found": "Nothing intimate was found; the check can miss things.",
}


def views(long_side: int, profile: Profile) -> tuple[int, ...]:
    """The long sides, in pixels, at which a picture is looked at.

    A larger second view finds small parts; it costs its area. Against tiles with the same reach it is cheaper and
    cuts no body at a seam.
    """
    if profile is Profile.FAST:
        return (BASE,) if long_side <= 1400 else (BASE, 512)
    if long_side <= 640:
        return (BASE,)
    return (BASE, 640) if long_side <= 1400 else (BASE, 640, 960)


def level(p: float) -> str:
    """`explicit`, `suggestive` or `none_found`, from the scale."""
    return "explicit" if p >= EXPLICIT_P else "suggestive" if p >= SUGGESTIVE_P else "none_found"


class Intimacy:
    """Body parts and faces with their places, and the level."""

    name = "intimacy"
    role = Role.INTIMACY

    def find(self, picture: Picture, profile: Profile) -> Finding:
        """The finding for one picture. Raises SetupError when the model is missing, altered or gives no numbers."""
        image = Image.fromarray(picture.rgb)
        sides = views(max(image.size), profile)
        boxes = suppress(join([look(image, side) for side in sides]), FACE, OVERLAP)
        if np.isin(boxes.kinds, EXPLICIT_KINDS).any():
            second = look(image, SECOND_LOOK)
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


def look(image: Image.Image, long_side: int) -> Boxes:
    """Everything that one view finds, before suppression. Raises SetupError when the model gives no numbers."""
    tensor, scale = letterbox(image, long_side)
    output = sessions.run(MODEL, {"images": tensor})[0][0]
    if not np.isfinite(output).all():
        # Comparisons with NaN are false, so this would pass for "nothing found".
        raise SetupError("model_unusable", f"The model {MODEL} gave no usable numbers.", manifest.REMEDY)
    boxes = decode(output, THRESHOLDS, scale, image.size)
    return replace(boxes, kinds=KIND_OF_CLASS[boxes.kinds])


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
