"""Kinds of evidence. Each module here exposes one `detector`; adding a module adds it to every scan.

A module's `detector` has the attributes of `Detector`. It is created at import, so it must be cheap: models are
loaded on first use, through `detectors.inference`.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from functools import cache
from typing import Protocol, runtime_checkable

from detectors.finding import Finding, Profile, Role
from detectors.intake.picture import Picture


@runtime_checkable
class Detector(Protocol):
    """One kind of evidence: a name (the key of its findings), a role, and `find`."""

    name: str
    role: Role

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


__all__ = ["Detector", "Profile", "Role", "detectors"]
