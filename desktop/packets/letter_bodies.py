"""What the letters say: notice, complaint, report, the page for those who decide, and the letter of authority.

A letter says only what the request holds. A statement is in it when the sender made it, and never otherwise; a text is
in it when the law or the channel asks for it. After each stands where in the law it is asked for.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from desktop.packets.addresses import HOLD_POSTS
from desktop.packets.catalogue import (
    Block,
    Catalogue,
    Run,
    Runs,
    bullets,
    heading,
    note,
    own_words,
    pairs,
    paragraph,
    table,
    value,
)
from desktop.packets.countries import country_name
from desktop.safety.helplines import Confidence

if TYPE_CHECKING:
    from desktop.packets.complete import Assessment
    from desktop.packets.facts import Facts, Law
    from desktop.packets.request import Request, RequestSighting

# A letter prints so many addresses and images; beyond, data/addresses.csv of the packet has them all.
MOST_PRINTED = 1_000
# And no more of very long ones than so many characters: gigabytes of memory would go into setting them.
MOST_CHARACTERS = 400_000

_HOSTS = ("host", "cdn", "registrar")
# Those that have nothing to remove themselves, and help others to.
_HELPERS = ("hash_programme", "support")
# Texts that a letter gives whenever they are there: they say why. The others only where they are asked for.
_ALWAYS = ("reason", "relevant_information")
_TEXTS = (
    "reason",
    "relevant_information",
    "circumstances",
    "right_infringed",
    "erasure_ground",
    "work_identification",
    "jurisdiction_link",
    "host_provider",
    "vulnerability",
    "prior_request",
    "prior_steps",
    "police_reference",
)
# Statements that weigh so much that they are made to whoever asks for them, and to nobody else.
_ONLY_IF_ASKED = ("perjury_statement", "unauthorised_use_statement", "ownership_statement")
_CONTACTS = ("contact", "contact_email", "contact_phone", "contact_address")
# Each statement with its field in the request; its sentence has the same name.
STATEMENTS = {
    "nonconsent_statement": "nonconsent",
    "intimate_declaration": "intimate",
    "good_faith_statement": "good_faith",
    "accuracy_statement": "accurate",
    "ownership_statement": "ownership",
    "unauthorised_use_statement": "unauthorised_use",
    "perjury_statement": "perjury",
}


@dataclass(frozen=True)
class Letter:
    """What a letter is made from. `enclosed` are the kinds of documents that go with it."""

    words: Catalogue
    assessment: Assessment
    facts: Facts
    draft: bool
    signer: str = ""
    enclosed: tuple[str, ...] = ()
    images: bool = False

    @property
    def request(self) -> Request:
        """The request."""
        return self.assessment.request

    @property
    def law(self) -> Law | None:
        """The law on which it rests, if any."""
        return self.assessment.law

    @property
    def asked_for(self) -> frozenset[str]:
        """The elements that the law or the channel asks for."""
        law, channel = self.assessment.law, self.assessment.channel
        return frozenset(e.id for e in (*(law.elements if law else ()), *channel.elements))

    def cite(self, element: str) -> list[Run]:
        """Where the law asks for the element, in brackets; nothing where it does not."""
        found = next((e.cite for e in (self.law.elements if self.law else ()) if e.id == element and e.cite), "")
        return [" ", value(f"[{found}]", quiet=True)] if found else []

    def given(self, text: str) -> Run:
        """The value, or that it was not given."""
        return value(text) if text else self.words.text("common.none_given")


def letter_kind(assessment: Assessment) -> str:
    """notice, complaint or report: by whom it goes to, and whether it follows a request that was made before."""
    if assessment.platform.kind in ("police", "court"):
        return "report"
    if assessment.platform.kind == "regulator":
        # "I asked the platform" is a statement too: only who did so complains.
        return "complaint" if assessment.request.earlier.platform else "report"
    return "notice"


def sender(letter: Letter) -> Block:
    """Who sends the letter, as it stands on top."""
    s = letter.request.sender
    lines = [s.name, s.organisation, *s.address.split("\n"), s.email, s.phone]
    return _side(letter, "common.from", lines)


def recipient(letter: Letter) -> Block:
    """To whom it goes."""
    platform, channel, other = letter.assessment.platform, letter.assessment.channel, letter.request.recipient
    email = other.email or (channel.address if channel.kind == "email" else "")
    owner = "" if other.name or platform.owner == platform.name else platform.owner
    lines = [other.name or platform.name, owner, *other.address.split("\n"), email]
    return _side(letter, "common.to", lines)


def _side(letter: Letter, label: str, lines: Iterable[str]) -> Block:
    shown = [paragraph([value(line.strip())]) for line in lines if line.strip()]
    return {
        "k": "side",
        "label": letter.words.say(label),
        "lines": shown or [paragraph(letter.words.say("common.none_given"))],
    }


def title(kind: str, letter: Letter) -> Runs:
    """The heading of a document of that kind."""
    return letter.words.say(f"{kind}.title")


def main(kind: str, letter: Letter) -> list[Block]:
    """The blocks of a notice, complaint or report, without its heading."""
    return [
        *_top(kind, letter),
        *(_earlier(letter) if kind == "complaint" else ()),
        *_who(letter),
        *_where(letter),
        *_what(kind, letter),
        *_why(letter),
        *_stated(letter),
        *_asked(kind, letter),
        *_signed(letter),
        *_enclosed(letter),
        *_foot(letter),
    ]


def _top(kind: str, letter: Letter) -> list[Block]:
    words, request, channel = letter.words, letter.request, letter.assessment.channel
    facts: list[tuple[Runs, Runs | list[Block]]] = []
    facts.append((words.say("common.through"), [value(channel.name, language="en")]))
    if request.earlier.reference and (kind == "complaint" or request.earlier.platform == request.platform):
        facts.append((words.say("common.your_reference"), [value(request.earlier.reference)]))
    blocks: list[Block] = [pairs(facts)] if facts else []
    if kind == "complaint":
        platform = _platform_name(letter, request.earlier.platform)
        blocks.append(paragraph(words.say("complaint.opening", platform=platform)))
    else:
        # Only who keeps the images is told that they are there.
        has_them = kind != "notice" or letter.assessment.platform.kind in (*HOLD_POSTS, "host")
        opening = f"{kind}.{'opening' if has_them else 'found'}"
        if request.sender.role == "depicted":
            blocks.append(paragraph(words.say(f"{opening}_depicted")))
        else:
            blocks.append(paragraph(words.say(f"{opening}_other", depicted=letter.given(request.depicted.name))))
    if letter.law:
        label = words.text({"notice": "notice.under_law", "complaint": "common.law", "report": "report.offence"}[kind])
        blocks.append(paragraph([label, words.colon, *law_line(letter)]))
    elif kind == "notice":
        blocks.append(paragraph(words.say("notice.under_channel", channel=value(channel.name, language="en"))))
    return blocks


def cited(law: Law) -> str:
    """Name and citation of the law; some are cited by their name and what follows it."""
    return law.citation if law.citation.startswith(law.name) else f"{law.name}, {law.citation}"


def law_line(letter: Letter) -> Runs:
    """Name, gloss in the letter's language, and citation of the law. A law without a gloss gets what its name means."""
    law, words = letter.law, letter.words
    assert law is not None  # noqa: S101 - only asked where there is one
    own = law.gloss.get(words.code, "")
    gloss = value(own) if own else value(law.gloss.get("en", law.citation), language="en")
    if law.citation.startswith(law.name):
        return words.say("brief.law_short", law=value(law.citation), gloss=gloss)
    return words.say("brief.law", law=value(law.name), gloss=gloss, citation=value(law.citation))


