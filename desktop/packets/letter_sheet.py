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
from desktop.packets.facts import CHECK
from desktop.packets.letter_bodies import Letter
from desktop.safety import helplines
from desktop.safety.helplines import Confidence

if TYPE_CHECKING:
    from desktop.packets.complete import Risk

_HELPLINES = 4
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
    words = letter.words
    return [
        {"k": "frame", "blocks": [paragraph([{"v": words.text("sheet.private"), "b": True}])]},
        paragraph(words.say("sheet.calm")),
        *_way(letter),
        *_listed(letter, "costs", map(_risk, letter.assessment.risks), "costs_none"),
        *_checks(letter),
        *_listed(letter, "missing", [f"{c.says} {c.remedy}" for c in letter.assessment.missing], "missing_none"),
        *_listed(letter, "weak", [f"{c.says} {c.remedy}" for c in letter.assessment.weak]),
        *_reports(letter),
        *_fields(letter, whole),
        *_after(letter),
        *_help(letter),
        *bodies.translated(letter),
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
        items.append((words.say("common.law"), words.say("brief.law", **bodies.law_parts(letter))))
    found = [heading(words.say("sheet.way")), pairs(items, 34)]
    if address := _address(letter):
        say = "sheet.email_to" if "@" in address and "/" not in address else "sheet.open_address"
        found += [paragraph(words.say(say)), copyable(address)]
    if channel.steps:
        found += [paragraph(words.say("sheet.in_app")), bullets([_sentence(s) for s in channel.steps], "steps")]
    account = words.say(f"sheet.account_{channel.account}")
    return [*found, *([paragraph(account)] if channel.kind not in ("email", "phone", "post") else [])]


def _address(letter: Letter) -> str:
    other, channel = letter.request.recipient, letter.assessment.channel
    return channel.address or other.email or other.address


def _checks(letter: Letter) -> list[Block]:
    words = letter.words
    doubts = list(dict.fromkeys(letter.assessment.doubts))
    shown = bullets([_sentence(d) for d in doubts], "ticks") if doubts else paragraph(words.say("sheet.check_none"))
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
    if whole or what == "letter" or len(lines) <= bodies.MOST_PRINTED:
        return [copyable(text)]
    counts = {"count": value(str(len(lines))), "shown": value(str(bodies.MOST_PRINTED))}
    return [copyable("\n".join(lines[: bodies.MOST_PRINTED])), note(letter.words.say("notice.where_more", **counts))]


def field_text(letter: Letter, what: str) -> str:
    """The text for a field of a form: an element, or one of `facts.FIELD_VALUES`. Empty where there is none."""
    from desktop.packets import letters

    words, request, law = letter.words, letter.request, letter.law
    sender, depicted = request.sender, request.depicted
    if what in _OF_SENDER:
        return str(getattr(sender, _OF_SENDER[what]))
    if what in ("statement", "letter"):
        stated = "\n".join(runs_text(runs) for _, runs in bodies.made_statements(letter))
        return stated if what == "statement" else letters.letter_text(letter).strip()
    texts = {
        "none": "",
        "platform_name": _asked_before(letter) or letter.assessment.platform.name,
        "law_citation": f"{law.name}, {law.citation}" if law else "",
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
        "authority_proof": sender.authority_note,
        "country": depicted.country,
        "username": "\n".join(dict.fromkeys(s.handle for s in request.sightings if s.handle)),
        "prior_request": request.texts.prior_request or _earlier(letter),
    }
    if what in texts:
        return texts[what]
    for element, runs in bodies.made_statements(letter):
        if element == what:
            return runs_text(runs)
    return "" if what in bodies.STATEMENTS else bodies.element_text(request, what)


def _asked_before(letter: Letter) -> str:
    """The platform that a complaint is about."""
    platform = letter.facts.platforms.get(letter.request.earlier.platform)
    return platform.name if platform and bodies.letter_kind(letter.assessment) != "notice" else ""


def _earlier(letter: Letter) -> str:
    earlier = letter.request.earlier
    return ", ".join(filter(None, (_asked_before(letter), bodies.utc(earlier.sent_at), earlier.reference)))


def _choice(letter: Letter) -> str:
    choice = letter.request.sender.identity
    return runs_text(letter.words.say(f"statement.identity_{choice}")) if choice else ""


def _after(letter: Letter) -> list[Block]:
    words, law, channel = letter.words, letter.law, letter.assessment.channel
    limit = law.deadline.words if law and law.deadline else ""
    limit = limit or (f"within {channel.deadline_hours} hours" if channel.deadline_hours else "")
    due = words.say("sheet.after_due", words=_english(limit)) if limit else words.say("sheet.after_none")
    found = [heading(words.say("sheet.after")), paragraph(due), paragraph(words.say("sheet.after_keep"))]
    steps = []
    for step in law.next if law else ():
        platform = letter.facts.platforms.get(step.platform)
        steps.append(_sentence(f"{platform.name}: {step.says}" if platform else step.says))
    return [*found, paragraph(words.say("sheet.after_next")), bullets(steps)] if steps else found


def _help(letter: Letter) -> list[Block]:
    known = helplines.for_country(letter.request.depicted.country)[:_HELPLINES]
    items = [[block for line in h.lines() if line for block in _sentence(line)] for h in known]
    return [heading(letter.words.say("sheet.help")), bullets(items)]
