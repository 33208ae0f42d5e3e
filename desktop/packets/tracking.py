"""What comes after a request was sent: until when to wait, and what can be done next.

A platform that does not answer in time is the platform's matter, never the person's: nothing here counts down, and
every step can be left out. Which authority to turn to is in the facts of each law (`next`), with its doubts.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from desktop.casebook.records import AWAITING, RequestState
from desktop.packets import deadlines
from desktop.packets.addresses import HOLD_POSTS
from desktop.packets.complete import assess, can_be_sent
from desktop.packets.deadlines import Due
from desktop.packets.facts import CHECK
from desktop.packets.gather import plain, readable
from desktop.packets.request import (
    Earlier,
    Include,
    RecipientOverride,
    Request,
    RequestItem,
    RequestSighting,
    Signature,
    Statements,
)
from desktop.safety.helplines import Confidence

if TYPE_CHECKING:
    from desktop.casebook.casebook import Casebook
    from desktop.casebook.records import Answer, Packet, PacketForm, Sighting
    from desktop.casebook.records import Request as Record
    from desktop.packets.facts import Channel, Facts, Law, Platform

# Behind a website that is no platform of its own stands somebody who carries it.
_CARRIED = ("adult", "aggregator", "instance", "model_host")
_GENERIC = "other_platform"
_HOST, _STOP_COPIES = "host", "stopncii"
# Without any limit in law or in the platform's own words, this long is long enough to ask again.
_A_WHILE = datetime.timedelta(days=7)
_REMOVED = re.compile(
    r"\b(?:removed|deleted|taken down|took (?:it|them) down|gone|blocked|disabled|de-?listed)\b", re.I
)
_NOT = re.compile(r"\b(?:not|no|never|partly|partially|some|refused|declined)\b|n['’]t\b", re.IGNORECASE)
_KINDS = {"police": "police", "court": "court", "support": "support"}


@dataclass(frozen=True, slots=True)
class NextStep:
    """One thing that can be done next. `title` is short, `says` a sentence or two, `doubts` what to check before.

    `kind`: finish, send, wait, note_number, remind, complain, police, court, support, redress, read, check_again,
    stop_copies, delist, host, again. With `platform_id`, a request can be made of it: to whom, and on which law.
    """

    kind: str
    title: str
    says: str
    platform_id: str = ""
    law_id: str = ""
    doubts: tuple[str, ...] = ()


def next_steps(
    record: Record,
    law: Law | None,
    platform: Platform | None,
    due: Due | None,
    now: datetime.datetime,
    facts: Facts,
    *,
    answers: Sequence[Answer] = (),
    seen_again: Sequence[Sighting] = (),
    begun: Collection[str] = (),
    built: bool = False,
) -> tuple[NextStep, ...]:
    """What can be done about a request of the casebook at the time `now` (aware), the first thing first.

    `law` and `platform` are what it went out under and to, where that is known, `due` its limit as `deadlines.due` has
    it; a date that was recorded by hand goes before. `answers` are those to it, `seen_again` where its pictures were
    seen since (`seen_again()`), `begun` the ids of those who were turned to already, `built` whether a draft's packet
    is made. Empty when there is nothing to do.
    """
    who = plain(record.recipient) or (platform.name if platform else "the recipient")
    steps = _Steps(law, platform, facts)
    if record.state is RequestState.DRAFT:
        return (_draft(built),)
    if seen_again:
        places = f"{len(seen_again)} new addresses" if len(seen_again) != 1 else "one new address"
        says = f"It was seen at {places} since. A new request can be made from this one, with these addresses."
        steps.add("again", "Ask again, because it was seen again", says)
    if record.state in AWAITING:
        _awaiting(steps, record, who, due, now)
    elif record.state is RequestState.REFUSED:
        _refused(steps, who)
    elif record.state is RequestState.ANSWERED and not was_removed(answers):
        _answered(steps, who)
    elif record.state in (RequestState.ANSWERED, RequestState.DONE):
        _removed(steps)
    return tuple(s for s in steps.found if not s.platform_id or s.platform_id not in begun)


def was_removed(answers: Sequence[Answer]) -> bool:
    """Whether the last answer says in its outcome that it was taken down. What is not clear counts as no."""
    outcome = max(answers, key=lambda a: (_at(a.at), a.id)).outcome if answers else ""
    return bool(_REMOVED.search(outcome)) and not _NOT.search(outcome)


def seen_again(record: Record, sightings: Iterable[Sighting], records: Iterable[Record]) -> tuple[Sighting, ...]:
    """Where the pictures of a request were seen after it was sent, in no request yet."""
    asked = {n for r in records for n in r.sighting_ids}
    since = _at(record.sent_at) if record.sent_at else None
    return tuple(
        s for s in sightings if since and s.item_id in record.item_ids and s.id not in asked and _at(s.seen_at) > since
    )


def way_of(casebook: Casebook, request_id: int, facts: Facts) -> tuple[Law | None, Platform | None, Channel | None]:
    """Under which law, to whom and through which channel a request of the casebook goes: as in its last packet, else as
    in its form; None where that is not known. Raises no_such_record."""
    casebook.request(request_id)
    packets = casebook.packets(request_id)
    forms = [] if packets else casebook.packet_forms(request_id=request_id)
    return way(packets, next(iter(forms), None), facts)


def way(
    packets: Sequence[Packet], form: PacketForm | None, facts: Facts
) -> tuple[Law | None, Platform | None, Channel | None]:
    """As `way_of`, for the packets (oldest first) and the form of a request that are known already."""
    found = packets[-1] if packets else form
    if found is None:
        return None, None, None
    platform = facts.platforms.get(found.platform)
    channel = platform.channel(found.channel) if platform and found.channel else None
    law = facts.laws.get(found.law)
    if law is None and channel and len(channel.laws) == 1:
        law = facts.laws.get(channel.laws[0])  # a request through it is one under that law
    return law, platform, channel


def mark_sent(
    casebook: Casebook, request_id: int, sent_at: str, facts: Facts, *, reference: str | None = None
) -> Record:
    """Record that a request was sent, and until when an answer is due by the law's own clock.

    `sent_at` is ISO 8601 with an offset. Where neither law nor platform names a limit, a date that was recorded before
    stays. Raises no_such_record, bad_record.
    """
    law, platform, channel = way_of(casebook, request_id, facts)
    record = casebook.update_request(request_id, sent_at=sent_at, reference=reference, state=RequestState.SENT)
    until = due_of(record, law, platform, channel)
    return casebook.update_request(request_id, due_at=until.at.isoformat(timespec="seconds")) if until else record


def due_of(record: Record, law: Law | None, platform: Platform | None, channel: Channel | None) -> Due | None:
    """Until when an answer to a request of the casebook is due; None where it was not sent, or nobody names a limit.

    The law's limit counts for a platform that it obliges alone: a search engine asked under a law for platforms has
    none.
    """
    if not record.sent_at:
        return None
    binding = law if law and (platform is None or law.obliges(platform)) else None
    return deadlines.due(binding, channel, _at(record.sent_at))


def when(at: datetime.datetime, now: datetime.datetime, whole_days: bool = False, zone: str = "") -> str:
    """A time in words, in the zone of `now`: “30 November 2026, 14:00”; with `whole_days`, the end of the day before in
    the law's own `zone`: “the end of 29 November 2026 (time of New York)”."""
    if whole_days:
        last = at - datetime.timedelta(microseconds=1)
        place = zone.rpartition("/")[2].replace("_", " ")
        return f"the end of {last.day} {last:%B %Y} ({'UTC' if place == 'UTC' else f'time of {place}'})"
    there = at.astimezone(now.tzinfo)
    return f"{there.day} {there:%B %Y, %H:%M}"


