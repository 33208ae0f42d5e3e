"""What a casebook holds comes back as it was put, by itself, in lists, in overviews and in exports."""

from __future__ import annotations

import json
import shutil
import stat
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from desktop.casebook.casebook import SCHEMA, Casebook
from desktop.casebook.records import CasebookError, Incident, NewItem, NewSighting, RequestState
from detectors.finding import Finding
from detectors.report import Hashes, View
from tests.casebook_kill import CHEAP, numbered_report
from tests.unit.sample_reports import HOSTILE, one_of_each, report, unreadable

PASSPHRASE = "four unrelated dull words"  # noqa: S105
VIEWS = (
    View("whole", (0, 0, 1024, 768), "ab" * 32, 100),
    View("trimmed", (10, 20, 900, 700), "0f" * 32, 50),
    View("region", (4_000_000, 1, 2, 3), "00" * 32, 77),
)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "her.casebook"
    made, _ = Casebook.create(path, PASSPHRASE, "Ada", _cost=CHEAP)
    with made:
        made.add_incident("An incident", depicted="I am", wanted="all of it gone", country="ke")
    return path


@pytest.fixture
def casebook(template: Path, tmp_path: Path) -> Iterator[Casebook]:
    path = tmp_path / "her.casebook"
    shutil.copy(template, path)
    with Casebook.open(path, PASSPHRASE, "Ada") as opened:
        yield opened


def refused(code: str) -> pytest.RaisesExc[CasebookError]:
    return pytest.raises(CasebookError, match=f"^{code}:")


def test_items_come_back_as_they_were(casebook: Casebook) -> None:
    reports = one_of_each()
    new = [NewItem(r, VIEWS, f"label {i}", f"words {i}") for i, r in enumerate(reports)]
    added = casebook.add_items(1, new)
    assert added == casebook.items(1) == casebook.items()
    for item, one in zip(added, reports, strict=True):
        assert item == casebook.item(item.id)
        assert item.views == VIEWS
        line = one.to_json()
        assert item.verdict == line["verdict"]
        assert item.p_synthetic == (one.verdict.p_synthetic if one.verdict else None)
        assert item.intimacy == line["intimacy"]
        if one.analysis is None:
            assert one.error is not None
            assert item.reasons == (one.error.message,)
            assert item.media is None
            assert item.profile is None
            assert item.hashes is not None
            assert item.hashes.sha256 == one.sha256
            continue
        assert list(item.reasons) == line["reasons"]
        assert item.hashes == one.analysis.hashes
        assert [Finding.from_record(f) for f in item.findings] == list(one.analysis.findings)
        assert item.profile == one.analysis.profile
        assert item.media == one.analysis.to_record()["media"]
        assert not item.has_image
    assert casebook.add_items(1, []) == []
    brief = casebook.items(1, brief=True)
    assert brief == [
        replace(i, hashes=None, views=(), media=None, reasons=(), findings=(), intimacy=None) for i in added
    ]


def test_a_batch_is_all_or_none(casebook: Casebook) -> None:
    with pytest.raises(AttributeError):
        casebook.add_items(1, [NewItem(report()), NewItem(None)])
    assert casebook.items() == []
    assert casebook.verify().ok


def test_neither_path_nor_the_files_own_metadata_is_kept(casebook: Casebook) -> None:
    casebook.add_item(1, report("secret/folder/name.jpg", metadata={"GPS": "secret place"}))
    casebook.export(casebook.path.with_name("e.json"))
    text = casebook.path.with_name("e.json").read_text()
    assert "secret" not in text
    assert "cd" * 32 in text


def test_hostile_text_and_names_that_are_no_text(casebook: Casebook) -> None:
    item = casebook.add_item(1, report(says=HOSTILE), label=HOSTILE)
    assert item.reasons[0] == HOSTILE
    assert item.label == HOSTILE.encode("utf-8", "backslashreplace").decode()
    assert casebook.add_note(1, HOSTILE).text == item.label
    reference = casebook.add_reference(1, "folder/caf\udce9.jpg")
    assert casebook.references(1) == [reference]
    assert reference.path == "folder/caf\udce9.jpg"
    assert casebook.verify().ok


