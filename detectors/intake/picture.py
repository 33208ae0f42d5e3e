"""Picture: what comes out of decoding. Pixels and plain facts; nothing in it is parsed again outside the worker."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

import numpy as np
import numpy.typing as npt
from PIL import Image

from detectors.intake.media import Media

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Picture:
    """One decoded picture.

    `rgb`: (h, w, 3) uint8, sRGB-like as stored, upright (EXIF orientation applied), alpha laid over white.
    `scale`: rgb pixels per full-size pixel; 1.0, or 0.5, 0.25, 0.125 where a large JPEG was decoded reduced.
    `data`: the file's bytes, for signals that read the container (provenance); only ever touched in the worker.
    `untrusted_exif`: tag name -> text (256 KiB each, 1 MiB in all, at most), from IFD0, Exif and GPS presence only.
    `untrusted_text`: PNG tEXt/zTXt/iTXt by keyword; JPEG and GIF comments under "comment". At most 1 MiB each.
    `untrusted_iptc`: IPTC-IIM dataset name (`byline`, `credit`, `caption`, ...) -> text.
    `untrusted_xmp`: the XMP packet as text, or None.
    `quantisation`: JPEG tables by id, each 64 ints in zigzag-free (natural) order as Pillow gives them.
    `had_alpha`: whether the file carried transparency.
    """

    rgb: npt.NDArray[np.uint8]
    media: Media
    sha256: str
    data: bytes
    scale: float = 1.0
    untrusted_exif: Mapping[str, str] = field(default_factory=dict)
    untrusted_text: Mapping[str, str] = field(default_factory=dict)
    untrusted_iptc: Mapping[str, str] = field(default_factory=dict)
    untrusted_xmp: str | None = None
    quantisation: Mapping[int, tuple[int, ...]] = field(default_factory=dict)
    had_alpha: bool = False
    _made: dict[str, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    def once(self, key: str, make: Callable[[], T]) -> T:
        """What `make` gives, made at the first call with `key` and the same object at each later one.

        For what several detectors need of one picture: its canonical form, its faces. Key by module and meaning
        (`faces`, `canonical`). A `make` that raises is tried again at the next call. One thread, the worker's.
        """
        if key not in self._made:
            self._made[key] = make()
        return cast("T", self._made[key])

    @property
    def image(self) -> Image.Image:
        """`rgb` as a Pillow image: the same object at each call, so nobody may change it."""
        return self.once("image", lambda: Image.fromarray(self.rgb))

    def box_at_full_size(self, x: float, y: float, w: float, h: float) -> tuple[int, int, int, int]:
        """A box in `rgb` pixels as x, y, width, height at full size, clipped to the picture, at least 1 x 1."""
        full_w, full_h = self.media.width, self.media.height
        left = min(max(0, round(x / self.scale)), full_w - 1)
        top = min(max(0, round(y / self.scale)), full_h - 1)
        right = min(full_w, max(left + 1, round((x + w) / self.scale)))
        bottom = min(full_h, max(top + 1, round((y + h) / self.scale)))
        return left, top, right - left, bottom - top
