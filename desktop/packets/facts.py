"""Laws and platforms: `resources/laws/` and `resources/platforms/`, one TOML file each, checked as they are read.

A fact is never surer than where it was read. What was not read in an official text or on the platform's own page
says so, in `doubts()`, with the words "check before sending". How a file is written: `docs/facts.md`.
"""

from __future__ import annotations

import datetime
import functools
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from desktop.packets.elements import ELEMENTS
from desktop.safety.helplines import Confidence
from detectors.errors import CounterproofError

RESOURCES = Path(__file__).resolve().parents[2] / "resources"
EVERYWHERE = "*"
CHECK = "check before sending"
LANGUAGES = ("en", "fr", "es", "pt", "sw", "ar", "ko", "hi")
ROLES = ("depicted", "agent", "guardian", "owner", "anyone")
PLATFORM_KINDS = (
    "platform", "messenger", "search", "adult", "model_host", "code_host", "instance", "host", "cdn", "registrar",
    "hash_programme", "aggregator", "regulator", "police", "court", "support",
)  # fmt: skip
# What a field of a form can hold besides an element of the request.
FIELD_VALUES = (
    "platform_name",
    "law_citation",
    "depicted_name",
    "sender_name",
    "on_behalf",
    "statement",
    "letter",
    "none",
)

_EU = frozenset({
    "AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU", "IE", "IT", "LT", "LU", "LV",
    "MT", "NL", "PL", "PT", "RO", "SE", "SI", "SK",
})  # fmt: skip
_GROUPS = {"EU": _EU, "EEA": _EU | {"IS", "LI", "NO"}}

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
_AFTER = ("deadline", "refusal", "always")
_YES_NO = ("yes", "no", "unknown")
_URL_KIND = ("post", "profile", "search", "home", "message")
_PURPOSE = ("intimate", "privacy", "abuse", "copyright", "regional", "child_safety", "complaint", "report", "order")
_CHANNEL_KIND = ("form", "email", "in_app", "portal", "phone", "post")
_VALUES = (*ELEMENTS, *FIELD_VALUES)
_BATCH = ("one", "urls", "urls_one_host")

_LESS_SURE = {
    Confidence.SECONDARY: "Only a secondary source says",
    Confidence.UNVERIFIED: "Nobody has verified",
}
# What `unchecked` may name, in the words of the doubt.
_LAW_PARTS = {
    "citation": "the citation",
    "countries": "where it applies",
    "status": "whether it is in force",
    "in_force_since": "the date from which it is in force",
    "synthetic": "whether it covers made or altered images",
    "who": "who may file",
    "binds": "whom it obliges",
    "link": "what ties a case to it",
    "deadline": "the time limit",
    "elements": "what a request needs",
}
_PLATFORM_PARTS = {
    "owner": "the owner",
    "hosts": "the list of its addresses",
    "countries": "where it is available",
    "laws": "which laws it follows",
    "stopncii": "whether it takes part in StopNCII",
    "take_it_down": "whether it takes part in Take It Down",
}
_CHANNEL_PARTS = {
    "name": "the name",
    "address": "the address",
    "steps": "the steps",
    "countries": "for which countries it is",
    "account": "whether it needs an account",
    "who": "who may file",
    "laws": "on which laws it acts",
    "elements": "what it asks for",
    "batch": "how many addresses one report takes",
    "deadline_hours": "the time limit",
    "costs": "what it passes on",
    "fields": "the fields of the form",
}

# French sets spaces that do not break, Hindi joins and separates letters; other invisible characters are refused.
_INVISIBLE_BUT_MEANT = dict.fromkeys(map(ord, "\u00a0\u202f\u200c\u200d"))
_ID = re.compile(r"[a-z][a-z0-9_]*")
_COUNTRY = re.compile(r"[A-Z]{2}")
_HOST = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]")
_HTTPS = re.compile(r"https://([^/?#@\\:]+)(?:[/?#][!-~]*)?")
_EMAIL = re.compile(r"[A-Za-z0-9._+-]+@([^@]+)")
_PHONE = re.compile(r"\+?[0-9][0-9 -]{1,20}[0-9]")
_ZONE = re.compile(r"[A-Za-z_]+(?:/[A-Za-z_-]+){0,2}")
# A rule for addresses is anchored, and every run in it ends where it must: matching cannot go back and forth.
_RUN = r"(?:\[\^/\?#\]|\[\\w[.@-]*\]|\\d|\\w)\+"
_RULE = re.compile(
    rf"\^(?:[\w/=&@%:~-]\??|\\[.?+]\??|\(\?:[\w/=&@|.\\?-]*\)\??|{_RUN}(?=/|\\\?|\$|\(\?:[/|\\?]*\)|$))*\$?", re.ASCII
)

