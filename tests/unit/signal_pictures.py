"""Pictures for the tests of signals: decoded from real bytes, or built by hand with the given metadata."""

from __future__ import annotations

import hashlib
import io
from typing import Any

import numpy as np
from PIL import Image

from detectors.intake.decode import decode
from detectors.intake.limits import Limits
from detectors.intake.media import Media
from detectors.intake.picture import Picture


def from_bytes(data: bytes) -> Picture:
    """What intake makes of a file."""
    return decode(data, hashlib.sha256(data).hexdigest(), Limits())


def by_hand(kind: str = "PNG", data: bytes = b"", rgb: Any = None, **fields: Any) -> Picture:
    """A picture with just the given fields."""
    pixels = np.full((8, 8, 3), 128, np.uint8) if rgb is None else rgb
    media = Media(kind, pixels.shape[1], pixels.shape[0], len(data))
    return Picture(pixels, media, hashlib.sha256(data).hexdigest(), data, **fields)


def scene(height: int = 384, width: int = 512, seed: int = 0) -> Any:
    """(height, width, 3) soft coloured noise, nowhere near black or white, as a stand-in for a photograph."""
    rng = np.random.default_rng(seed)
    small = rng.integers(60, 196, (height // 16, width // 16, 3), dtype=np.uint8)
    soft = np.asarray(Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC), np.int16)
    return np.clip(soft + rng.normal(0, 4, soft.shape), 0, 255).astype(np.uint8)


def jpeg(rgb: Any, quality: int = 90, **more: Any) -> bytes:
    """The pixels as a JPEG file."""
    out = io.BytesIO()
    Image.fromarray(rgb).save(out, "JPEG", quality=quality, **more)
    return out.getvalue()
