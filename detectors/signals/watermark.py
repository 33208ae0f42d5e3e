"""Invisible watermarks that common diffusion programs leave in their pictures.

All use one method, `dwtDct` of the invisible-watermark package (https://github.com/ShieldMnt/invisible-watermark):
the half-size Haar approximation of the U channel is cut into 4 x 4 blocks in reading order; in block i the largest
coefficient but the first is moved to a quarter (bit 0) or three quarters (bit 1) of a step of 36, for bit i of the
message, which repeats over the picture.

The package reads bits back by majority vote. Its marks are found more surely the other way round, since the messages
are known: a 1 lifts the largest coefficient 18 higher above its block than a 0, so the mean lift of the blocks of
each bit must correlate with the message.

Measured on all 2,188 real photographs of the labelled set that are large enough (long side 512): no mark was found, and
the nearest correlation was 0.71 of what is needed. Of marks that the package itself wrote into 60 of them, 98 to 100 %
were found in PNG, 30 to 88 % after JPEG 95 and 5 to 48 % after JPEG 90, depending on the mark; none after resizing, nor
after a crop at the left or top.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt, tanh
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from detectors.finding import Finding, Profile, Role, State

if TYPE_CHECKING:
    from detectors.intake.picture import Picture

BLOCK = 4
# A 1 lifts by 27 and a 0 by 9 at most; what rises higher is the picture's own edges.
HIGHEST_LIFT = 25.0
# The package refuses smaller pictures, so they can carry no mark.
MIN_PIXELS = 256 * 256
# Rows beyond this many pixels are left out: 8192 blocks, 60 for each bit of the longest message, are enough.
MAX_PIXELS = 1 << 19
# Generators that leave these marks make pictures of 2 MP at most, some 4 times that with an upscaler.
MAX_SIDE = 4096
# Normal quantile for a chance of 1e-8 that an unmarked picture matches one mark.
QUANTILE = 5.612


@dataclass(frozen=True, slots=True)
class _Mark:
    """A program's message. `swapped`: red and blue were exchanged before marking. `centred`: the pixels were floats,
    for which OpenCV centres U at 0.5 and not at 128."""

    program: str
    bits: npt.NDArray[np.bool_]
    swapped: bool
    centred: bool
    source: str

    @property
    def least(self) -> float:
        """The lowest correlation that counts as this mark: Fisher's transform for independent bits, at QUANTILE."""
        return tanh(QUANTILE / sqrt(len(self.bits) - 3))


def _from_text(text: str) -> npt.NDArray[np.bool_]:
    return np.unpackbits(np.frombuffer(text.encode(), np.uint8)).astype(bool)


def _from_digits(digits: str) -> npt.NDArray[np.bool_]:
    return np.array([d == "1" for d in digits])


_SDXL = _from_digits("101100111110110010010000011110111011000110011110")
# Declared with 48 digits, but the program drops the two leading zeros, so its pictures repeat every 46 bits.
_FLUX = _from_digits("001010101111111010000111100111001111010100101110")
_CODE = "https://github.com/"
MARKS = (
    _Mark("Stable Diffusion 1", _from_text("StableDiffusionV1"), False, False,
          _CODE + "CompVis/stable-diffusion/blob/main/scripts/txt2img.py"),
    _Mark("Stable Diffusion 2", _from_text("SDV2"), False, False,
          _CODE + "Stability-AI/stablediffusion/blob/main/scripts/txt2img.py"),
    _Mark("InvokeAI", _from_text("InvokeAI"), False, False,
          _CODE + "invoke-ai/InvokeAI/blob/main/invokeai/backend/image_util/invisible_watermark.py"),
    _Mark("Stable Diffusion XL", _SDXL, False, True,
          _CODE + "Stability-AI/generative-models/blob/main/scripts/demo/streamlit_helpers.py"),
    _Mark("Stable Diffusion XL", _SDXL, True, True,
          _CODE + "huggingface/diffusers/blob/v0.21.0/src/diffusers/pipelines/stable_diffusion_xl/watermark.py"),
    _Mark("FLUX", _FLUX[2:], False, True, _CODE + "black-forest-labs/flux/blob/main/src/flux/util.py"),
    _Mark("FLUX", _FLUX, False, True, _CODE + "black-forest-labs/flux/blob/main/src/flux/util.py"),
)  # fmt: skip