def test_the_same_file_is_found_again(casebook: Casebook) -> None:
    item = casebook.add_item(1, numbered_report(1))
    casebook.add_item(1, numbered_report(2))
    assert item.hashes is not None
    assert casebook.find_items(item.hashes.sha256) == [item]
    assert casebook.find_items("00") == []


def test_pictures_are_kept_only_when_given(casebook: Casebook) -> None:
    bare = casebook.add_item(1, report(thumbnail=b"blurred"), thumbnail=b"blurred")
    assert casebook.thumbnail(bare.id) is None
    with refused("no_such_record"):
        casebook.image(bare.id)
    kept = casebook.keep_image(bare.id, b"first", "image/png", b"blurred")
    assert kept.has_image
    assert casebook.image(bare.id) == b"first"
    assert casebook.thumbnail(bare.id) == b"blurred"
    casebook.keep_image(bare.id, b"second")
    assert casebook.image(bare.id) == b"second"
    assert casebook.thumbnail(bare.id) is None
    assert casebook.verify().ok


def test_incidents_and_consents(casebook: Casebook) -> None:
    made = casebook.incident(1)
    assert made == Incident(1, "An incident", "I am", "all of it gone", "KE", made.created_at)
    other = casebook.update_incident(1, title="Renamed", country="")
    assert (other.title, other.country, other.wanted) == ("Renamed", "", "all of it gone")
    assert casebook.incidents() == [other]
    for country in ("Kenya", "K", "K1", "é!"):
        with refused("bad_record"):
            casebook.add_incident("x", country=country)
    consent = casebook.add_consent(1, "Bo", role="staff", authority="letter of 1 May", scope="all")
    assert consent.withdrawn_at is None
    ended = casebook.withdraw_consent(consent.id, "2026-11-24T18:00:00+03:00")
    assert ended.withdrawn_at == "2026-11-24T18:00:00+03:00"
    assert casebook.consents(1) == [ended]


def test_many_sightings_are_added_at_once_or_none(casebook: Casebook) -> None:
    (item,) = casebook.add_items(1, [NewItem(report())])
    places = [NewSighting(f"https://example.org/{n}", item.id if n else None, note="n") for n in range(3)]
    rows = len(list(casebook.log()))
    ids = casebook.add_sightings(1, places)
    one = casebook.add_sighting(1, "https://example.org/1", item_id=item.id, note="n")
    found = {s.id: s for s in casebook.sightings(1)}
    assert [found[n].url for n in ids] == [p.url for p in places]
    assert replace(found[ids[1]], id=one.id, seen_at=one.seen_at) == one, "as one that is added by itself"
    log = list(casebook.log())[rows:]
    assert [row.subject for row in log] == [f"sighting {n}" for n in (*ids, one.id)]
    assert log[1].details.keys() == log[3].details.keys()
    assert casebook.verify().ok
    bad = [NewSighting("https://example.org/8"), NewSighting("https://example.org/9", seen_at="soon")]
    with refused("bad_record"):
        casebook.add_sightings(1, bad)
    with refused("maybe_minor"):
        casebook.add_sightings(1, [places[0], replace(places[1], maybe_minor=True)])
    assert len(casebook.sightings(1)) == 4
    assert casebook.add_sightings(1, []) == []


def test_sightings(casebook: Casebook) -> None:
    item = casebook.add_item(1, report())
    late = casebook.add_sighting(1, "https://b.example", seen_at="2026-11-24T12:00:00+00:00", item_id=item.id)
    early = casebook.add_sighting(
        1,
        "https://a.example",
        platform="P",
        handle="@h",
        seen_at="2026-11-24T14:30:30.123+03:00",
        time_zone="Africa/Nairobi",
        captured_how="by hand",
        captured_by="Bo",
        note="n",
    )
    assert early.seen_at == "2026-11-24T14:30:30+03:00"
    assert casebook.sightings(1) == [early, late]
    assert casebook.sightings(item_id=item.id) == [late]
    assert late.captured_by == "Ada"
    for wrong in ({"seen_at": "yesterday"}, {"seen_at": "2026-11-24T12:00:00"}, {"time_zone": "Mars/Base"}):
        with refused("bad_record"):
            casebook.add_sighting(1, "u", **wrong)  # type: ignore[arg-type]
    with refused("bad_record"):
        casebook.add_sighting(casebook.add_incident("other").id, "u", item_id=item.id)


