"""A request, `counterproof.request/1`: who is depicted, who asks, what and where it is, on which law, and of whom.

A request comes from a person, from a form that was left half done, or from a file that somebody else sent: everything
in it is checked as it is read, and what is too long is refused and never cut. Every field may be missing; what a law or
a platform needs is the matter of `desktop.packets.complete`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import difflib
import json
import math
import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, TypeVar

from detectors.errors import CounterproofError

SCHEMA = "counterproof.request/1"
LANGUAGES = ("en", "fr", "es", "pt", "sw", "ar", "ko", "hi")
ROLES = ("depicted", "agent", "guardian", "owner", "anyone")

SHORT = 2_000  # characters of a short text
LONG = 20_000  # of a long one
URL = 8_000
MOST_SIGHTINGS = 20_000
MOST_ITEMS = 20_000
MOST_BYTES = 16 * 1024 * 1024  # of the whole file: 20,000 sightings with long addresses take about 10 MB

_MOST_LIST = 200
# What the TOML parser takes long for: a name such as a.b.c costs it the square of its parts, and each value a little.
# No name in a request has more than three parts, and none that somebody wrote has as many names or values as this.
_MOST_DOTS = 3
_MOST_DOTS_IN_ALL = 40_000
_MOST_COMMAS = 200_000
_TEXT_OR_COMMENT = re.compile(
    r"""\"{3}(?:[^"\\]|\\.|"(?!""))*+(?:"{3,5}|\\?\Z)|'{3}(?:[^']|'(?!''))*+(?:'{3,5}|\Z)"""
    r"""|"(?:[^"\\\n]|\\[^\n])*+"?|'[^'\n]*+'?|\#[^\n]*+""",
    re.DOTALL,
)
_BETWEEN_NAMES = re.compile(r"[,=\[\]{}\n]")
_FURTHEST = 1_000_000  # pixels of a side
_WORD = re.compile(r"[a-z0-9_]{1,64}")
_COUNTRY = re.compile(r"[A-Z]{2}")
_ZONE = re.compile(r"[A-Za-z0-9_+/-]{1,64}")
_T = TypeVar("_T")


class RequestError(CounterproofError):
    """A request could not be read. The code is bad_request; `key` is where, such as `item.2.sha256`, or empty."""

    def __init__(self, message: str, remedy: str, key: str = "") -> None:
        super().__init__("bad_request", f"{key}: {message}" if key else message, remedy)
        self.key = key


# --- The kinds of value. Each takes what TOML or JSON gave and returns what the request holds, or raises RequestError.


def _short(value: Any, key: str) -> str:
    return _characters(value, key, SHORT)


def _url(value: Any, key: str) -> str:
    return _characters(value, key, URL)


def _lines(value: Any, key: str) -> str:
    return _characters(value, key, SHORT, allowed="\n")


def _long(value: Any, key: str) -> str:
    return _characters(value, key, LONG, allowed="\n\t")


def _characters(value: Any, key: str, most: int, allowed: str = "") -> str:
    if not isinstance(value, str):
        raise RequestError("a text in quotes is needed here.", f'Write it as {_last(key)} = "…".', key)
    if len(value) > most:
        raise RequestError(
            f"the text has {len(value):,} characters, and at most {most:,} fit here.",
            "Shorten it to what the recipient must know. Nothing was cut.",
            key,
        )
    for character in value:
        if character not in allowed and unicodedata.category(character) in ("Cc", "Cs"):
            raise RequestError(
                f"there is a control character in it (U+{ord(character):04X}).",
                "Type the text again by hand; such characters come in by copying.",
                key,
            )
    return value


def _yes_no(value: Any, key: str) -> bool:
    if not isinstance(value, bool):
        raise RequestError("true or false is needed here.", f"Write {_last(key)} = true, or = false.", key)
    return value


def _one_of(*choices: str) -> Callable[[Any, str], str]:
    def choose(value: Any, key: str) -> str:
        if not isinstance(value, str) or value not in choices:
            named = [c for c in choices if c]
            near = _near(str(value)[:64], named) if isinstance(value, str) else ""
            raise RequestError(f"{_shown(value)} is not a choice here.", near or f"Choose: {', '.join(named)}.", key)
        return value

    return choose


