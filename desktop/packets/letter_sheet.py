"""The sheet for the sender alone: where the request goes, what to copy into which field, and what to check before.

It is no part of the packet. It holds what the letters leave out: what a way costs, and which facts nobody has verified.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from desktop.packets import letter_bodies as bodies
from desktop.packets.catalogue import (
    Block,
    Run,
    Runs,
    bullets,
    copyable,
    heading,
    note,
    pairs,
    paragraph,
    runs_text,
    value,
)
from desktop.packets.countries import country_name
from desktop.packets.facts import CHECK
from desktop.packets.letter_bodies import Letter
from desktop.safety import helplines
from desktop.safety.helplines import Confidence

if TYPE_CHECKING:
    from desktop.packets.complete import Risk

_HELPLINES = 4
# Risks that are good to know; the others are what a way costs the sender.
_KNOWN = (
    "warning",
    "not_obviously_covered",
    "more_than_needed",
    "with_lawyer",
    "other_country",
    "hashes_left_out",
)
# Under which other name a field asks for an element, and which elements the statements hold by themselves.
_FIELD_OF = {"sender_name": "contact_name", "recipient": "host_provider"}
_CONTACTS = {"contact_email", "contact_phone", "contact_address"}
_IN_STATEMENTS = (*bodies.STATEMENTS, "role", "identity_disclosure_choice")
_OF_SENDER = {
    "contact_name": "name",
    "contact_email": "email",
    "contact_phone": "phone",
    "contact_address": "address",
}


def body(letter: Letter, whole: bool) -> list[Block]:
    """The blocks of the sheet, without its heading.

    Unless `whole`, very many addresses are not printed to the end: they are in the text file beside it.
    """
    words, assessment = letter.words, letter.assessment
    costs = {r.says: _risk(r) for r in assessment.risks if r.kind not in _KNOWN}
    known = {r.says: _risk(r) for r in assessment.risks if r.kind in _KNOWN and r.says not in costs}
    return [
        {"k": "frame", "blocks": [paragraph([{"v": words.text("sheet.private"), "b": True}])]},
        paragraph(words.say("sheet.calm")),
        *_way(letter),
        *_listed(letter, "missing", [f"{c.says} {c.remedy}" for c in assessment.missing]),
        *_listed(letter, "weak", [f"{c.says} {c.remedy}" for c in assessment.weak]),
        *_checks(letter),
        *_listed(letter, "costs", costs.values(), "costs_none"),
        *_listed(letter, "known", known.values()),
        *_reports(letter),
        *_fields(letter, whole),
        *_after(letter),
        *_help(letter),
    ]


def _english(text: str) -> Run:
    """A sentence of the facts or of the checks, which are in English alone."""
    return value(" ".join(text.split()), language="en")


def _sentence(text: str) -> list[Block]:
    """The same as a paragraph of its own."""
    return [{"k": "p", "r": [_english(text)], "own": True, "near": True}]


def _risk(risk: Risk) -> str:
    mark = {
        Confidence.SECONDARY: f" Read in a secondary source only: {CHECK}.",
        Confidence.UNVERIFIED: f" Nobody has verified this: {CHECK}.",
    }
    return risk.says + mark.get(risk.confidence, "")


def _listed(letter: Letter, part: str, sentences: Iterable[str], none: str = "") -> list[Block]:
    items = [_sentence(text) for text in dict.fromkeys(sentences)]
    if not items and not none:
        return []
    shown = bullets(items) if items else paragraph(letter.words.say(f"sheet.{none}"))
    return [heading(letter.words.say(f"sheet.{part}")), shown]


def _way(letter: Letter) -> list[Block]:
    words, channel = letter.words, letter.assessment.channel
    items: list[tuple[Runs, Runs | list[Block]]] = [
        (words.say("common.to"), [value(letter.request.recipient.name or letter.assessment.platform.name)]),
        (words.say("common.through"), [_english(channel.name)]),
    ]
    if letter.law:
        items.append((words.say("common.law"), bodies.law_line(letter)))
    found = [heading(words.say("sheet.way")), pairs(items, 34)]
    if address := _address(letter):
        say = "sheet.email_to" if "@" in address and "/" not in address else "sheet.open_address"
        found += [paragraph(words.say(say)), copyable(address)]
    if channel.steps:
        found += [paragraph(words.say("sheet.steps")), bullets([_sentence(s) for s in channel.steps], "steps")]
    account = words.say(f"sheet.account_{channel.account}")
    return [*found, *([paragraph(account)] if channel.kind not in ("email", "phone", "post") else [])]


def _address(letter: Letter) -> str:
    other, channel = letter.request.recipient, letter.assessment.channel
    return channel.address or other.email or other.address


def _checks(letter: Letter) -> list[Block]:
    words = letter.words
    items = [_sentence(d) for d in dict.fromkeys(letter.assessment.doubts)]
    if not words.reviewed:
        items.append([paragraph(words.say("sheet.translation"))])
    shown = bullets(items, "ticks") if items else paragraph(words.say("sheet.check_none"))
    return [heading(words.say("sheet.check")), shown]


def _reports(letter: Letter) -> list[Block]:
    from desktop.packets.batches import split

    words, channel = letter.words, letter.assessment.channel
    count = len(split(letter.request, letter.assessment.platform, channel))
    if count < 2:
        return []
    say = words.say("sheet.batch_one" if channel.batch == "one" else "sheet.batch_urls", count=value(str(count)))
    return [heading(words.say("sheet.batches")), paragraph(say)]


def _fields(letter: Letter, whole: bool) -> list[Block]:
    words, channel = letter.words, letter.assessment.channel
    if not channel.fields and letter.assessment.platform.kind == "hash_programme":
        return []  # a fingerprint is made there, and nothing is copied
    found = [heading(words.say("sheet.fields")), note(words.say("sheet.fields_note"))]
    letter_shown = False
    for field in channel.fields:
        found.append(heading([_english(field.label)], 3))
        if field.choose:
            found.append(paragraph(words.say("sheet.choose", choice=_english(field.choose))))
        text = "" if field.choose and field.value in ("role", "none") else field_text(letter, field.value)
        if text:
            found += _copied(letter, field.value, text, whole)
            letter_shown = letter_shown or field.value == "letter"
        if field.max and len(text) > field.max:
            counts = {"max": value(str(field.max)), "count": value(str(len(text)))}
            found.append(paragraph(words.say("sheet.too_long", **counts)))
        if field.note:
            found.append(note([_english(field.note)]))
    if not channel.fields:
        # What the law and the channel ask for, in their order: there is no form whose order could be known.
        asked = dict.fromkeys(check.element for check in letter.assessment.checks if check.needed_by)
        for element in asked:
            if words.has(f"element.{element}") and (text := field_text(letter, element)):
                found += [heading(words.say(f"element.{element}"), 3), *_copied(letter, element, text, whole)]
    kind = bodies.letter_kind(letter.assessment)
    if channel.kind not in ("phone", "in_app"):
        file = value(f"{kind}.{words.code}.pdf", fixed=True)
        found.append(paragraph(words.say("sheet.attach", file=file)))
    if not letter_shown and channel.kind in ("email", "post", "portal"):
        found += [heading(words.say("sheet.letter")), copyable(field_text(letter, "letter"))]
    return found


def _copied(letter: Letter, what: str, text: str, whole: bool) -> list[Block]:
    lines = text.split("\n")
    # A letter prints no more than that by itself.
    if whole or what == "letter" or len(lines) <= (shown := bodies.how_many(lines)):
        return [copyable(text)]
    counts = {"count": value(str(len(lines))), "shown": value(str(shown))}
    return [copyable("\n".join(lines[:shown])), note(letter.words.say("notice.where_more", **counts))]


def field_text(letter: Letter, what: str) -> str:
    """The text for a field of a form: an element, or one of `facts.FIELD_VALUES`. Empty where there is none."""
    from desktop.packets import letters

    words, request, law = letter.words, letter.request, letter.law
    sender, depicted = request.sender, request.depicted
    if what in _OF_SENDER:
        return str(getattr(sender, _OF_SENDER[what]))
    if what == "statement":
        return _statement(letter)
    if what == "letter":
        return letters.letter_text(letter).strip()
    texts = {
        "none": "",
        "platform_name": _asked_before(letter) or letter.assessment.platform.name,
        "law_citation": bodies.cited(law) if law else "",
        "depicted_name": depicted.name,
        "sender_name": sender.name,
        "on_behalf": depicted.name if sender.role in ("agent", "guardian") else "",
        "role": runs_text(words.say(f"role.{sender.role}")) if sender.role else "",
        "recipient": request.recipient.name,
        "signature": request.signature.text,
        "locators": "\n".join(s.url or runs_text(bodies.address(s)) for s in request.sightings),
        "content_identification": "\n".join(dict.fromkeys(i.identification for i in request.items if i.identification)),
        "contact": "\n".join(filter(None, (sender.email, sender.phone, sender.address))),
        "legal_name": depicted.legal_name,
        "identity_disclosure_choice": _choice(letter),
        "authority_proof": runs_text(bodies.authority_of(letter)),
        "country": country_name(depicted.country, words.code),
        "username": "\n".join(dict.fromkeys(s.handle for s in request.sightings if s.handle)),
        "prior_request": request.texts.prior_request or _earlier(letter),
    }
    if what in texts:
        return texts[what]
    for element, runs in bodies.made_statements(letter):
        if element == what:
            return runs_text(runs)
    return "" if what in bodies.STATEMENTS else bodies.element_text(request, what)


def _statement(letter: Letter) -> str:
    """What the sender states, and what else is asked for and has no field of its own: the form then lacks nothing."""
    stated = [runs_text(runs) for _, runs in bodies.made_statements(letter)]
    has = {_FIELD_OF.get(field.value, field.value) for field in letter.assessment.channel.fields}
    if has & _CONTACTS:
        has |= {"contact"}
    asked = dict.fromkeys(check.element for check in letter.assessment.checks if check.needed_by)
    for element in asked:
        elsewhere = element in has or element in _IN_STATEMENTS or "letter" in has
        if not elsewhere and (text := field_text(letter, element)):
            label = letter.words.text(f"element.{element}")
            stated.append(f"{label}{letter.words.colon}{text}")
    return "\n".join(stated)


def _asked_before(letter: Letter) -> str:
    """The platform that a complaint is about."""
    platform = letter.facts.platforms.get(letter.request.earlier.platform)
    return platform.name if platform and bodies.letter_kind(letter.assessment) != "notice" else ""


def _earlier(letter: Letter) -> str:
    earlier = letter.request.earlier
    parts = (_asked_before(letter), bodies.utc(earlier.sent_at), earlier.reference)
    return letter.words.comma.join(filter(None, parts))


def _choice(letter: Letter) -> str:
    choice = letter.request.sender.identity
    return runs_text(letter.words.say(f"statement.identity_{choice}")) if choice else ""


def _after(letter: Letter) -> list[Block]:
    words, law, hours = letter.words, letter.law, letter.assessment.channel.deadline_hours
    due = bodies.law_limit(letter)
    if not due and hours:
        due = words.say("sheet.after_own", hours=value(str(hours)))
    due = [*due, " ", *words.say("sheet.after_from")] if due else words.say("sheet.after_none")
    found = [heading(words.say("sheet.after")), paragraph(due), paragraph(words.say("sheet.after_keep"))]
    # One line for each of those who can be asked next, with all that is said of them.
    steps: dict[str, list[str]] = {}
    for step in law.next if law else ():
        said = steps.setdefault(step.platform, [])
        said += [step.says] if step.says not in said else []
    lines = []
    for id, said in steps.items():
        platform = letter.facts.platforms.get(id)
        lines.append(_sentence(f"{platform.name}: {' '.join(said)}" if platform else " ".join(said)))
    return [*found, paragraph(words.say("sheet.after_next")), bullets(lines)] if lines else found


def _help(letter: Letter) -> list[Block]:
    given = letter.facts.helplines.values() or helplines.load()
    known = helplines.suited(given, letter.request.depicted.country)[:_HELPLINES]
    items = [[block for line in h.lines() if line for block in _sentence(line)] for h in known]
    return [heading(letter.words.say("sheet.help")), bullets(items)]
