"""The worker's half of the source match: a picture's features, and what of a photo is left in a picture made from it.

Features are SIFT (Lowe, IJCV 2004) as RootSIFT (Arandjelovic and Zisserman, CVPR 2012). Two aligned pictures are
compared cell by cell: by normalised cross-correlation where there is texture, so that gain, bias and sharpness do not
matter, and by colour after one fitted change of colours where there is none. Needs OpenCV; imported in workers only.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from detectors.inference.faces import faces
from detectors.intake import decode
from detectors.intake.limits import Limits
from detectors.intake.picture import Picture

MOST = 1500  # features of one picture
LONG_SIDE = 640  # px: larger pictures are reduced to it, smaller ones are left as they are
_PARTS = 8  # the strongest features of each of _PARTS x _PARTS parts come first, so that no area goes without
_CONTRAST = 0.01  # SIFT's own 0.04 leaves small and soft pictures with hardly any feature

_SMALLEST = 96  # px, the long side of the common frame: with less there is nothing to tell
_BLUR = 0.8  # px: takes out what one more JPEG adds
_NOISE = 9.0  # grey levels squared: variance that is not texture
_TEXTURED = 30.0  # the same: from here on a cell has texture that can agree or not
_WEIGHED = 60.0  # the same: from here on the correlation alone decides
_AGREES, _SPAN = 0.62, 0.2  # correlation at which a cell is neither kept nor altered, and how far to certainty
_TONE, _TONE_SPAN = 26.0, 12.0  # the same for colours, in levels
_STRONG = 0.45  # an altered area has cells this clear, or it is noise
_MOST_REGIONS = 8
_LITTLE = 0.1  # where less of the picture than this is kept and has texture, it matters whether a face is in it

Pixels = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


def answer(header: Mapping[str, Any], data: bytes, limits: Limits) -> tuple[dict[str, Any], bytes]:
    """The worker's answer to `source_features` (one file's bytes) or `source_compare` (a photo's, then a picture's).

    `limits` allow for two files. Raises CounterproofError.
    """
    cv2.setNumThreads(1)  # workers run side by side already
    if header["op"] == "source_features":
        picture = decode.decode(data, header["sha256"], limits)
        points, descriptors = features(picture.rgb)
        points[:, :2] = (points[:, :2] + 0.5) / picture.scale - 0.5
        points[:, 2] /= picture.scale
        taken = picture.untrusted_exif.get("DateTimeOriginal", "")[:32]
        about = {"count": len(points), "width": picture.media.width, "taken": taken}
        return {"features": about}, points.astype("<f4").tobytes() + descriptors.tobytes()
    split = header["photo"]["bytes"]
    photo = decode.decode(data[:split], header["photo"]["sha256"], limits)
    picture = decode.decode(data[split:], header["sha256"], limits)
    return {"compared": compare(photo, picture, np.array(header["transform"], np.float64)).to_json()}, b""


def features(rgb: Pixels) -> tuple[Floats, Pixels]:
    """Up to MOST features of `rgb` (h, w, 3): (n, 4) x, y, diameter in px of `rgb`, angle in degrees; (n, 128) uint8.

    Descriptors are unit vectors times 512. None of a picture without detail.
    """
    h, w = rgb.shape[:2]
    share = min(1.0, LONG_SIDE / max(h, w))
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    if share < 1:
        size = max(1, round(w * share)), max(1, round(h * share))
        grey = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
    # Upscaling that is exact to the pixel: without it, a mirrored picture's features lie half a pixel off.
    sift = cv2.SIFT.create(nfeatures=0, contrastThreshold=_CONTRAST, enable_precise_upscale=True)
    keypoints, found = sift.detectAndCompute(grey, None)
    if not keypoints:
        return np.zeros((0, 4), np.float32), np.zeros((0, 128), np.uint8)
    points = np.array([(*k.pt, k.size, k.angle, k.response) for k in keypoints], np.float32)
    chosen = _spread(points, grey.shape[0], grey.shape[1])
    points, descriptors = points[chosen, :4], np.asarray(found, np.float32)[chosen]
    descriptors /= np.maximum(descriptors.sum(1, keepdims=True), 1e-6)
    across, down = w / grey.shape[1], h / grey.shape[0]
    points[:, 0] = (points[:, 0] + 0.5) * across - 0.5
    points[:, 1] = (points[:, 1] + 0.5) * down - 0.5
    points[:, 2] *= across
    return points, np.minimum(255, np.round(np.sqrt(descriptors) * 512)).astype(np.uint8)


def _spread(points: Floats, h: int, w: int) -> npt.NDArray[np.int64]:
    """The indices of at most MOST features, every part's strongest before any part's second."""
    column = np.clip(points[:, 0] * _PARTS / w, 0, _PARTS - 1).astype(np.int64)
    part = np.clip(points[:, 1] * _PARTS / h, 0, _PARTS - 1).astype(np.int64) * _PARTS + column
    order = np.lexsort((-points[:, 4], part))
    rank = np.empty(len(points), np.int64)
    rank[order] = np.arange(len(points)) - np.searchsorted(part[order], part[order])
    return np.lexsort((-points[:, 4], rank))[:MOST]


@dataclass(frozen=True, slots=True)
class Compared:
    """What of a photo is left in a picture. Shares are of the picture's area, 0..1; boxes are in its full-size pixels.

    `agreement`: the median correlation over the kept cells with texture, 0..1. `kept` and `textured`: the share that
    is kept, and that is kept and has texture. `shown`: the share of the photo that lies inside the picture.
    `beyond`: the share of the picture that lies beyond the photo's edges. `face`: how much of the photo's largest
    face is kept; 0 where it has none, or where so much is kept that it is not looked for. `altered_map`: an
    Overlay's object; 0 is kept.
    """

    agreement: float
    kept: float
    textured: float
    shown: float
    beyond: float
    face: float
    kept_boxes: list[list[int]]
    altered_boxes: list[list[int]]
    altered_map: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        """For the pipe to the parent."""
        return {name: getattr(self, name) for name in self.__slots__}


def compare(photo: Picture, picture: Picture, transform: Doubles) -> Compared:
    """What is left of `photo` in `picture`. `transform` (2, 3) takes full-size px of the photo to those of the picture.

    A mirrored picture's transform has a negative determinant. Raises ValueError for a transform that leads nowhere.
    """
    scaled = _scaling(picture.scale) @ _whole(transform) @ np.linalg.inv(_scaling(photo.scale))
    if not np.isfinite(scaled).all() or abs(float(np.linalg.det(scaled[:2, :2]))) < 1e-6:
        raise ValueError("a transform that leads nowhere")
    frame = _Frame.of(photo.rgb, picture.rgb, scaled)
    score, correlation, textured, inside = _cells(frame)
    kept = _cleaned(score, inside)
    sure = kept & textured
    # The cells' corners in the full-size picture.
    rows, columns = score.shape
    down, across = picture.media.height / rows, picture.media.width / columns
    values = np.where(kept, 0, 110 + 145 * np.clip(-score, 0, 1)).astype(np.uint8)
    return Compared(
        agreement=float(np.clip(np.median(correlation[sure]), 0, 1)) if sure.any() else 0.0,
        kept=float(kept.mean()),
        textured=float(sure.mean()),
        shown=frame.shown,
        beyond=float(1 - inside.mean()),
        face=_face_kept(photo, kept, transform, (down, across)) if 0 < sure.mean() < _LITTLE else 0.0,
        kept_boxes=_boxes(kept, down, across, picture),
        altered_boxes=_boxes(~kept, down, across, picture),
        altered_map={
            "rows": rows,
            "columns": columns,
            "values": base64.b64encode(values.tobytes()).decode(),
            "box": [0, 0, picture.media.width, picture.media.height],
        },
    )


@dataclass(frozen=True, slots=True)
class _Frame:
    """Photo and picture at a common scale, in the picture's frame: neither is enlarged. `inside`: where both are."""

    photo: Pixels
    picture: Pixels
    inside: Pixels
    shown: float

    @classmethod
    def of(cls, photo: Pixels, picture: Pixels, transform: Doubles) -> _Frame:
        """`transform` (3, 3): from px of `photo` to those of `picture`."""
        (ph, pw), (h, w) = photo.shape[:2], picture.shape[:2]
        growth = float(np.sqrt(abs(np.linalg.det(transform[:2, :2]))))
        share = min(1.0, max(min(LONG_SIDE / max(h, w), 1 / growth), _SMALLEST / max(h, w)))
        size = max(8, round(w * share)), max(8, round(h * share))
        # By area first, then the rest of the way by interpolation: nothing aliases.
        reduced = min(1.0, growth * share)
        small = max(4, round(pw * reduced)), max(4, round(ph * reduced))
        whole = (
            _scaling(size[0] / w, size[1] / h) @ transform @ np.linalg.inv(_scaling(small[0] / pw, small[1] / ph))
        )[:2]
        source = cv2.resize(photo, small, interpolation=cv2.INTER_AREA)
        laid = cv2.warpAffine(source, whole, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        inside = cv2.warpAffine(np.full(small[::-1], 255, np.uint8), whole, size, flags=cv2.INTER_LINEAR)
        covered = np.count_nonzero(inside) / (abs(float(np.linalg.det(whole[:, :2]))) * small[0] * small[1])
        return cls(
            np.asarray(laid, np.uint8),
            np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8),
            np.asarray(inside, np.uint8),
            min(1.0, covered),
        )