class _Watermark:
    """Looks for the known marks. Score 1.0: one was found."""

    name = "watermark"
    role = Role.DECLARED

    def find(self, picture: Picture, profile: Profile) -> Finding:  # noqa: ARG002 - the same in every profile
        """The finding for one picture; pictures that were decoded reduced, or too small or large, do not apply."""
        h, w = picture.rgb.shape[:2]
        if picture.scale != 1.0 or max(h, w) > MAX_SIDE:
            says = "Too large for the known invisible watermarks, which are written at the size of the generator."
            return Finding(self.name, self.role, State.NOT_APPLICABLE, None, says)
        if h * w < MIN_PIXELS:
            says = "Too small to carry one of the known invisible watermarks."
            return Finding(self.name, self.role, State.NOT_APPLICABLE, None, says)
        matches = correlations(picture.rgb)
        best = max(range(len(MARKS)), key=lambda i: matches[i] / MARKS[i].least)
        mark, match = MARKS[best], matches[best]
        details = {"nearest": mark.program, "match": round(match, 3), "needed": round(mark.least, 3)}
        if match >= mark.least:
            says = f"It carries the invisible watermark that {mark.program} puts into the pictures it makes."
            return Finding(self.name, self.role, State.OK, 1.0, says, details={**details, "source": mark.source})
        says = "No known invisible watermark was found. Resizing or saving again removes them, so this proves little."
        return Finding(self.name, self.role, State.OK, 0.0, says, details=details)


def correlations(rgb: npt.NDArray[np.uint8]) -> list[float]:
    """For each of MARKS, the correlation -1..1 of its bits with the mean lift of their blocks in (h, w, 3)."""
    maps = _approximations(rgb)
    lifts = {key: _lifts(maps[key]) for key in {(m.swapped, m.centred) for m in MARKS}}
    return [_correlation(lifts[m.swapped, m.centred], m.bits) for m in MARKS]


def _approximations(rgb: npt.NDArray[np.uint8]) -> dict[tuple[bool, bool], npt.NDArray[np.float32]]:
    """(h / 2, w / 2) Haar approximations of U by (swapped, centred). U = 0.492 (B - Y) + offset, as in OpenCV."""
    h, w = rgb.shape[:2]
    h, w = min(h, MAX_PIXELS // w) // 4 * 4, w // 4 * 4
    pairs = np.add(rgb[0:h:2, :w], rgb[1:h:2, :w], dtype=np.uint16).reshape(-1, 6)
    r, g, b = ((pairs[:, i] + pairs[:, i + 3]).astype(np.float32).reshape(h // 2, w // 2) for i in range(3))
    # The approximation is half the sum of four pixels; Y = 0.299 R + 0.587 G + 0.114 B (ITU-R BT.601). Plain
    # arithmetic, since a matrix product would wake a thread pool for less than a millisecond of work.
    half = np.float32(0.492 / 2)
    green = g * np.float32(0.587)
    u = ((1 - 0.114) * b - green - 0.299 * r) * half
    swapped = ((1 - 0.114) * r - green - 0.299 * b) * half
    return {(False, False): u + 256, (False, True): u + 1, (True, True): swapped + 1}


def _lifts(approximation: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """(blocks,) how far the largest coefficient of each 4 x 4 block stands above the block's mean, in reading order.

    Magnitudes, and without the first coefficient, which the method never moves.
    """
    rows, columns = approximation.shape[0] // BLOCK, approximation.shape[1] // BLOCK
    cut = approximation[: rows * BLOCK, : columns * BLOCK]
    parts = np.abs(cut).reshape(rows, BLOCK, columns, BLOCK).transpose(1, 3, 0, 2).reshape(BLOCK * BLOCK, -1)[1:]
    lifts: npt.NDArray[np.float32] = parts.max(axis=0) - parts.mean(axis=0)
    return np.minimum(lifts, np.float32(HIGHEST_LIFT))


def _correlation(lifts: npt.NDArray[np.float32], bits: npt.NDArray[np.bool_]) -> float:
    """Pearson's correlation of the message with each bit's mean lift; 0.0 where all lifts are the same."""
    repeats = len(lifts) // len(bits)
    means = lifts[: repeats * len(bits)].reshape(repeats, len(bits)).mean(axis=0, dtype=np.float64)
    means -= means.mean()
    signs = bits - bits.mean()
    size = float(np.linalg.norm(means) * np.linalg.norm(signs))
    return float(means @ signs) / size if size > 1e-6 else 0.0


detector = _Watermark()