def complaint_from(
    request: Request, record: Record, step: NextStep, facts: Facts, *, answers: Sequence[Answer] = ()
) -> Request:
    """The request to whoever a step turns to, about an earlier one, with `[earlier]` filled from the casebook.

    What the sender stated and signed then was for the other recipient, so she states and signs again. Neither findings
    nor a picture go along unless she chooses them again. Raises FactsError, RequestError.
    """
    platform = facts.platform(step.platform_id)
    return readable(
        replace(
            _fresh(request),
            law=step.law_id,
            platform=platform.id,
            channel="",
            recipient=RecipientOverride(),
            earlier=_earlier(request, record, answers, facts),
        )
    )


def again(
    request: Request,
    sightings: Sequence[RequestSighting],
    facts: Facts,
    *,
    items: Sequence[RequestItem] = (),
    record: Record | None = None,
    answers: Sequence[Answer] = (),
) -> Request:
    """The same request about other addresses, because it was seen again; `items` are those that it was not about yet.

    On another platform it goes to that one, or to none yet where there are several, and the law stays where it can be
    sent there. With `record`, the earlier request is named. Statements and signature are made anew. Raises FactsError,
    RequestError.
    """
    known = {item.id: item for item in (*request.items, *items)}
    named = {s.item for s in sightings if s.item is not None}
    fresh = replace(
        _fresh(request),
        items=tuple(item for item in known.values() if item.id in named) or request.items,
        sightings=tuple(sightings),
    )
    on = {platform.id if (platform := facts.platform_for(s.url)) else _GENERIC for s in sightings}
    before = assess(request, facts).platform
    # One to a search engine or a host goes there again.
    if on and on != {before.id} and before.kind in HOLD_POSTS:
        platform_id = next(iter(on - {_GENERIC}), "") if len(on) == 1 else ""
        law = facts.laws.get(request.law)
        stays = law is not None and platform_id and can_be_sent(law, facts.platform(platform_id))
        fresh = replace(
            fresh,
            platform=platform_id,
            channel="",
            law=request.law if stays else "",
            recipient=RecipientOverride(),
            earlier=Earlier(),
        )
    elif record is not None:
        fresh = replace(fresh, earlier=_earlier(request, record, answers, facts))
    return readable(fresh)


