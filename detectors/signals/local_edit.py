"""Was a part of the picture changed? A map of regions whose origin disagrees with the rest.

The picture at up to 512 px is seen in tiles by CLIP's middle blocks; a small head reads how each 16 px cell differs
from the picture's mean and gives one value for it. The highest cells make the picture's score, a calibrated
probability. What it was trained on, how often it is wrong and which pictures it cannot judge is in
models/cards/local_edit.md. Only the thorough profile runs it, and only when the model is in the manifest: the recipe
does not put it there before it passes its test.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from detectors.errors import SetupError
from detectors.finding import Finding, Profile, Region, Role, State
from detectors.inference import clip, sessions
from detectors.inference.guard import not_a_photograph
from detectors.inference.manifest import REMEDY, ModelEntry, bands, entry, manifest
from detectors.inference.preprocess import CLIP_MEAN, CLIP_STD, LONG_SIDE, VIEW, canonical, normalise
from detectors.quality import SHRUNK, jpeg_quality, sharpness

if TYPE_CHECKING:
    from PIL import Image

    from detectors.intake.picture import Picture

Pixels = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]
Cells = npt.NDArray[np.bool_]

AXES, MODEL = "local-edit-axes", "local-edit"  # what each cell's values are reduced to; what is made of them
CELL = clip.PATCH  # px of the canonical picture that one cell of the map covers
TOP = 0.08  # share of the map's cells whose mean is the picture's raw score
SMALLEST = 192  # px, short side: below this nothing was measured
# Where the grid in models/cards/local_edit.md shows that little is found
LOWEST_JPEG = 50
LOWEST_SHARPNESS = 15.0  # as of detectors/quality.py; photographs blurred by 1.5 px lie about here
FEWEST = 2  # cells that a region needs
MOST = 5  # regions that are listed, largest first

QUICK = "Edited areas are looked for in the thorough check only."
NOT_IN_USE = "Edited areas are not looked for: no check of ours finds them reliably enough yet."
TOO_SMALL = f"The picture is too small to look for edited areas: its shorter side is under {SMALLEST} pixels."
TOO_COMPRESSED = "The picture was saved with so much loss that traces of an edit could not have survived."
TOO_BLURRED = "The picture is too blurred to look for edited areas."
LIKELY = "A part of the picture does not match the rest: it was probably made or changed separately."
UNSURE = "A part of the picture may not match the rest, but the traces are too weak to say."
CLEAR = "No part of the picture stands out from the rest."


def tiles(height: int, width: int) -> list[tuple[int, int]]:
    """Top and left of each tile of 224 px, on the 16 px grid: the corners, and the middle where corners leave gaps.
    Sides are multiples of 16, at least 224 and at most 512."""
    rows, columns = (sorted({0, side - VIEW}) for side in (height, width))
    found = [(y, x) for y in rows for x in columns]
    if max(height, width) > 2 * VIEW:
        found.append(((height - VIEW) // 2 // CELL * CELL, (width - VIEW) // 2 // CELL * CELL))
    return found


def padded(pixels: Pixels) -> Pixels:
    """Mirrored right and below up to multiples of 16, at least 224."""
    h, w = (max(VIEW, -(-side // CELL) * CELL) - side for side in pixels.shape[:2])
    return np.pad(pixels, ((0, h), (0, w), (0, 0)), "symmetric")


def patches(pixels: Pixels, see: Callable[[Floats], Floats]) -> Floats:
    """`edit-tiles/1`: what CLIP makes of a picture's cells, (rows, columns, d) float32, a cell for each 16 px begun.

    `pixels` (h, w, 3) uint8 with a long side of at most 512 px; `see` gives values (1, 196, d) of the patches of one
    normalised tile (1, 3, 224, 224). Where tiles overlap it is their mean, where none lies the nearest cell's.
    """
    whole, side = padded(pixels), VIEW // CELL
    rows, columns = (s // CELL for s in whole.shape[:2])
    total, count = np.zeros((rows, columns, 0), np.float32), np.zeros((rows, columns), np.float32)
    for y, x in tiles(whole.shape[0], whole.shape[1]):
        cut = normalise(whole[np.newaxis, y : y + VIEW, x : x + VIEW], CLIP_MEAN * 255, CLIP_STD * 255)
        seen = see(cut).reshape(side, side, -1)
        if not total.shape[2]:
            total = np.zeros((rows, columns, seen.shape[2]), np.float32)
        r, c = y // CELL, x // CELL
        total[r : r + side, c : c + side] += seen
        count[r : r + side, c : c + side] += 1
    total /= np.maximum(count, 1)[..., np.newaxis]
    covered = np.argwhere(count)
    for r, c in np.argwhere(count == 0):
        total[r, c] = total[tuple(covered[np.argmin(((covered - (r, c)) ** 2).sum(1))])]
    h, w = (-(-s // CELL) for s in pixels.shape[:2])
    return total[:h, :w]


def raw_score(cells: Floats) -> float:
    """The mean of the map's highest cells. Raises ValueError when one is not a number."""
    if not np.isfinite(cells).all():
        raise ValueError("the model gave no number")
    count = max(1, round(TOP * cells.size))
    return float(np.partition(cells.ravel(), -count)[-count:].mean())


