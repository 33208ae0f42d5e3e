"""The vocabulary of `desktop.words` in the user's language, and what only the window says of it. Qt-free.

Texts are looked up at the moment of use, so that a translator that is installed later is honoured.
"""

from __future__ import annotations

from collections.abc import Callable

from desktop import words
from desktop.words import third_party as third_party
from desktop.words import visible as visible  # untrusted text is shown in the same way everywhere
from detectors.finding import Profile, State
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
    return translate("verdict", words.VERDICTS[band])


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
            "A detector sees what it mostly sees in pictures that a generative tool made or changed. "
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
    return translate("intimacy", words.INTIMACY[level])


def finding_state(state: State) -> str:
    """How a detector ended, in words."""
    return translate("state", words.STATES[state])


def check(profile: Profile) -> str:
    """The check that a result rests on."""
    return translate("check", words.CHECKS[profile])


def detector(name: str) -> str:
    """A detector's name in words; one that is not known here keeps its own name, with spaces."""
    return translate("detector", words.detector(name))


def likelihood(band: Band, p: float | None) -> str:
    """The chance to show beside a verdict, as a count out of ten or so; empty where a number would mislead."""
    shown = words.likelihood(band, p)
    return translate("likelihood", shown) if shown else ""


def region(kind: str) -> str:
    """A region's kind in words."""
    return translate("region", words.region(kind))