T = TypeVar("T")


class FactsError(CounterproofError):
    """A fact is missing, damaged, or could not be added.

    Codes: facts_damaged, unknown_law, unknown_platform; and those of `facts_import`.
    """


@dataclass(frozen=True, slots=True)
class NeededElement:
    """One element that a law or a channel needs. `need`: always, agent (only when somebody files for the person), or
    sensible (asked for by practice, not by the text). `cite` is where in the law it stands."""

    id: str
    need: str
    says: str
    cite: str
    confidence: Confidence


@dataclass(frozen=True, slots=True)
class Cost:
    """What a request costs its sender, in one sentence."""

    kind: str
    says: str
    confidence: Confidence


@dataclass(frozen=True, slots=True)
class Deadline:
    """A time limit: exactly one of `hours`, `days` and `months` is not 0. `starts` says from when it runs."""

    hours: int
    days: int
    months: int
    starts: str
    words: str
    confidence: Confidence


@dataclass(frozen=True, slots=True)
class Next:
    """What can be done `after` a deadline, a refusal, or always, and the platform (regulator, police) that does it."""

    after: str
    platform: str
    says: str


@dataclass(frozen=True, slots=True)
class Law:
    """One legal basis. Keys as in `docs/facts.md`; `added_on` is the day on which a person added it by hand."""

    id: str
    name: str
    citation: str
    countries: tuple[str, ...]
    addressed_to: str
    status: str
    in_force_since: datetime.date | None
    synthetic: str
    synthetic_says: str
    offer: str
    who: tuple[str, ...]
    time_zone: str
    binds: tuple[str, ...]
    link: str
    says: str
    gloss: Mapping[str, str]
    warnings: tuple[str, ...]
    source: str
    verified_on: datetime.date | None
    confidence: Confidence
    unchecked: tuple[str, ...]
    deadline: Deadline | None
    elements: tuple[NeededElement, ...]
    costs: tuple[Cost, ...]
    next: tuple[Next, ...]
    added_on: datetime.date | None = None

    def in_force(self, on: datetime.date) -> bool:
        """Whether the law is in force on that day, as far as this file knows; a coming law is from its date on."""
        if self.status == "not_confirmed":
            return False
        if self.in_force_since is None:
            return self.status == "in_force"
        return on >= self.in_force_since

    def doubts(self) -> tuple[str, ...]:
        """What a person should check before she relies on it, a sentence each; empty when all was verified."""
        own = self.confidence
        read = _not_read(own, self.verified_on, "in the official text", "this law")
        found = [*_by_hand(self.added_on), *read]
        if self.status == "not_confirmed":
            found.append(f"It is not confirmed that this law is in force: {CHECK}.")
        found += _not_in_source(self.unchecked, _LAW_PARTS)
        if self.deadline and "deadline" not in self.unchecked and _worse(self.deadline.confidence, own):
            found.append(_part(f"The time limit is {self.deadline.words}.", self.deadline.confidence))
        return (*found, *_of_elements(self.elements, own, self.unchecked))


@dataclass(frozen=True, slots=True)
class UrlRule:
    """`pattern` is searched in path and query of an address; where it fits, the address leads to a `kind`."""

    kind: str
    pattern: str


@dataclass(frozen=True, slots=True)
class FormField:
    """One field of a form: `value` is an element or one of FIELD_VALUES, `choose` what to choose, `max` characters."""

    label: str
    value: str
    choose: str
    max: int | None
    note: str


