"""Whoever copies every field of a form has handed in a request that lacks nothing: for every law, channel and role."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator
from dataclasses import replace

import pytest

from desktop.packets import complete, facts, letter_sheet
from desktop.packets.catalogue import as_text, catalogue, runs_text
from desktop.packets.complete import Assessment, assess
from desktop.packets.elements import ELEMENTS
from desktop.packets.facts import Channel
from desktop.packets.letter_bodies import Letter, made_statements
from desktop.packets.request import Request
from desktop.safety import helplines
from tests.unit.packet_requests import full_request
from tests.unit.test_packet_complete import CASE, cases

FACTS = facts.load()


def full(case: CASE) -> Assessment:
    """How a full request stands; nothing in it reads like another part of it."""
    law, platform, channel, role = case
    request = full_request(FACTS, law, platform, role, channel=channel)
    sender = replace(request.sender, authority_note="By the letter of 27 November 2026")
    names = replace(request.depicted, legal_name="Amina Grace Okoro-Lindqvist")
    return assess(replace(request, sender=sender, depicted=names), FACTS)


def handed_in(assessment: Assessment) -> str:
    """All that is copied into the form; where no form is known, all that the sheet gives to copy."""
    letter = Letter(catalogue("en"), assessment, FACTS, draft=False)
    fields = assessment.channel.fields
    if fields:
        return "\n".join(letter_sheet.field_text(letter, field.value) for field in fields)
    return as_text(letter_sheet.body(letter, whole=True))


def wanted(assessment: Assessment, element: str) -> Iterable[str]:
    """Any of these shows that the element was handed in."""
    request, letter = assessment.request, Letter(catalogue("en"), assessment, FACTS, draft=False)
    stated = {element: runs_text(runs) for element, runs in made_statements(letter)}
    ways = {
        "role": (letter_sheet.field_text(letter, "role"), stated.get("role", "")),
        "contact": (request.sender.email, request.sender.phone, request.sender.address),
        "contact_name": (request.sender_name,),
        "recipient": (request.recipient.name,),
        "authority_proof": (request.sender.authority_note,),
        "country": (facts.country_name(request.depicted.country), letter_sheet.field_text(letter, "country")),
    }
    return ways.get(element) or (letter_sheet.field_text(letter, element),)


def not_handed_in(case: CASE) -> list[str]:
    assessment = full(case)
    assert assessment.missing == ()
    text = _one_line(handed_in(assessment))
    found = []
    for check in assessment.checks:
        # What nobody but this program asks for is no part of a form.
        needed = check.need != "sensible" and check.needed_by
        if needed and not any(way and _one_line(way) in text for way in wanted(assessment, check.element)):
            found.append(f"{'/'.join(case)}: {ELEMENTS[check.element].id}")
    return found


def _one_line(text: str) -> str:
    return " ".join(text.split())


def forms(law: str) -> Iterator[CASE]:
    """The cases in which there is something to copy: by telephone one says it, and a fingerprint is no request."""
    for case in cases(law):
        channel = FACTS.platforms[case[1]].channel(case[2])
        assert channel is not None
        if channel.kind != "phone" and channel.purpose != "child_safety":
            yield case


@pytest.mark.parametrize("law", ["", *FACTS.laws])
def test_whoever_copies_all_fields_has_handed_in_all_that_is_needed(law: str) -> None:
    found = [problem for case in forms(law) for problem in not_handed_in(case)]
    assert found == []


def test_every_form_is_among_them() -> None:
    every = {(case[1], case[2]) for law in ("", *FACTS.laws) for case in forms(law)}
    assert len(every) >= 60
    with_fields = [c for p in FACTS.platforms.values() for c in p.channels if c.fields and c.purpose != "child_safety"]
    assert len(with_fields) >= 45


@functools.cache
def _form(platform: str, channel: str) -> Channel:
    found = FACTS.platforms[platform].channel(channel)
    assert found is not None
    return found


@pytest.mark.parametrize("value", ["locators", "statement", "signature", "contact_email"])
def test_a_form_that_lacks_a_field_is_caught(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    case = ("us_tida", "x", "take_it_down", "depicted")
    assert not_handed_in(case) == []
    form = _form("x", "take_it_down")
    # Without a field for statements nothing takes in what has no field of its own.
    gone = {value, "statement"}
    shorter = replace(form, fields=tuple(f for f in form.fields if f.value not in gone))
    platform = FACTS.platforms["x"]
    others = tuple(shorter if c.id == form.id else c for c in platform.channels)
    changed = replace(FACTS, platforms={**FACTS.platforms, "x": replace(platform, channels=others)})

    def other_facts(request: Request, facts: facts.Facts) -> Assessment:
        return complete.assess(request, changed)

    monkeypatch.setattr(f"{__name__}.assess", other_facts)
    assert not_handed_in(case) != []


def test_a_helpline_that_was_added_is_on_the_sheet() -> None:
    added = replace(helplines.load()[0], name="Added Helpline", who=helplines.Who.ALL, countries=("KE",))
    request = full_request(FACTS, "us_tida", "x", country="KE")
    for known, named in ((replace(FACTS, helplines={"added": added}), True), (FACTS, False)):
        letter = Letter(catalogue("en"), assess(request, known), known, draft=False)
        assert ("Added Helpline" in as_text(letter_sheet.body(letter, whole=True))) == named
