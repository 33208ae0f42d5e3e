"""The window's vocabulary in plain words: verdicts, states, intimacy, detectors. Qt-free; every text can be translated.

Texts are looked up at the moment of use, so that a translator that is installed later is honoured.
"""

from __future__ import annotations

from collections.abc import Callable

from detectors.finding import Finding, State
from detectors.verdict import Band

Translator = Callable[[str, str], str]

_translator: Translator | None = None


def use_translator(translator: Translator | None) -> None:
    """Installs `translator(context, text) -> text`; None goes back to the source language."""
    global _translator
    _translator = translator


def translate(context: str, text: str) -> str:
    """`text` in the user's language. The name is the one that Qt's lupdate looks for."""
    return text if _translator is None else _translator(context, text)


def verdict(band: Band) -> str:
    """A band as a short label for the list."""
    return {
        Band.DECLARED_SYNTHETIC: translate("verdict", "Says it is synthetic"),
        Band.MATCHED_SOURCE: translate("verdict", "Source photo found"),
        Band.LIKELY_SYNTHETIC: translate("verdict", "Likely synthetic"),
        Band.INCONCLUSIVE: translate("verdict", "Can’t tell"),
        Band.NO_SIGNS: translate("verdict", "No signs found"),
    }[band]


def verdict_meaning(band: Band) -> str:
    """What a band means, in two or three short sentences."""
    return {
        Band.DECLARED_SYNTHETIC: translate(
            "verdict",
            "The file itself says that a generative tool made or changed this picture. "
            "That is strong evidence. It is not certain, because such a mark can be copied or faked.",
        ),
        Band.MATCHED_SOURCE: translate(
            "verdict",
            "The photo that this picture was made from was found, and the changed area is marked.",
        ),
        Band.LIKELY_SYNTHETIC: translate(
            "verdict",
            "A detector sees what it mostly sees in generated pictures. "
            "It can be wrong; with each result you can read how often it was wrong on real photographs.",
        ),
        Band.INCONCLUSIVE: translate(
            "verdict",
            "There is not enough to say either way. This is a common answer, and it is not a judgement on you. "
            "You can report a picture without proving how it was made.",
        ),
        Band.NO_SIGNS: translate(
            "verdict",
            "Nothing that we can detect was found. This is not proof that the picture is real: "
            "good fakes are often missed.",
        ),
    }[band]


def intimacy(level: str | None) -> str:
    """The intimacy level as a short label; None says that it was not checked."""
    return {
        "explicit": translate("intimacy", "Explicit"),
        "suggestive": translate("intimacy", "Suggestive"),
        "none_found": translate("intimacy", "None found"),
    }.get(level or "", translate("intimacy", "Not checked"))


def finding_state(state: State) -> str:
    """How a detector ended, in words."""
    return {
        State.OK: translate("state", "Checked"),
        State.INCONCLUSIVE: translate("state", "Can’t tell"),
        State.NOT_APPLICABLE: translate("state", "Does not apply"),
        State.FAILED: translate("state", "Did not run"),
    }[state]


def detector(finding: Finding) -> str:
    """A detector's name in words; one that is not known here keeps its own name, with spaces."""
    return {
        "c2pa": translate("detector", "Content Credentials (C2PA)"),
        "declared_metadata": translate("detector", "Declared in the metadata"),
        "generation_parameters": translate("detector", "Generation settings in the file"),
        "watermark": translate("detector", "Invisible watermark"),
        "camera_exif": translate("detector", "Camera (only a hint)"),
        "generated": translate("detector", "Learned: whole picture"),
        "intimacy": translate("detector", "Intimacy (never proof)"),
    }.get(finding.detector, finding.detector.replace("_", " ").capitalize())


def region(kind: str) -> str:
    """A region's kind in words."""
    return translate("region", "Face") if kind == "face" else kind.replace("_", " ").capitalize()


def visible(text: str) -> str:
    """Untrusted text made safe to draw on one line.

    Undecodable bytes (lone surrogates) and controls become U+FFFD, and characters that reorder text are dropped, so
    that a name cannot pose as another ("gpj.exe" written backwards).
    """
    if text.isprintable():  # no control, surrogate or formatting character in it; nearly always so
        return text
    return "".join(_visible_char(c) for c in text)


# Unicode's explicit directional formatting characters (UAX #9), and the invisible marks.
_REORDERING = frozenset("\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def _visible_char(c: str) -> str:
    if c in _REORDERING:
        return ""
    if "\ud800" <= c <= "\udfff" or ("\x7f" <= c <= "\x9f"):
        return "\ufffd"
    return (" " if c in "\t\n\r" else "\ufffd") if c < " " else c