def _id(value: Any, key: str) -> str:
    if not isinstance(value, str) or (value and not _WORD.fullmatch(value)):
        raise RequestError(
            f"{_shown(value)} is not the id of a law, platform or channel.",
            "Ids are lower-case letters, digits and _, such as us_tida.",
            key,
        )
    return value


def _country(value: Any, key: str) -> str:
    text = value.upper() if isinstance(value, str) else value
    if not isinstance(text, str) or (text and not _COUNTRY.fullmatch(text)):
        raise RequestError(f"{_shown(value)} is not a country.", "Write two letters, such as KE, GB or FR.", key)
    return "GB" if text == "UK" else text


def _language(value: Any, key: str) -> str:
    return _one_of(*LANGUAGES)(value, key)


def _languages(value: Any, key: str) -> tuple[str, ...]:
    found = tuple(_language(v, key) for v in _list(value, key, len(LANGUAGES)))
    return tuple(dict.fromkeys(found))


def _created(value: Any, key: str) -> datetime.datetime:
    """An instant with an offset, in whole seconds: it becomes the time of every file in the packet."""
    moment = _moment(value, key)
    if not isinstance(moment, datetime.datetime) or moment.tzinfo is None:
        raise RequestError("a time with its offset is needed here.", "Write it such as 2026-11-28T12:00:00+00:00.", key)
    return moment.replace(microsecond=0)


def _date(value: Any, key: str) -> datetime.date | None:
    if value == "":
        return None
    moment = _moment(value, key)
    if isinstance(moment, datetime.datetime):
        raise RequestError("a date without a time is needed here.", "Write it such as 2026-11-28.", key)
    return moment


def _when(value: Any, key: str) -> str:
    """A date or a time, kept as ISO 8601 text; empty when not known. Without an offset it is in the sighting's zone."""
    if value == "":
        return ""
    moment = _moment(value, key)
    if isinstance(moment, datetime.datetime):
        moment = moment.replace(microsecond=0)
    return moment.isoformat()


def _moment(value: Any, key: str) -> datetime.date:
    found: datetime.date | None = value if isinstance(value, datetime.date) else None
    if isinstance(value, str) and len(value) <= 64:
        for read in (datetime.date.fromisoformat, datetime.datetime.fromisoformat):
            with contextlib.suppress(ValueError):
                found = found or read(value)
    if found is None:
        raise RequestError(
            f"{_shown(value)} is not a date or a time.",
            "Write it such as 2026-11-28 or 2026-11-28T12:00:00+00:00.",
            key,
        )
    if not 1980 < found.year < 2100:  # what a zip file can hold as the time of its files
        raise RequestError("the year is not between 1981 and 2099.", "Correct it.", key)
    return found


def _zone(value: Any, key: str) -> str:
    if not isinstance(value, str) or not _known_zone(value):
        raise RequestError(
            f"{_shown(value)} is not a time zone.", "Write its IANA name, such as Africa/Nairobi, or UTC.", key
        )
    return value


@lru_cache(maxsize=1024)
def _known_zone(name: str) -> bool:
    from zoneinfo import ZoneInfo

    if not _ZONE.fullmatch(name):
        return False
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return False
    return True


def _digest(digits: int) -> Callable[[Any, str], str]:
    pattern = re.compile(rf"[0-9a-f]{{{digits}}}")

    def read(value: Any, key: str) -> str:
        text = value.lower() if isinstance(value, str) else value
        if not isinstance(text, str) or (text and not pattern.fullmatch(text)):
            raise RequestError(
                f"a fingerprint of {digits} digits from 0-9 and a-f is needed here.",
                "Copy it as the scan printed it, or leave it out.",
                key,
            )
        return text

    return read


def _whole(least: int, most: int) -> Callable[[Any, str], int]:
    def read(value: Any, key: str) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise RequestError(
                f"a whole number from {least:,} to {most:,} is needed here.", "Correct it, or leave it out.", key
            )
        return value

    return read


def _share(value: Any, key: str) -> float:
    good = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and 0 <= value <= 1
    if not good:
        raise RequestError("a number from 0 to 1 is needed here.", "Correct it, or leave it out.", key)
    return float(value)


