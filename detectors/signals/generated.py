"""Is the whole picture the output of an image generator? A small convolutional network on two views.

The score is a calibrated probability; the table that calibrates it and the thresholds lie in models/manifest.toml.
A high score must also survive a smaller and a recompressed copy, otherwise the finding says that it did not.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from detectors.errors import SetupError
from detectors.finding import Finding, Profile, Role, State
from detectors.inference import sessions
from detectors.inference.manifest import REMEDY, Calibration, ModelEntry, entry
from detectors.inference.preprocess import PREPROCESS, canonical

if TYPE_CHECKING:
    from detectors.intake.picture import Picture
    from detectors.verdict import Bands

MODEL = "generated-lite0"
SMALLEST = 96  # px, short side: below this no held-out picture was measured
FLAT = 3.0  # grey levels of deviation: a blank page, not a photograph
VIEWS = ("whole", "detail")

TOO_SMALL = f"The picture is too small to judge how it was made: its shorter side is under {SMALLEST} pixels."
BLANK = "The picture is almost one flat colour, so there is nothing to judge."
LIKELY = "The whole picture looks like the output of an image generator."
UNSURE = "There are some traces of an image generator, but too few to say."
CLEAR = "No traces of an image generator were found."
UNSTEADY = (
    "The picture looks generated, but the result changes when it is made smaller or saved again, "
    "so it should not be relied on."
)


def stability_copies(small: Image.Image) -> dict[str, Image.Image]:
    """A copy at 75 % of the size and one saved as JPEG 70, by name: what messages and screenshots do to a picture."""
    size = (max(1, round(small.width * 0.75)), max(1, round(small.height * 0.75)))
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=70)
    return {
        "resized_75": small.resize(size, Image.Resampling.BICUBIC),
        "jpeg_70": Image.open(buffer).convert("RGB"),
    }


def steady(copies: Sequence[float], bands: Bands) -> bool:
    """Whether a likely picture's copies still stand nearer to `likely` than to `clear`; all are probabilities."""
    return min(copies) >= (bands.likely + bands.clear) / 2


class Generated:
    """Whole-picture generation."""

    name = "generated"
    role = Role.LEARNED

    def find(self, picture: Picture, profile: Profile) -> Finding:
        """The finding for one picture. Raises SetupError when the model is missing, altered or not calibrated."""
        if min(picture.media.width, picture.media.height) < SMALLEST or min(picture.rgb.shape[:2]) < SMALLEST // 2:
            return self._finding(State.NOT_APPLICABLE, None, TOO_SMALL)
        small = canonical(picture.rgb)
        if float(np.asarray(small.convert("L")).std()) < FLAT:
            return self._finding(State.NOT_APPLICABLE, None, BLANK)
        model = entry(MODEL)
        bands, calibration = model.bands, model.calibration
        if bands is None or calibration is None:
            raise SetupError("model_uncalibrated", f"The model {MODEL} has no calibration.", REMEDY)
        views = _logits(model, [small])[0]
        score = calibration(_raw(model, views))
        details: dict[str, Any] = {
            "raw": dict(zip(VIEWS, (round(float(v), 4) for v in views), strict=True)),
            "thresholds": {"likely": bands.likely, "clear": bands.clear},
        }
        if score < bands.likely and profile is Profile.FAST:
            return self._finding(State.OK, score, UNSURE if score >= bands.clear else CLEAR, details)
        copies = _copy_scores(model, calibration, small)
        details["stability"] = copies
        if score < bands.likely:
            return self._finding(State.OK, score, UNSURE if score >= bands.clear else CLEAR, details)
        if not steady(tuple(copies.values()), bands):
            return self._finding(State.INCONCLUSIVE, score, UNSTEADY, details)
        return self._finding(State.OK, score, LIKELY, details)

    def _finding(
        self, state: State, score: float | None, says: str, details: Mapping[str, Any] | None = None
    ) -> Finding:
        model = None if score is None else entry(MODEL).ref
        return Finding(self.name, self.role, state, score, says, model=model, details=details or {})


def _logits(model: ModelEntry, pictures: Sequence[Image.Image]) -> npt.NDArray[np.float32]:
    """Raw scores (pictures, 2 views) of canonical pictures. One view at a time: a batch is no faster and needs more."""
    (name,) = model.inputs
    views = [v for p in pictures for v in PREPROCESS[model.preprocess](np.asarray(p))]
    scores = [sessions.run(model.id, {name: v[np.newaxis]})[0] for v in views]
    return np.concatenate(scores).reshape(len(pictures), len(VIEWS))


def _copy_scores(model: ModelEntry, calibration: Calibration, small: Image.Image) -> dict[str, float]:
    """Calibrated score of each copy by name."""
    copies = stability_copies(small)
    logits = _logits(model, list(copies.values()))
    return {name: round(calibration(_raw(model, views)), 4) for name, views in zip(copies, logits, strict=True)}


def _raw(model: ModelEntry, views: npt.NDArray[np.float32]) -> float:
    """The views' logits as one, by the weights in the manifest."""
    return float(np.dot(views, np.asarray(model.view_weights, np.float32)))


detector = Generated()
