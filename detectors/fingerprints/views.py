"""Views: the parts of a picture that are hashed on their own, so that an edited copy is found by one of them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from detectors.fingerprints.pdq import MINIMUM_SIDE, RELIABLE_QUALITY, pdq
from detectors.report import View


def views(rgb: npt.NDArray[np.uint8]) -> tuple[View, ...]:
    """The views of (h, w, 3) uint8 pixels whose PDQ has a quality of at least 50, the whole picture first.

    Boxes are in pixels of `rgb`. Empty for a picture that is too small or shows too little.
    """
    height, width, _ = rgb.shape
    if min(height, width) < MINIMUM_SIDE:
        return ()
    value, quality = pdq(rgb)
    return (View("whole", (0, 0, width, height), value, quality),) if quality >= RELIABLE_QUALITY else ()


__all__ = ["View", "views"]