def _earlier(letter: Letter) -> list[Block]:
    words, earlier = letter.words, letter.request.earlier
    law = letter.facts.laws.get(earlier.law)
    items: list[tuple[Runs, Runs | list[Block]]] = [
        (words.say("common.to"), [_platform_name(letter, earlier.platform)]),
        *([(words.say("common.law"), [value(cited(law))])] if law else ()),
        (words.say("complaint.sent"), [letter.given(utc(earlier.sent_at))]),
        *([(words.say("complaint.due"), [value(utc(earlier.due_at))])] if earlier.due_at else ()),
        (words.say("complaint.answer"), own_words(earlier.answer) or words.say("complaint.no_answer")),
    ]
    return [heading(words.say("complaint.earlier")), pairs(items)]


def _platform_name(letter: Letter, id: str) -> Run:
    platform = letter.facts.platforms.get(id)
    return value(platform.name if platform else id) if id else letter.words.text("common.none_given")


def _who(letter: Letter) -> list[Block]:
    words, request = letter.words, letter.request
    depicted, sends = request.depicted, request.sender
    known = f" ({depicted.known_as})" if depicted.known_as and depicted.known_as != depicted.name else ""
    items: list[tuple[Runs, Runs | list[Block]]] = [
        (words.say("element.contact_name"), [letter.given(depicted.name and depicted.name + known)])
    ]
    if depicted.legal_name and ("legal_name" in letter.asked_for or not depicted.name):
        items.append((words.say("element.legal_name"), [value(depicted.legal_name), *letter.cite("legal_name")]))
    if depicted.office:
        office = [paragraph([value(depicted.office)]), paragraph(words.say("notice.office_note"))]
        items.append((words.say("notice.office"), office))
    if depicted.country and "country" in letter.asked_for:
        country = country_name(depicted.country, words.code)
        items.append((words.say("element.country"), [value(country), *letter.cite("country")]))
    blocks = [heading(words.say("notice.who_depicted")), pairs(items)] if any(_filled(depicted)) else []
    # Nobody is called by a role that was not chosen.
    role: Runs = words.say(f"role.{sends.role}") if sends.role else words.say("common.none_given")
    who: list[tuple[Runs, Runs | list[Block]]] = [
        (words.say("element.role"), [*role, *letter.cite("role")]),
        (words.say("element.contact_name"), [letter.given(sends.name)]),
    ]
    if sends.organisation:
        who[-1] = (who[-1][0], [paragraph([letter.given(sends.name)]), paragraph([value(sends.organisation)])])
    if sends.role in ("agent", "guardian", "owner") and sends.authority != "none":
        who.append((words.say("element.authority_proof"), [*authority_of(letter), *letter.cite("authority_proof")]))
    contacts = [
        paragraph([value(line.strip())])
        for line in (sends.email, sends.phone, *sends.address.split("\n"))
        if line.strip()
    ]
    if contacts:
        cite = next(
            (c for c in map(letter.cite, ("contact", "contact_email", "contact_phone", "contact_address")) if c), []
        )
        contacts[-1] = paragraph([*contacts[-1]["r"], *cite])
    who.append((words.say("element.contact"), contacts or words.say("common.none_given")))
    return [*blocks, heading(words.say("notice.who_sends")), pairs(who)]