@dataclass(frozen=True, slots=True)
class Channel:
    """One way to reach a platform.

    A form, e-mail, portal or letter without an `address` takes the one that the request gives in `[recipient]`; its
    `steps` then say how to find it. `batch`: one (a report for each item), urls (a list of addresses, one a line), or
    urls_one_host (the same, all with one host name); `batch_max` is None where no limit is stated.
    """

    id: str
    name: str
    purpose: str
    kind: str
    address: str
    steps: tuple[str, ...]
    countries: tuple[str, ...]
    account: str
    who: tuple[str, ...]
    laws: tuple[str, ...]
    elements: tuple[NeededElement, ...]
    batch: str
    batch_max: int | None
    deadline_hours: int | None
    costs: tuple[Cost, ...]
    says: str
    fields: tuple[FormField, ...]
    source: str
    verified_on: datetime.date | None
    confidence: Confidence
    unchecked: tuple[str, ...]

    def doubts(self) -> tuple[str, ...]:
        """What a person should check before she relies on it, a sentence each; empty when all was verified."""
        read = _not_read(self.confidence, self.verified_on, "on the platform’s own pages", "this way to report")
        missing = _not_in_source(self.unchecked, _CHANNEL_PARTS)
        return (*read, *missing, *_of_elements(self.elements, self.confidence, self.unchecked))


@dataclass(frozen=True, slots=True)
class Platform:
    """Anybody who can be asked: a platform, a search engine, a host, a regulator, the police."""

    id: str
    name: str
    kind: str
    owner: str
    hosts: tuple[str, ...]
    countries: tuple[str, ...]
    laws: tuple[str, ...]
    stopncii: str
    stopncii_since: str
    take_it_down: str
    says: str
    warnings: tuple[str, ...]
    urls: tuple[UrlRule, ...]
    channels: tuple[Channel, ...]
    source: str
    verified_on: datetime.date | None
    confidence: Confidence
    unchecked: tuple[str, ...]
    added_on: datetime.date | None = None

    def channel(self, id: str) -> Channel | None:
        """The channel with that id, or None."""
        return next((c for c in self.channels if c.id == id), None)

    def doubts(self) -> tuple[str, ...]:
        """What a person should check before she relies on it, a sentence each; empty when all was verified."""
        read = _not_read(self.confidence, self.verified_on, "on its own pages", f"what is said here about {self.name}")
        return (*_by_hand(self.added_on), *read, *_not_in_source(self.unchecked, _PLATFORM_PARTS))


class _Files(Mapping[str, T], Generic[T]):
    """Facts by id, each file parsed when it is first asked for: TOML is slow to parse, and few are ever needed."""

    def __init__(self, files: Mapping[str, tuple[Path, datetime.date | None]], parse: Callable[..., T]) -> None:
        self._files = files
        self._parse = parse
        self._parsed: dict[str, T] = {}

    def __getitem__(self, id: str) -> T:
        if id not in self._parsed:
            path, added_on = self._files[id]
            self._parsed[id] = _read(path, self._parse, added_on)
        return self._parsed[id]

    def __contains__(self, id: object) -> bool:
        return id in self._files

    def __iter__(self) -> Iterator[str]:
        return iter(self._files)

    def __len__(self) -> int:
        return len(self._files)


@dataclass(frozen=True)
class Facts:
    """All laws and platforms by id. `added_by_hand` names those that a person added, such as `laws/us_tida`."""

    laws: Mapping[str, Law]
    platforms: Mapping[str, Platform]
    added_by_hand: frozenset[str]

    def law(self, id: str) -> Law:
        """The law with that id. Raises FactsError (unknown_law) with the ids that are close to it."""
        if id not in self.laws:
            raise _unknown("law", id, self.laws)
        return self.laws[id]

    def platform(self, id: str) -> Platform:
        """The platform with that id. Raises FactsError (unknown_platform) with the ids that are close to it."""
        if id not in self.platforms:
            raise _unknown("platform", id, self.platforms)
        return self.platforms[id]

    def platform_for(self, url: str) -> Platform | None:
        """The platform whose address this is, subdomains included, or None."""
        labels = split_url(url)[0].split(".")
        for start in range(len(labels) - 1):
            if id := self._by_host.get(".".join(labels[start:])):
                return self.platforms[id]
        return None

    def url_kind(self, platform: Platform, url: str) -> str | None:
        """What the address leads to: post, profile, search, home or message; None when no rule of the platform fits."""
        rest = split_url(url)[1]
        return next((rule.kind for rule in platform.urls if re.search(rule.pattern, rest, re.ASCII)), None)

    @functools.cached_property
    def _by_host(self) -> Mapping[str, str]:
        return {host: id for id, platform in self.platforms.items() for host in platform.hosts}


