"""Where the faces are, and the squares around them that the face network sees. Training cuts them with this code too.

Faces come from NudeNet's boxes, in the very run that looks for body parts. Its boxes are too loose to align eyes or
mouths by, so nothing is turned or warped: a face is a square with some context around its box.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from detectors.finding import Profile
from detectors.inference.boxes import Boxes, join, suppress
from detectors.inference.nudenet import FACE, OVERLAP, SECOND_LOOK, seen, views
from detectors.intake.picture import Picture

LEAST = 0.35  # score of a box: below it, hands and patterns become frequent among the boxes
CONTEXT = 1.3  # side of the square against the longer side of the box


@dataclass(frozen=True, slots=True)
class Face:
    """One face. `box`: x, y, width, height in the upright picture at full size, px. `score`: NudeNet's, 0..1."""

    box: tuple[int, int, int, int]
    score: float


def faces(picture: Picture, profile: Profile = Profile.FAST) -> tuple[Face, ...]:
    """The faces that a profile's views show, largest first. Looked for once a picture and profile.

    A head that fills the picture is too large for the first view, so a picture without a face gets one smaller view.
    Raises SetupError when the model is missing, altered or gives no numbers.
    """
    return picture.once(f"faces-{profile}", lambda: _faces(picture, profile))


def _faces(picture: Picture, profile: Profile) -> tuple[Face, ...]:
    height, width = picture.rgb.shape[:2]
    boxes = _face_boxes([seen(picture, side) for side in views(max(height, width), profile)])
    if not len(boxes):
        boxes = _face_boxes([seen(picture, SECOND_LOOK)])
    found = []
    for (left, top, right, bottom), score in zip(boxes.corners.tolist(), boxes.scores.tolist(), strict=True):
        found.append(Face(picture.box_at_full_size(left, top, right - left, bottom - top), round(score, 4)))
    return tuple(sorted(found, key=lambda f: (-f.box[2] * f.box[3], f.box)))


def _face_boxes(looks: list[Boxes]) -> Boxes:
    """The faces of several views, each once."""
    boxes = join(looks)
    return suppress(boxes[(boxes.kinds == FACE) & (boxes.scores >= LEAST)], FACE, OVERLAP)


def around(box: tuple[float, float, float, float], size: tuple[int, int], context: float = CONTEXT) -> list[float]:
    """Left, top, right, bottom of the square around a face's box (x, y, width, height), all in px of one picture.

    Its side is `context` times the longer side of the box, at most the shorter side of the picture; `size` is the
    picture's width and height, and the square is moved to lie inside, so that nothing is made up beyond an edge.
    """
    x, y, w, h = box
    side = min(context * max(w, h), *size)
    left = min(max(0.0, x + w / 2 - side / 2), size[0] - side)
    top = min(max(0.0, y + h / 2 - side / 2), size[1] - side)
    return [left, top, left + side, top + side]


def square(rgb: npt.NDArray[np.uint8], box: tuple[float, float, float, float], side: int) -> npt.NDArray[np.uint8]:
    """`around` a face of `rgb` (h, w, 3), `box` in its pixels, as (side, side, 3) uint8."""
    height, width = rgb.shape[:2]
    left, top, right, bottom = around(box, (width, height))
    image = Image.fromarray(rgb)
    # Cutting roughly first keeps the filter from reading a whole large picture.
    cut = (int(left), int(top), min(width, int(np.ceil(right))), min(height, int(np.ceil(bottom))))
    inside = (left - cut[0], top - cut[1], right - cut[0], bottom - cut[1])
    return np.asarray(image.crop(cut).resize((side, side), Image.Resampling.BICUBIC, box=inside))
