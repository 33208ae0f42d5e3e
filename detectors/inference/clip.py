"""CLIP's image tower, whose middle blocks the thorough checks read: the first eight of them, in one file.

Each check has a file of its own with what it adds. Blocks are counted from 0.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from detectors.inference import sessions

TRUNK = "clip-trunk"
FEATURES = "features"  # (n, 6912): class token, mean and deviation over patch tokens, of block 5, then 6 and 7
TOKENS = "tokens"  # (n, 197, 768): what block 7 hands on, the class token first
PATCHES = "patches"  # (n, 196, 4608): what blocks 2 to 7 hand on of each 16 px patch, row by row, block by block
PATCH = 16  # px

Tensor = npt.NDArray[np.float32]


def seen(pixels: Tensor, *names: str) -> dict[str, Tensor]:
    """Normalised pixels (n, 3, 224, 224) -> what the trunk gives under these names. Raises SetupError as `sessions.run`
    does."""
    return dict(zip(names, sessions.run(TRUNK, {"pixels": pixels}, names), strict=True))