def _sentences(value: Any, key: str) -> tuple[str, ...]:
    return tuple(_long(v, key) for v in _list(value, key, _MOST_LIST))


def _records(value: Any, key: str) -> tuple[Mapping[str, Any], ...]:
    """Findings in the form of `Finding.to_record`, which the engine's own reader must understand.

    Of the details only `in_short` is kept: the rest can be a map of the picture, or words that were taken from it.
    """
    from detectors.finding import Finding

    found = []
    for number, record in enumerate(_list(value, key, _MOST_LIST), 1):
        where = f"{key}.{number}"
        try:
            details = {"in_short": record["details"]["in_short"]} if "in_short" in record.get("details", ()) else {}
            # TOML has no null, so what a finding has not got is left out there.
            said = {"score": None, "model": None, "regions": [], "ms": 0.0, **record, "details": details}
            finding = Finding.from_record(_plain(said, where))
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as e:
            raise RequestError(
                "this is not a finding of a scan.", "Leave the findings out, or take them from the scan.", where
            ) from e
        found.append(finding.to_record())
    return tuple(found)


def _plain(value: Any, key: str, depth: int = 0) -> Any:
    """The same value if it is of what JSON can hold, with texts as anywhere else. Raises RequestError."""
    if depth > 8:
        raise RequestError("this is nested too deep.", "Leave it out.", key)
    if isinstance(value, str):
        return _long(value, key)
    if isinstance(value, Mapping):
        return {_short(k, key): _plain(v, key, depth + 1) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v, key, depth + 1) for v in value]
    if value is None or isinstance(value, bool) or (isinstance(value, int | float) and math.isfinite(value)):
        return value
    raise RequestError(f"{_shown(value)} cannot stand here.", "Leave it out.", key)


def _list(value: Any, key: str, most: int) -> list[Any]:
    if not isinstance(value, list | tuple):
        raise RequestError("a list is needed here.", f"Write it as {_last(key)} = […].", key)
    if len(value) > most:
        raise RequestError(
            f"there are {len(value):,} entries, and at most {most:,} fit here.", "Make more than one request.", key
        )
    return list(value)


def _of(kind: Callable[[Any, str], Any], default: Any = "") -> Any:
    """A field of that kind with its default."""
    return field(default=default, metadata={"kind": kind})


# --- What a request holds.


@dataclass(frozen=True, slots=True)
class Gate:
    """What is asked first. `age` is adults, minor or unsure, and empty when it was not answered.

    `intimate` (it shows somebody naked, or in a sexual act, or as if), `satire` and `news` are None when not answered.
    """

    age: str = _of(_one_of("", "adults", "minor", "unsure"))
    intimate: bool | None = _of(_yes_no, None)
    satire: bool | None = _of(_yes_no, None)
    news: bool | None = _of(_yes_no, None)


@dataclass(frozen=True, slots=True)
class Depicted:
    """The person in the picture. `name` is the one that the letter uses, `office` her public office, if she likes.

    `country` is where she lives, ISO 3166-1 alpha-2.
    """

    name: str = _of(_short)
    legal_name: str = _of(_short)
    known_as: str = _of(_short)
    office: str = _of(_short)
    country: str = _of(_country)


@dataclass(frozen=True, slots=True)
class Sender:
    """Who asks. `identity` is withhold or allow: whether the name may reach whoever published it; empty: not answered.

    `authority` is none, written, attorney or parent; `authority_note` says more, `authority_date` is when it was given.
    """

    role: str = _of(_one_of("", *ROLES))
    name: str = _of(_short)
    organisation: str = _of(_short)
    email: str = _of(_short)
    phone: str = _of(_short)
    address: str = _of(_lines)
    country: str = _of(_country)
    authority: str = _of(_one_of("none", "written", "attorney", "parent"), "none")
    authority_note: str = _of(_short)
    authority_date: datetime.date | None = field(default=None, metadata={"kind": _date})
    identity: str = _of(_one_of("", "withhold", "allow"))


@dataclass(frozen=True, slots=True)
class Signature:
    """`kind` is typed (the name is in `text`) or by_hand (a line to sign is left); empty: not signed."""

    kind: str = _of(_one_of("", "typed", "by_hand"))
    text: str = _of(_short)
    date: datetime.date | None = field(default=None, metadata={"kind": _date})


