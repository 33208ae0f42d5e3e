"""Laws and platforms: `resources/laws/` and `resources/platforms/`, one TOML file each, checked as they are read.

A fact is never surer than where it was read. What was not read in an official text or on the platform's own page
says so, in `doubts()`, with the words "check before sending". How a file is written: `docs/facts.md`.
"""

from __future__ import annotations

import datetime
import functools
import os
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

from desktop.packets.elements import ELEMENTS
from desktop.safety.helplines import Confidence, Helpline
from detectors.errors import CounterproofError

RESOURCES = Path(__file__).resolve().parents[2] / "resources"
EVERYWHERE = "*"
EVERY: Collection[str] = ("*",)  # all elements, where no request says which ones it uses
CHECK = "check before sending"
_EU = frozenset({
    "AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU", "IE", "IT", "LT", "LU", "LV",
    "MT", "NL", "PL", "PT", "RO", "SE", "SI", "SK",
})  # fmt: skip
GROUPS = {"EU": _EU, "EEA": _EU | {"IS", "LI", "NO"}}

# What is called otherwise inside a sentence than in a list of countries, and the groups.
_IN_A_SENTENCE = {
    "AE": "the United Arab Emirates", "BS": "the Bahamas", "CD": "the Democratic Republic of the Congo",
    "CF": "the Central African Republic", "CG": "the Republic of the Congo", "DO": "the Dominican Republic",
    "EEA": "the European Economic Area", "EU": "the European Union", "GB": "the United Kingdom", "GM": "the Gambia",
    "KR": "the Republic of Korea", "MV": "the Maldives", "NL": "the Netherlands", "PH": "the Philippines",
    "US": "the United States",
}  # fmt: skip

