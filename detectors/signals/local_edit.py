"""Was a part of the picture changed? A map of regions whose origin disagrees with the rest.

A small convolutional network sees every pixel of the picture at up to 768 px and gives one value for each 8 px cell;
the highest cells make the picture's score, a calibrated probability. What it was trained on, how often it is wrong and
which pictures it cannot judge is in models/cards/local_edit.md. Only the thorough profile runs it, and only when the
model is in the manifest: the recipe does not put it there before it passes its test.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from detectors.errors import SetupError
from detectors.finding import Finding, Profile, Region, Role, State
from detectors.inference import sessions
from detectors.inference.guard import not_a_photograph
from detectors.inference.manifest import REMEDY, ModelEntry, bands, entry, manifest
from detectors.inference.preprocess import canonical
from detectors.quality import SHRUNK, jpeg_quality, sharpness

if TYPE_CHECKING:
    from detectors.intake.picture import Picture

Pixels = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]
Cells = npt.NDArray[np.bool_]

MODEL = "local-edit"
LONG_SIDE = 768
CELL = 8  # px of the sheet that one cell of the map covers
MULTIPLE = 32  # the network halves its input five times
TOP = 0.02  # share of the map's cells whose mean is the picture's raw score
SMALLEST = 192  # px, short side: below this nothing was measured
# Where the grid in models/cards/local_edit.md shows that little is found
LOWEST_JPEG = 50
LOWEST_SHARPNESS = 15.0  # as of detectors/quality.py; photographs blurred by 1.5 px lie about here
FEWEST = 6  # cells that a region needs
MOST = 5  # regions that are listed, largest first

QUICK = "Edited areas are looked for in the thorough check only."
NOT_IN_USE = "Edited areas are not looked for: no check of ours finds them reliably enough yet."
TOO_SMALL = f"The picture is too small to look for edited areas: its shorter side is under {SMALLEST} pixels."
TOO_COMPRESSED = "The picture was saved with so much loss that traces of an edit could not have survived."
TOO_BLURRED = "The picture is too blurred to look for edited areas."
LIKELY = "A part of the picture does not match the rest: it was probably made or changed separately."
UNSURE = "A part of the picture may not match the rest, but the traces are too weak to say."
CLEAR = "No part of the picture stands out from the rest."


def sheet(rgb: Pixels) -> Pixels:
    """The picture with its long side at most 768 px, (h, w, 3) uint8. Never enlarged: traces live in single pixels."""
    image = Image.fromarray(rgb)
    scale = LONG_SIDE / max(image.size)
    if scale >= 1:
        return rgb
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return np.asarray(image.resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0))


def network_input(pixels: Pixels) -> Floats:
    """`edit-sheet/1`: (h, w, 3) uint8 -> (1, 3, h', w') float32 in about -1..1, mirrored right and below up to sides
    that are multiples of 32; h and w at least 32."""
    h, w = pixels.shape[:2]
    padded = np.pad(pixels, ((0, -h % MULTIPLE), (0, -w % MULTIPLE), (0, 0)), "reflect")
    scaled = (padded.astype(np.float32) - np.float32(127)) / np.float32(128)
    return np.ascontiguousarray(scaled.transpose(2, 0, 1)[np.newaxis])


def cells_of(logits: Floats, pixels: Pixels) -> Floats:
    """The network's map (1, 1, h' / 8, w' / 8) without what was added: (rows, columns), a cell for each 8 px begun."""
    rows, columns = (-(-side // CELL) for side in pixels.shape[:2])
    return logits[0, 0, :rows, :columns]


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
        cells, scale = look(picture.rgb)
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
    if sharpness(picture.once("canonical", lambda: canonical(picture.image))) < LOWEST_SHARPNESS:
        return TOO_BLURRED
    graphic = not_a_photograph(picture)
    return None if graphic is None else graphic.says


def look(rgb: Pixels) -> tuple[Floats, float]:
    """The map of a picture, (rows, columns) of logits with 0 as the border of `edited`, and sheet pixels per pixel."""
    pixels = sheet(rgb)
    (logits,) = sessions.run(MODEL, {"pixels": network_input(pixels)})
    return cells_of(logits, pixels), pixels.shape[1] / rgb.shape[1]


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
    box = picture.box_at_full_size(0, 0, CELL * columns / scale, CELL * rows / scale)
    text = base64.b64encode(values.tobytes()).decode("ascii")
    return {"rows": rows, "columns": columns, "values": text, "box": list(box)}


detector = LocalEdit()