def _cells(frame: _Frame) -> tuple[Floats, Floats, Mask, Mask]:
    """For each cell: from -1, altered, to 1, kept; the correlation; whether it has texture; whether both are there."""
    h, w = frame.inside.shape
    cell = min(8.0, max(4.0, max(h, w) / 80))
    grid = max(1, round(w / cell)), max(1, round(h / cell))
    window = 2 * round(0.8 * cell) + 1

    def mean(values: npt.NDArray[Any]) -> Floats:
        return np.asarray(cv2.blur(values, (window, window), borderType=cv2.BORDER_REFLECT), np.float32)

    def by_cell(values: npt.NDArray[Any]) -> Floats:
        return np.asarray(cv2.resize(values.astype(np.float32), grid, interpolation=cv2.INTER_AREA), np.float32)

    a, b = (cv2.GaussianBlur(_grey(x), (0, 0), _BLUR) for x in (frame.photo, frame.picture))
    of_a, of_b = mean(a), mean(b)
    spread_a, spread_b = np.maximum(mean(a * a) - of_a**2, 0), np.maximum(mean(b * b) - of_b**2, 0)
    correlation = by_cell((mean(a * b) - of_a * of_b) / np.sqrt((spread_a + _NOISE) * (spread_b + _NOISE)))
    spread = np.maximum(by_cell(spread_a), by_cell(spread_b))
    inside, textured = by_cell(frame.inside) > 127, spread > _TEXTURED
    off, floor = _off_colour(by_cell(frame.photo), by_cell(frame.picture), inside & textured & (correlation > 0.8))
    weight = np.clip(spread / _WEIGHED, 0, 1)
    structure = np.clip((correlation - _AGREES) / _SPAN, -1, 1)
    tone = np.clip((_TONE + floor - off) / _TONE_SPAN, -1, 1)
    score = (weight * structure + (1 - weight) * 0.6 * tone).astype(np.float32)
    # Each cell with its neighbours, those beyond the photo's edges left out.
    known = inside.astype(np.float32)
    smooth = [cv2.GaussianBlur(x, (0, 0), 1.0, borderType=cv2.BORDER_REFLECT) for x in (score * known, known)]
    score = np.where(inside, smooth[0] / np.maximum(smooth[1], 1e-3), -1).astype(np.float32)
    return score, correlation, textured, inside