def authority_of(letter: Letter) -> Runs:
    """By what authority the sender acts: its kind, what was said of it, and its date."""
    words, sends = letter.words, letter.request.sender
    if sends.authority == "none":
        return []
    parts = filter(None, (sends.authority_note, sends.authority_date.isoformat() if sends.authority_date else ""))
    return [
        *words.say(f"by_authority.{sends.authority}"),
        *(run for part in parts for run in (words.comma, value(part))),
    ]


def _filled(record: Any) -> list[str]:
    return [v for v in (record.name, record.legal_name, record.known_as, record.office) if v]


def _where(letter: Letter) -> list[Block]:
    words, request = letter.words, letter.request
    blocks = [heading([*words.say("notice.where"), *letter.cite("locators")])]
    if not request.sightings:
        return [*blocks, paragraph(words.say("common.none_given"))]
    blocks.append(note(words.say("notice.where_note"), sticky=True))
    shown = how_many([f"{s.url}{s.platform}{s.handle}" for s in request.sightings])
    if len(request.sightings) > shown:
        counts = {"count": value(str(len(request.sightings))), "shown": value(str(shown))}
        blocks.append(paragraph(words.say("notice.where_more", **counts)))
    several = len(request.items) > 1
    head = ["notice.column_number", "notice.column_address", "notice.column_account", "notice.column_seen"]
    widths: list[int | str] = ["auto", "rest", 31, 33]
    if several:
        head, widths = [*head, "notice.column_image"], [*widths, "auto"]
    numbers = {item.id: n for n, item in enumerate(request.items, 1)}
    rows = []
    for n, s in enumerate(request.sightings[:shown], 1):
        seen = utc(s.seen_at, s.time_zone)
        row: list[Runs] = [[value(str(n))], address(s), [value(s.handle)] if s.handle else [], [value(seen)]]
        if several:
            row.append([value(str(numbers[s.item]))] if s.item in numbers else [])
        rows.append(row)
    return [*blocks, table(widths, [words.say(key) for key in head], rows)]