@dataclass(frozen=True, slots=True)
class Statements:
    """What the sender declares. Each is true only when she said so; nothing sets one for her."""

    nonconsent: bool = _of(_yes_no, False)
    good_faith: bool = _of(_yes_no, False)
    accurate: bool = _of(_yes_no, False)
    intimate: bool = _of(_yes_no, False)
    perjury: bool = _of(_yes_no, False)
    unauthorised_use: bool = _of(_yes_no, False)
    ownership: bool = _of(_yes_no, False)


@dataclass(frozen=True, slots=True)
class Texts:
    """What is said in the sender's own words."""

    reason: str = _of(_long)
    relevant_information: str = _of(_long)
    circumstances: str = _of(_long)
    jurisdiction_link: str = _of(_long)
    remedial_action: str = _of(_long)
    right_infringed: str = _of(_long)
    work: str = _of(_long)
    erasure_ground: str = _of(_long)
    police_reference: str = _of(_long)
    prior_request: str = _of(_long)
    prior_steps: str = _of(_long)
    vulnerability: str = _of(_long)
    host_provider: str = _of(_long)


@dataclass(frozen=True, slots=True)
class RecipientOverride:
    """Whom it goes to where the app knows no address, or another address than the one that it knows."""

    name: str = _of(_short)
    address: str = _of(_lines)
    email: str = _of(_short)


@dataclass(frozen=True, slots=True)
class ItemFindings:
    """What a scan found, in the words of `counterproof.scan/1`. It goes into a packet with `include.findings` alone."""

    verdict: str = _of(_short)
    p_synthetic: float | None = _of(_share, None)
    reasons: tuple[str, ...] = _of(_sentences, ())
    findings: tuple[Mapping[str, Any], ...] = _of(_records, ())
    scanned_at: str = _of(_when)


@dataclass(frozen=True, slots=True)
class RequestItem:
    """One picture or video. `identification` says to the recipient which one it is, `label` is for the sender alone.

    `made` is what the sender says of it: made, altered, real or unknown. It is asked and never proved. `file` is where
    the picture lies on this computer; it is for building alone and never in a packet.
    """

    id: int = _of(_whole(1, 2**53), 1)
    label: str = _of(_short)
    identification: str = _of(_short)
    made: str = _of(_one_of("unknown", "made", "altered", "real"), "unknown")
    sha256: str = _of(_digest(64))
    md5: str = _of(_digest(32))
    pdq: str = _of(_digest(64))
    pdq_quality: int | None = _of(_whole(0, 100), None)
    media_type: str = _of(_short)
    width: int | None = _of(_whole(1, _FURTHEST), None)
    height: int | None = _of(_whole(1, _FURTHEST), None)
    file: str = _of(_short)
    findings: ItemFindings | None = field(default=None, metadata={"kind": ItemFindings})


@dataclass(frozen=True, slots=True)
class RequestSighting:
    """One place where an item was seen. `item` is the id of an item, or None.

    `seen_at` and `posted_at` are ISO 8601, a date or a time; without an offset they are in `time_zone` (IANA).
    """

    item: int | None = _of(_whole(1, 2**53), None)
    url: str = _of(_url)
    platform: str = _of(_short)
    handle: str = _of(_short)
    seen_at: str = _of(_when)
    time_zone: str = _of(_zone, "UTC")
    posted_at: str = _of(_when)
    note: str = _of(_long)


@dataclass(frozen=True, slots=True)
class Include:
    """What goes into the packet beside the notice. No picture (`image`: none, blurred, full) unless it was chosen."""

    findings: bool = _of(_yes_no, False)
    brief: bool = _of(_yes_no, True)
    authority_letter: bool = _of(_yes_no, True)
    custody: bool = _of(_yes_no, True)
    hashes: bool = _of(_yes_no, False)
    image: str = _of(_one_of("none", "blurred", "full"), "none")


@dataclass(frozen=True, slots=True)
class Earlier:
    """The request that a complaint is about: to which platform, on which law, when, until when, and what was said."""

    platform: str = _of(_id)
    law: str = _of(_id)
    sent_at: str = _of(_when)
    due_at: str = _of(_when)
    reference: str = _of(_short)
    answer: str = _of(_long)


