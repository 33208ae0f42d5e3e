"""What the EXIF block says about a camera. A hint that is shown and never counted: easily forged, easily lost."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from detectors.finding import Finding, Profile, Role, State
from detectors.text import clean

if TYPE_CHECKING:
    from detectors.intake.picture import Picture

TAGS = {
    "make": ("Make",),
    "model": ("Model",),
    "lens": ("LensModel", "LensMake"),
    "date": ("DateTimeOriginal", "DateTimeDigitized", "DateTime"),
    "software": ("Software",),
}
_DATE = re.compile(r"(\d{4}):(\d\d):(\d\d)(?: (\d\d):(\d\d).*)?")
HINT = "That is only a hint: easily forged, easily lost."


class _Camera:
    """Says which camera the file names. Never scored."""

    name = "camera_exif"
    role = Role.CONTEXT

    def find(self, picture: Picture, profile: Profile) -> Finding:  # noqa: ARG002 - the same in every profile
        """The finding for one picture."""
        exif = picture.untrusted_exif
        facts = {k: clean(next((exif[t] for t in tags if exif.get(t)), ""), 80) for k, tags in TAGS.items()}
        facts["date"] = _date(facts["date"])
        details = {k: v for k, v in facts.items() if v}
        make, model = facts["make"], facts["model"]
        camera = model if make and model.lower().startswith(make.lower().split(" ")[0]) else f"{make} {model}".strip()
        if not camera:
            says = "No camera is named in the file. Most pictures lose that on their way, so it means nothing."
            return Finding(self.name, self.role, State.OK, None, says, details=details)
        lens = f", lens {facts['lens']}" if facts["lens"] else ""
        when = f", on {facts['date']}" if facts["date"] else ""
        says = f"The file names a camera: {camera}{lens}{when}. {HINT}"
        return Finding(self.name, self.role, State.OK, None, says, details=details)


def _date(text: str) -> str:
    """EXIF's `2024:05:17 10:20:30` as `2024-05-17 10:20`, anything else empty."""
    found = _DATE.fullmatch(text)
    if not found or found[1] == "0000":
        return ""
    day = f"{found[1]}-{found[2]}-{found[3]}"
    return f"{day} {found[4]}:{found[5]}" if found[4] else day


detector = _Camera()
