"""How often and how strongly was the picture compressed? A hint for people who can read it; shown and never counted.

Two measurements on brightness, in a window of at most 512 px from the middle. In a JPEG file: whether its coefficients
carry the steps of an earlier save with a coarser table (double quantisation: Popescu and Farid, IH 2004; the comb is
read off the spectrum of the histograms). In other files: whether block borders of an earlier JPEG save are left (Fan
and de Queiroz, IEEE TIP 2003). How often each is wrong is in models/cards/local_edit.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from detectors.finding import Finding, Profile, Role, State
from detectors.quality import jpeg_quality

if TYPE_CHECKING:
    from detectors.intake.picture import Picture

Floats = npt.NDArray[np.float64]

WINDOW = 512
SMALLEST = 128  # px, short side: with fewer blocks the histograms are too thin
BLOCK = 8
FREQUENCIES = ((0, 1), (1, 0), (1, 1), (0, 2), (2, 0), (1, 2), (2, 1), (0, 3), (3, 0))
REACH = 24  # quantisation steps on either side of zero that a histogram covers
FEWEST = 200  # coefficients that a histogram needs
COMB_AT = 5.0  # 1 in 900 photographs that were saved once reached it
BORDER_AT = 4.0  # deviations by which block borders must stand out, both ways

AGAIN = "It was saved as JPEG before, more strongly compressed, as sites and messengers do to every picture."
ONCE = "No trace of an earlier, stronger save was found."
PLAIN = "It has too little detail to say whether it was saved before."
BEFORE = "This file is not a JPEG, but the picture was one before: borders of its blocks are left."
NEVER = "No borders of JPEG blocks were found, so nothing speaks for an earlier save as JPEG."
TOO_SMALL = "The picture is too small to say how it was compressed."
REDUCED = "The picture was read at reduced size or turned, so its compression was not looked at."

_AXIS = np.arange(BLOCK)
_COSINES = np.sqrt(2 / BLOCK) * np.cos((2 * _AXIS[np.newaxis] + 1) * _AXIS[:, np.newaxis] * np.pi / (2 * BLOCK))
_COSINES[0] /= np.sqrt(2)
_COSINES = _COSINES[: 1 + max(map(max, FREQUENCIES))]


def brightness(rgb: npt.NDArray[np.uint8]) -> Floats:
    """The middle of the picture as (h, w) brightness 0..255, at most 512 px, beginning on the 8 px grid."""
    places = [max(0, (side - WINDOW) // 2) // BLOCK * BLOCK for side in rgb.shape[:2]]
    part = rgb[places[0] : places[0] + WINDOW, places[1] : places[1] + WINDOW]
    return np.asarray(part @ np.array([0.299, 0.587, 0.114]), np.float64)


def comb(grey: Floats, table: tuple[int, ...]) -> float | None:
    """How strongly the coefficients of a JPEG stand at multiples of another step than their own: about 2 to 5 after one
    save. `table` has 64 steps in natural order. None where too few coefficients are not zero."""
    h, w = (side // BLOCK for side in grey.shape)
    rows = _COSINES @ (grey[: h * BLOCK, : w * BLOCK] - 128).reshape(h, BLOCK, w * BLOCK)
    coefficients = rows.reshape(h, len(_COSINES), w, BLOCK) @ _COSINES.T
    steps = np.array(table, np.float64).reshape(BLOCK, BLOCK)
    found = []
    for v, u in FREQUENCIES:
        level = np.round(coefficients[:, v, :, u] / steps[v, u]).astype(np.int64)
        level = level[(np.abs(level) <= REACH) & (level != 0)]
        if len(level) < FEWEST:
            continue
        count = np.bincount(level + REACH, minlength=2 * REACH + 1).astype(np.float64)
        count[REACH] = (count[REACH - 1] + count[REACH + 1]) / 2
        logs = np.log(count + 1.5)
        smooth = np.exp(np.convolve(np.pad(logs, 2, "edge"), (0.15, 0.2, 0.3, 0.2, 0.15), "valid"))
        spectrum = np.abs(np.fft.rfft((np.exp(logs) - smooth) / np.sqrt(smooth + 1), 96))
        found.append(float(spectrum[12:].max()) / np.sqrt(2 * REACH + 1))  # periods of up to 8 steps
    return float(np.median(found)) if found else None


def borders(grey: Floats) -> tuple[float, tuple[int, int]]:
    """How many deviations the clearest 8 px grid stands out by, the lesser of both ways, and its first column and row,
    each 0..7."""
    strength, place = [], []
    for plane in (grey, grey.T):
        step = np.abs(np.diff(plane, axis=1))
        sharper = np.clip(step[:, 1:-1] - (step[:, :-2] + step[:, 2:]) / 2, -6, 6).mean(0)
        phase = (np.arange(len(sharper)) + 2) % BLOCK  # of the pixel after the step
        mean = np.array([sharper[phase == p].mean() for p in range(BLOCK)])
        spread = np.median([sharper[phase == p].std() / np.sqrt((phase == p).sum()) for p in range(BLOCK)])
        best = int(mean.argmax())
        # resizing can leave a pattern that repeats after 4 px as well; block borders do not
        rest = max(float(np.median(np.delete(mean, best))), float(mean[(best + BLOCK // 2) % BLOCK]))
        strength.append(float((mean[best] - rest) / np.sqrt(1.2 * spread**2 + 1e-6)))
        place.append(best)
    return min(strength), (place[0], place[1])


class Compression:
    """Quality of the last save, and traces of one before. Never scored."""

    name = "compression"
    role = Role.CONTEXT

    def find(self, picture: Picture, profile: Profile) -> Finding:  # noqa: ARG002 - the same in every profile
        """The finding for one picture."""
        if min(picture.rgb.shape[:2]) < SMALLEST:
            return self._finding(State.NOT_APPLICABLE, TOO_SMALL, {})
        if picture.scale != 1 or picture.untrusted_exif.get("Orientation", "1") != "1":
            return self._finding(State.NOT_APPLICABLE, REDUCED, {})
        grey = brightness(picture.rgb)
        quality = jpeg_quality(picture.quantisation)
        if quality is None:
            strength, place = borders(grey)
            seen = strength >= BORDER_AT
            details = {"borders": round(strength, 2), **({"grid": list(place)} if seen else {})}
            return self._finding(State.OK, BEFORE if seen else NEVER, details)
        strength_or_none = comb(grey, picture.quantisation[0])
        details = {"jpeg_quality": quality, "comb": None if strength_or_none is None else round(strength_or_none, 2)}
        says = f"The picture was last saved as JPEG at a quality of about {quality} of 100."
        if strength_or_none is None:
            return self._finding(State.OK, f"{says} {PLAIN}", details)
        return self._finding(State.OK, f"{says} {AGAIN if strength_or_none >= COMB_AT else ONCE}", details)

    def _finding(self, state: State, says: str, details: Mapping[str, Any]) -> Finding:
        return Finding(self.name, self.role, state, None, says, details=details)


detector = Compression()