_LESS_SURE = {
    Confidence.SECONDARY: "only a secondary source says",
    Confidence.UNVERIFIED: "nobody has verified",
}
# What `unchecked` may name, in the words of the doubt.
LAW_PARTS = {
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
PLATFORM_PARTS = {
    "owner": "the owner",
    "hosts": "the list of its addresses",
    "countries": "where it is available",
    "laws": "which laws it follows",
    "stopncii": "whether it takes part in StopNCII",
    "take_it_down": "whether it takes part in Take It Down",
}
CHANNEL_PARTS = {
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

HOST = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]")
_LAST_LATIN = "\u024f"
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
T = TypeVar("T", bound="Law | Platform | Helpline")
Parse = Callable[[str, Mapping[str, Any], datetime.date | None], T]


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
    """One legal basis. Keys as in `docs/facts.md`; `added_on` is the day on which a person added it by hand.

    `warnings_for` names whom a warning concerns (agent, lawyer) where it does not concern every sender.
    """

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
    warnings_for: Mapping[str, str] = field(default_factory=dict)

    @property
    def called(self) -> str:
        """The name in the original language, with what it means where that language has letters of its own."""
        foreign = any(letter.isalpha() and letter > _LAST_LATIN for letter in self.name)
        return f"{self.name} ({self.gloss['en']})" if foreign else self.name

    def warnings_to(self, acts_for_another: bool) -> tuple[str, ...]:
        """The warnings that concern the sender: without those for lawyers, and for others those for who acts alone."""
        return _warnings_to(self, acts_for_another)

    def obliges(self, platform: Platform) -> bool:
        """Whether its duty and its time limit hold for that platform: by its kind, or because it says that it follows
        this law."""
        return platform.kind in self.binds or self.id in platform.laws

    def in_force(self, on: datetime.date) -> bool:
        """Whether the law is in force on that day, as far as this file knows; a coming law is from its date on."""
        if self.status == "not_confirmed":
            return False
        if self.in_force_since is None:
            return self.status == "in_force"
        return on >= self.in_force_since

    def doubts(self, elements: Collection[str] = EVERY, without: Collection[str] = ()) -> tuple[str, ...]:
        """What to check before relying on it: one sentence, and one more where a person added it; empty when all was
        verified. Nothing is said of elements that are not among `elements`, nor of the parts (LAW_PARTS) in `without`.
        """
        found = _not_read(self, "it", "in the official text")
        if self.status == "not_confirmed":
            found.append("it is not confirmed that it is in force")
        found += _not_in_source(self, LAW_PARTS, without)
        limit = self.deadline
        if limit and not {"deadline"} & {*self.unchecked, *without} and _worse(limit.confidence, self.confidence):
            found.append(f"{_LESS_SURE[limit.confidence]} that the time limit is {limit.words}")
        return (*_by_hand(self.added_on), *_doubt(self.called, [*found, *_of_elements(self, elements)]))


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

    def doubts(self, elements: Collection[str] = EVERY, without: Collection[str] = ()) -> tuple[str, ...]:
        """As `Law.doubts`; the parts are those of CHANNEL_PARTS."""
        found = [*_not_read(self, "it", "on the platform’s own pages"), *_not_in_source(self, CHANNEL_PARTS, without)]
        return _doubt(f"The way “{self.name}”", [*found, *_of_elements(self, elements)])


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
    warnings_for: Mapping[str, str] = field(default_factory=dict)

    def warnings_to(self, acts_for_another: bool) -> tuple[str, ...]:
        """As `Law.warnings_to`."""
        return _warnings_to(self, acts_for_another)

    def channel(self, id: str) -> Channel | None:
        """The channel with that id, or None."""
        return next((c for c in self.channels if c.id == id), None)

    def doubts(self, without: Collection[str] = ()) -> tuple[str, ...]:
        """As `Law.doubts`; the parts are those of PLATFORM_PARTS."""
        found = [
            *_not_read(self, "what is said of it here", "on its own pages"),
            *_not_in_source(self, PLATFORM_PARTS, without),
        ]
        return (*_by_hand(self.added_on), *_doubt(self.name, found))


class _Files(Mapping[str, T], Generic[T]):
    """Facts by id, each file parsed when it is first asked for: TOML is slow to parse, and few are ever needed."""

    def __init__(self, kind: str, files: Mapping[str, tuple[Path, datetime.date | None]], parse: Parse[T]) -> None:
        self._kind = kind
        self._files = files
        self._parse = parse
        self._parsed: dict[str, T] = {}

    def added(self) -> list[str]:
        """The names of those that were added by hand."""
        return [f"{self._kind}/{id}" for id, (_, on) in self._files.items() if on]

    def __getitem__(self, id: str) -> T:
        if id not in self._parsed:
            self._parsed[id] = _read(*self._files[id], self._parse)
        return self._parsed[id]

    def __contains__(self, id: object) -> bool:
        return id in self._files

    def __iter__(self) -> Iterator[str]:
        return iter(self._files)

    def __len__(self) -> int:
        return len(self._files)


@dataclass(frozen=True)
class Facts:
    """All laws and platforms by id, and the helplines with those that were added.

    `added_by_hand` names what a person added and what stands, such as `laws/us_tida`.
    """

    laws: Mapping[str, Law]
    platforms: Mapping[str, Platform]
    added_by_hand: frozenset[str]
    helplines: Mapping[str, Helpline] = field(default_factory=dict)

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
    """The laws and platforms of `folder`, and over them those that a person added by hand.

    `added` holds a folder for each day (`2026-11-28/laws/us_tida.toml`); a file of a later day stands over an earlier
    one, and a shipped file that was verified later than an added one stands over it. A file is parsed when it is first
    asked for. The answer is kept for the process; `load.cache_clear()` forgets it. Raises FactsError (facts_damaged)
    when there is none or a folder cannot be read.
    """
    from desktop.packets import facts_file  # it stands on the records of this module

    laws = _listed(folder, added, "laws", facts_file.parse_law)
    platforms = _listed(folder, added, "platforms", facts_file.parse_platform)
    helplines = _listed(folder, added, "helplines", facts_file.parse_helpline)
    if not laws or not platforms:
        raise _damaged("there are none")
    by_hand = [name for files in (laws, platforms, helplines) for name in files.added()]
    return Facts(laws, platforms, frozenset(by_hand), helplines)


def last_read(fact: Law | Platform | Helpline) -> datetime.date:
    """The latest day on which something in the file was verified; the earliest of all days where nothing was."""
    parts = (fact, *(fact.channels if isinstance(fact, Platform) else ()))
    return max(part.verified_on or datetime.date.min for part in parts)


def countries_of(codes: Iterable[str]) -> frozenset[str]:
    """ISO 3166-1 alpha-2 codes, with the groups EU and EEA replaced by their members. `*` stays."""
    return frozenset(country for code in codes for country in GROUPS.get(code, {code}))


def country_name(code: str) -> str:
    """The country in English, as inside a sentence; the code itself where there is no such country."""
    from desktop.packets import countries

    return _IN_A_SENTENCE.get(code) or countries.country_name(code, "en")


def split_url(url: str) -> tuple[str, str]:
    """Host (lower-case, no port) and path with query of an address; the host is empty where there is none in ASCII."""
    rest = re.sub(r"^[A-Za-z][A-Za-z0-9+.-]*://", "", url.strip(), count=1)
    # A browser takes a backslash for a slash; what stands before an @ is no host.
    authority, path = re.fullmatch(r"([^/?#\\]*)(.*)", rest, re.DOTALL).groups()  # type: ignore[union-attr]
    host = authority.rpartition("@")[2].partition(":")[0].rstrip(".").lower()
    return (host if HOST.fullmatch(host) else ""), path.partition("#")[0]


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


def _listed(folder: Path, added: Path | None, kind: str, parse: Parse[T]) -> _Files[T]:
    """The files of one kind by id, sorted: what was added stands over what was there, unless that was read later."""
    try:
        found: dict[str, tuple[Path, datetime.date | None]] = {p.stem: (p, None) for p in _tomls(folder / kind)}
        for date in sorted(os.listdir(added)) if added and added.is_dir() else ():
            if added and _DAY.fullmatch(date):
                on = datetime.date.fromisoformat(date)
                for path in _tomls(added / date / kind):
                    shipped, over = found.get(path.stem, (None, on))
                    if not shipped or over or _stands_over(path, shipped, parse):
                        found[path.stem] = (path, on)
    except OSError as e:
        raise _damaged(f"they could not be read: {e.strerror}") from e
    return _Files(kind, dict(sorted(found.items())), parse)


def _tomls(folder: Path) -> list[Path]:
    return [folder / name for name in os.listdir(folder) if name.endswith(".toml")] if folder.is_dir() else []


def _stands_over(path: Path, shipped: Path, parse: Parse[T]) -> bool:
    """Whether the shipped file was not read later than the one that was added."""
    return last_read(_read(shipped, None, parse)) <= last_read(_read(path, None, parse))


def _read(path: Path, added_on: datetime.date | None, parse: Parse[T]) -> T:
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
    return [f"Added by hand on {day(added_on)}: {CHECK}."] if added_on else []


def _not_read(fact: Law | Platform | Channel, what: str, where: str) -> list[str]:
    if fact.confidence is Confidence.UNVERIFIED:
        return [f"nobody has verified {what}"]
    if fact.confidence is Confidence.SECONDARY and fact.verified_on:
        return [f"{what} was not read {where} (as of {day(fact.verified_on)})"]
    return []


def _not_in_source(fact: Law | Platform | Channel, parts: Mapping[str, str], without: Collection[str]) -> Iterator[str]:
    named = [parts[key] for key in fact.unchecked if key not in without]
    if named:
        yield f"its source leaves open {_and(named)}"


def _of_elements(fact: Law | Channel, asked: Collection[str]) -> Iterator[str]:
    """One clause for the elements that are less sure than what asks for them; none where all are unchecked."""
    used = [e for e in fact.elements if asked is EVERY or e.id in asked]
    for confidence, read in _LESS_SURE.items():
        less = [e for e in used if e.confidence is confidence and _worse(confidence, fact.confidence)]
        if less and "elements" not in fact.unchecked:
            titles = _and([f"“{ELEMENTS[e.id].title}”" for e in less])
            yield f"{read} what it needs" if len(less) == len(used) > 1 else f"{read} that it needs {titles}"


def _doubt(name: str, clauses: list[str]) -> tuple[str, ...]:
    return (f"{name}: {'; '.join(clauses)}. So {CHECK}.",) if clauses else ()


def _and(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _warnings_to(fact: Law | Platform, acts_for_another: bool) -> tuple[str, ...]:
    shown = ("", "agent") if acts_for_another else ("",)
    return tuple(warning for warning in fact.warnings if fact.warnings_for.get(warning, "") in shown)


def day(on: datetime.date) -> str:
    """A day in words, such as 23 November 2026."""
    return f"{on.day} {on:%B %Y}"
