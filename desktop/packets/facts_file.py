"""How a file of a law or a platform is read: every key is checked, and what is not known is refused."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from desktop.packets.elements import ELEMENTS
from desktop.packets.facts import (
    CHANNEL_PARTS,
    EVERYWHERE,
    GROUPS,
    HOST,
    LAW_PARTS,
    PLATFORM_PARTS,
    Channel,
    Cost,
    Deadline,
    FormField,
    Law,
    NeededElement,
    Next,
    Platform,
    UrlRule,
    day,
)
from desktop.safety import helplines
from desktop.safety.helplines import Confidence

LANGUAGES = ("en", "fr", "es", "pt", "sw", "ar", "ko", "hi")
ROLES = ("depicted", "agent", "guardian", "owner", "anyone")
PLATFORM_KINDS = (
    "platform", "messenger", "search", "adult", "model_host", "code_host", "instance", "host", "cdn", "registrar",
    "hash_programme", "aggregator", "regulator", "police", "court", "support",
)  # fmt: skip
# What a field of a form can hold besides an element of the request.
FIELD_VALUES = (
    "platform_name", "law_citation", "depicted_name", "sender_name", "on_behalf", "statement", "letter", "none",
)  # fmt: skip

_ADDRESSED_TO = ("platform", "regulator", "police", "court", "controller", "support")
_STATUS = ("in_force", "coming", "not_confirmed")
_SYNTHETIC = ("explicit", "by_effect", "not_clear", "not_about_images")
_OFFER = ("normal", "only_if_asked", "with_lawyer")
_LINK = ("platform_serves", "person_in_country", "any_party", "none")
_NEED = ("always", "agent", "sensible")
_COST = (
    "name_to_uploader", "address_to_uploader", "perjury", "published", "counter_notice", "identity_to_recipient",
    "speech_risk", "false_report", "fee",
)  # fmt: skip
_FOR = ("agent", "lawyer")  # whom a warning concerns: who acts for somebody else; whoever writes letters by hand
_AFTER = ("deadline", "refusal", "always")
_YES_NO = ("yes", "no", "unknown")
_URL_KIND = ("post", "profile", "search", "home", "message")
_PURPOSE = ("intimate", "privacy", "abuse", "copyright", "regional", "child_safety", "complaint", "report", "order")
_CHANNEL_KIND = ("form", "email", "in_app", "portal", "phone", "post")
_VALUES = (*ELEMENTS, *FIELD_VALUES)
_BATCH = ("one", "urls", "urls_one_host")

# French sets spaces that do not break, Hindi joins and separates letters; other invisible characters are refused.
_INVISIBLE_BUT_MEANT = dict.fromkeys(map(ord, "\u00a0\u202f\u200c\u200d"))
_ID = re.compile(r"[a-z][a-z0-9_]*")
_COUNTRY = re.compile(r"[A-Z]{2}")
_HTTPS = re.compile(r"https://([^/?#@\\:]+)(?:[/?#][!-~]*)?")
_EMAIL = re.compile(r"[A-Za-z0-9._+-]+@([^@]+)")
_PHONE = re.compile(r"\+?[0-9][0-9 -]{1,20}[0-9]")
_ZONE = re.compile(r"[A-Za-z_]+(?:/[A-Za-z_-]+){0,2}")
# A rule for addresses is anchored, and every run in it must be followed by a character that it cannot hold, or by the
# end: matching never goes back and forth.
_RUN = r"(?:\[\^/\?#\]|\[\\w[.@-]*\]|\\d|\\w)\+"
_STOP = r"(?:/(?!\?)|/\?\$\Z|\\\?(?!\?)|\(\?:(?:/|\\\?)(?:\|(?:/|\\\?))*\)(?!\?)|\$?\Z)"
_RULE = re.compile(rf"\^(?:[\w/=&@%:~-]\??|\\[.?+]\??|\(\?:[\w/=&@|.\\?-]*\)\??|{_RUN}(?={_STOP}))*\$?", re.ASCII)


def parse_law(id: str, values: Mapping[str, Any], added_on: datetime.date | None = None) -> Law:
    """A law from TOML values. Raises ValueError with the reason in plain words."""
    t = _Table(values, "")
    provenance = t.provenance(LAW_PARTS)
    sure = _sureness(provenance)
    law = Law(
        id=_id(id),
        name=t.text("name", needed=True),
        citation=t.text("citation", needed=True),
        countries=t.countries("countries", groups=True),
        addressed_to=t.word("addressed_to", _ADDRESSED_TO),
        status=t.word("status", _STATUS),
        in_force_since=t.date("in_force_since"),
        synthetic=t.word("synthetic", _SYNTHETIC),
        synthetic_says=t.text("synthetic_says", needed=True),
        offer=t.word("offer", _OFFER),
        who=t.words("who", ROLES, needed=True),
        time_zone=t.text("time_zone"),
        binds=t.words("binds", PLATFORM_KINDS),
        link=t.word("link", _LINK),
        says=t.text("says", needed=True),
        gloss=t.gloss("gloss"),
        **t.warnings("warnings"),
        deadline=t.deadline("deadline", sure("deadline")),
        elements=t.elements("element", sure("elements"), in_law=True),
        costs=t.costs("cost", sure("costs")),
        next=tuple(step for n in t.tables("next") for step in _next(n)),
        added_on=added_on,
        **provenance,
    )
    t.done()
    if law.time_zone and not _ZONE.fullmatch(law.time_zone):
        raise ValueError("time_zone must be a name such as Europe/Paris")
    if law.deadline and not law.time_zone:
        raise ValueError("a deadline needs a time_zone")
    if law.status == "coming" and not law.in_force_since:
        raise ValueError("a coming law needs in_force_since")
    if not law.elements:
        raise ValueError("at least one element must be there")
    return law


def parse_platform(id: str, values: Mapping[str, Any], added_on: datetime.date | None = None) -> Platform:
    """A platform from TOML values. Raises ValueError with the reason in plain words."""
    t = _Table(values, "")
    platform = Platform(
        id=_id(id),
        name=t.text("name", needed=True),
        kind=t.word("kind", PLATFORM_KINDS),
        owner=t.text("owner"),
        hosts=t.hosts("hosts"),
        countries=t.countries("countries", groups=True),
        laws=t.ids("laws"),
        stopncii=t.word("stopncii", _YES_NO, "unknown"),
        stopncii_since=t.text("stopncii_since"),
        take_it_down=t.word("take_it_down", _YES_NO, "unknown"),
        says=t.text("says", needed=True),
        **t.warnings("warnings"),
        urls=tuple(UrlRule(u.word("kind", _URL_KIND), u.rule("pattern")) for u in t.tables("url")),
        channels=tuple(_channel(c) for c in t.tables("channel")),
        added_on=added_on,
        **t.provenance(PLATFORM_PARTS),
    )
    t.done()
    if not platform.channels:
        raise ValueError("at least one channel must be there")
    if len({c.id for c in platform.channels}) < len(platform.channels):
        raise ValueError("two channels have the same id")
    return platform


def parse_helpline(id: str, values: Mapping[str, Any], added_on: datetime.date | None = None) -> helplines.Helpline:
    """A helpline from TOML values; one that was added by hand says so. Raises ValueError with the reason."""
    _id(id)
    helpline = helplines.parse(values)
    if added_on is None:
        return helpline
    return replace(helpline, says=f"{helpline.says} Added by hand on {day(added_on)}: {helplines.CHECK}.")


def _next(t: _Table) -> tuple[Next, ...]:
    """One step, or the same one after each of several events."""
    after, platform, says = t.one_or_more("after", _AFTER), t.id("platform"), t.text("says", needed=True)
    return tuple(Next(when, platform, says) for when in after)


def _channel(t: _Table) -> Channel:
    kind = t.word("kind", _CHANNEL_KIND)
    provenance = t.provenance(CHANNEL_PARTS)
    sure = _sureness(provenance)
    channel = Channel(
        id=t.id("id"),
        name=t.text("name", needed=True),
        purpose=t.word("purpose", _PURPOSE),
        kind=kind,
        address=t.address("address", kind),
        steps=t.texts("steps"),
        countries=t.countries("countries", groups=True),
        account=t.word("account", _YES_NO, "unknown"),
        who=t.words("who", ROLES, needed=True),
        laws=t.ids("laws"),
        elements=t.elements("elements", sure("elements"), in_law=False),
        batch=t.word("batch", _BATCH),
        batch_max=t.number("batch_max"),
        deadline_hours=t.number("deadline_hours"),
        costs=t.costs("costs", sure("costs")),
        says=t.text("says"),
        fields=tuple(
            FormField(
                f.text("label", needed=True),
                f.word("value", _VALUES),
                f.text("choose"),
                f.number("max"),
                f.text("note"),
            )
            for f in t.tables("field")
        ),
        **provenance,
    )
    if not channel.address and not channel.steps:
        raise ValueError(f"channel {channel.id}: there is no way to use it: address or steps")
    if channel.batch == "one" and channel.batch_max not in (None, 1):
        raise ValueError(f"channel {channel.id}: batch_max must be 1 where a report takes one")
    return channel


class _Table:
    """One TOML table. Each value is taken once, by the method for its type; what is left over is an unknown key."""

    def __init__(self, values: Mapping[str, Any], where: str) -> None:
        self._values = dict(values)
        self._where = where
        self._inner: list[_Table] = []
        self._present = frozenset(values)

    def done(self) -> None:
        for table in self._inner:
            table.done()
        if self._values:
            raise ValueError(f"{self._where}there is no key called {min(self._values)!r}")

    def _bad(self, key: str, must: str) -> ValueError:
        return ValueError(f"{self._where}{key} must be {must}")

    def text(self, key: str, needed: bool = False) -> str:
        value = self._values.pop(key, "")
        if not _is_line(value):
            raise self._bad(key, "one line of text")
        if needed and not value:
            raise self._bad(key, "there")
        return str(value)

    def texts(self, key: str) -> tuple[str, ...]:
        value = self._values.pop(key, [])
        if not isinstance(value, list) or not all(_is_line(v) and v for v in value):
            raise self._bad(key, "a list of lines of text")
        return tuple(value)

    def word(self, key: str, words: tuple[str, ...], default: str = "") -> str:
        value = self._values.pop(key, default)
        if value not in words:
            raise self._bad(key, f"one of {', '.join(words)}")
        return str(value)

    def one_or_more(self, key: str, words: tuple[str, ...]) -> tuple[str, ...]:
        if isinstance(self._values.get(key), list):
            return self.words(key, words, needed=True)
        return (self.word(key, words),)

    def warnings(self, key: str) -> dict[str, Any]:
        """Lines of text, each alone or as a table that says for whom it is: {says = "…", for = "agent"}."""
        value = self._values.pop(key, [])
        if not isinstance(value, list):
            raise self._bad(key, "a list")
        found: dict[str, str] = {}
        for number, warning in enumerate(value, 1):
            t = _Table(warning if isinstance(warning, dict) else {"says": warning}, f"{self._where}{key} {number}: ")
            self._inner.append(t)
            says = t.text("says", needed=True)
            if says in found:
                raise self._bad(key, "a list without doubles")
            found[says] = t.word("for", _FOR) if isinstance(warning, dict) else ""
        return {"warnings": tuple(found), "warnings_for": {says: whom for says, whom in found.items() if whom}}

    def words(self, key: str, words: tuple[str, ...], needed: bool = False) -> tuple[str, ...]:
        found = self.texts(key)
        if not {*found} <= {*words} or len({*found}) < len(found) or (needed and not found):
            raise self._bad(key, f"a list of some of {', '.join(words)}")
        return found

    def id(self, key: str) -> str:
        value = self._values.pop(key, "")
        if not isinstance(value, str) or not _ID.fullmatch(value):
            raise self._bad(key, "an id of lower-case letters, digits and _")
        return value

    def ids(self, key: str) -> tuple[str, ...]:
        found = self.texts(key)
        if not all(map(_ID.fullmatch, found)):
            raise self._bad(key, "a list of ids")
        return found

    def number(self, key: str) -> int | None:
        value = self._values.pop(key, None)
        if value is not None and (type(value) is not int or not 0 < value < 100_000):
            raise self._bad(key, "a whole number above 0")
        return value

    def date(self, key: str) -> datetime.date | None:
        value = self._values.pop(key, None)
        if value is not None and type(value) is not datetime.date:
            raise self._bad(key, "a date")
        return value

    def tables(self, key: str) -> tuple[_Table, ...]:
        value = self._values.pop(key, [])
        if not isinstance(value, list) or not all(isinstance(v, dict) for v in value):
            raise self._bad(key, "a list of tables")
        found = tuple(_Table(v, f"{self._where}{key} {n}: ") for n, v in enumerate(value, 1))
        self._inner += found
        return found

    def countries(self, key: str, groups: bool) -> tuple[str, ...]:
        found = self.texts(key)
        codes = [c for c in found if not (groups and c in GROUPS)]
        if found != (EVERYWHERE,) and not (found and all(map(_COUNTRY.fullmatch, codes))):
            raise self._bad(key, 'two-letter codes such as "GB", or "*" alone')
        return found

    def hosts(self, key: str) -> tuple[str, ...]:
        found = self.texts(key)
        if not all(map(HOST.fullmatch, found)):
            raise self._bad(key, "a list of host names in lower-case ASCII")
        return found

    def rule(self, key: str) -> str:
        value = self.text(key, needed=True)
        if len(value) > 200 or value.count("?") > 12 or not _RULE.fullmatch(value):
            raise self._bad(key, "a simple rule: ^, text, and runs that end at / or ? or the end (see docs/facts.md)")
        re.compile(value)
        return value

    def address(self, key: str, kind: str) -> str:
        value = self.text(key)
        if not value:
            return ""
        if not value.isascii():
            raise self._bad(key, "written in ASCII alone")
        host = _HTTPS.fullmatch(value) or _EMAIL.fullmatch(value)
        sound = {
            "email": _EMAIL.fullmatch(value),
            "phone": _PHONE.fullmatch(value),
            "post": True,
        }.get(kind, _HTTPS.fullmatch(value))
        if not sound or (host and not HOST.fullmatch(host[1].lower())):
            raise self._bad(key, "https://…, an e-mail address or a phone number, as the kind of channel says")
        return value

    def gloss(self, key: str) -> Mapping[str, str]:
        value = self._values.pop(key, {})
        sound = isinstance(value, dict) and all(_is_line(v) and v for v in value.values())
        if not sound or not {"en"} <= {*value} <= {*LANGUAGES}:
            raise self._bad(key, f"a table of texts by language ({', '.join(LANGUAGES)}), with en")
        return dict(value)

    def confidence(self, default: Confidence) -> Confidence:
        return Confidence(self.word("confidence", tuple(Confidence), default))

    def provenance(self, parts: Mapping[str, str]) -> dict[str, Any]:
        """The keys source, verified_on, confidence and unchecked, which agree with each other."""
        confidence = Confidence(self.word("confidence", tuple(Confidence)))
        source, verified_on, unchecked = self.text("source"), self.date("verified_on"), self.texts("unchecked")
        if confidence is Confidence.UNVERIFIED:
            if source or verified_on or unchecked:
                raise ValueError(f"{self._where}what is unverified has no source, verified_on or unchecked")
        elif not source or not verified_on:
            raise ValueError(f"{self._where}source and verified_on (a date) must be there, unless it is unverified")
        there = {*self._present, *({"elements"} & {*parts} if "element" in self._present else ())}
        there |= {"fields"} if "field" in self._present else set()
        if not {*unchecked} <= {*parts} & there:
            raise self._bad("unchecked", f"a list of keys that are there, some of {', '.join(parts)}")
        return {"source": source, "verified_on": verified_on, "confidence": confidence, "unchecked": unchecked}

    def deadline(self, key: str, default: Confidence) -> Deadline | None:
        if key not in self._values:
            return None
        value = self._values.pop(key)
        if not isinstance(value, dict):
            raise self._bad(key, "a table")
        t = _Table(value, f"{key}: ")
        self._inner.append(t)
        found = {unit: t.number(unit) or 0 for unit in ("hours", "days", "months")}
        if sum(map(bool, found.values())) != 1:
            raise self._bad(key, "in hours, days or months, one of them")
        return Deadline(
            **found,
            starts=t.text("starts", needed=True),
            words=t.text("words", needed=True),
            confidence=t.confidence(default),
        )

    def elements(self, key: str, default: Confidence, in_law: bool) -> tuple[NeededElement, ...]:
        found = tuple(
            NeededElement(
                t.id("id"), t.word("need", _NEED), t.text("says", needed=in_law), t.text("cite"), t.confidence(default)
            )
            for t in self.tables(key)
        )
        if unknown := next((e.id for e in found if e.id not in ELEMENTS), ""):
            raise ValueError(f"{self._where}{key}: there is no element called {unknown!r}")
        if len({e.id for e in found}) < len(found):
            raise self._bad(key, "a list without doubles")
        return found

    def costs(self, key: str, default: Confidence) -> tuple[Cost, ...]:
        return tuple(
            Cost(t.word("kind", _COST), t.text("says", needed=True), t.confidence(default)) for t in self.tables(key)
        )


def _sureness(provenance: Mapping[str, Any]) -> Callable[[str], Confidence]:
    """How sure a part is that does not say so itself: as the whole, or unverified where the source lacks it."""
    return lambda part: Confidence.UNVERIFIED if part in provenance["unchecked"] else provenance["confidence"]


def _id(id: str) -> str:
    if not _ID.fullmatch(id):
        raise ValueError("the name of the file must be lower-case letters, digits and _")
    return id


def _is_line(value: object) -> bool:
    if not isinstance(value, str) or value != value.strip() or len(value) > 2_000:
        return False
    return value.translate(_INVISIBLE_BUT_MEANT).isprintable()
