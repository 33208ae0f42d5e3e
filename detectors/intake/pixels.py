"""Any Pillow mode to RGB as a screen would show it: scaled, never clipped; transparency laid over white."""

from __future__ import annotations

import numpy as np
from PIL import Image
from PIL.TiffImagePlugin import TiffImageFile

STRETCHED = "This file stores measured values, not colours; they were stretched from black to white."

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""EXIF 2.32, 4.6.4, Orientation, to what makes it upright."""

_WITH_ALPHA = frozenset({"RGBA", "RGBa", "LA", "La", "PA"})
_BITS_PER_SAMPLE, _PHOTOMETRIC, _WHITE_IS_ZERO = 258, 262, 0  # TIFF tags


def upright(image: Image.Image, orientation: int) -> Image.Image:
    """The picture turned as EXIF orientation 1..8 asks."""
    turn = _TURNS.get(orientation)
    return image if turn is None else image.transpose(turn)


def to_rgb(image: Image.Image) -> tuple[Image.Image, bool, tuple[str, ...]]:
    """A loaded picture in mode RGB, whether any pixel was see-through, and notes. Raises ValueError for odd modes."""
    if image.mode == "RGB" and "transparency" not in image.info:
        return image, False, ()
    if image.mode.startswith("I;16"):
        return _from_16_bit(image).convert("RGB"), False, ()
    if image.mode in ("I", "F"):
        return _stretched(image).convert("RGB"), False, (STRETCHED,)
    if image.mode in _WITH_ALPHA or "transparency" in image.info:
        return _over_white(image)
    return image.convert("RGB"), False, ()


def _over_white(image: Image.Image) -> tuple[Image.Image, bool, tuple[str, ...]]:
    rgba = image if image.mode == "RGBA" else image.convert("RGBA")
    if rgba.getchannel("A").getextrema()[0] == 255:  # many files carry an alpha channel that hides nothing
        return rgba.convert("RGB"), False, ()
    page = Image.new("RGB", rgba.size, "white")
    page.paste(rgba, mask=rgba)
    return page, True, ()


def _from_16_bit(image: Image.Image) -> Image.Image:
    """Grey of up to 16 bits to 8, rounded; Pillow's own conversion would clip at 255."""
    white, inverted = 65535, False
    if isinstance(image, TiffImageFile):
        bits = image.tag_v2.get(_BITS_PER_SAMPLE, (16,))[0]
        white = (1 << min(bits, 16)) - 1
        inverted = image.tag_v2.get(_PHOTOMETRIC) == _WHITE_IS_ZERO
    values = np.asarray(image).astype(np.uint32)
    grey = np.minimum((values * 255 + white // 2) // white, 255).astype(np.uint8)
    return Image.fromarray(255 - grey if inverted else grey)


def _stretched(image: Image.Image) -> Image.Image:
    """32-bit integers and floats, from the least finite value (black) to the greatest (white)."""
    values = np.asarray(image).astype(np.float64)
    finite = np.isfinite(values)
    if not finite.any():
        raise ValueError("no finite value in the picture")
    low, high = values[finite].min(), values[finite].max()
    values[~finite] = low
    span = high - low
    return Image.fromarray(np.rint((values - low) * (255.0 / span if span else 0.0)).astype(np.uint8))