def groups(marked: Cells) -> list[npt.NDArray[np.intp]]:
    """Connected groups (side by side, or one above the other) of marked cells, largest first; each (n, 2), row and
    column."""
    left, found = {(int(r), int(c)) for r, c in np.argwhere(marked)}, []
    while left:
        todo, group = [left.pop()], []
        while todo:
            r, c = todo.pop()
            group.append((r, c))
            for near in ((r - 1, c), (r + 1, c), (r, c - 1), (r, c + 1)):
                if near in left:
                    left.remove(near)
                    todo.append(near)
        found.append(np.array(sorted(group), np.intp))
    return sorted(found, key=len, reverse=True)


class LocalEdit:
    """Regions of another origin."""

    name = "local_edit"
    role = Role.LEARNED

    def find(self, picture: Picture, profile: Profile) -> Finding:
        """The finding for one picture. Raises SetupError when the model is missing, altered or not calibrated."""
        if profile is Profile.FAST:
            return self._finding(State.NOT_APPLICABLE, None, QUICK)
        if MODEL not in manifest():
            return self._finding(State.NOT_APPLICABLE, None, NOT_IN_USE)
        reason = unfit(picture)
        if reason is not None:
            return self._finding(State.NOT_APPLICABLE, None, reason)
        model, limits = entry(MODEL), bands(profile, self.name)
        if model.calibration is None:
            raise SetupError("model_uncalibrated", f"The model {model.id} has no calibration.", REMEDY)
        cells, scale = look(picture)
        score = model.calibration(raw_score(cells))
        details: dict[str, Any] = {"thresholds": {"likely": limits.likely, "clear": limits.clear}}
        if score < limits.clear:
            return self._finding(State.OK, score, CLEAR, details, model)
        details["map"] = overlay(cells, picture, scale)
        says = LIKELY if score >= limits.likely else UNSURE
        return self._finding(State.OK, score, says, details, model, regions(cells, picture, scale))

    def _finding(
        self,
        state: State,
        score: float | None,
        says: str,
        details: Mapping[str, Any] | None = None,
        model: ModelEntry | None = None,
        found: tuple[Region, ...] = (),
    ) -> Finding:
        ref = None if model is None else model.ref
        return Finding(self.name, self.role, state, score, says, found, ref, details=details or {})


def unfit(picture: Picture) -> str | None:
    """Why the picture cannot be judged, in a sentence, or None."""
    full = (picture.media.width, picture.media.height)
    if min(*picture.rgb.shape[:2], *full) < SMALLEST:
        return TOO_SMALL
    quality = jpeg_quality(picture.quantisation)
    if quality is not None and quality < LOWEST_JPEG and max(full) <= SHRUNK * LONG_SIDE:
        return TOO_COMPRESSED
    if sharpness(canonical_of(picture)) < LOWEST_SHARPNESS:
        return TOO_BLURRED
    graphic = not_a_photograph(picture)
    return None if graphic is None else graphic.says


def look(picture: Picture) -> tuple[Floats, float]:
    """The map of a picture, (rows, columns) of logits with 0 as the border of `edited`, and canonical pixels per pixel
    of `picture.rgb`."""
    pixels = np.asarray(canonical_of(picture))
    return cell_logits(pixels), pixels.shape[1] / picture.rgb.shape[1]


def cell_logits(pixels: Pixels) -> Floats:
    """The map (rows, columns) of a picture as `patches` takes it. Raises SetupError as `sessions.run` does."""
    (logits,) = sessions.run(MODEL, {"cells": patches(pixels, on_axes)[np.newaxis]})
    return np.asarray(logits[0, 0], np.float32)


def on_axes(tile: Floats) -> Floats:
    """What the heads read of a tile's patches, (1, 196, 358). Reduced tile by tile: all of a picture's patches at once
    would take 19 MB, several times over."""
    (found,) = sessions.run(AXES, {"patches": clip.seen(tile, clip.PATCHES)[clip.PATCHES]})
    return found


def canonical_of(picture: Picture) -> Image.Image:
    """The canonical picture, made once for all checks."""
    return picture.once("canonical", lambda: canonical(picture.image))


def regions(cells: Floats, picture: Picture, scale: float) -> tuple[Region, ...]:
    """The largest groups of cells above 0 as boxes, scored by their highest cell's logistic value."""
    found = []
    for group in groups(cells > 0)[:MOST]:
        if len(group) < FEWEST:
            break
        (top, left), (bottom, right) = group.min(0), group.max(0) + 1
        box = (CELL * v / scale for v in (left, top, right - left, bottom - top))
        highest = float(cells[group[:, 0], group[:, 1]].max())
        found.append(Region("edited", picture.box_at_full_size(*box), round(1 / (1 + np.exp(-highest)), 3)))
    return tuple(found)


def overlay(cells: Floats, picture: Picture, scale: float) -> dict[str, Any]:
    """The map for window and page: one byte a cell, 0..255 for 0..1; 128 is the border of `edited`."""
    rows, columns = cells.shape
    values = (255 / (1 + np.exp(-cells.astype(np.float64)))).round().astype(np.uint8)
    # Not clipped: the last cells may reach beyond the picture, and a map that was pressed into it would lie askew.
    width, height = (round(CELL * count / scale / picture.scale) for count in (columns, rows))
    text = base64.b64encode(values.tobytes()).decode("ascii")
    return {"rows": rows, "columns": columns, "values": text, "box": [0, 0, width, height]}


detector = LocalEdit()
