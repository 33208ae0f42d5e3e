"""Geometry of a YOLO detector: letterbox in, boxes out. NumPy and Pillow only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.intp]

STRIDE = 32  # the network halves its input five times, so both sides must be multiples of 32


@dataclass(frozen=True, slots=True)
class Boxes:
    """`corners`: (n, 4) left, top, right, bottom in pixels; `scores`: (n,) in 0..1; `kinds`: (n,) indices."""

    corners: Floats
    scores: Floats
    kinds: Ints

    def __len__(self) -> int:
        return len(self.scores)

    def __getitem__(self, which: Ints | npt.NDArray[np.bool_]) -> Boxes:
        return Boxes(self.corners[which], self.scores[which], self.kinds[which])


def letterbox(image: Image.Image, long_side: int) -> tuple[Floats, float]:
    """`nudenet-letterbox/1`: (1, 3, h, w) float32 RGB in 0..1, and its pixels per pixel of `image`.

    The long side becomes `long_side`, shrunk (bilinear over the covered area) or enlarged; black is added right and
    below up to multiples of 32, not up to a square: at 4:3 to 16:9 a square costs 30-60 % more time and finds no more.
    """
    scale = long_side / max(image.size)
    width, height = (max(1, round(side * scale)) for side in image.size)
    resized = image.resize((width, height), Image.Resampling.BILINEAR, reducing_gap=2.0)
    padded = np.zeros((1, 3, -(-height // STRIDE) * STRIDE, -(-width // STRIDE) * STRIDE), np.float32)
    padded[0, :, :height, :width] = np.asarray(resized).transpose(2, 0, 1)
    padded /= 255
    return padded, scale


def decode(output: Floats, thresholds: Floats, scale: float, size: tuple[int, int]) -> Boxes:
    """Boxes in the pixels of the picture, from one (4 + classes, anchors) output in letterbox pixels.

    An anchor gives one box for each class that reaches its threshold, not only for its best: a part that looks half
    covered must not hide the finding that it is half bare. `size` is the picture's width and height; boxes are
    clipped to it, and those that lie wholly in the padding are dropped.
    """
    kinds, anchors = np.nonzero(output[4:] >= thresholds[:, None])
    x, y, w, h = output[:4, anchors]
    edges = np.stack([x - w / 2, y - h / 2, x + w / 2, y + h / 2], axis=1) / np.float32(scale)
    corners: Floats = np.clip(edges, 0, np.array([*size, *size], np.float32))
    found = Boxes(corners, output[4 + kinds, anchors], kinds)
    return found[(corners[:, 2] > corners[:, 0]) & (corners[:, 3] > corners[:, 1])]


def join(parts: list[Boxes]) -> Boxes:
    """All boxes of several views of one picture. Raises ValueError for no views."""
    return Boxes(
        np.concatenate([p.corners for p in parts]),
        np.concatenate([p.scores for p in parts]),
        np.concatenate([p.kinds for p in parts]),
    )


def overlap(one: Floats, many: Floats) -> Floats:
    """Intersection over union, 0..1, of one box (4,) with each of (n, 4); 0 where both are empty."""
    shared = _shared(one, many)
    union = _areas(one[None]) + _areas(many) - shared
    share: Floats = np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
    return share


def covered(one: Floats, many: Floats) -> Floats:
    """The share, 0..1, of one box (4,) that lies in each of (n, 4)."""
    share: Floats = _shared(one, many) / max(float(_areas(one[None])[0]), 1e-6)
    return share


def suppress(boxes: Boxes, rival: int, limit: float) -> Boxes:
    """Non-maximum suppression: the best boxes, highest score first.

    A box goes when a better one of its own kind overlaps it by more than `limit`, or when either of the two is of
    the kind `rival`, which shares its place with no other.
    """
    left = np.argsort(-boxes.scores, kind="stable")
    kept: list[int] = []
    while len(left):
        best, left = int(left[0]), left[1:]
        kept.append(best)
        kinds = boxes.kinds[left]
        compete = (kinds == boxes.kinds[best]) | (kinds == rival) | (boxes.kinds[best] == rival)
        left = left[~(compete & (overlap(boxes.corners[best], boxes.corners[left]) > limit))]
    return boxes[np.array(kept, dtype=np.intp)]


def _shared(one: Floats, many: Floats) -> Floats:
    width = np.minimum(one[2], many[:, 2]) - np.maximum(one[0], many[:, 0])
    height = np.minimum(one[3], many[:, 3]) - np.maximum(one[1], many[:, 1])
    area: Floats = np.maximum(width, 0) * np.maximum(height, 0)
    return area


def _areas(boxes: Floats) -> Floats:
    area: Floats = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    return area