def how_many(lines: Sequence[str]) -> int:
    """How many of the lines, from the first, a document prints."""
    characters = 0
    for number, line in enumerate(lines[:MOST_PRINTED]):
        characters += len(line)
        if characters > MOST_CHARACTERS:
            return number
    return min(len(lines), MOST_PRINTED)


def address(sighting: RequestSighting) -> Runs:
    if sighting.url:
        return [value(sighting.url, fixed=True)]
    # Without an address, the account and the time are the means of finding it.
    known = [sighting.platform, sighting.handle, utc(sighting.posted_at, sighting.time_zone)]
    return [value(", ".join(filter(None, known)))]


def _what(kind: str, letter: Letter) -> list[Block]:
    words, request = letter.words, letter.request
    blocks = [heading([*words.say("notice.what"), *letter.cite("content_identification")])]
    if not request.items:
        return [*blocks, paragraph(words.say("common.none_given"))]
    printed = request.items[:MOST_PRINTED]
    made = {item.made for item in printed}
    items = []
    for number, item in enumerate(printed, 1):
        lines = [paragraph([letter.given(item.identification)])]
        if len(made) > 1:
            lines.append(paragraph(words.say(f"made.{item.made}")))
        if item.sha256:
            lines.append(paragraph([value(f"SHA-256 {item.sha256}", fixed=True)]))
        items.append((words.say("common.item", number=value(str(number))), lines))
    blocks.append(pairs(items, 24))
    if len(made) == 1:
        blocks.append(paragraph(words.say(f"made.{made.pop()}")))
    if kind == "report" and any(item.sha256 for item in printed) and not letter.images:
        blocks.append(paragraph(words.say("report.no_image")))
    if not request.include.findings:
        blocks.append(paragraph(words.say("notice.no_proof")))
    return blocks


def _why(letter: Letter) -> list[Block]:
    words = letter.words
    parts: list[Block] = []
    for element in _TEXTS:
        if text := element_text(letter.request, element):
            asked = element in letter.asked_for or element in _ALWAYS
            if asked or (element == "circumstances" and letter_kind(letter.assessment) != "notice"):
                parts.append(heading([*words.say(f"element.{element}"), *letter.cite(element)], 3))
                parts += own_words(text)
    return [heading(words.say("notice.why")), *parts] if parts else []


def element_text(request: Request, element: str) -> str:
    """What the request holds for an element of free text."""
    return str(getattr(request.texts, "work" if element == "work_identification" else element))


def _stated(letter: Letter) -> list[Block]:
    items = statements(letter)
    return [heading(letter.words.say("notice.statements")), bullets(items)] if items else []


def statements(letter: Letter) -> list[Runs]:
    """The statements that the sender made, each with where in the law it is asked for."""
    return [[*runs, *letter.cite(element)] for element, runs in made_statements(letter)]


def made_statements(letter: Letter) -> list[tuple[str, Runs]]:
    """The statements that the sender made, by element, the role and the choice about her identity among them."""
    words, request = letter.words, letter.request
    found: list[tuple[str, Runs]] = []
    if request.sender.role:
        found.append(("role", words.say(f"statement.role_{request.sender.role}")))
    for element, name in STATEMENTS.items():
        if getattr(request.statements, name) and (element not in _ONLY_IF_ASKED or element in letter.asked_for):
            own = "depicted" if request.sender.role == "depicted" else "other"
            found.append((element, words.say(f"statement.{f'nonconsent_{own}' if name == 'nonconsent' else name}")))
    if request.sender.identity:
        found.append(("identity_disclosure_choice", words.say(f"statement.identity_{request.sender.identity}")))
    return found