def test_requests_and_their_timeline(casebook: Casebook) -> None:
    item = casebook.add_item(1, report())
    sighting = casebook.add_sighting(1, "https://a.example", item_id=item.id, platform="P")
    request = casebook.add_request(
        1, "a platform", item_ids=[item.id, item.id], sighting_ids=[sighting.id], legal_basis="a law", channel="form"
    )
    assert (request.item_ids, request.sighting_ids, request.state) == ((item.id,), (sighting.id,), RequestState.DRAFT)
    sent = casebook.update_request(
        request.id,
        state=RequestState.SENT,
        sent_at="2126-11-24T12:00:00+00:00",
        due_at="2126-11-26T12:00:00+00:00",
        reference="77",
    )
    assert sent == casebook.request(request.id) == casebook.requests(1)[0]
    assert (sent.channel, sent.reference) == ("form", "77")
    overview = casebook.overview(1)
    assert (overview.requests, overview.overdue, overview.next_due) == ({"sent": 1}, 0, sent.due_at)
    answer = casebook.add_answer(request.id, "removed", "It is gone.", at="2126-11-25T12:00:00+00:00")
    assert casebook.answers(request.id) == [answer]
    assert casebook.request(request.id).state is RequestState.ANSWERED
    note = casebook.add_note(1, "a note", item_id=item.id)
    events = casebook.timeline(item.id)
    assert [(e.kind, e.id) for e in events if e.kind != "log"] == [
        ("sighting", sighting.id),
        ("note", note.id),
        ("request", request.id),
        ("answer", answer.id),
    ]
    assert [e.text for e in events if e.kind == "log"] == ["added by Ada", "requested by Ada"]
    with pytest.raises(ValueError, match="lost"):
        casebook.update_request(request.id, state="lost")  # type: ignore[arg-type]


def test_overview_counts(casebook: Casebook) -> None:
    casebook.add_incident("other")
    casebook.add_item(1, report(), image=b"x")
    casebook.add_item(1, unreadable())
    casebook.add_item(2, report())
    casebook.add_sighting(1, "u", maybe_minor=True)
    casebook.add_request(1, "r", state=RequestState.SENT, due_at="2020-01-01T00:00:00+00:00")
    casebook.add_contact(2, "c")
    one = casebook.overview(1)
    assert (one.incidents, one.items, one.with_image, one.sightings, one.maybe_minor) == (1, 2, 1, 1, 1)
    assert one.verdicts == {"likely_synthetic": 1, "not_checked": 1}
    assert (one.overdue, one.next_due, one.contacts) == (1, None, 0)
    whole = casebook.overview()
    assert (whole.incidents, whole.items, whole.contacts) == (2, 3, 1)
    assert whole.log_rows == casebook.verify().rows


def test_wrong_matches_are_remembered_and_forgotten(casebook: Casebook) -> None:
    a, b, c = (casebook.add_item(1, numbered_report(n)).id for n in range(3))
    casebook.not_a_match(b, a)
    casebook.not_a_match(a, b)
    casebook.not_a_match(b, c)
    assert casebook.wrong_matches() == {frozenset((a, b)), frozenset((b, c))}
    casebook.not_a_match(a, b, wrong=False)
    assert casebook.wrong_matches() == {frozenset((b, c))}