def _fresh(request: Request) -> Request:
    """The request before anything was stated, signed or chosen for it."""
    return replace(
        request,
        created_at=None,
        statements=Statements(),
        signature=Signature(),
        include=Include(brief=request.include.brief, custody=request.include.custody),
    )


def _earlier(request: Request, record: Record, answers: Sequence[Answer], facts: Facts) -> Earlier:
    asked = assess(request, facts)  # who that was, where the request left it to the addresses
    last = max(answers, key=lambda a: (_at(a.at), a.id)) if answers else None
    return Earlier(
        platform=asked.platform.id,
        law=asked.law.id if asked.law else "",
        sent_at=record.sent_at or "",
        due_at=record.due_at or "",
        reference=plain(record.reference),
        answer=": ".join(filter(None, (plain(last.outcome), plain(last.text)))) if last else "",
    )


# The steps of each state


class _Steps:
    """The steps so far, and how those are made that turn to somebody."""

    def __init__(self, law: Law | None, platform: Platform | None, facts: Facts) -> None:
        self.law = law
        self.platform = platform
        self.facts = facts
        self.found: list[NextStep] = []

    def add(self, kind: str, title: str, says: str, doubts: tuple[str, ...] = ()) -> None:
        self.found.append(NextStep(kind, title, says, doubts=doubts))

    def turn_to(self, kind: str, platform_id: str, title: str, says: str, law_id: str = "") -> None:
        """A step that turns to somebody, once, and not to who was asked first."""
        asked = self.platform.id if self.platform else ""
        if platform_id in (*(s.platform_id for s in self.found), asked):
            return
        platform = self.facts.platform(platform_id)
        doubts = tuple(dict.fromkeys((*platform.doubts(), *platform.channels[0].doubts())))
        self.found.append(NextStep(kind, title.format(name=platform.name), says, platform_id, law_id, doubts))

    def by_law(self, *after: str) -> bool:
        """Whom the law names for then; whether it names anybody."""
        named = [n for n in (self.law.next if self.law else ()) if n.after in after]
        for n in named:
            kind = self.facts.platform(n.platform).kind
            title = {"police": "Report it to the police", "court": "Turn to a court"}.get(kind, "Turn to: {name}")
            title = "Complain to: {name}" if kind == "regulator" else title
            self.turn_to(_KINDS.get(kind, "complain"), n.platform, title, n.says, self.law.id if self.law else "")
        return bool(named)

    def elsewhere(
        self, says: str = "It takes the address out of its results. The post itself stays where it is."
    ) -> None:
        """Those who show or carry what the platform holds, where it holds something; `says` is of search engines."""
        kind = self.platform.kind if self.platform else "platform"
        if kind not in HOLD_POSTS:
            return
        for id, other in self.facts.platforms.items():
            if other.kind == "search":
                self.turn_to("delist", id, "Ask {name} not to show it", says)
        if kind in _CARRIED or (self.platform and self.platform.id == _GENERIC):
            hosts = "The company that hosts a website can take it down, or press those who run it. Look up who that is."
            self.turn_to("host", _HOST, "Ask the company that hosts the website", hosts)

    def helpers(self) -> None:
        says = "There are people who do this every day, and who can write to a platform for you: see the helplines."
        self.add("support", "Let somebody help", says)


