"""The guided form without a window: which pages there are, what they hold, what is said of what is missing."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from dataclasses import replace

import pytest

from desktop.casebook.records import Request as Record
from desktop.casebook.records import RequestState
from desktop.packets import batches
from desktop.packets import facts as facts_
from desktop.packets.complete import State, assess, can_be_sent, without
from desktop.packets.elements import ELEMENTS
from desktop.packets.request import (
    SHORT,
    Depicted,
    Gate,
    Request,
    RequestItem,
    RequestSighting,
    Sender,
    Signature,
    from_json,
    to_json,
)
from desktop.packets.routes import Route
from desktop.window import case_view, packet_jobs, packet_questions, packet_view
from desktop.window.packet_questions import Group, Kind, Outlook, Step, page_of, pages
from tests.unit.packet_requests import full_request

FACTS = facts_.load()
TODAY = datetime.date(2026, 11, 28)
NOW = datetime.datetime(2026, 11, 28, 12, tzinfo=datetime.UTC)
ADULTS = Request(gate=Gate(age="adults", intimate=True, satire=False, news=False))


def ways() -> Iterator[tuple[str, str, str]]:
    """Every law with one whom it can be sent to, and everybody who can be asked without a law, with each channel."""
    for platform in FACTS.platforms.values():
        for channel in platform.channels:
            yield "", platform.id, channel.id
        for law in FACTS.laws.values():
            if can_be_sent(law, platform):
                yield law.id, platform.id, ""


def looked(request: Request) -> Outlook:
    """What the worker would find, as far as pages need it."""
    return Outlook(request, assess(request, FACTS), sentences=packet_jobs.sentences(request), kept_images=True)


def ids(request: Request, outlook: Outlook | None = None) -> list[str]:
    return [page.id for page in pages(request, outlook)]


def test_a_page_comes_only_when_the_one_before_it_is_answered() -> None:
    assert ids(Request()) == ["age"]
    for answer in ("minor", "unsure"):
        assert ids(Request(gate=Gate(age=answer))) == ["age"]
    assert ids(Request(gate=Gate(age="adults"))) == ["age", "kind"]
    for kind in ("satire", "news", "other"):
        request = packet_view.with_value(Request(gate=Gate(age="adults")), "gate.kind", kind)
        assert packet_view.value(request, "gate.kind") == kind
        assert ids(request) == ["age", "kind"]
        (kind_page,) = [p for p in pages(request, None) if p.id == "kind"]
        assert "No request is prepared" in packet_view.problem(kind_page, request) or kind == "other"
        assert packet_view.problem(kind_page, request)
    assert ids(ADULTS) == ["age", "kind", "role"]
    her = replace(ADULTS, sender=Sender(role="depicted"))
    assert ids(her) == ["age", "kind", "role", "depicted", "where", "what", "way"]
    assert "sender" in ids(replace(ADULTS, sender=Sender(role="agent")))


def test_whatever_can_be_missing_has_a_page_where_it_is_answered() -> None:
    """For every law and everybody who can be asked, and for her and her agent: each needed element, taken out, is shown
    as missing at a step of the side list, and its page is there with a field for it."""
    checked = 0
    for law, platform, channel in ways():
        for role in ("depicted", "agent"):
            full = full_request(FACTS, law, platform, role, channel=channel)
            for element in {c.element for c in assess(full, FACTS).checks if c.need != "sensible"}:
                request = without(full, element)
                outlook = looked(request)
                if outlook.assessment is None or element not in outlook.assessment.missing_elements:
                    continue
                where = page_of(element, request)
                there = {page.id: page for page in pages(request, outlook)}
                if element == "role":
                    assert list(there) == ["age", "kind", "role"]
                    continue
                assert where in there, (law, platform, channel, role, element)
                page = there[where]
                if where not in ("where", "way"):
                    keys = {f.key.replace("items.0.", "item.") for f in page.fields}
                    own = set(ELEMENTS[element].fields) | {"depicted.name", "sender.name"}
                    assert keys & own, (element, keys)
                names = packet_view.missing_by_step(request, outlook)[page.step]
                assert packet_questions.element_name(element) in names
                checked += 1
    assert checked > 1000


def test_only_what_is_needed_is_asked() -> None:
    tida = full_request(FACTS, "us_tida", "x")
    found = ids(tida, looked(tida))
    assert "text:relevant_information" in found
    assert "text:circumstances" not in found
    assert "identity" not in found
    (stated,) = [p for p in pages(tida, looked(tida)) if p.id == "statements"]
    assert {f.key for f in stated.fields} >= {"statements.nonconsent"}
    assert "statements.perjury" not in {f.key for f in stated.fields}


def test_the_statements_stand_there_as_the_letter_has_them() -> None:
    for role, said in (("depicted", "without my consent"), ("agent", "without the consent of the person depicted")):
        found = packet_jobs.sentences(full_request(FACTS, "us_tida", "x", role))
        assert said in found["nonconsent_statement"]
        assert set(found) == {e.id for e in ELEMENTS.values() if e.statement}
        assert all(text.startswith(("I ", "This", "Under")) for text in found.values())


def test_findings_and_the_picture_are_no_part_of_it_unless_chosen() -> None:
    plain = full_request(FACTS, "us_tida", "x")
    outlook = looked(plain)
    include = next(p for p in pages(plain, outlook) if p.id == "include")
    assert "include.findings" not in {f.key for f in include.fields}, "there are none"
    image = next(p for p in pages(plain, outlook) if p.id == "image")
    assert packet_view.value(plain, image.fields[0].key) == "none"
    assert "Usually not" in image.why
    assert "image" not in ids(plain, replace(outlook, no_image="Never here."))
    ruled_out = pages(plain, replace(outlook, no_image="Never here."))
    assert next(p for p in ruled_out if p.id == "include").notes == ("Never here.",)
    assert "image" not in ids(plain, replace(outlook, kept_images=False))


def test_the_reason_why_no_picture_may_go_in_comes_from_the_rules() -> None:
    korea = full_request(FACTS, "us_tida", "x", country="KR")
    assert "Korea" in packet_jobs._no_image(korea, FACTS)
    assert packet_jobs._no_image(full_request(FACTS, "us_tida", "x", country="KE"), FACTS) == ""
    assert packet_jobs._no_image(full_request(FACTS, "", "stopncii"), FACTS)


def test_what_it_may_cost_is_said_before_the_field() -> None:
    seen = 0
    for law, platform, channel in ways():
        request = full_request(FACTS, law, platform, channel=channel)
        outlook = looked(request)
        risks = () if outlook.assessment is None else outlook.assessment.risks
        exposed = [r.says for r in risks if r.kind in packet_questions.EXPOSES]
        reach = [p for p in pages(request, outlook) if p.id == "contact"]
        if exposed and reach:
            assert set(reach[0].notes) == set(exposed)
            seen += 1
        elif reach:
            assert not reach[0].notes
    assert seen > 0


def test_what_it_may_cost_is_said_where_the_name_is_written_too() -> None:
    seen = set()
    for law, platform, channel in ways():
        for role in ("depicted", "agent"):
            request = full_request(FACTS, law, platform, channel=channel)
            request = replace(request, sender=replace(request.sender, role=role))
            outlook = looked(request)
            assert outlook.assessment is not None
            exposed = {r.says for r in outlook.assessment.risks if r.kind in packet_questions.EXPOSES}
            found = {page.id: set(page.notes) for page in pages(request, outlook)}
            wanted = "depicted" if role == "depicted" else "sender"
            assert found[wanted] == exposed
            assert found.get("sign", exposed) == exposed
            seen.add((role, bool(exposed)))
    assert len(seen) == 4


def test_what_was_written_is_carried_over_and_what_was_stated_and_signed_is_not() -> None:
    before = full_request(FACTS, "us_tida", "x", role="agent")
    before = replace(before, texts=replace(before.texts, prior_request="X, on 1 November"), also=("fr",), language="ko")
    new = Request(depicted=Depicted(name="A"), items=(RequestItem(id=before.items[0].id, sha256="ab" * 32),))
    told = packet_view.carried(new, before)
    assert (told.depicted, told.sender) == (before.depicted, before.sender)
    assert told.items[0].identification == before.items[0].identification != ""
    assert told.items[0].sha256 == "ab" * 32
    assert told.texts == replace(before.texts, prior_request="")
    fresh = Request()
    for name in ("gate", "statements", "signature", "platform", "law", "channel", "language", "also", "include"):
        assert getattr(told, name) == getattr(fresh, name), name
    assert [p.notes for p in pages(fresh, None)] == [()]
    assert "asked anew" in pages(fresh, None, carried=True)[0].notes[0]


PLACES = (
    "https://x.com/a/status/1",
    "https://x.com/a/status/2",
    "https://t.me/a/1",
    "https://www.facebook.com/a/posts/1",
    "https://gallery.example/1",
)


def asked_about(*urls: str, country: str = "KE") -> Request:
    return replace(
        ADULTS,
        sender=Sender(role="depicted", name="A"),
        depicted=Depicted(name="A", country=country),
        sightings=tuple(RequestSighting(url=url) for url in urls),
    )


def test_a_way_takes_the_places_that_are_there_and_another_way_all_of_its_own() -> None:
    request = asked_about(*PLACES)
    outlook = packet_jobs.look(request, frozenset(), request)
    taken = {}
    for route, group in zip(outlook.routes, outlook.groups, strict=True):
        if packet_view.can_be_chosen(route):
            chosen = packet_view.with_route(request, route, outlook.places[route.platform_id])
            taken[route.platform_id] = [s.url for s in chosen.sightings]
            assert group is not None
            number = len(chosen.sightings)
            line = packet_view.route_line(route, first=False, number=number, group=group)
            assert (f"{number} addresses: " in line) == (number > 1)
    assert taken["x"] == [*PLACES[:2]]
    assert taken["telegram"] == [PLACES[2]]
    assert taken["cloudflare"] == taken["other_platform"] == [PLACES[4]]
    assert taken["google_search"] == [*PLACES]


def test_an_office_is_written_to_in_its_language_unless_somebody_chose_another() -> None:
    request = asked_about(*PLACES, country="KR")
    outlook = packet_jobs.look(request, frozenset(), request)
    police = next(r for r in outlook.routes if r.kind == "police")
    x = next(r for r in outlook.routes if r.platform_id == "x")
    to_police = packet_view.with_route(request, police, None, outlook.languages)
    assert (to_police.language, to_police.also) == ("ko", ("en",))
    to_x = packet_view.with_route(to_police, x, None, outlook.languages)
    assert (to_x.language, to_x.also) == ("en", ())
    chosen = replace(to_x, language="ar")
    assert packet_view.with_route(chosen, police, None, outlook.languages).language == "ar"
    kenya = asked_about(*PLACES)
    assert set(packet_jobs.look(kenya, frozenset(), kenya).languages.values()) == {"en"}


def test_reports_are_counted_as_they_are_made() -> None:
    """Without being made: thousands of them are counted for each way."""
    items = (RequestItem(id=1, sha256="ab" * 32), RequestItem(id=2, sha256="cd" * 32))
    of_one = replace(asked_about(*PLACES), items=items)
    of_one = replace(of_one, sightings=tuple(replace(s, item=1) for s in of_one.sightings))
    seen = set()
    for platform in FACTS.platforms.values():
        for channel in platform.channels:
            for request in (asked_about(*PLACES), of_one, replace(of_one, sightings=()), ADULTS):
                made = batches.split(request, platform, channel)
                assert packet_jobs._grouped(request, platform, channel).parts == len(made)
                seen.add((channel.batch, len(made)))
    assert len(seen) > 5


def test_values_go_in_and_come_out() -> None:
    request = full_request(FACTS, "us_tida", "x", "agent")
    outlook = looked(request)
    fields = [f for page in pages(request, outlook) for f in page.fields]
    assert len(fields) > 15
    for field in fields:
        before = packet_view.value(request, field.key)
        new = {Kind.TICK: not before, Kind.DATE: TODAY, Kind.LINE: "other", Kind.TEXT: "other"}.get(field.kind)
        if new is None:
            new = next(code for code, _ in field.options if code) if field.options else "FR"
        changed = packet_view.with_value(request, field.key, new)
        assert packet_view.value(changed, field.key) == new, field.key
        if field.key != "gate.age":
            from_json(to_json(changed))


def test_what_is_typed_is_what_a_request_can_hold() -> None:
    hostile = "a\x00b\x1b[0m\udc80\u202e=cmd()\r\nc\x85"
    for lines in (False, True):
        said = packet_view.typed(hostile, lines=lines)
        request = replace(ADULTS, depicted=Depicted(name=packet_view.typed(hostile)))
        assert from_json(to_json(request)) == request
        assert "\u202e" in said, "what runs the other way is shown, not hidden"
        assert ("\n" in said) is lines


def test_addresses_are_taken_as_they_are_pasted_and_others_are_named() -> None:
    text = "https://x.com/a/status/1\n\n  x.com/a/status/2 \nhttps://x.com/a/status/1\njavascript:alert(1)\nnot one\n"
    good, bad = packet_view.addresses(text)
    assert good == ("https://x.com/a/status/1", "https://x.com/a/status/2")
    assert bad == ("javascript:alert(1)", "not one")
    assert packet_view.addresses("https://x.com/" + "a" * 9000)[0] == ()


def test_addresses_are_added_once_and_places_bring_their_items() -> None:
    two = (RequestItem(id=7, sha256="a" * 64), RequestItem(id=9, sha256="b" * 64))
    seen = (RequestSighting(item=7, url="https://a.example/1"), RequestSighting(item=9, url="https://b.example/2"))
    everything = Request(items=two, sightings=seen)
    request = replace(ADULTS, items=two[:1], sightings=seen[:1])
    both = packet_view.with_places(request, seen, everything)
    assert [i.id for i in both.items] == [7, 9]
    only = packet_view.with_places(both, seen[1:], everything)
    assert [i.id for i in only.items] == [9]
    none = packet_view.with_places(both, (), everything)
    assert none.items == both.items, "without any place she still says which picture is meant"
    more = packet_view.with_addresses(only, ["https://b.example/2", "https://c.example/3"], NOW)
    assert [s.url for s in more.sightings] == ["https://b.example/2", "https://c.example/3"]
    assert more.sightings[1].seen_at == "2026-11-28T12:00:00+00:00"
    assert packet_view.host("https://B.example/x?y") == "b.example"


def test_who_asks_for_herself_is_the_sender_and_a_typed_signature_has_its_day() -> None:
    request = replace(ADULTS, sender=Sender(role="depicted"), depicted=Depicted(name="Amina Okoro-Lindqvist"))
    assert packet_view.settled(request, TODAY).sender.name == "Amina Okoro-Lindqvist"
    signed = replace(request, signature=Signature("typed", "Amina Okoro-Lindqvist"))
    assert packet_view.settled(signed, TODAY).signature.date == TODAY
    earlier = replace(request, signature=Signature("typed", "A", datetime.date(2026, 11, 1)))
    assert packet_view.settled(earlier, TODAY).signature.date == datetime.date(2026, 11, 1)
    by_hand = replace(request, signature=Signature("by_hand", "A", TODAY))
    assert packet_view.settled(by_hand, TODAY).signature == Signature("by_hand")


def test_what_is_looked_over_begins_with_what_is_missing_and_leads_there() -> None:
    full = full_request(FACTS, "us_tida", "x")
    assert packet_view.verdict(looked(full)) == "Everything that this way needs is there."
    request = without(without(full, "signature"), "nonconsent_statement")
    outlook = looked(request)
    groups = packet_view.review(request, outlook)
    assert all(lines for _, lines in groups)
    heading, missing = groups[0]
    assert heading == "Missing"
    assert {line.page for line in missing} == {"sign", "statements"}
    lines = [line for _, found in groups for line in found]
    assert "2 things are still missing" in packet_view.verdict(outlook)
    assert any("check before sending" in line.text for line in lines), "doubts go all the way"
    assert outlook.assessment is not None
    weak = [c for c in outlook.assessment.checks if c.state is State.WEAK]
    assert len(dict(groups).get("Could be stronger", [])) == len(weak)
    assert [line for line in lines if line.page and line.page not in ids(request, outlook)] == []


def test_the_side_list_says_what_is_missing_and_where_one_can_go() -> None:
    request = without(full_request(FACTS, "us_tida", "x"), "signature")
    outlook = looked(request)
    shown = pages(request, outlook)
    lines = {
        step: (said, there) for step, said, there in packet_view.steps(request, outlook, shown, built=False, sent=False)
    }
    assert lines[Step.SIGN] == ("Missing: Signature", True)
    assert lines[Step.SEND] == ("", False)
    shown = pages(request, outlook, built=True)
    lines = {
        step: (said, there) for step, said, there in packet_view.steps(request, outlook, shown, built=True, sent=True)
    }
    assert lines[Step.SAVE] == ("Saved", True)
    assert lines[Step.SEND] == ("Sent", True)
    early = packet_view.steps(Request(), None, pages(Request(), None), built=False, sent=False)
    assert [step for step, _, there in early if there] == [Step.BEFORE]


@pytest.mark.parametrize(
    ("number", "group", "said"),
    [
        (0, Group(1, "one"), "No address is chosen yet."),
        (1, Group(1, "one"), "1 address: 1 report."),
        (40, Group(40, "one", 1), "40 addresses: 40 reports, as this form takes one each."),
        (40, Group(1, "urls", 250), "40 addresses: 1 report, as this form takes a list of at most 250."),
        (
            1200,
            Group(3, "urls_one_host"),
            "1,200 addresses: 3 reports, as this form takes a list of addresses on one site.",
        ),
    ],
)
def test_how_many_reports_is_said_with_the_reason(number: int, group: Group, said: str) -> None:
    assert packet_view.grouping(number, group) == said


def test_too_many_packets_are_made_in_the_terminal() -> None:
    few = Outlook(ADULTS, group=Group(packet_view.MOST_PACKETS, "one"))
    assert packet_view.too_many(few) == ""
    assert "counterproof packet split" in packet_view.too_many(replace(few, group=Group(101, "one")))


def test_a_way_says_why_what_it_costs_and_what_to_check_or_why_it_is_not_offered() -> None:
    good = Route("platform", "us_tida", "x", "take_it_down", title="X: form", why=("Soon.",), missing=("signature",))
    shy = replace(
        good, costs=("Your name goes to the uploader.",), doubts=("Nobody has verified: check before sending.",)
    )
    refused = replace(good, title="Copyright", refused="Never first.")
    talk = Route("support", helpline="Somebody", title="Somebody to talk to")
    assert packet_view.route_line(good, first=True).startswith("Recommended first: X: form")
    assert "Still to be answered: Signature" in packet_view.route_line(good, first=False)
    assert packet_view.route_line(refused, first=False) == "Not offered: Copyright"
    assert [packet_view.can_be_chosen(r) for r in (good, refused, talk)] == [True, False, False]
    said = dict(packet_view.route_sections(shy, 40, Group(40, "one")))
    assert said["What it may cost you"] == shy.costs
    assert said["Check before sending"] == shy.doubts
    assert said["How many reports"] == ("40 addresses: 40 reports, as this form takes one each.",)
    assert dict(packet_view.route_sections(good))["What it may cost you"] == (
        "Nothing is known that it would cost you.",
    )
    assert packet_view.route_sections(refused) == [("Why it is not offered", ("Never first.",))]
    assert packet_view.chosen_route(ADULTS, (talk, refused, good)) == 2
    chosen = packet_view.with_route(ADULTS, good)
    assert packet_view.chosen_route(chosen, (shy, good)) == 0
    assert packet_view.chosen_route(ADULTS, (talk,)) == -1
    complaint = replace(ADULTS, law="us_tida", platform="us_ftc")  # as one is begun: its channel is not chosen yet
    ftc = Route("regulator", "us_tida", "us_ftc", "form", title="FTC")
    other = replace(ftc, law_id="", channel_id="post")
    assert packet_view.chosen_route(complaint, (good, other, ftc)) == 2
    assert packet_view.chosen_route(complaint, (good, other)) == 1
    assert packet_view.chosen_route(complaint, (good, talk)) == -1, "nothing else is chosen for her"
    assert packet_view.kept_way(Outlook(ADULTS)) == "No way is known yet."
    assert "It goes to Example Hosting Ltd now" in packet_view.kept_way(looked(full_request(FACTS, "us_tida", "x")))


def test_every_channel_says_how_it_is_reached() -> None:
    said = 0
    for platform in FACTS.platforms.values():
        for channel in platform.channels:
            lines = packet_view.guide(channel)
            assert len(lines) >= 2, (platform.id, channel.id)
            assert all(line.strip() for line in lines)
            said += 1
    assert said > 40


def test_a_field_of_their_form_is_shown_short_and_says_when_it_is_too_long() -> None:
    long = packet_view.FormText("Statement", "word " * 100, most=200)
    assert len(packet_view.shown(long).splitlines()[0]) == 160
    assert "takes 200 characters, and this text has 500" in packet_view.shown(long)
    assert packet_view.shown(packet_view.FormText("Kind", choose="Nudity")) == "Choose: Nudity"
    assert packet_view.shown(packet_view.FormText("Kind")) == "Nothing is needed here."


RECORD = Record(4, 1, (), (), "X", "", "", None, "", None, RequestState.SENT, "2026-11-28T12:00:00+00:00")


def test_by_when_they_should_answer_is_a_day_and_a_time_and_never_a_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Africa/Nairobi")
    import time

    time.tzset()
    try:
        soon = replace(RECORD, due_at="2099-11-30T06:00:00-05:00")
        assert case_view.request_line(soon, datetime.date(2099, 11, 28), [4]) == "X should answer by 30 November, 14:00"
        assert case_view.request_entry(soon, datetime.date(2099, 11, 28), [4]) == ("X", "answer by 30 November, 14:00")
        midnight = replace(RECORD, due_at="2099-12-01T00:00:00+03:00")
        said = case_view.request_line(midnight, datetime.date(2099, 11, 28), [4])
        assert said == "X should answer by the end of 30 November"
        over = replace(RECORD, due_at="2026-01-02T06:00:00-05:00")
        assert case_view.request_line(over, TODAY, [4]) == "X should have answered by 2 January, 14:00"
    finally:
        monkeypatch.undo()
        time.tzset()
    draft = replace(RECORD, state=RequestState.DRAFT, recipient="")
    assert case_view.request_entry(draft, TODAY, [4]) == ("A request", "being prepared")
    assert packet_view.sent_line(RECORD) == "Noted as sent."


def test_a_text_that_is_too_long_for_the_format_has_no_field_that_takes_it() -> None:
    request = full_request(FACTS, "us_tida", "x", "agent")
    for page in pages(request, looked(request)):
        for field in page.fields:
            if field.kind in (Kind.LINE, Kind.TEXT):
                assert field.most == SHORT or field.key.startswith("texts.")