@dataclass(frozen=True, slots=True)
class Request:
    """The whole request. `law` is empty for none, `channel` for the platform's first one that fits.

    `created_at` is the time of everything in the packet; without it none can be built. `also` are further languages in
    which the letters are added.
    """

    created_at: datetime.datetime | None = field(default=None, metadata={"kind": _created})
    language: str = _of(_language, "en")
    also: tuple[str, ...] = _of(_languages, ())
    law: str = _of(_id)
    platform: str = _of(_id)
    channel: str = _of(_id)
    gate: Gate = field(default=Gate(), metadata={"kind": Gate})
    depicted: Depicted = field(default=Depicted(), metadata={"kind": Depicted})
    sender: Sender = field(default=Sender(), metadata={"kind": Sender})
    signature: Signature = field(default=Signature(), metadata={"kind": Signature})
    statements: Statements = field(default=Statements(), metadata={"kind": Statements})
    texts: Texts = field(default=Texts(), metadata={"kind": Texts})
    recipient: RecipientOverride = field(default=RecipientOverride(), metadata={"kind": RecipientOverride})
    items: tuple[RequestItem, ...] = field(default=(), metadata={"kind": RequestItem, "key": "item"})
    sightings: tuple[RequestSighting, ...] = field(default=(), metadata={"kind": RequestSighting, "key": "sighting"})
    include: Include = field(default=Include(), metadata={"kind": Include})
    earlier: Earlier = field(default=Earlier(), metadata={"kind": Earlier})

    @property
    def acts_for_her(self) -> bool:
        """Whether somebody asks for the person in the picture: an agent, or a parent or guardian."""
        return self.sender.role in ("agent", "guardian")

    @property
    def depicted_name(self) -> str:
        """The name of the person in the picture that the letter uses; empty when there is none."""
        return self.depicted.name or self.depicted.known_as or self.depicted.legal_name

    @property
    def sender_name(self) -> str:
        """The name of the sender: her own where the person in the picture asks herself and no other was given."""
        return self.sender.name or (self.depicted.name if self.sender.role == "depicted" else "")


_MOST = {"item": MOST_ITEMS, "sighting": MOST_SIGHTINGS}
_KNOWN: dict[type, Mapping[str, dataclasses.Field[Any]]] = {}


def from_toml(text: str) -> Request:
    """The request in TOML (docs/requests.md). Raises RequestError with the key and a remedy."""
    import tomllib

    _check_size(text)
    _check_cost(text)
    try:
        return _from_values(tomllib.loads(text))
    except RecursionError as e:
        raise _too_deep() from e
    except ValueError as e:
        raise RequestError(
            f"This is not valid TOML: {_line(e)}.", "Compare it with the example in docs/requests.md."
        ) from e


def from_json(text: str) -> Request:
    """The request as `to_json` writes it. Raises RequestError with the key and a remedy."""
    _check_size(text)
    try:
        return _from_values(json.loads(text, parse_constant=_no_constant, object_pairs_hook=_no_doubles))
    except RecursionError as e:
        raise _too_deep() from e
    except ValueError as e:
        raise RequestError(f"This is not valid JSON: {_line(e)}.", "Take the file that the program wrote.") from e


def from_text(text: str) -> Request:
    """The request in JSON if the text begins with a brace, which TOML never does, else in TOML. Raises RequestError."""
    return from_json(text) if text.lstrip().startswith("{") else from_toml(text)


