"""What requests, packets, laws and platforms look like in a terminal, and as JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from desktop import words
from desktop.packets.elements import ELEMENTS
from desktop.packets.facts import CHECK

if TYPE_CHECKING:
    import argparse

    from desktop.packets.bag import Packet
    from desktop.packets.complete import Assessment, Check
    from desktop.packets.facts import Law, NeededElement, Platform
    from desktop.packets.facts_import import Difference
    from desktop.packets.routes import Route
    from desktop.packets.verify import Verified

_WIDTH = 88


def check_lines(assessment: Assessment) -> Iterator[str]:
    """How a request stands, as lines: what is missing, weak and there, what it may cost, what to check."""
    from desktop.packets.complete import State

    yield from _about(assessment)
    yield ""
    if assessment.refusals:
        yield "This request cannot be made in this way."
        for refusal in assessment.refusals:
            yield f"  {refusal.says}"
            yield f"    {refusal.remedy}"
        return
    missing = {c.element for c in assessment.missing}
    groups: dict[str, list[Check]] = {"Missing": [], "Advised": [], "Could be stronger": []}
    there = []
    for check in assessment.checks:
        if check.state is State.MISSING:
            groups["Missing" if check.element in missing else "Advised"].append(check)
        elif check.state is State.WEAK:
            groups["Could be stronger"].append(check)
        else:
            there.append(ELEMENTS[check.element].title)
    lacking = words.count(len(missing), "part is", "parts are")
    yield (
        "Complete: every part that is required is there."
        if assessment.complete
        else f"Not complete: {lacking} missing."
    )
    for title, checks in groups.items():
        if checks:
            yield ""
            yield title
        for check in checks:
            yield f"  {ELEMENTS[check.element].title}: {check.says}"
            if check.remedy:
                yield f"    {check.remedy}"
    if there:
        yield ""
        yield "There"
        yield f"  {'; '.join(there)}"
    yield from _risk_lines(assessment)


def _risk_lines(assessment: Assessment) -> Iterator[str]:
    yield from section("What it may cost you", _costs(assessment))
    yield from section("Good to know", [r.says for r in assessment.risks if r.kind == "warning"])
    yield from section("Check before sending", _doubts(assessment))


def _about(assessment: Assessment) -> Iterator[str]:
    yield f"To {assessment.platform.name}: {assessment.channel.name}"
    if assessment.law:
        yield f"Under {assessment.law.name} ({assessment.law.citation})"


def _costs(assessment: Assessment) -> list[str]:
    """What the request costs or risks, with a mark where nobody has verified it."""
    costs = [r for r in assessment.risks if r.kind != "warning"]
    return [r.says if r.confidence == "verified" else f"{r.says} ({r.confidence}: {CHECK})" for r in costs]


def _doubts(assessment: Assessment) -> list[str]:
    """What to check before sending; first, whether the request leads her elsewhere. It may come from somebody else."""
    own, channel = assessment.request.recipient, assessment.channel
    named = ", ".join(filter(None, (own.name, *own.address.splitlines(), own.email)))
    if not named or any(check.element == "recipient" for check in assessment.checks):
        return list(assessment.doubts)
    known = f" at {channel.address}" if channel.address else f", “{channel.name}”"
    elsewhere = f"The request itself says to whom it goes: {named}. What is known is {assessment.platform.name}{known}."
    return [f"{elsewhere} So {CHECK}.", *assessment.doubts]


def section(title: str, sentences: Sequence[str]) -> Iterator[str]:
    """Sentences under a heading, after an empty line; nothing where there are none."""
    if sentences:
        yield ""
        yield title
        yield from (f"  {sentence}" for sentence in sentences)


def route_lines(found: Sequence[Route]) -> Iterator[str]:
    """The ways that are open, in their order; then who helps, and what is not offered, with the reason."""
    ways = [r for r in found if not r.refused and r.kind != "support"]
    for number, route in enumerate(ways, 1):
        yield from _way_lines(number, route)
        yield ""
    if helpers := [r for r in found if not r.refused and r.kind == "support"]:
        yield "Who helps"
        yield from (f"  {r.title}. {' '.join((*r.why, *r.doubts))}" for r in helpers)
    if refused := [r for r in found if r.refused]:
        yield ""
        yield "Not these"
        yield from (f"  {r.title}: {r.refused}" for r in refused)


def _way_lines(number: int, route: Route) -> Iterator[str]:
    where = "/".join(filter(None, (route.platform_id, route.channel_id)))
    named = ", ".join(filter(None, (where, route.law_id)))
    yield f"{number}. {route.title}" + (f" [{named}]" if named else "")
    yield from (f"   {why}" for why in route.why)
    if route.due:
        yield f"   By when: {route.due}"
    yield from (f"   May cost you: {cost}" for cost in route.costs)
    if route.missing:
        yield f"   Still missing: {'; '.join(ELEMENTS[m].title for m in route.missing)}"
    yield from (f"   {doubt}" for doubt in route.doubts)


def built_lines(
    args: argparse.Namespace, assessment: Assessment, packet: Packet, paths: Sequence[Path]
) -> Iterator[str]:
    """What was written, with which key, and what to do now."""
    whole, digest, *sheets = paths
    encrypted = whole.suffix == ".age"
    yield f"{'A draft' if args.draft else 'The packet'} is in {words.visible(str(whole.parent))}:"
    how = "encrypted" if encrypted else "not encrypted"
    what = "a draft, which is not to be sent" if args.draft else "this is what you send"
    yield f"  {whole.name}: {what}. It is {how}."
    yield f"  {digest.name}: the fingerprint of the zip file, for whoever checks it."
    if sheets:
        says = "They say what is missing." if args.draft else "They say how to send it."
        also = " They are not encrypted." if encrypted else ""
        yield f"  {' and '.join(p.name for p in sheets)}: for you alone. {says}{also}"
    yield ""
    if packet.signer:
        yield "Signed with the key whose fingerprint is"
        yield f"  {packet.signer[:39]}"
        yield f"  {packet.signer[40:]}"
    else:
        yield "It is not signed: nobody can tell whether somebody made it anew."
    yield from section("Could be stronger", [f"{c.says} {c.remedy}".strip() for c in assessment.weak])
    yield from section("What it may cost you", _costs(assessment))
    yield from section("Check before sending", _doubts(assessment))
    yield ""
    yield "What to do now"
    if args.draft:
        yield f"  Read it, and add what is missing: counterproof packet check {words.visible(args.request)}"
        return
    if sheets:
        yield f"  Read {sheets[0].name}. It says where to send it, and has each text to copy."
    yield from (f"  {line}" for line in _way(assessment))
    letter = next(
        p
        for p in packet.files
        if p.startswith(("data/letters/notice", "data/letters/complaint", "data/letters/report"))
    )
    yield f"  Where there is room for one file only, take the letter: {letter} in the zip file."
    if encrypted:
        yield "  Tell whoever receives it that it opens with age (https://age-encryption.org): age --decrypt"
    yield "  Keep the number that they give you, and write down when you sent it."


def _way(assessment: Assessment) -> Iterator[str]:
    """How the channel is reached, a line each."""
    channel, own = assessment.channel, assessment.request.recipient
    if channel.kind == "email" and (address := channel.address or own.email):
        yield f"Send it by e-mail to {address}."
    elif channel.address:
        yield f"Open {channel.address} in your own browser."
    yield from channel.steps


def verified_lines(args: argparse.Namespace, found: Verified) -> Iterator[str]:
    """What the check of a packet found."""
    name = words.visible(args.packet)
    if not found.ok:
        yield f"Do not rely on {name}:"
        yield from (f"  {problem}" for problem in found.problems)
        return
    yield f"{name} is whole: nothing in it was changed since it was {'signed' if found.signer else 'packed'}."
    yield f"  {found.name}, made {found.created_at}, as the clock of the sender’s computer had it"
    if found.draft:
        yield "  It is a draft, and not meant to be sent."
    yield ""
    if found.signer:
        yield "Signed with the key whose fingerprint is"
        yield f"  {found.signer[:39]}"
        yield f"  {found.signer[40:]}"
        if args.signer is None:
            yield "Whose key that is no program can tell: compare it with what the sender tells you in another way."
        else:
            yield "That is the one you named."
    else:
        yield "It is not signed: anybody could have made it, and changed it before it came to you."
    yield ""
    yield f"{words.count(len(found.names), 'file', 'files')}"
    yield from (f"  {path}" for path in found.names if path.startswith("data/"))


def law_lines(law: Law) -> Iterator[str]:
    """A law, without its source and doubts."""
    from desktop.packets.complete import WHO

    yield law.name
    yield f"  {law.citation}; {', '.join(law.countries)}"
    yield f"  {law.says}"
    yield f"  {law.synthetic_says}"
    yield f"  Who may ask: {', '.join(WHO.get(who, 'anybody') for who in law.who)}"
    if law.deadline:
        yield f"  Time limit: {law.deadline.words}"
    yield from section("What a request needs", [_needed(e) for e in law.elements])
    yield from section("What it may cost you", [c.says for c in law.costs])
    yield from section("Good to know", law.warnings)
    yield from section("What next", list(dict.fromkeys(f"{n.says} [{n.platform}]" for n in law.next)))


def platform_lines(platform: Platform) -> Iterator[str]:
    """A platform with its channels, without its source and doubts."""
    yield platform.name
    yield f"  {platform.says}"
    for channel in platform.channels:
        yield ""
        yield f"{channel.name} [{platform.id}/{channel.id}]"
        if channel.address:
            yield f"  {channel.address}"
        yield from (f"  {n}. {step}" for n, step in enumerate(channel.steps, 1))
        yield f"  {channel.says}" if channel.says else "  "
        yield from (f"  Needs: {_needed(e)}" for e in channel.elements)
        yield from (f"  May cost you: {c.says}" for c in channel.costs)
        yield from (f"  {doubt}" for doubt in channel.doubts())
    yield from section("Good to know", platform.warnings)


def _needed(element: NeededElement) -> str:
    when = {"agent": " (when somebody acts for the person)", "sensible": " (advised)"}.get(element.need, "")
    return f"{ELEMENTS[element.id].title}{when}" + (f": {element.says}" if element.says else "")


def mark(one: Any) -> str:
    """How sure a law or a platform is, in a few words."""
    by_hand = f"added by hand on {one.added_on}" if one.added_on else ""
    return ", ".join(filter(None, (str(one.confidence) if one.confidence != "verified" else "", by_hand)))


def difference_line(difference: Difference) -> str:
    """One change that a newer file of facts would make."""
    old, new = (words.visible(str(v)) or "nothing" for v in (difference.old, difference.new))
    first = "MIND: " if difference.risky else ""
    return f"  {first}{words.visible(difference.file)}, {words.visible(difference.key)}: {old} → {new}"


def assessed(assessment: Assessment) -> dict[str, Any]:
    """An assessment as JSON values, without the request itself."""
    return {
        "complete": assessment.complete and not assessment.refusals,
        "law": assessment.law.id if assessment.law else "",
        "platform": assessment.platform.id,
        "channel": assessment.channel.id,
        "missing": list(assessment.missing_elements),
        "refusals": [asdict(r) for r in assessment.refusals],
        "checks": [asdict(c) for c in assessment.checks],
        "risks": [asdict(r) for r in assessment.risks],
        "doubts": _doubts(assessment),
    }


def summary(one: Any) -> dict[str, Any]:
    """A law or a platform in short, as JSON values."""
    found: dict[str, Any] = plain(
        {"id": one.id, "name": one.name, "countries": one.countries, "confidence": one.confidence}
        | {"verified_on": one.verified_on, "added_on": one.added_on, "doubts": one.doubts()}
    )
    return found


def plain(value: Any) -> Any:
    """A record as JSON values: tuples as lists, and what JSON has no word for as text."""
    return json.loads(json.dumps(value, default=str))


def as_json(kind: str, record: Mapping[str, Any]) -> int:
    """One JSON object on standard output; exit status 0."""
    text = json.dumps({"schema": f"counterproof.{kind}/1", **record}, indent=1, ensure_ascii=True)
    say(text)
    return 0


def say_all(lines: Iterable[str]) -> None:
    """Lines on standard output, without hidden characters; long ones go on below, two columns further in."""
    import textwrap

    columns = min(_WIDTH, words.terminal_columns()) if sys.stdout.isatty() else _WIDTH
    for line in lines:
        inset = " " * (len(line) - len(line.lstrip()) + 2)
        shown = words.visible(line)
        if words.width(shown) > columns > 40:
            shown = textwrap.fill(
                shown, columns, subsequent_indent=inset, break_long_words=False, break_on_hyphens=False
            )
        say(shown)


def say(text: str) -> None:
    """A line on standard output."""
    sys.stdout.write(f"{text}\n")


def tell(text: str) -> None:
    """Words for the person, on standard error."""
    import textwrap

    sys.stderr.write(textwrap.fill(text, _WIDTH, break_long_words=False, break_on_hyphens=False) + "\n")
    sys.stderr.flush()
