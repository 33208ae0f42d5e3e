"""The guided form in words, apart from its questions: how far it is, what is looked over, ways, saving, "
"sending. Qt-free."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from desktop.casebook.records import AWAITING, Answer, Packet
from desktop.casebook.records import Request as Record
from desktop.packets import request as request_format
from desktop.packets.complete import Assessment, Check, State
from desktop.packets.facts import Channel
from desktop.packets.request import Request, RequestItem, RequestSighting, Signature
from desktop.packets.routes import Route
from desktop.packets.tracking import NextStep
from desktop.window import case_view, words
from desktop.window.describe import Section
from desktop.window.packet_questions import EXPOSES, Group, Outlook, Page, Step, element_name, kind_of, page_of, pages
from desktop.window.words import translate

# An address that was typed: with its scheme, or as people write it.
_SCHEMES = ("http://", "https://")
# More than so many packets at once are made in the terminal.
MOST_PACKETS = 100
_PACKETS_NAMED = 3
# As many as a request holds.
MOST_ADDED = request_format.MOST_SIGHTINGS


# Values


def value(request: Request, key: str) -> Any:
    """What a field holds now."""
    if key == "gate.kind":
        return kind_of(request)
    if key == "second":
        return request.also[0] if request.also else ""
    found: Any = request
    for part in key.split("."):
        if part.isdigit():
            found = found[int(part)] if int(part) < len(found) else RequestItem(id=1)
        else:
            found = getattr(found, part)
    return found


def with_value(request: Request, key: str, new: Any) -> Request:
    """The request with another value in a field."""
    if key == "gate.kind":
        gate = replace(request.gate, intimate=None, satire=None, news=None)
        if new:
            gate = replace(gate, intimate=new != "other", satire=new == "satire", news=new == "news")
        return replace(request, gate=gate)
    if key == "second":
        return replace(request, also=(new, *request.also[1:]) if new else request.also[1:])
    head, *rest = key.split(".")
    if head == "items":
        place, name = int(rest[0]), rest[1]
        items = request.items or (RequestItem(id=1),)
        changed = tuple(replace(i, **{name: new}) if n == place else i for n, i in enumerate(items))
        return replace(request, items=changed)
    if not rest:
        return replace(request, **{head: new})
    part = replace(getattr(request, head), **{rest[0]: new})
    return replace(request, **{head: part})


def typed(text: str, *, lines: bool = False) -> str:
    """What somebody typed or pasted, without what no letter can show: control characters and halves of characters."""
    return "".join(" " if _control(c) and not (lines and c == "\n") else c for c in text).strip()


def settled(request: Request, today: datetime.date) -> Request:
    """What follows from the answers by itself: who asks for herself is the sender; what is signed has a day."""
    if request.sender.role == "depicted" and request.depicted.name:
        request = replace(request, sender=replace(request.sender, name=request.depicted.name))
    sign = request.signature
    if sign.kind == "typed" and sign.text and not sign.date:
        request = replace(request, signature=replace(sign, date=today))
    elif sign.kind != "typed" and sign != Signature(kind=sign.kind):
        request = replace(request, signature=Signature(kind=sign.kind))
    return request


def addresses(text: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The addresses in pasted text, in order and each once, and the lines that are none."""
    good: dict[str, None] = {}
    bad = []
    for line in text.splitlines():
        word = typed(line)
        if not word:
            continue
        if "://" not in word and "." in word.split("/")[0] and " " not in word:
            word = f"https://{word}"
        if word.lower().startswith(_SCHEMES) and " " not in word and len(word) <= request_format.URL:
            good[word] = None
        else:
            bad.append(word)
    return tuple(good), tuple(bad)


def host(url: str) -> str:
    """The site of an address, as it is shown: what stands between the scheme and the first slash."""
    return url.partition("://")[2].split("/")[0].split("?")[0].lower()


def with_places(request: Request, chosen: Sequence[RequestSighting], everything: Request) -> Request:
    """The request about these places, with the items that were seen there; where none is named, with those it had."""
    wanted = {s.item for s in chosen}
    known = {i.id: i for i in (*everything.items, *request.items)}
    items = tuple(i for i in known.values() if i.id in wanted)
    return replace(request, items=items or request.items, sightings=tuple(chosen))