@functools.lru_cache(maxsize=8)
def load(folder: Path = RESOURCES, added: Path | None = None) -> Facts:
    """The laws and platforms of `folder`, and over them those that a person added by hand (`added`, by day).

    A file is parsed when it is first asked for. The answer is kept for the process; `load.cache_clear()` forgets it.
    Raises FactsError (facts_damaged) when there is none or a folder cannot be read.
    """
    laws, platforms = (_listed(folder, added, kind) for kind in ("laws", "platforms"))
    if not laws or not platforms:
        raise _damaged("there are none")
    by_hand = {f"laws/{id}" for id, (_, on) in laws.items() if on}
    by_hand |= {f"platforms/{id}" for id, (_, on) in platforms.items() if on}
    return Facts(_Files(laws, parse_law), _Files(platforms, parse_platform), frozenset(by_hand))


def countries_of(codes: Iterable[str]) -> frozenset[str]:
    """ISO 3166-1 alpha-2 codes, with the groups EU and EEA replaced by their members. `*` stays."""
    return frozenset(country for code in codes for country in _GROUPS.get(code, {code}))


def split_url(url: str) -> tuple[str, str]:
    """Host (lower-case, no port) and path with query of an address; the host is empty where there is none in ASCII."""
    rest = re.sub(r"^[A-Za-z][A-Za-z0-9+.-]*://", "", url.strip(), count=1)
    # A browser takes a backslash for a slash; what stands before an @ is no host.
    authority, path = re.fullmatch(r"([^/?#\\]*)(.*)", rest, re.DOTALL).groups()  # type: ignore[union-attr]
    host = authority.rpartition("@")[2].partition(":")[0].rstrip(".").lower()
    return (host if _HOST.fullmatch(host) else ""), path.partition("#")[0]


def cross_check(facts: Facts) -> tuple[str, ...]:
    """What the files say of each other that is not so: an unknown law or platform, one host in two files."""
    wrong = []
    for law in facts.laws.values():
        wrong += [
            f"laws/{law.id}: next {n.platform!r} is no platform" for n in law.next if n.platform not in facts.platforms
        ]
    hosts: dict[str, str] = {}
    for platform in facts.platforms.values():
        named = {*platform.laws, *(law for channel in platform.channels for law in channel.laws)}
        wrong += [f"platforms/{platform.id}: {law!r} is no law" for law in sorted(named) if law not in facts.laws]
        for host in platform.hosts:
            if (other := hosts.setdefault(host, platform.id)) != platform.id:
                wrong.append(f"platforms/{platform.id}: {host} is in platforms/{other} too")
    return tuple(wrong)


def parse_law(id: str, values: Mapping[str, Any], added_on: datetime.date | None = None) -> Law:
    """A law from TOML values. Raises ValueError with the reason in plain words."""
    t = _Table(values, "")
    provenance = t.provenance(_LAW_PARTS)
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
        warnings=t.texts("warnings"),
        deadline=t.deadline("deadline", sure("deadline")),
        elements=t.elements("element", sure("elements"), in_law=True),
        costs=t.costs("cost", sure("costs")),
        next=tuple(
            Next(n.word("after", _AFTER), n.id("platform"), n.text("says", needed=True)) for n in t.tables("next")
        ),
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
        warnings=t.texts("warnings"),
        urls=tuple(UrlRule(u.word("kind", _URL_KIND), u.rule("pattern")) for u in t.tables("url")),
        channels=tuple(_channel(c) for c in t.tables("channel")),
        added_on=added_on,
        **t.provenance(_PLATFORM_PARTS),
    )
    t.done()
    if not platform.channels:
        raise ValueError("at least one channel must be there")
    if len({c.id for c in platform.channels}) < len(platform.channels):
        raise ValueError("two channels have the same id")
    return platform


