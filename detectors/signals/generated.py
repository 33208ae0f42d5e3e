"""Is the whole picture the output of an image generator? Networks with small classifiers on their features say so.

The fast profile runs a small convolutional network on the whole picture and on its middle at full detail; the thorough
one adds CLIP's image tower, on the whole picture.
The score is a calibrated probability; tables, weights and thresholds lie in models/manifest.toml. A high score must
also survive a smaller and a recompressed copy, otherwise the finding says that it did not.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageStat

from detectors import quality
from detectors.errors import SetupError
from detectors.finding import Finding, Profile, Role, State
from detectors.inference import clip, guard, sessions
from detectors.inference.manifest import REMEDY, ModelEntry, bands, entry
from detectors.inference.preprocess import PREPROCESS, Pixels, canonical, two_views

if TYPE_CHECKING:
    from detectors.intake.picture import Picture
    from detectors.verdict import Bands

MODELS = {Profile.FAST: "generated-lite0", Profile.THOROUGH: "generated-clip"}
SMALLEST = 96  # px, short side: below this no held-out picture was measured
FLAT = 3.0  # grey levels of deviation: a blank page, not a photograph
VIEWS = ("whole", "detail")

TOO_SMALL = f"The picture is too small to judge how it was made: its shorter side is under {SMALLEST} pixels."
BLANK = "The picture is almost one flat colour, so there is nothing to judge."
LIKELY = "The whole picture looks like the output of an image generator."
UNSURE = "There are some traces of an image generator, but too few to say."
COLOURLESS = (
    "The picture looks generated, but it has no colour, and this check has wrongly said so of too many real "
    "photographs without colour, so it cannot tell."
)
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


def steady(copies: Sequence[float], limits: Bands) -> bool:
    """Whether a likely picture's copies still stand nearer to `likely` than to `clear`; all are probabilities."""
    return min(copies) >= (limits.likely + limits.clear) / 2


class Generated:
    """Whole-picture generation."""

    name = "generated"
    role = Role.LEARNED

    def find(self, picture: Picture, profile: Profile) -> Finding:
        """The finding for one picture. Raises SetupError when a model is missing, altered or not calibrated."""
        if min(picture.media.width, picture.media.height) < SMALLEST or min(picture.rgb.shape[:2]) < SMALLEST // 2:
            return self._finding(State.NOT_APPLICABLE, None, TOO_SMALL)
        small = picture.once("canonical", lambda: canonical(picture.image))
        if ImageStat.Stat(small.convert("L")).stddev[0] < FLAT:
            return self._finding(State.NOT_APPLICABLE, None, BLANK)
        if graphic := guard.not_a_photograph(picture):
            return self._finding(State.NOT_APPLICABLE, None, graphic.says, {"graphic": graphic.score})
        limits, model = bands(profile), entry(MODELS[profile])
        score, raw = _score(model, picture.once("two-views", lambda: two_views(small)))
        details: dict[str, Any] = {"raw": raw, "thresholds": {"likely": limits.likely, "clear": limits.clear}}
        details["quality"] = quality.of_picture(picture)
        if score < limits.likely:
            return self._finding(State.OK, score, CLEAR if score < limits.clear else UNSURE, details, model)
        if quality.is_grey(np.asarray(small)):
            return self._finding(State.INCONCLUSIVE, score, COLOURLESS, {**details, "colourless": True}, model)
        copies = {name: round(_score(model, two_views(copy))[0], 4) for name, copy in stability_copies(small).items()}
        details["stability"] = copies
        if not steady(tuple(copies.values()), limits):
            return self._finding(State.INCONCLUSIVE, score, UNSTEADY, details, model)
        return self._finding(State.OK, score, LIKELY, details, model)

    def _finding(
        self,
        state: State,
        score: float | None,
        says: str,
        details: Mapping[str, Any] | None = None,
        model: ModelEntry | None = None,
    ) -> Finding:
        ref = None if model is None else model.ref
        return Finding(self.name, self.role, state, score, says, model=ref, details=details or {})


def _score(model: ModelEntry, views: Pixels) -> tuple[float, dict[str, float]]:
    """Calibrated probability of a picture's two views, and what each that was looked at, and a companion, added to the
    raw score."""
    if model.calibration is None:
        raise SetupError("model_uncalibrated", f"The model {model.id} has no calibration.", REMEDY)
    added = dict(zip(VIEWS, _logits(model, views), strict=False))
    if model.companion is not None:
        added["companion"] = model.companion.weight * sum(_logits(entry(model.companion.id), views))
    return model.calibration(sum(added.values())), {name: round(value, 4) for name, value in added.items()}


def _logits(model: ModelEntry, views: Pixels) -> list[float]:
    """What each view adds to the model's logit; the thorough model looks at the first alone, the whole picture.

    One view at a time: a batch is no faster here, and needs more memory.
    """
    pixels = PREPROCESS[model.preprocess](views)
    if model.id == MODELS[Profile.THOROUGH]:
        return [float(sessions.run(model.id, clip.seen(pixels, clip.FEATURES, clip.TOKENS))[0][0, 0])]
    (name,) = model.inputs
    return [float(sessions.run(model.id, {name: v[np.newaxis]})[0][0, k]) for k, v in enumerate(pixels)]


detector = Generated()