Place = tuple[str, str, str, int | None]


def place_of(place: RequestSighting) -> Place:
    """What tells one place from another: address, account, platform, and of what."""
    return place.url, place.handle, place.platform, place.item


def carried(request: Request, before: Request) -> Request:
    """The request with what was written for the one before: who, how they are reached, texts, and how the pictures are
    told. What is stated and signed, the questions that come first, and what depends on the way, are asked anew."""
    told = {i.id: i for i in before.items}
    items = tuple(
        replace(i, identification=told[i.id].identification, made=told[i.id].made) if i.id in told else i
        for i in request.items
    )
    if not request.items and not before.items[1:]:
        items = tuple(i for i in before.items if not i.sha256)
    return replace(
        request,
        depicted=before.depicted if before.depicted.name else request.depicted,
        sender=before.sender if before.sender.role else request.sender,
        texts=replace(before.texts, prior_request=""),
        items=items,
    )


def with_known(everything: Request, request: Request) -> Request:
    """All that can be chosen, with the places that were added meanwhile: unticked, they stay in the list."""
    known = {s.url for s in everything.sightings}
    new = tuple(s for s in request.sightings if s.url not in known)
    return replace(everything, sightings=(*everything.sightings, *new)) if new else everything


def with_addresses(request: Request, urls: Sequence[str], now: datetime.datetime) -> Request:
    """The request with these addresses too; those that it has already are not doubled."""
    known = {s.url for s in request.sightings}
    item = request.items[0].id if len(request.items) == 1 else None
    seen = now.isoformat(timespec="seconds")
    new = [RequestSighting(item=item, url=url, seen_at=seen) for url in urls if url not in known]
    return replace(request, sightings=(*request.sightings, *new))


def _control(character: str) -> bool:
    number = ord(character)
    return number < 0x20 or 0x7F <= number < 0xA0 or 0xD800 <= number < 0xE000


# How far it is


def _not_for_this(kind: str) -> str:
    said = {
        "satire": translate(
            "packet",
            "Satire and art are protected in most countries, also where they hurt. No request is prepared here.",
        ),
        "news": translate("packet", "Reports by the press are protected. No request is prepared here."),
        "other": translate("packet", "What is not intimate needs another kind of request than those prepared here."),
    }[kind]
    more = translate(
        "packet",
        "If a naked or sexual picture of somebody is in it all the same, choose the first answer. A lawyer or a "
        "helpline can say what else can be done.",
    )
    return f"{said} {more}"


def problem(page: Page, request: Request) -> str:
    """Why a page cannot be left for the next one yet; empty when it can. What is missing for a law holds nobody up."""
    if page.id == "age" and request.gate.age not in ("adults", "minor", "unsure"):
        return translate("packet", "Please choose one of the two.")
    if page.id == "kind":
        kind = kind_of(request)
        if not kind:
            return translate("packet", "Please choose one of them.")
        if kind != "intimate":
            return _not_for_this(kind)
    if page.id == "role" and not request.sender.role:
        return translate("packet", "Please choose who you are.")
    if page.id == "way" and not request.platform:
        return translate("packet", "Please choose one of the ways in the list.")
    return ""


def steps(
    request: Request, outlook: Outlook | None, shown: Sequence[Page], *, built: bool, sent: bool
) -> list[tuple[Step, str, bool]]:
    """The side list: each step, in words how it stands, and whether it can be gone to."""
    there = {page.step for page in shown}
    missing = missing_by_step(request, outlook)
    lines = []
    for step in Step:
        said = ""
        names = missing.get(step, ())
        if len(names) == 1:
            said = translate("packet", "Missing: {what}").format(what=names[0])
        elif names:
            said = translate("packet", "{n} things missing").format(n=len(names))
        elif step is Step.SAVE and built:
            said = translate("packet", "Saved")
        elif step is Step.SEND and sent:
            said = translate("packet", "Sent")
        lines.append((step, said, step in there))
    return lines


