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
from detectors.inference.nudenet import FACE, OVERLAP, seen, views
from detectors.inference.preprocess import CLIP_MEAN, CLIP_STD, VIEW, normalise
from detectors.intake.picture import Picture

LEAST = 0.35  # score of a box: below it, hands and patterns become frequent among the boxes
# Long side of one more view, px, for a picture without a face: a head that fills it is too large for the other views.
# Of 72 of 300 tight crops that showed no face at 320 it found 55; a view at 192 found 46, and costs twice as much.
CLOSE_LOOK = 128
CLOSE = 0.5  # of the picture's shorter side: a smaller face would have been found before
CONTEXT = 1.3  # side of the square against the longer side of the box
SIDE = 160  # px: what the network sees of a face
CLIP_SIDE = VIEW  # px: what CLIP sees of a face
SMALLEST = 64  # px, the shorter side of a box: below it no face is checked
SHARPEST_BLUR = 0.1  # a face whose `sharpness` is below this is too blurred to check

Pixels = npt.NDArray[np.uint8]
Box = tuple[float, float, float, float]  # x, y, width, height


@dataclass(frozen=True, slots=True)
class Face:
    """One face. `box`: x, y, width, height in the upright picture at full size, px. `score`: NudeNet's, 0..1."""

    box: tuple[int, int, int, int]
    score: float


def faces(picture: Picture, profile: Profile = Profile.FAST) -> tuple[Face, ...]:
    """The faces that a profile's views show, largest first. Looked for once a picture and profile.

    Raises SetupError when the model is missing, altered or gives no numbers.
    """
    return picture.once(f"faces-{profile}", lambda: _faces(picture, profile))


def _faces(picture: Picture, profile: Profile) -> tuple[Face, ...]:
    height, width = picture.rgb.shape[:2]
    boxes = _face_boxes([seen(picture, side) for side in views(max(height, width), profile)])
    if not len(boxes):
        boxes = _face_boxes([seen(picture, CLOSE_LOOK)])
        sides = boxes.corners[:, 2:] - boxes.corners[:, :2]
        boxes = boxes[sides.max(axis=1) >= CLOSE * min(height, width)]
    found = []
    for (left, top, right, bottom), score in zip(boxes.corners.tolist(), boxes.scores.tolist(), strict=True):
        found.append(Face(picture.box_at_full_size(left, top, right - left, bottom - top), round(score, 4)))
    return tuple(sorted(found, key=lambda f: (-f.box[2] * f.box[3], f.box)))


def _face_boxes(looks: list[Boxes]) -> Boxes:
    """The faces of several views, each once."""
    boxes = join(looks)
    return suppress(boxes[(boxes.kinds == FACE) & (boxes.scores >= LEAST)], FACE, OVERLAP)


def around(box: Box, size: tuple[int, int], context: float = CONTEXT) -> list[float]:
    """Left, top, right, bottom of the square around a face's box (x, y, width, height), all in px of one picture.

    Its side is `context` times the longer side of the box, at most the shorter side of the picture; `size` is the
    picture's width and height, and the square is moved to lie inside, so that nothing is made up beyond an edge.
    """
    x, y, w, h = box
    side = min(context * max(w, h), *size)
    left = min(max(0.0, x + w / 2 - side / 2), size[0] - side)
    top = min(max(0.0, y + h / 2 - side / 2), size[1] - side)
    return [left, top, left + side, top + side]


def square(rgb: Pixels, box: Box, side: int = SIDE) -> Pixels:
    """`around` a face of `rgb` (h, w, 3), `box` in its pixels, as (side, side, 3) uint8."""
    height, width = rgb.shape[:2]
    left, top, right, bottom = around(box, (width, height))
    # Cutting roughly first keeps the filter from reading a whole large picture.
    cut = (int(left), int(top), min(width, int(np.ceil(right))), min(height, int(np.ceil(bottom))))
    inside = (left - cut[0], top - cut[1], right - cut[0], bottom - cut[1])
    return np.asarray(_cut(rgb, cut).resize((side, side), Image.Resampling.BICUBIC, box=inside))


def sharpness(rgb: Pixels, box: Box) -> float:
    """How much of a face's contrast lies in its finest detail: deviation of the Laplacian over that of the grey values.

    `box` (x, y, width, height) is in pixels of `rgb` (h, w, 3). At the face's own size, or at SIDE px where it is
    larger, which is all that the network sees. About 0.1 to 1 for photographs; 0 for a flat area.
    """
    x, y, w, h = box
    image = _cut(rgb, (int(x), int(y), int(x + w), int(y + h))).convert("L")
    scale = SIDE / max(image.size)
    if scale < 1:
        image = image.resize((max(3, round(image.width * scale)), max(3, round(image.height * scale))))
    grey = np.asarray(image, np.float32)
    if min(grey.shape) < 3:
        return 0.0
    bend = grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:] - 4 * grey[1:-1, 1:-1]
    return float(bend.std() / (grey.std() + 1.0))


def _cut(rgb: Pixels, box: tuple[int, int, int, int]) -> Image.Image:
    """Left, top, right, bottom of `rgb`, without copying the rest."""
    left, top, right, bottom = box
    return Image.fromarray(rgb[top:bottom, left:right])


def network_input(squares: Pixels) -> npt.NDArray[np.float32]:
    """`face-square/1`: squares around faces (n, SIDE, SIDE, 3) -> (n, 3, SIDE, SIDE) float32 in about -1..1."""
    return normalise(squares, 127.0, 128.0)


def clip_input(squares: Pixels) -> npt.NDArray[np.float32]:
    """`clip-face-square/1`: squares around faces (n, 224, 224, 3) -> (n, 3, 224, 224) float32, as CLIP expects them."""
    return normalise(squares, CLIP_MEAN * 255, CLIP_STD * 255)
