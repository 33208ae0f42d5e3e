"""Labels in a picture's own data by which AI tools say what they did: IPTC's DigitalSourceType and known marks."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from detectors.finding import Finding, Profile, Role, State
from detectors.source_types import describe, is_synthetic, term
from detectors.text import clean, json_object, quoted
from detectors.xmp import XmpUnreadable, properties

if TYPE_CHECKING:
    from detectors.intake.picture import Picture

MADE, EDITED = "made", "edited"


@dataclass(frozen=True, slots=True)
class Mark:
    """What a tool writes. `pattern` must match a whole value of `field`; `did` is MADE or EDITED (an AI edit)."""

    tool: str
    field: str
    pattern: re.Pattern[str]
    did: str
    source: str


def _mark(tool: str, field: str, pattern: str, source: str, did: str = MADE) -> Mark:
    return Mark(tool, field, re.compile(pattern, re.IGNORECASE | re.DOTALL), did, source)


_UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_OWN_NAME = "the product's own name, as a program's name; its maker documents no fixed form"
_GOOGLE = "seen in downloads from Gemini; Google Photos: https://9to5google.com/2024/10/24/google-photos-ai-edit-info/"
_FLUX = "https://github.com/black-forest-labs/flux/blob/main/src/flux/util.py"
_META = "https://about.fb.com/news/2024/02/labeling-ai-generated-images-on-facebook-instagram-and-threads/"
_APPLE = "the credit that iOS 18's Photos writes beside IPTC's source type"
# Whole values only, and never names of people: a photographer called Leonardo must not match.
MARKS = (
    _mark("Google AI", "credit", r"(?:made|created|generated) with google ai", _GOOGLE),
    _mark("Google AI", "credit", r"edited with google ai", _GOOGLE, EDITED),
    _mark("Midjourney", "description", rf".*\bJob ID:\s*{_UUID}\s*", "seen in downloads from midjourney.com"),
    _mark("Midjourney", "software", r"midjourney\b.{0,40}", _OWN_NAME),
    _mark("OpenAI", "software", r"(?:openai\b|chatgpt\b|dall[-· .]?e\b|gpt-image|gpt-4o\b).{0,60}", _OWN_NAME),
    _mark("OpenAI", "credit", r"(?:made|created|generated) (?:with|by) (?:openai|chatgpt|dall[-· .]?e)\b.{0,20}",
          _OWN_NAME),
    _mark("Adobe Firefly", "software", r"adobe firefly\b.{0,40}", _OWN_NAME),
    _mark("Ideogram", "software", r"ideogram(?:[ .]ai)?(?: [\d.]+)?", _OWN_NAME),
    _mark("Stability AI", "software", r"(?:stability[ .]?ai|dreamstudio|stable diffusion)\b.{0,60}", _OWN_NAME),
    _mark("Microsoft", "software", r"(?:bing image creator|microsoft designer)\b.{0,40}", _OWN_NAME),
    _mark("Microsoft", "credit", r"(?:made|created|generated) (?:with|by) (?:bing image creator|microsoft designer)",
          _OWN_NAME),
    _mark("Meta AI", "credit", r"imagined with (?:meta )?ai", _META),
    _mark("Meta AI", "software", r"(?:meta ai|imagine with meta)\b.{0,40}", _META),
    _mark("Grok (xAI)", "software", r"(?:xai|grok)(?: imagine)?(?: [\d.]+)?", _OWN_NAME),
    _mark("Leonardo.Ai", "software", r"leonardo[ .]ai\b.{0,40}", _OWN_NAME),
    _mark("Apple Image Playground", "credit", r"(?:made with )?apple image playground", _OWN_NAME),
    _mark("Apple Photos Clean Up", "credit", r"(?:edited with )?apple photos clean ?up", _APPLE, EDITED),
    _mark("FLUX", "software", r"ai generated;(?:txt2img|img2img).{0,60}", _FLUX),
    _mark("FLUX", "make", r"black forest labs", _FLUX),
)  # fmt: skip

# Where each kind of value lies: EXIF tag, PNG keyword, IPTC dataset, XMP property.
FIELDS: Mapping[str, tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...], tuple[str, ...]]] = {
    "software": (
        ("Software", "ProcessingSoftware", "HostComputer"),
        ("Software", "Source"),
        ("originatingprogram",),
        ("xmp:CreatorTool", "tiff:Software"),
    ),
    "credit": ((), ("Credit",), ("credit", "creditline"), ("photoshop:Credit",)),
    "description": (
        ("ImageDescription", "XPComment"),
        ("Description", "Comment", "comment"),
        ("captionabstract", "caption"),
        ("dc:description",),
    ),
    "make": (("Make",), (), (), ("tiff:Make",)),
}
_NO_LETTERS = re.compile(r"[^a-z]")
# Samsung's gallery appends its edit record behind the picture; a value other than 0 says that an AI tool was used.
_SAMSUNG = re.compile(rb'"genAIType\\?"\s*:\s*([1-9]\d{0,3})')
_SAMSUNG_SOURCE = "PhotoEditor_Re_Edit_Data, as listed by ExifTool's Samsung tags; not documented by Samsung"
TAIL = 65_536


class _Declared:
    """Reads labels. Score 1.0: one says that a generative model made or altered the picture."""

    name = "declared_metadata"
    role = Role.DECLARED

    def find(self, picture: Picture, profile: Profile) -> Finding:  # noqa: ARG002 - the same in every profile
        """The finding for one picture; metadata that could not be read is inconclusive, never absent."""
        pairs: list[tuple[str, str]] = []
        problem = ""
        if picture.untrusted_xmp:
            try:
                pairs = properties(picture.untrusted_xmp)
            except XmpUnreadable as error:
                problem = str(error)
        types = [term(v) for n, v in pairs if n.rpartition(":")[2].lower() == "digitalsourcetype" and term(v)]
        details: dict[str, Any] = {"digital_source_types": list(dict.fromkeys(types))[:10], "marks": []}
        synthetic = next((t for t in types if is_synthetic(t)), None)
        marks = list(_marks(picture, pairs))
        details["marks"] = marks
        label, label_text = _aigc(picture, pairs)
        if label:
            details["aigc_label"] = label_text
        if synthetic or marks or label == "1":
            return self._finding(State.OK, 1.0, _says(synthetic, marks), details)
        if label:
            says = "It carries China's AIGC label, which says that it may have been made by AI."
            return self._finding(State.INCONCLUSIVE, None, says, details)
        if problem:
            says = "The picture carries XMP data that could not be read, so a label of an AI tool may be in it."
            return self._finding(State.INCONCLUSIVE, None, says, {**details, "problem": problem})
        if types:
            says = f"Its own data says: {describe(types[0])}. Anybody can write that, so it proves nothing."
            return self._finding(State.OK, 0.0, says, details)
        says = "No label of an AI tool in the picture's own data. Such labels are easily lost, so this proves nothing."
        return self._finding(State.OK, 0.0, says, details)

    def _finding(self, state: State, score: float | None, says: str, details: Mapping[str, Any]) -> Finding:
        return Finding(self.name, self.role, state, score, says, details=details)


def _says(synthetic: str | None, marks: list[dict[str, str]]) -> str:
    if marks:
        did = "edited" if all(m["did"] == EDITED for m in marks) else "made"
        first = next(m for m in marks if m["did"] == did)
        also = f", and IPTC's source type says: {describe(synthetic)}" if synthetic else ""
        return f"Its own data says that it was {did} with {first['tool']} ({quoted(first['value'], 80)}){also}."
    if synthetic:
        return f"Its own data says, in IPTC's field for the source type: {describe(synthetic)}."
    return "It carries China's AIGC label, which says that it was made by AI."


def _marks(picture: Picture, pairs: list[tuple[str, str]]) -> Iterator[dict[str, str]]:
    """The marks found, as plain details."""
    values = {field: list(dict.fromkeys(_values(picture, pairs, field))) for field in FIELDS}
    for mark in MARKS:
        for value in values[mark.field]:
            if mark.pattern.fullmatch(value):
                yield _found(mark.tool, mark.did, value, mark.source)
                break
    exif = picture.untrusted_exif
    if re.fullmatch(_UUID, exif.get("Artist", ""), re.IGNORECASE) and re.fullmatch(
        r"Signature: [\w+/=]{40,}", exif.get("ImageDescription", "")
    ):
        # Grok's pictures carry a signature and an identifier where a description and a name belong.
        yield _found("Grok (xAI)", MADE, exif["ImageDescription"], "seen in downloads from Grok")
    samsung = _SAMSUNG.search(picture.data, max(0, len(picture.data) - TAIL))
    if samsung and picture.media.format == "JPEG":
        yield _found("Samsung Galaxy AI", EDITED, samsung[0].decode("ascii", "replace"), _SAMSUNG_SOURCE)


def _found(tool: str, did: str, value: str, source: str) -> dict[str, str]:
    return {"tool": tool, "did": did, "value": clean(value, 300), "source": source}


def _values(picture: Picture, pairs: list[tuple[str, str]], field: str) -> Iterator[str]:
    exif, text, iptc, xmp = FIELDS[field]
    yield from (clean(picture.untrusted_exif[k]) for k in exif if k in picture.untrusted_exif)
    yield from (clean(picture.untrusted_text[k]) for k in text if k in picture.untrusted_text)
    for key, value in picture.untrusted_iptc.items():
        if _NO_LETTERS.sub("", key.lower()) in iptc:
            yield clean(value)
    yield from (clean(v) for n, v in pairs if n in xmp)


def _aigc(picture: Picture, pairs: list[tuple[str, str]]) -> tuple[str, str]:
    """China's label (GB 45438-2025, TC260): "1" made by AI, "2" possibly, "3" suspected; and its text. Else empty.

    It is a JSON object under the name AIGC, as XMP property, PNG text or within EXIF UserComment.
    """
    candidates = [v for n, v in pairs if n.rpartition(":")[2] == "AIGC"]
    candidates += [v for k, v in picture.untrusted_text.items() if k == "AIGC"]
    candidates += [v for k, v in picture.untrusted_exif.items() if k == "UserComment" and "AIGC" in v]
    for text in candidates:
        label = json_object(text) or {}
        inner = label.get("AIGC", label)
        if isinstance(inner, str):
            inner = json_object(inner) or {}
        if isinstance(inner, dict) and str(inner.get("Label")) in ("1", "2", "3"):
            return str(inner["Label"]), clean(text, 500)
    return "", ""


detector = _Declared()