def missing_by_step(request: Request, outlook: Outlook | None) -> dict[Step, list[str]]:
    """What the chosen law and form need and is not there, by the step where it is answered."""
    if outlook is None or outlook.assessment is None:
        return {}
    where = {page.id: page.step for page in pages(request, outlook)}
    found: dict[Step, list[str]] = {}
    for check in outlook.assessment.missing:
        step = where.get(page_of(check.element, request), Step.ASKED)
        found.setdefault(step, []).append(element_name(check.element))
    return found


@dataclass(frozen=True, slots=True)
class FormText:
    """One field of the recipient's form: its name there, the text to copy, what to choose in it, and what to mind."""

    label: str
    text: str = ""
    choose: str = ""
    note: str = ""
    most: int | None = None


def shown(field: FormText) -> str:
    """A field of their form as it is shown beside its button: the beginning of its text, or what to choose."""
    lines = []
    if field.choose:
        lines.append(translate("packet", "Choose: {choice}").format(choice=field.choose))
    if field.text:
        # A line drawn with signs says nothing here, and is too long to break.
        text = " ".join(word for word in field.text.split() if set(word) - set("=-_*"))
        lines.append(text if len(text) <= 160 else f"{text[:159]}…")
    if field.most is not None and len(field.text) > field.most:
        said = translate("packet", "The field takes {max} characters, and this text has {n}. Shorten it there.")
        lines.append(said.format(max=f"{field.most:,}", n=f"{len(field.text):,}"))
    if field.note:
        lines.append(field.note)
    return "\n".join(lines) or translate("packet", "Nothing is needed here.")


