"""The guard in front of the learned detectors: is this a photograph at all?

They were trained on photographs and on generated pictures that look like photographs, and would give a drawing or a
screenshot some score as well. A small network (models/cards/guard.md) tells graphics from photographs, and they then
answer "not applicable" with the guard's sentence.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from detectors.inference import sessions
from detectors.inference.manifest import entry
from detectors.inference.preprocess import PREPROCESS, Pixels, canonical, two_views

if TYPE_CHECKING:
    from detectors.intake.picture import Picture

MODEL = "guard"
SAYS = (
    "This does not look like a photograph (a drawing, a screenshot or a document), "
    "so the checks for generated pictures cannot judge it."
)


@dataclass(frozen=True, slots=True)
class Graphic:
    """Something other than a photograph. `score` over 0.5, up to 1, is how clearly; it is no calibrated probability."""

    score: float
    says: str = SAYS


def not_a_photograph(picture: Picture) -> Graphic | None:
    """What to answer in place of a score; None for photographs and for what looks like one. Judged once a picture.

    Raises SetupError when the model is missing or altered.
    """
    return picture.once("guard", lambda: _judge(picture))


def _judge(picture: Picture) -> Graphic | None:
    small = picture.once("canonical", lambda: canonical(picture.image))
    score = graphic_score(picture.once("two-views", lambda: two_views(small)))
    return Graphic(round(score, 4)) if score > 0.5 else None


def graphic_score(views: Pixels) -> float:
    """0..1 for two views (2, 224, 224, 3) uint8; the operating point lies at 0.5, in the model's intercept."""
    model = entry(MODEL)
    (name,) = model.inputs
    (added,) = sessions.run(model.id, {name: PREPROCESS[model.preprocess](views)})
    return 1 / (1 + math.exp(-float(np.trace(added).clip(-50, 50))))
