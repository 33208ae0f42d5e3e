"""What comes after a request was sent: the wait, the next step, the complaint, and the same picture seen again."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from desktop.casebook.casebook import Casebook
from desktop.casebook.records import Answer, CasebookError, Request, RequestState
from desktop.packets import deadlines, tracking
from desktop.packets import facts as packet_facts
from desktop.packets.complete import assess, can_be_sent
from desktop.packets.request import Earlier, RequestItem, RequestSighting, Signature, Statements, from_json, to_json
from desktop.packets.tracking import NextStep, next_steps
from tests.casebook_kill import CHEAP, numbered_report
from tests.unit.packet_requests import full_request

PASSPHRASE = "four unrelated dull words"  # noqa: S105
FACTS = packet_facts.load()
TIDA, X = FACTS.law("us_tida"), FACTS.platform("x")
SENT = datetime(2026, 11, 28, 12, tzinfo=UTC)
SOON, LATE = SENT + timedelta(hours=1), SENT + timedelta(hours=49)
DUE = deadlines.due(TIDA, None, SENT)


def record(state: str = "sent", **more: Any) -> Request:
    """A request as a casebook holds it."""
    values: dict[str, Any] = {
        "id": 1,
        "incident_id": 1,
        "item_ids": (1,),
        "sighting_ids": (1,),
        "recipient": "X",
        "legal_basis": "",
        "channel": "",
        "sent_at": None if state == "draft" else SENT.isoformat(),
        "reference": "",
        "due_at": None,
        "state": RequestState(state),
        "created_at": SENT.isoformat(),
    }
    return Request(**{**values, **more})


def answer(outcome: str, at: datetime = LATE, text: str = "") -> Answer:
    return Answer(1, 1, at.isoformat(), outcome, text)


def kinds(steps: tuple[NextStep, ...]) -> list[str]:
    return [s.kind for s in steps]


# Each state


def test_a_draft_is_finished_or_sent() -> None:
    assert kinds(next_steps(record("draft"), TIDA, X, None, SOON, FACTS)) == ["finish"]
    assert kinds(next_steps(record("draft"), TIDA, X, None, SOON, FACTS, built=True)) == ["send"]


@pytest.mark.parametrize("state", ["sent", "acknowledged"])
def test_until_it_is_due_there_is_the_wait(state: str) -> None:
    wait, note, *rest = next_steps(record(state), TIDA, X, DUE, SOON, FACTS)
    assert (wait.kind, wait.title) == ("wait", "Wait for X")
    assert wait.says == "It has until 30 November 2026, 12:00. The law says: " + TIDA.deadline.words + "."  # type: ignore[union-attr]
    assert note.kind == "note_number"
    assert not {"complain", "remind"} & {s.kind for s in rest}
    assert "note_number" not in kinds(next_steps(record(state, reference="17"), TIDA, X, DUE, SOON, FACTS))


def test_when_the_time_has_passed_the_authority_comes_first() -> None:
    first, second, *rest = next_steps(record(), TIDA, X, DUE, LATE, FACTS)
    assert (first.kind, first.platform_id, first.law_id) == ("complain", "us_ftc", "us_tida")
    assert first.title == f"Complain to: {FACTS.platform('us_ftc').name}"
    assert first.says == next(n.says for n in TIDA.next if n.after == "deadline")
    assert any("check before sending" in doubt for doubt in first.doubts)
    assert second.kind == "remind"
    assert "30 November 2026, 12:00" in second.says
    assert kinds(tuple(rest))[-1] == "support"
    assert "delist" in kinds(tuple(rest))


def test_exactly_at_the_limit_it_is_not_late() -> None:
    assert DUE is not None
    assert kinds(next_steps(record(), TIDA, X, DUE, DUE.at, FACTS))[0] == "wait"
    assert kinds(next_steps(record(), TIDA, X, DUE, DUE.at + timedelta(seconds=1), FACTS))[0] == "complain"


def test_a_date_that_was_written_down_goes_before_the_law() -> None:
    held = record(due_at=(SENT + timedelta(days=30)).isoformat())
    wait = next_steps(held, TIDA, X, DUE, LATE, FACTS)[0]
    assert wait.says == "It has until 28 December 2026, 12:00. That is the date that was written down."
    same = record(due_at=DUE.at.isoformat())  # type: ignore[union-attr]
    assert "The law says" in next_steps(same, TIDA, X, DUE, SOON, FACTS)[0].says


def test_without_a_limit_a_week_is_long_enough() -> None:
    early = next_steps(record(), None, X, None, SENT + timedelta(days=6), FACTS)
    assert kinds(early)[:2] == ["wait", "note_number"]
    assert "Nobody names a time limit" in early[0].says
    assert "remind" in kinds(next_steps(record(), None, X, None, SENT + timedelta(days=8), FACTS))
    assert kinds(next_steps(record(sent_at=None), None, None, None, SOON, FACTS))[0] == "wait"


def test_a_limit_that_nobody_verified_says_so() -> None:
    unsure = dataclasses.replace(DUE, confidence=packet_facts.Confidence.SECONDARY)  # type: ignore[type-var]
    doubts = next_steps(record(), TIDA, X, unsure, SOON, FACTS)[0].doubts
    assert len(doubts) == 1
    assert "check before sending" in doubts[0]
    assert next_steps(record(), TIDA, X, DUE, SOON, FACTS)[0].doubts == ()


def test_after_a_refusal() -> None:
    steps = next_steps(record("refused"), TIDA, X, DUE, SOON, FACTS)
    assert kinds(steps)[:2] == ["redress", "complain"]
    assert steps[1].says == next(n.says for n in TIDA.next if n.after == "refusal")
    assert kinds(steps)[-1] == "support"


@pytest.mark.parametrize(
    ("outcome", "removed"),
    [
        *(("removed", True), ("Taken down.", True), ("it is gone", True), ("blocked in Kenya", True)),
        *(("not removed", False), ("partly removed", False), ("wasn’t removed", False), ("no answer", False)),
        *(("", False), ("they ask for more", False), ("refused: removed nothing", False)),
    ],
)
def test_what_an_answer_means(outcome: str, removed: bool) -> None:
    assert tracking.was_removed([answer(outcome)]) is removed
    steps = next_steps(record("answered"), TIDA, X, DUE, SOON, FACTS, answers=[answer(outcome)])
    assert kinds(steps)[0] == ("check_again" if removed else "read")
    assert ("stop_copies" in kinds(steps)) is removed


def test_the_last_answer_counts() -> None:
    told = [answer("removed", LATE), answer("we are looking", SOON)]
    assert tracking.was_removed(told)
    assert not tracking.was_removed([answer("removed", SOON), answer("put back", LATE)])
    assert not tracking.was_removed([])


def test_what_is_over_is_left_alone() -> None:
    assert next_steps(record("withdrawn"), TIDA, X, DUE, LATE, FACTS) == ()
    assert kinds(next_steps(record("done"), TIDA, X, DUE, LATE, FACTS))[0] == "check_again"


def test_who_was_turned_to_already_is_not_named_again() -> None:
    steps = next_steps(record(), TIDA, X, DUE, LATE, FACTS, begun={"us_ftc"})
    assert "us_ftc" not in {s.platform_id for s in steps}
    assert kinds(steps)[0] == "remind"


def test_nobody_is_told_to_turn_to_whom_was_asked() -> None:
    ftc = FACTS.platform("us_ftc")
    steps = next_steps(record(recipient=ftc.name), TIDA, ftc, None, LATE, FACTS)
    assert "us_ftc" not in {s.platform_id for s in steps}
    assert not {"delist", "host"} & {*kinds(steps)}  # it holds no post


def every_way() -> list[tuple[str, str, str]]:
    found = [
        (law.id, platform, after)
        for law in FACTS.laws.values()
        for platform, after in {(n.platform, n.after) for n in law.next}
    ]
    assert len(found) > 20
    return found


@pytest.mark.parametrize(("law_id", "platform_id", "after"), every_way())
def test_each_law_leads_to_whom_it_names(law_id: str, platform_id: str, after: str) -> None:
    law = FACTS.law(law_id)
    passed = deadlines.due(TIDA, None, SENT)
    held = record("refused" if after == "refusal" else "sent")
    steps = next_steps(held, law, X, passed, LATE, FACTS)
    step = next(s for s in steps if s.platform_id == platform_id)
    assert step.law_id == law_id
    complaint = tracking.complaint_from(full_request(FACTS, "", "x"), held, step, FACTS)
    assert complaint.platform == platform_id
    assert complaint.law == law_id
    assert can_be_sent(law, FACTS.platform(platform_id))
    assert assess(complaint, FACTS).platform.id == platform_id


def test_every_sentence_is_calm() -> None:
    said = set()
    of_laws = {n.says for law in FACTS.laws.values() for n in law.next}  # theirs are the facts' own
    for law in (*FACTS.laws.values(), None):
        for platform in (X, FACTS.platform("other_platform"), None):
            for state in RequestState:
                for due in (DUE, None):
                    for now in (SOON, LATE + timedelta(days=9)):
                        for told in ([], [answer("removed")], [answer("looking")]):
                            steps = next_steps(record(str(state)), law, platform, due, now, FACTS, answers=told)
                            said |= {(s.title, s.says) for s in steps}
    assert len(said) > 20
    for title, says in said:
        for text in (title, *({says} - of_laws)):
            assert text == text.strip()
            assert not re.search(r"!|\bmust\b|\bhurry|\bimmediately\b|\burgent|\bfail(?:ed|ure)?\b|  |\{|\}", text), (
                text
            )
        assert says.endswith("."), says
        assert not title.endswith("."), title


# Words for times


def test_times_are_said_in_the_persons_zone_and_days_in_the_laws() -> None:
    nairobi = datetime(2026, 11, 28, 15, tzinfo=ZoneInfo("Africa/Nairobi"))
    assert tracking.when(SENT, nairobi) == "28 November 2026, 15:00"
    midnight = datetime(2026, 12, 1, tzinfo=ZoneInfo("America/New_York"))
    assert (
        tracking.when(midnight, nairobi, True, "America/New_York") == "the end of 30 November 2026 (time of New York)"
    )
    assert tracking.when(datetime(2026, 12, 1, tzinfo=UTC), nairobi, True, "UTC") == "the end of 30 November 2026 (UTC)"


# The next request


def complaint_step() -> NextStep:
    return next_steps(record(), TIDA, X, DUE, LATE, FACTS)[0]


def test_a_complaint_names_the_earlier_request() -> None:
    asked = full_request(FACTS, "us_tida", "x", "agent")
    held = record(reference="TID-17\n", due_at=DUE.at.isoformat())  # type: ignore[union-attr]
    made = tracking.complaint_from(
        asked, held, complaint_step(), FACTS, answers=[answer("we\nare looking", text="Ticket 3")]
    )
    assert made.earlier == Earlier(
        platform="x",
        law="us_tida",
        sent_at=SENT.isoformat(),
        due_at=held.due_at or "",
        reference="TID-17",
        answer="we are looking: Ticket 3",
    )
    assert (made.platform, made.channel, made.law) == ("us_ftc", "", "us_tida")
    assert (made.items, made.sightings, made.depicted, made.sender) == (
        *(asked.items, asked.sightings, asked.depicted),
        asked.sender,
    )
    assert from_json(to_json(made)) == made
    assert not assess(made, FACTS).refusals
    assert "prior_request" not in assess(made, FACTS).missing_elements


def test_whom_a_request_left_to_its_addresses_is_named() -> None:
    asked = dataclasses.replace(full_request(FACTS, "", "x"), platform="", channel="")
    assert tracking.complaint_from(asked, record(), complaint_step(), FACTS).earlier.platform == "x"
    there = [RequestSighting(item=1, url="https://x.com/a/status/77")]
    assert tracking.again(asked, there, FACTS, record=record()).earlier.platform == "x"


def test_nobody_states_or_signs_for_her() -> None:
    asked = full_request(FACTS, "us_tida", "x")
    asked = dataclasses.replace(asked, include=dataclasses.replace(asked.include, image="blurred", findings=True))
    sighting = RequestSighting(item=1, url="https://x.com/a/status/77")
    assert any(dataclasses.astuple(asked.statements))
    for made in (
        tracking.complaint_from(asked, record(), complaint_step(), FACTS),
        tracking.again(asked, [sighting], FACTS, record=record()),
    ):
        assert (made.statements, made.signature, made.created_at) == (Statements(), Signature(), None)
        assert (made.include.image, made.include.findings, made.include.hashes) == ("none", False, False)


def test_the_same_picture_seen_again_on_the_same_platform() -> None:
    asked = full_request(FACTS, "us_tida", "x")
    seen = [RequestSighting(item=1, url="https://x.com/a/status/77"), RequestSighting(url="https://x.com/a/status/78")]
    made = tracking.again(asked, seen, FACTS, record=record(reference="17"))
    assert (made.platform, made.channel, made.law) == (asked.platform, asked.channel, "us_tida")
    assert made.sightings == tuple(seen)
    assert (made.earlier.platform, made.earlier.reference) == ("x", "17")
    assert [i.id for i in made.items] == [1]
    other = RequestItem(id=9, identification="another copy")
    both = tracking.again(asked, [RequestSighting(item=9, url="https://x.com/a/status/79")], FACTS, items=[other])
    assert both.items == (other,)


def test_the_same_picture_seen_again_elsewhere() -> None:
    asked = full_request(FACTS, "us_tida", "x")
    elsewhere = tracking.again(asked, [RequestSighting(url="https://unknown.example/1")], FACTS, record=record())
    assert (elsewhere.platform, elsewhere.channel, elsewhere.law, elsewhere.earlier) == ("", "", "", Earlier())
    several = [RequestSighting(url="https://unknown.example/1"), RequestSighting(url="https://x.com/a/status/1")]
    assert tracking.again(asked, several, FACTS).platform == ""
    generic = full_request(FACTS, "", "other_platform")
    moved = tracking.again(generic, [RequestSighting(url="https://x.com/a/status/1")], FACTS, record=record())
    assert (moved.platform, moved.earlier) == ("x", Earlier())
    stays = tracking.again(generic, [RequestSighting(url="https://unknown.example/2")], FACTS, record=record())
    assert (stays.platform, stays.recipient, stays.earlier.platform) == (
        *("other_platform", generic.recipient),
        "other_platform",
    )
    to_cdn = full_request(FACTS, "", "cloudflare")
    same = tracking.again(to_cdn, [RequestSighting(url="https://unknown.example/2")], FACTS)
    assert same.platform == "cloudflare"  # it carries any website


# In a casebook


@pytest.fixture
def casebook(tmp_path: Path) -> Iterator[Casebook]:
    made, _ = Casebook.create(tmp_path / "her.casebook", PASSPHRASE, "Ada", _cost=CHEAP)
    with made:
        made.add_incident("An incident")
        made.add_item(1, numbered_report(1))
        made.add_sighting(1, "https://x.com/a/status/1", item_id=1, seen_at="2026-11-27T10:00:00+00:00")
        made.new_packet(1, to_json(full_request(FACTS, "us_tida", "x")), recipient="X", item_ids=[1], sighting_ids=[1])
        yield made


def test_sent_starts_the_laws_own_clock(casebook: Casebook) -> None:
    assert tracking.way_of(casebook, 1, FACTS)[:2] == (TIDA, X)
    sent = tracking.mark_sent(casebook, 1, "2026-11-28T15:00:00+03:00", FACTS, reference="17")
    assert (sent.state, sent.reference) == (RequestState.SENT, "17")
    assert sent.due_at is not None
    assert datetime.fromisoformat(sent.due_at) == SENT + timedelta(hours=48)
    assert casebook.verify().ok


def test_a_packet_that_was_made_goes_before_a_form_that_changed(casebook: Casebook) -> None:
    channel = X.channels[0]
    casebook.packet_built(1, "request-1", "ab" * 32, platform="x", channel=channel.id)
    casebook.save_packet_form(1, "{}")
    law, platform, used = tracking.way_of(casebook, 1, FACTS)
    assert (platform, used) == (X, channel)
    assert law == (FACTS.law(channel.laws[0]) if len(channel.laws) == 1 else None)
    plain = casebook.add_request(1, "a friend", due_at="2026-12-01T00:00:00+00:00")
    assert tracking.way_of(casebook, plain.id, FACTS) == (None, None, None)
    assert tracking.mark_sent(casebook, plain.id, SENT.isoformat(), FACTS).due_at == plain.due_at
    with pytest.raises(CasebookError, match="no_such_record"):
        tracking.way_of(casebook, 99, FACTS)


def test_a_time_limit_counts_for_those_alone_whom_the_law_obliges() -> None:
    google = FACTS.platform("google_search")
    assert not TIDA.obliges(google)
    assert TIDA.obliges(X)
    assert tracking.due_of(record(), TIDA, google, google.channels[0]) is None
    assert tracking.due_of(record(), TIDA, X, X.channels[0]) == DUE
    assert tracking.due_of(record("draft"), TIDA, X, X.channels[0]) is None


def test_where_it_was_seen_again(casebook: Casebook) -> None:
    tracking.mark_sent(casebook, 1, SENT.isoformat(), FACTS)
    late = casebook.add_sighting(1, "https://x.com/a/status/2", item_id=1, seen_at=LATE.isoformat())
    casebook.add_sighting(1, "https://x.com/a/status/3", item_id=1, seen_at="2026-11-27T11:00:00+00:00")  # before
    casebook.add_sighting(1, "https://x.com/a/status/4", seen_at=LATE.isoformat())  # of nothing that was asked about
    taken = casebook.add_sighting(1, "https://x.com/a/status/5", item_id=1, seen_at=LATE.isoformat())
    casebook.add_request(1, "Y", sighting_ids=[taken.id])
    found = tracking.seen_again(casebook.request(1), casebook.sightings(), casebook.requests())
    assert found == (late,)
    steps = next_steps(casebook.request(1), TIDA, X, DUE, SOON, FACTS, seen_again=found)
    assert kinds(steps)[:2] == ["again", "wait"]
