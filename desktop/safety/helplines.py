"""Where to turn: the organisations of `resources/helplines/`, checked as they are read."""

from __future__ import annotations

import datetime
import os
import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from detectors.errors import SetupError

FOLDER = Path(__file__).resolve().parents[2] / "resources" / "helplines"
EVERYWHERE = "*"
CHECK = "check before you rely on it"

_ADDRESSES = ("web", "phone", "email", "hours")
_KEYS = {"name", "who", "countries", "says", *_ADDRESSES, "source", "verified_on", "confidence", "unchecked"}
_WIDTH = 88
_COUNTRY = re.compile(r"[A-Z]{2}")


class Who(StrEnum):
    """Whom an organisation helps: adults only, people who are or were under 18 in the picture, or everybody."""

    ADULTS = "adults"
    MINORS = "minors"
    ALL = "all"


class Confidence(StrEnum):
    """Where an entry was read: on the organisation's own page or in an official text, somewhere else, or nowhere."""

    VERIFIED = "verified"
    SECONDARY = "secondary"
    UNVERIFIED = "unverified"


@dataclass(frozen=True, slots=True)
class Helpline:
    """One organisation. `countries` are ISO 3166-1 alpha-2 codes, or `*` alone for everywhere.

    The addresses are text to copy, empty where there is none. `source` says where the entry was read and
    `verified_on` when; both are missing when nobody has checked it. `unchecked` names the addresses that the source
    does not hold.
    """

    name: str
    who: Who
    countries: tuple[str, ...]
    says: str
    web: str
    phone: str
    email: str
    hours: str
    source: str
    verified_on: datetime.date | None
    confidence: Confidence
    unchecked: tuple[str, ...]

    def doubt(self) -> str:
        """What a person should check before she relies on it, as one phrase; empty when all was verified."""
        if self.confidence is Confidence.UNVERIFIED:
            return f"Nobody has verified this: {CHECK}."
        read = f"{self.verified_on:%d %B %Y}".lstrip("0") if self.verified_on else ""
        if self.confidence is Confidence.SECONDARY:
            return f"Not read on its own pages (as of {read}): {CHECK}."
        if self.unchecked:
            return f"What it does was verified on {read}; the address was not: {CHECK}."
        return ""

    def lines(self) -> tuple[str, ...]:
        """The entry as lines of text: the name with its addresses, what it does, and how sure that is."""
        addresses = [a for a in (self.web, self.phone, self.email, self.hours) if a]
        sure = self.doubt() or (
            f"Verified on {self.verified_on:%d %B %Y}.".replace(" 0", " ") if self.verified_on else ""
        )
        return ": ".join(filter(None, (self.name, ", ".join(addresses)))), self.says, sure


def added() -> Path:
    """The folder of what was imported by hand: laws, platforms and helplines. It need not be there."""
    from platformdirs import user_data_dir

    return Path(user_data_dir("counterproof", appauthor=False)) / "facts"


def load(folder: Path = FOLDER) -> tuple[Helpline, ...]:
    """Every helpline, in the order of the file names. Raises SetupError when a file is missing or malformed."""
    try:
        names = sorted(n for n in os.listdir(folder) if n.endswith(".toml"))
        found = tuple(_read(folder / name) for name in names)
    except OSError as e:
        raise _damaged(f"they could not be read: {e.strerror}") from e
    if not found:
        raise _damaged("there are none")
    return found


def for_country(code: str, minors: bool = False, folder: Path = FOLDER) -> tuple[Helpline, ...]:
    """The helplines for a country (ISO 3166-1 alpha-2; empty when not known): its own before those that are everywhere.

    With `minors`, those for people under 18 first, and none that is for adults alone; without, none that is for
    people under 18 alone. What nobody has verified comes after the rest. Raises SetupError as `load`.
    """
    return suited(load(folder), code, minors)


def suited(helplines: Iterable[Helpline], code: str, minors: bool = False) -> tuple[Helpline, ...]:
    """Those of the given helplines that are for a country, chosen and ordered as `for_country` does."""
    not_for = Who.ADULTS if minors else Who.MINORS
    found = [h for h in helplines if h.who is not not_for and {code.upper(), EVERYWHERE} & {*h.countries}]
    sure = list(Confidence)

    def rank(helpline: Helpline) -> tuple[bool, bool, bool, int]:
        return (
            minors and helpline.who is not Who.MINORS,
            helpline.confidence is Confidence.UNVERIFIED,
            EVERYWHERE in helpline.countries,
            sure.index(helpline.confidence),
        )

    return tuple(sorted(found, key=rank))


