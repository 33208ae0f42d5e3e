"""The one vocabulary that every part speaks: State, Role, Profile, Region, Overlay, ModelRef, Finding."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any


class State(StrEnum):
    """How a detector ended. Nothing else may stand in for a result: no default, no empty list, no zero."""

    OK = "ok"
    INCONCLUSIVE = "inconclusive"
    NOT_APPLICABLE = "not_applicable"
    FAILED = "failed"


class Role(StrEnum):
    """What the verdict may do with a finding.

    DECLARED: the file itself says how it was made (score 1.0 = it says a generative model made or altered it).
    SOURCE: whether the photo that the picture was made from is among the person's own (score 1.0 = it was found).
    LEARNED: a calibrated probability from a trained model. INTIMACY: the separate intimacy axis.
    CONTEXT: a hint that is shown and never counted.
    """

    DECLARED = "declared"
    SOURCE = "source"
    LEARNED = "learned"
    INTIMACY = "intimacy"
    CONTEXT = "context"


class Profile(StrEnum):
    """How much to spend on a picture: `fast` for large folders, `thorough` for single checks.

    CASCADE: the fast check first, and the thorough one for what it did not clear. A scan may be asked for it; a
    detector never is, and every result says which of the other two it rests on.
    """

    FAST = "fast"
    THOROUGH = "thorough"
    CASCADE = "cascade"


# The checks that a detector can be asked for, cheapest first.
CHECKS = (Profile.FAST, Profile.THOROUGH)

# Bounds of a map: cells a side, and px of a full-size picture's side. Beyond, a worker's answer is not believed.
MAX_CELLS = 512
MAX_SIDE = 1_000_000


@dataclass(frozen=True, slots=True)
class Region:
    """A box in the upright picture at full size. `box` is x, y, width, height in pixels; `score` is 0..1 or None."""

    kind: str
    box: tuple[int, int, int, int]
    score: float | None = None

    def to_json(self) -> dict[str, Any]:
        """The region object of `counterproof.scan/1`."""
        return {"kind": self.kind, "box": list(self.box), "score": self.score}

    @classmethod
    def from_json(cls, obj: Mapping[str, Any]) -> Region:
        """The inverse of `to_json`. Raises KeyError, TypeError or ValueError when the object is malformed."""
        x, y, w, h = (int(v) for v in obj["box"])
        return cls(str(obj["kind"]), (x, y, w, h), None if obj["score"] is None else float(obj["score"]))


@dataclass(frozen=True, slots=True)
class Overlay:
    """A map that a detector laid over the picture: `values` has rows x columns bytes, from the top left, row by row.

    0 is nothing and 255 the most that the detector can see there. `box` is as in Region: where the map lies.
    """

    rows: int
    columns: int
    values: bytes
    box: tuple[int, int, int, int]

    @classmethod
    def from_json(cls, obj: Any) -> Overlay:
        """From `details["map"]` of a finding: rows, columns, values (base64) and box. Raises ValueError."""
        try:
            rows, columns, text = int(obj["rows"]), int(obj["columns"]), obj["values"]
            values = base64.b64decode(text, validate=True)
            x, y, w, h = (int(v) for v in obj["box"])
        except (KeyError, TypeError, OverflowError) as e:
            raise ValueError("a malformed map") from e
        if not (0 < rows <= MAX_CELLS and 0 < columns <= MAX_CELLS) or len(values) != rows * columns:
            raise ValueError("a map of the wrong size")
        if min(w, h) < 1 or max(abs(v) for v in (x, y, w, h)) > MAX_SIDE:
            raise ValueError("a map in no place")
        return cls(rows, columns, values, (x, y, w, h))


@dataclass(frozen=True, slots=True)
class ModelRef:
    """Which weights spoke: id in models/manifest.toml, and the SHA-256 (hex) of the file."""

    id: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Finding:
    """What one detector says of one picture.

    `score` is 0..1 (its meaning is the detector's: probability for learned detectors, 1.0 for a declaration that
    is present, 0.0 for one that was looked for and is absent) or None when there is none. `says` is one plain
    sentence. `details` are JSON-able facts for the window and the report; the JSONL schema does not carry them;
    `in_short` among them is the sentence without words taken from the file, `map` is an Overlay.
    """

    detector: str
    role: Role
    state: State
    score: float | None
    says: str
    regions: tuple[Region, ...] = ()
    model: ModelRef | None = None
    ms: float = 0.0
    details: Mapping[str, Any] = field(default_factory=dict)

    @property
    def in_short(self) -> str:
        """`says` without words taken from the file. A prompt can be abusive, so nobody meets it without asking."""
        return str(self.details.get("in_short", self.says))

    @property
    def overlay(self) -> Overlay | None:
        """The map of what was found where, or None. Raises ValueError when it is malformed."""
        found = self.details.get("map")
        return None if found is None else Overlay.from_json(found)

    def timed(self, ms: float) -> Finding:
        """The same finding with its duration in milliseconds."""
        return replace(self, ms=ms)

    def to_json(self) -> dict[str, Any]:
        """The finding object of `counterproof.scan/1`; exactly its keys, so `details` stay out.

        A found source has one key more: `source`, with `reference`, `inliers` and `mirrored`.
        """
        found = self.role is Role.SOURCE and "source" in self.details
        source = {"source": dict(self.details["source"])} if found else {}
        return {
            "detector": self.detector,
            "state": str(self.state),
            "score": self.score,
            "says": self.says,
            "regions": [r.to_json() for r in self.regions],
            "model": None if self.model is None else {"id": self.model.id, "sha256": self.model.sha256},
            "ms": round(self.ms, 2),
            **source,
        }

    def to_record(self) -> dict[str, Any]:
        """Everything, for the pipe from the worker and for the cache: `to_json` with role, exact ms and details."""
        return {**self.to_json(), "ms": self.ms, "role": str(self.role), "details": dict(self.details)}

    @classmethod
    def from_record(cls, obj: Mapping[str, Any]) -> Finding:
        """The inverse of `to_record`. Raises KeyError, TypeError or ValueError when the object is malformed."""
        model = obj["model"]
        return cls(
            detector=str(obj["detector"]),
            role=Role(obj["role"]),
            state=State(obj["state"]),
            score=None if obj["score"] is None else float(obj["score"]),
            says=str(obj["says"]),
            regions=tuple(Region.from_json(r) for r in obj["regions"]),
            model=None if model is None else ModelRef(str(model["id"]), str(model["sha256"])),
            ms=float(obj["ms"]),
            details=dict(obj["details"]),
        )