def to_json(request: Request) -> str:
    """One line of JSON in sorted order, without what is as its default; the same request gives the same text."""
    values = {"schema": SCHEMA, **_to_values(request)}
    return json.dumps(values, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def _from_values(values: Any) -> Request:
    if not isinstance(values, dict):
        raise RequestError("This is not a request.", "Compare it with the example in docs/requests.md.")
    schema = values.pop("schema", None)
    if schema != SCHEMA:
        raise RequestError(
            f"{_shown(schema)} is not a schema that this version reads.", f'Write schema = "{SCHEMA}".', "schema"
        )
    request = _read(Request, values, "")
    ids: set[int] = set()
    for item in request.items:
        if item.id in ids:
            raise RequestError(f"the number {item.id} is there twice.", "Give each item its own number.", "item.id")
        ids.add(item.id)
    for number, sighting in enumerate(request.sightings, 1):
        if sighting.item is not None and sighting.item not in ids:
            raise RequestError(
                f"there is no item {sighting.item}.", "Add that item, or correct the number.", f"sighting.{number}.item"
            )
    return request


def _fields(kind: Any) -> Mapping[str, dataclasses.Field[Any]]:
    if kind not in _KNOWN:  # 20,000 sightings ask for the same ones
        _KNOWN[kind] = {f.metadata.get("key", f.name): f for f in dataclasses.fields(kind)}
    return _KNOWN[kind]


def _read(kind: type[_T], values: Any, at: str) -> _T:
    if not isinstance(values, dict):
        raise RequestError("a table is needed here.", f"Write it as [{_last(at)}] with its keys below.", at)
    fields = _fields(kind)
    found = {}
    for key, value in values.items():
        where = f"{at}.{key}" if at else key
        if key not in fields:
            raise RequestError(
                "there is no such key.",
                _near(key[:64], list(fields)) or f"Leave it out. The keys here are: {', '.join(fields)}.",
                _visible(where, 100),
            )
        found[fields[key].name] = _read_field(fields[key], value, where)
    return kind(**found)


def _read_field(known: dataclasses.Field[Any], value: Any, where: str) -> Any:
    kind = known.metadata["kind"]
    if not isinstance(kind, type):
        return kind(value, where)
    if where not in _MOST:
        return _read(kind, value, where)
    return tuple(_read(kind, v, f"{where}.{n}") for n, v in enumerate(_list(value, where, _MOST[where]), 1))


def _to_values(record: Any) -> dict[str, Any]:
    values = {}
    for key, known in _fields(type(record)).items():
        value = getattr(record, known.name)
        if value != known.default:
            values[key] = _to_value(value)
    return values


def _to_value(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return _to_values(value)
    if isinstance(value, tuple):
        return [_to_value(v) for v in value]
    return value.isoformat() if isinstance(value, datetime.date) else value


def _check_size(text: str) -> None:
    if len(text) > MOST_BYTES:
        raise RequestError(
            f"The request has {len(text):,} characters, and at most {MOST_BYTES:,} are read.",
            "Split it into several requests.",
        )


def _check_cost(toml: str) -> None:
    """Refuse what would take the parser minutes. What is in quotes or a comment costs nothing."""
    bare = _TEXT_OR_COMMENT.sub("", toml)
    many = bare.count(",") > _MOST_COMMAS or bare.count(".") > _MOST_DOTS_IN_ALL
    if many or any(part.count(".") > _MOST_DOTS for part in _BETWEEN_NAMES.split(bare)):
        raise RequestError(
            "This is not a request: a name in it has too many dots, or it has more values than a request can hold.",
            "Compare it with the example in docs/requests.md.",
        )


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a number")


def _no_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key is there twice")
    return found


def _too_deep() -> RequestError:
    return RequestError("The request is nested too deep.", "Compare it with the example in docs/requests.md.")


def _near(key: str, known: list[str]) -> str:
    found = difflib.get_close_matches(key, known, n=1, cutoff=0.6)
    return f"Did you mean {found[0]}?" if found else ""


def _shown(value: Any) -> str:
    """A value from outside as it may stand in a message: short, in one line, with nothing invisible."""
    text = value if isinstance(value, str) else type(value).__name__
    if isinstance(value, bool | int | float | datetime.date):
        text = str(value) if not isinstance(value, int) or abs(value) < 10**12 else "a very large number"
    return f"“{_visible(text, 60)}”"


def _visible(text: str, most: int) -> str:
    visible = "".join(c if c.isprintable() else f"[U+{ord(c):04X}]" for c in text[:most])
    return f"{visible}{'…' if len(text) > most else ''}"


def _line(error: Exception) -> str:
    return _visible(next(iter(str(error).splitlines()), "it cannot be read").rstrip("."), 200)


def _last(key: str) -> str:
    return next((part for part in reversed(key.split(".")) if not part.isdigit()), key)