def _channel(t: _Table) -> Channel:
    kind = t.word("kind", _CHANNEL_KIND)
    provenance = t.provenance(_CHANNEL_PARTS)
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
        raise ValueError(f"channel {channel.id}: batch_max is 1 where a report takes one")
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
            raise ValueError(f"there is no key called {self._where}{min(self._values)!r}")

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
        codes = [c for c in found if not (groups and c in _GROUPS)]
        if found != (EVERYWHERE,) and not (found and all(map(_COUNTRY.fullmatch, codes))):
            raise self._bad(key, 'two-letter codes such as "GB", or "*" alone')
        return found

    def hosts(self, key: str) -> tuple[str, ...]:
        found = self.texts(key)
        if not all(map(_HOST.fullmatch, found)):
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
        if not sound or (host and not _HOST.fullmatch(host[1].lower())):
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


def _listed(folder: Path, added: Path | None, kind: str) -> dict[str, tuple[Path, datetime.date | None]]:
    """Path and day of adding by id, sorted; what was added later stands over what was there."""
    found: dict[str, tuple[Path, datetime.date | None]] = {}
    try:
        for name in os.listdir(folder / kind):
            if name.endswith(".toml"):
                found[name[:-5]] = (folder / kind / name, None)
        for day in sorted(os.listdir(added)) if added and added.is_dir() else ():
            under = added / day / kind if added else folder
            if re.fullmatch(r"\d{4}-\d{2}-\d{2}", day) and under.is_dir():
                for name in os.listdir(under):
                    if name.endswith(".toml"):
                        found[name[:-5]] = (under / name, datetime.date.fromisoformat(day))
    except OSError as e:
        raise _damaged(f"they could not be read: {e.strerror}") from e
    return dict(sorted(found.items()))


def _read(path: Path, parse: Callable[..., T], added_on: datetime.date | None) -> T:
    """One file. Raises FactsError with the reason."""
    import tomllib

    try:
        return parse(path.stem, tomllib.loads(path.read_bytes().decode("utf-8")), added_on)
    except OSError as e:
        raise _damaged(f"{path.name} could not be read: {e.strerror}") from e
    except ValueError as e:
        raise _damaged(f"{path.name}: {e}") from e


def _damaged(why: str) -> FactsError:
    return FactsError(
        "facts_damaged",
        f"The list of laws and platforms is damaged ({why}).",
        "Install Counterproof again, or take away the facts that were added by hand.",
    )


def _unknown(what: str, id: str, known: Iterable[str]) -> FactsError:
    import difflib

    close = difflib.get_close_matches(id, known, n=3)
    remedy = f"Perhaps one of these was meant: {', '.join(close)}. " if close else ""
    return FactsError(
        f"unknown_{what}", f"There is no {what} called {id[:80]!r}.", f"{remedy}`counterproof packet facts` lists all."
    )


def _worse(confidence: Confidence, than: Confidence) -> bool:
    order = list(Confidence)
    return order.index(confidence) > order.index(than)


def _by_hand(added_on: datetime.date | None) -> list[str]:
    return [f"Added by hand on {_day(added_on)}: {CHECK}."] if added_on else []


def _not_read(confidence: Confidence, verified_on: datetime.date | None, where: str, what: str) -> list[str]:
    if confidence is Confidence.UNVERIFIED:
        return [f"Nobody has verified {what}: {CHECK}."]
    if confidence is Confidence.SECONDARY and verified_on:
        return [f"Not read {where} (as of {_day(verified_on)}): {CHECK}."]
    return []


def _not_in_source(unchecked: Iterable[str], parts: Mapping[str, str]) -> list[str]:
    named = [parts[key] for key in unchecked]
    return [f"Not in the source, so {CHECK}: {', '.join(named)}."] if named else []


def _of_elements(elements: Iterable[NeededElement], own: Confidence, unchecked: tuple[str, ...]) -> list[str]:
    """One sentence for the elements that are less sure than what asks for them; none where all are unchecked."""
    found = []
    for confidence, read in _LESS_SURE.items():
        named = [ELEMENTS[e.id].title for e in elements if e.confidence is confidence and _worse(confidence, own)]
        if named and "elements" not in unchecked:
            found.append(f"{read} that it needs these, so {CHECK}: {', '.join(named)}.")
    return found


def _part(says: str, confidence: Confidence) -> str:
    return f"{says} {_LESS_SURE[confidence]} that, so {CHECK}."


def _day(day: datetime.date) -> str:
    return f"{day.day} {day:%B %Y}"