def _off_colour(photo: Floats, picture: Floats, agree: Mask) -> tuple[Floats, float]:
    """How far each cell's colour is from what one change of colours for the whole picture makes of the photo's.

    In levels, and the median where the cells agree. The change (gain, mixture, bias, a bend for gamma) is fitted to
    those, twice, the second time without those that are far off. Nothing is off where too few cells agree.
    """
    rows, columns = agree.shape
    chosen = np.flatnonzero(agree)
    if len(chosen) < 20:
        return np.zeros((rows, columns), np.float32), 0.0
    x, y = photo.reshape(-1, 3).astype(np.float64), picture.reshape(-1, 3).astype(np.float64)
    bend = x.mean(1, keepdims=True) ** 2 / 255
    terms = np.concatenate([np.ones_like(bend), x, bend], axis=1)
    unchanged = np.zeros((5, 3))
    unchanged[1:4] = np.eye(3)
    off, best = np.zeros(len(x)), chosen
    for _ in range(2):
        pull = np.diag([0.01, 1, 1, 1, 1]) * len(best) * 0.5  # towards no change, where colours do not tell
        left = terms[best].T @ terms[best] + pull
        change = np.linalg.solve(left, terms[best].T @ y[best] + pull @ unchanged)
        off = np.abs(np.clip(terms @ change, 0, 255) - y).max(1)
        best = chosen[off[chosen] < max(8.0, 2 * float(np.median(off[chosen])))]
        if len(best) < 20:
            break
    # What is blown out or drowned in either has lost its colour, and tells half as much.
    lost = np.maximum(x, y).max(1) > 245
    lost |= np.minimum(x, y).min(1) < 10
    off = np.where(lost, off / 2, off)
    return off.reshape(rows, columns).astype(np.float32), float(np.median(off[chosen]))