def _draft(built: bool) -> NextStep:
    if built:
        return NextStep("send", "Send it", "The packet is made. When you have sent it, write down when.")
    return NextStep("finish", "Finish the request", "It is a draft: nothing was sent. It is kept as you left it.")


def _awaiting(steps: _Steps, record: Record, who: str, due: Due | None, now: datetime.datetime) -> None:
    by_hand = _at(record.due_at) if record.due_at else None
    limit = by_hand or (due.at if due else None)
    if limit is not None and limit < now:
        until = _until(by_hand, due, now)
        if not steps.by_law("deadline"):
            steps.by_law("refusal")  # no answer in time is answer enough to turn to them
        steps.add(
            "remind",
            f"Write to {who} once more",
            f"It should have answered by {until}. Name your request and its number. You can leave this out.",
        )
        steps.by_law("always")
        steps.elsewhere()
        steps.helpers()
        return
    if limit is not None:
        steps.add(
            "wait", f"Wait for {who}", f"It has until {_until(by_hand, due, now)}. {_basis(by_hand, due)}", _doubt(due)
        )
    else:
        says = "Nobody names a time limit for this. After a week without an answer, it is fair to ask again."
        steps.add("wait", f"Wait for {who}", says)
        if record.sent_at and now - _at(record.sent_at) > _A_WHILE:
            steps.add(
                "remind", f"Write to {who} once more", "It has been more than a week. Name your request and its number."
            )
    if not record.reference:
        says = "If they sent a number or a confirmation, write it down: whoever looks at it later asks for it."
        steps.add("note_number", "Write down their number", says)
    steps.by_law("always")
    steps.elsewhere()


def _refused(steps: _Steps, who: str) -> None:
    steps.add(
        "redress",
        f"Ask {who} to look again",
        "Most platforms have a way to complain about a decision. Give your number, and what they overlooked.",
    )
    steps.by_law("refusal")
    steps.by_law("always")
    steps.elsewhere()
    steps.helpers()


def _answered(steps: _Steps, who: str) -> None:
    says = (
        "If it was taken down, write “removed” as the answer. If they will not, set it to refused: there are ways on."
    )
    steps.add("read", f"Write down what {who} decided", says)
    steps.by_law("always")


def _removed(steps: _Steps) -> None:
    steps.add(
        "check_again",
        "Have somebody look whether it is gone",
        "Somebody you trust can open the addresses for you, without being logged in. You do not need to look yourself.",
    )
    if _STOP_COPIES in steps.facts.platforms:
        says = "It gives platforms a fingerprint, never the picture, so that copies are found. For adults alone."
        steps.turn_to("stop_copies", _STOP_COPIES, "Keep copies from coming back: {name}", says)
    steps.elsewhere("Its results can show a preview for a while after the post is gone. It can be asked to drop it.")


def _until(by_hand: datetime.datetime | None, due: Due | None, now: datetime.datetime) -> str:
    if due is not None and by_hand in (None, due.at):
        return when(due.at, now, due.whole_days, due.time_zone)
    return when(by_hand or now, now)


def _basis(by_hand: datetime.datetime | None, due: Due | None) -> str:
    if due is None or by_hand not in (None, due.at):
        return "That is the date that was written down."
    return f"{'The law' if due.basis == 'law' else 'The platform itself'} says: {due.words}."


def _doubt(due: Due | None) -> tuple[str, ...]:
    unsure = due is not None and due.confidence is not Confidence.VERIFIED
    return (f"Nobody has verified this time limit in the official text: {CHECK}.",) if unsure else ()


def _at(text: str) -> datetime.datetime:
    return datetime.datetime.fromisoformat(text)
