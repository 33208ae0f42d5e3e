"""pHash, 64 bits: the signs of a picture's lowest frequencies. Equal to `imagehash.phash` of the same pixels.

Source: Krawetz, "Looks Like It", 2011 (https://www.hackerfactor.com/blog/index.php?/archives/432-Looks-Like-It.html);
DCT-II in the unnormalised form of Makhoul, "A Fast Cosine Transform in One and Two Dimensions", 1980.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image

SIDE = 32
KEPT = 8
# Frequencies that are zero in exact arithmetic (mirrored or striped pictures) come out as +-1e-12; the smallest real
# ones that 8-bit pixels can make are far larger. Without this, rounding would decide the bits of such pictures.
ROUNDING = 1e-7

_BASIS = 2 * np.cos(np.pi / (2 * SIDE) * np.outer(np.arange(KEPT), 2 * np.arange(SIDE) + 1))


def phash(picture: npt.NDArray[np.uint8] | Image.Image) -> str:
    """The pHash of a picture, (h, w, 3) uint8 or a Pillow image, as 16 hex digits."""
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    grey = image.convert("L").resize((SIDE, SIDE), Image.Resampling.LANCZOS)
    low = _BASIS @ np.asarray(grey, dtype=np.float64) @ _BASIS.T
    low[np.abs(low) < ROUNDING] = 0.0
    return np.packbits(low > np.median(low)).tobytes().hex()


def phash_variants(value: str) -> tuple[str, ...]:
    """The pHashes (16 hex) of the turned and mirrored pictures, in the order of `search.VARIANTS`, from one alone.

    As with PDQ: mirroring turns the signs of the odd frequencies, swapping height and width moves bits.
    """
    bits = np.unpackbits(np.frombuffer(bytes.fromhex(value), np.uint8)).reshape(KEPT, KEPT)
    odd = np.arange(KEPT, dtype=np.uint8) % 2
    across, down = np.broadcast_to(odd, bits.shape), np.broadcast_to(odd[:, None], bits.shape)
    turned = [b ^ m for b in (bits, bits.T) for m in (0 * across, across, down, across ^ down)]
    return tuple(np.packbits(b).tobytes().hex() for b in turned)
