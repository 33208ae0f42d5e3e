"""Was a face swapped? Each face that is large and sharp enough is checked by a network of its own.

The network sees a square around the face (detectors/inference/faces.py). The thorough profile looks at the largest
faces more closely, by a probe on CLIP's middle blocks (detectors/inference/clip.py). The score is the
calibrated probability of the picture's worst face: tables and thresholds lie in models/manifest.toml, the thresholds
fitted on the highest score of each picture.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from detectors.errors import SetupError
from detectors.finding import Finding, Profile, Region, Role, State
from detectors.inference import clip, sessions
from detectors.inference.clip import FEATURES
from detectors.inference.faces import (
    CLIP_SIDE,
    SHARPEST_BLUR,
    SIDE,
    SMALLEST,
    Box,
    Face,
    clip_input,
    faces,
    network_input,
    sharpness,
    square,
)
from detectors.inference.guard import not_a_photograph
from detectors.inference.manifest import REMEDY, ModelEntry, bands, entry
from detectors.intake.picture import Picture

MODELS = {Profile.FAST: "face-swap", Profile.THOROUGH: "face-swap-clip"}
CLOSELY = 2  # faces that the thorough profile looks at with CLIP, the largest first: each costs as much as all the rest
MOST = {Profile.FAST: 2, Profile.THOROUGH: 16}  # faces that are checked, the largest first

Floats = npt.NDArray[np.float64]

NO_FACE = "No face was found, so there is none to check for a swap."
LIKELY_ONE = "A face looks swapped or blended in."
LIKELY_MANY = "{n} faces look swapped or blended in."
UNSURE = "A face shows some traces of blending, but too few to say."
CLEAR_ONE = "The face that was checked shows no traces of a swap, but this check misses most swaps."
CLEAR_MANY = "The {n} faces that were checked show no traces of a swap, but this check misses most swaps."
QUICK = " Only the {n} largest faces were looked at closely; the others had the quick check."


def unchecked(small: int, blurred: int, beyond: int) -> str:
    """Which faces were left out and why, as a sentence with a space before it; empty when none was."""
    parts = []
    if small:
        parts.append(f"{_faces(small)} under {SMALLEST} pixels")
    if blurred:
        parts.append(f"{_faces(blurred)} too blurred")
    if beyond:
        parts.append(f"{_faces(beyond)} beyond the largest that this check looks at")
    return f" Not checked: {', '.join(parts)}." if parts else ""


def _faces(n: int) -> str:
    return "1 face" if n == 1 else f"{n} faces"


class FaceSwap:
    """Swapped and blended-in faces."""

    name = "face_swap"
    role = Role.LEARNED

    def find(self, picture: Picture, profile: Profile) -> Finding:
        """The finding for one picture. Raises SetupError when a model is missing, altered or not calibrated."""
        if (graphic := not_a_photograph(picture)) is not None:
            return self._not_applicable(graphic.says)
        found = faces(picture, profile)
        if not found:
            return self._not_applicable(NO_FACE)
        large = [f for f in found if min(_in_rgb(picture, f)[2:]) >= SMALLEST]
        sharp = [f for f in large if sharpness(picture.rgb, _in_rgb(picture, f)) >= SHARPEST_BLUR]
        checked = sharp[: MOST[profile]]
        left_out = unchecked(len(found) - len(large), len(large) - len(sharp), len(sharp) - len(checked))
        if not checked:
            return self._not_applicable(f"No face is large and sharp enough to check for a swap.{left_out}")
        return self._checked(picture, checked, profile, left_out)

    def _not_applicable(self, says: str) -> Finding:
        return Finding(self.name, self.role, State.NOT_APPLICABLE, None, says)

    def _checked(self, picture: Picture, checked: list[Face], profile: Profile, left_out: str) -> Finding:
        model, limits = entry(MODELS[profile]), bands(profile, self.name)
        boxes = [_in_rgb(picture, f) for f in checked]
        closely = CLOSELY if profile is Profile.THOROUGH else 0
        raw = np.concatenate([_close(picture, boxes[:closely]), _quick(picture, boxes[closely:])])
        if not np.isfinite(raw).all():
            raise SetupError("model_unusable", f"The model {model.id} gave no usable numbers.", REMEDY)
        rest = entry(MODELS[Profile.FAST])
        scores = [_probability(model if k < closely else rest, float(v)) for k, v in enumerate(raw)]
        kinds = ["swapped_face" if s >= limits.likely else "face" for s in scores]
        swapped, worst = kinds.count("swapped_face"), max(scores)
        if swapped:
            says = LIKELY_ONE if swapped == 1 else LIKELY_MANY.format(n=swapped)
        elif worst >= limits.clear:
            says = UNSURE
        else:
            says = CLEAR_ONE if len(checked) == 1 else CLEAR_MANY.format(n=len(checked))
        quick = QUICK.format(n=closely) if 0 < closely < len(checked) else ""
        return Finding(
            self.name,
            self.role,
            State.OK,
            worst,
            says + quick + left_out,
            regions=tuple(Region(k, f.box, round(s, 4)) for k, f, s in zip(kinds, checked, scores, strict=True)),
            model=model.ref,
            details={
                "raw": [round(float(v), 4) for v in raw],
                "thresholds": {"likely": limits.likely, "clear": limits.clear},
                "checked": len(checked),
                "closely": min(closely, len(checked)),
            },
        )


def _quick(picture: Picture, boxes: list[Box]) -> Floats:
    """The small network's logit of each face, (faces,)."""
    if not boxes:
        return np.zeros(0)
    pixels = np.stack([square(picture.rgb, b, SIDE) for b in boxes])
    return _logits(MODELS[Profile.FAST], {"pixels": network_input(pixels)})


def _close(picture: Picture, boxes: list[Box]) -> Floats:
    """The logit (faces,) of the probe on what CLIP's blocks see of each face, all in one batch."""
    if not boxes:
        return np.zeros(0)
    pixels = np.stack([square(picture.rgb, b, CLIP_SIDE) for b in boxes])
    return _logits(MODELS[Profile.THOROUGH], clip.seen(clip_input(pixels), FEATURES))


def _logits(model_id: str, feeds: dict[str, npt.NDArray[np.float32]]) -> Floats:
    return np.asarray(sessions.run(model_id, feeds)[0][:, 0], np.float64)


def _probability(model: ModelEntry, raw: float) -> float:
    """The calibrated probability of one face's logit. Raises SetupError when the model has no table."""
    if model.calibration is None:
        raise SetupError("model_uncalibrated", f"The model {model.id} has no calibration.", REMEDY)
    return model.calibration(raw)


def _in_rgb(picture: Picture, face: Face) -> Box:
    """A face's box in the pixels that were decoded, which for very large files are fewer than the file's."""
    x, y, w, h = face.box
    return x * picture.scale, y * picture.scale, w * picture.scale, h * picture.scale


detector = FaceSwap()
