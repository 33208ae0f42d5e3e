"""Limits: how much of this computer one file may use. Free of NumPy and Pillow."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Every limit on one file or one worker. All are settings; the defaults suit a laptop with 8 GB of memory."""

    max_bytes: int = 100 * 1024 * 1024
    """Bytes of one file. The largest camera photographs (100 MP, 16-bit TIFF aside) stay below 60 MB."""

    max_pixels: int = 120_000_000
    """Pixels of one picture, from its header. Above any phone or camera in common use (108 MP); at 3 bytes a pixel
    this is 360 MB decoded, and the codec holds a second copy while it works."""

    max_side: int = 30_000
    """Pixels along one side. A 1 x 120,000,000 strip is within `max_pixels`, but nothing that looks at pictures can
    use it, and resizing it needs odd amounts of memory."""

    max_frames: int = 1000
    """Frames or pages. Only the first is looked at; a longer file is a film or an attack, and is better named so."""

    seconds: float = 20.0
    """Time for one file. A PNG of 120 million noisy pixels, the slowest sound file that the other limits allow,
    decodes in 8 s on a busy two-core laptop; the rest is for looking at it and for slower machines."""

    worker_memory: int = 4 * 1024 * 1024 * 1024
    """Address space of one worker, in bytes (RLIMIT_AS). Libraries and models map 0.3 GB, a PNG of 120 million pixels
    was measured to add 0.8 GB; the rest is room for codecs that hold several copies."""

    recycle_after: int = 2000
    """Files after which a worker is replaced, so that memory which codecs do not give back cannot pile up. A new one
    costs about a second: not felt once in 2,000 files."""
