"""Kinds of evidence. Each module here exposes one `detector`; adding a module adds it to every scan.

A module's `detector` has the attributes of `Detector`. It is created at import, so it must be cheap: models are
loaded on first use, through `detectors.inference`.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from enum import StrEnum
from functools import cache
from typing import Protocol, runtime_checkable

from detectors.finding import Finding
from detectors.intake.picture import Picture


class Role(StrEnum):
    """What the verdict may do with a finding.

    DECLARED: the file itself says how it was made (score 1.0 = it says a generative model made or altered it).
    LEARNED: a calibrated probability from a trained model. INTIMACY: the separate intimacy axis.
    CONTEXT: a hint that is shown and never counted.
    """

    DECLARED = "declared"
    LEARNED = "learned"
    INTIMACY = "intimacy"
    CONTEXT = "context"


class Profile(StrEnum):
    """How much to spend on a picture: `fast` for folders, `thorough` for single checks."""

    FAST = "fast"
    THOROUGH = "thorough"


@runtime_checkable
class Detector(Protocol):
    """One kind of evidence. `version` changes whenever the same picture could give another finding without a
    change of model; `models` are the ids in models/manifest.toml that it uses. Both are part of the cache key."""

    name: str
    role: Role
    version: str
    models: tuple[str, ...]

    def find(self, picture: Picture, profile: Profile) -> Finding:
        """The finding for one picture. Raises CounterproofError when the detector cannot run at all."""
        ...


@cache
def detectors() -> Mapping[str, Detector]:
    """All detectors by name, in module-name order. Raises TypeError when a module exposes none."""
    found: dict[str, Detector] = {}
    for info in sorted(pkgutil.iter_modules(__path__), key=lambda m: m.name):
        detector = getattr(importlib.import_module(f"{__name__}.{info.name}"), "detector", None)
        if not isinstance(detector, Detector):
            raise TypeError(f"detectors/signals/{info.name}.py exposes no `detector`")
        found[detector.name] = detector
    return found