# What is looked over


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a list: its words, and the page to which it leads, or none."""

    text: str
    page: str = ""


def review(request: Request, outlook: Outlook) -> list[tuple[str, list[Line]]]:
    """Everything to look over, under headings: what stands against it, what is missing, weak, risky, to be checked, and
    there."""
    assessment = outlook.assessment
    if assessment is None:
        return []
    refused = [
        Line(f"{r.says} {r.remedy}".strip(), "age" if r.code in ("age_not_answered", "maybe_minor") else "way")
        for r in assessment.refusals
    ]
    missing = {check.element for check in assessment.missing}
    of_page = {page.id for page in pages(request, outlook)}

    def line(check: Check, more: str = "") -> Line:
        page = page_of(check.element, request)
        name = element_name(check.element)
        name = f"{name[:1].upper()}{name[1:]}"
        return Line(f"{name}. {more}".strip(), page if page in of_page else "")

    checks = assessment.checks
    lacking = [c for c in checks if c.state is State.MISSING]
    groups = [
        (translate("packet", "Against it"), refused),
        (
            translate("packet", "Missing"),
            [line(c, f"{c.says} {c.remedy}") for c in lacking if c.element in missing],
        ),
        (
            translate("packet", "Could be stronger"),
            [line(c, f"{c.says} {c.remedy}") for c in checks if c.state is State.WEAK],
        ),
        (
            translate("packet", "Good to know"),
            [Line(risk.says, _page_of_risk(risk.kind, of_page)) for risk in assessment.risks],
        ),
        (translate("packet", "Check before sending"), [Line(doubt) for doubt in assessment.doubts]),
        (
            translate("packet", "Not there, and not required"),
            [line(c) for c in lacking if c.element not in missing],
        ),
        (translate("packet", "There"), [line(c) for c in checks if c.state is State.PRESENT]),
    ]
    return [(heading, list(dict.fromkeys(lines))) for heading, lines in groups if lines]


def verdict(outlook: Outlook) -> str:
    """In one sentence, whether everything is there."""
    assessment = outlook.assessment
    if assessment is None:
        return translate("packet", "No way is chosen yet.")
    if assessment.refusals:
        return translate("packet", "This request cannot be prepared in this way.")
    missing = len(assessment.missing)
    if missing == 1:
        return translate("packet", "One thing is still missing. Choose a line to go where it is answered.")
    if missing:
        said = translate("packet", "{n} things are still missing. Choose a line to go where it is answered.")
        return said.format(n=missing)
    return translate("packet", "Everything that this way needs is there.")


def _page_of_risk(kind: str, of_page: set[str]) -> str:
    wanted = "contact" if kind in EXPOSES else "statements" if kind == "perjury" else "way"
    return wanted if wanted in of_page else ""


# Ways


def route_line(route: Route, *, first: bool, number: int = 0, group: Group | None = None) -> str:
    """A way for the list: its title, how it takes the `number` of addresses that are for it, by when, and how much is
    still missing."""
    parts = [route.title]
    if route.refused:
        return f"{translate('packet', 'Not offered')}: {route.title}"
    if first:
        parts[0] = f"{translate('packet', 'Recommended first')}: {route.title}"
    if group is not None and number > 1:
        parts.append(grouping(number, group, why=False))
    if route.due:
        parts.append(translate("packet", "By when: {due}").format(due=route.due))
    if route.missing:
        parts.append(missing_line(route.missing))
    elif can_be_chosen(route):
        parts.append(translate("packet", "Nothing is missing."))
    return "\n".join(parts)


def missing_line(elements: Sequence[str]) -> str:
    """What is still missing, by name while that is short."""
    names = [element_name(e) for e in elements]
    if len(names) > 3:
        return translate("packet", "Still to be answered: {n} things").format(n=len(names))
    return translate("packet", "Still to be answered: {what}").format(what=", ".join(names))


def can_be_chosen(route: Route) -> bool:
    """Whether a packet can be prepared for it: not where it was refused, nor where it is somebody to talk to."""
    return bool(route.platform_id) and not route.refused


def chosen_route(request: Request, routes: Sequence[Route]) -> int:
    """The number of the way that the request goes now; where none is chosen yet, of the first that can be; else -1."""

    def near(route: Route) -> tuple[bool, bool, bool]:
        channel = route.channel_id == request.channel
        return route.platform_id == request.platform, route.law_id == request.law, channel

    if not request.platform:
        return next((n for n, r in enumerate(routes) if can_be_chosen(r)), -1)
    best = max(range(len(routes)), key=lambda n: (near(routes[n]), -n), default=-1)
    return best if best >= 0 and near(routes[best])[0] else -1


def kept_way(outlook: Outlook) -> str:
    """What stands beside the list while none of it is chosen: the way that the request goes now, if it goes one."""
    if outlook.assessment is None:
        return translate("packet", "No way is known yet.")
    said = translate("packet", "It goes to {name} now, and stays so unless you choose one of these.")
    return said.format(name=words.visible(addressed(outlook.assessment)[0]))


def with_route(
    request: Request,
    route: Route,
    places: Sequence[RequestSighting] | None = None,
    languages: Mapping[str, str] | None = None,
) -> Request:
    """The request on another way, about those of its places that go there.

    `languages` are those in which offices work, by the platform's id. Unless somebody chose others, the letters are in
    that of the office, with English for who sends them; in English for everybody else.
    """
    if places is not None:
        request = with_places(request, places, request)
    before, now = (_letters(id, languages or {}) for id in (request.platform, route.platform_id))
    if (request.language, request.also) == before:
        request = replace(request, language=now[0], also=now[1])
    return replace(request, law=route.law_id, platform=route.platform_id, channel=route.channel_id)


def _letters(platform_id: str, languages: Mapping[str, str]) -> tuple[str, tuple[str, ...]]:
    language = languages.get(platform_id, "en")
    return language, () if language == "en" else ("en",)


def route_sections(route: Route, number: int = 0, group: Group | None = None) -> list[tuple[str, tuple[str, ...]]]:
    """A way in words: why, by when, what it costs, what to check, what is missing; or why it is not offered.

    With a `group`, also how it takes so many addresses.
    """
    if route.refused:
        return [(translate("packet", "Why it is not offered"), (route.refused,))]
    parts = [(translate("packet", "Why this way"), route.why)]
    if route.due:
        parts.append((translate("packet", "By when"), (route.due,)))
    if group is not None and number > 1:
        parts.append((translate("packet", "How many reports"), (grouping(number, group),)))
    costs = route.costs or (translate("packet", "Nothing is known that it would cost you."),)
    parts.append((translate("packet", "What it may cost you"), costs))
    if route.doubts:
        parts.append((translate("packet", "Check before sending"), route.doubts))
    if route.missing:
        parts.append((translate("packet", "Still to be answered"), tuple(element_name(e) for e in route.missing)))
    return [(title, lines) for title, lines in parts if lines]


def grouping(number: int, group: Group, *, why: bool = True) -> str:
    """Into how many reports so many addresses go, and why, unless that is said elsewhere."""
    if not number:
        return translate("packet", "No address is chosen yet.")
    count = translate("packet", "1 address") if number == 1 else translate("packet", "{n} addresses")
    reports = translate("packet", "1 report") if group.parts == 1 else translate("packet", "{n} reports")
    said = f"{count.format(n=f'{number:,}')}: {reports.format(n=f'{group.parts:,}')}"
    because = {
        "one": translate("packet", "as this form takes one each"),
        "urls": translate("packet", "as this form takes a list"),
        "urls_one_host": translate("packet", "as this form takes a list of addresses on one site"),
    }.get(group.batch, "")
    if group.batch == "urls" and group.most:
        because = translate("packet", "as this form takes a list of at most {n}").format(n=f"{group.most:,}")
    return f"{said}, {because}." if number > 1 and why and because else f"{said}."


# Saving and sending


def save_lines(request: Request, outlook: Outlook) -> list[str]:
    """What to know before a packet is saved."""
    said = []
    assessment = outlook.assessment
    missing = [] if assessment is None else [element_name(c.element) for c in assessment.missing]
    if missing:
        draft = translate(
            "packet",
            "Still missing: {what}. It can be saved as a draft: each page then says that it is not to be sent. Or "
            "answer what is missing first.",
        )
        said.append(draft.format(what=", ".join(missing)))
    if outlook.parts > 1:
        said.append(grouping(len(request.sightings), outlook.group))
        said.append(translate("packet", "Each report gets a packet of its own."))
    if request.include.image == "none":
        said.append(translate("packet", "No picture goes in."))
    said.append(translate("packet", "The packet is one zip file for them. Nothing is sent from here."))
    return said


def too_many(outlook: Outlook) -> str:
    """Why so many packets are not made here; empty where they are."""
    if outlook.parts <= MOST_PACKETS:
        return ""
    said = translate(
        "packet",
        "These addresses need {n} packets, and at most {most} are made here at once. Choose fewer addresses, or use "
        "the terminal: counterproof packet split.",
    )
    return said.format(n=f"{outlook.parts:,}", most=MOST_PACKETS)


def named(names: Sequence[str]) -> str:
    """The packets that were saved, in a few words: the name of one, or how many."""
    if len(names) == 1:
        return names[0]
    return translate("packet", "{name} and {n} more").format(name=names[0], n=len(names) - 1)


def report_names(parts: int, names: Sequence[str]) -> list[str]:
    """The reports of a request, each with the name of its packet where that is known."""
    said = translate("packet", "Report {n} of {all}")
    reports = [said.format(n=number, all=parts) for number in range(1, parts + 1)]
    if len(names) != parts:
        return reports
    return [f"{report}: {name}" for report, name in zip(reports, names, strict=True)]


def draft_line(names: Sequence[str], folder: str) -> str:
    """That a draft was saved, and that it is none to send."""
    said = translate(
        "packet",
        "Saved as a draft in {folder}: {name}. Do not send it: answer what is missing first, then save it again.",
    )
    return said.format(folder=words.visible(folder), name=", ".join(names[:3]) + ("…" if len(names) > 3 else ""))


def send_lines(built: str, folder: str, outlook: Outlook, *, sheet: bool, elsewhere: int = 0) -> list[str]:
    """Where the packet is, and what to do now, step by step. `sheet`: the one for the sender lies beside it;
    `elsewhere`: how many places no request is about yet."""
    if folder and sheet:
        where = translate("packet", "Saved in {folder}: {name}. The sheet beside it is for you, not for them.")
    elif folder:
        where = translate("packet", "Saved in {folder}: {name}.")
    else:
        where = translate("packet", "Saved before: {name}. Where it lies is not kept in the casebook.")
    steps_ = [] if outlook.assessment is None else guide(outlook.assessment.channel)
    steps_.append(translate("packet", "Come back here when you have sent it, now or on another day."))
    said = where.format(name=built, folder=words.visible(folder))
    lines = [said, *(f"{number}. {text}" for number, text in enumerate(steps_, 1))]
    if elsewhere:
        lines.append(more_places(elsewhere))
    return lines


def more_places(number: int) -> str:
    """That some places are in no request yet, and how to go on with them."""
    if number == 1:
        return translate("packet", "One more place is in no request yet. “Prepare request…” begins with it next time.")
    said = translate("packet", "{n} more places are in no request yet. “Prepare request…” begins with them next time.")
    return said.format(n=f"{number:,}")


def guide(channel: Channel) -> list[str]:
    """How a request gets to them, step by step."""
    said = []
    if channel.kind in ("form", "portal") and channel.address:
        said.append(translate("packet", "Open the first address below in your own browser."))
    elif channel.kind == "email":
        to = channel.address or translate("packet", "the address that you wrote down")
        said.append(translate("packet", "Write an e-mail to {address}, and attach the packet.").format(address=to))
    elif channel.kind == "phone":
        said.append(
            translate("packet", "Call {number}, and have the sheet in front of you.").format(number=channel.address)
        )
    said += channel.steps
    if channel.kind in ("form", "portal", "in_app"):
        if channel.account == "yes":
            said.append(translate("packet", "You need an account there."))
        elif channel.account == "no":
            said.append(translate("packet", "You need no account there."))
        said.append(
            translate("packet", "Copy each text below into its field. Attach the letter where their form takes a file.")
        )
    said.append(translate("packet", "Keep the number that they give you."))
    return said


def addressed(assessment: Assessment) -> tuple[str, str, str]:
    """To whom, on what legal basis and how a request goes, as the casebook notes it."""
    law = assessment.law
    basis = "" if law is None else ", ".join(filter(None, (law.name, law.citation)))
    return assessment.request.recipient.name or assessment.platform.name, basis, assessment.channel.name


# Requests that are under way


def sent_line(record: Record) -> str:
    """That it is noted as sent, and by when they should answer."""
    said = translate("packet", "Noted as sent.")
    if record.due_at is None:
        return said
    return f"{said} {case_view.request_line(record, datetime.date.today(), [record.id])}."


def tracked_sections(
    record: Record, answers: Sequence[Answer], packets: Sequence[Packet], *, prepared: bool
) -> list[Section]:
    """Where a request stands: to whom, since when, by when they should answer, and what they said.

    `prepared`: it has a form here, so that the time is known to the minute.
    """
    name = words.visible(record.recipient) or translate("request", "A request")
    lines = [translate("packet", "Now: {state}").format(state=case_view.state_word(record.state).lower())]
    if record.sent_at:
        lines.append(translate("packet", "Sent: {when}").format(when=case_view.when(record.sent_at)))
    if record.due_at and record.state in AWAITING:
        exact = [record.id] if prepared else []
        lines.append(case_view.request_line(record, datetime.date.today(), exact) + ".")
    for label, text in (
        (translate("packet", "Their number"), record.reference),
        (translate("packet", "Legal basis"), record.legal_basis),
        (translate("packet", "How"), record.channel),
    ):
        if text:
            lines.append(f"{label}: {words.visible(text)}")
    sections = [Section(name, tuple(lines))]
    if answers:
        said = tuple(case_view.answer_line(a) for a in answers)
        sections.append(Section(translate("packet", "Answers"), said))
    if packets:
        made = tuple(f"{p.name}, {case_view.when(p.built_at)}" for p in packets[-_PACKETS_NAMED:])
        if len(packets) > len(made):
            more = translate("packet", "and {n} before them").format(n=len(packets) - len(made))
            made = (*made, more)
        sections.append(Section(translate("packet", "Packets"), made))
    return sections


def step_text(step: NextStep) -> str:
    """A next step in a line or two, with its mark where something about it is to be checked."""
    said = f"{step.title}. {step.says}"
    return words.visible(f"{said} ({translate('packet', 'Check before sending.')})" if step.doubts else said)


def can_be_done(step: NextStep, *, prepared: bool) -> bool:
    """Whether a next step can be begun here: some are only for her to do, or need the form that a request came from."""
    if step.kind in ("finish", "send"):
        return prepared
    return bool(step.platform_id) or step.kind in ("again", "note_number", "read")