def _asked(kind: str, letter: Letter) -> list[Block]:
    words, request = letter.words, letter.request
    own = own_words(request.texts.remedial_action)
    if own and letter.cite("remedial_action"):
        own[-1] = {**own[-1], "own": False, "r": [*own[-1]["r"], *letter.cite("remedial_action")]}
    items: list[Runs | list[Block]] = [words.say(key) for key in _asks(kind, letter)]
    blocks: list[Block] = [heading(words.say("notice.asked")), *own, bullets(items)]
    return [*blocks, *_limits(letter)] if kind == "notice" else blocks


def _limits(letter: Letter) -> list[Block]:
    """Until when an answer is due. What nobody has verified is not held against the recipient."""
    law, channel = letter.law, letter.assessment.channel
    if law and law.deadline and law.deadline.confidence is not Confidence.UNVERIFIED and (said := law_limit(letter)):
        return [paragraph(said)]
    if channel.deadline_hours and channel.confidence is not Confidence.UNVERIFIED:
        return [paragraph(letter.words.say("notice.deadline_own", hours=value(str(channel.deadline_hours))))]
    return []


def law_limit(letter: Letter) -> Runs:
    """The time that the law sets to the recipient; empty where it sets none, or binds others."""
    law = letter.law
    if law is None or law.deadline is None or not law.obliges(letter.assessment.platform):
        return []
    if not law.in_force(moment(letter.request).date()):
        return []
    for unit in ("hours", "days", "months"):
        if number := getattr(law.deadline, unit):
            return letter.words.say(f"notice.deadline_{unit}", **{unit: value(str(number))})
    return []


def _asks(kind: str, letter: Letter) -> list[str]:
    platform, request = letter.assessment.platform, letter.request
    if kind == "complaint":
        asks = ["complaint.ask_act", "complaint.ask_inform"]
    elif kind == "report":
        asks = {
            "police": ["report.ask_record", "report.ask_investigate"],
            "court": ["report.ask_order"],
        }.get(platform.kind, ["report.ask_record", "report.ask_order"])
        asks.append("report.ask_protect")
        return asks
    else:
        first = {
            "search": "notice.ask_delist",
            **dict.fromkeys(_HOSTS, "notice.ask_host"),
            **dict.fromkeys(_HELPERS, "notice.ask_help"),
        }
        asks = [first.get(platform.kind, "notice.ask_remove")]
        if "erasure_ground" in letter.asked_for:
            asks.append("notice.ask_erase")
        if platform.kind not in ("search", *_HOSTS, *_HELPERS):
            asks.append("notice.ask_copies")
        if platform.kind not in _HELPERS:
            asks.append("notice.ask_preserve")
        asks.append("notice.ask_confirm")
    if request.sender.identity != "allow":
        asks.insert(-1, "notice.ask_identity")
    return asks


def _signed(letter: Letter) -> list[Block]:
    words, signature = letter.words, letter.request.signature
    date = signature.date.isoformat() if signature.date else ""
    if signature.kind == "typed" and signature.text:
        shown: Runs = [value(signature.text), *letter.cite("signature")]
        items: list[tuple[Runs, Runs | list[Block]]] = [(words.say("notice.sign_typed"), shown)]
        if date:
            items.append((words.say("common.date"), [value(date)]))
        return [heading(words.say("element.signature")), {**pairs(items), "whole": True}]
    if signature.kind == "by_hand":
        items = [(words.say("element.contact_name"), [letter.given(letter.request.sender.name)])]
        if date:
            items.append((words.say("common.date"), [value(date)]))
        line = {"k": "sign", "r": [*words.say("notice.sign_by_hand"), *letter.cite("signature")]}
        # The line to sign on stays on the page of what is signed.
        return [heading(words.say("element.signature")), {**pairs(items), "sticky": True}, line]
    return []


def _enclosed(letter: Letter) -> list[Block]:
    words, include = letter.words, letter.request.include
    if not letter.enclosed:
        return []
    blocks = [
        heading(words.say("notice.enclosed")),
        {**bullets([words.say(f"attachment.{kind}") for kind in letter.enclosed]), "whole": True},
    ]
    if letter.images and include.image == "full":
        blocks.append(paragraph(words.say("common.image_enclosed")))
    elif letter.images:
        blocks.append(paragraph(words.say("common.blurred_enclosed")))
    return blocks


