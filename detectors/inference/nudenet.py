"""NudeNet's one look at a view of a picture, shared by everything that needs its boxes: body parts and faces.

NudeNet's 320n (YOLOv8n, https://github.com/notAI-tech/NudeNet) through our own inference.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from PIL import Image

from detectors.errors import SetupError
from detectors.finding import Profile
from detectors.inference import manifest, sessions
from detectors.inference.boxes import Boxes, decode, letterbox
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

EXPLICIT_AT = 0.2
WEAK_AT = 0.1  # an exposed part between the two is not lost: it makes the picture `suggestive`
OTHER_AT = 0.25
THRESHOLDS = np.array([WEAK_AT if name in EXPLICIT else OTHER_AT for name in CLASSES], np.float32)
OVERLAP = 0.45

BASE = 320  # the model's own training size
# A head that fills the picture is too large for the model: at 320 it takes cheeks and eyes for other parts (a third of
# 224 px face crops came out as explicit). At 192 it sees the face.
SECOND_LOOK = 192


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


def seen(picture: Picture, long_side: int) -> Boxes:
    """What `look` finds in one view of a picture, in `rgb` pixels; looked at once, whoever asks. Raises as `look`."""
    return picture.once(f"nudenet-{long_side}", lambda: look(picture.image, long_side))


def look(image: Image.Image, long_side: int) -> Boxes:
    """Everything that one view finds, before suppression. Raises SetupError when the model gives no numbers."""
    tensor, scale = letterbox(image, long_side)
    output = sessions.run(MODEL, {"images": tensor})[0][0]
    if not np.isfinite(output).all():
        # Comparisons with NaN are false, so this would pass for "nothing found".
        raise SetupError("model_unusable", f"The model {MODEL} gave no usable numbers.", manifest.REMEDY)
    boxes = decode(output, THRESHOLDS, scale, image.size)
    return replace(boxes, kinds=KIND_OF_CLASS[boxes.kinds])
