"""Was a face swapped? Each face that is large and sharp enough is checked by a network of its own.

The network sees a square around the face (detectors/inference/faces.py). The score is the calibrated probability of the
picture's worst face: table and thresholds, in models/manifest.toml, were fitted on the highest score of each picture.
"""

from __future__ import annotations

import numpy as np

from detectors.errors import SetupError
from detectors.finding import Finding, Profile, Region, Role, State
from detectors.inference import sessions
from detectors.inference.faces import SHARPEST_BLUR, SIDE, SMALLEST, Face, faces, network_input, sharpness, square
from detectors.inference.guard import not_a_photograph
from detectors.inference.manifest import REMEDY, bands, entry
from detectors.intake.picture import Picture

MODEL = "face-swap"
MOST = {Profile.FAST: 2, Profile.THOROUGH: 16}  # faces that are checked, the largest first

NO_FACE = "No face was found, so there is none to check for a swap."
LIKELY_ONE = "A face looks swapped or blended in."
LIKELY_MANY = "{n} faces look swapped or blended in."
UNSURE = "A face shows some traces of blending, but too few to say."
CLEAR_ONE = "The face that was checked shows no traces of a swap, but this check misses most swaps."
CLEAR_MANY = "The {n} faces that were checked show no traces of a swap, but this check misses most swaps."


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
        model, limits = entry(MODEL), bands(profile, self.name)
        if model.calibration is None:
            raise SetupError("model_uncalibrated", f"The model {model.id} has no calibration.", REMEDY)
        pixels = np.stack([square(picture.rgb, _in_rgb(picture, f), SIDE) for f in checked])
        logits = sessions.run(MODEL, {"pixels": network_input(pixels)})[0][:, 0]
        if not np.isfinite(logits).all():
            raise SetupError("model_unusable", f"The model {MODEL} gave no usable numbers.", REMEDY)
        scores = [model.calibration(float(v)) for v in logits]
        kinds = ["swapped_face" if s >= limits.likely else "face" for s in scores]
        swapped, worst = kinds.count("swapped_face"), max(scores)
        if swapped:
            says = LIKELY_ONE if swapped == 1 else LIKELY_MANY.format(n=swapped)
        elif worst >= limits.clear:
            says = UNSURE
        else:
            says = CLEAR_ONE if len(checked) == 1 else CLEAR_MANY.format(n=len(checked))
        return Finding(
            self.name,
            self.role,
            State.OK,
            worst,
            says + left_out,
            regions=tuple(Region(k, f.box, round(s, 4)) for k, f, s in zip(kinds, checked, scores, strict=True)),
            model=model.ref,
            details={
                "raw": [round(float(v), 4) for v in logits],
                "thresholds": {"likely": limits.likely, "clear": limits.clear},
                "checked": len(checked),
            },
        )


def _in_rgb(picture: Picture, face: Face) -> tuple[float, float, float, float]:
    """A face's box in the pixels that were decoded, which for very large files are fewer than the file's."""
    x, y, w, h = face.box
    return x * picture.scale, y * picture.scale, w * picture.scale, h * picture.scale


detector = FaceSwap()