def _cleaned(score: Floats, inside: Mask) -> Mask:
    """Which cells are kept: without specks of either kind, and without altered areas that are nowhere clear."""
    altered = ((score <= 0) & inside).astype(np.uint8)
    thick = cv2.morphologyEx(altered, cv2.MORPH_OPEN, np.ones((2, 2), np.uint8))
    kept = inside.copy()
    for area in _areas(altered):
        if thick[area].sum() >= 4 and (score[area] < -_STRONG).sum() >= 2:
            kept[area] = False
    for area in _areas(kept.astype(np.uint8)):
        if area.sum() < max(6, 0.008 * area.size):
            kept[area] = False
    # A line along the edge that lies beyond the photo is rounding.
    for area in _areas((~kept & ~inside).astype(np.uint8)):
        if not np.asarray(cv2.erode(np.pad(area.astype(np.uint8), 1), np.ones((2, 2), np.uint8))).any():
            kept[area] = True
    return kept


def _areas(cells: Pixels) -> list[Mask]:
    """The connected areas of cells that are not 0, by their sides, largest first."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(cells, connectivity=4)
    sizes = stats[:, cv2.CC_STAT_AREA]
    return [np.asarray(labels == i, np.bool_) for i in sorted(range(1, count), key=lambda i: -int(sizes[i]))]


def _boxes(cells: Mask, down: float, across: float, picture: Picture) -> list[list[int]]:
    """The boxes of the largest areas, in full-size px, those that touch but for one cell as one."""
    joined = cv2.morphologyEx(cells.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
    found = []
    for area in _areas(np.asarray(joined, np.uint8))[:_MOST_REGIONS]:
        ys, xs = np.flatnonzero(area.any(1)), np.flatnonzero(area.any(0))
        left, top = round(xs[0] * across), round(ys[0] * down)
        right = min(picture.media.width, round((xs[-1] + 1) * across))
        bottom = min(picture.media.height, round((ys[-1] + 1) * down))
        found.append([int(left), int(top), max(1, int(right - left)), max(1, int(bottom - top))])
    return found


def _face_kept(photo: Picture, kept: Mask, transform: Doubles, cell: tuple[float, float]) -> float:
    """How much of the photo's largest face is kept in the picture, 0..1; it lies in cells of `cell` px (down, across).

    It tells a kept face from a logo.
    """
    found = faces(photo)
    if not found:
        return 0.0
    x, y, w, h = found[0].box
    corners = np.array([(x, y, 1), (x + w, y, 1), (x, y + h, 1), (x + w, y + h, 1)], np.float64) @ transform.T
    left, top = np.floor(corners.min(0) / (cell[1], cell[0])).astype(int)
    right, bottom = np.ceil(corners.max(0) / (cell[1], cell[0])).astype(int)
    inside = kept[max(0, top) : max(0, bottom), max(0, left) : max(0, right)]
    return float(inside.sum() / max(1, (right - left) * (bottom - top)))


def _grey(rgb: Pixels) -> Floats:
    return np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), np.float32)


def _scaling(across: float, down: float | None = None) -> Doubles:
    """(3, 3): pixel centres of a picture to those of the same picture at another size."""
    down = across if down is None else down
    return np.array([[across, 0, across / 2 - 0.5], [0, down, down / 2 - 0.5], [0, 0, 1]], np.float64)


def _whole(transform: Doubles) -> Doubles:
    return np.concatenate([transform, [[0.0, 0.0, 1.0]]])