def _foot(letter: Letter) -> list[Block]:
    words, law = letter.words, letter.law
    lines: list[Runs] = []
    if law:
        date = value(law.verified_on.isoformat() if law.verified_on else "")
        slots: dict[str, Run] = {} if law.confidence is Confidence.UNVERIFIED else {"date": date}
        if law.confidence is Confidence.VERIFIED:
            slots["source"] = value(law.source, language="en")
        lines.append(words.say(f"notice.foot_{law.confidence}", **slots))
    if letter.signer:
        lines.append(signed_with(letter))
    lines.append(words.say("common.made_with"))
    return [{"k": "foot", "blocks": [paragraph(line) for line in lines]}]


def signed_with(letter: Letter) -> Runs:
    """The fingerprint of the key that signs the packet."""
    return [letter.words.text("common.signer"), letter.words.colon, value(letter.signer, fixed=True)]


# --- A page for those who decide.


def brief(letter: Letter) -> list[Block]:
    """The blocks of the page for police, courts and regulators."""
    words, request = letter.words, letter.request
    seen = sorted(filter(None, (utc(s.seen_at, s.time_zone)[:10] for s in request.sightings)))
    names = list(dict.fromkeys(filter(None, (_service(letter, s) for s in request.sightings))))
    counts = words.say(
        "brief.case_counts",
        items=value(str(len(request.items))),
        sightings=value(str(len(request.sightings))),
        platforms=_few(letter, names),
        first=letter.given(seen[0] if seen else ""),
    )
    blocks: list[Block] = []
    for part in ("what", "harm", *(("office",) if request.depicted.office else ())):
        blocks += [heading(words.say(f"brief.{part}_head")), paragraph(words.say(f"brief.{part}"))]
    blocks += [heading(words.say("brief.case_head")), paragraph(counts)]
    if any(item.made in ("made", "altered") for item in request.items):
        blocks.append(paragraph(words.say("brief.case_made")))
    blocks.append(heading(words.say("brief.law_head")))
    if letter.law:
        blocks.append(paragraph(law_line(letter)))
    blocks.append(paragraph(words.say("brief.proof")))
    for part in ("ask", "check"):
        blocks += [heading(words.say(f"brief.{part}_head")), paragraph(words.say(f"brief.{part}"))]
    return blocks


def _service(letter: Letter, sighting: RequestSighting) -> str:
    platform = letter.facts.platform_for(sighting.url) if sighting.url else None
    return platform.name if platform else sighting.platform


def _few(letter: Letter, names: list[str]) -> Run:
    """At most six names, and none so long that the page would not hold it; then how many more there are."""
    short = [name if len(name) <= 40 else f"{name[:39]}…" for name in names]
    more = f" (+{len(short) - 6})" if len(short) > 6 else ""
    return letter.given(", ".join(short[:6]) + more)


# --- Letter of authority.


def authority(letter: Letter) -> list[Block]:
    """The blocks of the letter by which the person depicted lets somebody act for her."""
    words, request = letter.words, letter.request
    names = {"depicted": letter.given(request.depicted.name), "agent": letter.given(request.sender.name)}
    return [
        paragraph(words.say("authority.body", **names)),
        heading(words.say("authority.scope_head")),
        bullets([words.say(f"authority.scope_{part}") for part in ("requests", "record", "data")]),
        paragraph(words.say("authority.limits")),
        paragraph(words.say("authority.until")),
        {"k": "sign", "r": words.say("authority.place_date")},
        {"k": "sign", "r": words.say("authority.sign_depicted")},
        {"k": "sign", "r": words.say("authority.sign_agent")},
    ]


# --- Times.


def moment(request: Request) -> datetime.datetime:
    """The time of the packet; a draft that has none yet gets the first one that a zip file can hold."""
    return request.created_at or datetime.datetime(1981, 1, 1, tzinfo=datetime.UTC)


def utc(when: str, zone: str = "UTC") -> str:
    """A date or time of a request (ISO 8601) in UTC, to the minute; a time without an offset is in `zone`."""
    if "T" not in when:
        return when
    from zoneinfo import ZoneInfo

    at = datetime.datetime.fromisoformat(when)
    if at.tzinfo is None:
        at = at.replace(tzinfo=ZoneInfo(zone))
    return f"{at.astimezone(datetime.UTC):%Y-%m-%d %H:%M}"
