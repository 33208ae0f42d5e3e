"""CLIP's image tower, whose middle blocks the thorough checks read: the first eight of them, in one file.

Each check has a file of its own with what it adds. Blocks are counted from 0.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from detectors.inference import sessions
from detectors.inference.manifest import entry

TRUNK = "clip-trunk"
FEATURES = "features"  # (n, 6912): class token, mean and deviation over patch tokens, of block 5, then 6 and 7
TOKENS = "tokens"  # (n, 197, 768): what block 7 hands on, the class token first

Tensor = npt.NDArray[np.float32]


def seen(pixels: Tensor) -> dict[str, Tensor]:
    """Normalised pixels (n, 3, 224, 224) -> what the trunk gives, by name. Raises SetupError as `sessions.run` does."""
    return dict(zip(entry(TRUNK).outputs, sessions.run(TRUNK, {"pixels": pixels}), strict=True))
