"""Media: a container's facts. Free of NumPy, so that the parent process stays small and quick to start."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Media:
    """The container's facts. `width` and `height` are the upright picture's, in pixels, at full size.

    `notes` are plain sentences on what decoding did ("Only the first of 12 frames was looked at.").
    """

    format: str
    width: int
    height: int
    bytes: int
    frames: int = 1
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The `media` object of `counterproof.scan/1`."""
        return {"format": self.format, "width": self.width, "height": self.height, "bytes": self.bytes}

    def to_record(self) -> dict[str, Any]:
        """The same with `frames` and `notes`."""
        return {**self.to_json(), "frames": self.frames, "notes": list(self.notes)}

    @classmethod
    def from_json(cls, obj: Mapping[str, Any]) -> Media:
        """From a worker's or the cache's object, with `frames` and `notes`. Raises KeyError, TypeError, ValueError."""
        return cls(
            format=str(obj["format"]),
            width=int(obj["width"]),
            height=int(obj["height"]),
            bytes=int(obj["bytes"]),
            frames=int(obj.get("frames", 1)),
            notes=tuple(str(n) for n in obj.get("notes", ())),
        )