def test_export_holds_everything_but_pixels(casebook: Casebook) -> None:
    item = casebook.add_item(1, report(), VIEWS, label="label", image=b"PIXELS" * 9, thumbnail=b"BLURRED")
    sighting = casebook.add_sighting(1, "https://a.example", item_id=item.id, screenshot=b"SCREEN")
    request = casebook.add_request(1, "a platform", item_ids=[item.id], sighting_ids=[sighting.id])
    casebook.add_answer(request.id, "removed")
    casebook.add_contact(1, "a lawyer")
    casebook.add_reference(1, "/a/b.jpg", hashes=Hashes("aa", "bb"), views=VIEWS)
    casebook.add_note(1, "a note")
    casebook.add_consent(1, "Bo")
    casebook.add_item(casebook.add_incident("other").id, numbered_report(5), label="elsewhere")
    head = casebook.verify().head
    to = casebook.path.with_name("e.json")
    casebook.export(to)
    assert stat.S_IMODE(to.stat().st_mode) == 0o600
    text = to.read_text("ascii")
    whole = json.loads(text)
    assert whole["schema"] == SCHEMA
    assert whole["head"] == head
    first = whole["incidents"][0]
    for name in ("consents", "items", "sightings", "requests", "contacts", "references", "notes"):
        assert len(first[name]) == 1, name
    assert len(first["requests"][0]["answers"]) == 1
    assert first["items"][0]["hashes"]["pdq"] == "01" * 32
    assert len(whole["log"]) == casebook.overview().log_rows - 3  # the export's own rows come after
    assert not any(pixels in text for pixels in ("PIXELS", "BLURRED", "SCREEN", "UElYRUxT", "504958454c53"))
    one = casebook.path.with_name("one.json")
    casebook.export(one, 2)
    assert "elsewhere" in one.read_text()
    assert "a lawyer" not in one.read_text()
    assert "log" not in json.loads(one.read_text())
    with refused("casebook_exists"):
        casebook.export(to)
    with refused("no_such_record"):
        casebook.export(casebook.path.with_name("none.json"), 9)
    assert sorted(p.name for p in casebook.path.parent.iterdir() if p.suffix == ".json") == ["e.json", "one.json"]


def test_the_log_may_grow_while_it_is_read(casebook: Casebook) -> None:
    casebook.add_items(1, [NewItem(numbered_report(n)) for n in range(600)])
    seen = []
    for row in casebook.log():
        if row.seq == 1:
            casebook.add_note(1, "meanwhile")
            casebook.compact()
        seen.append(row.seq)
    assert seen == list(range(1, 605))
    assert [row.seq for row in casebook.log(600)] == [601, 602, 603, 604]


def test_threads_take_turns(casebook: Casebook) -> None:
    def work() -> None:
        for _ in range(5):
            casebook.add_note(1, "from a thread")
            casebook.notes()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(casebook.notes()) == 20
    assert casebook.verify().ok


def test_a_screenshot_can_be_added_later_replaced_and_revealed(casebook: Casebook) -> None:
    item = casebook.add_item(1, numbered_report(1))
    sighting = casebook.add_sighting(1, "https://a.example", item_id=item.id)
    assert casebook.screenshot_thumbnail(sighting.id) is None
    with refused("no_such_record"):
        casebook.screenshot_to_reveal(sighting.id)
    casebook.keep_screenshot(sighting.id, b"first", "image/png", b"first blurred")
    assert casebook.keep_screenshot(sighting.id, b"second", "image/png", b"blurred").has_screenshot
    assert casebook.screenshot_thumbnail(sighting.id) == b"blurred"
    assert casebook.screenshot_to_reveal(sighting.id) == b"second"
    assert [r.action for r in casebook.log() if r.subject == f"sighting {sighting.id}"] == ["added", "revealed"]
    minor = casebook.add_sighting(1, "https://b.example", maybe_minor=True)
    with refused("maybe_minor"):
        casebook.keep_screenshot(minor.id, b"never")
    assert not any(s.has_screenshot for s in casebook.sightings() if s.maybe_minor)
    casebook.delete_sighting(sighting.id)
    assert casebook.sightings() == [minor]
    assert casebook.verify().ok


def test_the_present_passphrase_and_the_code_are_told_from_others(casebook: Casebook) -> None:
    casebook.check_secret(PASSPHRASE)
    for wrong in ("", PASSPHRASE + "x", "0000-" * 13 + "0000"):
        with refused("wrong_passphrase"):
            casebook.check_secret(wrong)
    code = casebook.change_passphrase("five other unrelated dull words")
    casebook.check_secret(code.lower())
    casebook.check_secret("five other unrelated dull words")
    with refused("wrong_passphrase"):
        casebook.check_secret(PASSPHRASE)
    casebook.close()
    with refused("casebook_closed"):
        casebook.check_secret(code)