def run(country: str | None, minors: bool) -> int:
    """`counterproof helplines`: those for the country, or for that of the locale, on standard output."""
    try:
        found = for_country(country or locale_country(), minors)
    except SetupError as e:
        sys.stderr.write(f"{e.message} {e.remedy}\n")
        return 1
    sys.stdout.write(as_text(found))
    return 0


def as_text(found: Iterable[Helpline]) -> str:
    """The helplines as paragraphs for a terminal."""
    import textwrap

    def wrapped(text: str, indent: str = "") -> str:
        options: dict[str, Any] = {"break_long_words": False, "break_on_hyphens": False}
        return textwrap.fill(text, _WIDTH, initial_indent=indent, subsequent_indent=indent, **options)

    entries = ([wrapped(h.lines()[0]), *(wrapped(text, "  ") for text in h.lines()[1:]), ""] for h in found)
    return "".join(f"{line}\n" for entry in entries for line in entry)


def locale_country() -> str:
    """The country that the locale names (`en_GB.UTF-8`: GB), or an empty text."""
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        if value := os.environ.get(name):
            region = value.partition(".")[0].partition("@")[0].partition("_")[2]
            return region if len(region) == 2 and region.isascii() and region.isalpha() else ""
    return ""


def _read(path: Path) -> Helpline:
    """One file. Raises SetupError with the reason."""
    import tomllib

    try:
        return parse(tomllib.loads(path.read_bytes().decode("utf-8")))
    except ValueError as e:
        raise _damaged(f"{path.name}: {e}") from e


def parse(values: Mapping[str, Any]) -> Helpline:
    """A helpline from TOML values. Raises ValueError with the reason in plain words."""
    if unknown := sorted(values.keys() - _KEYS):
        raise ValueError(f"there is no key called {unknown[0]!r}")
    texts = {key: _text(values, key) for key in ("name", "says", "source", *_ADDRESSES)}
    countries, unchecked = _texts(values, "countries"), _texts(values, "unchecked")
    confidence, who, verified_on = (
        Confidence(_text(values, "confidence")),
        Who(_text(values, "who")),
        values.get("verified_on"),
    )
    if not texts["name"] or not texts["says"]:
        raise ValueError("name and says must not be empty")
    if not texts["web"] and not texts["phone"] and not texts["email"]:
        raise ValueError("there is no way to reach it: web, phone or email")
    if countries != (EVERYWHERE,) and not (countries and all(map(_COUNTRY.fullmatch, countries))):
        raise ValueError('countries must be two-letter codes such as "GB", or "*" alone')
    if not all(texts[key] for key in unchecked if key in _ADDRESSES) or not {*unchecked} <= {*_ADDRESSES}:
        raise ValueError("unchecked must name addresses that are there")
    if confidence is Confidence.UNVERIFIED:
        if texts["source"] or verified_on is not None:
            raise ValueError("what is unverified has neither source nor verified_on")
    elif not texts["source"] or type(verified_on) is not datetime.date:
        raise ValueError("source and verified_on (a date) must be there, unless it is unverified")
    return Helpline(
        **texts, who=who, countries=countries, verified_on=verified_on, confidence=confidence, unchecked=unchecked
    )


def _text(values: Mapping[str, Any], key: str) -> str:
    value = values.get(key, "")
    if not isinstance(value, str) or value != value.strip() or not (value.isprintable()):
        raise ValueError(f"{key} must be one line of text")
    return value


def _texts(values: Mapping[str, Any], key: str) -> tuple[str, ...]:
    value = values.get(key, [])
    if not isinstance(value, list) or not all(isinstance(v, str) for v in value):
        raise ValueError(f"{key} must be a list of texts")
    return tuple(value)


def _damaged(why: str) -> SetupError:
    return SetupError(
        "helplines_damaged",
        f"The list of helplines is damaged ({why}).",
        "Install Counterproof again. Until then: takeitdown.ncmec.org helps with pictures of people under 18.",
    )
